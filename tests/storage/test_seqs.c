/* The numbers of entries in a SQLite store: those of tasks tell their ids, all of them the order, and the counter of tasks stays above
 * them without being written. */
#include <stdio.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tasks_tell_their_ids, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_counter_outlives_the_newest, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_order_is_of_creation, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_are_passed_over, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_too_large_to_tell, place_set_up, place_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
