/* What begins later, or again: dependencies, retries, timers, deadlines, queues. On a store in memory and on one in a directory. */
#include "support/bench.h"

struct count {
    int bodies, fail_first; /* bodies run; how many of the first fail */
    uint64_t last_attempt;
};

static int counted(rouse_call *call, const char *input, void *userdata)
{
    struct count *c = userdata;
    (void)input;
    c->last_attempt = rouse_call_attempt(call);
    if (++c->bodies <= c->fail_first) {
        rouse_call_error(call, "not yet", NULL);
        return ROUSE_EIO;
    }
    return 0;
}

static rouse_task *start_parked(struct bench *b, const char *name)
{
    return bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .name = name});
}

static void expect_stage(struct bench *b, const char *id, const char *stage)
{
    rouse_task *task = bench_get(b, id, ROUSE_RUNNING);
    assert_string_equal(task->ext.stage, stage);
    rouse_task_free(task);
}

/* ---- dependencies ---- */

static void end_as(struct bench *b, const char *id, rouse_status status)
{
    if (status == ROUSE_COMPLETED)
        assert_works(rouse_task_complete(b->manager, NULL, id, "1", &err));
    else if (status == ROUSE_FAILED)
        assert_works(rouse_task_fail(b->manager, NULL, id, "broken", &err));
    else
        assert_works(rouse_task_cancel(b->manager, id, NULL, NULL, &err));
}

static void test_after(void **state)
{
    static const struct {
        rouse_after_if wanted;
        rouse_status first, second;
        bool begins;
        const char *error;
    } rows[] = {
        {ROUSE_AFTER_SUCCEEDED, ROUSE_COMPLETED, ROUSE_COMPLETED, true, NULL},
        {ROUSE_AFTER_SUCCEEDED, ROUSE_COMPLETED, ROUSE_FAILED, false, "failed"},
        {ROUSE_AFTER_SUCCEEDED, ROUSE_CANCELLED, ROUSE_COMPLETED, false, "was cancelled"},
        {ROUSE_AFTER_ENDED, ROUSE_FAILED, ROUSE_CANCELLED, true, NULL},
        {ROUSE_AFTER_FAILED, ROUSE_FAILED, ROUSE_CANCELLED, true, NULL},
        {ROUSE_AFTER_FAILED, ROUSE_FAILED, ROUSE_COMPLETED, false, "completed"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int late = 0; late < 3; late++) { /* how many have ended before it is started */
            struct count count = {0};
            rouse_task *first = start_parked(b, "first"), *second = start_parked(b, NULL);
            const char *after[] = {"first", second->task_id, NULL};
            const rouse_task_spec spec = {.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = counted, .userdata = &count,
                                          .after = after, .after_if = rows[i].wanted};
            if (late > 1)
                end_as(b, second->task_id, rows[i].second);
            if (late > 0) { /* a name of a task that has ended is still its name */
                after[0] = first->task_id;
                end_as(b, first->task_id, rows[i].first);
            }
            rouse_task *task = bench_start(b, &spec);
            if (late == 0) {
                assert_string_equal(task->ext.stage, "queued");
                bench_dispatch(b);
                assert_int_equal(count.bodies, 0);
                end_as(b, first->task_id, rows[i].first);
            }
            if (late < 2)
                end_as(b, second->task_id, rows[i].second);
            bench_dispatch(b);
            assert_int_equal(count.bodies, rows[i].begins);
            rouse_task *end = bench_ended(b, task->task_id, rows[i].begins ? ROUSE_COMPLETED : ROUSE_FAILED);
            if (rows[i].error)
                assert_non_null(strstr(end->error, rows[i].error));
            rouse_task_free(end);
            rouse_task_free(task);
            rouse_task_free(first);
            rouse_task_free(second);
        }
    }
}

