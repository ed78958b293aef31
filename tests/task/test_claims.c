/* Who may start what: names and keys, limits, cancelled runs; and whose functions go on after a crash. */
#include <pthread.h>

#include "support/bench.h"

static rouse_task_spec parked(const char *name)
{
    return (rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .name = name};
}

/* ---- names and keys ---- */

static void test_ensure(void **state)
{
    struct bench *b = *state;
    rouse_task *first = NULL, *second = NULL, *third = NULL;
    const rouse_task_spec spec = parked("server");
    assert_int_equal(rouse_task_ensure(b->manager, &spec, &first, NULL), 0);
    assert_int_equal(rouse_task_ensure(b->manager, &spec, &second, NULL), 1);
    assert_string_equal(first->task_id, second->task_id);
    assert_refused(rouse_task_start(b->manager, &spec, &third, &err), ROUSE_ECONFLICT, "a running task named 'server' already exists");
    assert_works(rouse_task_complete(b->manager, "t", "server", NULL, &err));
    assert_int_equal(rouse_task_ensure(b->manager, &spec, &third, NULL), 0);
    assert_string_not_equal(first->task_id, third->task_id);
    rouse_task_free(first);
    rouse_task_free(second);
    rouse_task_free(third);
}

/* RELIABILITY 14: the commit happened and the answer was lost; the retry makes no second task, also after it has ended. */
static void test_key(void **state)
{
    struct bench *b = *state;
    rouse_task *first = NULL, *again = NULL;
    rouse_task_spec spec = parked(NULL);
    spec.key = "request-7";
    assert_int_equal(rouse_task_start(b->manager, &spec, &first, NULL), 0);
    assert_int_equal(rouse_task_start(b->manager, &spec, &again, NULL), 1);
    assert_string_equal(first->task_id, again->task_id);
    rouse_task_free(again);
    assert_works(rouse_task_complete(b->manager, NULL, first->task_id, "1", &err));
    assert_int_equal(rouse_task_start(b->manager, &spec, &again, NULL), 1);
    assert_int_equal(again->status, ROUSE_COMPLETED);
    rouse_task_free(again);
    spec.thread = "u"; /* another thread's keys are its own */
    assert_int_equal(rouse_task_start(b->manager, &spec, &again, NULL), 0);
    rouse_task_free(again);
    rouse_task_free(first);
}

struct racer {
    struct bench *b;
    int started;
    bool ensure;
    char id[256]; /* or why there is none */
};

static void *race(void *data)
{
    struct racer *r = data;
    rouse_task *task = NULL;
    rouse_task_spec spec = parked(r->ensure ? "one" : NULL);
    spec.key = r->ensure ? NULL : "one";
    rouse_error err = {0};
    int code = r->ensure ? rouse_task_ensure(r->b->manager, &spec, &task, &err) : rouse_task_start(r->b->manager, &spec, &task, &err);
    r->started = code == 0;
    snprintf(r->id, sizeof r->id, "%s", task ? task->task_id : err.message);
    rouse_task_free(task);
    return NULL;
}

static void defect_06_one_of_many_at_once(void **state)
{
    enum { N = 8 };
    for (int way = 0; way < 2; way++) {
        struct racer racers[N];
        pthread_t threads[N];
        int started = 0;
        for (int i = 0; i < N; i++) {
            racers[i] = (struct racer){.b = *state, .ensure = way == 0};
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < N; i++) {
            pthread_join(threads[i], NULL);
            started += racers[i].started;
        }
        assert_int_equal(started, 1);
        for (int i = 1; i < N; i++)
            assert_string_equal(racers[i].id, racers[0].id);
    }
}

/* ---- limits ---- */

