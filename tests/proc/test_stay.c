/* Supervisors that stay for the next task: it must find nothing of the last one, and nobody may be kept by a starter that is gone. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "support.h"

#define PATIENCE_MS 60000

static int line = -1; /* one that a failed test left open would keep its supervisor, for which the teardown waits */

static int teardown(void **state)
{
    fd_close(&line);
    return place_teardown(state);
}
#define TASK_VARIABLES "PATH=/usr/bin:/bin", "ROUSE_TASK=somebody else"

static pid_t supervisor_of_pause(struct place *p, const char *id)
{
    struct proc_start start = start_of(ACTOR("pause"));
    pid_t command;
    start.line = &line;
    assert_int_equal(start_task(p, id, &start, &command, NULL), 0);
    return parent_of(command);
}

/* Kills a command that stays once the news has come, or at once. Told to stay, its supervisor must be so before nobody listens any
 * more: then it goes. */
static void end_after(struct place *p, const char *id, enum proc_news news, bool stays)
{
    int fd = connect_and_watch(p, id);
    if (news != PROC_NEWS_NONE)
        await_news(fd, news);
    assert_int_equal(proc_cancel(fd, SIGKILL, 0, "user", "", NULL), 0);
    await_news(fd, PROC_NEWS_ENDED);
    assert_int_equal(probe(p, id), PROC_ENDED);
    if (stays)
        assert_true(proc_stay(line));
    close(fd);
}

static void end_pause(struct place *p, const char *id)
{
    end_after(p, id, PROC_NEWS_NONE, false);
}

static void await_free(void)
{
    assert_int_equal(proc_is_free(line, PATIENCE_MS), 1);
}

