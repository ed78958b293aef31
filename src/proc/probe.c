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

static int look_into(int dir, enum proc_state *ret_state, struct record *fill, rouse_error *err)
{
    int recorded = record_read(dir, fill, err);
    int held = recorded == 0 ? is_held(dir, err) : 0;
    if (recorded == 0 && held == 0)
        recorded = record_read(dir, fill, err); /* written between the two looks */
    if (recorded < 0 || held < 0)
        return recorded < 0 ? recorded : held;
    *ret_state = recorded ? PROC_ENDED : held ? PROC_ALIVE : PROC_LOST;
    return 0;
}

/* 1: *ret_dir is open. 0: there is none. */
static int open_if_there(int parent, const char *id, int *ret_dir, rouse_error *err)
{
    rouse_error why;
    if (parent < 0)
        return 0;
    *ret_dir = proc_open_directory(parent, id, &why);
    if (*ret_dir == ROUSE_ENOTFOUND)
        return 0;
    return *ret_dir < 0 ? rouse_fail(err, *ret_dir, "%s", why.message) : 1;
}

int proc_probe(int parent, const char *id, enum proc_state *ret_state, struct proc_exit *fill, rouse_error *err)
{
    struct record record;
    FD_AUTO int dir = -1;
    enum proc_state state = PROC_GONE;
    int code = open_if_there(parent, id, &dir, err);
    if (code > 0)
        code = look_into(dir, &state, &record, err);
    if (code < 0)
        return code;
    if (state == PROC_ENDED)
        *fill = record.exit;
    *ret_state = state;
    return 0;
}

int proc_look(int parent, const char *id, struct proc_look *fill, rouse_error *err)
{
    struct record record = {0};
    struct listing listing = {0};
    FD_AUTO int dir = -1;
    enum proc_state state = PROC_GONE;
    int code = open_if_there(parent, id, &dir, err);
    if (code > 0)
        code = look_into(dir, &state, &record, err);
    bool silent = state == PROC_ENDED && record.output == 0; /* then nothing was kept */
    if (code == 0 && state != PROC_GONE && !silent)
        code = proc_list(dir, &listing, err);
    if (code < 0)
        return code;
    *fill = (struct proc_look){
        .state = state,
        .exit = record.exit,
        .output = proc_sum(&listing, record.output),
        .ready = listing.ready,
        .waiting = listing.waiting && state == PROC_ALIVE,
        .stuck = listing.stuck && state == PROC_ALIVE,
    };
    return 0;
}

void proc_settle(int parent, const char *id)
{
    FD_AUTO int dir = proc_open_directory(parent, id, NULL);
    if (dir >= 0)
        fchmodat(dir, SHIM_EXIT, SHIM_SETTLED_MODE, 0);
}
