#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rouse/error.h"

#define CHUNK_SIZE 992 /* with its head 1 KiB: glibc keeps freed blocks of up to 1,032 bytes at hand, larger ones it has to look for */

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

static struct arena_chunk *add_chunk(struct arena *a, size_t size)
{
    if (size > PTRDIFF_MAX / 2) /* no object is so large: keeps the sums here and below from overflowing */
        return NULL;
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    *chunk = (struct arena_chunk){.next = a->chunks, .size = size};
    a->chunks = chunk;
    return chunk;
}

int arena_reserve(struct arena *a, size_t size)
{
    return add_chunk(a, size) ? 0 : ROUSE_ENOMEM;
}

/* size bytes at a multiple of align. */
static void *take(struct arena *a, size_t size, size_t align)
{
    struct arena_chunk *chunk = a->chunks;
    size_t at = chunk ? (chunk->used + align - 1) / align * align : 0;
    if (!chunk || at > chunk->size || chunk->size - at < size) {
        chunk = add_chunk(a, size > CHUNK_SIZE ? size : CHUNK_SIZE);
        at = 0;
    }
    if (!chunk)
        return NULL;
    chunk->used = at + size;
    return chunk->bytes + at;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return take(a, size, alignof(max_align_t));
}

char *arena_text(struct arena *a, const char *bytes, size_t len)
{
    char *copy = len < SIZE_MAX ? take(a, len + 1, 1) : NULL;
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

void arena_done(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
}