/* Starts a command that stays over the line, ends it when it is ready, and waits for the supervisor to be free. */
static void run_over(struct place *p, const char *id, const struct proc_start *asked)
{
    struct proc_start start = *asked;
    rouse_error err = {0};
    start.line = &line;
    if (start_task(p, id, &start, NULL, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(line >= 0);
    end_after(p, id, start.ready_when ? PROC_NEWS_READY : PROC_NEWS_NONE, true);
    await_free();
}

static pid_t free_one(struct place *p)
{
    pid_t supervisor = supervisor_of_pause(p, "bg_1");
    end_after(p, "bg_1", PROC_NEWS_NONE, true);
    await_free();
    return supervisor;
}

static void test_the_same_supervisor(void **state)
{
    struct place *p = *state;
    pid_t first = free_one(p);
    assert_int_equal(supervisor_of_pause(p, "bg_2"), first);
    assert_int_equal(probe(p, "bg_1"), PROC_ENDED);
    assert_int_equal(probe(p, "bg_2"), PROC_ALIVE);
    end_pause(p, "bg_2");
    fd_close(&line);
    assert_string_equal(end_of(p, "bg_2").ended_by, "user");
}

/* As test_start's command of a caller with much to inherit: not a trace of the task before. */
static void test_the_next_command_is_set_up_as_any(void **state)
{
    static const char *const env[] = {TASK_VARIABLES, "LAST=1", NULL};
    struct place *p = *state;
    struct proc_start last = start_of(ACTOR("say", "up", "pause"));
    last.env = env;
    last.cwd = "/";
    last.nice = 3;
    last.has_umask = true;
    last.umask = 0;
    last.files = 50;
    last.input = PROC_INPUT_PIPE;
    last.ready_when = "^up";
    last.timeout_ms = 3600000;
    run_over(p, "bg_1", &last);
    struct proc_start next = start_of(ACTOR("fds", "signals", "cwd", "umask", "stdin", "env", "ROUSE_TASK", "env", "LAST", "env",
                                            "ROUSE_TASK_TOKEN", "pause"));
    mode_t mask = umask(022);
    umask(mask);
    next.session = true;
    next.ready_when = "^[0-9a-f]{32}$";
    assert_int_equal(chdir(p->path), 0);
    run_over(p, "bg_23", &next);
    assert_int_equal(chdir("/"), 0);
    char expected[256];
    snprintf(expected, sizeof expected, "0=/dev/null 1=pipe 2=pipe \n0 changed\n%s\n%03o\n0\nbg_23\n-\n%s\n", p->path, (unsigned)mask,
             test_token);
    assert_string_equal(output_of(p, "bg_23"), expected);
    assert_string_equal(output_of(p, "bg_1"), "up\n");
    fd_close(&line);
    assert_int_equal(end_of(p, "bg_23").signal, SIGKILL);
    assert_int_equal(end_of(p, "bg_1").signal, SIGKILL);
}

static void test_nothing_asked_of_the_last_is_left(void **state)
{
    struct place *p = *state;
    size_t taken;
    struct proc_start last = start_of(ACTOR("say", "up", "pause"));
    last.input = PROC_INPUT_PIPE;
    last.ready_when = "^up";
    last.timeout_ms = 3600000;
    run_over(p, "bg_1", &last);
    assert_true(look_at(p, "bg_1").ready);
    struct proc_start next = start_of(ACTOR("say", "up", "pause"));
    next.line = &line;
    assert_int_equal(start_task(p, "bg_2", &next, NULL, NULL), 0);
    int fd = -1;
    assert_int_equal(proc_connect(p->tasks, "bg_2", &fd, NULL), 0);
    assert_int_equal(proc_write(fd, "x", 1, &taken, NULL), ROUSE_ECONFLICT);
    close(fd);
    end_pause(p, "bg_2");
    fd_close(&line);
    struct proc_exit exit = end_of(p, "bg_2");
    assert_string_equal(exit.ended_by, "user");
    assert_int_equal(exit.killed, 0);
    assert_false(look_at(p, "bg_2").ready);
}

static void test_many_one_after_the_other(void **state)
{
    struct place *p = *state;
    char id[16];
    struct proc_start start = start_of(ACTOR("say", "hello", "pause"));
    start.ready_when = "hello";
    for (int i = 1; i <= 50; i++) {
        snprintf(id, sizeof id, "bg_%d", i);
        run_over(p, id, &start);
        assert_string_equal(output_of(p, id), "hello\n");
    }
    fd_close(&line);
    for (int i = 1; i <= 50; i++) {
        snprintf(id, sizeof id, "bg_%d", i);
        assert_int_equal(end_of(p, id).signal, SIGKILL);
    }
}

/* The lock and the directory are let go: it may begin again in the same place. */
static void test_again_in_the_same_directory(void **state)
{
    struct place *p = *state;
    int dir, lock;
    pid_t command;
    struct proc_start start = start_of(ACTOR("pause"));
    run_over(p, "bg_1", &start);
    start.id = "bg_1";
    start.line = &line;
    assert_int_equal(proc_relock(p->tasks, "bg_1", &dir, &lock, NULL), 0);
    assert_int_equal(proc_clear(dir, "bg_1", NULL), 0);
    assert_int_equal(proc_start(dir, lock, &start, &command, NULL), 0);
    close(lock);
    close(dir);
    end_pause(p, "bg_1");
    fd_close(&line);
    assert_string_equal(end_of(p, "bg_1").ended_by, "user");
}

/* ---- its starter ---- */

static void test_goes_when_the_line_is_closed(void **state)
{
    const struct proc_start start = start_of(ACTOR("pause"));
    run_over(*state, "bg_1", &start);
    fd_close(&line);
    settle();
}

static void test_a_task_goes_on_without_its_starter(void **state)
{
    struct place *p = *state;
    supervisor_of_pause(p, "bg_1");
    fd_close(&line);
    end_pause(p, "bg_1");
    assert_string_equal(end_of(p, "bg_1").ended_by, "user");
}

static void test_goes_when_it_is_not_asked_to_stay(void **state)
{
    struct place *p = *state;
    supervisor_of_pause(p, "bg_1");
    end_pause(p, "bg_1");
    settle();
    assert_int_equal(proc_is_free(line, 0), -1);
    fd_close(&line);
}

/* Said too early, as by one who is late with the attempt before: it is no reason to end, nor to stay. */
static void test_asked_before_the_end(void **state)
{
    struct place *p = *state;
    supervisor_of_pause(p, "bg_1");
    assert_true(proc_stay(line));
    assert_int_equal(proc_is_free(line, 0), 0);
    end_pause(p, "bg_1");
    settle();
    assert_int_equal(proc_is_free(line, 0), -1);
    fd_close(&line);
}

static void start_instead(struct place *p, const struct proc_start *asked, pid_t before)
{
    struct proc_start start = *asked;
    pid_t command;
    start.line = &line;
    assert_int_equal(start_task(p, "bg_2", &start, &command, NULL), 0);
    assert_int_not_equal(parent_of(command), before);
    end_pause(p, "bg_2");
    fd_close(&line);
    assert_string_equal(end_of(p, "bg_2").ended_by, "user");
}

static void test_a_new_one_for_one_that_was_killed(void **state)
{
    struct place *p = *state;
    pid_t supervisor = free_one(p);
    kill(supervisor, SIGKILL);
    assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
    const struct proc_start start = start_of(ACTOR("pause"));
    start_instead(p, &start, supervisor);
}

static void test_a_new_one_for_what_is_too_large(void **state)
{
    struct place *p = *state;
    pid_t supervisor = free_one(p);
    static char large[LIMIT_NEXT];
    memset(large, 'x', sizeof large - 1);
    const struct proc_start start = start_of(ACTOR("pause", large));
    start_instead(p, &start, supervisor);
}

static void test_a_new_one_for_too_many_words(void **state)
{
    struct place *p = *state;
    pid_t supervisor = free_one(p);
    static const char *words[LIMIT_NEXT_WORDS + 3];
    words[0] = getenv("ROUSE_TEST_ACTOR");
    words[1] = "pause";
    for (size_t i = 2; i < LIMIT_NEXT_WORDS + 2; i++)
        words[i] = "";
    const struct proc_start start = start_of(words);
    start_instead(p, &start, supervisor);
}

/* A starter that died with its task given away: nothing is begun, the lock is let go, and so the task is lost. */
static void test_nothing_is_begun_for_a_starter_that_is_gone(void **state)
{
    struct place *p = *state;
    int status;
    pid_t supervisor = free_one(p);
    kill(supervisor, SIGSTOP);
    assert_int_equal(waitpid(supervisor, &status, WUNTRACED), supervisor);
    pid_t starter = fork();
    if (starter == 0) {
        struct proc_start start = start_of(ACTOR("say", "begun"));
        start.line = &line;
        start_task(p, "bg_2", &start, NULL, NULL); /* waits for a word of the one that is stopped */
        _exit(1);
    }
    fd_close(&line);
    while (probe(p, "bg_2") != PROC_ALIVE)
        poll(NULL, 0, 1);
    poll(NULL, 0, 100); /* by then it has given its task away; earlier would test the same, only less */
    kill(starter, SIGKILL);
    assert_int_equal(waitpid(starter, NULL, 0), starter);
    kill(supervisor, SIGCONT);
    settle();
    assert_int_equal(probe(p, "bg_2"), PROC_LOST);
    assert_int_equal(look_at(p, "bg_2").output.size, 0);
}

/* ---- sweeping ---- */

/* Found by the token of its own task only: one that has stayed is nobody's survivor. */
static void test_swept_by_the_token_of_its_task(void **state)
{
    static const char last[] = "0123456789abcdef0123456789abcdef";
    struct place *p = *state;
    int status;
    uint64_t killed;
    struct proc_start start = start_of(ACTOR("pause"));
    start.token = last;
    run_over(p, "bg_1", &start);
    assert_int_equal(survivors(), 0);
    assert_int_equal(proc_sweep(last, NULL, &killed, NULL), 0);
    assert_int_equal(killed, 0);
    pid_t supervisor = supervisor_of_pause(p, "bg_2");
    while (survivors() < 2) /* command and supervisor; in the middle of an exec there is no environment */
        poll(NULL, 0, 1);
    assert_int_equal(proc_sweep(last, NULL, &killed, NULL), 0);
    assert_int_equal(killed, 0);
    char path[64];
    struct buf words = BUF_INIT(0);
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)supervisor);
    assert_int_equal(fd_read_file(AT_FDCWD, path, 65536, &words, NULL), 0);
    assert_non_null(memmem(words.data, words.len, "bg_2", sizeof "bg_2"));
    assert_null(memmem(words.data, words.len, "bg_1", sizeof "bg_1"));
    buf_done(&words);
    assert_int_equal(proc_sweep(test_token, NULL, &killed, NULL), 0);
    assert_true(killed == 1 || killed == 2); /* the command dies with its supervisor, perhaps before it is found */
    assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
    assert_int_equal(probe(p, "bg_2"), PROC_LOST);
    assert_int_equal(proc_is_free(line, 0), -1);
    fd_close(&line);
    settle();
}

