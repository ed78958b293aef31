#include "state/set.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void state_set_done(struct state_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        state_set_clear(&set->slots[i]);
    free(set->slots);
    ptree_pool_done(&set->pool);
    *set = (struct state_set){0};
}

const struct state_slot *state_set_find(const struct state_set *set, const rouse_key *key)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->slots[i].key == key || strcmp(set->slots[i].key->name, key->name) == 0)
            return &set->slots[i];
    }
    return NULL;
}

struct state_slot *state_set_slot(struct state_set *set, const rouse_key *key)
{
    const struct state_slot *found = state_set_find(set, key);
    if (found)
        return &set->slots[found - set->slots];
    if (set->count == set->cap) {
        size_t cap = set->cap * 2 + 1;
        struct state_slot *slots = reallocarray(set->slots, cap, sizeof *slots);
        if (!slots)
            return NULL;
        set->slots = slots;
        set->cap = cap;
    }
    struct state_slot *slot = &set->slots[set->count++];
    *slot = (struct state_slot){.key = key, .by_seq.order = PTREE_BY_SEQ, .by_name.order = PTREE_BY_NAME};
    return slot;
}

int state_set_reserve(struct state_set *set, size_t changes)
{
    size_t need = 0; /* whichever maps they are of */
    for (size_t i = 0; i < set->count; i++)
        need += ptree_need(&set->slots[i].by_seq, changes) + ptree_need(&set->slots[i].by_name, changes);
    return ptree_pool_reserve(&set->pool, need);
}

void state_set_trim(struct state_set *set)
{
    ptree_pool_trim(&set->pool);
}

void state_set_put(struct state_set *set, struct state_slot *slot, struct ptree_item *item)
{
    ptree_put(&slot->by_seq, item, &set->pool);
    ptree_put(&slot->by_name, item, &set->pool);
}

void state_set_remove(struct state_set *set, struct state_slot *slot, uint64_t seq, const char *name)
{
    ptree_remove(&slot->by_seq, seq, name, &set->pool);
    ptree_remove(&slot->by_name, seq, name, &set->pool);
}

void state_set_scalar(struct state_slot *slot, struct cell *cell)
{
    struct cell *old = slot->scalar;
    slot->scalar = cell ? cell_ref(cell) : NULL;
    cell_unref(old);
}

void state_set_clear(struct state_slot *slot)
{
    state_set_scalar(slot, NULL);
    ptree_clear(&slot->by_seq);
    ptree_clear(&slot->by_name);
}
