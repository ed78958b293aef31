/* Conformance: entries of maps, their order, lists, names. */
#include <stdio.h>
#include <string.h>

#include "conformance.h"

/* ---- maps ---- */

static void test_snapshot_holds_live_entries_in_order(void **state)
{
    struct fixture *f = *state;
    assert_fine(put_item(f->store, "t", "bg_2", &running, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "bg_0", &running, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "bg_1", &running, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "bg_0", &ended, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "bg_2", &(struct item){.live = true, .text = "again"}, &f->err), &f->err);
    assert_fine(put_item(f->store, "u", "bg_9", &running, &f->err), &f->err);
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(f->store, "t", NULL, &snapshot, &f->err), &f->err);
    assert_int_equal(rouse_snapshot_revision(snapshot), 5);
    assert_int_equal(rouse_snapshot_count(snapshot, &items_key), 2);
    const char *entry;
    const struct item *first = rouse_snapshot_at(snapshot, &items_key, 0, &entry);
    assert_string_equal(entry, "bg_2");
    assert_string_equal(first->text, "again");
    rouse_snapshot_at(snapshot, &items_key, 1, &entry);
    assert_string_equal(entry, "bg_1");
    assert_null(rouse_snapshot_get(snapshot, &items_key, "bg_0"));
    /* A snapshot never shows a later commit. */
    assert_fine(put_item(f->store, "t", "bg_1", &ended, &f->err), &f->err);
    assert_non_null(rouse_snapshot_get(snapshot, &items_key, "bg_1"));
    rouse_snapshot_unref(snapshot);
}

static void test_maps_of_a_run(void **state)
{
    struct fixture *f = *state;
    struct item named = {.live = true, .name = "n", .text = "x"};
    add(f, &run_items_key, item_put("a", &named));
    add(f, &run_items_key, item_put("b", &ended));
    add(f, &items_key, item_put("a", &named)); /* the same entry and name, but of the thread */
    assert_fine(commit(f, "t"), &f->err);
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(f->store, "t", "run-1", &snapshot, &f->err), &f->err);
    assert_int_equal(rouse_snapshot_count(snapshot, &run_items_key), 1);
    assert_int_equal(rouse_snapshot_count(snapshot, &items_key), 1);
    assert_non_null(rouse_snapshot_get(snapshot, &run_items_key, "a"));
    rouse_snapshot_unref(snapshot);
    assert_string_equal(list(f, NULL), "a");
    rouse_rows *rows = NULL;
    assert_failed(rouse_store_list(f->store, &run_items_key, NULL, &rows, &f->err), &f->err, ROUSE_EINVAL, NULL);
    empty_batch(f);
    add(f, &run_items_key, item_clear());
    assert_fine(commit(f, "t"), &f->err);
    assert_string_equal(list(f, NULL), "a");
    assert_export(f, "t", "run-1",
                  "{\"revision\":2,\"extensions\":{\"items\":{\"tasks\":{\"a\":{\"live\":true,\"name\":\"n\",\"parent\":\"\","
                  "\"run\":\"\",\"text\":\"x\"}}},\"run_items\":{}}}");
}

static void test_remove_and_clear(void **state)
{
    struct fixture *f = *state;
    assert_fine(put_item(f->store, "t", "a", &running, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "b", &ended, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "c", &running, &f->err), &f->err);
    add(f, &items_key, item_remove("a"));
    add(f, &items_key, item_remove("none"));
    assert_fine(commit(f, "t"), &f->err);
    assert_string_equal(list(f, NULL), "c b");
    empty_batch(f);
    add(f, &items_key, item_clear());
    add(f, &items_key, item_put("d", &running));
    add(f, &items_key, item_put("b", &running));
    assert_fine(commit(f, "t"), &f->err);
    assert_string_equal(list(f, NULL), "b d");
    empty_batch(f);
    add(f, &items_key, item_clear());
    assert_fine(commit(f, "t"), &f->err);
    assert_string_equal(list(f, NULL), "");
    /* Emptied is not absent. */
    assert_export(f, "t", NULL, "{\"revision\":6,\"extensions\":{\"items\":{\"tasks\":{}}}}");
}

