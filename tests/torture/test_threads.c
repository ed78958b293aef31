/* Threads of one process at one handle, and at two of one store: committers, readers that hold and pass on snapshots, listers,
 * and hooks that are registered meanwhile. For ThreadSanitizer, and for what must hold at any time: a snapshot shows whole commits
 * and never changes, a hook is told of each commit once. TORTURE_SECONDS: for so long. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../storage/conformance.h"
#include "seed.h"

#define COMMITTERS 3
#define READERS 3
#define HOOKS 4
#define SHORT_COMMITS 40

struct crowd {
    rouse_store *stores[2]; /* the same handle twice where a store has only one */
    atomic_uint committed, told, failed;
    atomic_bool stop;
    pthread_mutex_t lock;
    rouse_snapshot *passed; /* from one reader to the next; counted */
    uint64_t until;
};

struct person {
    struct crowd *crowd;
    int id;
    uint64_t seed;
    pthread_t thread;
};

static uint64_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static void wrong(struct crowd *c, const char *what, const rouse_error *err)
{
    if (atomic_fetch_add(&c->failed, 1) == 0)
        fprintf(stderr, "# %s: %s\n", what, err ? err->message : "");
}

static int commit_once(rouse_store *store, int id, unsigned i, rouse_error *err)
{
    char entry[32];
    snprintf(entry, sizeof entry, "e-%d-%u", id, i / 2);
    struct item item = {.live = i % 2 == 0, .name = entry, .text = "x"};
    rouse_post post = {.thread = "t", .task_id = entry, .json = "{}"};
    rouse_batch *batch = rouse_batch_new();
    int code = rouse_batch_add(batch, &items_key, item_put(entry, &item), err);
    if (code == 0)
        code = rouse_batch_add(batch, &count_key, count_add(1), err);
    rouse_commit commit = {.thread = "t", .batch = batch, .posts = &post, .n_posts = i % 2};
    if (code == 0)
        code = rouse_store_commit(store, &commit, NULL, err);
    rouse_batch_free(batch);
    return code;
}

static void *commit_all(void *userdata)
{
    struct person *p = userdata;
    struct crowd *c = p->crowd;
    rouse_error err = {0};
    for (unsigned i = 0; c->until ? seconds() < c->until : i < SHORT_COMMITS; i++) {
        if (commit_once(c->stores[p->id % 2], p->id, i, &err) < 0)
            wrong(c, "commit", &err);
        else
            atomic_fetch_add(&c->committed, 1);
    }
    return NULL;
}

static void look(struct crowd *c, const rouse_snapshot *snapshot)
{
    const long *count = rouse_snapshot_get(snapshot, &count_key, NULL);
    if ((uint64_t)(count ? *count : 0) != rouse_snapshot_revision(snapshot))
        wrong(c, "a snapshot shows half a commit", NULL);
    for (size_t i = 0; i < rouse_snapshot_count(snapshot, &items_key); i++) {
        const char *entry;
        const struct item *item = rouse_snapshot_at(snapshot, &items_key, i, &entry);
        if (!item->live || strcmp(item->name, entry) != 0 || rouse_snapshot_get(snapshot, &items_key, entry) != item)
            wrong(c, "a snapshot shows what it must not", NULL);
    }
}

/* Hands a snapshot to whoever reads next, and takes the one that was left. */
static rouse_snapshot *pass_on(struct crowd *c, rouse_snapshot *mine)
{
    pthread_mutex_lock(&c->lock);
    rouse_snapshot *other = c->passed;
    c->passed = mine;
    pthread_mutex_unlock(&c->lock);
    return other;
}

static void list_once(struct crowd *c, rouse_store *store)
{
    rouse_error err = {0};
    rouse_rows *rows = NULL;
    rouse_events *events = NULL;
    char *json = NULL;
    if (rouse_store_list(store, &items_key, &(rouse_query){.thread = "t", .limit = 20}, &rows, &err) < 0 ||
        rouse_store_inbox(store, "t", 0, false, 5, &events, &err) < 0 ||
        rouse_store_export(store, "t", NULL, &json, &err) < 0)
        wrong(c, "read", &err);
    for (size_t i = 0; i < rouse_rows_count(rows); i++) {
        const struct item *item = rouse_rows_at(rows, i, NULL, NULL);
        if (strcmp(item->text, "x") != 0)
            wrong(c, "a row shows what was never written", NULL);
    }
    rouse_rows_free(rows);
    rouse_events_free(events);
    free(json);
}

