/* Conformance: what is merged, is committed as it stands; work of several threads. The rules of merging themselves have their
 * rows in tests/state/test_batch.c. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static rouse_key sum_key, other_key; /* counters: one that may be touched by both sides, one that may not */

static void register_counters(struct fixture *f)
{
    sum_key = other_key = count_key;
    sum_key.name = "sum";
    sum_key.merge = ROUSE_MERGE_COMMUTATIVE;
    other_key.name = "other";
    assert_fine(rouse_store_register(f->store, &sum_key, &f->err), &f->err);
    assert_fine(rouse_store_register(f->store, &other_key, &f->err), &f->err);
}

static long value_of(struct fixture *f, const rouse_key *key)
{
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(f->store, "t", "run-1", &snapshot, &f->err), &f->err);
    const long *value = rouse_snapshot_get(snapshot, key, NULL);
    long n = value ? *value : 0;
    rouse_snapshot_unref(snapshot);
    return n;
}

/* ---- several sides ---- */

struct side { /* what one side adds to each counter; 0: nothing, and it does not touch it */
    long count, sum, other;
    int zero; /* touches count with an update that changes nothing */
};

struct merge_row {
    const char *name;
    struct side sides[4];
    const char *refused; /* by which of the later sides' merges, or NULL */
    long count, sum, other;
};

static rouse_batch *batch_of(struct fixture *f, const struct side *side)
{
    rouse_batch *batch = rouse_batch_new();
    const struct {
        const rouse_key *key;
        long by;
        bool touch;
    } updates[] = {{&count_key, side->count, side->count != 0 || side->zero},
                   {&sum_key, side->sum, side->sum != 0},
                   {&other_key, side->other, side->other != 0}};
    assert_non_null(batch);
    for (size_t i = 0; i < COUNT(updates); i++) {
        if (updates[i].touch)
            assert_fine(rouse_batch_add(batch, updates[i].key, count_add(updates[i].by), &f->err), &f->err);
    }
    return batch;
}

static const struct merge_row merge_rows[] = {
    {"nothing", {{0}}, NULL, 0, 0, 0},
    {"disjoint", {{.count = 1}, {.other = 2}}, NULL, 1, 0, 2},
    {"one side empty", {{.count = 1}, {0}}, NULL, 1, 0, 0},
    {"the other side empty", {{0}, {.count = 1}}, NULL, 1, 0, 0},
    {"three ways, disjoint", {{.count = 1}, {.sum = 2}, {.other = 3}}, NULL, 1, 2, 3},
    {"three ways, one key that adds up", {{.sum = 1}, {.sum = 2}, {.sum = 3}}, NULL, 0, 6, 0},
    {"four ways", {{.count = 1, .sum = 1}, {.sum = 2}, {.other = 4, .sum = 3}, {.sum = 4}}, NULL, 1, 10, 4},
    {"negative", {{.sum = 5}, {.sum = -7}}, NULL, 0, -2, 0},
    {"sides in the other order", {{.sum = -7}, {.sum = 5}}, NULL, 0, -2, 0},
    {"exclusive on both sides", {{.count = 1}, {.count = 2}}, "parallel merge conflict on exclusive key: count", 0, 0, 0},
    {"exclusive, though the update changes nothing", {{.count = 1}, {.zero = 1}},
     "parallel merge conflict on exclusive key: count", 0, 0, 0},
    {"one clash keeps the rest out", {{.sum = 1, .other = 1}, {.sum = 2, .other = 2}},
     "parallel merge conflict on exclusive key: other", 0, 0, 0},
    {"the first clash is named", {{.count = 1, .other = 1}, {.count = 1, .other = 1}},
     "parallel merge conflict on exclusive key: count", 0, 0, 0},
    {"the third clashes", {{.count = 1}, {.sum = 1}, {.count = 1}}, "parallel merge conflict on exclusive key: count", 0, 0, 0},
};

static void test_merged_and_committed(void **state)
{
    struct fixture *f = *state;
    register_counters(f);
    for (size_t i = 0; i < COUNT(merge_rows); i++) {
        const struct merge_row *row = &merge_rows[i];
        long count = value_of(f, &count_key), sum = value_of(f, &sum_key), other = value_of(f, &other_key);
        rouse_batch *merged = batch_of(f, &row->sides[0]);
        int code = 0;
        for (size_t s = 1; s < COUNT(row->sides) && code == 0; s++) {
            rouse_batch *side = batch_of(f, &row->sides[s]);
            code = rouse_batch_merge(merged, side, &f->err);
            rouse_batch_free(side);
        }
        if (row->refused) {
            assert_failed(code, &f->err, ROUSE_ECONFLICT, row->refused);
        } else {
            assert_fine(code, &f->err);
            rouse_batch_set_base(merged, read_revision(f->store, "t"));
            assert_fine(rouse_store_commit(f->store, &(rouse_commit){.thread = "t", .batch = merged}, NULL, &f->err), &f->err);
        }
        rouse_batch_free(merged);
        if (value_of(f, &count_key) - count != row->count || value_of(f, &sum_key) - sum != row->sum ||
            value_of(f, &other_key) - other != row->other)
            fail_msg("%s: not what was merged", row->name);
    }
}