struct listing {
    const char *label;
    rouse_query query;
    const char *want;
};

/* The rows of fill_for_listing: entry, thread, live, name, parent, run. */
static const struct listing listings[] = {
    {"all", {0}, "e d c b a"},
    {"of a thread", {.thread = "t"}, "d c b a"},
    {"of another", {.thread = "u"}, "e"},
    {"of nobody", {.thread = "v"}, ""},
    {"an entry anywhere", {.entry = "e"}, "e"},
    {"an entry in its thread", {.entry = "b", .thread = "t"}, "b"},
    {"an entry elsewhere", {.entry = "b", .thread = "u"}, ""},
    {"live", {.live_only = true}, "e d b"},
    {"live of a thread", {.live_only = true, .thread = "t"}, "d b"},
    {"finished", {.finished_only = true}, "c a"},
    {"finished of a thread", {.finished_only = true, .thread = "t"}, "c a"},
    {"by name", {.name = "n"}, "e c b"},
    {"by name in a thread", {.name = "n", .thread = "t"}, "c b"},
    {"by name, live", {.name = "n", .thread = "t", .live_only = true}, "b"},
    {"by parent", {.parent = "a"}, "d c"},
    {"by parent, live", {.parent = "a", .live_only = true}, "d"},
    {"by run", {.run = "r"}, "e a"},
    {"by run in a thread", {.run = "r", .thread = "t"}, "a"},
    {"before one", {.before = "c"}, "b a"},
    {"before one, of a thread", {.before = "d", .thread = "t", .limit = 2}, "c b"},
    {"before the first", {.before = "a"}, ""},
    {"limited", {.limit = 2}, "e d"},
    {"limited beyond the maximum", {.limit = 1000000}, "e d c b a"},
};

static void fill_for_listing(struct fixture *f)
{
    struct item a = {.live = false, .run = "r", .text = "a"};
    struct item b = {.live = true, .name = "n", .text = "b"};
    struct item c = {.live = false, .name = "n", .parent = "a", .text = "c"};
    struct item d = {.live = true, .parent = "a", .text = "d"};
    struct item e = {.live = true, .name = "n", .run = "r", .text = "e"};
    assert_fine(put_item(f->store, "t", "a", &a, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "b", &b, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "c", &c, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "d", &d, &f->err), &f->err);
    assert_fine(put_item(f->store, "u", "e", &e, &f->err), &f->err);
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    fill_for_listing(f);
    for (int round = 0; round < 2; round++) { /* twice: statements are kept */
        for (size_t i = 0; i < sizeof listings / sizeof *listings; i++) {
            const char *got = list(f, &listings[i].query);
            if (strcmp(got, listings[i].want) != 0)
                fail_msg("%s: '%s' instead of '%s'", listings[i].label, got, listings[i].want);
        }
    }
}

static void test_list_values(void **state)
{
    struct fixture *f = *state;
    fill_for_listing(f);
    rouse_rows *rows = NULL;
    assert_fine(rouse_store_list(f->store, &items_key, &(rouse_query){.entry = "e"}, &rows, &f->err), &f->err);
    const char *thread, *entry;
    const struct item *item = rouse_rows_at(rows, 0, &thread, &entry);
    assert_string_equal(thread, "u");
    assert_string_equal(entry, "e");
    assert_string_equal(item->name, "n");
    assert_string_equal(item->run, "r");
    assert_ptr_equal(rouse_rows_at(rows, 0, NULL, NULL), item);
    rouse_rows_free(rows);
    rouse_rows_free(NULL);
}