static void *read_all(void *userdata)
{
    struct person *p = userdata;
    struct crowd *c = p->crowd;
    rouse_error err = {0};
    uint64_t last = 0;
    while (!atomic_load(&c->stop)) {
        rouse_store *store = c->stores[p->id % 2];
        rouse_snapshot *snapshot = NULL;
        if (rouse_store_snapshot(store, "t", NULL, &snapshot, &err) < 0) {
            wrong(c, "snapshot", &err);
            break;
        }
        if (rouse_snapshot_revision(snapshot) < last)
            wrong(c, "a snapshot is older than the one before it", NULL);
        last = rouse_snapshot_revision(snapshot);
        look(c, snapshot);
        rouse_snapshot *other = pass_on(c, rouse_snapshot_ref(snapshot));
        rouse_snapshot_unref(snapshot);
        if (other)
            look(c, other);
        rouse_snapshot_unref(other);
        if (seed_next(&p->seed) % 4 == 0)
            list_once(c, store);
    }
    return NULL;
}

static void hook(const char *thread, uint64_t before, uint64_t after, size_t operations, rouse_snapshot *snapshot,
                 void *userdata)
{
    struct crowd *c = userdata;
    if (strcmp(thread, "t") != 0 || after != before + 1 || operations != 2 || !snapshot || rouse_snapshot_revision(snapshot) != after)
        wrong(c, "a hook is told what did not happen", NULL);
    atomic_fetch_add(&c->told, 1);
}

static void *hook_more(void *userdata)
{
    struct person *p = userdata;
    struct crowd *c = p->crowd;
    rouse_error err = {0};
    for (int i = 0; i < HOOKS; i++) {
        while (atomic_load(&c->committed) < (unsigned)i * 4 && !atomic_load(&c->stop))
            sched_yield();
        if (rouse_store_on_commit(c->stores[0], hook, c, &err) < 0)
            wrong(c, "hook", &err);
    }
    return NULL;
}

static void gather(struct crowd *c)
{
    struct person committers[COMMITTERS], readers[READERS], hooker = {.crowd = c};
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct person){.crowd = c, .id = i, .seed = (uint64_t)i + 1};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < COMMITTERS; i++) {
        committers[i] = (struct person){.crowd = c, .id = i};
        assert_int_equal(pthread_create(&committers[i].thread, NULL, commit_all, &committers[i]), 0);
    }
    assert_int_equal(pthread_create(&hooker.thread, NULL, hook_more, &hooker), 0);
    for (int i = 0; i < COMMITTERS; i++)
        assert_int_equal(pthread_join(committers[i].thread, NULL), 0);
    atomic_store(&c->stop, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    assert_int_equal(pthread_join(hooker.thread, NULL), 0);
}

static void run(struct fixture *f, rouse_store *other)
{
    const char *limit = getenv("TORTURE_SECONDS");
    struct crowd c = {.stores = {f->store, other}, .lock = PTHREAD_MUTEX_INITIALIZER};
    c.until = limit ? seconds() + strtoull(limit, NULL, 10) / 5 + 1 : 0;
    gather(&c);
    rouse_snapshot_unref(c.passed);
    assert_int_equal(atomic_load(&c.failed), 0);
    assert_int_equal(read_revision(f->store, "t"), atomic_load(&c.committed));
    assert_int_equal(read_count(f->store, "t"), atomic_load(&c.committed));
    assert_true(atomic_load(&c.told) <= atomic_load(&c.committed) * HOOKS);
    unsigned told = atomic_load(&c.told);
    rouse_error err = {0};
    assert_fine(commit_once(f->store, 99, 0, &err), &err);
    assert_int_equal(atomic_load(&c.told), told + HOOKS);
}

static void test_one_handle(void **state)
{
    struct fixture *f = *state;
    run(f, f->store);
}

static void test_two_handles(void **state)
{
    struct fixture *f = *state;
    rouse_store *other = f->durable ? open_store(f->where(f->place)) : NULL;
    run(f, other ? other : f->store);
    rouse_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE_TEST(test_one_handle),
        CONFORMANCE_TEST(test_two_handles),
    };
    return conformance_run("torture/threads", tests, sizeof tests / sizeof *tests);
}
