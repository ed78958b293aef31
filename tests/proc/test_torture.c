/* Supervisor and command killed at any moment and in any combination, stopped, starved of processes and of descriptors. After each
 * round: one whole record or a lost task, nobody left, no descriptor left. Rounds go on for TORTURE_SECONDS when that is set;
 * TORTURE_SEED repeats a run. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "support.h"

#define ROUNDS 12

static const char *const points[] = {"spawned",        "detached",       "before-command", "command-started",
                                     "reported",       "output",         "before-record",  "record-written",
                                     "record-renamed", "told",           "before-reaper",  "never"};
#define N_POINTS (sizeof points / sizeof *points)

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static int start_at(struct place *p, const char *point, const char *const *argv, pid_t *ret_command)
{
    char shim[600], where[64];
    snprintf(shim, sizeof shim, "ROUSE_TEST_SHIM=%s", getenv("ROUSE_SHIM"));
    snprintf(where, sizeof where, "ROUSE_TEST_POINT=%s", point);
    struct proc_start start = start_of(argv);
    start.shim = getenv("ROUSE_TEST_STOPPER");
    start.env = (const char *const[]){shim, where, NULL};
    start.reaper = (const char *const[]){"/bin/true", NULL};
    start.grace_ms = 10;
    start.timeout_ms = 200;
    start.session = true;
    return start_task(p, "bg_1", &start, ret_command, NULL);
}

static void check_after(struct place *p, int started, const char *what)
{
    enum proc_state state;
    struct proc_exit exit;
    uint64_t killed;
    rouse_error err = {0};
    assert_int_equal(proc_probe(p->tasks, "bg_1", &state, &exit, &err), 0);
    if (proc_sweep(test_token, NULL, &killed, &err) < 0)
        fail_msg("%s: %s", what, err.message);
    settle();
    assert_int_equal(proc_probe(p->tasks, "bg_1", &state, &exit, &err), 0);
    if (state != PROC_ENDED && state != PROC_LOST)
        fail_msg("%s: neither ended nor lost but %d (start said %d)", what, (int)state, started);
    if (state == PROC_ENDED && started == 0 && exit.exit_code != 7 && exit.signal == 0)
        fail_msg("%s: a code nobody gave: %d", what, exit.exit_code);
    if (survivors() > 0)
        fail_msg("%s: %u left", what, survivors());
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
}

/* Every step of the supervisor, and the command killed besides, as soon as it is known or not at all. */
static void test_all_combinations_of_two(void **state)
{
    struct place *p = *state;
    unsigned before = count_descriptors();
    for (size_t i = 0; i < 2 * N_POINTS; i++) {
        pid_t command = 0;
        const char *const *argv = ACTOR("daemon", "pause", "end", "say", "up", "exit", "7");
        int started = start_at(*state, points[i / 2], argv, &command);
        if (i % 2 && command > 0)
            kill(command, SIGKILL);
        check_after(p, started, points[i / 2]);
    }
    assert_int_equal(count_descriptors(), before);
}

/* 0 when it has gone meanwhile. */
static pid_t supervisor_of(pid_t command)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)command);
    FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strrchr(text, ')');
    pid_t parent = at ? (pid_t)strtol(at + 4, NULL, 10) : 0;
    return parent == getpid() ? 0 : parent; /* dead: the command was left to this process */
}

static unsigned long next(unsigned long *seed)
{
    *seed = *seed * 6364136223846793005ul + 1442695040888963407ul;
    return *seed >> 33;
}

