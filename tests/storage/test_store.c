/* Conformance: opening, keys, commits and revisions, scopes, numbers, hooks, the bell, health. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

/* ---- opening, keys ---- */

static void test_path_and_platform(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(rouse_store_path(f->store), f->durable ? f->place : "");
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
    int code = rouse_store_open(f->where(f->place), &options, &other, &f->err);
    if (f->durable)
        assert_fine(code, &f->err);
    else
        assert_failed(code, &f->err, ROUSE_ENOTFOUND, "a store in memory is always a new one");
    rouse_store_close(other);
    rouse_store_close(NULL);
}

static void test_read_only(void **state)
{
    struct fixture *f = *state;
    assert_fine(add_count(f->store, "t", 7, &f->err), &f->err);
    rouse_store_close(f->store);
    rouse_store_options options = {.read_only = true};
    assert_fine(rouse_store_open(f->where(f->place), &options, &f->store, &f->err), &f->err);
    assert_fine(items_register(f->store, &f->err), &f->err);
    assert_int_equal(read_count(f->store, "t"), f->durable ? 7 : 0);
    assert_failed(add_count(f->store, "t", 1, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_store_import(f->store, "t", "{\"revision\":1,\"extensions\":{}}", 30, NULL, &f->err), &f->err,
                  ROUSE_EINVAL, NULL);
    assert_int_equal(read_count(f->store, "t"), f->durable ? 7 : 0);
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
    rouse_post post = {.thread = "t", .task_id = "bg_0", .json = "{}"};
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

static const rouse_post nobody = {.task_id = "", .json = "{}"};
static const rouse_post post_without_json = {.thread = "t", .task_id = ""};
static const rouse_post post_without_task = {.thread = "t", .json = "{}"};
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

/* ---- numbers ---- */

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
    p.number = 0;
    assert_failed(commit_prepared(f, &p), &f->err, ROUSE_ELIMIT, NULL);
    assert_int_equal(p.number, 0); /* it was not even called */
}

/* ---- hooks ---- */

struct heard {
    char text[256];
    rouse_store *store;
};

static void note(struct heard *h, char who, const char *thread, uint64_t before, uint64_t after, size_t operations,
                 const rouse_snapshot *snapshot)
{
    size_t at = strlen(h->text);
    assert_int_equal(rouse_snapshot_revision(snapshot), after);
    const int64_t *count = rouse_snapshot_get(snapshot, &count_key, NULL);
    snprintf(h->text + at, sizeof h->text - at, "%c:%s:%llu-%llu:%zu:%d ", who, thread, (unsigned long long)before,
             (unsigned long long)after, operations, count ? (int)*count : 0);
}

static void hook_a(const char *thread, uint64_t before, uint64_t after, size_t operations, rouse_snapshot *snapshot,
                 void *userdata)
{
    struct heard *h = userdata;
    note(h, 'a', thread, before, after, operations, snapshot);
    assert_int_equal(read_revision(h->store, thread), after); /* no lock is held */
}

static void hook_b(const char *thread, uint64_t before, uint64_t after, size_t operations, rouse_snapshot *snapshot,
                 void *userdata)
{
    note(userdata, 'b', thread, before, after, operations, snapshot);
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
    assert_string_equal(h.text, "a:t:0-1:2:2 b:t:0-1:2:2 ");
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

/* ---- the bell, two handles, fork ---- */

static bool rings(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void test_bell(void **state)
{
    struct fixture *f = *state;
    rouse_store *other = f->durable ? open_store(f->where(f->place)) : f->store;
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
    static const char document[] = "{\"revision\":1,\"extensions\":{}}";
    assert_fine(rouse_store_import(f->store, "t", document, sizeof document - 1, NULL, &f->err), &f->err);
    assert_true(rings(fd, 10000));
    close(fd);
    assert_fine(add_count(f->store, "t", 1, &f->err), &f->err); /* nobody listens any more */
    assert_fine(add_count(f->store, "t", 1, &f->err), &f->err);
    if (other != f->store)
        rouse_store_close(other);
}

static void test_two_handles(void **state)
{
    struct fixture *f = *state;
    rouse_store *other = open_store(f->where(f->place));
    assert_fine(add_count(f->store, "t", 1, &f->err), &f->err);
    assert_int_equal(read_count(other, "t"), f->durable ? 1 : 0);
    assert_fine(add_count(other, "t", 10, &f->err), &f->err);
    assert_fine(add_count(f->store, "t", 100, &f->err), &f->err);
    assert_int_equal(read_count(other, "t"), f->durable ? 111 : 10);
    assert_int_equal(read_revision(f->store, "t"), f->durable ? 3 : 2);
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

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_path_and_platform),
    CONFORMANCE_TEST(test_register),
    CONFORMANCE_TEST(test_must_exist),
    CONFORMANCE_TEST(test_read_only),
    CONFORMANCE_TEST(test_revision_counts_commits),
    CONFORMANCE_TEST(test_base_revision),
    CONFORMANCE_TEST(test_unknown_key_applies_nothing),
    CONFORMANCE_TEST(test_reducer_failure_applies_nothing),
    CONFORMANCE_TEST(test_terminal_is_decided_by_the_reducer),
    CONFORMANCE_TEST(test_bad_commits),
    CONFORMANCE_TEST(test_run_scope),
    CONFORMANCE_TEST(test_transient_is_stored_and_not_exported),
    CONFORMANCE_TEST(test_numbers),
    CONFORMANCE_TEST(test_numbers_end),
    CONFORMANCE_TEST(test_hooks),
    CONFORMANCE_TEST(test_reducer_that_calls_the_store),
    CONFORMANCE_TEST(test_bell),
    CONFORMANCE_TEST(test_two_handles),
    CONFORMANCE_TEST(test_not_after_fork),
    CONFORMANCE_TEST(test_check),
};

int main(void)
{
    return conformance_run("storage/store", tests, sizeof tests / sizeof *tests);
}
