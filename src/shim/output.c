/* Output: the first bytes stay in `out`; what follows goes to pieces out.<offset of the first byte>, of which the newest are
 * kept. A piece ends at a boundary that depends on offsets alone, or where a write failed: the next one starts behind what
 * was lost, so the names and sizes of the files say exactly which bytes are there. A task that writes nothing has no file. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "shim/shim.h"

#define PIPE_SIZE (1 << 20)  /* for those who write much */
#define LAST_WORDS_MS 100    /* a terminal passes on what was written to it in its own time */

static char buffer[128 << 10];

static const char *name_piece(char fill[32], uint64_t offset)
{
    snprintf(fill, 32, offset > 0 ? SHIM_OUT ".%llu" : SHIM_OUT, (unsigned long long)offset);
    return fill;
}

static void unlink_piece(uint64_t offset)
{
    char name[32];
    unlinkat(SHIM_FD_DIR, name_piece(name, offset), 0);
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
    if (o->size > 0 && o->n_pieces == SHIM_PIECES) {
        unlink_piece(o->pieces[0]);
        memmove(o->pieces, o->pieces + 1, --o->n_pieces * sizeof *o->pieces);
    }
    o->file = openat(SHIM_FD_DIR, name_piece(name, o->size), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (o->file < 0)
        return errno;
    if (o->size > 0)
        o->pieces[o->n_pieces++] = o->size;
    o->start = o->size;
    o->limit = o->head + (o->size < o->head ? 0 : (o->size - o->head) / o->segment + 1) * o->segment;
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
    o->matching = false;
    o->ready = true;
    regfree(&o->pattern);
    int fd = openat(SHIM_FD_DIR, SHIM_READY, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        dprintf(fd, "%llu\n", (unsigned long long)offset); /* that it is there says it all */
    close(fd);
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
            o->line[o->line_len++] = bytes[i] ? bytes[i] : ' ';
    }
}

/* Whoever fills a pipe gets a larger one: fewer turns for the same bytes. It stays as it is where the kernel refuses. */
static void widen(struct output *o, size_t came)
{
    if (came == 65536 && o->size == came)
        fcntl(o->pipe, F_SETPIPE_SZ, PIPE_SIZE);
}

static ssize_t read_some(struct shim *s, size_t most)
{
    struct output *o = &s->output;
    ssize_t n = read(o->pipe, buffer, most);
    if (n <= 0)
        return n;
    uint64_t offset = o->size;
    s->last_output = shim_now_ms();
    keep(o, buffer, (size_t)n);
    widen(o, (size_t)n);
    if (o->matching)
        match(s, buffer, (size_t)n, offset);
    if (s->input.fd >= 0)
        input_stir(s);
    shim_point(s, "output");
    return n;
}

int output_open(struct shim *s)
{
    struct output *o = &s->output;
    uint64_t tail = s->tail > 0 ? s->tail : LIMIT_OUTPUT_TAIL;
    o->pipe = o->file = -1;
    o->head = s->head > 0 ? s->head : LIMIT_OUTPUT_HEAD;
    o->segment = tail < 4096 * LIMIT_OUTPUT_SEGMENTS ? 4096 : tail / LIMIT_OUTPUT_SEGMENTS;
    o->matching = s->ready_when != NULL;
    return o->matching && regcomp(&o->pattern, s->ready_when, REG_EXTENDED | REG_NOSUB) != 0 ? EINVAL : 0;
}

void output_read(struct shim *s)
{
    ssize_t n = read_some(s, sizeof buffer);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        if (s->input.fd == s->output.pipe)
            s->input.fd = -1;
        close(s->output.pipe);
        s->output.pipe = -1;
    }
}

/* A pipe that somebody else goes on filling ends with what is there now; a terminal, with its hanging up or a silence. */
void output_finish(struct shim *s)
{
    struct output *o = &s->output;
    struct pollfd p = {.fd = o->pipe, .events = POLLIN};
    int left = 0;
    ssize_t n = 1;
    if (s->input.terminal >= 0) {
        close(s->input.terminal);
        while (n > 0 && poll(&p, 1, LAST_WORDS_MS) > 0)
            n = read_some(s, sizeof buffer);
    } else if (o->pipe >= 0 && ioctl(o->pipe, FIONREAD, &left) == 0) {
        for (; left > 0 && n > 0; left -= (int)n)
            n = read_some(s, (size_t)left < sizeof buffer ? (size_t)left : sizeof buffer);
    }
    if (o->matching && o->line_len > 0)
        match_line(s, o->size);
    if (o->file >= 0)
        close_piece(o);
}
