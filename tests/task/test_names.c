/* Whatever takes a task's id takes its name as well, in its thread and in no other; and what is forgotten of names for requests. */
#include <pthread.h>

#include "support/bench.h"

#define NAME "worker.1"

typedef int call(struct bench *b, const char *thread, rouse_error *err);

static int call_get(struct bench *b, const char *thread, rouse_error *err)
{
    rouse_task *task = NULL;
    int code = rouse_task_get(b->manager, thread, NAME, &task, err);
    rouse_task_free(task);
    return code;
}

static int call_emit(struct bench *b, const char *thread, rouse_error *err)
{
    return rouse_task_emit(b->manager, thread, NAME, "x", "1", err);
}

static int call_progress(struct bench *b, const char *thread, rouse_error *err)
{
    return rouse_task_progress(b->manager, thread, NAME, &(rouse_progress){.done = 1}, err);
}

static int call_checkpoint(struct bench *b, const char *thread, rouse_error *err)
{
    return rouse_task_checkpoint(b->manager, thread, NAME, "1", err);
}

static int call_wait(struct bench *b, const char *thread, rouse_error *err)
{
    const char *ids[] = {NAME};
    const rouse_wait wait = {.thread = thread, .ids = ids, .count = 1, .has_timeout = true};
    rouse_task_list *list = NULL;
    int code = rouse_task_wait(b->manager, &wait, &list, err);
    rouse_task_list_free(list);
    return code == ROUSE_ETIMEOUT ? 0 : code;
}

static int call_tree(struct bench *b, const char *thread, rouse_error *err)
{
    rouse_task_list *list = NULL;
    int code = rouse_task_list_get(b->manager, &(rouse_task_filter){.thread = thread, .tree = NAME}, &list, err);
    rouse_task_list_free(list);
    return code;
}

static int call_after(struct bench *b, const char *thread, rouse_error *err)
{
    rouse_task *task = NULL;
    const rouse_task_spec spec = {.thread = thread, .kind = ROUSE_KIND_EXTERNAL, .after = (const char *const[]){NAME, NULL}};
    int code = rouse_task_start(b->manager, &spec, &task, err);
    rouse_task_free(task);
    return code;
}

static int call_complete(struct bench *b, const char *thread, rouse_error *err)
{
    return rouse_task_complete(b->manager, thread, NAME, NULL, err);
}

static int call_fail(struct bench *b, const char *thread, rouse_error *err)
{
    return rouse_task_fail(b->manager, thread, NAME, "no", err);
}

static int call_cancel(struct bench *b, const char *thread, rouse_error *err)
{
    return rouse_task_cancel(b->manager, NAME, &(rouse_cancel){.thread = thread}, NULL, err);
}

static const struct row {
    const char *what;
    call *call;
} rows[] = {
    {"get", call_get},           {"emit", call_emit},   {"progress", call_progress}, {"checkpoint", call_checkpoint},
    {"wait", call_wait},         {"tree", call_tree},   {"after", call_after},       {"complete", call_complete},
    {"fail", call_fail},         {"cancel", call_cancel},
};

static void test_a_name_is_as_good_as_an_id(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_task *task = NULL;
        assert_works(rouse_task_ensure(b->manager, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .name = NAME},
                                       &task, &err));
        rouse_task_free(task);
        rouse_error err = {0};
        int elsewhere = rows[i].call(b, "u", &err);
        if (elsewhere != ROUSE_ENOTFOUND)
            fail_msg("%s, by a name of another thread: %d", rows[i].what, elsewhere);
        int code = rows[i].call(b, "t", &err);
        if (code < 0)
            fail_msg("%s: %d %s", rows[i].what, code, err.message);
    }
}

/* ---- waiting for progress ---- */

static void *step_on(void *data)
{
    struct bench *b = data;
    for (uint64_t i = 1; i <= 5; i++) {
        if (rouse_task_progress(b->manager, "t", NAME, &(rouse_progress){.done = i, .total = 5}, NULL) < 0)
            return NULL;
    }
    return data;
}

static int wait_for(struct bench *b, uint64_t done, bool timeout)
{
    const char *ids[] = {NAME};
    const rouse_wait wait = {.thread = "t", .ids = ids, .count = 1, .until = ROUSE_UNTIL_PROGRESS, .progress_done = done,
                             .has_timeout = timeout};
    rouse_task_list *list = NULL;
    int code = rouse_task_wait(b->manager, &wait, &list, NULL);
    if (code == 0 && !rouse_status_is_terminal(rouse_task_list_at(list, 0)->status))
        assert_true(rouse_task_list_at(list, 0)->ext.plan->progress.done >= done);
    rouse_task_list_free(list);
    return code;
}

static void test_wait_until_progress(void **state)
{
    struct bench *b = *state;
    pthread_t thread;
    void *worked = NULL;
    rouse_task_free(bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .name = NAME}));
    assert_int_equal(wait_for(b, 0, true), ROUSE_ETIMEOUT); /* none was told */
    assert_int_equal(pthread_create(&thread, NULL, step_on, b), 0);
    assert_int_equal(wait_for(b, 5, false), 0);
    assert_int_equal(pthread_join(thread, &worked), 0);
    assert_non_null(worked);
    assert_int_equal(wait_for(b, 3, true), 0);
    assert_int_equal(wait_for(b, 6, true), ROUSE_ETIMEOUT);
    assert_works(rouse_task_complete(b->manager, "t", NAME, NULL, &err));
    assert_int_equal(wait_for(b, 6, true), 0); /* what has ended is not waited for */
}

/* ---- idempotency keys ---- */

static int start_with_key(struct bench *b)
{
    rouse_task *task = NULL;
    rouse_error err = {0};
    int code = rouse_task_start(b->manager, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .key = "k"}, &task, &err);
    rouse_task_free(task);
    return code;
}

static void test_keys_are_kept_for_thirty_days(void **state)
{
    struct bench *b = *state;
    const rouse_prune none = {.older_ms = UINT64_MAX / 4, .unread = true};
    assert_int_equal(start_with_key(b), 0);
    bench_pass(b, 29ull * 86400000);
    assert_works(rouse_task_prune(b->manager, &none, NULL, NULL, &err));
    assert_int_equal(start_with_key(b), 1);
    bench_pass(b, 2ull * 86400000);
    assert_works(rouse_task_prune(b->manager, &none, NULL, NULL, &err));
    assert_int_equal(start_with_key(b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {BENCH_TEST(test_a_name_is_as_good_as_an_id), BENCH_TEST(test_wait_until_progress),
                                       BENCH_TEST(test_keys_are_kept_for_thirty_days)};
    return check_run(tests, NULL, NULL);
}
