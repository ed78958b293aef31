/* What the command reads: held here up to LIMIT_INPUT, and given to it as it takes it, so that a command that does not read
 * holds nobody up.
 *
 * Whether it waits for input is asked of the kernel once it has been silent: is a process of the foreground blocked in a
 * call that reads this very pipe or terminal, or polls it for reading? */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <termios.h>

#include "proc/tree.h"
#include "shim/shim.h"

#define FIRST_LOOK_MS 100   /* after the last sign of life; doubles */
#define LAST_PAUSE_MS 25600 /* then nobody looks until there is a sign again */
#define POLLED 16           /* of a process's polled descriptors, the first ones are looked at */

static void close_input(struct shim *s)
{
    struct input *in = &s->input;
    if (in->fd >= 0 && in->fd != s->output.pipe)
        close(in->fd);
    in->fd = -1;
    in->len = 0;
    in->look_at = SHIM_NEVER;
    control_tell_room(s); /* who tries again is told that there is no input */
}

bool input_has_more(const struct shim *s)
{
    return s->input.fd >= 0 && s->input.len > 0;
}

void input_tell_room(struct shim *s)
{
    if (s->input.len <= LIMIT_INPUT / 2)
        control_tell_room(s);
}

void input_give(struct shim *s)
{
    struct input *in = &s->input;
    size_t before = in->len;
    while (input_has_more(s)) {
        ssize_t n = write(in->fd, in->held + in->from, in->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            close_input(s);
            return;
        }
        if (n <= 0)
            break;
        in->from += (size_t)n;
        in->len -= (size_t)n;
    }
    if (in->len < before) {
        input_stir(s);
        input_tell_room(s);
    }
    if (in->len == 0 && in->ends && in->terminal < 0 && in->fd >= 0)
        close_input(s);
}

ssize_t input_take(struct shim *s, const char *bytes, size_t len)
{
    struct input *in = &s->input;
    if (in->fd < 0 || in->ends)
        return -1;
    size_t room = sizeof in->held - in->len;
    size_t n = len < room ? len : room;
    memmove(in->held, in->held + in->from, in->len);
    in->from = 0;
    memcpy(in->held + in->len, bytes, n);
    in->len += n;
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
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return s->input.terminal >= 0 && s->input.fd >= 0 && ioctl(s->input.fd, TIOCSWINSZ, &size) == 0;
}

/* ---- waiting ---- */

void input_stir(struct shim *s)
{
    struct input *in = &s->input;
    if (in->waiting) {
        in->waiting = false;
        unlinkat(SHIM_FD_DIR, SHIM_WAITING, 0);
        shim_ring(s);
        control_tell(s, SHIM_SAY_RESUMED, true, false);
    }
    in->pause = FIRST_LOOK_MS;
    in->look_at = in->fd >= 0 && !in->ends ? shim_now_ms() + in->pause : SHIM_NEVER;
}

static bool is_input(const struct shim *s, pid_t pid, uint64_t fd)
{
    char path[64];
    struct stat is;
    snprintf(path, sizeof path, "%d/fd/%d", (int)pid, (int)fd);
    if (fstatat(s->proc, path, &is, 0) < 0)
        return false;
    if (s->input.terminal >= 0)
        return S_ISCHR(is.st_mode) && (is.st_rdev == s->input.is.st_rdev || is.st_rdev == makedev(5, 0)); /* /dev/tty */
    return is.st_dev == s->input.is.st_dev && is.st_ino == s->input.is.st_ino;
}

static bool peek(pid_t pid, uint64_t from, void *fill, size_t size)
{
    struct iovec here = {.iov_base = fill, .iov_len = size};
    struct iovec there = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static bool polls_input(const struct shim *s, pid_t pid, uint64_t from, uint64_t count)
{
    struct pollfd p[POLLED];
    count = count < POLLED ? count : POLLED;
    if (!peek(pid, from, p, count * sizeof *p))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if ((p[i].events & POLLIN) && p[i].fd >= 0 && is_input(s, pid, (uint64_t)p[i].fd))
            return true;
    }
    return false;
}

static bool selects_input(const struct shim *s, pid_t pid, uint64_t count, uint64_t from)
{
    unsigned long set;
    if (from == 0 || !peek(pid, from, &set, sizeof set))
        return false;
    for (unsigned fd = 0; fd < POLLED && fd < count; fd++) {
        if ((set >> fd & 1) && is_input(s, pid, fd))
            return true;
    }
    return false;
}

static bool blocks_on_input(pid_t pid, void *userdata)
{
    const struct shim *s = userdata;
    char path[32], text[256], *at = text;
    snprintf(path, sizeof path, "%d/syscall", (int)pid);
    int fd = openat(s->proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (*text < '0' || *text > '9') /* "running" */
        return false;
    long call = strtol(at, &at, 10);
    uint64_t first = strtoull(at, &at, 16), second = strtoull(at, &at, 16);
    switch (call) {
    case SYS_read:
    case SYS_readv:
        return is_input(s, pid, first);
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
        return polls_input(s, pid, first, second);
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6:
        return selects_input(s, pid, first, second);
    default:
        return false;
    }
}

static bool is_waiting(struct shim *s)
{
    pid_t front = s->leader;
    if (s->input.terminal >= 0 && (ioctl(s->input.fd, TIOCGPGRP, &front) < 0 || front <= 0))
        return false;
    return blocks_on_input(front, s) || tree_any(s->proc, s->input.terminal >= 0 ? front : 0, blocks_on_input, s);
}

void input_look(struct shim *s)
{
    struct input *in = &s->input;
    if (in->look_at > shim_now_ms())
        return;
    if (in->len == 0 && s->leader != 0 && is_waiting(s)) {
        in->waiting = true;
        in->look_at = SHIM_NEVER;
        close(openat(SHIM_FD_DIR, SHIM_WAITING, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
        shim_ring(s);
        control_tell(s, SHIM_SAY_WAITING, true, false);
        return;
    }
    in->pause *= 2;
    in->look_at = in->pause > LAST_PAUSE_MS ? SHIM_NEVER : shim_now_ms() + in->pause;
}
