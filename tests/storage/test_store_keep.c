/* Conformance: blocks of numbers, queues and their claims, leases and fences, pruning, limits that keep themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

/* ---- a clock that stands still ---- */

static uint64_t now_ms, mono_ms;

static uint64_t read_now(void *userdata)
{
    (void)userdata;
    return now_ms;
}

static uint64_t read_mono(void *userdata)
{
    (void)userdata;
    return mono_ms;
}

static int no_random(void *userdata, unsigned char *fill, size_t size)
{
    (void)userdata;
    memset(fill, 7, size);
    return 0;
}

static const rouse_platform still = {.now_ms = read_now, .mono_ms = read_mono, .random = no_random};

/* The fixture's store again, by this clock. Nothing is in it yet. */
static struct fixture *with_clock(void **state)
{
    struct fixture *f = *state;
    rouse_store_options options = {.platform = &still};
    now_ms = 1000000;
    mono_ms = 500;
    rouse_store_close(f->store);
    f->store = NULL;
    assert_fine(rouse_store_open(f->where(f->place), &options, &f->store, &f->err), &f->err);
    assert_fine(items_register(f->store, &f->err), &f->err);
    return f;
}

/* ---- blocks of numbers ---- */

struct block {
    struct fixture *f;
    uint64_t first;
    size_t count;
};

static int fill_block(void *userdata, uint64_t number, rouse_commit *c, rouse_error *err)
{
    (void)err;
    struct block *b = userdata;
    b->first = number;
    for (size_t i = 0; i < b->count; i++) {
        char entry[32];
        snprintf(entry, sizeof entry, "bg_%llu", (unsigned long long)(number + i));
        add(b->f, &items_key, item_put(entry, &running));
    }
    c->batch = b->f->batch;
    return 0;
}

static void test_blocks_of_numbers(void **state)
{
    struct fixture *f = *state;
    struct block b = {f, 99, 3};
    rouse_commit c = {.thread = "t", .prepare = fill_block, .userdata = &b, .n_numbers = 3};
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    assert_int_equal(b.first, 0);
    empty_batch(f);
    b.count = 1;
    c.n_numbers = 0;
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    assert_int_equal(b.first, 3);
    assert_string_equal(list(f, &(rouse_query){.thread = "t"}), "bg_3 bg_2 bg_1 bg_0");
    empty_batch(f);
    c.n_numbers = 10001;
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ELIMIT, NULL);
}

/* ---- claims ---- */

static void put(struct fixture *f, const char *thread, const char *entry, struct item item)
{
    item.text = "x";
    assert_fine(put_item(f->store, thread, entry, &item, &f->err), &f->err);
}

static void put_waiting(struct fixture *f, const char *entry, const char *queue, int64_t priority)
{
    put(f, "t", entry, (struct item){.live = true, .queue = queue, .waiting = true, .priority = priority});
}

/* What is claimed, as "bg_2 bg_0", in a static buffer. */
static const char *claim(struct fixture *f, const char *holder, rouse_claim what)
{
    static char text[1024];
    rouse_rows *rows = NULL;
    text[0] = '\0';
    what.queue = what.queue ? what.queue : "q";
    what.holder = holder;
    assert_fine(rouse_store_claim(f->store, &items_key, &what, &rows, &f->err), &f->err);
    for (size_t i = 0; i < rouse_rows_count(rows); i++) {
        const char *entry;
        assert_non_null(rouse_rows_at(rows, i, NULL, &entry));
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", entry);
    }
    rouse_rows_free(rows);
    return text;
}

static void test_claim_order(void **state)
{
    struct fixture *f = with_clock(state);
    put_waiting(f, "bg_0", "q", 0);
    put_waiting(f, "bg_1", "q", 5);
    put_waiting(f, "bg_2", "other", 9);
    put_waiting(f, "bg_3", "q", 5);
    put_waiting(f, "bg_4", "q", -1);
    put(f, "u", "bg_5", (struct item){.live = true, .queue = "q", .waiting = true});
    assert_string_equal(claim(f, "a", (rouse_claim){0}), "bg_1");
    assert_string_equal(claim(f, "b", (rouse_claim){.limit = 2}), "bg_3 bg_0");
    assert_string_equal(claim(f, "b", (rouse_claim){.thread = "u", .limit = 9}), "bg_5");
    assert_string_equal(claim(f, "b", (rouse_claim){.limit = 9}), "bg_4");
    assert_string_equal(claim(f, "b", (rouse_claim){.limit = 9}), "");
    assert_string_equal(claim(f, "b", (rouse_claim){.queue = "none"}), "");
    assert_string_equal(claim(f, "b", (rouse_claim){.queue = "other"}), "bg_2");
}