static void test_limits(void **state)
{
    static const struct {
        rouse_limits limits;
        bool child, call, grandchild, queue;
        int fits;
        const char *part;
    } rows[] = {
        {{.per_thread = 3}, false, false, false, false, 3, "raise limits.per_thread "},
        {{.per_thread_of_calls = 2}, false, true, false, false, 2, "limits.per_thread_of_calls"},
        {{.per_parent = 2}, true, false, false, false, 2, "task 'bg_"},
        {{.per_tree = 3}, true, false, true, false, 2, "limits.per_tree"},
        {{.per_store = 4}, false, false, false, false, 3, "limits.per_store"},
        {{.per_queue = 2}, false, false, false, true, 2, "limits.per_queue"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bench_close(b);
        const rouse_manager_options options = {.rouse = "", .limits = rows[i].limits};
        assert_works(rouse_manager_new(b->store, &options, &b->manager, &err));
        rouse_task_spec spec = parked(NULL);
        rouse_task_spec above = {.thread = "p", .kind = ROUSE_KIND_EXTERNAL};
        rouse_task *task = NULL, *top = bench_start(b, &above);
        above.parent.task_id = rows[i].grandchild ? top->task_id : NULL;
        rouse_task *parent = rows[i].grandchild ? bench_start(b, &above) : rouse_task_copy(top);
        spec.parent.task_id = rows[i].child ? parent->task_id : NULL;
        spec.queue = rows[i].queue ? "q" : NULL;
        spec.parent.call_id = rows[i].call ? "call-1" : NULL;
        for (int k = 0; k < rows[i].fits; k++) {
            task = bench_start(b, &spec);
            rouse_task_free(task);
        }
        task = NULL;
        assert_refused(rouse_task_start(b->manager, &spec, &task, &err), ROUSE_ELIMIT, rows[i].part);
        assert_null(task);
        size_t count = 0;
        assert_works(rouse_task_cancel_all(b->manager, "t", NULL, &count, &err));
        assert_int_equal(count, rows[i].fits);
        rouse_task_free(bench_start(b, &spec)); /* room again */
        assert_works(rouse_task_cancel_all(b->manager, "t", NULL, &count, &err));
        assert_works(rouse_task_cancel_all(b->manager, "p", NULL, &count, &err));
        rouse_task_free(parent);
        rouse_task_free(top);
    }
}

static void test_depth(void **state)
{
    struct bench *b = *state;
    char parent[32] = "";
    for (int i = 0; i <= 17; i++) {
        rouse_task *task = NULL;
        rouse_task_spec spec = parked(NULL);
        spec.parent.task_id = parent[0] ? parent : NULL;
        if (i == 17) {
            assert_refused(rouse_task_start(b->manager, &spec, &task, &err), ROUSE_ELIMIT, "limits.depth");
            break;
        }
        task = bench_start(b, &spec);
        snprintf(parent, sizeof parent, "%s", task->task_id);
        rouse_task_free(task);
    }
}

/* ---- runs ---- */

static void defect_22_a_cancelled_run_ends_its_tasks(void **state)
{
    struct bench *b = *state;
    rouse_task_spec spec = parked(NULL);
    rouse_task *task = NULL;
    size_t count = 99;
    assert_works(rouse_task_cancel_run(b->manager, "t", "run-0", NULL, &count, &err));
    assert_int_equal(count, 0);
    spec.parent.run_id = "run-0";
    assert_refused(rouse_task_start(b->manager, &spec, &task, &err), ROUSE_ECONFLICT,
                   "parent run 'run-0' has already been cancelled");
    assert_int_equal(rouse_task_has_running(b->manager, "t", NULL), 0);
    spec.parent.run_id = "run-1";
    task = bench_start(b, &spec);
    rouse_task *child = bench_start(b, &(rouse_task_spec){
        .thread = "u", .kind = ROUSE_KIND_EXTERNAL, .parent = {.task_id = task->task_id}});
    assert_works(rouse_task_cancel_run(b->manager, "t", "run-1", &(rouse_cancel){.reason = "the user left"}, &count, &err));
    assert_int_equal(count, 2); /* the task and what it started (COMPAT B76) */
    rouse_task *end = bench_ended(b, task->task_id, ROUSE_CANCELLED);
    assert_string_equal(end->ext.reason, "the user left");
    rouse_task_free(end);
    rouse_task_free(bench_ended(b, child->task_id, ROUSE_CANCELLED));
    bench_close(b); /* it is remembered by the store, not by the manager */
    bench_open(b);
    rouse_task *late = NULL;
    assert_refused(rouse_task_start(b->manager, &spec, &late, &err), ROUSE_ECONFLICT, "run-1");
    spec.parent.run_id = "  "; /* blank ids are no runs */
    rouse_task_free(bench_start(b, &spec));
    rouse_task_free(child);
    rouse_task_free(task);
}

static void test_cancel_all(void **state)
{
    enum { N = 2500 };
    struct bench *b = *state;
    const rouse_task_spec spec = {.thread = "t", .kind = ROUSE_KIND_EXTERNAL};
    for (int i = 0; i < N; i++)
        rouse_task_free(bench_start(b, &spec));
    rouse_task *other = bench_start(b, &(rouse_task_spec){.thread = "u", .kind = ROUSE_KIND_EXTERNAL});
    size_t count = 0;
    assert_works(rouse_task_cancel_all(b->manager, "t", NULL, &count, &err));
    assert_int_equal(count, N);
    assert_int_equal(rouse_task_has_running(b->manager, "t", NULL), 0);
    assert_int_equal(rouse_task_has_running(b->manager, "u", NULL), 1);
    assert_int_equal(bench_events(b, "t", NULL), N);
    rouse_task_free(other);
}

/* ---- after a crash ---- */

struct resumed {
    int bodies;
    uint64_t attempt;
    char checkpoint[64];
};

static int resume(rouse_call *call, const char *input, void *userdata)
{
    struct resumed *r = userdata;
    r->bodies++;
    r->attempt = rouse_call_attempt(call);
    const char *checkpoint = rouse_call_checkpoint(call);
    snprintf(r->checkpoint, sizeof r->checkpoint, "%s", checkpoint ? checkpoint : "none");
    if (checkpoint)
        return rouse_call_result(call, input, NULL);
    assert_works(rouse_task_checkpoint(rouse_call_manager(call), NULL, rouse_call_task(call), "{\"step\":2}", &err));
    return 1; /* stands for a crash: the record says running, and nobody runs it */
}

static void test_registered_functions_go_on(void **state)
{
    struct bench *b = *state;
    struct resumed r = {0};
    assert_works(rouse_function_register(b->manager, "copy", resume, &r, &err));
    assert_refused(rouse_function_register(b->manager, "copy", resume, &r, &err), ROUSE_ECONFLICT, "already registered");
    rouse_task *task = bench_start(b, &(rouse_task_spec){
        .thread = "t", .kind = ROUSE_KIND_FUNCTION, .function = "copy", .input = "{\"from\":\"a\"}"});
    bench_dispatch(b);
    assert_int_equal(r.bodies, 1);
    assert_string_equal(r.checkpoint, "none");
    bench_close(b);
    bench_open(b); /* another runtime, which does not know it yet */
    rouse_task_free(bench_get(b, task->task_id, ROUSE_RUNNING));
    assert_works(rouse_function_register(b->manager, "copy", resume, &r, &err));
    bench_dispatch(b);
    assert_int_equal(r.bodies, 2);
    assert_int_equal(r.attempt, 2);
    assert_string_equal(r.checkpoint, "{\"step\":2}");
    rouse_task *end = bench_ended(b, task->task_id, ROUSE_COMPLETED);
    assert_string_equal(end->result, "{\"from\":\"a\"}");
    rouse_task_free(end);
    rouse_task_free(task);
}

static void defect_01_others_are_orphans(void **state)
{
    struct bench *b = *state;
    rouse_task *function = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION});
    rouse_task *external = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL});
    bench_close(b);
    bench_open(b);
    rouse_task *end = bench_ended(b, function->task_id, ROUSE_FAILED);
    assert_string_equal(end->error, "task orphaned: runtime restarted while running");
    assert_string_equal(end->ext.ended_by, "runtime");
    rouse_task_free(bench_get(b, external->task_id, ROUSE_RUNNING));
    rouse_task_free(end);
    rouse_task_free(function);
    rouse_task_free(external);
}

