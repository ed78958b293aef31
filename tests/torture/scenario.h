/* One run through what a store does, remembering what was acknowledged; and the look at the store afterwards. */
#ifndef TESTS_TORTURE_SCENARIO_H
#define TESTS_TORTURE_SCENARIO_H

#include "../storage/place.h"
#include "vfs.h"

#define SCENARIO_MOST 256 /* commits */

struct scenario { /* what to do */
    rouse_durability durability;
    int rounds;  /* the store is opened, used and closed so many times */
    int commits; /* in each of them */
    size_t text; /* bytes of each item */
    uint64_t seed;
    bool (*stopped)(void); /* may be NULL: asked between calls; true ends it (a power cut) */
};

struct told {                        /* what the store said */
    uint64_t numbers[SCENARIO_MOST]; /* of commits, in order, acknowledged or not */
    bool acknowledged[SCENARIO_MOST];
    size_t count, n_acknowledged;
    size_t imported_after; /* the import was acknowledged behind so many commits; 0: it was not */
    bool pruned, prune_tried;
    uint64_t epoch;  /* the greatest of a lease that was acknowledged */
    size_t failures; /* calls that failed */
    int last_failure;
    char last_message[512];
};

/* Every call that fails must do so with a code that rouse/store.h names for it; what follows goes on all the same. */
void scenario_run(const char *place, const struct scenario *what, struct told *told);

/* Opens the store anew and asserts: each commit is there whole or not at all, every acknowledged one is there (unless a
 * prefix of the commits is enough), nothing else is there, and rouse_store_check finds no fault. context says where it went
 * wrong. Afterwards the store works. */
void scenario_assert(const char *place, const struct told *told, bool prefix, const char *context);

#endif
