/* What the command reads: held here up to LIMIT_INPUT, and given to it as it takes it, so that a command that does not read
 * holds nobody up. */
#include <sys/ioctl.h>
#include <termios.h>

#include "proc/confine.h"
#include "proc/feed.h"
#include "proc/tree.h"
#include "shim/shim.h"

#define FIRST_LOOK_MS 100   /* after the last sign of life; doubles */
#define LAST_PAUSE_MS 25600 /* then nobody looks until there is a sign again */

static void close_input(struct shim *s)
{
    struct input *in = &s->input;
    if (in->fd != s->output.pipe)
        close(in->fd);
    in->fd = -1;
    feed_drop();
    in->look_at = SHIM_NEVER;
    listeners_tell(&s->listeners, SHIM_SAY_ROOM, WANTS_ROOM); /* who tries again is told that there is no input */
}

bool input_has_more(const struct shim *s)
{
    return s->input.fd >= 0 && feed_held() > 0;
}

void input_tell_room(struct shim *s)
{
    if (feed_held() <= LIMIT_INPUT / 2)
        listeners_tell(&s->listeners, SHIM_SAY_ROOM, WANTS_ROOM);
}

void input_give(struct shim *s)
{
    struct input *in = &s->input;
    size_t before = feed_held();
    if (!feed_give(in->fd)) {
        close_input(s);
        return;
    }
    if (feed_held() < before) {
        input_stir(s);
        input_tell_room(s);
    }
    if (feed_held() == 0 && in->ends && in->terminal < 0)
        close_input(s);
}

ssize_t input_take(struct shim *s, const char *bytes, size_t len)
{
    if (s->input.fd < 0 || s->input.ends)
        return -1;
    size_t n = feed_take(bytes, len);
    input_give(s);
    return (ssize_t)n;
}

/* A terminal has no end but the character for it, which whoever reads next may pass over: it goes on taking input. */
bool input_end(struct shim *s)
{
    if (s->input.terminal >= 0)
        return input_take(s, "\004", 1) == 1;
    if (s->input.fd < 0)
        return false;
    s->input.ends = true;
    input_give(s);
    return true;
}

bool input_resize(struct shim *s, unsigned rows, unsigned columns)
{
    return s->input.terminal >= 0 && s->input.fd >= 0 && ends_resize(s->input.fd, rows, columns);
}

/* ---- waiting ---- */

void input_stir(struct shim *s)
{
    struct input *in = &s->input;
    if (in->waiting) {
        in->waiting = false;
        shim_show(s, SHIM_WAITING, false, SHIM_SAY_RESUMED);
    }
    in->pause = FIRST_LOOK_MS;
    in->look_at = in->fd >= 0 && !in->ends ? shim_now_ms() + in->pause : SHIM_NEVER;
}

static bool reads(pid_t pid, void *userdata)
{
    const struct shim *s = userdata;
    return reading_blocks(&s->input.reading, pid);
}

static bool is_waiting(struct shim *s)
{
    pid_t front = s->leader;
    if (s->input.terminal >= 0 && (ioctl(s->input.fd, TIOCGPGRP, &front) < 0 || front <= 0))
        return false;
    return reads(front, s) || tree_any(s->proc, s->input.terminal >= 0 ? front : 0, reads, s);
}

void input_look(struct shim *s)
{
    struct input *in = &s->input;
    if (in->look_at > shim_now_ms())
        return;
    if (feed_held() == 0 && s->leader != 0 && is_waiting(s)) {
        in->waiting = true;
        in->look_at = SHIM_NEVER;
        shim_show(s, SHIM_WAITING, true, SHIM_SAY_WAITING);
        return;
    }
    in->pause *= 2;
    in->look_at = in->pause > LAST_PAUSE_MS ? SHIM_NEVER : shim_now_ms() + in->pause;
}
