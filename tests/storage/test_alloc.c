/* Lack of memory: the n-th allocation fails, of ours or of SQLite's, for every n. A call then fails with ROUSE_ENOMEM and has
 * changed nothing, or it has done all of its work; the handle goes on working; nothing leaks (a sanitizer's business). */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/fail_alloc.h"
#include "base/error.h"
#include "place.h"

#define MOST 20000 /* allocations in one operation; more means that it never gets through */
#define MANY 24    /* tasks of one commit */

static sqlite3_mem_methods real_memory;

static void *sqlite_malloc(int size)
{
    return fail_alloc_now() ? NULL : real_memory.xMalloc(size);
}

static void *sqlite_realloc(void *at, int size)
{
    return fail_alloc_now() ? NULL : real_memory.xRealloc(at, size);
}

/* Must come before SQLite's first use. */
static int install(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    sqlite3_mem_methods failing = real_memory;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    return 0;
}

struct scene {
    char place[PLACE_SIZE];
    const char *where; /* to open */
    rouse_store *store;
    rouse_store *keeper; /* never the last to close, so that closing the other need not tidy up */
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    place_make(s->place);
    s->where = *state ? *state : s->place;
    s->store = open_store(s->where);
    s->keeper = open_store(s->where);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    rouse_store_close(s->store);
    rouse_store_close(s->keeper);
    place_remove(s->place);
    free(s);
    return 0;
}

/* ---- operations; each returns what the call under test returned ---- */

static int op_open(struct scene *s, rouse_error *err)
{
    rouse_store *store = NULL;
    int code = rouse_store_open(s->where, NULL, &store, err);
    if (code == 0)
        code = items_register(store, err);
    rouse_store_close(store);
    return code;
}

static int op_create(struct scene *s, rouse_error *err)
{
    rouse_store *store = NULL;
    char where[PLACE_SIZE + 8];
    snprintf(where, sizeof where, "%s/new", s->place);
    int code = rouse_store_open(where, NULL, &store, err);
    rouse_store_close(store);
    return code;
}

struct preparing {
    rouse_batch *batch;
    char entry[32];
    rouse_post post;
};

static int prepare(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    struct preparing *p = userdata;
    static char text[6000]; /* more than a page holds */
    memset(text, 'x', sizeof text - 1);
    struct item item = {.live = number % 2, .text = text, .parent = "bg_0", .run = "r"};
    snprintf(p->entry, sizeof p->entry, "bg_%llu", (unsigned long long)number);
    void *update = item_put(p->entry, &item);
    if (!update)
        return rouse_fail_memory(err);
    int code = rouse_batch_add(p->batch, &items_key, update, err);
    p->post = (rouse_post){.thread = "t", .task_id = p->entry, .json = "{}", .topic = ROUSE_TOPIC_FAILURE};
    commit->posts = &p->post;
    commit->n_posts = 1;
    commit->batch = p->batch;
    return code;
}

/* Everything a commit can hold, but for acknowledgements. */
static int op_commit(struct scene *s, rouse_error *err)
{
    static unsigned long unique;
    struct preparing p = {.batch = rouse_batch_new()};
    if (!p.batch)
        return rouse_fail_memory(err);
    char id[32];
    snprintf(id, sizeof id, "m%lu", unique++);
    static char json[6000];
    snprintf(json, sizeof json, "\"%05900d\"", 0);
    rouse_message message = {.id = id, .role = "user", .json = json};
    rouse_run run = {.id = "run", .status = "running"};
    void *update = count_add(1);
    int code = update ? rouse_batch_add(p.batch, &count_key, update, err) : rouse_fail_memory(err);
    rouse_commit commit = {
        .thread = "t", .prepare = prepare, .userdata = &p, .messages = &message, .n_messages = 1, .run_record = &run};
    if (code == 0)
        code = rouse_store_commit(s->store, &commit, NULL, err);
    rouse_batch_free(p.batch);
    return code;
}

/* More new rows than are written by one statement. */
static int prepare_many(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    int code = 0;
    for (uint64_t i = 0; i < MANY && code == 0; i++) {
        char entry[32];
        snprintf(entry, sizeof entry, "bg_%llu", (unsigned long long)(number + i));
        void *update = item_put(entry, &(struct item){.live = true, .text = "x", .name = i % 5 ? NULL : entry});
        code = update ? rouse_batch_add(userdata, &items_key, update, err) : rouse_fail_memory(err);
    }
    commit->batch = userdata;
    return code;
}

static int op_many(struct scene *s, rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    if (!batch)
        return rouse_fail_memory(err);
    rouse_commit commit = {.thread = "many", .prepare = prepare_many, .userdata = batch, .n_numbers = MANY};
    int code = rouse_store_commit(s->store, &commit, NULL, err);
    rouse_batch_free(batch);
    return code;
}

static int op_snapshot(struct scene *s, rouse_error *err)
{
    rouse_snapshot *snapshot = NULL;
    int code = rouse_store_snapshot(s->store, "t", "run", &snapshot, err);
    rouse_snapshot_unref(snapshot);
    return code;
}

