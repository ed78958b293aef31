/* What runtimes say over the socket `ctl` (words: proc/protocol.h). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "shim/shim.h"

static void take_cancel(struct shim *s, struct listener *l, const char *at)
{
    int signal, reason = 0;
    unsigned long long grace_ms;
    char digits[24], by[sizeof s->exit.ended_by];
    if (sscanf(at, "%4d %23[0-9] %15s%n", &signal, digits, by, &reason) != 3 || signal < 1 || signal > SIGRTMAX ||
        (at[reason] != ' ' && at[reason] != '\0'))
        return;
    errno = 0;
    grace_ms = strtoull(digits, NULL, 10);
    if (errno != 0)
        return;
    l->wants |= WANTS_END;
    if (!ending_cancel(s, by, at + reason + (at[reason] == ' '), signal, grace_ms))
        listener_tell(l, SHIM_SAY_LATE);
    if (s->ending.told_stuck)
        listener_tell(l, SHIM_SAY_STUCK);
}

static void take_watch(struct shim *s, struct listener *l)
{
    l->wants |= WANTS_NEWS;
    if (s->output.ready)
        listener_tell(l, SHIM_SAY_READY);
    if (s->input.waiting)
        listener_tell(l, SHIM_SAY_WAITING);
    if (s->ending.phase == PHASE_GONE)
        listener_tell(l, SHIM_SAY_ENDED);
}

static void answer(struct listener *l, ssize_t taken)
{
    char text[32];
    snprintf(text, sizeof text, SHIM_SAY_TOOK "%zd", taken);
    listener_tell(l, taken < 0 ? SHIM_SAY_NO_INPUT : text);
}

static void take_write(struct shim *s, struct listener *l, const char *bytes, size_t len)
{
    ssize_t n = input_take(s, bytes, len);
    l->wants = n >= 0 && (size_t)n < len ? l->wants | WANTS_ROOM : l->wants & ~(unsigned)WANTS_ROOM;
    answer(l, n);
    input_tell_room(s); /* what was taken may have gone to a command that has just begun to read */
}

static void take_resize(struct shim *s, struct listener *l, const char *at)
{
    unsigned rows, columns;
    bool good = sscanf(at, "%5u %5u", &rows, &columns) == 2;
    answer(l, good && input_resize(s, rows, columns) ? 0 : -1);
}

/* Behind word, or NULL when message is another one. */
static const char *after(const char *message, const char *word)
{
    size_t len = strlen(word);
    return strncmp(message, word, len) == 0 ? message + len : NULL;
}

void control_serve(struct shim *s, struct listener *l)
{
    static char message[LIMIT_WRITE + 16];
    const char *at;
    ssize_t n = recv(l->fd, message, sizeof message - 1, MSG_DONTWAIT);
    /* A reset says that the other side went without reading all it was told; what it said before is still to come. */
    if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET))
        return;
    if (n <= 0) {
        listener_drop(l);
        return;
    }
    message[n] = '\0';
    if ((at = after(message, SHIM_ASK_WRITE)))
        take_write(s, l, at, (size_t)n - strlen(SHIM_ASK_WRITE));
    else if (strcmp(message, SHIM_ASK_WATCH) == 0)
        take_watch(s, l);
    else if (strcmp(message, SHIM_ASK_TAKEN) == 0)
        s->taken = s->ending.phase == PHASE_GONE;
    else if ((at = after(message, SHIM_ASK_CANCEL)))
        take_cancel(s, l, at);
    else if (strcmp(message, SHIM_ASK_EOF) == 0)
        answer(l, input_end(s) ? 0 : -1);
    else if ((at = after(message, SHIM_ASK_RESIZE)))
        take_resize(s, l, at);
}
