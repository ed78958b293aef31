/* Keys for the tests of the store: a map with an index, counters, and one that is never exported. */
#ifndef TESTS_STORAGE_KEYS_H
#define TESTS_STORAGE_KEYS_H

#include "rouse/store.h"

/* {"live":true,"name":…,"parent":…,"run":…,"text":…}, and the last four when they are set; the texts are "" when absent. */
struct item {
    bool live;
    const char *name, *parent, *run, *text;
    const char *queue;
    bool waiting;
    int64_t priority;
    uint64_t ended_ms, due_ms;
};

extern const rouse_key items_key;   /* "items": MAP, THREAD, wrapped in {"tasks":…}; values are struct item */
extern const rouse_key plain_key;   /* "plain": MAP, THREAD, without wrapping or index */
extern const rouse_key count_key;   /* "count": SCALAR, THREAD; values are long */
extern const rouse_key run_key;     /* "run_count": SCALAR, RUN; values are long */
extern const rouse_key run_items_key; /* "run_items": MAP, RUN, with the index of items */
extern const rouse_key scratch_key; /* "scratch": SCALAR, THREAD, transient; values are long */

/* Updates. All NULL when out of memory. */
void *item_put(const char *entry, const struct item *item); /* ECONFLICT `item already ended` when the old one is not live */
void *item_remove(const char *entry);
void *item_clear(void);
void *item_fail(void);      /* makes the reducer fail: ROUSE_ELIMIT `told to fail` */
void *count_add(long by);

int items_register(rouse_store *store, rouse_error *err); /* all of the above */

#endif