static int op_list(struct scene *s, rouse_error *err)
{
    rouse_rows *rows = NULL;
    rouse_query query = {.thread = "t", .parent = "bg_0", .before = "bg_3"};
    int code = rouse_store_list(s->store, &items_key, &query, &rows, err);
    rouse_rows_free(rows);
    return code;
}

static int op_inbox(struct scene *s, rouse_error *err)
{
    rouse_events *events = NULL;
    int code = rouse_store_inbox(s->store, "t", 0, true, 0, &events, err);
    rouse_events_free(events);
    return code;
}

static int op_topic(struct scene *s, rouse_error *err)
{
    rouse_events *events = NULL;
    int code = rouse_store_topic(s->store, "t", ROUSE_TOPIC_FAILURE, 0, 0, &events, err);
    rouse_events_free(events);
    return code;
}

static int op_overview(struct scene *s, rouse_error *err)
{
    const rouse_ends ends = {.due_by = 9, .due = 5, .newest = 5, .oldest = 5};
    rouse_overview overview = {0};
    int code = rouse_store_overview(s->store, &items_key, "t", &ends, &overview, err);
    rouse_overview_done(&overview);
    return code;
}

static int op_messages(struct scene *s, rouse_error *err)
{
    rouse_messages *messages = NULL;
    int code = rouse_store_messages(s->store, "t", 0, 0, &messages, err);
    rouse_messages_free(messages);
    return code;
}

static int op_last_run(struct scene *s, rouse_error *err)
{
    rouse_run *run = NULL;
    int code = rouse_store_last_run(s->store, "t", &run, err);
    rouse_run_free(run);
    return code;
}

static int op_export(struct scene *s, rouse_error *err)
{
    char *json = NULL;
    int code = rouse_store_export(s->store, "t", "run", &json, err);
    free(json);
    return code;
}

static int op_import(struct scene *s, rouse_error *err)
{
    static const char document[] =
        "{\"revision\":7,\"extensions\":{\"count\":3,\"items\":{\"tasks\":{"
        "\"bg_9\":{\"live\":true,\"name\":\"n\",\"parent\":\"\",\"run\":\"\",\"text\":\"i\"},"
        "\"x\":{\"live\":false,\"name\":\"n\",\"parent\":\"\",\"run\":\"\",\"text\":\"i\"}}}}}";
    return rouse_store_import(s->store, "imported", document, strlen(document), NULL, err);
}

/* Entries that come, change their name and parent, lose them to others, and go: much to undo. */
static int op_change(struct scene *s, rouse_error *err)
{
    static const char *const names[] = {"n", "o", "p", "q"};
    static unsigned long round;
    struct item a = {.live = true, .name = names[round * 2 % 4], .parent = names[round % 3], .run = "r", .text = "x", .due_ms = 5};
    struct item b = {.live = true, .name = names[(round * 2 + 1) % 4], .text = "y"};
    void *updates[] = {item_remove("gone"), item_remove("b"),  item_put("a", &a),
                       item_put("b", &b),   item_put("gone", &a), item_put("gone", &(struct item){.live = true})};
    rouse_batch *batch = rouse_batch_new();
    int code = batch ? 0 : rouse_fail_memory(err);
    if (code == 0 && round % 4 == 0)
        code = rouse_batch_add(batch, &items_key, item_clear(), err);
    for (size_t i = 0; i < sizeof updates / sizeof *updates; i++) {
        if (code == 0)
            code = rouse_batch_add(batch, &items_key, updates[i], err);
        else if (updates[i])
            items_key.release_update(updates[i]);
    }
    rouse_commit commit = {.thread = "u", .batch = batch};
    if (code == 0)
        code = rouse_store_commit(s->store, &commit, NULL, err);
    rouse_batch_free(batch);
    round += code == 0 ? 1 : 0;
    return code;
}

static void hear(int level, const char *text, void *userdata)
{
    (void)level;
    (void)text;
    (void)userdata;
}

static int op_check(struct scene *s, rouse_error *err)
{
    int code = rouse_store_check(s->store, hear, NULL, err);
    return code < 0 ? code : 0;
}

static int op_bell(struct scene *s, rouse_error *err)
{
    int fd = -1;
    int code = rouse_store_bell_open(s->store, &fd, err);
    if (fd >= 0)
        close(fd);
    return code;
}

static void no_hook(const char *thread, uint64_t before, uint64_t after, size_t operations, rouse_snapshot *snapshot,
                 void *userdata)
{
    (void)thread;
    (void)before;
    (void)after;
    (void)operations;
    (void)snapshot;
    (void)userdata;
}

static int op_hook(struct scene *s, rouse_error *err)
{
    return rouse_store_on_commit(s->store, no_hook, NULL, err);
}

struct operation {
    const char *label;
    int (*run)(struct scene *s, rouse_error *err);
    unsigned long revisions; /* what one success adds to thread "t" */
    bool alone;              /* does not use the handle */
};

