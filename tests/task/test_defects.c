/* What goes wrong in the seed's runtime and must not go wrong here, as far as no other file shows it: the list of all is in
 * tests/README.md. Every row runs on a store in memory and on one in a directory. */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/bench.h"

static const rouse_task_spec parked = {.thread = "t", .kind = ROUSE_KIND_FUNCTION};

static rouse_manager *another(struct bench *b)
{
    rouse_manager *manager = NULL;
    assert_works(rouse_manager_new(b->store, &(rouse_manager_options){.rouse = ""}, &manager, &err));
    return manager;
}

/* Neither holds a copy that can go stale. */
static void defect_02_two_managers_see_one_truth(void **state)
{
    struct bench *b = *state;
    rouse_manager *other = another(b);
    rouse_task *task = bench_start(b, &parked), *seen = NULL;
    assert_works(rouse_task_get(other, NULL, task->task_id, &seen, &err));
    assert_int_equal(seen->status, ROUSE_RUNNING);
    rouse_task_free(seen);
    assert_works(rouse_task_complete(other, NULL, task->task_id, "1", &err));
    assert_int_equal(rouse_task_has_running(b->manager, "t", NULL), 0);
    rouse_task_free(bench_ended(b, task->task_id, ROUSE_COMPLETED));
    rouse_task_free(task);
    rouse_manager_free(other);
}

struct starter {
    rouse_manager *manager;
    uint64_t numbers[100];
};

static void *start_many(void *data)
{
    struct starter *s = data;
    for (size_t i = 0; i < COUNT(s->numbers); i++) {
        rouse_task *task = NULL;
        if (rouse_task_start(s->manager, &parked, &task, NULL) < 0)
            return "a start failed";
        s->numbers[i] = strtoull(task->task_id + 3, NULL, 10);
        rouse_task_free(task);
    }
    return NULL;
}

static void defect_07_two_managers_give_no_id_twice(void **state)
{
    struct bench *b = *state;
    struct starter starters[2] = {{.manager = b->manager}, {.manager = another(b)}};
    pthread_t threads[2];
    bool seen[200] = {false};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_many, &starters[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *why;
        assert_int_equal(pthread_join(threads[i], &why), 0);
        assert_null(why);
        for (size_t k = 0; k < COUNT(starters[i].numbers); k++) {
            assert_true(starters[i].numbers[k] < COUNT(seen) && !seen[starters[i].numbers[k]]);
            seen[starters[i].numbers[k]] = true;
        }
    }
    rouse_manager_free(starters[1].manager);
}

static void defect_09_owners_stay(void **state)
{
    static const char document[] =
        "{\"revision\":1,\"extensions\":{\"background_task_state\":{\"tasks\":{\"bg_4\":{\"task_id\":\"bg_4\",\"owner_thread_id\":"
        "\"other\",\"task_type\":\"t\",\"description\":\"d\",\"status\":\"running\",\"created_at_ms\":1,\"parent_context\":{}}}}}}";
    struct bench *b = *state;
    assert_works(rouse_store_import(b->store, "t", document, strlen(document), NULL, &err));
    assert_works(rouse_task_recover(b->manager, NULL, &err));
    rouse_task *task = bench_get(b, "bg_4", ROUSE_FAILED);
    assert_string_equal(task->owner_thread_id, "other");
    assert_int_equal(bench_events(b, NULL, "bg_4"), 1);
    rouse_task_free(task);
}

static void run_and_end(struct bench *b, int rounds)
{
    enum { N = 100 };
    const rouse_task_spec *specs[N];
    rouse_task *tasks[N];
    rouse_ending endings[N];
    for (int i = 0; i < rounds; i++) {
        for (size_t k = 0; k < N; k++)
            specs[k] = &parked;
        assert_works(rouse_task_start_many(b->manager, specs, N, tasks, &err));
        for (size_t k = 0; k < N; k++)
            endings[k] = (rouse_ending){.id = tasks[k]->task_id, .result = "1"};
        assert_works(rouse_task_end_many(b->manager, "t", endings, N, &err));
        for (size_t k = 0; k < N; k++)
            rouse_task_free(tasks[k]);
    }
}

/* What a manager holds is what runs. (Of a store in memory the records are the store's.) */
static void defect_12_ended_tasks_take_no_memory(void **state)
{
    struct bench *b = *state;
    if (b->memory)
        return;
    run_and_end(b, 50); /* the pages that SQLite keeps, at most 2 MB, are full afterwards */
    size_t before = mallinfo2().uordblks;
    run_and_end(b, 10);
    size_t after = mallinfo2().uordblks;
    if (after > before + 1000 * 100)
        fail_msg("1000 ended tasks hold %zu bytes", after - before);
}

