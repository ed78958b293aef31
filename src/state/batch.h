/* What the files of this room share: a batch's inside. */
#ifndef STATE_BATCH_H
#define STATE_BATCH_H

#include "rouse/state.h"

struct batch_item {
    const rouse_key *key;
    void *update; /* owned; NULL: clear the key */
};

#define BATCH_FEW 4 /* updates that need no memory of their own */

struct rouse_batch {
    struct batch_item *items;
    struct batch_item few[BATCH_FEW];
    size_t count, cap;
    bool has_base;
    uint64_t base;
};

#endif
