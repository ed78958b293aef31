/* stdin: a pipe or a terminal, what is held when nobody reads, and a command that waits for it. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "support.h"

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static int start_with(struct place *p, const char *const *argv, enum proc_input input)
{
    int fd = -1;
    struct proc_start start = start_of(argv);
    start.input = input;
    start.rows = 33;
    start.columns = 101;
    start.ready_when = "^up$";
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    assert_int_equal(proc_connect(p->tasks, "bg_1", &fd, NULL), 0);
    return fd;
}

static size_t give(int fd, const char *text)
{
    size_t taken = 0;
    rouse_error err = {0};
    if (proc_write(fd, text, strlen(text), &taken, &err) < 0)
        fail_msg("%s", err.message);
    return taken;
}

static struct proc_exit end_it(struct place *p, int fd)
{
    await_news(fd, PROC_NEWS_HANGUP);
    close(fd);
    return end_of(p, "bg_1");
}

static void test_write_and_end(void **state)
{
    struct place *p = *state;
    int fd = start_with(p, SHELL("cat; echo done"), PROC_INPUT_PIPE);
    assert_int_equal(give(fd, "one\n"), 4);
    assert_int_equal(give(fd, ""), 0);
    assert_int_equal(give(fd, "two"), 3);
    assert_int_equal(proc_write_eof(fd, NULL), 0);
    assert_int_equal(end_it(p, fd).exit_code, 0);
    assert_string_equal(output_of(p, "bg_1"), "one\ntwodone\n");
}

/* Any process may write to a task that another one started; two do not cut each other's messages. */
static void test_two_writers(void **state)
{
    struct place *p = *state;
    int second, first = start_with(p, SHELL("cat"), PROC_INPUT_PIPE);
    assert_int_equal(proc_connect(p->tasks, "bg_1", &second, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(first, "aaaa\n"), 5);
        assert_int_equal(give(second, "bbbb\n"), 5);
    }
    assert_int_equal(proc_write_eof(first, NULL), 0);
    size_t taken = 99;
    rouse_error err;
    int code = proc_write(second, "c", 1, &taken, &err);
    assert_true(code == ROUSE_ECONFLICT || code == ROUSE_EREMOTE); /* ended, or gone with its command */
    assert_int_equal(taken, 99);
    close(second);
    assert_int_equal(end_it(p, first).exit_code, 0);
    assert_string_equal(output_of(p, "bg_1"), "aaaa\nbbbb\naaaa\nbbbb\naaaa\nbbbb\n");
}

/* A command that does not read holds nobody up: what is held has a bound, and who was refused hears when there is room. */
static void test_a_slow_reader(void **state)
{
    struct place *p = *state;
    static char much[LIMIT_INPUT * 4];
    size_t taken = 0, all;
    memset(much, 'x', sizeof much);
    char go[sizeof p->path + 3];
    snprintf(go, sizeof go, "%s/go", p->path);
    assert_int_equal(mkfifo(go, 0600), 0);
    int fd = start_with(p, (const char *const[]){"/bin/sh", "-c", "echo up; read x < \"$0\"; exec wc -c", go, NULL},
                        PROC_INPUT_PIPE);
    int watcher = connect_and_watch(p, "bg_1");
    await_news(watcher, PROC_NEWS_READY);
    assert_int_equal(proc_write(fd, much, sizeof much, &taken, NULL), 0);
    assert_true(taken >= LIMIT_INPUT && taken < sizeof much);
    all = taken;
    assert_int_equal(proc_write(fd, much, 1, &taken, NULL), 0);
    assert_int_equal(taken, 0);
    close(open(go, O_WRONLY | O_CLOEXEC)); /* it reads from now on */
    await_news(fd, PROC_NEWS_ROOM);
    assert_int_equal(give(fd, "yz"), 2);
    assert_int_equal(proc_write_eof(fd, NULL), 0);
    await_news(watcher, PROC_NEWS_ENDED);
    close(watcher);
    end_it(p, fd);
    char expected[64];
    snprintf(expected, sizeof expected, "%zu\n", all + 2);
    assert_non_null(strstr(output_of(p, "bg_1"), expected));
}

