#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "state/set.h"

/* Immutable once it is handed out; only the count of references changes from then on. */
struct rouse_snapshot {
    atomic_size_t references;
    uint64_t revision;
    size_t count;
    struct state_slot slots[]; /* few: searched one by one */
};

static void share_slots(rouse_snapshot *s, struct state_set *set, state_set_shows *shows, const void *userdata)
{
    for (size_t i = 0; set && i < set->count; i++) {
        struct state_slot *from = &set->slots[i];
        if (shows && !shows(userdata, from->key))
            continue;
        s->slots[s->count++] = (struct state_slot){
            .key = from->key,
            .scalar = from->scalar ? cell_ref(from->scalar) : NULL,
            .by_seq = ptree_share(&from->by_seq),
            .by_name = ptree_share(&from->by_name),
        };
    }
}

rouse_snapshot *state_set_snapshot(uint64_t revision, struct state_set *thread, struct state_set *run,
                                   state_set_shows *shows, const void *userdata)
{
    size_t slots = thread->count + (run ? run->count : 0);
    rouse_snapshot *s = malloc(sizeof *s + slots * sizeof *s->slots);
    if (!s)
        return NULL;
    atomic_init(&s->references, 1);
    s->revision = revision;
    s->count = 0;
    share_slots(s, thread, shows, userdata);
    share_slots(s, run, shows, userdata);
    return s;
}

rouse_snapshot *rouse_snapshot_ref(rouse_snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void rouse_snapshot_unref(rouse_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < snapshot->count; i++)
        state_set_clear(&snapshot->slots[i]);
    free(snapshot);
}

uint64_t rouse_snapshot_revision(const rouse_snapshot *snapshot)
{
    return snapshot->revision;
}

static const struct state_slot *find_slot(const rouse_snapshot *s, const rouse_key *key)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].key == key || strcmp(s->slots[i].key->name, key->name) == 0)
            return &s->slots[i];
    }
    return NULL;
}

static const void *value_of(const struct cell *cell)
{
    return cell ? cell->value : NULL;
}

const void *rouse_snapshot_get(const rouse_snapshot *snapshot, const rouse_key *key, const char *entry)
{
    const struct state_slot *slot = find_slot(snapshot, key);
    if (!slot || !entry)
        return slot ? value_of(slot->scalar) : NULL;
    const struct ptree_item *item = ptree_find(&slot->by_name, entry);
    return item ? value_of(item->cell) : NULL;
}

size_t rouse_snapshot_count(const rouse_snapshot *snapshot, const rouse_key *key)
{
    const struct state_slot *slot = find_slot(snapshot, key);
    return slot ? ptree_count(&slot->by_seq) + (slot->scalar ? 1 : 0) : 0;
}

const void *rouse_snapshot_at(const rouse_snapshot *snapshot, const rouse_key *key, size_t i, const char **ret_entry)
{
    const struct state_slot *slot = find_slot(snapshot, key);
    if (slot && slot->scalar && i == 0) {
        if (ret_entry)
            *ret_entry = NULL;
        return slot->scalar->value;
    }
    const struct ptree_item *item = slot ? ptree_at(&slot->by_seq, i) : NULL;
    if (item && ret_entry)
        *ret_entry = item->name;
    return item ? item->cell->value : NULL;
}
