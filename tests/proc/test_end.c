/* Ending a tree: asked to, by clocks, by the owner's death, and by the command leaving something behind. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define TERM "15"

/* Starts the words, which must say "up" when they are where they go; returns a watching connection. */
static int start_up(struct place *p, const char *const *argv, const struct proc_start *with, pid_t *ret_command)
{
    struct proc_start start = with ? *with : start_of(argv);
    start.argv = argv;
    start.ready_when = "^up$";
    assert_int_equal(start_task(p, "bg_1", &start, ret_command, NULL), 0);
    int fd = connect_and_watch(p, "bg_1");
    await_news(fd, PROC_NEWS_READY);
    return fd;
}

static struct proc_exit ended(struct place *p, int fd)
{
    await_news(fd, PROC_NEWS_ENDED);
    assert_int_equal(survivors(), 1); /* the supervisor itself, which waits to be told that this was taken in */
    assert_int_equal(proc_taken(fd, NULL), 0);
    close(fd);
    return end_of(p, "bg_1");
}

static void test_cancel_reaches_every_tree(void **state)
{
    static const struct row {
        const char *words[16];
        unsigned killed; /* at least */
    } rows[] = {
        {{"say", "up", "pause"}, 0},
        {{"ignore", TERM, "say", "up", "pause"}, 0},
        {{"child", "pause", "end", "say", "up", "pause"}, 1},
        {{"child", "ignore", TERM, "pause", "end", "say", "up", "pause"}, 1},
        {{"session", "ignore", TERM, "pause", "end", "say", "up", "pause"}, 1},
        {{"daemon", "ignore", TERM, "pause", "end", "say", "up", "pause"}, 1},
        {{"session", "daemon", "child", "ignore", TERM, "close", "pause", "end", "pause", "end", "end", "say", "up",
          "pause"},
         2},
        {{"say", "up", "stop"}, 0},
        {{"daemon", "ignore", TERM, "stop", "end", "say", "up", "stop"}, 1},
        {{"daemon", "ignore", TERM, "chain", "end", "say", "up", "pause"}, 1},
        {{"ignore", TERM, "daemon", "chain", "end", "daemon", "chain", "end", "say", "up", "pause"}, 2},
        {{"daemon", "ignore", TERM, "storm", "end", "say", "up", "pause"}, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct place *p = *state;
        const char *argv[18] = {getenv("ROUSE_TEST_ACTOR")};
        memcpy(argv + 1, rows[i].words, sizeof rows[i].words);
        int fd = start_up(p, argv, NULL, NULL);
        assert_int_equal(proc_cancel(fd, SIGTERM, 20, "user", "not \"needed\" \\ any more\x01", NULL), 0);
        struct proc_exit exit = ended(p, fd);
        assert_int_equal(survivors(), 0);
        assert_true(exit.cancelled);
        assert_string_equal(exit.ended_by, "user");
        assert_string_equal(exit.reason, "not \"needed\" \\ any more?");
        assert_true(exit.signal == SIGTERM || exit.signal == SIGKILL);
        if (exit.killed < rows[i].killed)
            fail_msg("row %zu: %llu killed", i, (unsigned long long)exit.killed);
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

static void test_cancel_lets_a_tree_go_by_itself(void **state)
{
    int fd = start_up(*state, ACTOR("child", "pause", "end", "say", "up", "pause"), NULL, NULL);
    assert_int_equal(proc_cancel(fd, SIGINT, 600000, "agent", NULL, NULL), 0);
    struct proc_exit exit = ended(*state, fd);
    assert_int_equal(exit.signal, SIGINT);
    assert_int_equal(exit.killed, 1);
    assert_true(exit.cancelled);
    assert_string_equal(exit.ended_by, "agent");
    assert_string_equal(exit.reason, "");
}

/* The first cause counts; a later request may only shorten the grace. */
static void test_a_second_cancel(void **state)
{
    int fd = start_up(*state, ACTOR("ignore", TERM, "say", "up", "pause"), NULL, NULL);
    assert_int_equal(proc_cancel(fd, SIGTERM, 600000, "agent", "first", NULL), 0);
    assert_int_equal(proc_cancel(fd, SIGTERM, 0, "user", "second", NULL), 0);
    struct proc_exit exit = ended(*state, fd);
    assert_string_equal(exit.ended_by, "agent");
    assert_string_equal(exit.reason, "first");
    assert_int_equal(exit.signal, SIGKILL);
}

static void test_malformed_requests_change_nothing(void **state)
{
    static const char *const messages[] = {
        "cancel",
        "cancel ",
        "cancel 9",
        "cancel 0 0 user x",
        "cancel 99 0 user x",
        "cancel -1 0 user x",
        "cancel 9 x user y",
        "cancel 9 0 averyveryverylongname x",
        "taken",
        "Watch",
        "watch me",
        "cancel 9 99999999999999999999999 user x",
    };
    int fd = start_up(*state, ACTOR("say", "up", "pause"), NULL, NULL);
    rouse_error err;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        assert_true(write(fd, messages[i], strlen(messages[i])) == (ssize_t)strlen(messages[i]));
    assert_int_equal(proc_cancel(fd, 0, 0, "user", "", &err), ROUSE_EINVAL);
    assert_int_equal(proc_cancel(fd, 9, 0, "some one", "", &err), ROUSE_EINVAL);
    assert_int_equal(proc_cancel(fd, 9, 0, "", "", &err), ROUSE_EINVAL);
    assert_int_equal(proc_cancel(fd, SIGUSR1, 600000, "user", "this one counts", NULL), 0);
    struct proc_exit exit = ended(*state, fd);
    assert_int_equal(exit.signal, SIGUSR1);
    assert_string_equal(exit.reason, "this one counts");
}

static void test_deadline_and_idle(void **state)
{
    struct place *p = *state;
    static const struct row {
        const char *words[6];
        uint64_t timeout, idle, grace;
        const char *by;
        int signal;
    } rows[] = {
        {{"pause"}, 30, 0, 600000, "deadline", SIGTERM},
        {{"ignore", TERM, "say", "up", "pause"}, 1000, 0, 1, "deadline", SIGKILL},
        {{"say", "up", "pause"}, 0, 30, 600000, "idle", SIGTERM},
        {{"say", "up", "pause"}, 600000, 30, 600000, "idle", SIGTERM},
        {{"close", "pause"}, 0, 30, 600000, "idle", SIGTERM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *argv[8] = {getenv("ROUSE_TEST_ACTOR")};
        memcpy(argv + 1, rows[i].words, sizeof rows[i].words);
        struct proc_start start = start_of(argv);
        start.timeout_ms = rows[i].timeout;
        start.idle_timeout_ms = rows[i].idle;
        start.grace_ms = rows[i].grace;
        assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
        struct proc_exit exit = end_of(p, "bg_1");
        assert_string_equal(exit.ended_by, rows[i].by);
        assert_int_equal(exit.signal, rows[i].signal);
        assert_false(exit.cancelled);
        assert_true(exit.ended_at_ms - exit.started_at_ms + 1 >= (rows[i].idle ? rows[i].idle : rows[i].timeout));
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

/* Whoever holds the pipe open keeps neither the task alive nor itself. */
static void test_what_a_command_leaves_behind(void **state)
{
    struct place *p = *state;
    static const struct row {
        const char *words[12];
        unsigned killed;
    } rows[] = {
        {{"child", "pause", "end", "say", "up", "exit", "3"}, 1},
        {{"daemon", "pause", "end", "say", "up", "exit", "3"}, 1},
        {{"daemon", "ignore", TERM, "close", "pause", "end", "say", "up", "exit", "3"}, 1},
        {{"daemon", "stop", "end", "say", "up", "exit", "3"}, 1},
        {{"say", "up", "exit", "3"}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *argv[14] = {getenv("ROUSE_TEST_ACTOR")};
        memcpy(argv + 1, rows[i].words, sizeof rows[i].words);
        struct proc_start start = start_of(argv);
        assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
        struct proc_exit exit = end_of(p, "bg_1");
        assert_int_equal(exit.exit_code, 3);
        assert_string_equal(exit.ended_by, "self");
        assert_false(exit.cancelled);
        assert_int_equal(exit.killed, rows[i].killed);
        assert_string_equal(output_of(p, "bg_1"), "up\n");
        assert_int_equal(survivors(), 0);
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

/* However its starter ends, a session task ends with it; any other goes on. */
/* A traced process that was killed stays until its tracer has looked at it: this test's stand-in for one that the kernel does not
 * let go. It is told of and seen, nothing says that it has ended, and it has once it is let go. */
static void test_a_tree_that_cannot_be_ended(void **state)
{
    struct place *p = *state;
    pid_t command;
    int fd = start_up(p, ACTOR("say", "up", "pause"), NULL, &command);
    if (ptrace(PTRACE_SEIZE, command, NULL, NULL) < 0) {
        assert_int_equal(kill(command, SIGKILL), 0);
        ended(p, fd);
        skip();
    }
    assert_false(look_at(p, "bg_1").stuck);
    assert_int_equal(proc_cancel(fd, SIGKILL, 0, "user", "", NULL), 0);
    await_news(fd, PROC_NEWS_STUCK);
    assert_int_equal(probe(p, "bg_1"), PROC_ALIVE);
    assert_true(look_at(p, "bg_1").stuck);
    int second = connect_and_watch(p, "bg_1");
    assert_int_equal(proc_cancel(second, SIGKILL, 0, "agent", "", NULL), 0);
    await_news(second, PROC_NEWS_STUCK); /* at once, for whoever comes later */
    assert_int_equal(probe(p, "bg_1"), PROC_ALIVE);
    close(second);
    assert_int_equal(waitpid(command, NULL, __WALL), command);
    struct proc_exit exit = ended(p, fd);
    assert_int_equal(exit.signal, SIGKILL);
    assert_string_equal(exit.ended_by, "user");
    assert_true(exit.cancelled);
    assert_false(look_at(p, "bg_1").stuck);
}

static void test_session(void **state)
{
    struct place *p = *state;
    for (int session = 0; session < 2; session++) {
        pid_t owner = fork();
        if (owner == 0) {
            struct proc_start start = start_of(ACTOR("child", "ignore", TERM, "pause", "end", "say", "up", "pause"));
            start.session = session == 1;
            start.ready_when = "up";
            start.grace_ms = 10;
            int code = start_task(p, "bg_1", &start, NULL, NULL);
            if (code == 0)
                kill(getpid(), SIGKILL);
            _exit(1);
        }
        int status;
        assert_int_equal(waitpid(owner, &status, 0), owner);
        assert_true(WIFSIGNALED(status));
        if (session == 0) {
            int fd = connect_and_watch(p, "bg_1");
            await_news(fd, PROC_NEWS_READY);
            assert_int_equal(probe(p, "bg_1"), PROC_ALIVE);
            assert_int_equal(proc_cancel(fd, SIGKILL, 0, "user", "", NULL), 0);
            assert_string_equal(ended(p, fd).ended_by, "user");
        } else {
            struct proc_exit exit = end_of(p, "bg_1");
            assert_string_equal(exit.ended_by, "parent");
            assert_false(exit.cancelled);
        }
        assert_int_equal(survivors(), 0);
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

/* A task that starts a task: the inner one has a supervisor of its own, so it outlives the outer one's tree. */
static void test_a_task_within_a_task(void **state)
{
    struct place *p = *state;
    char shim[512], actor[512];
    snprintf(shim, sizeof shim, "ROUSE_SHIM=%s", getenv("ROUSE_SHIM"));
    snprintf(actor, sizeof actor, "ROUSE_TEST_ACTOR=%s", getenv("ROUSE_TEST_ACTOR"));
    for (int ends_by_itself = 0; ends_by_itself < 2; ends_by_itself++) {
        struct proc_start start = start_of(NULL);
        start.env = (const char *const[]){shim, actor, NULL};
        pid_t nest;
        int fd = start_up(p, (const char *const[]){getenv("ROUSE_TEST_NEST"), p->path, NULL}, &start, &nest);
        if (ends_by_itself)
            kill(nest, SIGKILL);
        else
            assert_int_equal(proc_cancel(fd, SIGKILL, 0, "user", "", NULL), 0);
        await_news(fd, PROC_NEWS_ENDED);
        proc_taken(fd, NULL);
        close(fd);
        assert_int_equal(probe(p, "bg_1"), PROC_ENDED);
        assert_int_equal(probe(p, "bg_2"), PROC_ALIVE);
        fd = connect_and_watch(p, "bg_2");
        assert_int_equal(proc_cancel(fd, SIGTERM, 600000, "user", "", NULL), 0);
        await_news(fd, PROC_NEWS_ENDED);
        proc_taken(fd, NULL);
        close(fd);
        assert_int_equal(end_of(p, "bg_2").signal, SIGTERM);
        assert_int_equal(end_of(p, "bg_1").killed, 0);
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
        assert_int_equal(proc_remove(p->tasks, "bg_2", NULL), 0);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cancel_reaches_every_tree),
        TEST(test_cancel_lets_a_tree_go_by_itself),
        TEST(test_a_second_cancel),
        TEST(test_malformed_requests_change_nothing),
        TEST(test_deadline_and_idle),
        TEST(test_what_a_command_leaves_behind),
        TEST(test_a_tree_that_cannot_be_ended),
        TEST(test_session),
        TEST(test_a_task_within_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
