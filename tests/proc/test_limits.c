/* What a command is held to: limits, niceness, umask, the caps of its output, a sandbox; and a task that waits for its tree. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "support.h"

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static struct proc_exit run(struct place *p, const struct proc_start *start)
{
    rouse_error err = {0};
    if (start_task(p, "bg_1", start, NULL, &err) < 0)
        fail_msg("%s", err.message);
    return end_of(p, "bg_1");
}

static void test_limits(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(SHELL("ulimit -t; ulimit -v; ulimit -n; nice; umask"));
    start.cpu_seconds = 77;
    start.memory_bytes = 512u << 20;
    start.files = 50;
    start.nice = 3;
    start.has_umask = true;
    assert_int_equal(run(*state, &start).exit_code, 0);
    assert_string_equal(output_of(p, "bg_1"), "77\n524288\n50\n3\n0000\n");
}

/* The kernel's SIGKILL or SIGXCPU, and an allocation that fails, are the command's own end. */
static void test_a_limit_is_hit(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(SHELL("while :; do :; done"));
    start.cpu_seconds = 1;
    struct proc_exit exit = run(p, &start);
    assert_true(exit.signal == SIGXCPU || exit.signal == SIGKILL);
    assert_string_equal(exit.ended_by, "self");
    assert_true(exit.user_us + exit.system_us > 0);
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    start = start_of((const char *const[]){"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1", NULL});
    start.memory_bytes = 100u << 20;
    assert_int_equal(run(p, &start).exit_code, 1);
}

static void test_bad_limits(void **state)
{
    struct proc_start start = start_of(ACTOR("exit", "0"));
    rouse_error err;
    start.nice = 20;
    assert_int_equal(start_task(*state, "bg_1", &start, NULL, &err), ROUSE_EINVAL);
}

static void test_caps(void **state)
{
    struct place *p = *state;
    struct proc_output output;
    struct proc_start start = start_of(ACTOR("write", "3000000"));
    start.head_bytes = 10000;
    start.tail_bytes = 80000;
    run(p, &start);
    assert_int_equal(proc_output_size(p->tasks, "bg_1", &output, NULL), 0);
    assert_int_equal(output.size, 3000000);
    assert_true(output.kept >= 90000 && output.kept <= 100000);
    assert_int_equal(output.kept + output.dropped, output.size);
    char bytes[20000];
    uint64_t offset = 0;
    assert_int_equal(proc_output_read(p->tasks, "bg_1", &offset, bytes, sizeof bytes, NULL), 10000);
}

/* The command's end is not the task's, whose exit code it is: that comes with the last of the tree. */
static void test_wait_tree(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(SHELL("(sleep 0.3; echo last) & exit 6"));
    start.wait_tree = true;
    struct proc_exit exit = run(p, &start);
    assert_int_equal(exit.exit_code, 6);
    assert_int_equal(exit.killed, 0);
    assert_true(exit.ended_at_ms - exit.started_at_ms + 1 >= 300);
    assert_string_equal(output_of(p, "bg_1"), "last\n");
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);

    start = start_of(ACTOR("daemon", "ignore", "15", "pause", "end", "say", "up", "exit", "6"));
    start.wait_tree = true;
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    int fd = connect_and_watch(p, "bg_1");
    assert_int_equal(proc_cancel(fd, SIGTERM, 50, "user", "enough", NULL), 0);
    await_news(fd, PROC_NEWS_ENDED);
    close(fd);
    exit = end_of(p, "bg_1");
    assert_true(exit.cancelled);
    assert_string_equal(exit.ended_by, "user");
    assert_int_equal(survivors(), 0);
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);

    start.timeout_ms = 50;
    start.grace_ms = 10;
    exit = run(p, &start);
    assert_string_equal(exit.ended_by, "deadline");
    assert_int_equal(survivors(), 0);
}

static void test_sandbox(void **state)
{
    struct place *p = *state;
    char script[256], out[128];
    const char *writable[] = {p->path, NULL};
    const struct proc_sandbox sandbox = {.writable = writable, .no_network = true};
    snprintf(script, sizeof script, "touch /usr/no 2>/dev/null && echo bad; ls /tmp | wc -l; echo hi >%s/said; exit 4", p->path);
    struct proc_start start = start_of(SHELL(script));
    start.sandbox = &sandbox;
    if (access("/usr/bin/bwrap", X_OK) != 0)
        skip();
    assert_int_equal(run(p, &start).exit_code, 4);
    assert_string_equal(output_of(p, "bg_1"), "1\n"); /* /tmp has only what is bound into it */
    snprintf(out, sizeof out, "%s/said", p->path);
    assert_int_equal(unlink(out), 0);
}

static void test_no_sandbox_without_bubblewrap(void **state)
{
    const struct proc_sandbox sandbox = {0};
    struct proc_start start = start_of(ACTOR("exit", "0"));
    rouse_error err = {0};
    start.sandbox = &sandbox;
    start.env = (const char *const[]){"PATH=/nowhere", NULL};
    assert_int_equal(start_task(*state, "bg_1", &start, NULL, &err), ROUSE_ENOTFOUND);
    assert_non_null(strstr(err.message, "install the package bubblewrap"));
    assert_non_null(strstr(err.message, "bubblewrap"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_limits), TEST(test_a_limit_is_hit), TEST(test_bad_limits), TEST(test_caps),
        TEST(test_wait_tree), TEST(test_sandbox), TEST(test_no_sandbox_without_bubblewrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
