/* The bell: a file in the store's directory that every committer touches, and that waiters watch. Supervisors of tasks touch
 * it as well, each in its own way, so any change to it counts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "storage/storage.h"

#define RINGS (IN_ATTRIB | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF)

static int make(const char *path)
{
    FD_AUTO int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : -1;
    return fchmod(fd, 0600); /* also when the umask took bits away */
}

int bell_make(const char *directory, rouse_error *err)
{
    char *path = storage_path(directory, "bell");
    if (!path)
        return rouse_fail_memory(err);
    int code = make(path);
    if (code < 0) {
        char shown[STORAGE_SHOWN];
        storage_show_path(path, shown);
        code = rouse_fail_errno(err, ROUSE_ESTORE, errno, "cannot make '%s'", shown);
    }
    free(path);
    return code;
}

int bell_hold(const char *directory)
{
    char *path = storage_path(directory, "bell");
    /* Not for writing: closing it would ring. */
    int fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    free(path);
    return fd;
}

/* Is it still the file that others watch? */
static bool is_held(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

void bell_ring(int held, const char *directory)
{
    if (is_held(held) && futimens(held, NULL) == 0)
        return;
    char *path = storage_path(directory, "bell");
    if (path && utimensat(AT_FDCWD, path, NULL, 0) < 0 && errno == ENOENT)
        make(path);
    free(path);
}

static int watch(int fd, const char *directory, rouse_error *err)
{
    char *path = storage_path(directory, "bell");
    if (!path)
        return rouse_fail_memory(err);
    int code = inotify_add_watch(fd, path, RINGS) < 0
                   ? rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch the store for changes")
                   : 0;
    free(path);
    return code;
}

int rouse_store_bell_open(rouse_store *store, int *ret_fd, rouse_error *err)
{
    if (!store)
        return rouse_fail(err, ROUSE_EINVAL, "no store");
    if (store->ops->bell_open) {
        int code = store_enter(store, err);
        if (code < 0)
            return code;
        code = store->ops->bell_open(store->backend, ret_fd, err);
        store_leave(store);
        return code;
    }
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch the store for changes");
    int code = watch(fd, store->directory, err);
    if (code < 0)
        fd_close(&fd);
    else
        *ret_fd = fd;
    return code;
}

void rouse_store_bell_clear(int fd)
{
    char events[4096];
    ssize_t n;
    do
        n = read(fd, events, sizeof events);
    while (n > 0 || (n < 0 && errno == EINTR));
}
