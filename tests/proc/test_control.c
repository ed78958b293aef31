/* Who hears of an ending, and who takes it in: a watcher that says so, else the reaper. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "support.h"

#define REAPED "reaped bg_1: 0 descriptors, 0 blocked, no token\n"

static char *said_path(const struct place *p)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/said", p->path);
    return path;
}

/* Starts a command that stays, with a reaper; a connection that watches. */
static void start_staying(struct place *p, const char *bell)
{
    const char *const reaper[] = {getenv("ROUSE_TEST_REAPER"), said_path(p), "bg_1", NULL};
    struct proc_start start = start_of(ACTOR("say", "up", "pause"));
    start.reaper = reaper;
    start.bell = bell;
    start.ready_when = "up";
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
}

static void ask_end(int fd)
{
    assert_int_equal(proc_cancel(fd, SIGKILL, 0, "user", "", NULL), 0);
}

static int connect_only(struct place *p)
{
    int fd = -1;
    assert_int_equal(proc_connect(p->tasks, "bg_1", &fd, NULL), 0);
    return fd;
}

static void assert_reaped(struct place *p, const char *text)
{
    struct buf said = BUF_INIT(0);
    settle();
    int code = fd_read_file(p->tasks, "said", 1000, &said, NULL);
    assert_int_equal(code, text ? 0 : ROUSE_ENOTFOUND);
    assert_string_equal(buf_text(&said), text ? text : "");
    buf_done(&said);
    unlinkat(p->tasks, "said", 0);
    assert_int_equal(probe(p, "bg_1"), PROC_ENDED);
}

static void test_taken(void **state)
{
    start_staying(*state, NULL);
    int fd = connect_and_watch(*state, "bg_1");
    ask_end(fd);
    await_news(fd, PROC_NEWS_ENDED);
    assert_int_equal(probe(*state, "bg_1"), PROC_ENDED);
    assert_int_equal(proc_taken(fd, NULL), 0);
    await_news(fd, PROC_NEWS_HANGUP);
    close(fd);
    assert_reaped(*state, NULL);
}

/* Who takes the ending in without having listened says so on the record: no reaper then. */
static void test_settled_by_one_who_did_not_listen(void **state)
{
    struct place *p = *state;
    const char *const reaper[] = {getenv("ROUSE_TEST_REAPER"), said_path(p), "bg_1", NULL};
    struct proc_start start = start_of(ACTOR("exit", "0"));
    start.reaper = reaper;
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    while (probe(p, "bg_1") != PROC_ENDED)
        continue;
    proc_settle(p->tasks, "bg_1");
    assert_reaped(p, NULL);
}

static void test_nobody_watches(void **state)
{
    start_staying(*state, NULL);
    int fd = connect_only(*state);
    ask_end(fd); /* asks, and is told, but promises nothing */
    await_news(fd, PROC_NEWS_ENDED);
    close(fd);
    assert_reaped(*state, REAPED);
}

static void test_one_of_two_watchers(void **state)
{
    start_staying(*state, NULL);
    int first = connect_and_watch(*state, "bg_1"), second = connect_and_watch(*state, "bg_1");
    ask_end(first);
    await_news(first, PROC_NEWS_ENDED);
    await_news(second, PROC_NEWS_ENDED);
    close(first);
    assert_int_equal(proc_taken(second, NULL), 0);
    await_news(second, PROC_NEWS_HANGUP);
    close(second);
    assert_reaped(*state, NULL);
}

/* A watcher that is killed between the news and the word. */
static void test_watcher_killed(void **state)
{
    struct place *p = *state;
    start_staying(p, NULL);
    pid_t watcher = fork();
    if (watcher == 0) {
        int fd = connect_and_watch(p, "bg_1");
        ask_end(fd);
        await_news(fd, PROC_NEWS_ENDED);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(watcher, NULL, 0), watcher);
    assert_reaped(p, REAPED);
}

/* A watcher that hangs holds the ending back, but not for ever. */
static void test_watcher_hangs(void **state)
{
    start_staying(*state, NULL);
    int fd = connect_and_watch(*state, "bg_1");
    ask_end(fd);
    assert_reaped(*state, REAPED);
    await_news(fd, PROC_NEWS_ENDED);
    close(fd);
}

/* Who comes late is told what has happened already. */
static void test_late_watchers(void **state)
{
    start_staying(*state, NULL);
    int first = connect_and_watch(*state, "bg_1");
    await_news(first, PROC_NEWS_READY);
    assert_true(look_at(*state, "bg_1").ready);
    int second = connect_and_watch(*state, "bg_1");
    await_news(second, PROC_NEWS_READY);
    ask_end(first);
    await_news(first, PROC_NEWS_ENDED);
    int third = connect_and_watch(*state, "bg_1");
    await_news(third, PROC_NEWS_READY);
    await_news(third, PROC_NEWS_ENDED);
    assert_int_equal(proc_taken(third, NULL), 0);
    close(first);
    close(second);
    close(third);
    assert_reaped(*state, NULL);
}

