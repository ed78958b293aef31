/* The values of one place (a thread, or a run of it) that snapshots show: scalars, and the live entries of maps. A set is
 * changed by one thread; a snapshot of it costs one reference for each key and never changes.
 *
 * Changes do not fail: reserve what they need before. */
#ifndef STATE_SET_H
#define STATE_SET_H

#include "state/ptree.h"

struct state_slot {
    const rouse_key *key;
    struct cell *scalar;          /* SCALAR; NULL when there is no value */
    struct ptree by_seq, by_name; /* MAP: the same items twice */
};

struct state_set { /* all zero = empty */
    struct state_slot *slots; /* few: searched one by one. Adding one moves them */
    size_t count, cap;
    struct ptree_pool pool;
};

void state_set_done(struct state_set *set);
/* The slot of the key, added when there is none; NULL when out of memory. */
struct state_slot *state_set_slot(struct state_set *set, const rouse_key *key);
const struct state_slot *state_set_find(const struct state_set *set, const rouse_key *key); /* NULL when there is none */

/* Makes room for that many puts and removals. 0 or ROUSE_ENOMEM. */
int state_set_reserve(struct state_set *set, size_t changes);
void state_set_trim(struct state_set *set); /* gives back room that only a large commit needed */
/* A put of an item at a place in the order that another one has replaces it. */
void state_set_put(struct state_set *set, struct state_slot *slot, struct ptree_item *item);
/* The entry must be there. */
void state_set_remove(struct state_set *set, struct state_slot *slot, uint64_t seq, const char *name);
void state_set_scalar(struct state_slot *slot, struct cell *cell); /* takes a reference of its own; NULL: no value */
void state_set_clear(struct state_slot *slot);

/* Of both places, run may be NULL; only keys that shows likes, NULL likes all. NULL when out of memory. */
typedef bool state_set_shows(const void *userdata, const rouse_key *key);
rouse_snapshot *state_set_snapshot(uint64_t revision, struct state_set *thread, struct state_set *run,
                                   state_set_shows *shows, const void *userdata);

#endif
