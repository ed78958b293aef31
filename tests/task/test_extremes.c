/* A great deal of everything, and clocks that nobody believes. */
#include <malloc.h>
#include <poll.h>

#include "base/limits.h"
#include "support/bench.h"

#define YEAR_MS (UINT64_C(365) * 24 * 3600 * 1000)

static rouse_task *start_external(struct bench *b, const char *name)
{
    return bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .name = name});
}

/* ---- floods ---- */

struct reached {
    int calls;
    uint64_t done;
};

static void reach(int code, const rouse_task_list *list, void *userdata)
{
    struct reached *r = userdata;
    assert_int_equal(code, 0);
    r->calls++;
    r->done = rouse_task_list_at(list, 0)->ext.plan->progress.done;
}

/* Nothing grows with what is reported, the last report stands, and nobody is told of the others. */
static void test_a_million_reports(void **state)
{
    struct bench *b = *state;
    const uint64_t many = b->memory ? 1000000 : 10000;
    struct reached half = {0};
    rouse_task *task = start_external(b, "it");
    const char *id = "it";
    const rouse_wait wait = {.thread = "t", .ids = &id, .count = 1, .until = ROUSE_UNTIL_PROGRESS, .progress_done = many / 2};
    assert_works(rouse_waiting_new(b->manager, &wait, reach, &half, NULL, &err));
    size_t before = 0;
    for (uint64_t i = 0; i < many; i++) {
        const rouse_progress progress = {.done = i, .total = many, .message = i % 2 ? "odd" : "even"};
        assert_works(rouse_task_progress(b->manager, NULL, task->task_id, &progress, &err));
        if (i == 1000)
            before = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks < before + (256 << 10));
    assert_int_equal(bench_events(b, NULL, NULL), 0);
    rouse_task *now = bench_get(b, task->task_id, ROUSE_RUNNING);
    assert_int_equal(now->ext.plan->progress.done, many - 1);
    assert_string_equal(now->ext.plan->progress.message, "odd");
    bench_dispatch(b);
    assert_int_equal(half.calls, 1);
    assert_int_equal(half.done, many - 1);
    rouse_task_free(now);
    rouse_task_free(task);
}

/* ---- size ---- */

static char *text_of(size_t len)
{
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, 'x', len);
    text[0] = text[len - 1] = '"';
    text[len] = '\0';
    return text;
}

static int give(rouse_call *call, const char *input, void *userdata)
{
    (void)input;
    return rouse_call_result(call, userdata, NULL) < 0 ? ROUSE_EIO : 0;
}

/* The largest result is kept whole and told; a byte more, or 100 MB, is refused and changes nothing. */
static void test_results(void **state)
{
    const size_t sizes[] = {LIMIT_RESULT, LIMIT_RESULT + 1, 100 << 20};
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *text = text_of(sizes[i]);
        rouse_task *task = start_external(b, NULL);
        rouse_task *of_body = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = give, .userdata = text});
        const rouse_ending ending = {.id = task->task_id, .result = text};
        if (i > 0) {
            assert_refused(rouse_task_end_many(b->manager, "t", &ending, 1, &err), ROUSE_ELIMIT, "result is larger");
            assert_refused(rouse_task_complete(b->manager, NULL, task->task_id, text, &err), ROUSE_ELIMIT, "result is larger");
            assert_refused(rouse_task_checkpoint(b->manager, NULL, task->task_id, text, &err), ROUSE_ELIMIT, "");
            rouse_task_free(bench_get(b, task->task_id, ROUSE_RUNNING));
            bench_dispatch(b);
            rouse_task_free(bench_ended(b, of_body->task_id, ROUSE_FAILED));
        } else {
            assert_works(rouse_task_complete(b->manager, NULL, task->task_id, text, &err));
            bench_dispatch(b);
            rouse_task *end = bench_ended(b, task->task_id, ROUSE_COMPLETED);
            assert_string_equal(end->result, text);
            rouse_task_free(end);
            rouse_task_free(bench_ended(b, of_body->task_id, ROUSE_COMPLETED));
        }
        rouse_task_free(of_body);
        rouse_task_free(task);
        free(text);
    }
}

/* ---- clocks ---- */

static void jump(struct bench *b, int way)
{
    b->now_ms = way > 0 ? b->now_ms + YEAR_MS : b->now_ms - YEAR_MS;
}

static int fail_once(rouse_call *call, const char *input, void *userdata)
{
    int *tries = userdata;
    (void)call, (void)input;
    return ++*tries == 1 ? ROUSE_EIO : 0;
}

struct told {
    int calls, code;
};

static void tell(int code, const rouse_task_list *list, void *userdata)
{
    struct told *t = userdata;
    (void)list;
    t->calls++;
    t->code = code;
}

