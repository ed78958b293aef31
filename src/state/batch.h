/* What the files of this room share: a batch's inside. */
#ifndef STATE_BATCH_H
#define STATE_BATCH_H

#include "rouse/state.h"

struct batch_item {
    const rouse_key *key;
    void *update; /* owned; NULL: clear the key */
};

struct rouse_batch {
    struct batch_item *items;
    size_t count, cap;
    bool has_base;
    uint64_t base;
};

#endif
