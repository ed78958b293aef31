/* Output: the first LIMIT_OUTPUT_HEAD bytes stay in `out`; what follows goes to pieces out.<offset of the first byte>, of
 * which the newest are kept. A piece ends at a boundary that depends on offsets alone, or where a write failed: the next
 * one starts behind what was lost, so the names and sizes of the files say exactly which bytes are there. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/text.h"

static char buffer[65536];

static void name_piece(struct text *name, uint64_t offset)
{
    text_add(name, SHIM_OUT);
    if (offset > 0) {
        text_add(name, ".");
        text_add_u64(name, offset);
    }
}

static void unlink_piece(uint64_t offset)
{
    char name[32];
    struct text text = {.at = name, .size = sizeof name};
    name_piece(&text, offset);
    unlinkat(SHIM_FD_DIR, name, 0);
}

static void close_piece(struct output *o)
{
    close(o->file);
    o->file = -1;
    if (o->size == o->start && o->start > 0) {
        unlink_piece(o->start);
        o->n_pieces--;
    }
}

static int open_piece(struct output *o)
{
    char name[32];
    struct text text = {.at = name, .size = sizeof name};
    name_piece(&text, o->size);
    if (o->size > 0 && o->n_pieces == SHIM_PIECES) {
        unlink_piece(o->pieces[0]);
        memmove(o->pieces, o->pieces + 1, --o->n_pieces * sizeof *o->pieces);
    }
    o->file = openat(SHIM_FD_DIR, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (o->file < 0)
        return errno;
    if (o->size > 0)
        o->pieces[o->n_pieces++] = o->size;
    o->start = o->size;
    uint64_t behind_head = o->size < LIMIT_OUTPUT_HEAD ? 0 : (o->size - LIMIT_OUTPUT_HEAD) / LIMIT_OUTPUT_SEGMENT + 1;
    o->limit = LIMIT_OUTPUT_HEAD + behind_head * LIMIT_OUTPUT_SEGMENT;
    return 0;
}

static void lose(struct output *o, size_t len)
{
    if (o->file >= 0)
        close_piece(o);
    o->size += len;
    o->lost += len;
}

/* A full disk must neither block nor end the command: what no file takes is counted and forgotten. */
static void keep(struct output *o, const char *bytes, size_t len)
{
    while (len > 0) {
        if (o->file >= 0 && o->size == o->limit)
            close_piece(o);
        if (o->file < 0 && open_piece(o) != 0) {
            lose(o, len);
            return;
        }
        size_t room = (size_t)(o->limit - o->size);
        size_t part = len < room ? len : room;
        ssize_t n = write(o->file, bytes, part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            lose(o, part);
        else
            o->size += (uint64_t)n;
        part = n > 0 ? (size_t)n : part;
        bytes += part;
        len -= part;
    }
}

static void become_ready(struct shim *s, uint64_t offset)
{
    struct output *o = &s->output;
    char number[24];
    struct text text = {.at = number, .size = sizeof number};
    o->matching = false;
    o->ready = true;
    regfree(&o->pattern);
    text_add_u64(&text, offset);
    text_add(&text, "\n");
    int fd = openat(SHIM_FD_DIR, SHIM_READY, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
        ssize_t n = write(fd, number, text.len);
        (void)n; /* that it is there says it all */
        close(fd);
    }
    shim_ring(s);
    control_tell(s, SHIM_SAY_READY, true, false);
}

static void match_line(struct shim *s, uint64_t end)
{
    struct output *o = &s->output;
    o->line[o->line_len] = '\0';
    o->line_len = 0;
    if (regexec(&o->pattern, o->line, 0, NULL, 0) == 0)
        become_ready(s, end);
}

/* Of a line longer than LIMIT_LINE the beginning counts. */
static void match(struct shim *s, const char *bytes, size_t len, uint64_t offset)
{
    struct output *o = &s->output;
    for (size_t i = 0; i < len && o->matching; i++) {
        if (bytes[i] == '\n')
            match_line(s, offset + i + 1);
        else if (o->line_len < LIMIT_LINE)
            o->line[o->line_len++] = bytes[i];
    }
}

static ssize_t read_some(struct shim *s, size_t most)
{
    struct output *o = &s->output;
    ssize_t n = read(o->pipe, buffer, most);
    if (n > 0) {
        uint64_t offset = o->size;
        s->last_output = shim_now_ms();
        keep(o, buffer, (size_t)n);
        if (o->matching)
            match(s, buffer, (size_t)n, offset);
        shim_point(s, "output");
    }
    return n;
}

int output_open(struct shim *s)
{
    struct output *o = &s->output;
    o->pipe = -1;
    if (s->ready_when) {
        if (regcomp(&o->pattern, s->ready_when, REG_EXTENDED | REG_NOSUB) != 0)
            return EINVAL;
        o->matching = true;
    }
    return open_piece(o);
}

void output_read(struct shim *s)
{
    ssize_t n = read_some(s, sizeof buffer);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        close(s->output.pipe);
        s->output.pipe = -1;
    }
}

void output_finish(struct shim *s)
{
    struct output *o = &s->output;
    int left = 0;
    if (o->pipe >= 0 && ioctl(o->pipe, FIONREAD, &left) < 0)
        left = 0;
    while (left > 0) {
        ssize_t n = read_some(s, (size_t)left < sizeof buffer ? (size_t)left : sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        left -= (int)n;
    }
    if (o->matching && o->line_len > 0)
        match_line(s, o->size);
    if (o->file >= 0)
        close_piece(o);
}
