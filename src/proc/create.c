/* A task's directory: made with its lock held, removed with what is in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "proc/directory.h"
#include "proc/proc.h"
#include "proc/protocol.h"

static bool is_file_name(const char *id)
{
    return *id && strcmp(id, ".") != 0 && strcmp(id, "..") != 0 && !strchr(id, '/') && strlen(id) <= NAME_MAX;
}

int proc_open_directory(int parent, const char *id, rouse_error *err)
{
    int dir = -1;
    errno = ENOENT;
    if (is_file_name(id))
        dir = openat(parent, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return rouse_fail_errno(err, errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? ROUSE_ENOTFOUND : ROUSE_EIO,
                                errno, "cannot open the directory of '%s'", id);
    return dir;
}

static int lock_new(int dir)
{
    int fd = openat(dir, SHIM_LOCK, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            fd_close(&fd);
    }
    return fd;
}

int proc_create(int parent, const char *id, int *ret_dir, int *ret_lock, rouse_error *err)
{
    if (mkdirat(parent, id, 0700) < 0)
        return rouse_fail_errno(err, errno == EEXIST ? ROUSE_ECONFLICT : ROUSE_EIO, errno,
                                "cannot make the directory of '%s'", id);
    int dir = proc_open_directory(parent, id, NULL);
    int lock = dir < 0 ? -1 : lock_new(dir);
    if (lock < 0) {
        int saved = errno;
        fd_close(&dir);
        proc_remove(parent, id, NULL);
        return rouse_fail_errno(err, ROUSE_EIO, saved, "cannot lock the directory of '%s'", id);
    }
    *ret_dir = dir;
    *ret_lock = lock;
    return 0;
}

/* Nothing here makes directories inside a task's directory; one that is there is somebody else's, and is kept. */
static int empty(int fd, bool keep)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        fd_close(&fd);
        return -1;
    }
    int result = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        bool self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        bool kept = keep && (strcmp(entry->d_name, SHIM_LOCK) == 0 || strcmp(entry->d_name, "spec.json") == 0);
        if (!self && !kept && unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
            result = -1;
    }
    int saved = errno;
    closedir(dir);
    errno = saved;
    return result;
}

int proc_remove(int parent, const char *id, rouse_error *err)
{
    int dir = proc_open_directory(parent, id, err);
    if (dir < 0)
        return dir;
    if (empty(dir, false) < 0 || unlinkat(parent, id, AT_REMOVEDIR) < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot remove the directory of '%s'", id);
    return 0;
}

#define RENEW_TRIES 50 /* × 20 ms: a supervisor that has told its ending is about to go */

/* Is it the lock still? One that became a record while it was waited for is not. */
static bool is_lock(int dir, int fd)
{
    struct stat held, named;
    return fstat(fd, &held) == 0 && fstatat(dir, SHIM_LOCK, &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

/* One try: 0, or -1 with errno. */
static int try_lock(int dir, int *ret_lock)
{
    FD_AUTO int fd = openat(dir, SHIM_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    errno = EWOULDBLOCK;
    if (!is_lock(dir, fd))
        return -1;
    *ret_lock = fd;
    fd = -1;
    return 0;
}

/* 0, or -1 with errno. */
static int lock_again(int dir, int *ret_lock)
{
    for (int i = 0; try_lock(dir, ret_lock) < 0; i++) {
        if (errno != EINTR && (errno != EWOULDBLOCK || i == RENEW_TRIES))
            return -1;
        poll(NULL, 0, 20);
    }
    return 0;
}

int proc_relock(int parent, const char *id, int *ret_dir, int *ret_lock, rouse_error *err)
{
    FD_AUTO int lock = -1;
    FD_AUTO int dir = proc_open_directory(parent, id, err);
    if (dir < 0)
        return dir;
    if (lock_again(dir, &lock) < 0)
        return rouse_fail_errno(err, errno == EWOULDBLOCK ? ROUSE_ECONFLICT : ROUSE_EIO, errno,
                                "cannot lock the directory of '%s'", id);
    *ret_dir = dir;
    *ret_lock = lock;
    dir = lock = -1;
    return 0;
}

int proc_clear(int dir, const char *id, rouse_error *err)
{
    int copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    if (copy < 0 || empty(copy, true) < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot empty the directory of '%s'", id);
    return 0;
}