/* With another task's supervisor for a child it goes, as any does. */
static void test_goes_with_a_supervisor_below(void **state)
{
    struct place *p = *state;
    char shim[512], actor[512];
    snprintf(shim, sizeof shim, "ROUSE_SHIM=%s", getenv("ROUSE_SHIM"));
    snprintf(actor, sizeof actor, "ROUSE_TEST_ACTOR=%s", getenv("ROUSE_TEST_ACTOR"));
    struct proc_start start = start_of((const char *const[]){getenv("ROUSE_TEST_NEST"), p->path, NULL});
    start.env = (const char *const[]){shim, actor, NULL};
    start.ready_when = "^up";
    start.line = &line;
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    end_after(p, "bg_1", PROC_NEWS_READY, true);
    assert_int_equal(proc_is_free(line, PATIENCE_MS), -1);
    fd_close(&line);
    assert_int_equal(probe(p, "bg_2"), PROC_ALIVE);
    end_pause(p, "bg_2");
    assert_string_equal(end_of(p, "bg_2").ended_by, "user");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_same_supervisor),
        TEST(test_the_next_command_is_set_up_as_any),
        TEST(test_nothing_asked_of_the_last_is_left),
        TEST(test_many_one_after_the_other),
        TEST(test_again_in_the_same_directory),
        TEST(test_goes_when_the_line_is_closed),
        TEST(test_a_task_goes_on_without_its_starter),
        TEST(test_goes_when_it_is_not_asked_to_stay),
        TEST(test_asked_before_the_end),
        TEST(test_a_new_one_for_one_that_was_killed),
        TEST(test_a_new_one_for_what_is_too_large),
        TEST(test_a_new_one_for_too_many_words),
        TEST(test_nothing_is_begun_for_a_starter_that_is_gone),
        TEST(test_swept_by_the_token_of_its_task),
        TEST(test_goes_with_a_supervisor_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
