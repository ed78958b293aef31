/* Conformance: export and import. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

/* ---- export and import ---- */

static void test_export(void **state)
{
    struct fixture *f = *state;
    assert_export(f, "t", NULL, "{\"revision\":0,\"extensions\":{}}");
    add(f, &items_key, item_put("bg_1", &ended));
    add(f, &items_key, item_put("q\"\n", &running));
    add(f, &plain_key, item_put("p", &running));
    add(f, &count_key, count_add(-5));
    assert_fine(commit(f, "t"), &f->err);
    assert_export(
        f, "t", NULL,
        "{\"revision\":1,\"extensions\":{\"count\":-5,"
        "\"items\":{\"tasks\":{\"bg_1\":{\"live\":false,\"name\":\"\",\"parent\":\"\",\"run\":\"\",\"text\":\"e\"},"
        "\"q\\\"\\n\":{\"live\":true,\"name\":\"\",\"parent\":\"\",\"run\":\"\",\"text\":\"r\"}}},"
        "\"plain\":{\"p\":{\"live\":true,\"name\":\"\",\"parent\":\"\",\"run\":\"\",\"text\":\"r\"}}}}");
}

static void test_unregistered_keys_are_skipped(void **state)
{
    struct fixture *f = *state;
    add(f, &count_key, count_add(1));
    add(f, &items_key, item_put("a", &running));
    assert_fine(commit(f, "t"), &f->err);
    rouse_store_close(f->store);
    assert_fine(rouse_store_open(f->where(f->place), NULL, &f->store, &f->err), &f->err);
    assert_fine(rouse_store_register(f->store, &count_key, &f->err), &f->err);
    if (!f->durable) { /* a new store */
        assert_export(f, "t", NULL, "{\"revision\":0,\"extensions\":{}}");
        return;
    }
    assert_int_equal(read_count(f->store, "t"), 1);
    assert_export(f, "t", NULL, "{\"revision\":1,\"extensions\":{\"count\":1}}");
}

static int import(struct fixture *f, const char *thread, const char *json, const rouse_import_options *options)
{
    return rouse_store_import(f->store, thread, json, strlen(json), options, &f->err);
}

#define ITEM(live, name) "{\"live\":" live ",\"name\":\"" name "\",\"parent\":\"\",\"run\":\"\",\"text\":\"i\"}"

static void test_import_replaces(void **state)
{
    struct fixture *f = *state;
    static const char document[] = "{\"revision\":9223372036854775808,\"extensions\":{\"items\":{\"tasks\":{\"bg_7\":" ITEM(
        "true", "n") ",\"bg_3\":" ITEM("false", "") "}},\"run_count\":2}}";
    add(f, &count_key, count_add(1));
    add(f, &run_key, count_add(1));
    add(f, &items_key, item_put("old", &running));
    assert_fine(commit(f, "t"), &f->err);
    assert_fine(import(f, "t", document, &(rouse_import_options){.run = "run-1"}), &f->err);
    assert_export(f, "t", "run-1", document);
    reopen(f);
    assert_export(f, "t", "run-1", document);
    assert_string_equal(list(f, &(rouse_query){.live_only = true, .name = "n"}), "bg_7");
    struct preparing p = {0};
    assert_fine(commit_prepared(f, &p), &f->err);
    assert_int_equal(p.number, 8);
    assert_true(read_revision(f->store, "t") == 9223372036854775809ull);
}

static void test_import_thread_only(void **state)
{
    struct fixture *f = *state;
    add(f, &count_key, count_add(1));
    add(f, &items_key, item_put("old", &running));
    add(f, &run_key, count_add(3));
    assert_fine(commit(f, "t"), &f->err);
    rouse_import_options options = {.thread_only = true, .run = "run-1"};
    assert_fine(import(f, "t", "{\"revision\":9,\"extensions\":{\"items\":{\"tasks\":{}},\"run_count\":2}}", &options),
                &f->err);
    assert_export(f, "t", "run-1",
                  "{\"revision\":1,\"extensions\":{\"count\":1,\"items\":{\"tasks\":{}},\"run_count\":3}}");
}

static void test_import_skips_runs_and_transient(void **state)
{
    struct fixture *f = *state;
    assert_fine(import(f, "t", "{\"revision\":2,\"extensions\":{\"run_count\":2,\"scratch\":1,\"count\":4}}", NULL), &f->err);
    assert_export(f, "t", NULL, "{\"revision\":2,\"extensions\":{\"count\":4}}");
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(f->store, "t", NULL, &snapshot, &f->err), &f->err);
    assert_null(rouse_snapshot_get(snapshot, &scratch_key, NULL));
    rouse_snapshot_unref(snapshot);
}

struct bad_import {
    const char *json;
    int code;
    const char *message; /* NULL = any */
};

#define IN_DOCUMENT(extensions) "{\"revision\":9,\"extensions\":{\"count\":5," extensions "}}"

