/* The table of README.md, one test for each row, named after its columns: spec, lock, exit. What the row in the store says is
 * the task room's; here it is what the three columns of the directory come to. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "proc/record.h"
#include "support.h"

/* bg_1 with what is asked for; the lock is held as long as *ret_lock is open. */
static void make(struct place *p, bool spec, bool exit, int *ret_lock)
{
    int dir;
    char text[LIMIT_EXIT_RECORD];
    assert_int_equal(proc_create(p->tasks, "bg_1", &dir, ret_lock, NULL), 0);
    if (spec)
        assert_int_equal(fd_write_file(dir, "spec.json", "{}\n", 3, false, NULL), 0);
    if (exit) {
        struct record record = {.exit = {.exit_code = 7, .ended_by = "self"}};
        size_t n = record_compose(&record, text);
        assert_int_equal(fd_write_file(dir, "exit", text, n, false, NULL), 0);
    }
    close(dir);
}

static void look(struct place *p, bool spec, bool held, bool exit, enum proc_state state)
{
    int lock;
    make(p, spec, exit, &lock);
    if (!held)
        close(lock);
    assert_int_equal(probe(p, "bg_1"), state);
    if (held)
        close(lock);
}

#define ROW(name, spec, held, exit, state) \
    static void name(void **place)         \
    {                                      \
        look(*place, spec, held, exit, state); \
    }
ROW(no_spec_free_no_exit__lost, false, false, false, PROC_LOST)
ROW(no_spec_held_no_exit__alive, false, true, false, PROC_ALIVE)
ROW(spec_held_no_exit__alive, true, true, false, PROC_ALIVE)
ROW(spec_held_exit__ended, true, true, true, PROC_ENDED)
ROW(spec_free_exit__ended, true, false, true, PROC_ENDED)
ROW(spec_free_no_exit__lost, true, false, false, PROC_LOST)

static void nothing__gone(void **state)
{
    assert_int_equal(probe(*state, "bg_1"), PROC_GONE);
}

/* The supervisor makes the record of its lock, so both are there together only where an older one wrote them. */
static void no_lock_exit__ended(void **state)
{
    struct place *p = *state;
    int lock;
    make(p, true, true, &lock);
    close(lock);
    assert_int_equal(unlinkat(p->tasks, "bg_1/lock", 0), 0);
    assert_int_equal(probe(p, "bg_1"), PROC_ENDED);
}

static void no_lock_no_exit__lost(void **state)
{
    struct place *p = *state;
    int lock;
    make(p, true, false, &lock);
    assert_int_equal(unlinkat(p->tasks, "bg_1/lock", 0), 0);
    assert_int_equal(probe(p, "bg_1"), PROC_LOST);
    close(lock);
}

/* A directory that is removed under a running task: it is gone for everybody, and its supervisor ends with its command. */
static void removed_under_a_running_task__gone(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(ACTOR("say", "up", "pause"));
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    int fd = connect_and_watch(p, "bg_1");
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    assert_int_equal(probe(p, "bg_1"), PROC_GONE);
    assert_int_equal(proc_cancel(fd, SIGKILL, 0, "user", "", NULL), 0);
    await_news(fd, PROC_NEWS_HANGUP);
    close(fd);
    settle();
    assert_int_equal(survivors(), 0);
}

/* After a reboot nobody is looked for, nobody signalled, even where the token is found. */
static void another_boot__nobody_is_signalled(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(ACTOR("pause"));
    uint64_t killed = 99;
    char boot[PROC_BOOT_SIZE];
    pid_t command;
    assert_int_equal(start_task(p, "bg_1", &start, &command, NULL), 0);
    assert_int_equal(proc_sweep(test_token, "00000000-0000-0000-0000-000000000000", &killed, NULL), 0);
    assert_int_equal(killed, 0);
    assert_int_equal(survivors() > 0, 1);
    assert_int_equal(kill(parent_of(command), SIGKILL), 0);
    settle();
    assert_int_equal(proc_boot(boot, NULL), 0);
    assert_int_equal(strlen(boot), PROC_BOOT_SIZE - 1);
    assert_int_equal(proc_sweep(test_token, boot, &killed, NULL), 0);
    assert_int_equal(killed, 0);
}

/* A pid proves nothing: a stranger whose number stands in the files is neither taken for the task nor touched. */
static void forged_pid__a_stranger_is_not_hit(void **state)
{
    struct place *p = *state;
    uint64_t killed = 99;
    int lock;
    char pid[24];
    pid_t stranger = fork();
    if (stranger == 0) {
        pause();
        _exit(0);
    }
    make(p, true, false, &lock);
    snprintf(pid, sizeof pid, "%d\n", (int)stranger);
    assert_true(write(lock, pid, strlen(pid)) > 0);
    close(lock);
    assert_int_equal(probe(p, "bg_1"), PROC_LOST);
    assert_int_equal(proc_sweep(test_token, NULL, &killed, NULL), 0);
    assert_int_equal(killed, 0);
    assert_int_equal(kill(stranger, 0), 0);
    kill(stranger, SIGKILL);
    settle();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(no_spec_free_no_exit__lost),
        TEST(no_spec_held_no_exit__alive),
        TEST(spec_held_no_exit__alive),
        TEST(spec_held_exit__ended),
        TEST(spec_free_exit__ended),
        TEST(spec_free_no_exit__lost),
        TEST(nothing__gone),
        TEST(no_lock_exit__ended),
        TEST(no_lock_no_exit__lost),
        TEST(removed_under_a_running_task__gone),
        TEST(another_boot__nobody_is_signalled),
        TEST(forged_pid__a_stranger_is_not_hit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
