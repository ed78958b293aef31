/* The store in memory is the model of every other: the same calls on both, at random, must give the same answers. Half of the
 * commits fail, some of them late, so that what they undo is compared as well. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"

enum { ROUNDS = 1500, ENTRIES = 12, NAMES = 4, BOTH = 2 };

struct pair {
    char place[PLACE_SIZE];
    rouse_store *stores[BOTH];
    uint64_t random;
};

static unsigned draw(struct pair *p, unsigned below)
{
    p->random = p->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(p->random >> 33) % below;
}

static const char *const threads[] = {"t", "u", "v"};
static const char *const names[NAMES] = {NULL, "web", "db", "x"};
static const char *const parents[] = {NULL, "bg_0", "bg_1"};

static const char *const queues[] = {NULL, "q", "r"};
static const char *const holders[] = {"a", "b"};

static const char *entry_name(unsigned i)
{
    static char text[16];
    snprintf(text, sizeof text, i % 3 ? "bg_%u" : "e%u", i);
    return text;
}

/* ---- one commit on both ---- */

struct step {
    unsigned what, entry, name, parent, text, due, queue;
    int priority;
    bool live, waiting;
};

static void *update_of(const struct step *step)
{
    char text[16];
    snprintf(text, sizeof text, "%u", step->text);
    struct item item = {.live = step->live, .name = names[step->name], .parent = parents[step->parent],
                        .run = parents[step->parent], .text = text, .due_ms = step->due, .queue = queues[step->queue],
                        .priority = step->priority, .waiting = step->waiting};
    if (step->what < 10)
        return item_put(entry_name(step->entry), &item);
    if (step->what < 13)
        return item_remove(entry_name(step->entry));
    return step->what == 13 ? item_clear() : item_fail();
}

static struct step draw_step(struct pair *p)
{
    unsigned what = draw(p, 60); /* mostly puts; a clear or a failure now and then */
    return (struct step){.what = what < 16 ? what : what % 10, .entry = draw(p, ENTRIES), .name = draw(p, NAMES),
                         .parent = draw(p, 3), .text = draw(p, 1000), .due = draw(p, 5), .live = draw(p, 3) > 0,
                         .queue = draw(p, 3), .priority = (int)draw(p, 3) - 1, .waiting = draw(p, 3) > 0};
}

static int apply(rouse_store *store, const char *thread, const struct step *steps, size_t count, uint64_t ack)
{
    rouse_error err = {0};
    rouse_batch *batch = rouse_batch_new();
    rouse_post post = {.thread = threads[steps[0].entry % 3], .task_id = "", .json = "{}", .topic = steps[0].due % 3};
    rouse_run run = {.id = thread, .status = "running"};
    for (size_t i = 0; i < count; i++)
        assert_fine(rouse_batch_add(batch, steps[i].entry % 5 ? &items_key : &run_items_key, update_of(&steps[i]), &err), &err);
    rouse_commit commit = {.thread = thread, .run = "run", .batch = batch, .posts = &post, .n_posts = 1, .acks = &ack,
                           .n_acks = ack ? 1 : 0, .run_record = &run};
    int code = rouse_store_commit(store, &commit, NULL, &err);
    rouse_batch_free(batch);
    return code;
}

static void step_both(struct pair *p)
{
    struct step steps[6];
    size_t count = 1 + draw(p, 6);
    const char *thread = threads[draw(p, 3)];
    uint64_t ack = draw(p, 3) ? 0 : 1 + draw(p, 400);
    for (size_t i = 0; i < count; i++)
        steps[i] = draw_step(p);
    int first = apply(p->stores[0], thread, steps, count, ack);
    int second = apply(p->stores[1], thread, steps, count, ack);
    if (first != second)
        fail_msg("one gave %d, the other %d", first, second);
}

/* ---- comparing ---- */

static char *describe_list(rouse_store *store, const rouse_query *query)
{
    rouse_error err = {0};
    rouse_rows *rows = NULL;
    int code = rouse_store_list(store, &items_key, query, &rows, &err);
    size_t size = 64 + (code == 0 ? rouse_rows_count(rows) * 64 : 0), at;
    char *text = malloc(size);
    assert_non_null(text);
    at = (size_t)snprintf(text, size, "%d:", code);
    for (size_t i = 0; code == 0 && i < rouse_rows_count(rows); i++) {
        const char *thread, *entry;
        const struct item *item = rouse_rows_at(rows, i, &thread, &entry);
        at += (size_t)snprintf(text + at, size - at, " %s/%s=%s", thread, entry, item->text);
    }
    rouse_rows_free(code == 0 ? rows : NULL);
    return text;
}

