/* A supervisor killed at every step, and what is seen afterwards: README.md's table. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "support.h"

/* Starts with a supervisor that dies at point. */
static int start_doomed(struct place *p, const char *point, const char *const *argv, const char *const *reaper,
                        pid_t *ret_command)
{
    static char shim[600], where[64];
    snprintf(shim, sizeof shim, "ROUSE_TEST_SHIM=%s", getenv("ROUSE_SHIM"));
    snprintf(where, sizeof where, "ROUSE_TEST_POINT=%s", point);
    static const char *const env[] = {shim, where, NULL};
    struct proc_start start = start_of(argv);
    start.shim = getenv("ROUSE_TEST_STOPPER");
    start.env = env;
    start.reaper = reaper;
    return start_task(p, "bg_1", &start, ret_command, NULL);
}

static void test_killed_at_every_step(void **state)
{
    struct place *p = *state;
    static const struct row {
        const char *point;
        int start; /* what proc_start says */
        enum proc_state state;
    } rows[] = {
        {"spawned", ROUSE_EIO, PROC_LOST},
        {"detached", ROUSE_EIO, PROC_LOST},
        {"before-command", ROUSE_EIO, PROC_LOST},
        {"command-started", ROUSE_EIO, PROC_LOST},
        {"reported", 0, PROC_LOST},
        {"output", 0, PROC_LOST},
        {"before-record", 0, PROC_LOST},
        {"record-written", 0, PROC_LOST},
        {"record-renamed", 0, PROC_ENDED},
        {"told", 0, PROC_ENDED},
        {"before-reaper", 0, PROC_ENDED},
        {"never", 0, PROC_ENDED},
    };
    const char *const *argv = ACTOR("say", "up", "exit", "7");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum proc_state seen;
        struct proc_exit exit = {0};
        uint64_t killed = 99;
        int code = start_doomed(p, rows[i].point, argv, (const char *const[]){"/bin/true", NULL}, NULL);
        settle();
        assert_int_equal(proc_probe(p->tasks, "bg_1", &seen, &exit, NULL), 0);
        if (code != rows[i].start || seen != rows[i].state)
            fail_msg("%s: started %d, seen as %d", rows[i].point, code, (int)seen);
        if (seen == PROC_ENDED)
            assert_int_equal(exit.exit_code, 7);
        assert_int_equal(proc_sweep(test_token, NULL, &killed, NULL), 0);
        assert_int_equal(killed, 0); /* the command died with it */
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

/* What the command had started does not die with the supervisor: the sweep finds it. */
static void test_sweep(void **state)
{
    struct place *p = *state;
    static const struct row {
        const char *words[12];
        unsigned killed;
    } rows[] = {
        {{"child", "pause", "end", "say", "up", "pause"}, 1},
        {{"daemon", "ignore", "15", "close", "pause", "end", "session", "pause", "end", "say", "up", "pause"}, 2},
        {{"daemon", "stop", "end", "say", "up", "stop"}, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *argv[14] = {getenv("ROUSE_TEST_ACTOR")};
        uint64_t killed = 0;
        memcpy(argv + 1, rows[i].words, sizeof rows[i].words);
        pid_t command;
        assert_int_equal(start_doomed(p, "output", argv, NULL, &command), 0);
        pid_t ended; /* the supervisor, then the command, which is adopted when that dies, and dies of it */
        do
            ended = waitpid(-1, NULL, 0);
        while (ended > 0 && ended != command);
        assert_int_equal(ended, command);
        assert_int_equal(probe(p, "bg_1"), PROC_LOST);
        assert_string_equal(output_of(p, "bg_1"), "up\n");
        assert_int_equal(proc_sweep("ffffffffffffffffffffffffffffffff", NULL, &killed, NULL), 0);
        assert_int_equal(killed, 0);
        assert_int_equal(survivors(), rows[i].killed);
        assert_int_equal(proc_sweep(test_token, NULL, &killed, NULL), 0);
        assert_int_equal(killed, rows[i].killed);
        assert_int_equal(survivors(), 0);
        settle();
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

static void test_sweep_needs_a_token(void **state)
{
    (void)state;
    uint64_t killed = 7;
    assert_int_equal(proc_sweep("", NULL, &killed, NULL), ROUSE_EINVAL);
    assert_int_equal(killed, 7);
}

/* kill -9 from outside, at no particular moment: the command goes with it. */
static void test_killed_from_outside(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(ACTOR("ignore", "15", "pause"));
    pid_t command;
    assert_int_equal(start_task(p, "bg_1", &start, &command, NULL), 0);
    int fd = connect_and_watch(p, "bg_1");
    assert_int_equal(probe(p, "bg_1"), PROC_ALIVE);
    assert_int_equal(kill(parent_of(command), SIGKILL), 0);
    await_news(fd, PROC_NEWS_HANGUP);
    close(fd);
    settle();
    assert_int_equal(survivors(), 0);
    assert_int_equal(probe(p, "bg_1"), PROC_LOST);
    assert_int_equal(proc_connect(p->tasks, "bg_1", &fd, NULL), ROUSE_ENOTFOUND);
}

/* Signals that people and sessions send do not end a supervisor. */
static void test_signals_do_not_end_it(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(ACTOR("pause"));
    pid_t command;
    assert_int_equal(start_task(p, "bg_1", &start, &command, NULL), 0);
    pid_t supervisor = parent_of(command);
    for (int i = 1; i < 32; i++) {
        if (i != SIGKILL && i != SIGSTOP)
            assert_int_equal(kill(supervisor, i), 0);
    }
    int fd = connect_and_watch(p, "bg_1");
    assert_int_equal(proc_cancel(fd, SIGTERM, 600000, "user", "", NULL), 0);
    await_news(fd, PROC_NEWS_ENDED);
    close(fd);
    assert_int_equal(end_of(p, "bg_1").signal, SIGTERM);
}

/* What stands in the files is no proof of life, nor of death. */
static void test_forged_files(void **state)
{
    struct place *p = *state;
    static const char *const records[] = {
        "",
        "{",
        "{}",
        "{}\n",
        "0",
        "{\"exit_code\":0}\n",
        "{\"version\":1,\"exec_errno\":0,\"exit_code\":0,\"signal\":0,\"core\":false,\"ended_by\":\"self\",\"reason\":"
        "\"\","
        "\"started_at_ms\":1,\"ended_at_ms\":1,\"killed\":0,\"user_us\":0,\"system_us\":0,\"max_rss_kib\":0,"
        "\"cancelled\":false,"
        "\"output\":0,\"lost\":0,\"check\":1}\n",
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        int dir, lock;
        rouse_error err;
        assert_int_equal(proc_create(p->tasks, "bg_1", &dir, &lock, NULL), 0);
        assert_int_equal(write(lock, "1\n", 2), 2); /* the pid of somebody who is alive */
        assert_int_equal(fd_write_file(dir, "exit", records[i], strlen(records[i]), false, &err), 0);
        assert_int_equal(probe(p, "bg_1"), PROC_ALIVE);
        close(lock);
        assert_int_equal(probe(p, "bg_1"), PROC_LOST);
        close(dir);
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

/* Those who ask do not see each other: a shared lock held by one does not make the task alive for another. */
static void test_two_who_ask(void **state)
{
    struct place *p = *state;
    int dir, lock;
    assert_int_equal(proc_create(p->tasks, "bg_1", &dir, &lock, NULL), 0);
    close(lock);
    int other = openat(dir, "lock", O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(other, LOCK_SH), 0);
    assert_int_equal(probe(p, "bg_1"), PROC_LOST);
    close(other);
    close(dir);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_killed_at_every_step),  TEST(test_sweep),
        TEST(test_sweep_needs_a_token),   TEST(test_killed_from_outside),
        TEST(test_signals_do_not_end_it), TEST(test_forged_files),
        TEST(test_two_who_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