static void test_random_kills(void **state)
{
    static const char *const trees[][12] = {
        {"say", "up", "exit", "7"},
        {"child", "pause", "end", "say", "up", "pause"},
        {"daemon", "ignore", "15", "pause", "end", "session", "pause", "end", "say", "up", "exit", "7"},
        {"ignore", "15", "write", "400000", "pause"},
        {"say", "up", "stop"},
    };
    const char *wanted = getenv("TORTURE_SEED"), *seconds = getenv("TORTURE_SECONDS");
    unsigned long seed = wanted ? strtoul(wanted, NULL, 10) : (unsigned long)time(NULL), begun = seed;
    time_t until = seconds ? time(NULL) + strtol(seconds, NULL, 10) : 0;
    unsigned before = count_descriptors();
    print_message("# TORTURE_SEED=%lu\n", begun);
    for (int i = 0; i < ROUNDS || time(NULL) < until; i++) {
        const char *argv[14] = {getenv("ROUSE_TEST_ACTOR")};
        pid_t command = 0;
        memcpy(argv + 1, trees[next(&seed) % 5], sizeof trees[0]);
        const char *point = points[next(&seed) % N_POINTS];
        int started = start_at(*state, point, argv, &command);
        unsigned long luck = next(&seed);
        for (unsigned long spin = next(&seed) % 100000; spin > 0; spin--)
            (void)getppid(); /* some time, without a clock */
        pid_t supervisor = luck % 3 == 0 && started == 0 && command > 0 ? supervisor_of(command) : 0;
        if (supervisor > 1)
            kill(supervisor, luck % 2 ? SIGKILL : SIGSTOP);
        if (supervisor > 1 && luck % 2 == 0)
            kill(supervisor, SIGCONT);
        if (luck % 4 == 1 && command > 0)
            kill(command, SIGKILL);
        check_after(*state, started, point);
    }
    assert_int_equal(count_descriptors(), before);
}

/* A supervisor that was stopped answers nobody, and is alive: the lock says so. It goes on where it was. */
static void test_a_stopped_supervisor(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(ACTOR("say", "up", "pause"));
    pid_t command;
    start.ready_when = "up";
    assert_int_equal(start_task(p, "bg_1", &start, &command, NULL), 0);
    int fd = connect_and_watch(p, "bg_1");
    await_news(fd, PROC_NEWS_READY);
    pid_t supervisor = parent_of(command);
    assert_int_equal(kill(supervisor, SIGSTOP), 0);
    assert_int_equal(kill(command, SIGKILL), 0);
    assert_int_equal(probe(p, "bg_1"), PROC_ALIVE);
    assert_int_equal(kill(supervisor, SIGCONT), 0);
    await_news(fd, PROC_NEWS_ENDED);
    close(fd);
    assert_int_equal(end_of(p, "bg_1").signal, SIGKILL);
}

/* A command that has used up every descriptor or all its processes is its own trouble; the record is written. */
static void test_a_command_that_forks_without_end(void **state)
{
    struct place *p = *state;
    static const char *const words[] = {"storm", "chain"};
    for (size_t i = 0; i < 2; i++) {
        struct proc_start start = start_of(ACTOR(words[i]));
        assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
        int fd = connect_and_watch(p, "bg_1");
        assert_int_equal(proc_cancel(fd, SIGTERM, 20, "user", "", NULL), 0);
        await_news(fd, PROC_NEWS_ENDED);
        close(fd);
        end_of(p, "bg_1");
        assert_int_equal(survivors(), 0);
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

/* With too few descriptors a start fails whole, with its reason, and leaves nothing. */
static void test_no_descriptors(void **state)
{
    struct place *p = *state;
    struct rlimit old;
    unsigned before = count_descriptors();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    for (rlim_t most = 4; most < 24; most++) {
        struct rlimit few = {most, old.rlim_max};
        struct proc_start start = start_of(ACTOR("exit", "7"));
        rouse_error err = {0};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        int code = start_task(p, "bg_1", &start, NULL, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        if (code == 0)
            assert_int_equal(end_of(p, "bg_1").exit_code, 7);
        else if (code != ROUSE_EIO || !err.message[0])
            fail_msg("%d descriptors: %d '%s'", (int)most, code, err.message);
        settle();
        assert_int_equal(survivors(), 0);
        assert_true(proc_remove(p->tasks, "bg_1", NULL) == 0 || code != 0);
        assert_int_equal(count_descriptors(), before);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_all_combinations_of_two), TEST(test_random_kills), TEST(test_a_stopped_supervisor),
        TEST(test_a_command_that_forks_without_end), TEST(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