static void test_claim_counts_what_is_held(void **state)
{
    struct fixture *f = with_clock(state);
    put(f, "u", "bg_0", (struct item){.live = true, .queue = "q"});
    put(f, "u", "bg_1", (struct item){.live = false, .queue = "q"});
    put_waiting(f, "bg_2", "q", 0);
    put_waiting(f, "bg_3", "q", 0);
    assert_string_equal(claim(f, "a", (rouse_claim){.max_held = 1}), "");
    assert_string_equal(claim(f, "a", (rouse_claim){.max_held = 2, .limit = 9}), "bg_2");
    assert_string_equal(claim(f, "a", (rouse_claim){.max_held = 2, .limit = 9}), "");
    put(f, "t", "bg_2", (struct item){.live = true, .queue = "q"}); /* it begins: held still, once */
    assert_string_equal(claim(f, "a", (rouse_claim){.max_held = 2, .limit = 9}), "");
    put(f, "t", "bg_2", (struct item){.live = false, .queue = "q"}); /* it ends */
    assert_string_equal(claim(f, "a", (rouse_claim){.max_held = 2, .limit = 9}), "bg_3");
}

static void test_claim_runs_out(void **state)
{
    struct fixture *f = with_clock(state);
    put_waiting(f, "bg_0", "q", 0);
    put_waiting(f, "bg_1", "q", 0);
    assert_string_equal(claim(f, "a", (rouse_claim){.lease_ms = 100}), "bg_0");
    assert_string_equal(claim(f, "a", (rouse_claim){0}), "bg_1"); /* without end */
    mono_ms += 99;
    assert_string_equal(claim(f, "b", (rouse_claim){.max_held = 2, .limit = 9}), "");
    now_ms += 1000000; /* is no matter */
    assert_string_equal(claim(f, "b", (rouse_claim){0}), "");
    mono_ms += 1;
    assert_string_equal(claim(f, "b", (rouse_claim){.lease_ms = 50, .max_held = 2, .limit = 9}), "bg_0");
    mono_ms += 1000000;
    assert_string_equal(claim(f, "c", (rouse_claim){.limit = 9}), "bg_0");
    /* A waiting entry that is written anew stays claimed. */
    put_waiting(f, "bg_0", "q", 7);
    assert_string_equal(claim(f, "d", (rouse_claim){.limit = 9}), "");
}

static int unclaim(struct fixture *f, const char *entry, const char *holder)
{
    return rouse_store_unclaim(f->store, &items_key, "t", entry, holder, &f->err);
}

static void test_unclaim(void **state)
{
    struct fixture *f = with_clock(state);
    put_waiting(f, "bg_0", "q", 0);
    assert_failed(unclaim(f, "bg_0", "a"), &f->err, ROUSE_ENOTFOUND, "'a' has no claim on 'bg_0'");
    assert_string_equal(claim(f, "a", (rouse_claim){.lease_ms = 10}), "bg_0");
    assert_failed(unclaim(f, "bg_0", "b"), &f->err, ROUSE_ENOTFOUND, NULL);
    assert_fine(unclaim(f, "bg_0", "a"), &f->err);
    assert_failed(unclaim(f, "bg_0", "a"), &f->err, ROUSE_ENOTFOUND, NULL);
    assert_string_equal(claim(f, "b", (rouse_claim){.lease_ms = 10}), "bg_0");
    mono_ms += 10;
    assert_failed(unclaim(f, "bg_0", "b"), &f->err, ROUSE_ENOTFOUND, NULL);
    assert_failed(unclaim(f, "bg_9", "b"), &f->err, ROUSE_ENOTFOUND, NULL);
}

