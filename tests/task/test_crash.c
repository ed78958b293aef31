/* kill -9 at every written-down step of starting and ending a task. Whatever was killed, afterwards there is exactly one
 * terminal record, exactly one event, and the true exit status where anybody could know it. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/scene.h"
#include "task/manager.h"

static enum manager_step deadly_step;

static void die_at(enum manager_step step)
{
    if (step == deadly_step)
        raise(SIGKILL);
}

/* Runs act in a process of its own, with a handle of its own, that is killed at the step. */
static void in_doomed_process(struct scene *s, enum manager_step step, void (*act)(struct scene *s, const char *argument),
                              const char *argument)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct scene own = *s;
        scene_open(&own);
        deadly_step = step;
        own.manager->at_step = die_at;
        act(&own, argument);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void act_start(struct scene *s, const char *line)
{
    rouse_task_free(scene_start(s, NULL, line));
}

/* Lets the command go on to its end, and is there when it comes. */
static void act_wait(struct scene *s, const char *fifo)
{
    char line[16];
    scene_hear(fifo, line, sizeof line);
    rouse_task_free(scene_wait(s, "bg_0"));
}

static size_t count_tasks(struct scene *s)
{
    rouse_task_list *list = NULL;
    assert_int_equal(rouse_task_list_get(s->manager, NULL, &list, NULL), 0);
    size_t n = rouse_task_list_count(list);
    rouse_task_list_free(list);
    return n;
}

/* ---- the starting process dies ---- */

static void start_killed_before_the_row(enum manager_step step)
{
    struct scene s;
    scene_init(&s);
    scene_close(&s);
    in_doomed_process(&s, step, act_start, "exit 7");
    scene_open(&s);
    assert_int_equal(count_tasks(&s), 0);
    rouse_task *task = scene_start(&s, NULL, "exit 3"); /* what the dead one left is in nobody's way */
    rouse_task *ended = scene_wait(&s, task->task_id);
    assert_int_equal(ended->ext.exit_code, 3);
    rouse_task_free(ended);
    rouse_task_free(scene_check_ended(&s, task->task_id, ROUSE_FAILED));
    rouse_task_free(task);
    scene_done(&s);
}

static void test_start_killed_after_directory(void **state)
{
    (void)state;
    start_killed_before_the_row(STEP_DIRECTORY);
}

static void test_start_killed_after_spec(void **state)
{
    (void)state;
    start_killed_before_the_row(STEP_SPEC);
}

static void defect_31_the_row_is_there_before_it_runs(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    scene_close(&s);
    in_doomed_process(&s, STEP_ROW, act_start, "exit 7");
    scene_open(&s);
    rouse_task *task = scene_check_ended(&s, "bg_0", ROUSE_FAILED);
    assert_string_equal(task->error, TASK_ORPHAN_TEXT);
    assert_string_equal(task->ext.ended_by, "runtime");
    assert_int_equal(task->ext.exit_code, -1);
    rouse_task_free(task);
    assert_int_equal(scene_processes(&s), 0);
    scene_done(&s);
}

static void start_killed_under_a_supervisor(bool nobody_reaps)
{
    struct scene s;
    scene_init(&s);
    scene_close(&s);
    s.nobody_reaps = nobody_reaps;
    in_doomed_process(&s, STEP_SUPERVISOR, act_start, "exit 7");
    scene_open(&s);
    rouse_task_free(scene_wait(&s, "bg_0"));
    rouse_task *task = scene_check_ended(&s, "bg_0", ROUSE_FAILED);
    assert_int_equal(task->ext.exit_code, 7);
    assert_string_equal(task->ext.ended_by, "self");
    rouse_task_free(task);
    scene_done(&s);
}

static void test_start_killed_after_supervisor(void **state)
{
    (void)state;
    start_killed_under_a_supervisor(false);
}

static void test_start_killed_after_supervisor_nobody_reaps(void **state)
{
    (void)state;
    start_killed_under_a_supervisor(true);
}

/* ---- the waiting process dies ---- */

static void wait_killed(enum manager_step step, bool nobody_reaps)
{
    struct scene s;
    scene_init(&s);
    scene_close(&s);
    s.nobody_reaps = nobody_reaps;
    scene_open(&s);
    char *go = scene_fifo(&s, "go");
    char line[200];
    snprintf(line, sizeof line, "echo >%s; exit 5", go);
    rouse_task *task = scene_start(&s, NULL, line);
    scene_close(&s);
    in_doomed_process(&s, step, act_wait, go);
    scene_open(&s);
    rouse_task_free(scene_wait(&s, task->task_id));
    rouse_task *ended = scene_check_ended(&s, task->task_id, ROUSE_FAILED);
    assert_int_equal(ended->ext.exit_code, 5);
    rouse_task_free(ended);
    rouse_task_free(task);
    free(go);
    scene_done(&s);
}

