/* What the command writes: read as it comes, kept (proc/pieces.h), and held against the ready pattern (proc/match.h). The command
 * is never blocked by a reader or a disk. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "proc/match.h"
#include "shim/shim.h"

#define PIPE_SIZE (1 << 20) /* for those who write much */
#define LAST_WORDS_MS 100   /* a terminal passes on what was written to it in its own time */

static char buffer[256 << 10];
static struct match match;

static void become_ready(struct shim *s)
{
    s->output.ready = true;
    shim_show(s, SHIM_READY, true, SHIM_SAY_READY);
}

/* Whoever fills a pipe gets a larger one: fewer turns for the same bytes. It stays as it is where the kernel refuses. */
static void widen(const struct output *o, size_t came)
{
    if (came == 65536 && o->pieces.size == came)
        fcntl(o->pipe, F_SETPIPE_SZ, PIPE_SIZE);
}

static ssize_t read_some(struct shim *s, size_t most)
{
    struct output *o = &s->output;
    ssize_t n = read(o->pipe, buffer, most);
    if (n <= 0)
        return n;
    s->last_output = shim_now_ms();
    pieces_add(&o->pieces, buffer, (size_t)n);
    widen(o, (size_t)n);
    if (match_feed(&match, buffer, (size_t)n))
        become_ready(s);
    if (s->input.fd >= 0)
        input_stir(s);
    shim_point(s, "output");
    return n;
}

int output_open(struct shim *s)
{
    s->output.pipe = -1;
    pieces_open(&s->output.pieces, SHIM_FD_DIR, s->asked.head, s->asked.tail);
    return s->asked.ready_when ? match_open(&match, s->asked.ready_when) : 0;
}

static void close_output(struct shim *s)
{
    if (s->input.fd == s->output.pipe)
        s->input.fd = -1;
    close(s->output.pipe);
    s->output.pipe = -1;
}

void output_read(struct shim *s)
{
    ssize_t n = read_some(s, sizeof buffer);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        close_output(s);
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
    if (match_last(&match))
        become_ready(s);
    match_close(&match);
    pieces_close(&o->pieces);
    if (o->pipe >= 0)
        close_output(s);
}
