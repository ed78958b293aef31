#include "cli/follow.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/terminal.h"

/* How long output must have been silent before the task's end is looked for: asking its supervisor once for each line that
 * it prints would cost more than the line. */
#define LULL_MS 5

struct watch {
    struct follow *follow;
    int changes; /* inotify: something in the task's directory was written or made */
    int wake;    /* epoll: changes or interrupt */
};

static void say_gone(struct follow *follow, uint64_t bytes)
{
    progress_hide(&follow->progress);
    fflush(stdout);
    fprintf(stderr, "rouse: %llu bytes of output were not kept\n", (unsigned long long)bytes);
}

int follow_finish(struct follow *follow, rouse_error *err)
{
    rouse_output output;
    int code = follow_drain(follow, err);
    if (code == 0 && rouse_task_output(follow->cli->manager, follow->id, &output, NULL) == 0 && output.size > follow->offset) {
        say_gone(follow, output.size - follow->offset);
        follow->offset = output.size;
    }
    return code;
}

int follow_drain(struct follow *follow, rouse_error *err)
{
    char block[65536];
    for (;;) {
        uint64_t offset = follow->offset;
        int n = rouse_task_read(follow->cli->manager, follow->id, &offset, block, sizeof block, err);
        if (n <= 0)
            return n;
        if (offset > follow->offset)
            say_gone(follow, offset - follow->offset);
        follow->offset = offset + (uint64_t)n;
        progress_hide(&follow->progress);
        int code = follow->write(block, (size_t)n, follow->userdata, err);
        progress_printed(&follow->progress, block, (size_t)n);
        if (code < 0)
            return code;
    }
}

static int watch_fd(int wake, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(wake, EPOLL_CTL_ADD, fd, &event);
}

static int watch_open(struct watch *w, rouse_error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tasks/%s", rouse_store_path(w->follow->cli->store), w->follow->id);
    w->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    w->wake = epoll_create1(EPOLL_CLOEXEC);
    if (w->changes < 0 || w->wake < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch for output");
    /* A task without a directory writes nothing any more: then there is only its end to wait for. */
    if (inotify_add_watch(w->changes, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0 && errno != ENOENT)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch '%.120s'", path);
    bool ok = watch_fd(w->wake, w->changes) == 0 && (w->follow->interrupt <= 0 || watch_fd(w->wake, w->follow->interrupt) == 0) &&
              (w->follow->progress.bell < 0 || watch_fd(w->wake, w->follow->progress.bell) == 0);
    return ok ? 0 : rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch for output");
}

static void clear(int fd)
{
    char events[4096];
    while (read(fd, events, sizeof events) > 0)
        ;
}

/* Hands output over until there has been none for a moment. */
static int drain_to_lull(struct watch *w, rouse_error *err)
{
    struct pollfd p = {.fd = w->wake, .events = POLLIN};
    int code;
    do {
        clear(w->changes);
        code = follow_drain(w->follow, err);
        if (code == 0)
            progress_look(&w->follow->progress, w->follow->cli->manager, w->follow->id);
        if (code == 0 && w->follow->interrupt > 0 && signals_came(w->follow->interrupt))
            code = rouse_fail(err, ROUSE_EINTERRUPTED, "interrupted");
    } while (code == 0 && poll(&p, 1, LULL_MS) > 0);
    return code;
}

static int take_first(const rouse_task_list *list, rouse_task **ret_task, rouse_error *err)
{
    rouse_task *task = rouse_task_copy(rouse_task_list_at(list, 0));
    if (!task)
        return rouse_fail_memory(err);
    *ret_task = task;
    return 0;
}

static int run_watch(struct watch *w, rouse_task **ret_task, rouse_error *err)
{
    struct follow *f = w->follow;
    const rouse_wait wait = {.ids = &f->id, .count = 1, .wake_fd = w->wake};
    for (;;) {
        rouse_task_list *list = NULL;
        int code = drain_to_lull(w, err);
        if (code < 0)
            return code;
        code = rouse_task_wait(f->cli->manager, &wait, &list, err);
        if (code == ROUSE_EINTERRUPTED)
            continue;
        if (code == 0)
            code = follow_finish(f, err);
        if (code == 0)
            code = take_first(list, ret_task, err);
        rouse_task_list_free(list);
        return code;
    }
}

int follow_to_end(struct follow *follow, rouse_task **ret_task, rouse_error *err)
{
    struct watch w = {.follow = follow, .changes = -1, .wake = -1};
    follow->progress = PROGRESS_NONE;
    if (follow->shows_progress)
        progress_open(&follow->progress, follow->cli->store);
    int code = watch_open(&w, err);
    if (code == 0)
        code = run_watch(&w, ret_task, err);
    progress_close(&follow->progress);
    fd_close(&w.changes);
    fd_close(&w.wake);
    return code;
}