static void defect_14_killed_before_the_commit(void **state)
{
    (void)state;
    wait_killed(STEP_SEEN, true);
}

static void test_wait_killed_before_commit_with_reaper(void **state)
{
    (void)state;
    wait_killed(STEP_SEEN, false);
}

static void test_wait_killed_after_commit(void **state)
{
    (void)state;
    wait_killed(STEP_COMMITTED, true);
}

/* ---- the supervisor, the command ---- */

static void test_supervisor_killed(void **state)
{
    (void)state;
    struct scene s;
    char line[200];
    char word[32];
    scene_init(&s);
    char *told = scene_fifo(&s, "told");
    snprintf(line, sizeof line, "echo $PPID >%s; exec sleep 1000", told);
    rouse_task *task = scene_start(&s, NULL, line);
    scene_hear(told, word, sizeof word);
    assert_int_equal(kill((pid_t)strtol(word, NULL, 10), SIGKILL), 0);
    rouse_task_free(scene_wait(&s, task->task_id));
    rouse_task *ended = scene_check_ended(&s, task->task_id, ROUSE_FAILED);
    assert_string_equal(ended->error, TASK_ORPHAN_TEXT);
    assert_int_equal(scene_processes(&s), 0);
    rouse_task_free(ended);
    rouse_task_free(task);
    free(told);
    scene_done(&s);
}

/* The parent-death signal reaches the command alone: what it had started is found by its token. */
static void test_supervisor_killed_with_a_grandchild(void **state)
{
    (void)state;
    struct scene s;
    char line[200];
    char word[32];
    scene_init(&s);
    char *told = scene_fifo(&s, "told");
    snprintf(line, sizeof line, "sleep 1000 & echo $PPID >%s; exec sleep 1000", told);
    rouse_task *task = scene_start(&s, NULL, line);
    scene_hear(told, word, sizeof word);
    assert_int_equal(kill((pid_t)strtol(word, NULL, 10), SIGKILL), 0);
    rouse_task_free(scene_wait(&s, task->task_id));
    rouse_task_free(scene_check_ended(&s, task->task_id, ROUSE_FAILED));
    assert_int_equal(scene_processes(&s), 0);
    rouse_task_free(task);
    free(told);
    scene_done(&s);
}

static void test_command_killed(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    rouse_task *task = scene_start(&s, NULL, "kill -9 $$");
    rouse_task_free(scene_wait(&s, task->task_id));
    rouse_task *ended = scene_check_ended(&s, task->task_id, ROUSE_FAILED);
    assert_int_equal(ended->ext.signal, SIGKILL);
    assert_int_equal(ended->ext.exit_code, -1);
    assert_string_equal(ended->ext.ended_by, "self");
    rouse_task_free(ended);
    rouse_task_free(task);
    scene_done(&s);
}

/* Two recoveries of one ending make one record and one event. */
static void test_two_recoveries_at_once(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    scene_close(&s);
    in_doomed_process(&s, STEP_ROW, act_start, "exit 7");
    pid_t pids[4];
    for (size_t i = 0; i < 4; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            scene_open(&s);
            _exit(0);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        int status = 1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    scene_open(&s);
    rouse_task_free(scene_check_ended(&s, "bg_0", ROUSE_FAILED));
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_killed_after_directory),
        cmocka_unit_test(test_start_killed_after_spec),
        cmocka_unit_test(defect_31_the_row_is_there_before_it_runs),
        cmocka_unit_test(test_start_killed_after_supervisor),
        cmocka_unit_test(test_start_killed_after_supervisor_nobody_reaps),
        cmocka_unit_test(defect_14_killed_before_the_commit),
        cmocka_unit_test(test_wait_killed_before_commit_with_reaper),
        cmocka_unit_test(test_wait_killed_after_commit),
        cmocka_unit_test(test_supervisor_killed),
        cmocka_unit_test(test_supervisor_killed_with_a_grandchild),
        cmocka_unit_test(test_command_killed),
        cmocka_unit_test(test_two_recoveries_at_once),
    };
    return check_run(tests, NULL, NULL);
}
