/* Talking to runtimes over the socket `ctl` (words: proc/protocol.h). Nobody here can hold the supervisor up: a listener
 * that does not read what it is told is dropped. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/shim.h"

#define OWN_FILES 20 /* descriptors of the supervisor besides its listeners', and some to spare */

int control_open(struct shim *s)
{
    /* Through /proc, since a socket's path is short and a store's may be long. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct rlimit files;
    for (int i = 0; i < LIMIT_LISTENERS; i++)
        s->listeners[i].fd = -1;
    /* A connection that cannot be accepted for want of a descriptor would keep the loop awake. */
    s->places = LIMIT_LISTENERS;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < OWN_FILES + LIMIT_LISTENERS)
        s->places = files.rlim_cur > OWN_FILES ? (int)files.rlim_cur - OWN_FILES : 0;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" SHIM_CTL, SHIM_FD_DIR);
    s->ctl = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->ctl < 0 || bind(s->ctl, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(s->ctl, LIMIT_LISTENERS) < 0)
        return errno;
    return 0;
}

static void drop(struct listener *l)
{
    close(l->fd);
    *l = (struct listener){.fd = -1};
}

static bool say(int fd, const char *message)
{
    return send(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static void tell(struct listener *l, const char *message)
{
    if (!say(l->fd, message))
        drop(l);
}

void control_accept(struct shim *s)
{
    char hello[32];
    int fd = accept4(s->ctl, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    snprintf(hello, sizeof hello, SHIM_SAY_HELLO "%d", SHIM_PROTOCOL);
    for (int i = 0; fd >= 0 && i < s->places; i++) {
        struct listener *l = &s->listeners[i];
        if (l->fd >= 0)
            continue;
        *l = (struct listener){.fd = fd};
        tell(l, hello);
        return;
    }
    if (fd >= 0) {
        say(fd, SHIM_SAY_BUSY);
        close(fd);
    }
}

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
    l->asked = true;
    ending_cancel(s, by, at + reason + (at[reason] == ' '), signal, grace_ms);
    if (s->ending.told_stuck)
        tell(l, SHIM_SAY_STUCK);
}

static void take_watch(struct shim *s, struct listener *l)
{
    l->watches = true;
    if (s->output.ready)
        tell(l, SHIM_SAY_READY);
    if (l->fd >= 0 && s->input.waiting)
        tell(l, SHIM_SAY_WAITING);
    if (l->fd >= 0 && s->ending.phase == PHASE_GONE)
        tell(l, SHIM_SAY_ENDED);
}

static void answer(struct listener *l, ssize_t taken)
{
    char text[32];
    snprintf(text, sizeof text, SHIM_SAY_TOOK "%zd", taken);
    tell(l, taken < 0 ? SHIM_SAY_NO_INPUT : text);
}

static void take_write(struct shim *s, struct listener *l, const char *bytes, size_t len)
{
    ssize_t n = input_take(s, bytes, len);
    l->wants_room = n >= 0 && (size_t)n < len;
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
        drop(l);
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

void control_tell(struct shim *s, const char *message, bool watchers, bool askers)
{
    for (int i = 0; i < LIMIT_LISTENERS; i++) {
        struct listener *l = &s->listeners[i];
        if (l->fd >= 0 && ((watchers && l->watches) || (askers && l->asked)))
            tell(l, message);
    }
}

void control_tell_room(struct shim *s)
{
    for (int i = 0; i < LIMIT_LISTENERS; i++) {
        struct listener *l = &s->listeners[i];
        if (l->fd >= 0 && l->wants_room) {
            l->wants_room = false;
            tell(l, SHIM_SAY_ROOM);
        }
    }
}

bool control_is_watched(const struct shim *s)
{
    for (int i = 0; i < LIMIT_LISTENERS; i++) {
        if (s->listeners[i].fd >= 0 && s->listeners[i].watches)
            return true;
    }
    return false;
}
