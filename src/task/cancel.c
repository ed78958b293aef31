/* Cancelling: ask the supervisor, which alone can see the whole process tree, and believe it only when it says that the
 * tree is empty. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "task/record.h"
#include "task/work.h"

#define CONNECT_TRIES 250 /* × 20 ms: a supervisor that is being started */
#define MAX_DEPTH 64      /* of a tree; a record that was imported may even be its own ancestor */
#define PATIENCE_MS 30000 /* beyond the grace, before a supervisor that does not answer is reported */

static uint64_t mono(const rouse_manager *m)
{
    return m->platform->mono_ms(m->platform->userdata);
}

int task_connect(rouse_manager *m, const rouse_task *task, bool watch, int *ret_fd, bool *ret_over, rouse_error *err)
{
    for (int i = 0; i < CONNECT_TRIES; i++) {
        enum proc_state state;
        int fd = -1;
        int code = proc_connect(m->tasks, task->task_id, &fd, err);
        if (code == 0 && (!watch || proc_watch(fd, NULL) == 0)) {
            *ret_fd = fd;
            return 0;
        }
        fd_close(&fd);
        if (code < 0 && code != ROUSE_ENOTFOUND)
            return code;
        code = proc_probe(m->tasks, task->task_id, &state, &(struct proc_exit){0}, err);
        if (code < 0)
            return code;
        if (state != PROC_ALIVE) {
            *ret_over = true;
            return 0;
        }
        poll(NULL, 0, 20);
    }
    return rouse_fail(err, ROUSE_EREMOTE, "the supervisor of '%s' does not answer; try again, or see: rouse doctor", task->task_id);
}

/* Sleeps until the supervisor says how it went: 1 ended, 0 it hung up. *late is set when somebody else's cancel ends it. */
static int await_end(rouse_manager *m, const rouse_task *task, int fd, uint64_t grace_ms, bool *late, rouse_error *err)
{
    uint64_t deadline = mono(m) + grace_ms + PATIENCE_MS;
    for (;;) {
        enum proc_news news;
        int code = proc_read_news(fd, &news, NULL);
        if (code < 0 || news == PROC_NEWS_HANGUP)
            return 0;
        if (news == PROC_NEWS_ENDED)
            return 1;
        uint64_t now = mono(m);
        if (news == PROC_NEWS_STUCK || now >= deadline)
            return rouse_fail(err, ROUSE_EREMOTE, "'%s' cannot be ended: a process of it does not go; it is still watched", task->task_id);
        *late = *late || news == PROC_NEWS_LATE;
        if (news != PROC_NEWS_NONE)
            continue;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, (int)(deadline - now)) < 0 && errno != EINTR)
            return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot sleep");
        if (manager_interrupted(m))
            return rouse_fail(err, ROUSE_EINTERRUPTED, "interrupted; '%s' is still being ended", task->task_id);
    }
}

/* Ends one task's process tree. 1 when this call cancelled it, 0 when it ended otherwise. */
static int cancel_one(rouse_manager *m, const rouse_task *task, const rouse_cancel *o, rouse_error *err)
{
    FD_AUTO int fd = -1;
    bool over = false, late = false;
    if (!task_is_process(task) || record_is_waiting(&task->ext))
        return work_cancel(m, task->owner_thread_id, task, o, err);
    uint64_t grace = o->has_grace ? o->grace_ms : LIMIT_GRACE_MS;
    bool asked = false;
    int code = 0;
    /* A supervisor that hung up has died, and is reached for once more: then it is over, once it has let go of the lock. */
    while (code == 0 && !over) {
        fd_close(&fd);
        code = task_connect(m, task, true, &fd, &over, err);
        if (code < 0 || over)
            break;
        proc_cancel(fd, o->signal ? o->signal : SIGTERM, grace, m->asker, o->reason ? o->reason : "", NULL);
        asked = true;
        code = await_end(m, task, fd, grace, &late, err);
    }
    if (code < 0)
        return code;
    code = rouse_task_reap(m, task->task_id, err);
    if (fd >= 0)
        proc_taken(fd, NULL);
    if (code < 0)
        return code;
    rouse_task *end;
    code = task_load(m, NULL, task->task_id, &end, err);
    if (code < 0)
        return code;
    bool cancelled = end->status == ROUSE_CANCELLED && asked && !late;
    rouse_task_free(end);
    return cancelled;
}

int cancel_passes(int code, int *stuck)
{
    if (code != ROUSE_EREMOTE)
        return code;
    *stuck = code;
    return 0;
}

/* Children are read after their parent is gone, and again until there are none: a task that has ended admits no new ones. */
static int cancel_children(rouse_manager *m, const char *id, const rouse_cancel *o, int depth, size_t *count,
                           rouse_error *err);

static int cancel_task(rouse_manager *m, const rouse_task *task, const rouse_cancel *o, int depth, size_t *count,
                       rouse_error *err)
{
    int stuck = 0;
    int code = rouse_status_is_terminal(task->status) ? 0 : cancel_passes(cancel_one(m, task, o, err), &stuck);
    if (code < 0)
        return code;
    *count += (size_t)code;
    code = o->tree && depth < MAX_DEPTH ? cancel_children(m, task->task_id, o, depth + 1, count, err) : 0;
    return code == 0 ? stuck : code;
}

static int cancel_children(rouse_manager *m, const char *id, const rouse_cancel *o, int depth, size_t *count,
                           rouse_error *err)
{
    rouse_task_list *list;
    int stuck = 0;
    int code = rouse_task_list_get(m, &(rouse_task_filter){.parent = id}, &list, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < rouse_task_list_count(list); i++) {
        const rouse_task *child = rouse_task_list_at(list, i);
        if (strcmp(child->task_id, id) != 0)
            code = cancel_passes(cancel_task(m, child, o, depth, count, err), &stuck);
    }
    rouse_task_list_free(list);
    return code == 0 ? stuck : code;
}

int rouse_task_cancel(rouse_manager *manager, const char *id_or_name, const rouse_cancel *options, size_t *ret_count,
                      rouse_error *err)
{
    const rouse_cancel defaults = {0};
    const rouse_cancel *o = options ? options : &defaults;
    rouse_task *task;
    size_t count = 0;
    int code = rouse_task_get(manager, o->thread, id_or_name, &task, err);
    if (code < 0)
        return code;
    code = cancel_task(manager, task, o, 0, &count, err);
    rouse_task_free(task);
    if (code < 0)
        return code;
    if (ret_count)
        *ret_count = count;
    return 0;
}