/* A runtime that lives keeps its functions, whoever else opens the store. */
static void test_a_living_runtime_keeps_its_own(void **state)
{
    struct bench *b = *state;
    rouse_manager *other;
    rouse_task *task = bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION});
    assert_works(rouse_manager_new(b->store, &(rouse_manager_options){.rouse = ""}, &other, &err));
    rouse_task_free(bench_get(b, task->task_id, ROUSE_RUNNING));
    assert_works(rouse_task_complete(other, NULL, task->task_id, "1", &err)); /* but anybody may complete it */
    rouse_manager_free(other);
    rouse_task_free(bench_ended(b, task->task_id, ROUSE_COMPLETED));
    rouse_task_free(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_ensure),
        BENCH_TEST(test_key),
        BENCH_TEST(defect_06_one_of_many_at_once),
        BENCH_TEST(test_limits),
        BENCH_TEST(test_depth),
        BENCH_TEST(defect_22_a_cancelled_run_ends_its_tasks),
        BENCH_TEST(test_cancel_all),
        {"test_registered_functions_go_on", test_registered_functions_go_on, bench_directory, bench_done, NULL},
        {"defect_01_others_are_orphans", defect_01_others_are_orphans, bench_directory, bench_done, NULL},
        BENCH_TEST(test_a_living_runtime_keeps_its_own),
    };
    return check_run(tests, NULL, NULL);
}
