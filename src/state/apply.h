/* The pure half of a commit: run a batch's reducers over a source of old values and say what changed. And what a store
 * needs to build snapshots and read batches. */
#ifndef STATE_APPLY_H
#define STATE_APPLY_H

#include "base/error.h"
#include "rouse/state.h"

/* Where old values come from. get: *ret_value is a value the caller releases with key->release, NULL when there is none. */
struct state_source {
    int (*get)(void *userdata, const rouse_key *key, const char *entry, void **ret_value, rouse_error *err);
    void *userdata;
};

enum state_action { STATE_PUT, STATE_REMOVE, STATE_CLEAR };

struct state_change {
    enum state_action action;
    const rouse_key *key;
    char *entry; /* NULL for a scalar and for STATE_CLEAR */
    void *value; /* STATE_PUT: the new value */
};

struct state_changes { /* net effect, to be written in order: for each key at most one CLEAR, then one change per entry;
                        * two, REMOVE then PUT, for an entry that was removed and comes back last */
    struct state_change *items;
    size_t count;
};

/* ret_changes is filled on success only (state_changes_done). Errors: those of reducers and of the source. */
int state_apply(const rouse_batch *batch, const struct state_source *source, struct state_changes *ret_changes,
                rouse_error *err);
void state_changes_done(struct state_changes *changes);

/* Reading a batch. Borrowed. */
const rouse_key *batch_key_at(const rouse_batch *batch, size_t i);
bool batch_base(const rouse_batch *batch, uint64_t *ret_base);
bool batch_is_empty(const rouse_batch *batch);

/* Building a snapshot. snapshot_add Takes value, also on failure; entry is copied, NULL for a scalar. Add in order. */
rouse_snapshot *snapshot_new(uint64_t revision);
int snapshot_add(rouse_snapshot *snapshot, const rouse_key *key, const char *entry, void *value, rouse_error *err);

#endif
