#include "state/cell.h"

#include <stdlib.h>

struct cell *cell_new(const rouse_key *key, void *value)
{
    struct cell *cell = malloc(sizeof *cell);
    if (!cell) {
        key->release(value);
        return NULL;
    }
    atomic_init(&cell->references, 1);
    cell->key = key;
    cell->value = value;
    return cell;
}

struct cell *cell_ref(struct cell *cell)
{
    atomic_fetch_add_explicit(&cell->references, 1, memory_order_relaxed);
    return cell;
}

void cell_unref(struct cell *cell)
{
    if (!cell || atomic_fetch_sub_explicit(&cell->references, 1, memory_order_acq_rel) > 1)
        return;
    cell->key->release(cell->value);
    free(cell);
}