static void test_list_errors(void **state)
{
    struct fixture *f = *state;
    fill_for_listing(f);
    rouse_rows *rows = NULL;
    int code = rouse_store_list(f->store, &items_key, &(rouse_query){.before = "zz"}, &rows, &f->err);
    assert_failed(code, &f->err, ROUSE_ENOTFOUND, NULL);
    code = rouse_store_list(f->store, &items_key, &(rouse_query){.before = "e", .thread = "t"}, &rows, &f->err);
    assert_failed(code, &f->err, ROUSE_ENOTFOUND, NULL);
    code = rouse_store_list(f->store, &items_key, &(rouse_query){.live_only = true, .finished_only = true}, &rows, &f->err);
    assert_failed(code, &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_store_list(f->store, &count_key, NULL, &rows, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_store_list(f->store, NULL, NULL, &rows, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_null(rows);
}

static void test_same_entry_in_two_threads(void **state)
{
    struct fixture *f = *state;
    assert_fine(put_item(f->store, "t", "bg_1", &(struct item){.live = true, .text = "of t"}, &f->err), &f->err);
    assert_fine(put_item(f->store, "u", "bg_1", &(struct item){.live = true, .text = "of u"}, &f->err), &f->err);
    assert_string_equal(list(f, &(rouse_query){.entry = "bg_1"}), "bg_1 bg_1");
    rouse_rows *rows = NULL;
    assert_fine(rouse_store_list(f->store, &items_key, &(rouse_query){.entry = "bg_1", .thread = "t"}, &rows, &f->err),
                &f->err);
    assert_int_equal(rouse_rows_count(rows), 1);
    assert_string_equal(((const struct item *)rouse_rows_at(rows, 0, NULL, NULL))->text, "of t");
    rouse_rows_free(rows);
}

static void test_name_in_use(void **state)
{
    struct fixture *f = *state;
    struct item named = {.live = true, .name = "web", .text = "x"};
    struct item over = {.live = false, .name = "web", .text = "x"};
    const char *text = "a running task named 'web' already exists";
    assert_fine(put_item(f->store, "t", "bg_0", &named, &f->err), &f->err);
    assert_failed(put_item(f->store, "t", "bg_1", &named, &f->err), &f->err, ROUSE_ECONFLICT, text);
    assert_int_equal(read_revision(f->store, "t"), 1);
    assert_fine(put_item(f->store, "u", "bg_2", &named, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "bg_0", &named, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "bg_0", &over, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "bg_1", &named, &f->err), &f->err);
    assert_failed(put_item(f->store, "t", "bg_3", &named, &f->err), &f->err, ROUSE_ECONFLICT, text);
    assert_string_equal(list(f, &(rouse_query){.thread = "t"}), "bg_1 bg_0");
}

/* New tasks of one commit may be written together: the one that is refused is still named, and nothing of the others stays. */
static void test_one_of_many_is_refused(void **state)
{
    struct fixture *f = *state;
    char entry[16], name[16], want[512] = "";
    for (int turn = 0; turn < 2; turn++) {
        empty_batch(f);
        for (int i = 0; i < 25; i++) {
            struct item item = {.live = i != 7, .name = name, .text = "x"};
            snprintf(entry, sizeof entry, "bg_%d", i);
            snprintf(name, sizeof name, "n%d", turn == 0 && i == 16 ? 12 : i);
            add(f, &items_key, item_put(entry, &item));
        }
        int code = commit(f, "t");
        if (turn == 0)
            assert_failed(code, &f->err, ROUSE_ECONFLICT, "a running task named 'n12' already exists");
        else
            assert_fine(code, &f->err);
        assert_string_equal(list(f, &(rouse_query){.entry = "bg_3"}), turn == 0 ? "" : "bg_3");
    }
    for (int i = 24; i >= 0; i--)
        snprintf(want + strlen(want), sizeof want - strlen(want), i ? "bg_%d " : "bg_%d", i);
    assert_string_equal(list(f, NULL), want);
    assert_string_equal(list(f, &(rouse_query){.finished_only = true}), "bg_7");
}

/* ---- the table ---- */

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_snapshot_holds_live_entries_in_order),
    CONFORMANCE_TEST(test_maps_of_a_run),
    CONFORMANCE_TEST(test_remove_and_clear),
    CONFORMANCE_TEST(test_list),
    CONFORMANCE_TEST(test_list_values),
    CONFORMANCE_TEST(test_list_errors),
    CONFORMANCE_TEST(test_same_entry_in_two_threads),
    CONFORMANCE_TEST(test_name_in_use),
    CONFORMANCE_TEST(test_one_of_many_is_refused),
};

int main(void)
{
    return conformance_run("storage/store_maps", tests, sizeof tests / sizeof *tests);
}
