#include "task/hoard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"

#define NOTE 42         /* bytes: "%020 %020\n", the task's number and what it kept */
#define NOTES_AT_ONCE 1024
#define HOLE (1u << 20) /* of notes dealt with, before they are given back */

struct head {
    uint64_t dropped; /* offset of the first note whose output is still there */
    uint64_t counted; /* offset of the first note that is not in total */
    uint64_t total;   /* bytes kept by the notes between the two */
};

static int open_beside_tasks(const rouse_manager *m, const char *name, int flags)
{
    return openat(m->tasks, name, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Anything but notes reads as a note of nothing: holes, and what a full disk left of a line. */
static void read_note(const char *at, uint64_t *ret_number, uint64_t *ret_kept)
{
    char line[NOTE + 1];
    memcpy(line, at, NOTE);
    line[NOTE] = '\0';
    *ret_kept = 0;
    if (line[20] == ' ' && line[NOTE - 1] == '\n' && strspn(line, "0123456789") == 20) {
        *ret_number = strtoull(line, NULL, 10);
        *ret_kept = strtoull(line + 21, NULL, 10);
    }
}

static struct head read_head(int fd)
{
    struct head h = {0};
    char text[128] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0 || sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &h.dropped, &h.counted, &h.total) != 3 ||
        h.dropped % NOTE != 0 || h.counted % NOTE != 0 || h.dropped > h.counted)
        return (struct head){0};
    return h;
}

static void write_head(int fd, const struct head *h)
{
    char text[128];
    int len = snprintf(text, sizeof text, "%020" PRIu64 " %020" PRIu64 " %020" PRIu64 "\n", h->dropped, h->counted, h->total);
    ssize_t n = pwrite(fd, text, (size_t)len, 0);
    (void)n; /* then it is counted again next time */
}

static size_t read_notes(int fd, uint64_t offset, char *fill, size_t count)
{
    ssize_t n = pread(fd, fill, count * NOTE, (off_t)offset);
    return n > 0 ? (size_t)n / NOTE : 0;
}

static void count_new(int notes, struct head *h)
{
    char block[NOTES_AT_ONCE * NOTE];
    size_t n = read_notes(notes, h->counted, block, NOTES_AT_ONCE);
    for (size_t i = 0; i < n; i++) {
        uint64_t number, kept;
        read_note(block + i * NOTE, &number, &kept);
        h->total += kept;
    }
    h->counted += n * NOTE;
}

static void drop_oldest(rouse_manager *m, int notes, struct head *h)
{
    char block[LIMIT_DROPS * NOTE];
    uint64_t from = h->dropped;
    size_t n = h->total > m->output_cap ? read_notes(notes, from, block, LIMIT_DROPS) : 0;
    for (size_t i = 0; i < n && h->total > m->output_cap && h->dropped < h->counted; i++) {
        char id[LIMIT_TASK_ID + 1];
        uint64_t number = 0, kept;
        read_note(block + i * NOTE, &number, &kept);
        task_id_of(number, id);
        if (kept > 0)
            proc_output_drop(m->tasks, id, NULL);
        h->total -= kept < h->total ? kept : h->total;
        h->dropped += NOTE;
    }
    if (h->dropped / HOLE > from / HOLE)
        fallocate(notes, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)(h->dropped / HOLE * HOLE));
}

/* Has nobody added a note since nothing was left to do here? */
static bool is_done(const rouse_manager *m)
{
    struct stat is;
    if (fstatat(m->tasks, "../outputs", &is, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT;
    return m->notes_seen == is.st_size;
}

void hoard_trim(rouse_manager *m)
{
    if (is_done(m))
        return;
    FD_AUTO int head = open_beside_tasks(m, "../outputs.head", O_RDWR);
    if (head < 0 || flock(head, LOCK_EX | LOCK_NB) != 0)
        return; /* somebody is at it */
    FD_AUTO int notes = open_beside_tasks(m, "../outputs", O_RDWR);
    if (notes < 0)
        return;
    struct head h = read_head(head);
    const struct head before = h;
    count_new(notes, &h);
    drop_oldest(m, notes, &h);
    if (memcmp(&before, &h, sizeof h) != 0)
        write_head(head, &h);
    m->notes_seen = h.total > m->output_cap ? -1 : (int64_t)h.counted;
}

void hoard_add(rouse_manager *m, const char *task_id, uint64_t kept)
{
    char line[NOTE + 1];
    if (kept == 0 || !task_is_id(task_id))
        return;
    snprintf(line, sizeof line, "%020llu %020" PRIu64 "\n", strtoull(task_id + 3, NULL, 10), kept);
    FD_AUTO int notes = open_beside_tasks(m, "../outputs", O_WRONLY | O_APPEND);
    if (notes >= 0 && fd_write_all(notes, line, NOTE) == 0)
        hoard_trim(m);
}