static const struct operation operations[] = {
    {"create", op_create, 0, true},
    {"open", op_open, 0, true},
    {"commit", op_commit, 1, false},
    {"many", op_many, 0, false},
    {"change", op_change, 0, false},
    {"snapshot", op_snapshot, 0, false},
    {"list", op_list, 0, false},
    {"inbox", op_inbox, 0, false},
    {"topic", op_topic, 0, false},
    {"overview", op_overview, 0, false},
    {"messages", op_messages, 0, false},
    {"last run", op_last_run, 0, false},
    {"export", op_export, 0, false},
    {"import", op_import, 0, false},
    {"check", op_check, 0, false},
    {"bell", op_bell, 0, false},
    {"hook", op_hook, 0, false},
    {"commit that is shown", op_commit, 1, false},
};

/* ---- the loop ---- */

/* All that a commit does together is there together. */
static void assert_whole(struct scene *s, uint64_t revision)
{
    rouse_error err = {0};
    rouse_overview many = {0};
    assert_fine(rouse_store_overview(s->store, &items_key, "many", NULL, &many, &err), &err);
    assert_int_equal(many.live, MANY * read_revision(s->store, "many"));
    rouse_overview_done(&many);
    rouse_rows *rows = NULL;
    rouse_events *events = NULL;
    rouse_messages *messages = NULL;
    assert_int_equal(read_revision(s->store, "t"), revision);
    assert_int_equal(read_count(s->store, "t"), revision);
    assert_fine(rouse_store_list(s->store, &items_key, &(rouse_query){.thread = "t"}, &rows, &err), &err);
    assert_fine(rouse_store_inbox(s->store, "t", 0, true, 0, &events, &err), &err);
    assert_fine(rouse_store_messages(s->store, "t", 0, 0, &messages, &err), &err);
    assert_int_equal(rouse_rows_count(rows), revision);
    assert_int_equal(rouse_events_count(events), revision);
    assert_int_equal(rouse_messages_count(messages), revision);
    rouse_rows_free(rows);
    rouse_events_free(events);
    rouse_messages_free(messages);
}

/* Making a store takes 14,000 allocations, nearly all of them SQLite's while it reads the schema: behind the first 1,000 every
 * seventh is enough, or all of them with $ROUSE_EVERY. */
static unsigned long after(const struct operation *op, unsigned long n)
{
    return op->alone && n >= 1000 && !getenv("ROUSE_EVERY") ? n + 7 : n + 1;
}

/* Statements are kept, so a handle that was used before allocates less: fresh opens a new one for every n. */
static void starve(struct scene *s, const struct operation *op, enum fail_alloc how, bool fresh)
{
    uint64_t revision = read_revision(s->store, "t");
    unsigned long n = 1;
    for (bool failed = true; failed; n = after(op, n)) {
        assert_true(n < MOST);
        if (fresh && !op->alone) {
            rouse_store_close(s->store);
            s->store = open_store(s->where);
        }
        rouse_error err = {0};
        fail_alloc_at(n, how);
        int code = op->run(s, &err);
        failed = fail_alloc_stop();
        if (code != 0 && (!failed || code != ROUSE_ENOMEM || err.code != ROUSE_ENOMEM))
            fail_msg("%s, allocation %lu: %d: %s", op->label, n, code, err.message);
        revision += code == 0 ? op->revisions : 0;
        if (op->revisions)
            assert_whole(s, revision);
        if (s->where != s->place) /* looks at every link of a store in memory */
            assert_int_equal(rouse_store_check(s->store, hear, NULL, &err), 0);
    }
    assert_whole(s, revision);
    bool needs_none = op->run == op_check && s->where != s->place;
    assert_true(n > 2 || needs_none); /* something did fail */
}

static void starve_all(struct scene *s, enum fail_alloc how, bool fresh)
{
    rouse_error err = {0};
    for (int i = 0; i < 4; i++)
        assert_fine(op_commit(s, &err), &err);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        bool makes_files = operations[i].run == op_create;
        if (makes_files && s->where != s->place)
            continue;
        if (how != FAIL_ONCE || !fresh || !operations[i].alone) /* once is enough for what does not use the handle */
            starve(s, &operations[i], how, fresh);
    }
}

static void test_one_fails(void **state)
{
    starve_all(*state, FAIL_ONCE, false);
}

static void test_one_fails_on_a_new_handle(void **state)
{
    starve_all(*state, FAIL_ONCE, true);
}

static void test_all_fail_from_one_on(void **state)
{
    starve_all(*state, FAIL_FROM_THEN_ON, true);
}

/* A store in memory begins empty, so its handle stays; the clean-up of a change that failed needs no memory. */
static void test_memory(void **state)
{
    rouse_error err = {0};
    starve_all(*state, FAIL_ONCE, false);
    for (int i = 0; i < 5; i++)
        assert_fine(op_change(*state, &err), &err);
    starve_all(*state, FAIL_FROM_THEN_ON, false);
}

static char in_memory[] = "memory:";

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_fails_on_a_new_handle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_fail_from_one_on, set_up, tear_down),
        {"test_memory", test_memory, set_up, tear_down, in_memory},
    };
    return cmocka_run_group_tests_name("storage/alloc", tests, install, NULL);
}
