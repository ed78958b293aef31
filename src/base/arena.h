/* Memory that is given back all at once: what one object owns lives in one arena, so it has one free. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena { /* all zero = empty */
    struct arena_chunk *chunks;
};

/* size bytes, aligned for any type and not initialised; NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy of len bytes with a NUL behind it; NULL when out of memory. */
char *arena_text(struct arena *a, const char *bytes, size_t len);
/* Makes room for size bytes in one block, so that an object whose size is known takes no more than it needs. 0 or
 * ROUSE_ENOMEM. */
int arena_reserve(struct arena *a, size_t size);
void arena_done(struct arena *a);

#endif
