/* Files and descriptors. Every descriptor is opened close-on-exec; every call here retries EINTR. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* Closes *fd when it is >= 0 and sets it to -1; errno is kept. Fit for __attribute__((cleanup)). */
void fd_close(int *fd);
#define FD_AUTO __attribute__((cleanup(fd_close)))

/* Writes all of it: 0, or -1 with errno. */
int fd_write_all(int fd, const void *bytes, size_t len);
/* Appends the file dirfd/name to out, refusing more than max bytes (ROUSE_ELIMIT). ROUSE_ENOTFOUND when there is none,
 * ROUSE_EIO. */
int fd_read_file(int dirfd, const char *name, size_t max, struct buf *out, rouse_error *err);
/* Writes dirfd/name whole or not at all, mode 0600: a temporary beside it, renamed into place; with sync also fsync of
 * the file and of the directory. ROUSE_EIO. */
int fd_write_file(int dirfd, const char *name, const void *bytes, size_t len, bool sync, rouse_error *err);
/* Makes path and its missing parents, mode 0700. ROUSE_EIO. */
int fd_make_dirs(const char *path, rouse_error *err);

#endif
