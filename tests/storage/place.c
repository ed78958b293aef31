#include "place.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void place_make(char place[PLACE_SIZE])
{
    const char *parent = getenv("TMPDIR");
    snprintf(place, PLACE_SIZE, "%s/rouse-storage-XXXXXX", parent && *parent && strlen(parent) < 90 ? parent : "/tmp");
    assert_non_null(mkdtemp(place));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void place_remove(const char *place)
{
    assert_int_equal(nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int place_set_up(void **state)
{
    char *place = calloc(1, PLACE_SIZE);
    assert_non_null(place);
    place_make(place);
    *state = place;
    return 0;
}

int place_tear_down(void **state)
{
    place_remove(*state);
    free(*state);
    return 0;
}

const char *place_at(const char *place, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", place, name);
    return path;
}

void assert_failed(int code, const rouse_error *err, int want_code, const char *want_message)
{
    if (code != want_code)
        fail_msg("expected %d, got %d: %s", want_code, code, code < 0 ? err->message : "success");
    assert_int_equal(err->code, want_code);
    if (want_message)
        assert_string_equal(err->message, want_message);
}

void assert_fine(int code, const rouse_error *err)
{
    if (code != 0)
        fail_msg("%d: %s", code, code < 0 ? err->message : "not 0");
}

rouse_store *open_store(const char *where)
{
    rouse_error err = {0};
    rouse_store *store = NULL;
    assert_fine(rouse_store_open(where, NULL, &store, &err), &err);
    assert_fine(items_register(store, &err), &err);
    return store;
}

/* Takes the update. */
static int commit_one(rouse_store *store, const char *thread, const rouse_key *key, void *update, rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    assert_non_null(batch);
    assert_fine(rouse_batch_add(batch, key, update, err), err);
    rouse_commit commit = {.thread = thread, .batch = batch};
    int code = rouse_store_commit(store, &commit, NULL, err);
    rouse_batch_free(batch);
    return code;
}

int put_item(rouse_store *store, const char *thread, const char *entry, const struct item *item, rouse_error *err)
{
    return commit_one(store, thread, &items_key, item_put(entry, item), err);
}

int add_count(rouse_store *store, const char *thread, long by, rouse_error *err)
{
    return commit_one(store, thread, &count_key, count_add(by), err);
}

static rouse_snapshot *read_snapshot(rouse_store *store, const char *thread)
{
    rouse_error err = {0};
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(store, thread, NULL, &snapshot, &err), &err);
    return snapshot;
}

long read_count(rouse_store *store, const char *thread)
{
    rouse_snapshot *snapshot = read_snapshot(store, thread);
    const long *value = rouse_snapshot_get(snapshot, &count_key, NULL);
    long count = value ? *value : 0;
    rouse_snapshot_unref(snapshot);
    return count;
}

uint64_t read_revision(rouse_store *store, const char *thread)
{
    rouse_snapshot *snapshot = read_snapshot(store, thread);
    uint64_t revision = rouse_snapshot_revision(snapshot);
    rouse_snapshot_unref(snapshot);
    return revision;
}
