/* The natural end of a run (COMPAT B128 to B132): unread events go round again; pending work waits; else it is done.
 *
 * The order matters: pending work is decided before the inbox is read, since a task that ends between the two has then left its
 * event there; and the bell is emptied before both, so that whatever comes later wakes the sleep. Nothing that ends can fall
 * between two looks (DEFECTS 4, 5). */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <string.h>

#include "agent/phase.h"
#include "agent/run.h"
#include "base/fd.h"

struct sleeper {
    int bell;
    int any; /* readable when the bell or the caller's wake_fd is */
};

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int sleeper_open(struct sleeper *s, const struct run *r, rouse_error *err)
{
    int wake = r->agent->options.wake_fd;
    int code = rouse_store_bell_open(r->agent->store, &s->bell, err);
    if (code < 0)
        return code;
    s->any = epoll_create1(EPOLL_CLOEXEC);
    if (s->any < 0 || watch(s->any, s->bell) < 0 || (wake > 0 && watch(s->any, wake) < 0))
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot wait for background work");
    return 0;
}

static void sleeper_done(struct sleeper *s)
{
    fd_close(&s->any);
    fd_close(&s->bell);
}

/* Until a task of the thread has ended, or anything was committed, or the caller wants back. */
static int sleep_once(const struct sleeper *s, const struct run *r, rouse_error *err)
{
    rouse_task_list *list = NULL;
    const rouse_wait wait = {.thread = r->agent->options.thread, .any = true, .wake_fd = s->any};
    int code = rouse_task_has_running(r->agent->options.manager, wait.thread, err);
    if (code > 0)
        code = rouse_task_wait(r->agent->options.manager, &wait, &list, err);
    else if (code == 0) { /* what is pending is no task: only the bell can tell */
        struct pollfd p = {.fd = s->any, .events = POLLIN};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot wait for background work");
    }
    rouse_task_list_free(list);
    return code == ROUSE_EINTERRUPTED ? 0 : code;
}

static int decide_pending(struct run *r, bool *ret_pending, rouse_error *err)
{
    rouse_snapshot *snapshot = NULL;
    int code = r->pending_known ? 0 : phase_commit(r, ROUSE_STEP_END, NULL, err);
    if (code == 0)
        code = rouse_store_snapshot(r->agent->store, r->agent->options.thread, r->id, &snapshot, err);
    if (code < 0)
        return code;
    const bool *pending = rouse_snapshot_get(snapshot, &rouse_pending_work_key, NULL);
    *ret_pending = pending && *pending;
    rouse_snapshot_unref(snapshot);
    r->pending_known = false;
    return 0;
}

/* One look: 1 go round again, 0 over, 2 pending. */
static int look(struct run *r, rouse_error *err)
{
    bool pending = false;
    size_t news = 0;
    int code = decide_pending(r, &pending, err);
    if (code == 0)
        code = run_feed(r, NULL, &news, err);
    if (code < 0 || news > 0)
        return code < 0 ? code : 1;
    if (!pending)
        return run_finish(r, "natural", err);
    if (strcmp(r->status, "waiting") != 0)
        code = run_commit(r, &(struct transition){.status = "waiting", .reason = "awaiting_tasks"}, err);
    return code < 0 ? code : 2;
}

/* Sleeps until there is something to do. An interrupt leaves the run waiting, which it is already stored as. */
static int sleep_until_news(struct run *r, rouse_error *err)
{
    struct sleeper s = {-1, -1};
    int code = sleeper_open(&s, r, err);
    while (code >= 0) {
        rouse_store_bell_clear(s.bell);
        code = run_is_interrupted(r) ? 0 : look(r, err);
        if (code != 2)
            break;
        code = sleep_once(&s, r, err);
    }
    sleeper_done(&s);
    return code;
}

int rest_run(struct run *r, rouse_error *err)
{
    int code = look(r, err);
    if (code != 2)
        return code;
    if (!r->agent->options.wait)
        return 0;
    run_tell_text(r, ROUSE_AGENT_WAITING, "");
    return sleep_until_news(r, err);
}