/* What waits for a task that will never begin fails as well, however long the chain; who would run on failure runs. */
static void test_failures_go_down_the_chain(void **state)
{
    enum { N = 200 };
    struct bench *b = *state;
    struct count count = {0};
    rouse_task *root = start_parked(b, NULL);
    char ids[N][32];
    const char *after[] = {root->task_id, NULL};
    for (int i = 0; i < N; i++) {
        rouse_task *task = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .after = after});
        snprintf(ids[i], sizeof ids[i], "%s", task->task_id);
        after[0] = ids[i];
        rouse_task_free(task);
    }
    rouse_task *cleaner = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = counted,
        .userdata = &count, .after = after, .after_if = ROUSE_AFTER_FAILED});
    end_as(b, root->task_id, ROUSE_FAILED);
    bench_dispatch(b);
    for (int i = 0; i < N; i++)
        rouse_task_free(bench_ended(b, ids[i], ROUSE_FAILED));
    assert_int_equal(count.bodies, 1);
    rouse_task_free(bench_ended(b, cleaner->task_id, ROUSE_COMPLETED));
    rouse_task_free(cleaner);
    rouse_task_free(root);
}

static void test_after_is_checked(void **state)
{
    struct bench *b = *state;
    rouse_task *task = NULL;
    rouse_task *other = bench_start(b, &(rouse_task_spec){.thread = "u", .kind = ROUSE_KIND_EXTERNAL});
    const char *unknown[] = {"bg_77", NULL}, *self[] = {"me", NULL}, *foreign[] = {other->task_id, NULL};
    const struct {
        const char *const *after;
        int code;
        const char *part;
    } rows[] = {
        {unknown, ROUSE_ENOTFOUND, "bg_77"},
        {self, ROUSE_ENOTFOUND, "me"}, /* an id exists before it can be waited for, so there is no cycle */
        {foreign, ROUSE_EINVAL, "another thread"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const rouse_task_spec spec = {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .name = "me", .after = rows[i].after};
        assert_refused(rouse_task_start(b->manager, &spec, &task, &err), rows[i].code, rows[i].part);
    }
    rouse_task_free(other);
}

static void test_waiting_tasks_cancel_at_once(void **state)
{
    struct bench *b = *state;
    struct count count = {0};
    rouse_task *first = start_parked(b, NULL);
    const char *after[] = {first->task_id, NULL};
    rouse_task *task = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = counted,
        .userdata = &count, .after = after});
    end_as(b, task->task_id, ROUSE_CANCELLED);
    rouse_task_free(bench_ended(b, task->task_id, ROUSE_CANCELLED));
    end_as(b, first->task_id, ROUSE_COMPLETED);
    bench_dispatch(b);
    assert_int_equal(count.bodies, 0);
    rouse_task_free(task);
    rouse_task_free(first);
}

/* ---- retries ---- */

static void test_retries(void **state)
{
    static const struct {
        int fail_first;
        unsigned on;
        uint64_t max;
        rouse_status status;
        int bodies;
    } rows[] = {
        {2, 0, 3, ROUSE_COMPLETED, 3},
        {3, ROUSE_RETRY_FAILED, 3, ROUSE_FAILED, 3},
        {1, ROUSE_RETRY_LOST, 3, ROUSE_FAILED, 1},
        {1, 0, 1, ROUSE_FAILED, 1},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct count count = {.fail_first = rows[i].fail_first};
        const rouse_task_spec spec = {.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = counted, .userdata = &count,
            .retry = {.max_attempts = rows[i].max, .on = rows[i].on, .backoff_ms = 1000, .backoff_max_ms = 1500}};
        rouse_task *task = bench_start(b, &spec);
        bench_dispatch(b);
        for (int attempt = 1; attempt < rows[i].bodies; attempt++) {
            expect_stage(b, task->task_id, "retrying");
            bench_pass(b, 499); /* at least half of the back-off is certain */
            bench_dispatch(b);
            assert_int_equal(count.bodies, attempt);
            bench_pass(b, 1001);
            bench_dispatch(b);
            assert_int_equal(count.bodies, attempt + 1);
            assert_int_equal(count.last_attempt, attempt + 1);
        }
        rouse_task_free(bench_ended(b, task->task_id, rows[i].status));
        assert_int_equal(count.bodies, rows[i].bodies);
        assert_int_equal(bench_events(b, "t", task->task_id), rows[i].bodies); /* one of each retry, one of the end */
        rouse_task_free(task);
    }
}

