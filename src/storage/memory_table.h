/* A hash table of things that carry their own link. Adding never fails once room was reserved. */
#ifndef STORAGE_MEMORY_TABLE_H
#define STORAGE_MEMORY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct memory_link {
    struct memory_link *next;
    uint64_t hash;
};

struct memory_table { /* all zero = empty */
    struct memory_link **buckets;
    size_t size; /* of buckets: a power of two, or 0 */
    size_t count;
};

int memory_table_reserve(struct memory_table *table, size_t more); /* 0 or ROUSE_ENOMEM */
void memory_table_add(struct memory_table *table, struct memory_link *link, uint64_t hash);
void memory_table_remove(struct memory_table *table, struct memory_link *link);
/* Everything that was added under hash, the newest first, until NULL. */
struct memory_link *memory_table_first(const struct memory_table *table, uint64_t hash);
struct memory_link *memory_table_next(const struct memory_link *link);
void memory_table_done(struct memory_table *table); /* not what is in it */

/* Depends on the seed, which nobody outside knows. */
uint64_t memory_hash(uint64_t seed, const char *text);

#define MEMORY_OF(type, member, link) ((type *)(void *)((char *)(link) - offsetof(type, member)))

#endif
