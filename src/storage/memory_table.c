/* Open addressing, in a line. Whoever is farther from home goes before who is nearer, so a search may stop as soon as it meets
 * somebody nearer, and removal moves up whoever follows until one that is at home. */
#include "storage/memory_table.h"

#include <stdlib.h>
#include <string.h>

#include "rouse/error.h"

static size_t home_of(const struct memory_table *table, uint64_t hash)
{
    return (size_t)hash & (table->size - 1);
}

/* How far from home who stands there is. */
static size_t distance(const struct memory_table *table, size_t at)
{
    return (at - (size_t)table->cells[at].hash) & (table->size - 1);
}

static size_t after(const struct memory_table *table, size_t at)
{
    return (at + 1) & (table->size - 1);
}

int memory_table_reserve(struct memory_table *table, size_t more)
{
    size_t need = table->count + more, size = table->size ? table->size : 16;
    while (size / 5 * 4 < need)
        size *= 2;
    if (size == table->size)
        return 0;
    struct memory_table larger = {.size = size};
    larger.cells = calloc(size, sizeof *larger.cells);
    if (!larger.cells)
        return ROUSE_ENOMEM;
    for (size_t i = 0; i < table->size; i++) {
        if (table->cells[i].thing)
            memory_table_add(&larger, table->cells[i].hash, table->cells[i].thing);
    }
    free(table->cells);
    *table = larger;
    return 0;
}

void memory_table_add(struct memory_table *table, uint64_t hash, void *thing)
{
    struct memory_cell in_hand = {.hash = hash, .thing = thing};
    size_t at = home_of(table, hash), far = 0;
    for (; table->cells[at].thing; at = after(table, at), far++) {
        size_t other = distance(table, at);
        if (other < far) {
            struct memory_cell nearer = table->cells[at];
            table->cells[at] = in_hand;
            in_hand = nearer;
            far = other;
        }
    }
    table->cells[at] = in_hand;
    table->count++;
}

void memory_table_remove(struct memory_table *table, uint64_t hash, const void *thing)
{
    size_t at = home_of(table, hash);
    while (table->cells[at].thing != thing)
        at = after(table, at);
    for (size_t next = after(table, at); table->cells[next].thing && distance(table, next) > 0; next = after(table, next)) {
        table->cells[at] = table->cells[next];
        at = next;
    }
    table->cells[at].thing = NULL;
    table->count--;
}

void *memory_table_next(const struct memory_table *table, uint64_t hash, size_t *probe)
{
    for (; *probe < table->size; ++*probe) {
        size_t at = home_of(table, hash + *probe);
        const struct memory_cell *cell = &table->cells[at];
        if (!cell->thing || distance(table, at) < *probe)
            return NULL;
        if (cell->hash == hash) {
            ++*probe;
            return cell->thing;
        }
    }
    return NULL;
}

void memory_table_done(struct memory_table *table)
{
    free(table->cells);
    *table = (struct memory_table){0};
}

/* ---- the hash: eight bytes at a time, each mixed in by a long multiplication ---- */

__extension__ typedef unsigned __int128 wide;

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15), other_odd = UINT64_C(0xd1b54a32d192ed03);

/* Texts that differ in the last bits of their last byte only, as the ids of tasks started one after another do, are neighbours in
 * every table: whoever asks for one finds the next ones in the same few lines of memory. */
#define NEIGHBOURS UINT64_C(7)

uint64_t memory_hash(uint64_t seed, const char *text)
{
    size_t len = strlen(text), left = len;
    uint64_t h = seed ^ odd, word = 0, last = 0;
    for (; left > 8; left -= 8, text += 8) {
        memcpy(&word, text, 8);
        h = mix(word ^ seed, h ^ other_odd);
    }
    if (left > 0)
        last = (unsigned char)text[left - 1] & NEIGHBOURS;
    word = 0;
    if (len > 8) {
        memcpy(&word, text + left - 8, 8); /* some bytes once more: cheaper than to count them */
        word &= ~(NEIGHBOURS << 56);
    } else {
        for (size_t i = 0; i < left; i++)
            word |= (uint64_t)(unsigned char)text[i] << (8 * i);
        word ^= left > 0 ? last << (8 * (left - 1)) : 0;
    }
    h = mix(word ^ seed ^ other_odd, h ^ odd ^ (uint64_t)len);
    return (h & ~NEIGHBOURS) | last;
}

uint64_t memory_rehash(uint64_t hash, uint64_t salt)
{
    uint64_t h = mix((hash & ~NEIGHBOURS) ^ odd, salt ^ other_odd);
    return (h & ~NEIGHBOURS) | (hash & NEIGHBOURS);
}
