/* Every statement of the SQLite backend finds its rows by an index, and in the order that it wants them. What does not is in the
 * table below, with the reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"
#include "storage/sqlite.h"

struct exception {
    const char *statement, *step; /* how the step's description begins */
    const char *why;
};

static const struct exception exceptions[] = {
    {"LIVE_MISCOUNTED", "SCAN p", "doctor looks at everything"},
    {"LIVE_COUNT", "SCAN p",
     "a row for each key of each thread; only for a limit of the whole store (limits.per_store)"},
    {"ENTRY_UNPLACED", "SCAN e", "doctor"},
    {"ENTRY_AHEAD", "SCAN e", "doctor"},
    {"ENTRY_SHAPES", "SCAN entry", "doctor"},
    {"ENTRY_FINISHED", "SCAN entry USING INDEX entry_ended", "doctor"},
    {"INBOX_TWICE", "", "doctor"},
    {"MESSAGE_GAPS", "SCAN message USING COVERING INDEX message_place", "doctor"},
    {"ENTRY_PUT_ROWS", "SCAN 10 CONSTANT ROWS", "those that are put"},
    {"QUEUE_HELD", "SCAN (subquery-1)", "counts what was found, up to the limit"},
    {"QUEUE_CLAIMED", "SCAN (subquery-1)", "the same"},
    {"PRUNE_KEEP_ANY", "SCAN e USING INDEX entry_ended",
     "walks from the newest to the one that stays; a prune of all threads"},
    {"KEEP_OLDEST", "SCAN entry USING INDEX entry_ended", "the first few, in order"},
    {"KEEP_OLDEST", "SCAN e", "of those"},
    {"INBOX_WAITING_ANY", "",
     "the first page of all threads' unread events sorts them; the later ones walk (INBOX_WAITING_LATER)"},
};

#define NAME(name, text) {#name, text},
static const struct {
    const char *name, *text;
} fixed[] = {SQLITE_STATEMENTS(NAME)};

static bool is_excepted(const char *name, const char *step)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++) {
        if (strcmp(exceptions[i].statement, name) == 0 &&
            strncmp(step, exceptions[i].step, strlen(exceptions[i].step)) == 0)
            return true;
    }
    return false;
}

/* How many steps look at all rows of something, or sort. */
static int count_bad(sqlite3 *db, const char *name, const char *text)
{
    char sql[4096];
    sqlite3_stmt *statement = NULL;
    int bad = 0;
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", text);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", name, sqlite3_errmsg(db));
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(statement, 3);
        bool good = strncmp(step, "SCAN ", 5) != 0 && strncmp(step, "USE TEMP B-TREE", 15) != 0;
        if (good || strncmp(step, "SCAN CONSTANT ROW", 17) == 0 || is_excepted(name, step))
            continue;
        print_message("%s: %s\n", name, step);
        bad++;
    }
    sqlite3_finalize(statement);
    return bad;
}

static void test_fixed_statements(void **state)
{
    rouse_store *store = open_store(*state);
    const struct sqlite_store *s = store->backend;
    int bad = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (strstr(fixed[i].text, " "))
            bad += count_bad(s->db, fixed[i].name, fixed[i].text);
    }
    rouse_store_close(store);
    assert_int_equal(bad, 0);
}

static int list_by(rouse_store *store, unsigned mask)
{
    const rouse_query query = {
        .thread = mask & LIST_BY_THREAD ? "t" : NULL,
        .entry = mask & LIST_BY_ENTRY ? "bg_1" : NULL,
        .name = mask & LIST_BY_NAME ? "n" : NULL,
        .parent = mask & LIST_BY_PARENT ? "bg_0" : NULL,
        .run = mask & LIST_BY_RUN ? "r" : NULL,
        .live_only = mask & LIST_BY_LIVE,
        .finished_only = mask & LIST_BY_FINISHED,
        .before = mask & LIST_BY_BEFORE ? "bg_0" : NULL,
        .queue = mask & LIST_BY_QUEUE ? "q" : NULL,
        .limit = 1,
    };
    rouse_rows *rows = NULL;
    int code = rouse_store_list(store, &items_key, &query, &rows, NULL);
    rouse_rows_free(code == 0 ? rows : NULL);
    return code;
}

/* One id or one name is of few rows, and a queue is short: these are sorted. What is not of one thread and not narrowed otherwise is
 * walked: the table from its end, until the page is full; or all live entries, whose numbers are sorted. */
static bool may_be_bad(unsigned mask)
{
    bool of_all = !(mask & (LIST_BY_THREAD | LIST_BY_PARENT | LIST_BY_RUN));
    return (mask & (LIST_BY_ENTRY | LIST_BY_NAME | LIST_BY_QUEUE)) || of_all;
}

static void test_lists(void **state)
{
    rouse_store *store = open_store(*state);
    const struct sqlite_store *s = store->backend;
    rouse_error err = {0};
    int bad = 0, made = 0;
    assert_fine(put_item(store, "t", "bg_0", &(struct item){.live = true, .text = "x"}, &err), &err);
    for (unsigned mask = 0; mask < LIST_FILTERS; mask++) {
        char name[32];
        if (list_by(store, mask) != 0) /* both live and finished, or in a queue and not live */
            continue;
        assert_non_null(s->lists[mask]);
        snprintf(name, sizeof name, "list %u", mask);
        if (!may_be_bad(mask))
            bad += count_bad(s->db, name, sqlite3_sql(s->lists[mask]));
        made++;
    }
    rouse_store_close(store);
    assert_int_equal(made, 256);
    assert_int_equal(bad, 0);
}

/* Every command asks at its start what is live of a key of few entries, in all threads: others' entries must not cost. */
static void test_live_of_few(void **state)
{
    rouse_store *store = open_store(*state);
    const struct sqlite_store *s = store->backend;
    rouse_batch *batch = rouse_batch_new();
    rouse_commit commit = {.thread = "t", .batch = batch};
    rouse_error err = {0};
    for (int i = 0; i < 1000; i++) {
        char entry[32];
        snprintf(entry, sizeof entry, "bg_%d", i);
        assert_fine(rouse_batch_add(batch, &items_key, item_put(entry, &(struct item){.live = i % 2}), &err), &err);
    }
    assert_fine(rouse_batch_add(batch, &plain_key, item_put("one", &(struct item){.text = "x"}), &err), &err);
    assert_fine(rouse_store_commit(store, &commit, NULL, &err), &err);
    rouse_batch_free(batch);
    rouse_rows *rows = NULL;
    assert_fine(rouse_store_list(store, &plain_key, &(rouse_query){.live_only = true}, &rows, &err), &err);
    assert_int_equal(rouse_rows_count(rows), 1);
    rouse_rows_free(rows);
    assert_in_range(sqlite3_stmt_status(s->lists[LIST_BY_LIVE], SQLITE_STMTSTATUS_VM_STEP, 0), 1, 200);
    rouse_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fixed_statements, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_lists, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_live_of_few, place_set_up, place_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