static const struct bad_import bad_imports[] = {
    {"", ROUSE_EDATA, NULL},
    {"{}", ROUSE_EDATA, NULL},
    {"[]", ROUSE_EDATA, NULL},
    {"{\"revision\":1}", ROUSE_EDATA, NULL},
    {"{\"revision\":-1,\"extensions\":{}}", ROUSE_EDATA, NULL},
    {"{\"revision\":1.0,\"extensions\":{}}", ROUSE_EDATA, NULL},
    {"{\"revision\":18446744073709551616,\"extensions\":{}}", ROUSE_EDATA, NULL},
    {"{\"revision\":1,\"extensions\":[]}", ROUSE_EDATA, NULL},
    {"{\"revision\":1,\"extensions\":{}} x", ROUSE_EDATA, NULL},
    {"{\"revision\":1,\"extensions\":{\"count\":5", ROUSE_EDATA, NULL},
    {IN_DOCUMENT("\"stranger\":1"), ROUSE_EINVAL, "unknown key: stranger"},
    {IN_DOCUMENT("\"scratch\":1,\"items\":{}"), ROUSE_EDATA, NULL},
    {IN_DOCUMENT("\"items\":{\"tasks\":[]}"), ROUSE_EDATA, NULL},
    {IN_DOCUMENT("\"items\":{\"tasks\":{\"bg_0\":" ITEM("true", "") ",\"bg_1\":{}}}"), ROUSE_EDATA, NULL},
    {IN_DOCUMENT("\"items\":{\"tasks\":{\"\":" ITEM("true", "") "}}"), ROUSE_EDATA, NULL},
    {IN_DOCUMENT("\"items\":{\"tasks\":{\"bg_18446744073709551615\":" ITEM("false", "") "}}"), ROUSE_EDATA,
     "failed to decode key items: 'bg_18446744073709551615' would leave no number for another task"},
    {IN_DOCUMENT("\"items\":{\"tasks\":{\"bg_0\":" ITEM("true", "web") ",\"bg_1\":" ITEM("true", "web") "}}"),
     ROUSE_ECONFLICT, "a running task named 'web' already exists"},
};

static void defect_26_bad_imports_change_nothing(void **state)
{
    struct fixture *f = *state;
    add(f, &count_key, count_add(1));
    add(f, &items_key, item_put("old", &running));
    assert_fine(commit(f, "t"), &f->err);
    char *before = export(f, "t", NULL);
    for (size_t i = 0; i < sizeof bad_imports / sizeof *bad_imports; i++) {
        const struct bad_import *row = &bad_imports[i];
        for (int thread_only = 0; thread_only < 2; thread_only++) {
            rouse_import_options options = {.thread_only = thread_only};
            int code = import(f, "t", row->json, &options);
            if (code != row->code)
                fail_msg("%s: got %d", row->json, code);
            assert_failed(code, &f->err, row->code, row->message);
            assert_export(f, "t", NULL, before);
        }
    }
    free(before);
    assert_failed(import(f, "t", "{\"revision\":1,\"extensions\":{\"count\":true}}", NULL), &f->err, ROUSE_EDATA,
                  "failed to decode key count: not a whole number");
}

static void test_import_unknown_and_doubled_keys(void **state)
{
    struct fixture *f = *state;
    rouse_import_options skip = {.unknown = ROUSE_UNKNOWN_SKIP};
    assert_fine(import(f, "t", "{\"revision\":1,\"extensions\":{\"count\":1,\"x\":[{}],\"count\":2},\"more\":1}", &skip),
                &f->err);
    assert_export(f, "t", NULL, "{\"revision\":1,\"extensions\":{\"count\":2}}");
}

static void hear(const char *thread, uint64_t before, uint64_t after, size_t operations, rouse_snapshot *snapshot,
                 void *userdata)
{
    (void)thread;
    (void)before;
    (void)after;
    (void)operations;
    (void)snapshot;
    ++*(int *)userdata;
}

static void test_import_fires_no_hooks(void **state)
{
    struct fixture *f = *state;
    int heard = 0;
    assert_fine(rouse_store_on_commit(f->store, hear, &heard, &f->err), &f->err);
    assert_fine(import(f, "t", "{\"revision\":1,\"extensions\":{\"count\":1}}", NULL), &f->err);
    assert_int_equal(heard, 0);
    assert_fine(add_count(f->store, "t", 1, &f->err), &f->err);
    assert_int_equal(heard, 1);
}

static void test_last_revision(void **state)
{
    struct fixture *f = *state;
    assert_fine(import(f, "t", "{\"revision\":18446744073709551615,\"extensions\":{}}", NULL), &f->err);
    assert_failed(add_count(f->store, "t", 1, &f->err), &f->err, ROUSE_ELIMIT, NULL);
    assert_true(read_revision(f->store, "t") == UINT64_MAX);
}

/* ---- the table ---- */

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_export),
    CONFORMANCE_TEST(test_unregistered_keys_are_skipped),
    CONFORMANCE_TEST(test_import_replaces),
    CONFORMANCE_TEST(test_import_thread_only),
    CONFORMANCE_TEST(test_import_skips_runs_and_transient),
    CONFORMANCE_TEST(defect_26_bad_imports_change_nothing),
    CONFORMANCE_TEST(test_import_unknown_and_doubled_keys),
    CONFORMANCE_TEST(test_import_fires_no_hooks),
    CONFORMANCE_TEST(test_last_revision),
};

int main(void)
{
    return conformance_run("storage/store_document", tests, sizeof tests / sizeof *tests);
}
