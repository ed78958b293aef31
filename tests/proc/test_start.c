/* Starting a command and how it ends by itself. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static void test_exit_codes(void **state)
{
    static const struct row {
        const char *words[3];
        int exit_code, signal;
    } rows[] = {
        {{"exit", "0"}, 0, 0},          {{"exit", "7"}, 7, 0},         {{"exit", "255"}, 255, 0},
        {{"raise", "15"}, -1, SIGTERM}, {{"raise", "9"}, -1, SIGKILL}, {{"raise", "11"}, -1, SIGSEGV},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[] = "bg_0";
        pid_t command = 0;
        struct proc_start start = start_of(ACTOR(rows[i].words[0], rows[i].words[1]));
        id[3] = (char)('0' + i);
        assert_int_equal(start_task(*state, id, &start, &command, NULL), 0);
        assert_true(command > 1);
        struct proc_exit exit = end_of(*state, id);
        assert_int_equal(exit.exit_code, rows[i].exit_code);
        assert_int_equal(exit.signal, rows[i].signal);
        assert_int_equal(exit.exec_errno, 0);
        assert_string_equal(exit.ended_by, "self");
        assert_string_equal(exit.reason, "");
        assert_false(exit.cancelled);
        assert_false(exit.core);
        assert_int_equal(exit.killed, 0);
        assert_true(exit.started_at_ms > 0 && exit.ended_at_ms >= exit.started_at_ms);
        assert_true(exit.max_rss_kib > 0);
    }
}

static void test_what_cannot_be_executed(void **state)
{
    struct place *p = *state;
    static const struct row {
        const char *command, *cwd;
        int errnum;
    } rows[] = {
        {"no-such-command", NULL, ENOENT},      {"/no/such/command", NULL, ENOENT},
        {"/etc/passwd", NULL, EACCES},          {"/tmp", NULL, EACCES},
        {"true", "/no/such/directory", ENOENT}, {"true", "/etc/passwd", ENOTDIR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[] = "bg_0";
        pid_t command = -1;
        id[3] = (char)('0' + i);
        struct proc_start start = start_of((const char *const[]){rows[i].command, NULL});
        start.cwd = rows[i].cwd;
        assert_int_equal(start_task(p, id, &start, &command, NULL), 0);
        assert_int_equal(command, 0);
        assert_int_equal(probe(p, id), PROC_ENDED);
        struct proc_exit exit = end_of(p, id);
        assert_int_equal(exit.exec_errno, rows[i].errnum);
        assert_int_equal(exit.exit_code, -1);
        assert_int_equal(exit.signal, 0);
        assert_string_equal(exit.reason, rows[i].cwd ? "cannot enter the working directory" : "");
    }
}

/* What the command finds: nothing of the supervisor's or of the caller's, besides what was asked for. */
static void test_what_the_command_inherits(void **state)
{
    struct place *p = *state;
    int leak = open("/dev/null", O_RDONLY); /* without close-on-exec, as a careless caller's */
    sigset_t mask;
    mode_t before = umask(027);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct proc_start start = start_of(ACTOR("fds", "signals", "cwd", "umask", "stdin", "env", "ROUSE_TASK", "env",
                                             "HOME", "env", "ROUSE_TASK_TOKEN"));
    start.cwd = "/usr";
    start.session = true; /* one descriptor more that could leak */
    assert_int_equal(start_task(p, "bg_5", &start, NULL, NULL), 0);
    end_of(p, "bg_5");
    char expected[256];
    snprintf(expected, sizeof expected, "0=/dev/null 1=pipe 2=pipe \n0 changed\n/usr\n027\n0\nbg_5\n-\n%s\n",
             test_token);
    assert_string_equal(output_of(p, "bg_5"), expected);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    umask(before);
    close(leak);
}

static void test_a_bad_start_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct proc_start good = start_of(ACTOR("exit", "0"));
    struct proc_start no_shim = good, not_a_shim = good, bad_pattern = good, bad_token = good, no_command = good;
    no_shim.shim = "/no/such/shim";
    not_a_shim.shim = "/bin/true";
    bad_pattern.ready_when = "(";
    bad_token.token = "short";
    no_command.argv = (const char *const[]){NULL};
    const struct row {
        const struct proc_start *start;
        int code;
    } rows[] = {
        {&no_shim, ROUSE_EIO},      {&not_a_shim, ROUSE_EIO},    {&bad_pattern, ROUSE_EINVAL},
        {&bad_token, ROUSE_EINVAL}, {&no_command, ROUSE_EINVAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rouse_error err = {0};
        pid_t command = -7;
        assert_int_equal(start_task(p, "bg_1", rows[i].start, &command, &err), rows[i].code);
        assert_int_equal(err.code, rows[i].code);
        assert_int_equal(command, -7);
        assert_int_equal(survivors(), 0);
        assert_int_equal(probe(p, "bg_1"), PROC_LOST); /* the lock was let go */
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
        assert_int_equal(probe(p, "bg_1"), PROC_GONE);
    }
}

static void test_create(void **state)
{
    struct place *p = *state;
    int dir = -1, lock = -1, other_dir = -1, other_lock = -1;
    struct stat info;
    assert_int_equal(proc_create(p->tasks, "bg_1", &dir, &lock, NULL), 0);
    assert_int_equal(probe(p, "bg_1"), PROC_ALIVE);
    assert_int_equal(fstat(dir, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_int_equal(fstat(lock, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(proc_create(p->tasks, "bg_1", &other_dir, &other_lock, NULL), ROUSE_ECONFLICT);
    assert_int_equal(other_dir, -1);
    close(lock);
    assert_int_equal(probe(p, "bg_1"), PROC_LOST);
    close(dir);
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), ROUSE_ENOTFOUND);
}

static void test_no_zombies_for_the_caller(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(ACTOR("pause"));
    pid_t command;
    assert_int_equal(start_task(p, "bg_1", &start, &command, NULL), 0);
    int fd = connect_and_watch(p, "bg_1");
    assert_int_equal(proc_cancel(fd, SIGKILL, 0, "user", "", NULL), 0);
    await_news(fd, PROC_NEWS_ENDED);
    assert_int_equal(proc_taken(fd, NULL), 0);
    close(fd);
    end_of(p, "bg_1");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_exit_codes),
        TEST(test_what_cannot_be_executed),
        TEST(test_what_the_command_inherits),
        TEST(test_a_bad_start_leaves_nothing),
        TEST(test_create),
        TEST(test_no_zombies_for_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
