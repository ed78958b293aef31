/* Processes that begin later or again: after others, in a queue, another attempt. Real commands under real supervisors. */
#include "support/check.h"
#include "support/scene.h"
#include "rouse/work.h"

static struct scene scene;

static int set_up(void **state)
{
    *state = &scene;
    scene_init(&scene);
    return 0;
}

static int tear_down(void **state)
{
    scene_done(*state);
    return 0;
}

static rouse_task *start(struct scene *s, const char *line, rouse_task_spec spec)
{
    const char *argv[] = {"sh", "-c", line, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", "WORD=kept", NULL};
    rouse_task *task = NULL;
    spec.thread = "t";
    spec.argv = argv;
    spec.env = env;
    assert_works(rouse_task_start(s->manager, &spec, &task, &err));
    return task;
}

/* Dispatches until the task has ended. */
static void drive(struct scene *s, const char *id)
{
    int fd;
    assert_works(rouse_manager_fd(s->manager, &fd, &err));
    for (;;) {
        rouse_task_list *list = NULL;
        const rouse_wait wait = {.ids = &id, .count = 1, .wake_fd = fd, .has_timeout = true, .timeout_ms = 30000};
        int code = rouse_task_wait(s->manager, &wait, &list, NULL);
        rouse_task_list_free(list);
        if (code == 0)
            return;
        assert_int_equal(code, ROUSE_EINTERRUPTED);
        assert_works(rouse_manager_dispatch(s->manager, &err));
    }
}

/* One event tells of the attempt that failed, one of the end. */
static rouse_task *ended_twice(struct scene *s, const char *id, rouse_status status)
{
    rouse_task *task = NULL;
    assert_works(rouse_task_get(s->manager, "t", id, &task, &err));
    if (task->status != status)
        fail_msg("'%s' is %s: %s", id, rouse_status_text(task->status), task->error ? task->error : "");
    assert_int_equal(scene_events(s, NULL, id), 2);
    return task;
}

static void test_retry(void **state)
{
    struct scene *s = *state;
    char line[300];
    snprintf(line, sizeof line, "echo $WORD; test -e %s/second || { : >%s/second; exit 3; }", s->dir, s->dir);
    rouse_task *task = start(s, line, (rouse_task_spec){.retry = {.max_attempts = 3, .backoff_ms = 10}});
    drive(s, task->task_id);
    rouse_task *end = ended_twice(s, task->task_id, ROUSE_COMPLETED);
    assert_int_equal(end->ext.plan->attempt, 2);
    assert_string_equal(end->result, "{\"exit_code\":0,\"output_tail\":\"kept\\n\"}");
    rouse_task_free(end);
    rouse_task_free(task);
}

/* Nobody is there: the reaper of the attempt that failed begins the next one. */
static void test_retry_with_nobody_there(void **state)
{
    struct scene *s = *state;
    char line[400], heard[32];
    char *fifo = scene_fifo(s, "told");
    snprintf(line, sizeof line, "test -e %s/second && { echo again >%s; exit 0; }; : >%s/second; exit 3", s->dir, fifo, s->dir);
    rouse_task *task = start(s, line, (rouse_task_spec){.retry = {.max_attempts = 3, .backoff_ms = 10}});
    scene_close(s);
    scene_hear(fifo, heard, sizeof heard);
    assert_string_equal(heard, "again");
    scene_open(s);
    rouse_task_free(scene_wait(s, task->task_id));
    rouse_task_free(ended_twice(s, task->task_id, ROUSE_COMPLETED));
    rouse_task_free(task);
    free(fifo);
}

/* A plain wait drives what it waits for. */
static void test_retry_while_somebody_waits(void **state)
{
    struct scene *s = *state;
    rouse_task *task = start(s, "exit 1", (rouse_task_spec){.retry = {.max_attempts = 2, .backoff_ms = 10}});
    rouse_task_free(scene_wait(s, task->task_id));
    rouse_task_free(ended_twice(s, task->task_id, ROUSE_FAILED));
    rouse_task_free(task);
}

static void test_last_attempt_fails(void **state)
{
    struct scene *s = *state;
    rouse_task *task = start(s, "exit 7", (rouse_task_spec){.retry = {.max_attempts = 2, .backoff_ms = 10}});
    drive(s, task->task_id);
    rouse_task *end = ended_twice(s, task->task_id, ROUSE_FAILED);
    assert_int_equal(end->ext.plan->attempt, 2);
    assert_int_equal(end->ext.exit_code, 7);
    rouse_task_free(end);
    rouse_task_free(task);
}

static void test_after(void **state)
{
    struct scene *s = *state;
    char line[200];
    snprintf(line, sizeof line, "test -e %s/made", s->dir);
    rouse_task *gate = NULL;
    assert_works(rouse_task_start(s->manager, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .name = "gate"}, &gate, &err));
    const char *after[] = {"gate", NULL};
    rouse_task *task = start(s, line, (rouse_task_spec){.after = after, .name = "build"});
    assert_string_equal(task->ext.stage, "queued");
    snprintf(line, sizeof line, ": >%s/made", s->dir);
    rouse_task *maker = start(s, line, (rouse_task_spec){0});
    drive(s, maker->task_id);
    scene_close(s); /* whoever ends the gate begins what waits for it */
    scene_open(s);
    assert_works(rouse_task_complete(s->manager, "t", "gate", NULL, &err));
    drive(s, task->task_id);
    rouse_task_free(scene_check_ended(s, task->task_id, ROUSE_COMPLETED));
    rouse_task_free(maker);
    rouse_task_free(task);
    rouse_task_free(gate);
}

static void test_queue(void **state)
{
    enum { N = 5 };
    struct scene *s = *state;
    rouse_task *tasks[N];
    char line[200];
    snprintf(line, sizeof line, "mkdir %s/alone && sleep 0.05 && rmdir %s/alone", s->dir, s->dir);
    for (int i = 0; i < N; i++)
        tasks[i] = start(s, line, (rouse_task_spec){.queue = "alone"});
    for (int i = 0; i < N; i++) {
        drive(s, tasks[i]->task_id);
        rouse_task_free(scene_check_ended(s, tasks[i]->task_id, ROUSE_COMPLETED));
        rouse_task_free(tasks[i]);
    }
}

/* A command that was never begun is cancelled at once, and leaves nothing. */
static void test_cancel_before_it_begins(void **state)
{
    struct scene *s = *state;
    rouse_task *task = start(s, "sleep 1000", (rouse_task_spec){.when = {.in_ms = 3600000}});
    size_t count = 0;
    assert_works(rouse_task_cancel(s->manager, task->task_id, NULL, &count, &err));
    assert_int_equal(count, 1);
    rouse_task_free(scene_check_ended(s, task->task_id, ROUSE_CANCELLED));
    rouse_task_free(task);
}

static void test_words_must_be_kept(void **state)
{
    struct scene *s = *state;
    const char *argv[] = {"echo", "\xff", NULL};
    rouse_task *task = NULL;
    const rouse_task_spec spec = {.thread = "t", .argv = argv, .when = {.in_ms = 1}};
    assert_refused(rouse_task_start(s->manager, &spec, &task, &err), ROUSE_EINVAL, "UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_retry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retry_with_nobody_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retry_while_somebody_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_last_attempt_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_before_it_begins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words_must_be_kept, set_up, tear_down),
    };
    return check_run(tests, NULL, NULL);
}
