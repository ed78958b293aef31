#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
    *fd = -1;
}

int fd_write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int fd_read_file(int dirfd, const char *name, size_t max, struct buf *out, rouse_error *err)
{
    FD_AUTO int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rouse_fail_errno(err, errno == ENOENT ? ROUSE_ENOTFOUND : ROUSE_EIO, errno, "cannot open '%s'", name);
    size_t total = 0;
    for (;;) {
        size_t want = 65536;
        char *at = buf_reserve(out, want);
        if (!at)
            return buf_check(out, err);
        ssize_t n = read(fd, at, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot read '%s'", name);
        out->len += (size_t)n;
        total += (size_t)n;
        out->data[out->len] = '\0';
        if (n == 0)
            return 0;
        if (total > max)
            return rouse_fail(err, ROUSE_ELIMIT, "'%s' is larger than %zu bytes", name, max);
    }
}

static int write_and_rename(int dirfd, const char *temporary, const char *name, const void *bytes, size_t len, bool sync)
{
    FD_AUTO int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, bytes, len) < 0 || (sync && fsync(fd) < 0))
        return -1;
    if (renameat(dirfd, temporary, dirfd, name) < 0)
        return -1;
    if (!sync)
        return 0;
    FD_AUTO int dir = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : fsync(dir);
}

int fd_write_file(int dirfd, const char *name, const void *bytes, size_t len, bool sync, rouse_error *err)
{
    char temporary[NAME_MAX + 1];
    int n = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", name, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary)
        return rouse_fail(err, ROUSE_EINVAL, "file name '%s' is too long", name);
    if (write_and_rename(dirfd, temporary, name, bytes, len, sync) < 0) {
        int saved = errno;
        unlinkat(dirfd, temporary, 0);
        return rouse_fail_errno(err, ROUSE_EIO, saved, "cannot write '%s'", name);
    }
    return 0;
}

int fd_make_dirs(const char *path, rouse_error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return rouse_fail(err, ROUSE_EINVAL, "path '%.60s' is empty or too long", path);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot make directory '%s'", part);
    }
    return 0;
}
