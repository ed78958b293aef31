/* Lists by everything they can be asked for, pages that stay what they are, and the counts. */
#include "support/bench.h"

struct want {
    const char *what;
    rouse_task_filter filter; /* tree, before: index of the task as text */
    const char *ids;          /* numbers, newest first */
};

/* 0 a; 1 below 0, queue q running; 2 below 1, in q waiting, labelled; 3 of thread u, failed; 4 below 0, completed */
static void make_tasks(struct bench *b)
{
    const rouse_task_spec all[] = {
        {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .name = "a"},
        {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .parent = {.task_id = "bg_0"}, .queue = "q"},
        {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .parent = {.task_id = "bg_1"}, .queue = "q",
         .labels = (const char *const[]){"env=test", "by=me", NULL}},
        {.thread = "u", .kind = ROUSE_KIND_EXTERNAL, .labels = (const char *const[]){"env=live", NULL}},
        {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .parent = {.task_id = "bg_0"}},
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        rouse_task_free(bench_start(b, &all[i]));
        bench_pass(b, 1000);
    }
    assert_works(rouse_task_fail(b->manager, NULL, "bg_3", "no", &err));
    assert_works(rouse_task_complete(b->manager, NULL, "bg_4", NULL, &err));
}

static const char *ids_of(struct bench *b, const rouse_task_filter *filter)
{
    static char text[256];
    rouse_task_list *list;
    size_t at = 0;
    text[0] = '\0';
    assert_works(rouse_task_list_get(b->manager, filter, &list, &err));
    for (size_t i = 0; i < rouse_task_list_count(list); i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? " " : "", rouse_task_list_at(list, i)->task_id + 3);
    rouse_task_list_free(list);
    return text;
}

static void test_filters(void **state)
{
    struct bench *b = *state;
    const uint64_t from = b->now_ms;
    make_tasks(b);
    const struct want rows[] = {
        {"all", {0}, "4 3 2 1 0"},
        {"thread", {.thread = "t"}, "4 2 1 0"},
        {"running", {.running_only = true}, "2 1 0"},
        {"status", {.by_status = true, .status = ROUSE_FAILED}, "3"},
        {"tree", {.tree = "bg_0"}, "4 2 1 0"},
        {"tree by name", {.thread = "t", .tree = "a"}, "4 2 1 0"},
        {"running of a tree", {.tree = "bg_0", .running_only = true}, "2 1 0"},
        {"lower tree", {.tree = "bg_1"}, "2 1"},
        {"page of a tree", {.tree = "bg_0", .before = "bg_4", .limit = 2}, "2 1"},
        {"queue", {.queue = "q"}, "2 1"},
        {"running of a queue", {.queue = "q", .running_only = true}, "2 1"},
        {"running of a queue, in a thread", {.thread = "u", .queue = "q", .running_only = true}, ""},
        {"no queue", {.queue = "other", .running_only = true}, ""},
        {"label", {.label = "env=test"}, "2"},
        {"label with any value", {.label = "env"}, "3 2"},
        {"beginning of a label", {.label = "en"}, ""},
        {"since", {.since_ms = from + 3000}, "4 3"},
        {"until", {.until_ms = from + 1000}, "0"},
        {"between", {.since_ms = from + 1000, .until_ms = from + 3000}, "2 1"},
        {"children", {.parent = "bg_0"}, "4 1"},
        {"page", {.before = "bg_2"}, "1 0"},
        {"page with a filter", {.before = "bg_4", .label = "env", .limit = 1}, "3"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = ids_of(b, &rows[i].filter);
        if (strcmp(got, rows[i].ids) != 0)
            fail_msg("%s: '%s' instead of '%s'", rows[i].what, got, rows[i].ids);
    }
    rouse_task_list *list;
    assert_refused(rouse_task_list_get(b->manager, &(rouse_task_filter){.tree = "bg_77"}, &list, &err), ROUSE_ENOTFOUND, "bg_77");
    assert_refused(rouse_task_list_get(b->manager, &(rouse_task_filter){.before = "bg_77"}, &list, &err), ROUSE_ENOTFOUND, "bg_77");
}

/* All pages together are the list as it was, whatever is started between them. */
static void test_pages_are_stable(void **state)
{
    enum { N = 50 };
    struct bench *b = *state;
    char before[32] = "", seen[512] = "", want[512] = "";
    size_t at = 0, wanted = 0;
    for (int i = 0; i < N; i++)
        rouse_task_free(bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL}));
    for (int i = N - 1; i >= 0; i--)
        wanted += (size_t)snprintf(want + wanted, sizeof want - wanted, "%d ", i);
    for (;;) {
        rouse_task_list *list;
        assert_works(rouse_task_list_get(b->manager, &(rouse_task_filter){.before = before[0] ? before : NULL, .limit = 7}, &list, &err));
        size_t count = rouse_task_list_count(list);
        for (size_t i = 0; i < count; i++) {
            snprintf(before, sizeof before, "%s", rouse_task_list_at(list, i)->task_id);
            at += (size_t)snprintf(seen + at, sizeof seen - at, "%s ", before + 3);
        }
        rouse_task_list_free(list);
        if (count == 0)
            break;
        rouse_task_free(bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL}));
    }
    assert_string_equal(seen, want);
}

static void test_stats(void **state)
{
    struct bench *b = *state;
    rouse_stats s;
    make_tasks(b);
    assert_works(rouse_manager_stats(b->manager, NULL, &s, &err));
    assert_int_equal(s.running, 3);
    assert_int_equal(s.waiting, 1);
    assert_int_equal(s.oldest_waiting_ms, 3000);
    assert_int_equal(s.completed, 1);
    assert_int_equal(s.failed, 1);
    assert_int_equal(s.cancelled, 0);
    assert_int_equal(s.took_p50_ms, 1000); /* of 1000 and 2000 */
    assert_int_equal(s.took_p95_ms, 2000);
    assert_int_equal(s.unread, 2);
    assert_int_equal(s.n_queues, 1);
    assert_string_equal(s.queues[0].name, "q");
    assert_int_equal(s.queues[0].running, 1);
    assert_int_equal(s.queues[0].waiting, 1);
    assert_works(rouse_manager_stats(b->manager, "u", &s, &err));
    assert_int_equal(s.running, 0);
    assert_int_equal(s.failed, 1);
    assert_int_equal(s.n_queues, 0);
}

/* More queues than are told: those first by name. */
static void test_many_queues(void **state)
{
    struct bench *b = *state;
    rouse_stats s;
    for (int i = 99; i >= 0; i--) {
        char name[16];
        snprintf(name, sizeof name, "q%02d", i);
        rouse_task_free(bench_start(b, &(rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .queue = name}));
    }
    assert_works(rouse_manager_stats(b->manager, NULL, &s, &err));
    assert_int_equal(s.n_queues, 64);
    assert_string_equal(s.queues[0].name, "q00");
    assert_string_equal(s.queues[63].name, "q63");
    assert_int_equal(s.queues[63].running, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {BENCH_TEST(test_filters), BENCH_TEST(test_pages_are_stable), BENCH_TEST(test_stats),
                                       BENCH_TEST(test_many_queues)};
    return check_run(tests, NULL, NULL);
}