/* COMPAT B20: to be merged a key need not be known, but then it counts as exclusive unless its descriptor says otherwise; it is
 * the commit that refuses it. */
static void test_merged_unregistered(void **state)
{
    struct fixture *f = *state;
    rouse_key stranger = count_key;
    stranger.name = "stranger";
    add(f, &stranger, count_add(1));
    rouse_batch *other = rouse_batch_new();
    assert_fine(rouse_batch_add(other, &stranger, count_add(1), &f->err), &f->err);
    assert_failed(rouse_batch_merge(f->batch, other, &f->err), &f->err, ROUSE_ECONFLICT,
                  "parallel merge conflict on exclusive key: stranger");
    assert_int_equal(rouse_batch_count(f->batch), 1);
    assert_int_equal(rouse_batch_count(other), 1);
    rouse_batch_free(other);
    assert_failed(commit(f, "t"), &f->err, ROUSE_EINVAL, "unknown key: stranger");
    empty_batch(f);
}

static void test_onto_existing_data(void **state)
{
    struct fixture *f = *state;
    register_counters(f);
    add(f, &sum_key, count_add(40));
    add(f, &plain_key, item_put("a", &running));
    assert_fine(commit(f, "t"), &f->err);
    empty_batch(f);
    rouse_batch *right = rouse_batch_new();
    add(f, &sum_key, count_add(1));
    add(f, &plain_key, item_put("b", &running));
    assert_fine(rouse_batch_add(right, &sum_key, count_add(1), &f->err), &f->err);
    assert_fine(rouse_batch_add(right, &items_key, item_put("c", &running), &f->err), &f->err);
    assert_fine(rouse_batch_merge(f->batch, right, &f->err), &f->err);
    rouse_batch_free(right);
    assert_fine(commit(f, "t"), &f->err);
    assert_int_equal(value_of(f, &sum_key), 42);
    assert_int_equal(read_revision(f->store, "t"), 2);
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(f->store, "t", NULL, &snapshot, &f->err), &f->err);
    assert_int_equal(rouse_snapshot_count(snapshot, &plain_key), 2);
    assert_int_equal(rouse_snapshot_count(snapshot, &items_key), 1);
    rouse_snapshot_unref(snapshot);
}

/* ---- threads ---- */

#define N_THREADS 4
#define N_COMMITS 25

struct worker {
    struct fixture *f;
    pthread_barrier_t *start;
    bool based; /* on revision 0 */
    int landed, refused;
};

static void *work(void *userdata)
{
    struct worker *w = userdata;
    pthread_barrier_wait(w->start);
    for (int i = 0; i < (w->based ? 1 : N_COMMITS); i++) {
        rouse_error err = {0};
        rouse_batch *batch = rouse_batch_new();
        if (!batch || rouse_batch_add(batch, &count_key, count_add(1), &err) < 0)
            break;
        if (w->based)
            rouse_batch_set_base(batch, 0);
        int code = rouse_store_commit(w->f->store, &(rouse_commit){.thread = "t", .batch = batch}, NULL, &err);
        w->landed += code == 0;
        w->refused += code == ROUSE_ECONFLICT;
        rouse_batch_free(batch);
    }
    return NULL;
}

static void run_workers(struct fixture *f, bool based, int *ret_landed, int *ret_refused)
{
    pthread_t threads[N_THREADS];
    struct worker workers[N_THREADS];
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, N_THREADS), 0);
    for (int i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.f = f, .start = &start, .based = based};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    *ret_landed = *ret_refused = 0;
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        *ret_landed += workers[i].landed;
        *ret_refused += workers[i].refused;
    }
    pthread_barrier_destroy(&start);
}

static void test_threads_without_a_base_all_land(void **state)
{
    struct fixture *f = *state;
    int landed, refused;
    run_workers(f, false, &landed, &refused);
    assert_int_equal(landed, N_THREADS * N_COMMITS);
    assert_int_equal(read_count(f->store, "t"), N_THREADS * N_COMMITS);
    assert_int_equal(read_revision(f->store, "t"), N_THREADS * N_COMMITS);
}

static void test_threads_with_one_base_one_wins(void **state)
{
    struct fixture *f = *state;
    int landed, refused;
    run_workers(f, true, &landed, &refused);
    assert_int_equal(landed, 1);
    assert_int_equal(refused, N_THREADS - 1);
    assert_int_equal(read_count(f->store, "t"), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CONFORMANCE_TEST(test_merged_and_committed),
        CONFORMANCE_TEST(test_merged_unregistered),
        CONFORMANCE_TEST(test_onto_existing_data),
        CONFORMANCE_TEST(test_threads_without_a_base_all_land),
        CONFORMANCE_TEST(test_threads_with_one_base_one_wins),
    };
    return conformance_run("store_merge", tests, sizeof tests / sizeof *tests);
}
