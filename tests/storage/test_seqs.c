/* The numbers of entries in a SQLite store: those of tasks tell their ids, all of them the order, and the counter of tasks stays above
 * them without being written. And what a start leaves to be counted later: whoever looks finds it counted. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "place.h"
#include "storage/sqlite.h"

static int64_t ask(rouse_store *store, const char *sql)
{
    const struct sqlite_store *s = store->backend;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void run_sql(rouse_store *store, const char *sql)
{
    const struct sqlite_store *s = store->backend;
    assert_int_equal(sqlite3_exec(s->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void put(rouse_store *store, const char *thread, const char *entry)
{
    rouse_error err = {0};
    assert_fine(put_item(store, thread, entry, &(struct item){.live = true, .text = "x"}, &err), &err);
}

struct starting {
    const char *thread, *also; /* put before the task, NULL: nothing */
    uint64_t number;
    rouse_batch *batch;
};

static int prepare(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    struct starting *starting = userdata;
    char id[32];
    starting->number = number;
    snprintf(id, sizeof id, "bg_%llu", (unsigned long long)number);
    int code = 0;
    if (starting->also)
        code = rouse_batch_add(starting->batch, &plain_key, item_put(starting->also, &(struct item){.text = "x"}), err);
    if (code == 0)
        code = rouse_batch_add(starting->batch, &items_key, item_put(id, &(struct item){.live = true, .text = "x"}), err);
    commit->batch = starting->batch;
    return code;
}

static uint64_t start(rouse_store *store, const char *thread, const char *also)
{
    struct starting starting = {.also = also, .batch = rouse_batch_new()};
    rouse_commit commit = {.thread = thread, .prepare = prepare, .userdata = &starting, .n_numbers = 1};
    rouse_error err = {0};
    assert_fine(rouse_store_commit(store, &commit, NULL, &err), &err);
    rouse_batch_free(starting.batch);
    return starting.number;
}

/* In a store just opened, so that nothing is remembered. */
static uint64_t start_anew(const char *place)
{
    rouse_store *store = open_store(place);
    uint64_t number = start(store, "t", NULL);
    rouse_store_close(store);
    return number;
}

static void remove_item(rouse_store *store, const char *thread, const char *entry)
{
    rouse_batch *batch = rouse_batch_new();
    rouse_error err = {0};
    assert_fine(rouse_batch_add(batch, &items_key, item_remove(entry), &err), &err);
    assert_fine(rouse_store_commit(store, &(rouse_commit){.thread = thread, .batch = batch}, NULL, &err), &err);
    rouse_batch_free(batch);
}

#define INDEXED "SELECT count(*) FROM entry INDEXED BY entry_place WHERE entry > '' AND " SQL_UNTOLD("")

static void test_tasks_tell_their_ids(void **state)
{
    rouse_store *store = open_store(*state);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(start(store, i % 2 ? "t" : "u", NULL), i);
    assert_int_equal(ask(store, INDEXED), 0);
    assert_int_equal(ask(store, "SELECT count(*) FROM entry WHERE entry = 'bg_' || (seq - (1 << 20 << 20) >> 16)"), 5);
    assert_int_equal(ask(store, "SELECT value FROM place WHERE id = 1"), 0);
    put(store, "t", "word");
    put(store, "t", "word");
    put(store, "t", "bg_3"); /* of this thread */
    put(store, "t", "bg_2"); /* of the other: this one is another */
    put(store, "t", "bg_2");
    assert_int_equal(ask(store, INDEXED), 2);
    assert_int_equal(ask(store, "SELECT count(*) FROM entry"), 7);
    assert_int_equal(start(store, "t", "before"), 5);
    rouse_store_close(store);
    assert_int_equal(start_anew(*state), 6);
}

static void test_counter_outlives_the_newest(void **state)
{
    rouse_store *store = open_store(*state);
    rouse_error err = {0};
    for (int i = 0; i < 3; i++)
        start(store, "t", NULL);
    remove_item(store, "t", "bg_2");
    rouse_store_close(store);
    assert_int_equal(start_anew(*state), 3);
    store = open_store(*state);
    const char empty[] = "{\"revision\":9,\"extensions\":{}}";
    assert_fine(rouse_store_import(store, "t", empty, strlen(empty), NULL, &err), &err);
    assert_int_equal(ask(store, "SELECT count(*) FROM entry"), 0);
    rouse_store_close(store);
    assert_int_equal(start_anew(*state), 4);
    store = open_store(*state);
    assert_fine(put_item(store, "t", "bg_4", &(struct item){.ended_ms = 5, .text = "x"}, &err), &err);
    rouse_rows *gone = NULL;
    assert_fine(rouse_store_prune(store, &items_key, &(rouse_prune){.all = true, .limit = 10}, &gone, &err), &err);
    rouse_rows_free(gone);
    assert_int_equal(ask(store, "SELECT count(*) FROM entry"), 0);
    rouse_store_close(store);
    assert_int_equal(start_anew(*state), 5);
}

