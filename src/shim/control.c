/* Talking to runtimes over the socket `ctl` (words: proc/protocol.h). Nobody here can hold the supervisor up: a listener
 * that does not read what it is told is dropped. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/text.h"

#define OWN_FILES 20 /* descriptors of the supervisor besides its listeners', and some to spare */

int control_open(struct shim *s)
{
    /* Through /proc, since a socket's path is short and a store's may be long. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct text path = {.at = address.sun_path, .size = sizeof address.sun_path};
    struct rlimit files;
    for (int i = 0; i < LIMIT_LISTENERS; i++)
        s->listeners[i].fd = -1;
    /* A connection that cannot be accepted for want of a descriptor would keep the loop awake. */
    s->places = LIMIT_LISTENERS;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < OWN_FILES + LIMIT_LISTENERS)
        s->places = files.rlim_cur > OWN_FILES ? (int)files.rlim_cur - OWN_FILES : 0;
    text_add(&path, "/proc/self/fd/");
    text_add_u64(&path, SHIM_FD_DIR);
    text_add(&path, "/" SHIM_CTL);
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
    struct text text = {.at = hello, .size = sizeof hello};
    text_add(&text, SHIM_SAY_HELLO);
    text_add_u64(&text, SHIM_PROTOCOL);
    int fd = accept4(s->ctl, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (int i = 0; i < s->places; i++) {
        struct listener *l = &s->listeners[i];
        if (l->fd >= 0)
            continue;
        *l = (struct listener){.fd = fd};
        tell(l, hello);
        return;
    }
    say(fd, SHIM_SAY_BUSY);
    close(fd);
}

static bool read_word(const char **at, char *fill, size_t size)
{
    size_t len = strcspn(*at, " ");
    if (len == 0 || len >= size)
        return false;
    memcpy(fill, *at, len);
    fill[len] = '\0';
    *at += len + ((*at)[len] == ' ');
    return true;
}

static void take_cancel(struct shim *s, struct listener *l, const char *at)
{
    uint64_t signal, grace_ms;
    char by[sizeof s->ending.by];
    if (!text_read_u64(&at, &signal) || *at++ != ' ' || !text_read_u64(&at, &grace_ms) || *at++ != ' ' ||
        !read_word(&at, by, sizeof by) || signal == 0 || signal > (uint64_t)SIGRTMAX)
        return;
    l->asked = true;
    ending_cancel(s, by, at, (int)signal, grace_ms);
    if (s->ending.told_stuck)
        tell(l, SHIM_SAY_STUCK);
}

static void take_watch(struct shim *s, struct listener *l)
{
    l->watches = true;
    if (s->output.ready)
        tell(l, SHIM_SAY_READY);
    if (l->fd >= 0 && s->ending.phase == PHASE_GONE)
        tell(l, SHIM_SAY_ENDED);
}

void control_serve(struct shim *s, struct listener *l)
{
    char message[LIMIT_MESSAGE + 1];
    ssize_t n = recv(l->fd, message, sizeof message - 1, MSG_DONTWAIT);
    /* A reset says that the other side went without reading all it was told; what it said before is still to come. */
    if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET))
        return;
    if (n <= 0) {
        drop(l);
        return;
    }
    message[n] = '\0';
    if (strcmp(message, SHIM_ASK_WATCH) == 0)
        take_watch(s, l);
    else if (strcmp(message, SHIM_ASK_TAKEN) == 0)
        s->taken = s->ending.phase == PHASE_GONE;
    else if (strncmp(message, SHIM_ASK_CANCEL, strlen(SHIM_ASK_CANCEL)) == 0)
        take_cancel(s, l, message + strlen(SHIM_ASK_CANCEL));
}

void control_tell(struct shim *s, const char *message, bool watchers, bool askers)
{
    for (int i = 0; i < LIMIT_LISTENERS; i++) {
        struct listener *l = &s->listeners[i];
        if (l->fd >= 0 && ((watchers && l->watches) || (askers && l->asked)))
            tell(l, message);
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
