/* Reading output: which bytes are there is said by the names and sizes of the pieces alone (src/shim/output.c). A piece
 * may be dropped while it is being looked for; then the reader looks again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "proc/directory.h"
#include "proc/proc.h"
#include "proc/protocol.h"
#include "proc/record.h"

#define TRIES 64

/* "out" or "out.<offset>", exactly as they are written. */
static bool parse_name(const char *name, uint64_t *ret_start)
{
    size_t len = strlen(SHIM_OUT);
    if (strncmp(name, SHIM_OUT, len) != 0)
        return false;
    *ret_start = 0;
    if (name[len] == '\0')
        return true;
    const char *digits = name + len + 1;
    size_t n = strspn(digits, "0123456789");
    if (name[len] != '.' || n == 0 || n > 19 || digits[n] != '\0' || digits[0] == '0')
        return false;
    *ret_start = strtoull(digits, NULL, 10);
    return true;
}

static void add_piece(struct listing *p, struct piece piece)
{
    size_t i = p->count;
    if (p->count == MAX_PIECES)
        return;
    for (; i > 0 && p->at[i - 1].start > piece.start; i--)
        p->at[i] = p->at[i - 1];
    p->at[i] = piece;
    p->count++;
}

static void add_entry(int dir, const char *name, struct listing *fill)
{
    struct stat stat;
    uint64_t start;
    if (parse_name(name, &start) && fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode))
        add_piece(fill, (struct piece){.start = start, .size = (uint64_t)stat.st_size});
    fill->ready |= strcmp(name, SHIM_READY) == 0;
    fill->waiting |= strcmp(name, SHIM_WAITING) == 0;
    fill->stuck |= strcmp(name, SHIM_STUCK) == 0;
}

/* Without the C library's DIR, which takes memory and a descriptor of its own for a handful of names. */
int proc_list(int dir, struct listing *fill, rouse_error *err)
{
    char entries[2048] __attribute__((aligned(__alignof__(struct dirent64))));
    ssize_t n = -1;
    *fill = (struct listing){.count = 0};
    if (lseek(dir, 0, SEEK_SET) == 0) {
        while ((n = getdents64(dir, entries, sizeof entries)) > 0) {
            for (ssize_t at = 0; at < n;) {
                const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
                add_entry(dir, entry->d_name, fill);
                at += entry->d_reclen;
            }
        }
    }
    return n < 0 ? rouse_fail_errno(err, ROUSE_EIO, errno, "cannot list the directory of a task") : 0;
}

struct proc_output proc_sum(const struct listing *listing, uint64_t recorded)
{
    struct proc_output output = {.size = recorded};
    for (size_t i = 0; i < listing->count; i++) {
        uint64_t end = listing->at[i].start + listing->at[i].size;
        output.size = end > output.size ? end : output.size;
        output.kept += listing->at[i].size;
    }
    output.kept = output.kept > output.size ? output.size : output.kept;
    output.dropped = output.size - output.kept;
    return output;
}

int proc_output_size(int parent, const char *id, struct proc_output *fill, rouse_error *err)
{
    struct listing listing;
    struct record record;
    FD_AUTO int dir = proc_open_directory(parent, id, err);
    if (dir < 0)
        return dir;
    int recorded = record_read(dir, &record, err);
    int code = recorded < 0 ? recorded : proc_list(dir, &listing, err);
    if (code == 0)
        *fill = proc_sum(&listing, recorded ? record.output : 0);
    return code;
}

/* The piece that has the byte at offset or, when none has, the first one behind it. */
static const struct piece *choose(const struct listing *pieces, uint64_t offset)
{
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *p = &pieces->at[i];
        if (p->size > 0 && offset < p->start + p->size)
            return p;
    }
    return NULL;
}

static void name_piece(char *fill, size_t size, uint64_t start)
{
    snprintf(fill, size, start > 0 ? SHIM_OUT ".%llu" : SHIM_OUT, (unsigned long long)start);
}

static int open_piece(int dir, uint64_t start)
{
    char name[32];
    name_piece(name, sizeof name, start);
    return openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* Bytes read from the piece at offset, 0 at its end, -1 with errno. */
static ssize_t read_piece(int dir, const struct piece *piece, uint64_t offset, char *fill, size_t size)
{
    FD_AUTO int fd = open_piece(dir, piece->start);
    if (fd < 0)
        return -1;
    ssize_t n;
    do
        n = pread(fd, fill, size, (off_t)(offset - piece->start));
    while (n < 0 && errno == EINTR);
    return n;
}

/* What stands at offset and, without a gap, behind it. *offset moves to the first byte given. */
static ssize_t read_run(int dir, const struct listing *pieces, uint64_t *offset, char *fill, size_t size)
{
    size_t len = 0;
    while (len < size) {
        const struct piece *p = choose(pieces, *offset + len);
        if (!p || (len > 0 && p->start > *offset + len))
            break;
        uint64_t from = p->start > *offset + len ? p->start : *offset + len;
        ssize_t n = read_piece(dir, p, from, fill + len, size - len);
        if (n <= 0)
            return len > 0 ? (ssize_t)len : n;
        if (len == 0)
            *offset = from;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

int proc_output_read(int parent, const char *id, uint64_t *offset, char *fill, size_t size, rouse_error *err)
{
    FD_AUTO int dir = proc_open_directory(parent, id, err);
    if (dir < 0)
        return dir;
    if (size > INT32_MAX)
        size = INT32_MAX;
    for (int i = 0; i < TRIES; i++) {
        struct listing pieces;
        int code = proc_list(dir, &pieces, err);
        if (code < 0)
            return code;
        ssize_t n = read_run(dir, &pieces, offset, fill, size);
        if (n >= 0)
            return (int)n;
        if (errno != ENOENT)
            break;
    }
    return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot read the output of '%s'", id);
}

int proc_output_drop(int parent, const char *id, rouse_error *err)
{
    struct listing pieces;
    FD_AUTO int dir = proc_open_directory(parent, id, err);
    int code = dir < 0 ? dir : proc_list(dir, &pieces, err);
    for (size_t i = 0; code == 0 && i < pieces.count; i++) {
        char name[32];
        name_piece(name, sizeof name, pieces.at[i].start);
        if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
            code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot drop the output of '%s'", id);
    }
    return code;
}