static void test_order_is_of_creation(void **state)
{
    static const char *const wanted[] = {"bg_2", "x", "bg_1", "bg_7", "bg_0"};
    rouse_store *store = open_store(*state);
    rouse_batch *batch = rouse_batch_new();
    rouse_rows *rows = NULL;
    rouse_error err = {0};
    for (size_t i = 0; i < 5; i++)
        assert_fine(rouse_batch_add(batch, &items_key, item_put(wanted[i], &(struct item){.live = true}), &err), &err);
    assert_fine(rouse_store_commit(store, &(rouse_commit){.thread = "t", .batch = batch}, NULL, &err), &err);
    rouse_batch_free(batch);
    assert_fine(rouse_store_list(store, &items_key, &(rouse_query){.thread = "t"}, &rows, &err), &err);
    assert_int_equal(rouse_rows_count(rows), 5);
    for (size_t i = 0; i < 5; i++) {
        const char *entry;
        rouse_rows_at(rows, i, NULL, &entry);
        assert_string_equal(entry, wanted[4 - i]);
    }
    rouse_rows_free(rows);
    assert_int_equal(start(store, "t", NULL), 8);
    rouse_store_close(store);
}

/* So many others were made after a task that their numbers are those of tasks to come. */
static void test_numbers_are_passed_over(void **state)
{
    rouse_store *store = open_store(*state);
    start(store, "t", NULL);
    put(store, "t", "many");
    run_sql(store, "UPDATE entry SET seq = seq + 65533 WHERE entry = 'many'");
    for (int i = 0; i < 4; i++) {
        char entry[16];
        snprintf(entry, sizeof entry, "more%d", i);
        put(store, "t", entry);
        put(store, "t", entry);
    }
    assert_int_equal(ask(store, "SELECT count(*) FROM entry WHERE seq & 65535 = 0 AND entry LIKE 'more_'"), 1);
    assert_int_equal(ask(store, INDEXED), 5);
    assert_int_equal(start(store, "t", NULL), 2);
    rouse_store_close(store);
    assert_int_equal(start_anew(*state), 3);
}

static void test_numbers_too_large_to_tell(void **state)
{
    rouse_store *store = open_store(*state);
    put(store, "t", "bg_2147483646");
    put(store, "t", "bg_2147483647");
    put(store, "t", "bg_2147483647");
    put(store, "t", "bg_9223372036854775809");
    assert_int_equal(ask(store, INDEXED), 2);
    rouse_store_close(store);
    assert_true(start_anew(*state) == UINT64_C(9223372036854775810));
}

/* ---- late entries ---- */

#define PLACE "SELECT %s FROM place WHERE thread = 't' AND key = '%s'"

static int64_t of_place(rouse_store *store, const char *column, const char *key)
{
    char sql[128];
    snprintf(sql, sizeof sql, PLACE, column, key);
    return ask(store, sql);
}

static uint64_t count_live(rouse_store *store, const char *thread)
{
    rouse_overview overview;
    rouse_error err = {0};
    assert_fine(rouse_store_overview(store, &items_key, thread, NULL, &overview, &err), &err);
    uint64_t live = overview.live;
    rouse_overview_done(&overview);
    return live;
}

static void say_bad(int level, const char *text, void *userdata)
{
    (void)userdata;
    if (level > 1)
        print_message("# %s\n", text);
}

/* What a handle that knows nothing finds, and doctor. */
static void look(const char *place, uint64_t live, uint64_t revision)
{
    rouse_store *store = open_store(place);
    rouse_error err = {0};
    assert_int_equal(count_live(store, "t"), live);
    assert_int_equal(read_revision(store, "t"), revision);
    assert_in_range(rouse_store_check(store, say_bad, NULL, &err), 0, 1);
    rouse_store_close(store);
}

static void test_starts_are_late(void **state)
{
    rouse_store *store = open_store(*state);
    start(store, "t", NULL);
    int64_t written = of_place(store, "value", "");
    for (int i = 0; i < 4; i++)
        start(store, "t", NULL);
    assert_int_equal(of_place(store, "value", ""), written);
    assert_int_equal(of_place(store, "live", "items"), 0);
    assert_int_equal(count_live(store, "t"), 5);
    assert_int_equal(count_live(store, NULL), 5);
    assert_int_equal(read_revision(store, "t"), 5);
    look(*state, 5, 5);
    rouse_store_close(store);
}