static void compare_list(struct pair *p)
{
    rouse_query query = {.limit = draw(p, 8)};
    unsigned live = draw(p, 3);
    query.thread = draw(p, 2) ? threads[draw(p, 3)] : NULL;
    query.entry = draw(p, 4) ? NULL : strdup(entry_name(draw(p, ENTRIES)));
    query.before = draw(p, 4) ? NULL : strdup(entry_name(draw(p, ENTRIES)));
    query.name = names[draw(p, NAMES) * draw(p, 2)];
    query.parent = parents[draw(p, 3) * draw(p, 2)];
    query.run = parents[draw(p, 3) * draw(p, 2)];
    query.live_only = live == 1;
    query.finished_only = live == 2;
    char *first = describe_list(p->stores[0], &query), *second = describe_list(p->stores[1], &query);
    assert_string_equal(first, second);
    free(first);
    free(second);
    free((char *)(uintptr_t)query.entry);
    free((char *)(uintptr_t)query.before);
}

static char *describe_thread(rouse_store *store, const char *thread)
{
    rouse_error err = {0};
    rouse_snapshot *snapshot = NULL;
    rouse_events *events = NULL;
    char *json = NULL;
    assert_fine(rouse_store_export(store, thread, "run", &json, &err), &err);
    assert_fine(rouse_store_snapshot(store, thread, "run", &snapshot, &err), &err);
    assert_fine(rouse_store_inbox(store, thread, 0, true, 0, &events, &err), &err);
    size_t count = rouse_snapshot_count(snapshot, &items_key), n_events = rouse_events_count(events);
    size_t at = strlen(json), size = at + count * 40 + n_events * 32 + 1;
    char *text = realloc(json, size);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        const char *entry;
        const struct item *item = rouse_snapshot_at(snapshot, &items_key, i, &entry);
        assert_ptr_equal(rouse_snapshot_get(snapshot, &items_key, entry), item);
        at += (size_t)snprintf(text + at, size - at, " %s=%s", entry, item->text);
    }
    for (size_t i = 0; i < n_events; i++) {
        const rouse_event *e = rouse_events_at(events, i);
        at += (size_t)snprintf(text + at, size - at, " %llu%s", (unsigned long long)e->id, e->acknowledged ? "+" : "");
    }
    rouse_snapshot_unref(snapshot);
    rouse_events_free(events);
    return text;
}

static void compare_threads(struct pair *p)
{
    for (size_t i = 0; i < 3; i++) {
        char *first = describe_thread(p->stores[0], threads[i]), *second = describe_thread(p->stores[1], threads[i]);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
}

static size_t describe_rows(const char *what, const rouse_rows *rows, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, " %s", what);
    for (size_t i = 0; i < rouse_rows_count(rows); i++) {
        const char *thread, *entry;
        const struct item *item = rouse_rows_at(rows, i, &thread, &entry);
        at += (size_t)snprintf(text + at, size - at, " %s/%s=%s", thread, entry, item->text);
    }
    return at;
}

static char *describe_first(rouse_store *store, const char *thread, const rouse_ends *ends)
{
    rouse_error err = {0};
    rouse_overview o;
    char text[4096];
    assert_fine(rouse_store_overview(store, &items_key, thread, ends, &o, &err), &err);
    size_t at = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)o.live);
    at += describe_rows("due", o.due, text + at, sizeof text - at);
    at += describe_rows("newest", o.newest, text + at, sizeof text - at);
    at += describe_rows("oldest", o.oldest, text + at, sizeof text - at);
    rouse_overview_done(&o);
    for (unsigned topic = ROUSE_TOPIC_FAILURE; topic <= ROUSE_TOPIC_MESSAGE; topic++) {
        rouse_events *events = NULL;
        const char *of = ends->newest % 2 ? thread : NULL;
        assert_fine(rouse_store_topic(store, of, topic, ends->due_by * 20, 5, &events, &err), &err);
        for (size_t i = 0; i < rouse_events_count(events); i++)
            at += (size_t)snprintf(text + at, sizeof text - at, " %llu", (unsigned long long)rouse_events_at(events, i)->id);
        rouse_events_free(events);
    }
    return strdup(text);
}