static void test_retrying_tasks_cancel_at_once(void **state)
{
    struct bench *b = *state;
    struct count count = {.fail_first = 9};
    rouse_task *task = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = counted,
        .userdata = &count, .retry = {.max_attempts = 5}});
    bench_dispatch(b);
    expect_stage(b, task->task_id, "retrying");
    end_as(b, task->task_id, ROUSE_CANCELLED);
    bench_pass(b, 3600000);
    bench_dispatch(b);
    assert_int_equal(count.bodies, 1);
    rouse_task_free(bench_ended(b, task->task_id, ROUSE_CANCELLED));
    rouse_task_free(task);
}

/* ---- times ---- */

static void test_timer_fires_once(void **state)
{
    struct bench *b = *state;
    rouse_task *in = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_TIMER, .when = {.in_ms = 5000}});
    rouse_task *at = bench_start(b, &(rouse_task_spec){
        .thread = "t", .kind = ROUSE_KIND_TIMER, .when = {.at_ms = b->now_ms + 7000}});
    bench_pass(b, 4999);
    bench_dispatch(b);
    rouse_task_free(bench_get(b, in->task_id, ROUSE_RUNNING));
    bench_pass(b, 1);
    bench_dispatch(b);
    rouse_task_free(bench_ended(b, in->task_id, ROUSE_COMPLETED));
    rouse_task_free(bench_get(b, at->task_id, ROUSE_RUNNING));
    bench_pass(b, 100000); /* late rather than never */
    bench_dispatch(b);
    rouse_task_free(bench_ended(b, at->task_id, ROUSE_COMPLETED));
    rouse_task_free(in);
    rouse_task_free(at);
}

/* RELIABILITY 15: a clock that is set a year ahead or back makes nothing early, missed or doubled. */
static void test_clock_jumps(void **state)
{
    enum { YEAR = 365 * 24 };
    struct bench *b = *state;
    for (int way = -1; way <= 1; way += 2) {
        rouse_task *in = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_TIMER, .when = {.in_ms = 5000}});
        b->now_ms = (uint64_t)((int64_t)b->now_ms + way * (int64_t)YEAR * 3600000);
        bench_dispatch(b);
        rouse_task_free(bench_get(b, in->task_id, ROUSE_RUNNING));
        bench_pass(b, 5000);
        bench_dispatch(b);
        rouse_task_free(bench_ended(b, in->task_id, ROUSE_COMPLETED));
        rouse_task_free(in);
    }
}

static void test_series(void **state)
{
    struct bench *b = *state;
    rouse_task *task = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_TIMER, .when = {.every_ms = 1000}});
    for (int i = 0; i < 3; i++) {
        bench_pass(b, 1000);
        bench_dispatch(b);
    }
    assert_int_equal(bench_events(b, "t", task->task_id), 3);
    bench_close(b); /* nobody is there for 5 1/2 firings */
    bench_pass(b, 5500);
    bench_open(b);
    bench_dispatch(b);
    assert_int_equal(bench_events(b, "t", task->task_id), 4);
    char *event = bench_event(b, "t", task->task_id, 3);
    assert_non_null(strstr(event, "{\"fired\":4,\"missed\":4}"));
    free(event);
    bench_pass(b, 500); /* and then at its own pace */
    bench_dispatch(b);
    assert_int_equal(bench_events(b, "t", task->task_id), 5);
    end_as(b, task->task_id, ROUSE_CANCELLED);
    bench_pass(b, 10000);
    bench_dispatch(b);
    assert_int_equal(bench_events(b, "t", task->task_id), 6);
    rouse_task_free(task);
}