/* One row for each thing that may happen to a place with late entries: another handle finds the same as the one that did it. */
struct late_row {
    const char *name;
    void (*act)(rouse_store *store);
    uint64_t live, revision; /* of five that were started */
    bool counted;            /* nothing is late afterwards */
};

static void end_one(rouse_store *store)
{
    rouse_error err = {0};
    assert_fine(put_item(store, "t", "bg_3", &(struct item){.ended_ms = 5, .text = "x"}, &err), &err);
}

static void change_one(rouse_store *store)
{
    put(store, "t", "bg_3");
}

static void remove_last(rouse_store *store)
{
    remove_item(store, "t", "bg_4");
}

static void add_other(rouse_store *store)
{
    put(store, "t", "word");
}

static void count_up(rouse_store *store)
{
    rouse_error err = {0};
    assert_fine(add_count(store, "t", 1, &err), &err);
}

static void start_and_more(rouse_store *store)
{
    start(store, "t", "also");
}

static void in_another_thread(rouse_store *store)
{
    start(store, "u", NULL);
    put(store, "u", "word");
}

static void try_in_vain(rouse_store *store)
{
    rouse_batch *batch = rouse_batch_new();
    rouse_error err = {0};
    assert_fine(rouse_batch_add(batch, &items_key, item_put("bg_9", &(struct item){.live = true}), &err), &err);
    rouse_post post = {.thread = "t", .task_id = "bg_9", .json = "{}"};
    const rouse_run run = {.id = "", .status = "none"};
    rouse_commit commit = {.thread = "t", .batch = batch, .posts = &post, .n_posts = 1, .run_record = &run};
    assert_true(rouse_store_commit(store, &commit, NULL, &err) < 0);
    rouse_batch_free(batch);
}

static void import(rouse_store *store)
{
    const char document[] = "{\"revision\":9,\"extensions\":{\"items\":{\"tasks\":{\"a\":"
                            "{\"live\":true,\"name\":\"\",\"parent\":\"\",\"run\":\"\",\"text\":\"\"}}}}}";
    rouse_error err = {0};
    assert_fine(rouse_store_import(store, "t", document, strlen(document), NULL, &err), &err);
}

static const struct late_row late_rows[] = {
    {"one ends", end_one, 4, 6, true},
    {"one changes", change_one, 5, 6, false},
    {"the newest is removed", remove_last, 4, 6, true},
    {"another entry is made", add_other, 6, 6, true},
    {"another key is written", count_up, 5, 6, false},
    {"a task is started with something else", start_and_more, 6, 6, false},
    {"another thread", in_another_thread, 5, 5, false},
    {"a commit that fails", try_in_vain, 5, 5, false},
    {"an import", import, 1, 9, true},
};

static void test_late_entries_are_counted(void **state)
{
    for (size_t i = 0; i < sizeof late_rows / sizeof *late_rows; i++) {
        const struct late_row *row = &late_rows[i];
        char name[32], place[PLACE_SIZE + 32];
        snprintf(name, sizeof name, "%zu", i);
        snprintf(place, sizeof place, "%s/%s", (const char *)*state, name);
        rouse_store *store = open_store(place);
        for (int n = 0; n < 5; n++)
            start(store, "t", NULL);
        row->act(store);
        print_message("# %s\n", row->name);
        assert_int_equal(count_live(store, "t"), row->live);
        assert_int_equal(read_revision(store, "t"), row->revision);
        assert_int_equal((uint64_t)of_place(store, "live", "items") == row->live, row->counted);
        look(place, row->live, row->revision);
        start(store, "t", NULL);
        look(place, row->live + 1, row->revision + 1);
        rouse_store_close(store);
    }
}

static void test_late_entries_are_few(void **state)
{
    rouse_store *store = open_store(*state);
    for (uint64_t i = 1; i <= LIMIT_LATE + 1; i++)
        start(store, "t", NULL);
    assert_int_equal(of_place(store, "live", "items"), LIMIT_LATE + 1);
    assert_int_equal(of_place(store, "value", ""), LIMIT_LATE + 1);
    start(store, "t", NULL);
    assert_int_equal(of_place(store, "live", "items"), LIMIT_LATE + 1);
    rouse_store_close(store);
    look(*state, LIMIT_LATE + 2, LIMIT_LATE + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tasks_tell_their_ids, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_counter_outlives_the_newest, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_order_is_of_creation, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_are_passed_over, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_too_large_to_tell, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_starts_are_late, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_late_entries_are_counted, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_late_entries_are_few, place_set_up, place_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
