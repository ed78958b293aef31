/* The conformance suite: every line of rouse/store.h, on every backend. A new backend is one row in `backends`. It is longer
 * than a file should be, because a backend passes all of it or is none. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"

struct backend {
    const char *name;
    const char *(*where)(const char *place); /* what to open, given an empty directory */
};

static const char *in_directory(const char *place)
{
    return place;
}

static const char *with_scheme(const char *place)
{
    static char where[PLACE_SIZE + 16];
    snprintf(where, sizeof where, "sqlite:%s", place);
    return where;
}

static const struct backend backends[] = {
    {"sqlite", in_directory},
    {"sqlite by scheme", with_scheme},
};

struct fixture {
    const struct backend *backend;
    char place[PLACE_SIZE];
    rouse_store *store;
    rouse_batch *batch; /* for the test's use; freed at its end */
    rouse_error err;
};

static const struct item running = {.live = true, .text = "r"};
static const struct item ended = {.live = false, .text = "e"};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->backend = *state;
    place_make(f->place);
    f->store = open_store(f->backend->where(f->place));
    f->batch = rouse_batch_new();
    assert_non_null(f->batch);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rouse_batch_free(f->batch);
    rouse_store_close(f->store);
    place_remove(f->place);
    free(f);
    return 0;
}

/* Closes and opens again, so that what follows sees only what is really stored. */
static void reopen(struct fixture *f)
{
    rouse_store_close(f->store);
    f->store = open_store(f->backend->where(f->place));
}

static void add(struct fixture *f, const rouse_key *key, void *update)
{
    assert_non_null(update);
    assert_fine(rouse_batch_add(f->batch, key, update, &f->err), &f->err);
}

