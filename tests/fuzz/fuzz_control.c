/* Messages to the supervisor, one a line, as a hostile process of the same user would send them. */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

#include "proc/listeners.c"
#include "shim/control.c"

bool ending_cancel(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms)
{
    must(signal > 0 && signal <= SIGRTMAX && *by && strlen(by) < sizeof s->exit.ended_by &&
         strlen(reason) <= LIMIT_WRITE);
    s->ending.told_stuck = grace_ms % 2;
    return grace_ms % 3 > 0;
}

ssize_t input_take(struct shim *s, const char *bytes, size_t len)
{
    (void)s;
    must(len <= LIMIT_WRITE + 16);
    return len == 0 ? -1 : (ssize_t)(len - ((unsigned char)bytes[len - 1] % 2));
}

bool input_end(struct shim *s)
{
    return s->input.ends = true;
}

bool input_resize(struct shim *s, unsigned rows, unsigned columns)
{
    (void)s;
    return rows > 0 && columns > 0;
}

void input_tell_room(struct shim *s)
{
    listeners_tell(&s->listeners, SHIM_SAY_ROOM, WANTS_ROOM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct shim shim;
    int pair[2];
    shim = (struct shim){0};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return 0;
    struct listener l = {.fd = pair[0]};
    for (size_t at = 0; at < size && l.fd >= 0;) {
        const uint8_t *line = memchr(data + at, '\n', size - at);
        size_t len = (line ? (size_t)(line - data) : size) - at;
        if (send(pair[1], data + at, len, MSG_DONTWAIT) >= 0)
            control_serve(&shim, &l);
        shim.ending.phase = at & 8 ? PHASE_GONE : shim.ending.phase;
        at += len + 1;
    }
    must(!shim.taken || shim.ending.phase == PHASE_GONE);
    if (l.fd >= 0)
        close(l.fd);
    close(pair[1]);
    return 0;
}