static void test_a_reaper_that_cannot_run(void **state)
{
    struct proc_start start = start_of(ACTOR("exit", "5"));
    start.reaper = (const char *const[]){"/no/such/reaper", NULL};
    assert_int_equal(start_task(*state, "bg_1", &start, NULL, NULL), 0);
    assert_int_equal(end_of(*state, "bg_1").exit_code, 5);
}

static void test_more_listeners_than_there_are_places(void **state)
{
    int fds[LIMIT_LISTENERS + 3];
    start_staying(*state, NULL);
    for (int i = 0; i < LIMIT_LISTENERS + 3; i++)
        fds[i] = i < LIMIT_LISTENERS ? connect_and_watch(*state, "bg_1") : connect_only(*state);
    for (int i = 0; i < LIMIT_LISTENERS + 3; i++)
        await_news(fds[i], i < LIMIT_LISTENERS ? PROC_NEWS_READY : PROC_NEWS_HANGUP);
    close(fds[7]); /* and a place that is given up can be had */
    ask_end(fds[0]);
    await_news(fds[0], PROC_NEWS_ENDED);
    int late = connect_and_watch(*state, "bg_1");
    await_news(late, PROC_NEWS_ENDED);
    proc_taken(fds[1], NULL);
    close(late);
    for (int i = 0; i < LIMIT_LISTENERS + 3; i++) {
        if (i != 7)
            close(fds[i]);
    }
    assert_reaped(*state, NULL);
}

/* With few descriptors there are few places, and the supervisor still does its work. */
static void test_few_descriptors(void **state)
{
    struct rlimit old, few;
    int fds[20];
    getrlimit(RLIMIT_NOFILE, &old);
    few = (struct rlimit){.rlim_cur = 26, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    start_staying(*state, NULL);
    setrlimit(RLIMIT_NOFILE, &old);
    for (int i = 0; i < 20; i++)
        fds[i] = connect_only(*state);
    await_news(fds[19], PROC_NEWS_HANGUP);
    assert_int_equal(proc_watch(fds[0], NULL), 0);
    ask_end(fds[0]);
    await_news(fds[0], PROC_NEWS_ENDED);
    proc_taken(fds[0], NULL);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    assert_reaped(*state, NULL);
}

/* The bell is rung when the pattern matches and when the record is there. */
static void test_bell(void **state)
{
    struct place *p = *state;
    char path[128];
    struct inotify_event event;
    snprintf(path, sizeof path, "%s/bell", p->path);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    int bell = inotify_init1(IN_CLOEXEC);
    assert_true(inotify_add_watch(bell, path, IN_ATTRIB) >= 0);
    start_staying(p, path);
    assert_int_equal(read(bell, &event, sizeof event), sizeof event);
    assert_true(look_at(p, "bg_1").ready);
    int fd = connect_and_watch(p, "bg_1");
    ask_end(fd);
    assert_int_equal(read(bell, &event, sizeof event), sizeof event);
    assert_int_equal(probe(p, "bg_1"), PROC_ENDED);
    proc_taken(fd, NULL);
    close(fd);
    close(bell);
    settle();
    unlink(path);
}

static void test_connect(void **state)
{
    struct place *p = *state;
    int dir, lock, fd = -7;
    assert_int_equal(proc_connect(p->tasks, "bg_1", &fd, NULL), ROUSE_ENOTFOUND); /* no such task */
    assert_int_equal(proc_create(p->tasks, "bg_1", &dir, &lock, NULL), 0);
    assert_int_equal(proc_connect(p->tasks, "bg_1", &fd, NULL), ROUSE_ENOTFOUND); /* not yet there */
    assert_int_equal(fd, -7);
    close(dir);
    close(lock);
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    struct proc_start start = start_of(ACTOR("exit", "0"));
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    end_of(p, "bg_1");
    assert_int_equal(proc_connect(p->tasks, "bg_1", &fd, NULL), ROUSE_ENOTFOUND); /* ended */
}

static void test_a_deep_path(void **state)
{
    struct place *p = *state;
    char name[201], path[600];
    memset(name, 'd', 200);
    name[200] = '\0';
    snprintf(path, sizeof path, "%s/%s", p->path, name);
    assert_int_equal(mkdir(path, 0700), 0);
    struct place deep = {.tasks = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    start_staying(&deep, NULL);
    int fd = connect_and_watch(&deep, "bg_1");
    ask_end(fd);
    await_news(fd, PROC_NEWS_ENDED);
    proc_taken(fd, NULL);
    close(fd);
    end_of(&deep, "bg_1");
    assert_int_equal(proc_remove(deep.tasks, "bg_1", NULL), 0);
    close(deep.tasks);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_settled_by_one_who_did_not_listen), TEST(test_taken),
        TEST(test_nobody_watches),
        TEST(test_one_of_two_watchers),
        TEST(test_watcher_killed),
        TEST(test_watcher_hangs),
        TEST(test_late_watchers),
        TEST(test_a_reaper_that_cannot_run),
        TEST(test_more_listeners_than_there_are_places),
        TEST(test_few_descriptors),
        TEST(test_bell),
        TEST(test_connect),
        TEST(test_a_deep_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
