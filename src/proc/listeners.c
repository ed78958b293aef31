#include "proc/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proc/protocol.h"

#define OWN_FILES 20 /* descriptors of the supervisor besides its listeners', and some to spare */

int listeners_open(struct listeners *all, int dir)
{
    /* Through /proc, since a socket's path is short and a store's may be long. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct rlimit files;
    for (int i = 0; i < LIMIT_LISTENERS; i++)
        all->at[i].fd = -1;
    /* A connection that cannot be accepted for want of a descriptor would keep the loop awake. */
    all->places = LIMIT_LISTENERS;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < OWN_FILES + LIMIT_LISTENERS)
        all->places = files.rlim_cur > OWN_FILES ? (int)files.rlim_cur - OWN_FILES : 0;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" SHIM_CTL, dir);
    all->ctl = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (all->ctl < 0 || bind(all->ctl, (struct sockaddr *)&address, sizeof address) < 0 || listen(all->ctl, LIMIT_LISTENERS) < 0)
        return errno;
    return 0;
}

void listener_drop(struct listener *l)
{
    close(l->fd);
    *l = (struct listener){.fd = -1};
}

void listeners_close(struct listeners *all)
{
    for (int i = 0; i < all->places; i++) {
        if (all->at[i].fd >= 0)
            listener_drop(&all->at[i]);
    }
    close(all->ctl);
}

static bool say(int fd, const char *message)
{
    return send(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void listener_tell(struct listener *l, const char *message)
{
    if (l->fd >= 0 && !say(l->fd, message))
        listener_drop(l);
}

void listeners_accept(struct listeners *all)
{
    char hello[32];
    int fd = accept4(all->ctl, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    snprintf(hello, sizeof hello, SHIM_SAY_HELLO "%d", SHIM_PROTOCOL);
    for (int i = 0; fd >= 0 && i < all->places; i++) {
        struct listener *l = &all->at[i];
        if (l->fd >= 0)
            continue;
        *l = (struct listener){.fd = fd};
        listener_tell(l, hello);
        return;
    }
    if (fd >= 0) {
        say(fd, SHIM_SAY_BUSY);
        close(fd);
    }
}

void listeners_tell(struct listeners *all, const char *message, unsigned wants)
{
    for (int i = 0; i < all->places; i++) {
        struct listener *l = &all->at[i];
        unsigned wanted = l->wants & wants;
        l->wants &= ~(wanted & WANTS_ROOM);
        if (wanted)
            listener_tell(l, message);
    }
}

bool listeners_want(const struct listeners *all, unsigned wants)
{
    for (int i = 0; i < all->places; i++) {
        if (all->at[i].wants & wants)
            return true;
    }
    return false;
}
