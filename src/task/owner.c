/* Who runs a function: a runtime holds the lock of a file of its own for as long as it lives, and its tasks carry the file's
 * name. The kernel lets go of the lock when the process ends, however it ends, so a free lock is certain and nothing here depends
 * on a process id or a clock. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "task/work.h"

#define OWNER_BYTES 12

/* A store that ends with its process needs no locks: nobody who could look outlives anybody. */
static bool is_private(const rouse_manager *m)
{
    return m->tasks < 0;
}

static int open_owners(const rouse_manager *m, rouse_error *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/owners", rouse_store_path(m->store));
    if (n < 0 || (size_t)n >= sizeof path)
        return rouse_fail(err, ROUSE_EINVAL, "path of the store is too long");
    int code = fd_make_dirs(path, err);
    if (code < 0)
        return code;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? rouse_fail_errno(err, ROUSE_EIO, errno, "cannot open '%s'", path) : fd;
}

static int take_lock(rouse_manager *m, rouse_error *err)
{
    m->owners = open_owners(m, err);
    if (m->owners < 0)
        return m->owners;
    m->owner_lock = openat(m->owners, m->owner, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (m->owner_lock < 0 || flock(m->owner_lock, LOCK_EX | LOCK_NB) != 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot lock 'owners/%s' in the store", m->owner);
    return 0;
}

int owner_take(rouse_manager *m, rouse_error *err)
{
    unsigned char bytes[OWNER_BYTES];
    const rouse_platform *p = m->platform;
    if (p->random(p->userdata, bytes, sizeof bytes) != 0)
        return rouse_fail(err, ROUSE_EIO, "no randomness for a runtime's name");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(m->owner + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int owner_lock(rouse_manager *m, rouse_error *err)
{
    if (is_private(m))
        return 0;
    pthread_mutex_lock(&m->owner_guard);
    int code = m->owner_lock >= 0 ? 0 : take_lock(m, err);
    if (code < 0) {
        fd_close(&m->owner_lock);
        fd_close(&m->owners);
    }
    pthread_mutex_unlock(&m->owner_guard);
    return code;
}

void owner_release(rouse_manager *m)
{
    if (m->owner_lock >= 0)
        unlinkat(m->owners, m->owner, 0);
    fd_close(&m->owner_lock);
    fd_close(&m->owners);
}

/* A name that leads nowhere but into the directory of owners. */
static bool is_owner_name(const char *owner)
{
    size_t len = strspn(owner, "0123456789abcdef");
    return len == 2 * OWNER_BYTES && owner[len] == '\0';
}

bool owner_is_gone(const rouse_manager *m, const char *owner)
{
    char path[PATH_MAX];
    if (strcmp(owner, m->owner) == 0)
        return false;
    if (is_private(m))
        return false;
    int n = snprintf(path, sizeof path, "%s/owners/%s", rouse_store_path(m->store), owner);
    if (!is_owner_name(owner) || n < 0 || (size_t)n >= sizeof path)
        return true;
    FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        return false;
    unlink(path);
    return true;
}
