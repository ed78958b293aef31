#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/lookup.h"
#include "state/apply.h"

struct snapshot_item {
    char *entry; /* NULL for a scalar */
    struct cell *cell;
};

struct snapshot_key {
    const rouse_key *key;
    struct snapshot_item *items; /* in order of creation */
    size_t count, cap;
    struct lookup by_entry;
};

/* Immutable once it is handed out; only the count of references changes from then on. */
struct rouse_snapshot {
    atomic_size_t references;
    uint64_t revision;
    struct snapshot_key *keys; /* few: searched one by one */
    size_t count;
};

rouse_snapshot *snapshot_new(uint64_t revision)
{
    rouse_snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    atomic_init(&s->references, 1);
    s->revision = revision;
    return s;
}

rouse_snapshot *rouse_snapshot_ref(rouse_snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

static void key_done(struct snapshot_key *k)
{
    for (size_t i = 0; i < k->count; i++) {
        cell_unref(k->items[i].cell);
        free(k->items[i].entry);
    }
    free(k->items);
    lookup_done(&k->by_entry);
}

void rouse_snapshot_unref(rouse_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < snapshot->count; i++)
        key_done(&snapshot->keys[i]);
    free(snapshot->keys);
    free(snapshot);
}

uint64_t rouse_snapshot_revision(const rouse_snapshot *snapshot)
{
    return snapshot->revision;
}

static struct snapshot_key *find_key(const rouse_snapshot *s, const rouse_key *key)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->keys[i].key == key || strcmp(s->keys[i].key->name, key->name) == 0)
            return &s->keys[i];
    }
    return NULL;
}

static struct snapshot_item *find_item(const struct snapshot_key *k, const char *entry)
{
    if (!entry)
        return k->count > 0 && !k->items[0].entry ? &k->items[0] : NULL;
    size_t probe = 0, at;
    while (lookup_next(&k->by_entry, lookup_hash(entry), &probe, &at)) {
        if (strcmp(k->items[at].entry, entry) == 0)
            return &k->items[at];
    }
    return NULL;
}

static struct snapshot_key *add_key(rouse_snapshot *s, const rouse_key *key)
{
    struct snapshot_key *found = find_key(s, key);
    if (found)
        return found;
    struct snapshot_key *keys = reallocarray(s->keys, s->count + 1, sizeof *keys);
    if (!keys)
        return NULL;
    s->keys = keys;
    keys[s->count] = (struct snapshot_key){.key = key};
    return &keys[s->count++];
}

static bool reserve_item(struct snapshot_key *k)
{
    if (lookup_reserve(&k->by_entry) < 0)
        return false;
    if (k->count < k->cap)
        return true;
    size_t cap = k->cap ? k->cap * 2 : 4;
    struct snapshot_item *items = reallocarray(k->items, cap, sizeof *items);
    if (!items)
        return false;
    k->items = items;
    k->cap = cap;
    return true;
}

int snapshot_add(rouse_snapshot *snapshot, const rouse_key *key, const char *entry, struct cell *cell, rouse_error *err)
{
    struct snapshot_key *k = add_key(snapshot, key);
    struct snapshot_item *old = k ? find_item(k, entry) : NULL;
    if (old) {
        cell_unref(old->cell);
        old->cell = cell;
        return 0;
    }
    char *name = entry ? strdup(entry) : NULL;
    if (!k || !reserve_item(k) || (entry && !name)) {
        free(name);
        cell_unref(cell);
        return rouse_fail_memory(err);
    }
    if (entry)
        lookup_add(&k->by_entry, lookup_hash(entry), k->count);
    k->items[k->count++] = (struct snapshot_item){.entry = name, .cell = cell};
    return 0;
}

const void *rouse_snapshot_get(const rouse_snapshot *snapshot, const rouse_key *key, const char *entry)
{
    const struct snapshot_key *k = find_key(snapshot, key);
    const struct snapshot_item *item = k ? find_item(k, entry) : NULL;
    return item ? item->cell->value : NULL;
}

size_t rouse_snapshot_count(const rouse_snapshot *snapshot, const rouse_key *key)
{
    const struct snapshot_key *k = find_key(snapshot, key);
    return k ? k->count : 0;
}

const void *rouse_snapshot_at(const rouse_snapshot *snapshot, const rouse_key *key, size_t i, const char **ret_entry)
{
    const struct snapshot_key *k = find_key(snapshot, key);
    if (!k || i >= k->count)
        return NULL;
    if (ret_entry)
        *ret_entry = k->items[i].entry;
    return k->items[i].cell->value;
}