static void test_deadline_and_delay(void **state)
{
    struct bench *b = *state;
    struct count count = {0};
    rouse_task *late = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .timeout_ms = 1000});
    rouse_task *delayed = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = counted,
        .userdata = &count, .when = {.in_ms = 2000}});
    assert_int_equal(late->ext.deadline_ms, b->now_ms + 1000);
    bench_pass(b, 1000);
    bench_dispatch(b);
    rouse_task *end = bench_ended(b, late->task_id, ROUSE_FAILED);
    assert_string_equal(end->error, "deadline passed");
    assert_string_equal(end->ext.ended_by, "deadline");
    assert_int_equal(count.bodies, 0);
    bench_pass(b, 1000);
    bench_dispatch(b);
    assert_int_equal(count.bodies, 1);
    rouse_task_free(end);
    rouse_task_free(late);
    rouse_task_free(delayed);
}

/* ---- queues ---- */

static size_t running_of_queue(struct bench *b)
{
    rouse_task_list *list;
    size_t n = 0;
    assert_works(rouse_task_list_get(b->manager, &(rouse_task_filter){.running_only = true}, &list, &err));
    for (size_t i = 0; i < rouse_task_list_count(list); i++)
        n += strcmp(rouse_task_list_at(list, i)->ext.stage, "running") == 0;
    rouse_task_list_free(list);
    return n;
}

static void test_queue(void **state)
{
    enum { N = 8 };
    struct bench *b = *state;
    rouse_task *tasks[N];
    for (int i = 0; i < N; i++) {
        tasks[i] = bench_start(b, &(rouse_task_spec){.thread = i % 2 ? "t" : "u", .kind = ROUSE_KIND_FUNCTION, .queue = "q",
            .queue_limit = 2, .priority = i == N - 1 ? 5 : 0});
        assert_true(running_of_queue(b) <= 2);
    }
    assert_int_equal(running_of_queue(b), 2);
    expect_stage(b, tasks[2]->task_id, "queued");
    end_as(b, tasks[0]->task_id, ROUSE_COMPLETED);
    assert_int_equal(running_of_queue(b), 2);
    expect_stage(b, tasks[N - 1]->task_id, "running"); /* the highest priority first */
    expect_stage(b, tasks[2]->task_id, "queued");
    end_as(b, tasks[3]->task_id, ROUSE_CANCELLED); /* one that waits */
    end_as(b, tasks[1]->task_id, ROUSE_FAILED);
    end_as(b, tasks[N - 1]->task_id, ROUSE_COMPLETED);
    expect_stage(b, tasks[2]->task_id, "running"); /* then the oldest */
    expect_stage(b, tasks[4]->task_id, "running");
    static const int rest[] = {2, 4, 5, 6};
    for (size_t i = 0; i < COUNT(rest); i++)
        end_as(b, tasks[rest[i]]->task_id, ROUSE_COMPLETED);
    assert_int_equal(running_of_queue(b), 0);
    for (int i = 0; i < N; i++)
        rouse_task_free(tasks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_after),
        BENCH_TEST(test_failures_go_down_the_chain),
        BENCH_TEST(test_after_is_checked),
        BENCH_TEST(test_waiting_tasks_cancel_at_once),
        BENCH_TEST(test_retries),
        BENCH_TEST(test_retrying_tasks_cancel_at_once),
        BENCH_TEST(test_timer_fires_once),
        BENCH_TEST(test_clock_jumps),
        BENCH_TEST(test_series),
        BENCH_TEST(test_deadline_and_delay),
        BENCH_TEST(test_queue),
    };
    return check_run(tests, NULL, NULL);
}
