/* One key's value in memory, kept as JSON text as a store would keep it: for tests of reducers without a store. */
#ifndef SUPPORT_SHELF_H
#define SUPPORT_SHELF_H

#include "rouse/state.h"

struct shelf_row {
    char *entry; /* NULL for a scalar */
    char *json;
};

struct shelf {
    const rouse_key *key;
    struct shelf_row *rows; /* in order of creation */
    size_t count;
};

/* The key's whole value. */
int shelf_load(struct shelf *shelf, const char *json, rouse_error *err);
/* Applies the batch, all or nothing. */
int shelf_apply(struct shelf *shelf, const rouse_batch *batch, rouse_error *err);
/* The whole value as JSON; Returns free. A scalar that is absent is "null". */
char *shelf_text(const struct shelf *shelf);
void shelf_done(struct shelf *shelf);

#endif