static int commit(struct fixture *f, const char *thread)
{
    rouse_commit c = {.thread = thread, .run = "run-1", .batch = f->batch};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

/* The entries of a list, as "bg_2 bg_0", in a static buffer. */
static const char *entries_of(const rouse_rows *rows)
{
    static char text[1024];
    text[0] = '\0';
    for (size_t i = 0; i < rouse_rows_count(rows); i++) {
        const char *entry;
        rouse_rows_at(rows, i, NULL, &entry);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", entry);
    }
    return text;
}

static const char *list(struct fixture *f, const rouse_query *query)
{
    rouse_rows *rows = NULL;
    assert_fine(rouse_store_list(f->store, &items_key, query, &rows, &f->err), &f->err);
    const char *text = entries_of(rows);
    rouse_rows_free(rows);
    return text;
}

static char *export(struct fixture *f, const char *thread, const char *run)
{
    char *json = NULL;
    assert_fine(rouse_store_export(f->store, thread, run, &json, &f->err), &f->err);
    return json;
}

static void assert_export(struct fixture *f, const char *thread, const char *run, const char *want)
{
    char *json = export(f, thread, run);
    assert_string_equal(json, want);
    free(json);
}

/* ---- opening, keys ---- */

static void test_path_and_platform(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(rouse_store_path(f->store), f->place);
    assert_non_null(rouse_store_platform(f->store));
    assert_true(rouse_store_platform(f->store)->now_ms(NULL) > 0);
}

static void test_register(void **state)
{
    struct fixture *f = *state;
    assert_ptr_equal(rouse_store_key(f->store, "items"), &items_key);
    assert_null(rouse_store_key(f->store, "other"));
    int code = rouse_store_register(f->store, &items_key, &f->err);
    assert_failed(code, &f->err, ROUSE_ECONFLICT, "key already registered: items");
    static const rouse_key nameless;
    assert_failed(rouse_store_register(f->store, &nameless, &f->err), &f->err, ROUSE_EINVAL, NULL);
}

static void test_must_exist(void **state)
{
    struct fixture *f = *state;
    rouse_store *other = NULL;
    rouse_store_options options = {.must_exist = true};
    char nowhere[PLACE_SIZE + 8];
    snprintf(nowhere, sizeof nowhere, "%s/none", f->place);
    assert_failed(rouse_store_open(nowhere, &options, &other, &f->err), &f->err, ROUSE_ENOTFOUND, NULL);
    assert_int_equal(access(nowhere, F_OK), -1);
    assert_null(other);
    assert_fine(rouse_store_open(f->backend->where(f->place), &options, &other, &f->err), &f->err);
    rouse_store_close(other);
    rouse_store_close(NULL);
}

static void test_read_only(void **state)
{
    struct fixture *f = *state;
    assert_fine(add_count(f->store, "t", 7, &f->err), &f->err);
    rouse_store_close(f->store);
    rouse_store_options options = {.read_only = true};
    assert_fine(rouse_store_open(f->backend->where(f->place), &options, &f->store, &f->err), &f->err);
    assert_fine(items_register(f->store, &f->err), &f->err);
    assert_int_equal(read_count(f->store, "t"), 7);
    assert_failed(add_count(f->store, "t", 1, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_store_import(f->store, "t", "{\"revision\":1,\"extensions\":{}}", 30, NULL, &f->err), &f->err,
                  ROUSE_EINVAL, NULL);
    assert_int_equal(read_count(f->store, "t"), 7);
}

/* ---- revisions and batches ---- */

static void test_revision_counts_commits(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = 99;
    rouse_commit c = {.thread = "t", .batch = f->batch};
    assert_fine(rouse_store_commit(f->store, &c, &revision, &f->err), &f->err);
    assert_int_equal(revision, 0);
    add(f, &count_key, count_add(1));
    add(f, &count_key, count_add(2));
    assert_fine(rouse_store_commit(f->store, &c, &revision, &f->err), &f->err);
    assert_int_equal(revision, 1);
    assert_int_equal(read_count(f->store, "t"), 3);
    assert_int_equal(read_revision(f->store, "t"), 1);
    assert_int_equal(read_revision(f->store, "other"), 0);
    reopen(f);
    assert_int_equal(read_count(f->store, "t"), 3);
    assert_int_equal(read_revision(f->store, "t"), 1);
}

static void test_base_revision(void **state)
{
    struct fixture *f = *state;
    rouse_batch_set_base(f->batch, 5);
    add(f, &count_key, count_add(1));
    assert_failed(commit(f, "t"), &f->err, ROUSE_ECONFLICT, "revision conflict: expected 5, actual 0");
    assert_int_equal(read_revision(f->store, "t"), 0);
    rouse_batch_set_base(f->batch, 0);
    assert_fine(commit(f, "t"), &f->err);
    assert_failed(commit(f, "t"), &f->err, ROUSE_ECONFLICT, "revision conflict: expected 0, actual 1");
    assert_int_equal(read_count(f->store, "t"), 1);
}

static void test_unknown_key_applies_nothing(void **state)
{
    struct fixture *f = *state;
    static rouse_key stranger;
    stranger = count_key;
    stranger.name = "stranger";
    add(f, &count_key, count_add(1));
    add(f, &stranger, count_add(1));
    assert_failed(commit(f, "t"), &f->err, ROUSE_EINVAL, "unknown key: stranger");
    assert_int_equal(read_revision(f->store, "t"), 0);
    assert_int_equal(read_count(f->store, "t"), 0);
}

static void test_reducer_failure_applies_nothing(void **state)
{
    struct fixture *f = *state;
    add(f, &count_key, count_add(1));
    add(f, &items_key, item_put("bg_0", &running));
    add(f, &items_key, item_fail());
    rouse_post post = {"t", "bg_0", "{}"};
    rouse_commit c = {.thread = "t", .batch = f->batch, .posts = &post, .n_posts = 1};
    uint64_t revision = 77;
    int code = rouse_store_commit(f->store, &c, &revision, &f->err);
    assert_failed(code, &f->err, ROUSE_ELIMIT, "told to fail");
    assert_int_equal(revision, 77);
    assert_int_equal(read_count(f->store, "t"), 0);
    assert_string_equal(list(f, NULL), "");
}

static void test_terminal_is_decided_by_the_reducer(void **state)
{
    struct fixture *f = *state;
    assert_fine(put_item(f->store, "t", "bg_0", &running, &f->err), &f->err);
    assert_fine(put_item(f->store, "t", "bg_0", &ended, &f->err), &f->err);
    reopen(f);
    assert_failed(put_item(f->store, "t", "bg_0", &running, &f->err), &f->err, ROUSE_ECONFLICT, "item already ended");
    assert_int_equal(read_revision(f->store, "t"), 2);
}

struct bad_commit {
    const char *label;
    rouse_commit commit;
    int code;
};

static const rouse_post nobody = {NULL, "", "{}"};
static const rouse_post post_without_json = {"t", "", NULL};
static const rouse_post post_without_task = {"t", NULL, "{}"};
static const rouse_message message_without_id = {.role = "user", .json = "{}"};
static const rouse_message message_without_json = {.id = "m", .role = "user"};
static const rouse_run run_without_status = {.id = "r"};

static const struct bad_commit bad_commits[] = {
    {"no thread", {.thread = NULL}, ROUSE_EINVAL},
    {"empty thread", {.thread = ""}, ROUSE_EINVAL},
    {"newline in thread", {.thread = "a\nb"}, ROUSE_EINVAL},
    {"delete in thread", {.thread = "a\x7f"}, ROUSE_EINVAL},
    {"thread is not UTF-8", {.thread = "a\xff"}, ROUSE_EINVAL},
    {"control in run", {.thread = "t", .run = "\x1b[2J"}, ROUSE_EINVAL},
    {"posts without posts", {.thread = "t", .n_posts = 1}, ROUSE_EINVAL},
    {"messages without messages", {.thread = "t", .n_messages = 1}, ROUSE_EINVAL},
    {"acks without acks", {.thread = "t", .n_acks = 1}, ROUSE_EINVAL},
    {"post to nobody", {.thread = "t", .posts = &nobody, .n_posts = 1}, ROUSE_EINVAL},
    {"post without JSON", {.thread = "t", .posts = &post_without_json, .n_posts = 1}, ROUSE_EINVAL},
    {"post without task", {.thread = "t", .posts = &post_without_task, .n_posts = 1}, ROUSE_EINVAL},
    {"message without id", {.thread = "t", .messages = &message_without_id, .n_messages = 1}, ROUSE_EINVAL},
    {"message without JSON", {.thread = "t", .messages = &message_without_json, .n_messages = 1}, ROUSE_EINVAL},
    {"run without status", {.thread = "t", .run_record = &run_without_status}, ROUSE_EINVAL},
};

static void test_bad_commits(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof bad_commits / sizeof *bad_commits; i++) {
        rouse_commit c = bad_commits[i].commit;
        int code = rouse_store_commit(f->store, &c, NULL, &f->err);
        if (code != bad_commits[i].code)
            fail_msg("%s: got %d", bad_commits[i].label, code);
    }
    char longest[258];
    memset(longest, 'x', sizeof longest);
    longest[257] = '\0';
    assert_failed(add_count(f->store, longest, 1, &f->err), &f->err, ROUSE_EINVAL, NULL);
    longest[256] = '\0';
    assert_fine(add_count(f->store, longest, 1, &f->err), &f->err);
    assert_failed(rouse_store_commit(f->store, NULL, NULL, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_store_commit(NULL, NULL, NULL, &f->err), &f->err, ROUSE_EINVAL, NULL);
}

/* ---- scopes ---- */

static void test_run_scope(void **state)
{
    struct fixture *f = *state;
    add(f, &run_key, count_add(4));
    add(f, &count_key, count_add(1));
    rouse_commit without = {.thread = "t", .batch = f->batch};
    assert_failed(rouse_store_commit(f->store, &without, NULL, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_fine(commit(f, "t"), &f->err);
    assert_export(f, "t", NULL, "{\"revision\":1,\"extensions\":{\"count\":1}}");
    assert_export(f, "t", "run-1", "{\"revision\":1,\"extensions\":{\"count\":1,\"run_count\":4}}");
    assert_export(f, "t", "run-2", "{\"revision\":1,\"extensions\":{\"count\":1}}");
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(f->store, "t", "run-1", &snapshot, &f->err), &f->err);
    assert_int_equal(*(const long *)rouse_snapshot_get(snapshot, &run_key, NULL), 4);
    rouse_snapshot_unref(snapshot);
    assert_fine(rouse_store_snapshot(f->store, "t", "run-2", &snapshot, &f->err), &f->err);
    assert_null(rouse_snapshot_get(snapshot, &run_key, NULL));
    rouse_snapshot_unref(snapshot);
}

static void test_transient_is_stored_and_not_exported(void **state)
{
    struct fixture *f = *state;
    add(f, &scratch_key, count_add(4));
    assert_fine(commit(f, "t"), &f->err);
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(f->store, "t", NULL, &snapshot, &f->err), &f->err);
    assert_int_equal(*(const long *)rouse_snapshot_get(snapshot, &scratch_key, NULL), 4);
    rouse_snapshot_unref(snapshot);
    assert_export(f, "t", NULL, "{\"revision\":1,\"extensions\":{}}");
}

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
    rouse_batch_free(f->batch);
    f->batch = rouse_batch_new();
    add(f, &items_key, item_clear());
    add(f, &items_key, item_put("d", &running));
    add(f, &items_key, item_put("b", &running));
    assert_fine(commit(f, "t"), &f->err);
    assert_string_equal(list(f, NULL), "b d");
    rouse_batch_free(f->batch);
    f->batch = rouse_batch_new();
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
    struct item a = {false, NULL, NULL, "r", "a"};
    struct item b = {true, "n", NULL, NULL, "b"};
    struct item c = {false, "n", "a", NULL, "c"};
    struct item d = {true, NULL, "a", NULL, "d"};
    struct item e = {true, "n", NULL, "r", "e"};
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
    assert_fine(put_item(f->store, "t", "bg_1", &(struct item){true, NULL, NULL, NULL, "of t"}, &f->err), &f->err);
    assert_fine(put_item(f->store, "u", "bg_1", &(struct item){true, NULL, NULL, NULL, "of u"}, &f->err), &f->err);
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
    struct item named = {true, "web", NULL, NULL, "x"};
    struct item over = {false, "web", NULL, NULL, "x"};
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

/* ---- numbers ---- */

struct preparing {
    struct fixture *f;
    uint64_t number;
    char entry[32];
    rouse_post post;
    int fail;
};

static int prepare(void *userdata, uint64_t number, rouse_commit *c, rouse_error *err)
{
    struct preparing *p = userdata;
    p->number = number;
    if (p->fail) {
        snprintf(err->message, sizeof err->message, "told to fail");
        return err->code = p->fail;
    }
    snprintf(p->entry, sizeof p->entry, "bg_%llu", (unsigned long long)number);
    add(p->f, &items_key, item_put(p->entry, &running));
    p->post = (rouse_post){"t", p->entry, "{}"};
    c->batch = p->f->batch;
    c->posts = &p->post;
    c->n_posts = 1;
    return 0;
}

static int commit_prepared(struct fixture *f, struct preparing *p)
{
    rouse_batch_free(f->batch);
    f->batch = rouse_batch_new();
    p->f = f;
    rouse_commit c = {.thread = "t", .prepare = prepare, .userdata = p};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

static void test_numbers(void **state)
{
    struct fixture *f = *state;
    struct preparing p = {0};
    assert_fine(commit_prepared(f, &p), &f->err);
    assert_int_equal(p.number, 0);
    assert_fine(commit_prepared(f, &p), &f->err);
    assert_int_equal(p.number, 1);
    assert_string_equal(list(f, NULL), "bg_1 bg_0");
    p.fail = ROUSE_EIO;
    assert_failed(commit_prepared(f, &p), &f->err, ROUSE_EIO, "told to fail");
    assert_string_equal(list(f, NULL), "bg_1 bg_0");
    p.fail = 0;
    reopen(f);
    assert_fine(commit_prepared(f, &p), &f->err);
    assert_true(p.number >= 2);
    /* Ids that came there in another way are never given out either. */
    uint64_t last = p.number;
    assert_fine(put_item(f->store, "u", "bg_100", &ended, &f->err), &f->err);
    assert_fine(put_item(f->store, "u", "bg_50", &ended, &f->err), &f->err);
    assert_fine(commit_prepared(f, &p), &f->err);
    assert_int_equal(p.number, 101);
    assert_true(p.number > last);
    add(f, &items_key, item_clear());
    assert_fine(commit(f, "u"), &f->err);
    assert_fine(commit_prepared(f, &p), &f->err);
    assert_int_equal(p.number, 102);
}

static void test_numbers_end(void **state)
{
    struct fixture *f = *state;
    struct preparing p = {0};
    assert_failed(put_item(f->store, "t", "bg_18446744073709551615", &ended, &f->err), &f->err, ROUSE_ELIMIT, NULL);
    assert_fine(put_item(f->store, "t", "bg_18446744073709551616", &ended, &f->err), &f->err); /* no number at all */
    assert_fine(put_item(f->store, "t", "bg_9223372036854775808", &ended, &f->err), &f->err);
    assert_fine(commit_prepared(f, &p), &f->err);
    assert_true(p.number == 9223372036854775809ull);
    assert_fine(put_item(f->store, "t", "bg_18446744073709551614", &ended, &f->err), &f->err);
    assert_failed(commit_prepared(f, &p), &f->err, ROUSE_ELIMIT, NULL);
}

/* ---- hooks ---- */

struct heard {
    char text[256];
    rouse_store *store;
};

static void note(struct heard *h, char who, const char *thread, uint64_t before, uint64_t after, size_t operations)
{
    size_t at = strlen(h->text);
    snprintf(h->text + at, sizeof h->text - at, "%c:%s:%llu-%llu:%zu ", who, thread, (unsigned long long)before,
             (unsigned long long)after, operations);
}

static void hook_a(const char *thread, uint64_t before, uint64_t after, size_t operations, void *userdata)
{
    struct heard *h = userdata;
    note(h, 'a', thread, before, after, operations);
    assert_int_equal(read_revision(h->store, thread), after); /* no lock is held */
}

static void hook_b(const char *thread, uint64_t before, uint64_t after, size_t operations, void *userdata)
{
    note(userdata, 'b', thread, before, after, operations);
}

static void test_hooks(void **state)
{
    struct fixture *f = *state;
    struct heard h = {.store = f->store};
    assert_fine(rouse_store_on_commit(f->store, hook_a, &h, &f->err), &f->err);
    assert_fine(rouse_store_on_commit(f->store, hook_b, &h, &f->err), &f->err);
    assert_fine(commit(f, "t"), &f->err); /* empty */
    add(f, &count_key, count_add(1));
    add(f, &count_key, count_add(1));
    assert_fine(commit(f, "t"), &f->err);
    add(f, &items_key, item_fail());
    assert_int_equal(commit(f, "t"), ROUSE_ELIMIT);
    assert_string_equal(h.text, "a:t:0-1:2 b:t:0-1:2 ");
}

static rouse_store *called_from;

static int call_store(rouse_edit *edit, const void *update, rouse_error *err)
{
    (void)edit;
    (void)update;
    assert_non_null(rouse_store_key(called_from, "calls"));
    rouse_snapshot *snapshot = NULL;
    return rouse_store_snapshot(called_from, "t", NULL, &snapshot, err);
}

static void test_reducer_that_calls_the_store(void **state)
{
    struct fixture *f = *state;
    static rouse_key calls;
    calls = count_key;
    calls.name = "calls";
    calls.reduce = call_store;
    called_from = f->store;
    assert_fine(rouse_store_register(f->store, &calls, &f->err), &f->err);
    add(f, &calls, count_add(1));
    assert_failed(commit(f, "t"), &f->err, ROUSE_EINVAL, NULL);
}

/* ---- inbox ---- */

static void post(struct fixture *f, const char *thread, const char *task, const char *json)
{
    rouse_post one = {thread, task, json};
    rouse_commit c = {.thread = thread, .posts = &one, .n_posts = 1};
    uint64_t revision = 99;
    assert_fine(rouse_store_commit(f->store, &c, &revision, &f->err), &f->err);
    assert_int_equal(revision, 0);
}

/* "1:t:bg_0:{} 2:…", '+' behind acknowledged ones. */
static const char *inbox(struct fixture *f, const char *thread, uint64_t after, bool all, size_t limit)
{
    static char text[1024];
    rouse_events *events = NULL;
    assert_fine(rouse_store_inbox(f->store, thread, after, all, limit, &events, &f->err), &f->err);
    text[0] = '\0';
    for (size_t i = 0; i < rouse_events_count(events); i++) {
        const rouse_event *e = rouse_events_at(events, i);
        assert_true(e->created_at_ms > 0);
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%llu:%s:%s:%s%s", i ? " " : "", (unsigned long long)e->id, e->thread,
                 e->task_id, e->json, e->acknowledged ? "+" : "");
    }
    rouse_events_free(events);
    return text;
}

static int acknowledge(struct fixture *f, const char *thread, const uint64_t *ids, size_t count)
{
    rouse_commit c = {.thread = thread, .acks = ids, .n_acks = count};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

static void test_inbox(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(inbox(f, NULL, 0, true, 0), "");
    post(f, "t", "bg_0", "{\"a\":1}");
    post(f, "u", "bg_1", "{}");
    post(f, "t", "", "{}");
    assert_string_equal(inbox(f, "t", 0, false, 0), "1:t:bg_0:{\"a\":1} 3:t::{}");
    assert_string_equal(inbox(f, NULL, 0, false, 0), "1:t:bg_0:{\"a\":1} 2:u:bg_1:{} 3:t::{}");
    assert_string_equal(inbox(f, NULL, 1, false, 1), "2:u:bg_1:{}");
    assert_string_equal(inbox(f, "t", UINT64_MAX, true, 0), "");
    assert_fine(acknowledge(f, "t", (uint64_t[]){1}, 1), &f->err);
    assert_string_equal(inbox(f, "t", 0, false, 0), "3:t::{}");
    assert_string_equal(inbox(f, NULL, 0, false, 0), "2:u:bg_1:{} 3:t::{}");
    assert_string_equal(inbox(f, "t", 0, true, 0), "1:t:bg_0:{\"a\":1}+ 3:t::{}");
    assert_string_equal(inbox(f, NULL, 0, true, 2), "1:t:bg_0:{\"a\":1}+ 2:u:bg_1:{}");
    rouse_events_free(NULL);
}

static void test_acknowledge_once(void **state)
{
    struct fixture *f = *state;
    post(f, "t", "bg_0", "{}");
    post(f, "t", "bg_1", "{}");
    assert_failed(acknowledge(f, "t", (uint64_t[]){1, 9}, 2), &f->err, ROUSE_ECONFLICT, NULL); /* unknown */
    assert_failed(acknowledge(f, "t", (uint64_t[]){1, 1}, 2), &f->err, ROUSE_ECONFLICT, NULL); /* twice */
    assert_failed(acknowledge(f, "u", (uint64_t[]){1}, 1), &f->err, ROUSE_ECONFLICT, NULL);    /* another's */
    assert_string_equal(inbox(f, "t", 0, false, 0), "1:t:bg_0:{} 2:t:bg_1:{}");
    assert_fine(acknowledge(f, "t", (uint64_t[]){1, 2}, 2), &f->err);
    assert_failed(acknowledge(f, "t", (uint64_t[]){2}, 1), &f->err, ROUSE_ECONFLICT, NULL);
}

/* ---- conversation ---- */

static int say(struct fixture *f, const char *thread, const char *id, const char *json)
{
    rouse_message m = {.id = id, .run = NULL, .role = "user", .json = json};
    rouse_commit c = {.thread = thread, .messages = &m, .n_messages = 1};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

static const char *conversation(struct fixture *f, const char *thread, uint64_t after, size_t limit)
{
    static char text[1024];
    rouse_messages *messages = NULL;
    assert_fine(rouse_store_messages(f->store, thread, after, limit, &messages, &f->err), &f->err);
    text[0] = '\0';
    for (size_t i = 0; i < rouse_messages_count(messages); i++) {
        const rouse_message *m = rouse_messages_at(messages, i);
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%llu:%s:%s:%s:%s", i ? " " : "", (unsigned long long)m->seq, m->id, m->run,
                 m->role, m->json);
    }
    rouse_messages_free(messages);
    return text;
}

static void test_messages(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(conversation(f, "t", 0, 0), "");
    rouse_message two[] = {{.id = "m1", .run = "r", .role = "user", .json = "{\"x\":1}", .seq = 77},
                           {.id = "m2", .run = "r", .role = "assistant", .json = "{}"}};
    rouse_commit c = {.thread = "t", .messages = two, .n_messages = 2};
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    assert_fine(say(f, "u", "m1", "{}"), &f->err); /* ids are the thread's own */
    assert_fine(say(f, "t", "m3", "{}"), &f->err);
    assert_string_equal(conversation(f, "t", 0, 0), "1:m1:r:user:{\"x\":1} 2:m2:r:assistant:{} 3:m3::user:{}");
    assert_string_equal(conversation(f, "t", 1, 1), "2:m2:r:assistant:{}");
    assert_string_equal(conversation(f, "u", 0, 0), "1:m1::user:{}");
    assert_string_equal(conversation(f, "t", UINT64_MAX, 0), "");
    assert_failed(say(f, "t", "m2", "{}"), &f->err, ROUSE_ECONFLICT, NULL);
    assert_string_equal(conversation(f, "t", 2, 0), "3:m3::user:{}");
    rouse_messages_free(NULL);
}

static void test_check_messages(void **state)
{
    struct fixture *f = *state;
    rouse_message m = {.id = "m1", .role = "user", .json = "{}"};
    rouse_commit c = {.thread = "t", .messages = &m, .n_messages = 1, .check_messages = true, .messages_after = 1};
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    c.messages_after = 0;
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    m.id = "m2";
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    c.n_messages = 0; /* the check alone */
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    c.messages_after = 1;
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    assert_string_equal(conversation(f, "t", 0, 0), "1:m1::user:{}");
}

static void test_acknowledgement_and_message_are_one(void **state)
{
    struct fixture *f = *state;
    post(f, "t", "bg_0", "{}");
    assert_fine(say(f, "t", "m1", "{}"), &f->err);
    rouse_message again = {.id = "m1", .role = "user", .json = "{}"};
    uint64_t id = 1;
    rouse_commit c = {.thread = "t", .messages = &again, .n_messages = 1, .acks = &id, .n_acks = 1};
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    assert_string_equal(inbox(f, "t", 0, false, 0), "1:t:bg_0:{}");
    again.id = "m2";
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    assert_string_equal(inbox(f, "t", 0, false, 0), "");
    again.id = "m3"; /* somebody else's acknowledgement came first: no message either */
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    assert_string_equal(conversation(f, "t", 1, 0), "2:m2::user:{}");
}

/* ---- runs ---- */

static int record_run(struct fixture *f, const char *thread, const char *id, const char *status, const char *reason)
{
    rouse_run run = {.id = id, .status = status, .status_reason = reason, .json = "{\"k\":1}"};
    rouse_commit c = {.thread = thread, .run_record = &run};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

static void assert_run(struct fixture *f, const char *thread, const char *id, const char *status, const char *reason)
{
    rouse_run *run = NULL;
    assert_fine(rouse_store_last_run(f->store, thread, &run, &f->err), &f->err);
    assert_string_equal(run->id, id);
    assert_string_equal(run->status, status);
    assert_string_equal(run->json, "{\"k\":1}");
    assert_true(run->updated_at_ms > 0);
    if (reason)
        assert_string_equal(run->status_reason, reason);
    else
        assert_null(run->status_reason);
    rouse_run_free(run);
}

static void test_runs(void **state)
{
    struct fixture *f = *state;
    rouse_run *none = NULL;
    assert_failed(rouse_store_last_run(f->store, "t", &none, &f->err), &f->err, ROUSE_ENOTFOUND, NULL);
    assert_null(none);
    assert_fine(record_run(f, "t", "r1", "running", NULL), &f->err);
    assert_run(f, "t", "r1", "running", NULL);
    assert_fine(record_run(f, "t", "r2", "waiting", "awaiting_tasks"), &f->err);
    assert_run(f, "t", "r2", "waiting", "awaiting_tasks");
    assert_fine(record_run(f, "t", "r1", "done", "natural"), &f->err); /* an older run's end makes it no newer */
    assert_run(f, "t", "r2", "waiting", "awaiting_tasks");
    assert_failed(record_run(f, "u", "r1", "running", NULL), &f->err, ROUSE_ECONFLICT, NULL);
    assert_failed(rouse_store_last_run(f->store, "u", &none, &f->err), &f->err, ROUSE_ENOTFOUND, NULL);
    rouse_run_free(NULL);
}

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
    assert_fine(rouse_store_open(f->backend->where(f->place), NULL, &f->store, &f->err), &f->err);
    assert_fine(rouse_store_register(f->store, &count_key, &f->err), &f->err);
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

static void test_bad_imports_change_nothing(void **state)
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

static void test_import_fires_no_hooks(void **state)
{
    struct fixture *f = *state;
    struct heard h = {.store = f->store};
    assert_fine(rouse_store_on_commit(f->store, hook_b, &h, &f->err), &f->err);
    assert_fine(import(f, "t", "{\"revision\":1,\"extensions\":{\"count\":1}}", NULL), &f->err);
    assert_string_equal(h.text, "");
}

static void test_last_revision(void **state)
{
    struct fixture *f = *state;
    assert_fine(import(f, "t", "{\"revision\":18446744073709551615,\"extensions\":{}}", NULL), &f->err);
    assert_failed(add_count(f->store, "t", 1, &f->err), &f->err, ROUSE_ELIMIT, NULL);
    assert_true(read_revision(f->store, "t") == UINT64_MAX);
}

/* ---- the bell, two handles, fork ---- */

static bool rings(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void test_bell(void **state)
{
    struct fixture *f = *state;
    rouse_store *other = open_store(f->backend->where(f->place));
    int fd = -1;
    assert_fine(rouse_store_bell_open(f->store, &fd, &f->err), &f->err);
    assert_false(rings(fd, 0));
    assert_fine(add_count(other, "t", 1, &f->err), &f->err);
    assert_true(rings(fd, 10000));
    rouse_store_bell_clear(fd);
    assert_false(rings(fd, 0));
    rouse_store_bell_clear(fd);
    assert_fine(commit(f, "t"), &f->err); /* nothing in it */
    assert_false(rings(fd, 0));
    post(f, "u", "", "{}");
    assert_true(rings(fd, 10000));
    rouse_store_bell_clear(fd);
    assert_fine(import(f, "t", "{\"revision\":1,\"extensions\":{}}", NULL), &f->err);
    assert_true(rings(fd, 10000));
    close(fd);
    rouse_store_close(other);
}

static void test_two_handles(void **state)
{
    struct fixture *f = *state;
    rouse_store *other = open_store(f->backend->where(f->place));
    assert_fine(add_count(f->store, "t", 1, &f->err), &f->err);
    assert_int_equal(read_count(other, "t"), 1);
    assert_fine(add_count(other, "t", 10, &f->err), &f->err);
    assert_fine(add_count(f->store, "t", 100, &f->err), &f->err);
    assert_int_equal(read_count(other, "t"), 111);
    assert_int_equal(read_revision(f->store, "t"), 3);
    rouse_store_close(other);
    assert_fine(add_count(f->store, "t", 1, &f->err), &f->err);
}

static void test_not_after_fork(void **state)
{
    struct fixture *f = *state;
    assert_fine(add_count(f->store, "t", 1, &f->err), &f->err);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        rouse_snapshot *snapshot = NULL;
        int code = rouse_store_snapshot(f->store, "t", NULL, &snapshot, NULL);
        int other = rouse_store_commit(f->store, &(rouse_commit){.thread = "t"}, NULL, NULL);
        bool unknown = rouse_store_key(f->store, "count") == NULL;
        rouse_store_close(f->store);
        _exit(code == ROUSE_EINVAL && other == ROUSE_EINVAL && unknown ? 0 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_fine(add_count(f->store, "t", 1, &f->err), &f->err);
    assert_int_equal(read_count(f->store, "t"), 2);
}

/* ---- health ---- */

static void count_levels(int level, const char *text, void *userdata)
{
    int *levels = userdata;
    assert_true(level >= 0 && level <= 2);
    assert_true(*text != '\0');
    levels[level]++;
}

static void test_check(void **state)
{
    struct fixture *f = *state;
    int levels[3] = {0};
    struct preparing p = {0};
    assert_fine(commit_prepared(f, &p), &f->err);
    int code = rouse_store_check(f->store, count_levels, levels, &f->err);
    assert_true(code >= 0 && code <= 1); /* a full disk is not the store's fault */
    assert_true(levels[0] > 3);
    assert_int_equal(levels[2], 0);
    assert_failed(rouse_store_check(f->store, NULL, NULL, &f->err), &f->err, ROUSE_EINVAL, NULL);
}

/* ---- the table ---- */

#define TEST(function) {#function, function, set_up, tear_down, NULL}

static const struct CMUnitTest tests[] = {
    TEST(test_path_and_platform),
    TEST(test_register),
    TEST(test_must_exist),
    TEST(test_read_only),
    TEST(test_revision_counts_commits),
    TEST(test_base_revision),
    TEST(test_unknown_key_applies_nothing),
    TEST(test_reducer_failure_applies_nothing),
    TEST(test_terminal_is_decided_by_the_reducer),
    TEST(test_bad_commits),
    TEST(test_run_scope),
    TEST(test_transient_is_stored_and_not_exported),
    TEST(test_snapshot_holds_live_entries_in_order),
    TEST(test_remove_and_clear),
    TEST(test_list),
    TEST(test_list_values),
    TEST(test_list_errors),
    TEST(test_same_entry_in_two_threads),
    TEST(test_name_in_use),
    TEST(test_numbers),
    TEST(test_numbers_end),
    TEST(test_hooks),
    TEST(test_reducer_that_calls_the_store),
    TEST(test_inbox),
    TEST(test_acknowledge_once),
    TEST(test_messages),
    TEST(test_check_messages),
    TEST(test_acknowledgement_and_message_are_one),
    TEST(test_runs),
    TEST(test_export),
    TEST(test_unregistered_keys_are_skipped),
    TEST(test_import_replaces),
    TEST(test_import_thread_only),
    TEST(test_import_skips_runs_and_transient),
    TEST(test_bad_imports_change_nothing),
    TEST(test_import_unknown_and_doubled_keys),
    TEST(test_import_fires_no_hooks),
    TEST(test_last_revision),
    TEST(test_bell),
    TEST(test_two_handles),
    TEST(test_not_after_fork),
    TEST(test_check),
};

#define N_TESTS (sizeof tests / sizeof *tests)
#define N_BACKENDS (sizeof backends / sizeof *backends)

int main(void)
{
    static struct CMUnitTest all[N_TESTS * N_BACKENDS];
    static char names[N_TESTS * N_BACKENDS][96];
    for (size_t i = 0; i < N_TESTS * N_BACKENDS; i++) {
        const struct backend *backend = &backends[i / N_TESTS];
        all[i] = tests[i % N_TESTS];
        snprintf(names[i], sizeof names[i], "%s: %s", backend->name, tests[i % N_TESTS].name);
        all[i].name = names[i];
        all[i].initial_state = (void *)(uintptr_t)backend;
    }
    return cmocka_run_group_tests_name("storage/store", all, NULL, NULL);
}