/* What counts elapsed time notices nothing of a clock that is set. */
static void test_elapsed_time(void **state)
{
    struct bench *b = *state;
    for (int way = -1; way <= 1; way += 2) {
        int tries = 0, delayed = 1;
        struct told late = {0};
        rouse_task *deadline = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .timeout_ms = 60000});
        rouse_task *retried = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = fail_once,
            .userdata = &tries, .retry = {.max_attempts = 2, .backoff_ms = 50000}});
        rouse_task *begins = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = fail_once,
            .userdata = &delayed, .when = {.in_ms = 60000}});
        rouse_task *series = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_TIMER, .when = {.every_ms = 60000}});
        const char *id = series->task_id;
        const rouse_wait wait = {.ids = &id, .count = 1, .has_timeout = true, .timeout_ms = 60000};
        assert_works(rouse_waiting_new(b->manager, &wait, tell, &late, NULL, &err));
        bench_dispatch(b);
        assert_int_equal(tries, 1);
        jump(b, way);
        bench_dispatch(b);
        rouse_task_free(bench_get(b, deadline->task_id, ROUSE_RUNNING));
        assert_int_equal(tries, 1);
        assert_int_equal(delayed, 1);
        assert_int_equal(late.calls, 0);
        assert_int_equal(bench_events(b, "t", series->task_id), 0);
        bench_pass(b, 60000);
        bench_dispatch(b);
        rouse_task_free(bench_ended(b, deadline->task_id, ROUSE_FAILED));
        assert_int_equal(tries, 2);
        assert_int_equal(delayed, 2);
        char *event = bench_event(b, "t", series->task_id, 0);
        assert_non_null(strstr(event, "{\"fired\":1,\"missed\":0}"));
        free(event);
        assert_works(rouse_task_cancel(b->manager, series->task_id, NULL, NULL, &err));
        bench_dispatch(b);
        assert_int_equal(late.calls, 1);
        rouse_task_free(deadline);
        rouse_task_free(retried);
        rouse_task_free(begins);
        rouse_task_free(series);
    }
}

/* A time of day is what the clock says: set ahead it comes at once, set back it comes when the clock has come there again. */
static void test_time_of_day(void **state)
{
    struct bench *b = *state;
    const rouse_task_spec tomorrow = {.thread = "t", .kind = ROUSE_KIND_TIMER, .when = {.at_ms = b->now_ms + 24 * 3600 * 1000}};
    rouse_task *ahead = bench_start(b, &tomorrow);
    jump(b, 1);
    bench_pass(b, 1);
    bench_dispatch(b);
    rouse_task_free(bench_ended(b, ahead->task_id, ROUSE_COMPLETED));
    const rouse_task_spec soon = {.thread = "t", .kind = ROUSE_KIND_TIMER, .when = {.at_ms = b->now_ms + 1000}};
    rouse_task *back = bench_start(b, &soon);
    jump(b, -1);
    bench_pass(b, 2000);
    bench_dispatch(b);
    rouse_task_free(bench_get(b, back->task_id, ROUSE_RUNNING));
    jump(b, 1);
    bench_dispatch(b);
    rouse_task_free(bench_ended(b, back->task_id, ROUSE_COMPLETED));
    rouse_task_free(ahead);
    rouse_task_free(back);
}

/* What people read stays sensible when a task was created in what is now the future. */
static void test_ages(void **state)
{
    struct bench *b = *state;
    rouse_task *task = start_external(b, "it");
    rouse_task *over = start_external(b, "over");
    char *view = NULL;
    rouse_stats stats;
    jump(b, -1);
    assert_works(rouse_view_render(b->manager, "t", 0, &view, &err));
    assert_non_null(strstr(view, "it (external) running"));
    assert_non_null(strstr(view, "for a few seconds"));
    assert_true(strlen(view) <= LIMIT_VIEW);
    assert_works(rouse_task_complete(b->manager, "t", "over", NULL, &err));
    assert_works(rouse_manager_stats(b->manager, "t", &stats, &err));
    assert_int_equal(stats.took_p95_ms, 0);
    assert_int_equal(rouse_task_prune(b->manager, &(rouse_prune){.thread = "t", .older_ms = 1000, .unread = true}, NULL, NULL, NULL), 0);
    jump(b, 1);
    assert_int_equal(rouse_task_prune(b->manager, &(rouse_prune){.thread = "t", .older_ms = 1000, .unread = true}, NULL, NULL, NULL), 1);
    free(view);
    rouse_task_free(over);
    rouse_task_free(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_a_million_reports), BENCH_TEST(test_results), BENCH_TEST(test_elapsed_time),
        BENCH_TEST(test_time_of_day),       BENCH_TEST(test_ages),
    };
    return check_run(tests, NULL, NULL);
}
