/* Is a task alive? Said by the kernel through the lock and by the supervisor through the exit record, never by a pid. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "proc/directory.h"
#include "proc/proc.h"
#include "proc/protocol.h"
#include "proc/record.h"

/* 1: held, 0: free (or there is none). Asked for as a shared lock, so that two who ask at once do not see each other. */
static int is_held(int dir, rouse_error *err)
{
    FD_AUTO int fd = openat(dir, SHIM_LOCK, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP ? 0
                                                 : rouse_fail_errno(err, ROUSE_EIO, errno, "cannot open a task's lock");
    int result;
    do
        result = flock(fd, LOCK_SH | LOCK_NB);
    while (result < 0 && errno == EINTR);
    if (result < 0 && errno != EWOULDBLOCK)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot look at a task's lock");
    return result < 0;
}

int proc_probe(int parent, const char *id, enum proc_state *ret_state, struct proc_exit *fill, rouse_error *err)
{
    struct record record;
    rouse_error why;
    FD_AUTO int dir = proc_open_directory(parent, id, &why);
    if (dir == ROUSE_ENOTFOUND) {
        *ret_state = PROC_GONE;
        return 0;
    }
    if (dir < 0)
        return rouse_fail(err, dir, "%s", why.message);
    int recorded = record_read(dir, &record, err);
    int held = recorded == 0 ? is_held(dir, err) : 0;
    if (recorded == 0 && held == 0)
        recorded = record_read(dir, &record, err); /* written between the two looks */
    if (recorded < 0 || held < 0)
        return recorded < 0 ? recorded : held;
    if (recorded)
        *fill = record.exit;
    *ret_state = recorded ? PROC_ENDED : held ? PROC_ALIVE : PROC_LOST;
    return 0;
}

void proc_settle(int parent, const char *id)
{
    FD_AUTO int dir = proc_open_directory(parent, id, NULL);
    if (dir >= 0)
        fchmodat(dir, SHIM_EXIT, SHIM_SETTLED_MODE, 0);
}
