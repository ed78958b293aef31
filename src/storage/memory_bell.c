/* The bell of a store in memory: a pair of sockets for each waiter, so that one who closed its end is noticed. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "storage/memory.h"

struct memory_bell {
    struct memory_bell *next;
    int fd;
};

int memory_bell_open(void *backend, int *ret_fd, rouse_error *err)
{
    struct memory_store *s = backend;
    int ends[2];
    struct memory_bell *bell = malloc(sizeof *bell);
    if (!bell)
        return rouse_fail_memory(err);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        free(bell);
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch the store for changes");
    }
    bell->fd = ends[0];
    bell->next = s->bells;
    s->bells = bell;
    *ret_fd = ends[1];
    return 0;
}

/* A bell that is full rings already. */
void memory_bell_ring(struct memory_store *s)
{
    struct memory_bell **at = &s->bells;
    while (*at) {
        struct memory_bell *bell = *at;
        if (send(bell->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 || errno == EAGAIN || errno == ENOBUFS || errno == EINTR) {
            at = &bell->next;
            continue;
        }
        *at = bell->next;
        fd_close(&bell->fd);
        free(bell);
    }
}

void memory_bells_done(struct memory_store *s)
{
    while (s->bells) {
        struct memory_bell *next = s->bells->next;
        fd_close(&s->bells->fd);
        free(s->bells);
        s->bells = next;
    }
}
