/* The pure half of a commit: run a batch's reducers over a source of old values and say what changed. And what a store
 * needs to read batches. */
#ifndef STATE_APPLY_H
#define STATE_APPLY_H

#include "base/arena.h"
#include "base/error.h"
#include "state/cell.h"

/* Where old values come from. get: *ret_cell is a reference that the caller drops, NULL when there is no value. */
struct state_source {
    int (*get)(void *userdata, const rouse_key *key, const char *entry, struct cell **ret_cell, rouse_error *err);
    void *userdata;
};

enum state_action { STATE_PUT, STATE_REMOVE, STATE_CLEAR };

struct state_change {
    enum state_action action;
    const rouse_key *key;
    const char *entry; /* NULL for a scalar and for STATE_CLEAR; lives as long as the changes */
    struct cell *cell; /* STATE_PUT: the new value */
};

#define STATE_FEW 4       /* changes, and items of an edit, that need no memory of their own */
#define STATE_NAME_ROOM 96 /* bytes of entry names that need none */

struct state_changes { /* net effect, to be written in order: for each key at most one CLEAR, then one change per entry;
                        * two, REMOVE then PUT, for an entry that was removed and comes back last. Not to be moved. */
    struct state_change *items;
    size_t count, cap;
    struct arena names; /* those that found no room in: */
    size_t name_room_used;
    struct state_change few[STATE_FEW];
    char name_room[STATE_NAME_ROOM];
};

/* Fills ret_changes; on failure it holds nothing. Errors: those of reducers and of the source. */
int state_apply(const rouse_batch *batch, const struct state_source *source, struct state_changes *ret_changes,
                rouse_error *err);

void state_changes_init(struct state_changes *changes);
/* Appends. Copies entry, Takes cell, also on failure. */
int state_changes_add(struct state_changes *changes, enum state_action action, const rouse_key *key, const char *entry,
                      struct cell *cell, rouse_error *err);
/* The same in two steps, for who wants one name in several changes. change->entry must be such a name; NULL: no memory. */
const char *state_changes_name(struct state_changes *changes, const char *entry);
int state_changes_append(struct state_changes *changes, const struct state_change *change, rouse_error *err);
void state_changes_done(struct state_changes *changes); /* also of one that is all zero */

/* The key whose reducer runs. */
const rouse_key *edit_key(const rouse_edit *edit);

/* An update that no reducer sees: everything of the key goes, a map's mark included (COMPAT B15). */
int batch_add_clear(rouse_batch *batch, const rouse_key *key, rouse_error *err);
bool batch_is_clear_at(const rouse_batch *batch, size_t i);

/* Reading a batch. Borrowed. */
const rouse_key *batch_key_at(const rouse_batch *batch, size_t i);
bool batch_base(const rouse_batch *batch, uint64_t *ret_base);
bool batch_is_empty(const rouse_batch *batch);

#endif