static void defect_15_names(void **state)
{
    static const char *const bad[] = {"", " ", "\t", "bg_1", "bg_0", "a\nb", "a b", "a/b", "\xc3\xa4", "\xff", "a\x1b[2J",
                                      "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggg",
                                      "parent", "self", "all", "broadcast"};
    static const char *const good[] = {"a", "A.b_c-9", "bg", "bg_", "bg_x", "..", /* no name is a path */
                                       "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"};
    struct bench *b = *state;
    rouse_task_spec spec = parked;
    for (size_t i = 0; i < COUNT(bad); i++) {
        rouse_task *task = NULL;
        spec.name = bad[i];
        assert_refused(rouse_task_start(b->manager, &spec, &task, &err), ROUSE_EINVAL, "");
    }
    assert_int_equal(rouse_task_has_running(b->manager, "t", NULL), 0);
    for (size_t i = 0; i < COUNT(good); i++) {
        spec.name = good[i];
        rouse_task_free(bench_start(b, &spec));
    }
}

static int fail_first(rouse_call *call, const char *input, void *userdata)
{
    (void)input;
    (void)userdata;
    return rouse_call_attempt(call) == 1 ? ROUSE_EIO : 0;
}

/* A deadline, a second attempt, a queue, a time, a dependency, each in its row: what holds at once, and after a minute. */
static void defect_18_tasks_can_be_told_when_and_how_often(void **state)
{
    static const char *const first[] = {"first", NULL};
    static const struct {
        rouse_task_spec spec;
        const char *stage;
        rouse_status end;
        const char *ended_by;
    } rows[] = {
        {{.kind = ROUSE_KIND_FUNCTION, .timeout_ms = 1000}, "running", ROUSE_FAILED, "deadline"},
        {{.kind = ROUSE_KIND_FUNCTION, .run = fail_first, .retry = {.max_attempts = 2}}, "retrying", ROUSE_COMPLETED, "self"},
        {{.kind = ROUSE_KIND_FUNCTION, .run = fail_first, .retry = {.max_attempts = 2}, .queue = "q"}, NULL, ROUSE_COMPLETED, "self"},
        {{.kind = ROUSE_KIND_TIMER, .when = {.in_ms = 30000}}, NULL, ROUSE_COMPLETED, NULL},
        {{.kind = ROUSE_KIND_FUNCTION, .run = fail_first, .after = first, .after_if = ROUSE_AFTER_ENDED}, "queued", ROUSE_FAILED, "self"},
    };
    struct bench *b = *state;
    rouse_task *tasks[COUNT(rows)];
    rouse_task_free(bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .name = "first"}));
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_task_spec spec = rows[i].spec;
        spec.thread = "t";
        tasks[i] = bench_start(b, &spec);
    }
    bench_dispatch(b);
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_task *now = bench_get(b, tasks[i]->task_id, ROUSE_RUNNING);
        if (rows[i].stage)
            assert_string_equal(now->ext.stage, rows[i].stage);
        rouse_task_free(now);
    }
    assert_works(rouse_task_complete(b->manager, "t", "first", NULL, &err));
    for (int i = 0; i < 4; i++) {
        bench_pass(b, 15000);
        bench_dispatch(b);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_task *end = bench_get(b, tasks[i]->task_id, rows[i].end);
        if (rows[i].ended_by)
            assert_string_equal(end->ext.ended_by, rows[i].ended_by);
        rouse_task_free(end);
        rouse_task_free(tasks[i]);
    }
}

struct hunt {
    struct bench *b;
    atomic_bool over;
    size_t cancelled, missed;
};

/* Cancels whatever it can see running. */
static void *cancel_what_is_seen(void *data)
{
    struct hunt *h = data;
    for (bool last = false; !last;) {
        rouse_task_list *list = NULL;
        last = atomic_load(&h->over);
        if (rouse_task_list_get(h->b->manager, &(rouse_task_filter){.thread = "t", .running_only = true}, &list, NULL) < 0)
            return "no list";
        for (size_t i = 0; i < rouse_task_list_count(list); i++) {
            size_t count = 0;
            const char *id = rouse_task_list_at(list, i)->task_id;
            if (rouse_task_cancel(h->b->manager, id, &(rouse_cancel){.has_grace = true}, &count, NULL) < 0)
                return "a cancel failed";
            h->cancelled += count;
            h->missed += count == 0;
        }
        rouse_task_list_free(list);
    }
    return NULL;
}

static void defect_29_what_is_seen_can_be_cancelled(void **state)
{
    enum { N = 300 };
    struct hunt h = {.b = *state};
    pthread_t hunter;
    void *why = NULL;
    assert_int_equal(pthread_create(&hunter, NULL, cancel_what_is_seen, &h), 0);
    for (int i = 0; i < N; i++)
        rouse_task_free(bench_start(h.b, &parked));
    atomic_store(&h.over, true);
    assert_int_equal(pthread_join(hunter, &why), 0);
    if (why)
        fail_msg("%s", (const char *)why);
    assert_int_equal(h.missed, 0);
    assert_int_equal(h.cancelled, N);
    assert_int_equal(rouse_task_has_running(h.b->manager, "t", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(defect_02_two_managers_see_one_truth),
        BENCH_TEST(defect_07_two_managers_give_no_id_twice),
        BENCH_TEST(defect_09_owners_stay),
        BENCH_TEST(defect_12_ended_tasks_take_no_memory),
        BENCH_TEST(defect_15_names),
        BENCH_TEST(defect_18_tasks_can_be_told_when_and_how_often),
        BENCH_TEST(defect_29_what_is_seen_can_be_cancelled),
    };
    return check_run(tests, NULL, NULL);
}