static void compare_first(struct pair *p)
{
    const rouse_ends ends = {.due_by = draw(p, 6), .due = draw(p, 8), .newest = draw(p, 8), .oldest = draw(p, 4)};
    const char *thread = threads[draw(p, 3)];
    char *first = describe_first(p->stores[0], thread, &ends), *second = describe_first(p->stores[1], thread, &ends);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

/* Who is claimed, in which order; claims last, so that the clock has no say. */
static char *describe_claim(rouse_store *store, const rouse_claim *claim)
{
    rouse_error err = {0};
    rouse_rows *rows = NULL;
    char text[4096];
    assert_fine(rouse_store_claim(store, &items_key, claim, &rows, &err), &err);
    describe_rows("claimed", rows, text, sizeof text);
    rouse_rows_free(rows);
    return strdup(text);
}

static void compare_claims(struct pair *p)
{
    const rouse_claim claim = {.queue = queues[1 + draw(p, 2)], .thread = draw(p, 2) ? threads[draw(p, 3)] : NULL,
                               .holder = holders[draw(p, 2)], .max_held = draw(p, 6), .limit = draw(p, 4)};
    char *first = describe_claim(p->stores[0], &claim), *second = describe_claim(p->stores[1], &claim);
    assert_string_equal(first, second);
    free(first);
    free(second);
    const char *thread = threads[draw(p, 3)], *entry = entry_name(draw(p, ENTRIES)), *holder = holders[draw(p, 2)];
    rouse_error err = {0};
    assert_int_equal(rouse_store_unclaim(p->stores[0], &items_key, thread, entry, holder, &err),
                     rouse_store_unclaim(p->stores[1], &items_key, thread, entry, holder, &err));
}

/* A document of one goes into the other: entries, order, names, counters. */
static void exchange(struct pair *p)
{
    rouse_error err = {0};
    char *json = NULL;
    const char *from = threads[draw(p, 3)], *to = threads[draw(p, 3)];
    rouse_import_options options = {.run = draw(p, 2) ? "run" : NULL, .thread_only = draw(p, 2)};
    assert_fine(rouse_store_export(p->stores[draw(p, 2)], from, "run", &json, &err), &err);
    for (size_t i = 0; i < BOTH; i++)
        assert_fine(rouse_store_import(p->stores[i], to, json, strlen(json), &options, &err), &err);
    free(json);
}

static void no_report(int level, const char *text, void *userdata)
{
    (void)level;
    (void)text;
    (void)userdata;
}

static void test_same_answers(void **state)
{
    struct pair p = {.random = 7};
    rouse_error err = {0};
    (void)state;
    place_make(p.place);
    p.stores[0] = open_store("memory:");
    p.stores[1] = open_store(p.place);
    for (unsigned i = 0; i < ROUNDS; i++) {
        step_both(&p);
        compare_list(&p);
        compare_list(&p);
        compare_first(&p);
        compare_claims(&p);
        if (i % 40 == 39)
            exchange(&p);
        if (i % 20 == 0) {
            compare_threads(&p);
            assert_int_equal(rouse_store_check(p.stores[0], no_report, NULL, &err), 0);
        }
    }
    for (size_t i = 0; i < BOTH; i++)
        rouse_store_close(p.stores[i]);
    place_remove(p.place);
}

/* ---- readers beside committers, in memory ---- */

enum { READERS = 3, COMMITS = 2000 };

struct reading {
    rouse_store *store;
    atomic_bool over;
};

/* Each commit adds one entry and one to the count: a snapshot shows both or neither. */
static void *read_on(void *userdata)
{
    struct reading *r = userdata;
    uint64_t last = 0;
    while (!atomic_load(&r->over)) {
        rouse_snapshot *s = NULL;
        if (rouse_store_snapshot(r->store, "t", NULL, &s, NULL) < 0)
            return NULL;
        const long *count = rouse_snapshot_get(s, &count_key, NULL);
        size_t entries = rouse_snapshot_count(s, &items_key);
        uint64_t revision = rouse_snapshot_revision(s);
        bool whole = revision >= last && (size_t)(count ? *count : 0) == entries && entries == revision;
        const char *name;
        if (entries > 0 && (!rouse_snapshot_at(s, &items_key, entries - 1, &name) || !rouse_snapshot_get(s, &items_key, name)))
            whole = false;
        rouse_snapshot_unref(s);
        if (!whole)
            return NULL;
        last = revision;
    }
    return userdata;
}

static void test_readers_beside_commits(void **state)
{
    struct reading r = {.store = open_store("memory:")};
    pthread_t readers[READERS];
    rouse_error err = {0};
    (void)state;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &r), 0);
    for (int i = 0; i < COMMITS; i++) {
        char entry[16];
        snprintf(entry, sizeof entry, "bg_%d", i);
        rouse_batch *batch = rouse_batch_new();
        assert_fine(rouse_batch_add(batch, &items_key, item_put(entry, &(struct item){.live = true, .text = entry}), &err), &err);
        assert_fine(rouse_batch_add(batch, &count_key, count_add(1), &err), &err);
        assert_fine(rouse_store_commit(r.store, &(rouse_commit){.thread = "t", .batch = batch}, NULL, &err), &err);
        rouse_batch_free(batch);
    }
    atomic_store(&r.over, true);
    for (int i = 0; i < READERS; i++) {
        void *result;
        assert_int_equal(pthread_join(readers[i], &result), 0);
        assert_non_null(result);
    }
    rouse_store_close(r.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_answers), cmocka_unit_test(test_readers_beside_commits)};
    return cmocka_run_group_tests_name("storage/model", tests, NULL, NULL);
}
