/* The list of what a commit or an import changes. The usual one, a change or two, needs no memory of its own. */
#include <stdlib.h>
#include <string.h>

#include "state/apply.h"

void state_changes_init(struct state_changes *changes)
{
    changes->items = changes->few;
    changes->count = 0;
    changes->cap = STATE_FEW;
    changes->names = (struct arena){0};
    changes->name_room_used = 0;
}

static int grow(struct state_changes *changes, rouse_error *err)
{
    size_t cap = changes->cap * 4;
    bool inside = changes->items == changes->few;
    struct state_change *items = reallocarray(inside ? NULL : changes->items, cap, sizeof *items);
    if (!items)
        return rouse_fail_memory(err);
    if (inside)
        memcpy(items, changes->few, sizeof changes->few);
    changes->items = items;
    changes->cap = cap;
    return 0;
}

const char *state_changes_name(struct state_changes *changes, const char *entry)
{
    size_t size = strlen(entry) + 1;
    if (size > STATE_NAME_ROOM - changes->name_room_used)
        return arena_text(&changes->names, entry, size - 1);
    char *name = memcpy(changes->name_room + changes->name_room_used, entry, size);
    changes->name_room_used += size;
    return name;
}

int state_changes_append(struct state_changes *changes, const struct state_change *change, rouse_error *err)
{
    int code = changes->count == changes->cap ? grow(changes, err) : 0;
    if (code < 0)
        cell_unref(change->cell);
    else
        changes->items[changes->count++] = *change;
    return code;
}

int state_changes_add(struct state_changes *changes, enum state_action action, const rouse_key *key, const char *entry,
                      struct cell *cell, rouse_error *err)
{
    const char *name = entry ? state_changes_name(changes, entry) : NULL;
    if (entry && !name) {
        cell_unref(cell);
        return rouse_fail_memory(err);
    }
    struct state_change change = {.action = action, .key = key, .entry = name, .cell = cell};
    return state_changes_append(changes, &change, err);
}

void state_changes_done(struct state_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        cell_unref(changes->items[i].cell);
    if (changes->items != changes->few)
        free(changes->items);
    arena_done(&changes->names);
    changes->items = changes->few;
    changes->count = 0;
}
