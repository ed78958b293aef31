/* A hash table of things. Their hashes stand in the table, so that neither a search nor growing it touches anything else.
 * Adding never fails once room was reserved. */
#ifndef STORAGE_MEMORY_TABLE_H
#define STORAGE_MEMORY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct memory_cell {
    uint64_t hash;
    void *thing; /* NULL = free */
};

struct memory_table { /* all zero = empty */
    struct memory_cell *cells;
    size_t size; /* a power of two, or 0 */
    size_t count;
};

int memory_table_reserve(struct memory_table *table, size_t more); /* 0 or ROUSE_ENOMEM */
void memory_table_add(struct memory_table *table, uint64_t hash, void *thing);
void memory_table_remove(struct memory_table *table, uint64_t hash, const void *thing); /* it must be there */
/* Everything that was added under hash, one at a time, until NULL; *probe starts at 0. Nothing may be added or removed meanwhile. */
void *memory_table_next(const struct memory_table *table, uint64_t hash, size_t *probe);
void memory_table_done(struct memory_table *table); /* not what is in it */

/* Depends on the seed, which nobody outside knows. */
uint64_t memory_hash(uint64_t seed, const char *text);
/* The hash of the same text in another place, from its hash. */
uint64_t memory_rehash(uint64_t hash, uint64_t salt);

#endif