/* Who was refused a part hears of room however soon there is some again. */
static void test_a_quick_reader(void **state)
{
    struct place *p = *state;
    static char much[LIMIT_INPUT * 4];
    size_t all = 0;
    memset(much, 'x', sizeof much);
    int fd = start_with(p, SHELL("exec wc -c"), PROC_INPUT_PIPE);
    for (size_t taken; all < 20 * sizeof much; all += taken) {
        assert_int_equal(proc_write(fd, much, sizeof much, &taken, NULL), 0);
        if (taken < sizeof much)
            await_news(fd, PROC_NEWS_ROOM);
    }
    assert_int_equal(proc_write_eof(fd, NULL), 0);
    char expected[64];
    assert_int_equal(end_it(p, fd).exit_code, 0);
    snprintf(expected, sizeof expected, "%zu\n", all);
    assert_string_equal(output_of(p, "bg_1"), expected);
}

static void test_no_input(void **state)
{
    struct place *p = *state;
    size_t taken = 99;
    rouse_error err;
    int fd = start_with(p, ACTOR("pause"), PROC_INPUT_NONE);
    assert_int_equal(proc_write(fd, "x", 1, &taken, &err), ROUSE_ECONFLICT);
    assert_int_equal(taken, 99);
    assert_int_equal(proc_write_eof(fd, &err), ROUSE_ECONFLICT);
    assert_int_equal(proc_resize(fd, 10, 10, &err), ROUSE_ECONFLICT);
    assert_int_equal(proc_resize(fd, 0, 10, &err), ROUSE_EINVAL);
    assert_int_equal(proc_cancel(fd, SIGKILL, 0, "user", "", NULL), 0);
    end_it(p, fd);
    assert_false(look_at(p, "bg_1").waiting);
}

/* A reader that has gone is no reason to end, or to spin. */
static void test_a_reader_that_closes(void **state)
{
    struct place *p = *state;
    size_t taken;
    rouse_error err;
    struct proc_start start = start_of(SHELL("exec <&-; echo closed; exec sleep 1000"));
    start.input = PROC_INPUT_PIPE;
    start.ready_when = "closed";
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    int watcher = connect_and_watch(p, "bg_1"), fd;
    await_news(watcher, PROC_NEWS_READY);
    assert_int_equal(proc_connect(p->tasks, "bg_1", &fd, NULL), 0);
    assert_int_equal(proc_write(fd, "x", 1, &taken, &err), 0);
    assert_int_equal(proc_write(fd, "x", 1, &taken, &err), ROUSE_ECONFLICT);
    close(fd);
    assert_int_equal(proc_cancel(watcher, SIGTERM, 600000, "user", "", NULL), 0);
    await_news(watcher, PROC_NEWS_ENDED);
    close(watcher);
    assert_int_equal(end_of(p, "bg_1").signal, SIGTERM);
}

/* Waiting is news, is seen by readers, and ends with what is written. */
static void check_waiting(struct place *p, const char *const *argv, enum proc_input input)
{
    int fd = start_with(p, argv, input);
    int watcher = connect_and_watch(p, "bg_1");
    await_news(watcher, PROC_NEWS_WAITING);
    assert_true(look_at(p, "bg_1").waiting);
    int late = connect_and_watch(p, "bg_1");
    await_news(late, PROC_NEWS_WAITING);
    close(late);
    assert_int_equal(give(fd, "me\n"), 3);
    await_news(watcher, PROC_NEWS_RESUMED);
    await_news(watcher, PROC_NEWS_WAITING); /* for the second line */
    assert_int_equal(give(fd, "you\n"), 4);
    await_news(watcher, PROC_NEWS_ENDED);
    assert_false(look_at(p, "bg_1").waiting);
    close(watcher);
    assert_int_equal(end_it(p, fd).exit_code, 0);
    assert_non_null(strstr(output_of(p, "bg_1"), "got me you"));
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
}

