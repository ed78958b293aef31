/* The view: which tasks come first, whatever there is of others, and that it says the same for the same. */
#include "support/bench.h"
#include "task/keys.h"

#define NOW 1700000000000u

/* Records as they are stored: bg_<n> with a stage and a deadline. */
struct row {
    unsigned n;
    const char *stage;
    uint64_t deadline_ms;
    rouse_status status;
};

static void store_rows(struct bench *b, const struct row *rows, size_t count)
{
    rouse_error err = {0};
    for (size_t i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "bg_%u", rows[i].n);
        const rouse_task task = {.task_id = id, .owner_thread_id = "t", .task_type = "x", .description = "d", .status = rows[i].status,
                                 .error = rows[i].status == ROUSE_FAILED ? "no" : NULL, .created_at_ms = NOW - 100,
                                 .has_completed_at = rows[i].status != ROUSE_RUNNING, .completed_at_ms = NOW, .has_ext = true,
                                 .ext = {.kind = "external", .stage = rows[i].stage, .deadline_ms = rows[i].deadline_ms, .exit_code = -1}};
        rouse_batch *batch = rouse_batch_new();
        assert_int_equal(rouse_batch_add(batch, &rouse_task_state_key, rouse_task_upsert(&task), &err), 0);
        char json[128];
        snprintf(json, sizeof json, "{\"error\":\"no\",\"kind\":\"failed\",\"task_id\":\"%s\"}", id);
        const rouse_post post = {.thread = "t", .task_id = id, .json = json, .topic = ROUSE_TOPIC_FAILURE};
        rouse_commit commit = {.thread = "t", .batch = batch, .posts = &post, .n_posts = rows[i].status == ROUSE_FAILED};
        assert_int_equal(rouse_store_commit(b->store, &commit, NULL, &err), 0);
        rouse_batch_free(batch);
    }
}

/* The ids of the lines, and the number in the last one. */
static void read_ids(const char *text, char *fill, size_t size)
{
    size_t at = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        unsigned n;
        char id[16] = "";
        if (sscanf(line, "%15s", id) == 1 && strncmp(id, "bg_", 3) == 0)
            at += (size_t)snprintf(fill + at, size - at, "%s%s", at ? " " : "", id + 3);
        else if (sscanf(line, "and %u more", &n) == 1)
            at += (size_t)snprintf(fill + at, size - at, " +%u", n);
    }
}

static void check_view(struct bench *b, size_t budget, const char *ids)
{
    char *first = NULL, *again = NULL, got[512] = "";
    rouse_error err = {0};
    assert_int_equal(rouse_view_render(b->manager, "t", budget, &first, &err), 0);
    assert_int_equal(rouse_view_render(b->manager, "t", budget, &again, &err), 0);
    assert_string_equal(first, again);
    assert_true(strlen(first) <= (budget ? budget : 1500));
    read_ids(first, got, sizeof got);
    assert_string_equal(got, ids);
    free(first);
    free(again);
}

#define SOON (NOW + 50000)
#define LATER (NOW + 5000000)

static const struct order {
    const char *what;
    struct row rows[16];
    size_t count;
    const char *ids;
} orders[] = {
    {"newest first", {{1, NULL, 0, 0}, {2, NULL, 0, 0}, {3, NULL, 0, 0}}, 3, "3 2 1"},
    {"waiting for input, failed, near its deadline (the nearest first), others",
     {{1, NULL, SOON, 0}, {2, NULL, SOON - 1, 0}, {3, NULL, 0, ROUSE_FAILED}, {4, NULL, LATER, 0}, {5, "waiting_input", 0, 0},
      {6, NULL, 0, 0}, {7, "waiting_input", SOON, 0}, {8, NULL, 0, ROUSE_COMPLETED}},
     8, "7 5 3 2 1 6 4"},
    {"the longest behind five", {{1, NULL, 0, 0}, {2, NULL, 0, 0}, {3, NULL, 0, 0}, {4, NULL, 0, 0}, {5, NULL, 0, 0}, {6, NULL, 0, 0},
                                 {7, NULL, 0, 0}, {8, NULL, 0, 0}}, 8, "8 7 6 5 4 1 3 2"},
    {"the longest that is not pressing", {{1, NULL, SOON, 0}, {2, NULL, 0, 0}, {3, NULL, 0, 0}, {4, NULL, 0, 0}, {5, NULL, 0, 0},
                                          {6, NULL, 0, 0}, {7, NULL, 0, 0}, {8, NULL, 0, 0}, {9, NULL, 0, 0}}, 9, "1 9 8 7 6 5 2 4 3"},
    {"the longest is the sixth", {{1, NULL, 0, 0}, {2, NULL, 0, 0}, {3, NULL, 0, 0}, {4, NULL, 0, 0}, {5, NULL, 0, 0}, {6, NULL, 0, 0}},
     6, "6 5 4 3 2 1"},
    {"past its deadline", {{1, NULL, NOW - 5, 0}, {2, NULL, 0, 0}}, 2, "1 2"},
    {"none", {{1, NULL, 0, ROUSE_COMPLETED}}, 1, ""},
};

static void test_order(void **state)
{
    bool memory = ((struct bench *)*state)->memory;
    for (size_t i = 0; i < COUNT(orders); i++) {
        void *one = NULL;
        assert_int_equal(memory ? bench_memory(&one) : bench_directory(&one), 0);
        store_rows(one, orders[i].rows, orders[i].count);
        check_view(one, 0, orders[i].ids);
        bench_done(&one);
    }
}

static void start_external(struct bench *b, size_t count, bool end)
{
    rouse_error err = {0};
    const rouse_task_spec spec = {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .description = "d"};
    const rouse_task_spec *specs[500];
    rouse_task *tasks[500];
    rouse_ending endings[500];
    for (size_t i = 0; i < count; i++)
        specs[i] = &spec;
    assert_int_equal(rouse_task_start_many(b->manager, specs, count, tasks, &err), 0);
    for (size_t i = 0; i < count; i++)
        endings[i] = (rouse_ending){.id = tasks[i]->task_id};
    if (end)
        assert_int_equal(rouse_task_end_many(b->manager, "t", endings, count, &err), (int)count);
    for (size_t i = 0; i < count; i++)
        rouse_task_free(tasks[i]);
}

/* What is left out is counted, and what is old but pressing is there, however many are in between. */
static void test_many(void **state)
{
    struct bench *b = *state;
    start_external(b, 2, false); /* bg_0, bg_1 */
    static const struct row waits[] = {{900000, "waiting_input", 0, 0}};
    store_rows(b, waits, 1);
    for (int i = 0; i < 3; i++)
        start_external(b, 500, false);
    start_external(b, 500, true);
    check_view(b, 360, "900000 901500 901499 901498 +1499");
    check_view(b, 510, "900000 901500 901499 901498 901497 901496 0 +1496");
}

/* A failure behind more unread events than anybody would read is still shown. */
static void test_failure_behind_a_thousand_events(void **state)
{
    struct bench *b = *state;
    start_external(b, 500, true);
    start_external(b, 500, true);
    static const struct row failed[] = {{5000, NULL, 0, ROUSE_FAILED}};
    store_rows(b, failed, 1);
    check_view(b, 0, "5000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {BENCH_TEST(test_order), BENCH_TEST(test_many),
                                       BENCH_TEST(test_failure_behind_a_thousand_events)};
    return check_run(tests, NULL, NULL);
}
