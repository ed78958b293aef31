/* A cell holds one immutable value and counts who shares it. Snapshots, lists, reducers and backends that keep values hand
 * cells about instead of copying. Any thread may take and drop references; the last drop releases the value. */
#ifndef STATE_CELL_H
#define STATE_CELL_H

#include <stdatomic.h>

#include "rouse/state.h"

struct cell {
    atomic_size_t references;
    const rouse_key *key;
    void *value;
};

/* Takes value, also on failure. Returns cell_unref; NULL when out of memory. */
struct cell *cell_new(const rouse_key *key, void *value);
struct cell *cell_ref(struct cell *cell); /* returns cell */
void cell_unref(struct cell *cell);       /* takes NULL */

#endif
