#include "storage/memory_table.h"

#include <stdlib.h>
#include <string.h>

#include "rouse/error.h"

int memory_table_reserve(struct memory_table *table, size_t more)
{
    size_t size = table->size ? table->size : 16;
    while (size < table->count + more)
        size *= 2;
    if (size == table->size)
        return 0;
    struct memory_table larger = {.size = size};
    larger.buckets = calloc(size, sizeof(struct memory_link *));
    if (!larger.buckets)
        return ROUSE_ENOMEM;
    /* From the end of each chain, so that the newest stays the first. */
    for (size_t i = 0; i < table->size; i++) {
        struct memory_link *turned = NULL;
        for (struct memory_link *link = table->buckets[i], *next; link; link = next) {
            next = link->next;
            link->next = turned;
            turned = link;
        }
        for (struct memory_link *link = turned, *next; link; link = next) {
            next = link->next;
            memory_table_add(&larger, link, link->hash);
        }
    }
    free(table->buckets);
    *table = larger;
    return 0;
}

void memory_table_add(struct memory_table *table, struct memory_link *link, uint64_t hash)
{
    struct memory_link **bucket = &table->buckets[hash & (table->size - 1)];
    link->hash = hash;
    link->next = *bucket;
    *bucket = link;
    table->count++;
}

void memory_table_remove(struct memory_table *table, struct memory_link *link)
{
    struct memory_link **at = &table->buckets[link->hash & (table->size - 1)];
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    table->count--;
}

static struct memory_link *with_hash(struct memory_link *link, uint64_t hash)
{
    while (link && link->hash != hash)
        link = link->next;
    return link;
}

struct memory_link *memory_table_first(const struct memory_table *table, uint64_t hash)
{
    return table->size ? with_hash(table->buckets[hash & (table->size - 1)], hash) : NULL;
}

struct memory_link *memory_table_next(const struct memory_link *link)
{
    return with_hash(link->next, link->hash);
}

void memory_table_done(struct memory_table *table)
{
    free(table->buckets);
    *table = (struct memory_table){0};
}

/* ---- the hash: eight bytes at a time, each mixed in by a long multiplication ---- */

__extension__ typedef unsigned __int128 wide;

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t memory_hash(uint64_t seed, const char *text)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15), other = UINT64_C(0xd1b54a32d192ed03);
    size_t len = strlen(text);
    uint64_t h = seed ^ odd, word;
    for (; len >= 8; len -= 8, text += 8) {
        memcpy(&word, text, 8);
        h = mix(word ^ seed, h ^ other);
    }
    word = (uint64_t)len << 56;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)(unsigned char)text[i] << (8 * i);
    return mix(word ^ seed ^ other, h ^ odd);
}
