/* Writing to a task. The supervisor takes what there is room for and never waits for the command; who waits is only the
 * writer, until it is told of room. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "task/manager.h"

struct writing {
    rouse_manager *manager;
    const char *id;
    int fd;
    uint64_t deadline; /* monotonic ms */
};

static uint64_t mono(const rouse_manager *m)
{
    return m->platform->mono_ms(m->platform->userdata);
}

/* 1 there is room, 0 nothing of interest came. */
static int hear(const struct writing *w, rouse_error *err)
{
    for (;;) {
        enum proc_news news;
        int code = proc_read_news(w->fd, &news, err);
        if (code < 0)
            return code;
        if (news == PROC_NEWS_ROOM || news == PROC_NEWS_NONE)
            return news == PROC_NEWS_ROOM;
        if (news == PROC_NEWS_HANGUP || news == PROC_NEWS_ENDED)
            return rouse_fail(err, ROUSE_ECONFLICT, "'%s' has ended; not all of the input was taken", w->id);
    }
}

static int await_room(const struct writing *w, rouse_error *err)
{
    for (;;) {
        int code = hear(w, err);
        if (code != 0)
            return code < 0 ? code : 0;
        uint64_t now = mono(w->manager);
        if (now >= w->deadline)
            return rouse_fail(err, ROUSE_ETIMEOUT, "'%s' does not read its input; not all of it was taken", w->id);
        uint64_t left = w->deadline - now;
        struct pollfd p = {.fd = w->fd, .events = POLLIN};
        if (poll(&p, 1, left > 3600000 ? 3600000 : (int)left) < 0 && errno != EINTR)
            return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot sleep");
        if (manager_interrupted(w->manager))
            return rouse_fail(err, ROUSE_EINTERRUPTED, "interrupted; not all of the input was taken");
    }
}

static int write_all(const struct writing *w, const char *bytes, size_t len, size_t *taken, rouse_error *err)
{
    while (*taken < len) {
        size_t n = 0;
        int code = proc_write(w->fd, bytes + *taken, len - *taken, &n, err);
        *taken += n;
        if (code == 0 && *taken < len)
            code = await_room(w, err);
        if (code < 0)
            return code;
    }
    return 0;
}

static int fail_ended(const rouse_task *task, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "'%s' has ended: nobody reads its input", task->task_id);
}

static int connect_to(rouse_manager *m, const rouse_task *task, int *ret_fd, rouse_error *err)
{
    bool over = false;
    if (rouse_status_is_terminal(task->status))
        return fail_ended(task, err);
    if (m->tasks < 0 || !task->has_ext || !task->ext.argv)
        return rouse_fail(err, ROUSE_ECONFLICT, "'%s' is no command: it has no input", task->task_id);
    if (!task->ext.reads)
        return rouse_fail(err, ROUSE_ECONFLICT, "'%s' was started without input; start it with --stdin or --tty", task->task_id);
    int code = task_connect(m, task, false, ret_fd, &over, err);
    return code == 0 && over ? fail_ended(task, err) : code;
}

static int write_to(rouse_manager *m, const rouse_task *task, const char *bytes, size_t len, bool eof, uint64_t timeout_ms,
                    size_t *taken, rouse_error *err)
{
    FD_AUTO int fd = -1;
    int code = connect_to(m, task, &fd, err);
    if (code < 0)
        return code;
    uint64_t now = mono(m);
    const struct writing w = {.manager = m, .id = task->task_id, .fd = fd,
                              .deadline = timeout_ms < UINT64_MAX - now ? now + timeout_ms : UINT64_MAX};
    code = write_all(&w, bytes, len, taken, err);
    return code == 0 && eof ? proc_write_eof(fd, err) : code;
}

int rouse_task_write(rouse_manager *manager, const char *thread, const char *id_or_name, const char *bytes, size_t len, bool eof,
                     uint64_t timeout_ms, size_t *ret_taken, rouse_error *err)
{
    rouse_task *task;
    size_t taken = 0;
    int code = rouse_task_get(manager, thread, id_or_name, &task, err);
    if (code == 0) {
        code = write_to(manager, task, bytes, len, eof, timeout_ms, &taken, err);
        rouse_task_free(task);
    }
    if (ret_taken)
        *ret_taken = taken;
    return code;
}

int rouse_task_resize(rouse_manager *manager, const char *task_id, unsigned rows, unsigned columns, rouse_error *err)
{
    FD_AUTO int fd = -1;
    if (manager->tasks < 0)
        return rouse_fail(err, ROUSE_ENOTFOUND, "no task '%s'", task_id);
    int code = proc_connect(manager->tasks, task_id, &fd, err);
    return code == 0 ? proc_resize(fd, rows, columns, err) : code;
}