static void test_waiting_for_input(void **state)
{
    static const char script[] = "printf 'name? '; read a; read b; echo got $a $b";
    check_waiting(*state, SHELL(script), PROC_INPUT_PIPE);
    check_waiting(*state, SHELL(script), PROC_INPUT_TTY);
    check_waiting(*state, SHELL("sh -c \"read a; read b; echo got \\$a \\$b\"; true"), PROC_INPUT_PIPE);
    check_waiting(*state,
                  (const char *const[]){"python3", "-c",
                                        "import select\n"
                                        "r = []\n"
                                        "while len(r) < 2:\n"
                                        "    select.select([0], [], [])\n"
                                        "    r.append(input())\n"
                                        "print('got', *r)",
                                        NULL},
                  PROC_INPUT_PIPE);
}

/* Silent, but at work or asleep: nobody is told that it waits. */
static void test_not_waiting(void **state)
{
    struct place *p = *state;
    struct proc_exit exit;
    int fd = start_with(p, SHELL("sleep 0.5; echo up"), PROC_INPUT_PIPE);
    int watcher = connect_and_watch(p, "bg_1");
    struct pollfd ready = {.fd = watcher, .events = POLLIN};
    for (enum proc_news news = PROC_NEWS_NONE; news != PROC_NEWS_ENDED;) {
        assert_true(news != PROC_NEWS_NONE || poll(&ready, 1, 60000) > 0);
        assert_int_equal(proc_read_news(watcher, &news, NULL), 0);
        assert_int_not_equal(news, PROC_NEWS_WAITING);
        assert_int_not_equal(news, PROC_NEWS_HANGUP);
    }
    close(watcher);
    exit = end_it(p, fd);
    assert_int_equal(exit.exit_code, 0);
}

static void test_terminal(void **state)
{
    struct place *p = *state;
    int fd =
        start_with(p, SHELL("test -t 0 && test -t 1 && test -t 2 && stty size </dev/tty; read a; stty size; exit 3"),
                   PROC_INPUT_TTY);
    int watcher = connect_and_watch(p, "bg_1");
    await_news(watcher, PROC_NEWS_WAITING);
    assert_int_equal(proc_resize(fd, 7, 11, NULL), 0);
    assert_int_equal(give(fd, "x\n"), 2);
    await_news(watcher, PROC_NEWS_ENDED);
    close(watcher);
    assert_int_equal(end_it(p, fd).exit_code, 3);
    assert_string_equal(output_of(p, "bg_1"), "33 101\r\nx\r\n7 11\r\n");
}

/* Control-D ends a reader, control-C interrupts the foreground; and the last words of a terminal are heard. */
static void test_terminal_characters(void **state)
{
    struct place *p = *state;
    int fd = start_with(p, SHELL("cat; trap 'echo caught; exit 5' INT; echo over; while :; do sleep 0.1; done"),
                        PROC_INPUT_TTY);
    int watcher = connect_and_watch(p, "bg_1");
    await_news(watcher, PROC_NEWS_WAITING);
    assert_int_equal(proc_write_eof(fd, NULL), 0);
    await_news(watcher, PROC_NEWS_RESUMED);
    while (!strstr(output_of(p, "bg_1"), "over"))
        continue;
    assert_int_equal(give(fd, "\003"), 1);
    await_news(watcher, PROC_NEWS_ENDED);
    close(watcher);
    assert_int_equal(end_it(p, fd).exit_code, 5);
    assert_non_null(strstr(output_of(p, "bg_1"), "caught\r\n"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_end),     TEST(test_two_writers), TEST(test_a_slow_reader),
        TEST(test_a_quick_reader),    TEST(test_no_input),    TEST(test_a_reader_that_closes),
        TEST(test_not_waiting),       TEST(test_terminal),    TEST(test_terminal_characters),
        TEST(test_waiting_for_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