static void test_bad_claims(void **state)
{
    struct fixture *f = *state;
    rouse_rows *rows = NULL;
    const rouse_claim bad[] = {{.queue = "q"}, {.holder = "a"}, {.queue = "", .holder = "a"}, {.queue = "q\n", .holder = "a"},
                               {.queue = "q", .holder = "a", .thread = ""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_failed(rouse_store_claim(f->store, &items_key, &bad[i], &rows, &f->err), &f->err, ROUSE_EINVAL, NULL);
    const rouse_claim good = {.queue = "q", .holder = "a"};
    assert_failed(rouse_store_claim(f->store, &count_key, &good, &rows, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_null(rows);
}

/* ---- leases ---- */

static int lease(struct fixture *f, const char *name, const char *holder, uint64_t ttl_ms, uint64_t *ret_epoch)
{
    return rouse_store_lease(f->store, name, holder, ttl_ms, ret_epoch, &f->err);
}

static void test_leases(void **state)
{
    struct fixture *f = with_clock(state);
    uint64_t first = 0, again = 0, other = 0, second = 0;
    assert_fine(lease(f, "l", "a", 100, &first), &f->err);
    assert_true(first > 0);
    mono_ms += 60;
    assert_failed(lease(f, "l", "b", 100, &again), &f->err, ROUSE_ECONFLICT, "lease 'l' is held by 'a'");
    assert_fine(lease(f, "l", "a", 100, &again), &f->err);
    assert_int_equal(again, first);
    assert_fine(lease(f, "m", "b", 100, &other), &f->err);
    assert_true(other > first);
    mono_ms += 99;
    assert_failed(lease(f, "l", "b", 100, NULL), &f->err, ROUSE_ECONFLICT, NULL);
    now_ms += 1000000000; /* is no matter */
    assert_failed(lease(f, "l", "b", 100, NULL), &f->err, ROUSE_ECONFLICT, NULL);
    mono_ms += 1;
    assert_fine(lease(f, "l", "b", 100, &second), &f->err);
    assert_true(second > other);
    assert_failed(rouse_store_lease_release(f->store, "l", first, &f->err), &f->err, ROUSE_ENOTFOUND, NULL);
    assert_fine(rouse_store_lease_release(f->store, "l", second, &f->err), &f->err);
    assert_failed(rouse_store_lease_release(f->store, "l", second, &f->err), &f->err, ROUSE_ENOTFOUND, NULL);
    assert_fine(lease(f, "l", "a", 100, &again), &f->err);
    assert_true(again > second);
    mono_ms += 200; /* the same holder, too late: somebody else may have been in between */
    assert_fine(lease(f, "l", "a", 100, &second), &f->err);
    assert_true(second > again);
    assert_failed(lease(f, "l", "a", 0, NULL), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(lease(f, "", "a", 1, NULL), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(lease(f, "l", NULL, 1, NULL), &f->err, ROUSE_EINVAL, NULL);
}

static int commit_fenced(struct fixture *f, const char *name, uint64_t epoch)
{
    empty_batch(f);
    add(f, &count_key, count_add(1));
    rouse_commit c = {.thread = "t", .batch = f->batch, .fence = {name, epoch}};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

static void test_fences(void **state)
{
    struct fixture *f = with_clock(state);
    uint64_t a = 0, b = 0;
    assert_fine(lease(f, "l", "a", 100, &a), &f->err);
    assert_fine(commit_fenced(f, "l", a), &f->err);
    assert_failed(commit_fenced(f, "l", a + 1), &f->err, ROUSE_ECONFLICT, NULL);
    assert_failed(commit_fenced(f, "m", a), &f->err, ROUSE_ECONFLICT, NULL);
    mono_ms += 100;
    assert_fine(commit_fenced(f, "l", a), &f->err); /* nobody took it */
    assert_fine(lease(f, "l", "b", 100, &b), &f->err);
    assert_failed(commit_fenced(f, "l", a), &f->err, ROUSE_ECONFLICT, NULL);
    assert_fine(commit_fenced(f, "l", b), &f->err);
    assert_fine(rouse_store_lease_release(f->store, "l", b, &f->err), &f->err);
    assert_failed(commit_fenced(f, "l", b), &f->err, ROUSE_ECONFLICT, NULL);
    assert_int_equal(read_count(f->store, "t"), 3);
    assert_int_equal(read_revision(f->store, "t"), 3);
}

/* ---- pruning ---- */

static void post_one(struct fixture *f, const char *thread, const char *task, const char *json)
{
    rouse_post one = {.thread = thread, .task_id = task, .json = json};
    rouse_commit c = {.thread = thread, .posts = &one, .n_posts = 1};
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
}

static void put_ended(struct fixture *f, const char *thread, const char *entry, uint64_t ended_ms)
{
    put(f, thread, entry, (struct item){.live = false, .ended_ms = ended_ms});
}

/* What is removed, as "bg_0 bg_1", in a static buffer. */
static const char *prune(struct fixture *f, rouse_prune what)
{
    static char text[1024];
    rouse_rows *rows = NULL;
    text[0] = '\0';
    assert_fine(rouse_store_prune(f->store, &items_key, &what, &rows, &f->err), &f->err);
    for (size_t i = 0; i < rouse_rows_count(rows); i++) {
        const char *entry, *thread;
        assert_non_null(rouse_rows_at(rows, i, &thread, &entry));
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", entry);
    }
    rouse_rows_free(rows);
    return text;
}

static struct fixture *with_ended(void **state)
{
    struct fixture *f = with_clock(state);
    put(f, "t", "bg_0", running);
    put_ended(f, "t", "bg_1", now_ms - 300);
    put_ended(f, "t", "bg_2", now_ms - 100);
    put_ended(f, "u", "bg_3", now_ms - 400);
    put_ended(f, "t", "bg_4", now_ms - 200);
    put(f, "u", "bg_5", running);
    return f;
}

static void test_prune_by_age(void **state)
{
    struct fixture *f = with_ended(state);
    assert_string_equal(prune(f, (rouse_prune){.older_ms = 400}), "");
    assert_string_equal(prune(f, (rouse_prune){.older_ms = 200, .dry = true}), "bg_3 bg_1");
    assert_string_equal(prune(f, (rouse_prune){.older_ms = 200, .thread = "t"}), "bg_1");
    assert_string_equal(prune(f, (rouse_prune){.older_ms = 199}), "bg_3 bg_4");
    assert_string_equal(list(f, &(rouse_query){0}), "bg_5 bg_2 bg_0");
    now_ms += 1000000000;
    assert_string_equal(prune(f, (rouse_prune){.older_ms = 1}), "bg_2");
    assert_string_equal(list(f, &(rouse_query){0}), "bg_5 bg_0");
    assert_int_equal(read_revision(f->store, "t"), 4);
}

static void test_prune_by_count(void **state)
{
    struct fixture *f = with_ended(state);
    assert_string_equal(prune(f, (rouse_prune){.keep = 4}), "");
    assert_string_equal(prune(f, (rouse_prune){.keep = 2, .dry = true}), "bg_3 bg_1");
    assert_string_equal(prune(f, (rouse_prune){.keep = 2, .limit = 1}), "bg_3");
    assert_string_equal(prune(f, (rouse_prune){.keep = 1, .thread = "u"}), "");
    assert_string_equal(prune(f, (rouse_prune){.keep = 2, .thread = "t"}), "bg_1");
    assert_string_equal(prune(f, (rouse_prune){.keep = 9, .older_ms = 150}), "bg_4"); /* either is enough */
    assert_string_equal(prune(f, (rouse_prune){.all = true, .thread = "u"}), "");
    assert_string_equal(prune(f, (rouse_prune){.all = true}), "bg_2");
    assert_string_equal(list(f, &(rouse_query){0}), "bg_5 bg_0");
    reopen(f);
}

static void test_prune_takes_read_events_only(void **state)
{
    struct fixture *f = with_ended(state);
    post_one(f, "v", "bg_1", "{\"n\":0}"); /* somebody else's of that name */
    rouse_post posts[] = {{.thread = "t", .task_id = "bg_1", .json = "{\"n\":1}"},
                          {.thread = "t", .task_id = "bg_2", .json = "{\"n\":2}"},
                          {.thread = "t", .task_id = "", .json = "{\"n\":3}"}};
    rouse_commit c = {.thread = "t", .posts = posts, .n_posts = 3};
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    const uint64_t acks[] = {2};
    rouse_commit ack = {.thread = "t", .acks = acks, .n_acks = 1};
    assert_fine(rouse_store_commit(f->store, &ack, NULL, &f->err), &f->err);
    assert_string_equal(prune(f, (rouse_prune){.all = true}), "bg_3 bg_1 bg_4");
    rouse_events *events = NULL;
    assert_fine(rouse_store_inbox(f->store, NULL, 0, true, 0, &events, &f->err), &f->err);
    assert_int_equal(rouse_events_count(events), 3);
    assert_string_equal(rouse_events_at(events, 0)->json, "{\"n\":0}");
    assert_string_equal(rouse_events_at(events, 1)->json, "{\"n\":2}");
    rouse_events_free(events);
    assert_string_equal(prune(f, (rouse_prune){.all = true, .unread = true}), "bg_2");
    assert_fine(rouse_store_inbox(f->store, NULL, 0, true, 0, &events, &f->err), &f->err);
    assert_int_equal(rouse_events_count(events), 2);
    rouse_events_free(events);
    post_one(f, "t", "", "{}"); /* ids go on */
    assert_fine(rouse_store_inbox(f->store, NULL, 4, true, 0, &events, &f->err), &f->err);
    assert_int_equal(rouse_events_count(events), 1);
    assert_int_equal(rouse_events_at(events, 0)->id, 5);
    rouse_events_free(events);
}

static void test_numbers_after_prune(void **state)
{
    struct fixture *f = with_clock(state);
    struct preparing p = {0};
    assert_fine(commit_prepared(f, &p), &f->err);
    empty_batch(f);
    put_ended(f, "t", "bg_0", now_ms);
    assert_string_equal(prune(f, (rouse_prune){.all = true, .unread = true}), "bg_0");
    assert_fine(commit_prepared(f, &p), &f->err);
    assert_int_equal(p.number, 1);
}

static void test_bad_prunes(void **state)
{
    struct fixture *f = *state;
    rouse_rows *rows = NULL;
    const rouse_prune nothing = {0}, bad = {.all = true, .thread = ""}, all = {.all = true};
    assert_failed(rouse_store_prune(f->store, &items_key, &nothing, &rows, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_store_prune(f->store, &items_key, &bad, &rows, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_store_prune(f->store, &run_items_key, &all, &rows, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_null(rows);
}

/* ---- limits that keep themselves ---- */

struct gone {
    char text[512];
};

static void hear(const char *thread, const char *entry, void *userdata)
{
    struct gone *g = userdata;
    snprintf(g->text + strlen(g->text), sizeof g->text - strlen(g->text), "%s/%s ", thread, entry);
}

static void no_report(int level, const char *text, void *userdata)
{
    (void)level;
    (void)text;
    (void)userdata;
}

static void defect_25_retention(void **state)
{
    struct fixture *f = with_clock(state);
    struct gone gone = {0};
    uint64_t keep = 9, older_ms = 9;
    assert_fine(rouse_store_on_prune(f->store, hear, &gone, &f->err), &f->err);
    assert_fine(rouse_store_retention(f->store, &keep, &older_ms, &f->err), &f->err);
    assert_int_equal(keep + older_ms, 0);
    for (int i = 0; i < 20; i++) {
        char entry[16];
        snprintf(entry, sizeof entry, "bg_%d", i);
        put_ended(f, "t", entry, now_ms - 100 + (uint64_t)i);
    }
    post_one(f, "t", "bg_1", "{}");
    assert_string_equal(gone.text, "");
    assert_fine(rouse_store_set_retention(f->store, 3, 0, &f->err), &f->err);
    put(f, "t", "bg_20", running);
    assert_string_equal(gone.text, ""); /* only what ends makes room */
    put_ended(f, "t", "bg_20", now_ms);
    assert_string_equal(list(f, &(rouse_query){0}), "bg_20 bg_19 bg_18 bg_17 bg_16 bg_15 bg_14 bg_13 bg_12 bg_11 bg_10 bg_9 bg_1");
    assert_non_null(strstr(gone.text, "t/bg_0 "));
    put_ended(f, "u", "bg_21", now_ms);
    put_ended(f, "u", "bg_22", now_ms);
    assert_string_equal(list(f, &(rouse_query){0}), "bg_22 bg_21 bg_1");
    assert_fine(rouse_store_set_retention(f->store, 0, 50, &f->err), &f->err);
    now_ms += 51;
    put_ended(f, "u", "bg_23", now_ms);
    assert_string_equal(list(f, &(rouse_query){0}), "bg_23 bg_1");
    assert_fine(rouse_store_retention(f->store, &keep, &older_ms, &f->err), &f->err);
    assert_int_equal(keep, 0);
    assert_int_equal(older_ms, 50);
    assert_fine(rouse_store_check(f->store, no_report, NULL, &f->err) < 2 ? 0 : -1, &f->err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE_TEST(test_blocks_of_numbers),
        CONFORMANCE_TEST(test_claim_order),
        CONFORMANCE_TEST(test_claim_counts_what_is_held),
        CONFORMANCE_TEST(test_claim_runs_out),
        CONFORMANCE_TEST(test_unclaim),
        CONFORMANCE_TEST(test_bad_claims),
        CONFORMANCE_TEST(test_leases),
        CONFORMANCE_TEST(test_fences),
        CONFORMANCE_TEST(test_prune_by_age),
        CONFORMANCE_TEST(test_prune_by_count),
        CONFORMANCE_TEST(test_prune_takes_read_events_only),
        CONFORMANCE_TEST(test_numbers_after_prune),
        CONFORMANCE_TEST(test_bad_prunes),
        CONFORMANCE_TEST(defect_25_retention),
    };
    return conformance_run("storage/store_keep", tests, sizeof tests / sizeof *tests);
}
