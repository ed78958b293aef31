#include "proc/pieces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc/protocol.h"

void pieces_open(struct pieces *p, int dir, uint64_t head, uint64_t tail)
{
    tail = tail > 0 ? tail : LIMIT_OUTPUT_TAIL;
    p->dir = dir;
    p->file = -1;
    p->head = head > 0 ? head : LIMIT_OUTPUT_HEAD;
    p->segment = tail < 4096 * LIMIT_OUTPUT_SEGMENTS ? 4096 : tail / LIMIT_OUTPUT_SEGMENTS;
}

static const char *name_piece(char fill[32], uint64_t offset)
{
    snprintf(fill, 32, offset > 0 ? SHIM_OUT ".%llu" : SHIM_OUT, (unsigned long long)offset);
    return fill;
}

static void unlink_piece(const struct pieces *p, uint64_t offset)
{
    char name[32];
    unlinkat(p->dir, name_piece(name, offset), 0);
}

static void close_piece(struct pieces *p)
{
    close(p->file);
    p->file = -1;
    if (p->size == p->start && p->start > 0) {
        unlink_piece(p, p->start);
        p->n_kept--;
    }
}

static int open_piece(struct pieces *p)
{
    char name[32];
    if (p->size > 0 && p->n_kept == PIECES_KEPT) {
        unlink_piece(p, p->kept[0]);
        memmove(p->kept, p->kept + 1, --p->n_kept * sizeof *p->kept);
    }
    p->file = openat(p->dir, name_piece(name, p->size), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (p->file < 0)
        return errno;
    if (p->size > 0)
        p->kept[p->n_kept++] = p->size;
    p->start = p->size;
    p->limit = p->head + (p->size < p->head ? 0 : (p->size - p->head) / p->segment + 1) * p->segment;
    return 0;
}

static void lose(struct pieces *p, size_t len)
{
    if (p->file >= 0)
        close_piece(p);
    p->size += len;
    p->lost += len;
}

void pieces_add(struct pieces *p, const char *bytes, size_t len)
{
    while (len > 0) {
        if (p->file >= 0 && p->size == p->limit)
            close_piece(p);
        if (p->file < 0 && open_piece(p) != 0) {
            lose(p, len);
            return;
        }
        size_t room = (size_t)(p->limit - p->size);
        size_t part = len < room ? len : room;
        ssize_t n = write(p->file, bytes, part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            lose(p, part);
        else
            p->size += (uint64_t)n;
        part = n > 0 ? (size_t)n : part;
        bytes += part;
        len -= part;
    }
}

void pieces_close(struct pieces *p)
{
    if (p->file >= 0)
        close_piece(p);
}
