#include "base/lookup.h"

#include <stdlib.h>

#include "rouse/error.h"

struct lookup_slot {
    uint64_t hash;
    size_t position; /* one more than it is; 0 = free */
};

uint64_t lookup_hash(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a, then mixed so that the low bits depend on all */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    h = (h ^ (h >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ (h >> 32);
}

static void place(struct lookup *t, struct lookup_slot slot)
{
    size_t at = (size_t)slot.hash & (t->cap - 1);
    while (t->slots[at].position != 0)
        at = (at + 1) & (t->cap - 1);
    t->slots[at] = slot;
    t->used++;
}

int lookup_reserve(struct lookup *t)
{
    if (t->used + 1 <= t->cap / 2)
        return 0;
    struct lookup bigger = {.cap = t->cap ? t->cap * 2 : 16};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return ROUSE_ENOMEM;
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].position != 0)
            place(&bigger, t->slots[i]);
    }
    free(t->slots);
    *t = bigger;
    return 0;
}

void lookup_add(struct lookup *t, uint64_t hash, size_t position)
{
    place(t, (struct lookup_slot){.hash = hash, .position = position + 1});
}

bool lookup_next(const struct lookup *t, uint64_t hash, size_t *probe, size_t *ret_position)
{
    for (; *probe < t->cap; (*probe)++) {
        const struct lookup_slot *slot = &t->slots[((size_t)hash + *probe) & (t->cap - 1)];
        if (slot->position == 0)
            return false;
        if (slot->hash == hash) {
            *ret_position = slot->position - 1;
            (*probe)++;
            return true;
        }
    }
    return false;
}

void lookup_done(struct lookup *t)
{
    free(t->slots);
    *t = (struct lookup){0};
}
