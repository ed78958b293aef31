/* Waiting without polling. Each running task's supervisor tells this process of the end over its socket, and hangs up
 * when it dies; the bell tells of what others commit. Every wake-up looks at the store again, so a lost hint costs
 * nothing but the time to the next one. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "task/record.h"
#include "task/waits.h"
#include "task/watch.h"
#include "task/work.h"

#define UNSETTLED_POLL_MS 20 /* the one state that nothing tells the end of */

struct waiter {
    rouse_manager *manager;
    const rouse_wait *wait;
    rouse_task **tasks; /* up to date as of the last look */
    int *fds;           /* to their supervisors, -1 = none */
    struct pollfd *polls;
    size_t count;
    struct watch watch; /* of their output, for match and idle */
    int bell;
    bool unsettled; /* some running task has no supervisor to listen to: it is being started, or has just died */
    uint64_t deadline;
    uint64_t due; /* when the agenda has something for whoever is there, by the monotonic clock; UINT64_MAX = nothing */
};

static uint64_t mono(const struct waiter *w)
{
    return w->manager->platform->mono_ms(w->manager->platform->userdata);
}

bool wait_holds(const rouse_task *task, rouse_until until, uint64_t progress_done)
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    if (rouse_status_is_terminal(task->status))
        return true;
    return until == ROUSE_UNTIL_READY ? task->ext.ready
                                      : until == ROUSE_UNTIL_PROGRESS && plan && plan->has_progress && plan->progress.done >= progress_done;
}

static bool holds(const struct waiter *w, size_t i)
{
    return wait_holds(w->tasks[i], w->wait->until, w->wait->progress_done) || watch_holds(&w->watch, i);
}

static bool is_over(const struct waiter *w)
{
    size_t held = 0;
    for (size_t i = 0; i < w->count; i++)
        held += holds(w, i);
    return w->wait->any ? held > 0 || w->count == 0 : held == w->count;
}

static int reload(struct waiter *w, size_t i, rouse_error *err)
{
    rouse_task *now;
    int code = rouse_task_get(w->manager, w->tasks[i]->owner_thread_id, w->tasks[i]->task_id, &now, err);
    if (code < 0)
        return code;
    rouse_task_free(w->tasks[i]);
    w->tasks[i] = now;
    return rouse_status_is_terminal(now->status) ? watch_end(&w->watch, i, now->task_id, err) : 0;
}

static int listen_to(struct waiter *w, size_t i, rouse_error *err)
{
    int code = proc_connect(w->manager->tasks, w->tasks[i]->task_id, &w->fds[i], err);
    if (code == 0)
        code = proc_watch(w->fds[i], err);
    if (code < 0)
        fd_close(&w->fds[i]);
    return code;
}

/* Brings task i up to date, unless it is fresh; afterwards it holds, or its supervisor is listened to, or w is unsettled. What
 * happened between the look and the listening is told by the supervisor, or was rung. */
static int look(struct waiter *w, size_t i, bool fresh, rouse_error *err)
{
    if (holds(w, i))
        return 0;
    int code = fresh ? 0 : reload(w, i, err);
    if (code == 0 && !holds(w, i))
        code = watch_begin(&w->watch, i, w->tasks[i]->task_id, err);
    if (code < 0 || holds(w, i) || w->fds[i] >= 0 || !task_is_process(w->tasks[i]) || record_is_waiting(&w->tasks[i]->ext))
        return code; /* of what has no supervisor the bell tells */
    w->unsettled = listen_to(w, i, NULL) < 0 || w->unsettled;
    return 0;
}

static int look_at_all(struct waiter *w, bool fresh, rouse_error *err)
{
    int code = 0;
    w->unsettled = false;
    for (size_t i = 0; code == 0 && i < w->count; i++)
        code = look(w, i, fresh, err);
    return code;
}

static int hear(struct waiter *w, size_t i, rouse_error *err)
{
    for (;;) {
        enum proc_news news;
        int code = proc_read_news(w->fds[i], &news, NULL);
        if (code < 0)
            news = PROC_NEWS_HANGUP;
        if (news == PROC_NEWS_NONE)
            return 0;
        if (news != PROC_NEWS_ENDED && news != PROC_NEWS_HANGUP)
            continue;
        code = reload(w, i, err); /* takes the ending in */
        if (code == 0 && news == PROC_NEWS_ENDED)
            proc_taken(w->fds[i], NULL);
        fd_close(&w->fds[i]);
        /* A supervisor that is being killed hangs up a moment before it lets go of the lock. */
        w->unsettled = w->unsettled || (code == 0 && !holds(w, i));
        return code;
    }
}

static int time_left(const struct waiter *w)
{
    int left = w->unsettled ? UNSETTLED_POLL_MS : -1;
    uint64_t due = watch_due(&w->watch);
    due = w->due < due ? w->due : due;
    due = w->wait->has_timeout && w->deadline < due ? w->deadline : due;
    if (due < UINT64_MAX) {
        uint64_t now = mono(w);
        uint64_t ms = due > now ? due - now : 0;
        int bounded = ms > 3600000 ? 3600000 : (int)ms;
        left = left < 0 || bounded < left ? bounded : left;
    }
    return left;
}

static int sleep_once(struct waiter *w, rouse_error *err)
{
    struct pollfd *p = w->polls;
    for (size_t i = 0; i < w->count; i++)
        p[i] = (struct pollfd){.fd = w->fds[i], .events = POLLIN};
    p[w->count] = (struct pollfd){.fd = w->bell, .events = POLLIN};
    p[w->count + 1] = (struct pollfd){.fd = w->wait->wake_fd > 0 ? w->wait->wake_fd : -1, .events = POLLIN};
    p[w->count + 2] = (struct pollfd){.fd = w->watch.changes, .events = POLLIN};
    int n = poll(p, (nfds_t)w->count + 3, time_left(w));
    if (n < 0 && errno != EINTR)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot sleep");
    if (manager_interrupted(w->manager) || (n > 0 && p[w->count + 1].revents))
        return rouse_fail(err, ROUSE_EINTERRUPTED, "interrupted while waiting");
    int code = 0;
    for (size_t i = 0; n > 0 && code == 0 && i < w->count; i++) {
        if (p[i].revents)
            code = hear(w, i, err);
    }
    bool rang = n > 0 && p[w->count].revents;
    if (rang)
        rouse_store_bell_clear(w->bell);
    if (code == 0)
        code = watch_look(&w->watch, err);
    return code == 0 && (rang || w->unsettled) ? look_at_all(w, false, err) : code;
}

/* Who waits is there, and so begins what comes due: it may be what is waited for. */
static int work_off_agenda(struct waiter *w, rouse_error *err)
{
    uint64_t left;
    int code = agenda_run(w->manager, false, &left, err);
    w->due = code < 0 || left == UINT64_MAX ? UINT64_MAX : mono(w) + left;
    return code < 0 ? code : 0;
}

static int wait_until_over(struct waiter *w, rouse_error *err)
{
    int code = look_at_all(w, true, err);
    while (code == 0 && !is_over(w)) {
        code = work_off_agenda(w, err);
        if (code < 0)
            break;
        if (w->wait->has_timeout && mono(w) >= w->deadline)
            return rouse_fail(err, ROUSE_ETIMEOUT, "not within %llu ms", (unsigned long long)w->wait->timeout_ms);
        code = sleep_once(w, err);
    }
    return code;
}

/* ---- which tasks ---- */

struct found_tasks {
    rouse_task **items;
    size_t count, cap;
};

/* Takes task. */
static int add_found(struct found_tasks *f, rouse_task *task, rouse_error *err)
{
    int code = f->count < LIMIT_TASKS_PER_CALL
                   ? 0 : rouse_fail(err, ROUSE_ELIMIT, "more than %d tasks in one call", LIMIT_TASKS_PER_CALL);
    if (code == 0 && f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 8;
        rouse_task **items = realloc(f->items, cap * sizeof(rouse_task *));
        if (items) {
            f->items = items;
            f->cap = cap;
        }
        code = items ? 0 : rouse_fail_memory(err);
    }
    if (code < 0)
        rouse_task_free(task);
    else
        f->items[f->count++] = task;
    return code;
}

static int add_list(rouse_manager *m, const rouse_task_filter *filter, struct found_tasks *f, rouse_error *err)
{
    rouse_task_list *list;
    int code = rouse_task_list_get(m, filter, &list, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < rouse_task_list_count(list); i++) {
        const rouse_task *task = rouse_task_list_at(list, i);
        bool known = false;
        for (size_t k = 0; k < f->count && !known; k++)
            known = strcmp(f->items[k]->task_id, task->task_id) == 0;
        if (known)
            continue;
        rouse_task *copy = rouse_task_copy(task);
        code = copy ? add_found(f, copy, err) : rouse_fail_memory(err);
    }
    rouse_task_list_free(list);
    return code;
}

static int resolve(rouse_manager *m, const rouse_wait *wait, struct found_tasks *f, rouse_error *err)
{
    int code = 0;
    if (wait->count == 0) {
        const rouse_task_filter all = {.thread = wait->thread, .running_only = true, .limit = LIMIT_TASKS_PER_CALL};
        code = add_list(m, &all, f, err);
    }
    if (wait->count > LIMIT_TASKS_PER_CALL)
        return rouse_fail(err, ROUSE_ELIMIT, "more than %d tasks in one call", LIMIT_TASKS_PER_CALL);
    for (size_t i = 0; code == 0 && i < wait->count; i++) {
        rouse_task *task;
        code = rouse_task_get(m, wait->thread, wait->ids[i], &task, err);
        if (code == 0)
            code = add_found(f, task, err);
    }
    for (size_t i = 0; wait->tree && code == 0 && i < f->count; i++)
        code = add_list(m, &(rouse_task_filter){.parent = f->items[i]->task_id}, f, err);
    return code;
}

int wait_resolve(rouse_manager *m, const rouse_wait *wait, rouse_task ***ret_tasks, size_t *ret_count, rouse_error *err)
{
    struct found_tasks f = {0};
    int code = resolve(m, wait, &f, err);
    if (code < 0) {
        wait_free_tasks(f.items, f.count);
        return code;
    }
    *ret_tasks = f.items;
    *ret_count = f.count;
    return 0;
}

void wait_free_tasks(rouse_task **tasks, size_t count)
{
    for (size_t i = 0; tasks && i < count; i++)
        rouse_task_free(tasks[i]);
    free(tasks);
}

/* Closing an inotify descriptor waits for a grace period of the kernel, longer than a short task takes: one is kept. A store in
 * memory has no use for that. */
static int take_bell(struct waiter *w, rouse_error *err)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    w->bell = w->manager->tasks < 0 ? -1 : atomic_exchange(&w->manager->bell, -1);
    bool whole = w->bell >= 0;
    for (ssize_t n; whole && (n = read(w->bell, events, sizeof events)) > 0;) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)(events + at);
            whole = whole && !(event->mask & (IN_DELETE_SELF | IN_IGNORED)); /* or it would never ring again */
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
    if (whole)
        return 0;
    fd_close(&w->bell);
    return rouse_store_bell_open(w->manager->store, &w->bell, err);
}

static void give_bell(struct waiter *w)
{
    int none = -1;
    if (w->bell >= 0 && w->manager->tasks >= 0 && atomic_compare_exchange_strong(&w->manager->bell, &none, w->bell))
        w->bell = -1;
    fd_close(&w->bell);
}

static int open_waiter(struct waiter *w, rouse_error *err)
{
    int code = take_bell(w, err);
    if (code == 0)
        code = wait_resolve(w->manager, w->wait, &w->tasks, &w->count, err);
    if (code < 0)
        return code;
    w->fds = malloc((w->count + 1) * sizeof *w->fds);
    w->polls = malloc((w->count + 3) * sizeof *w->polls);
    if (!w->fds || !w->polls)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < w->count; i++)
        w->fds[i] = -1;
    w->deadline = mono(w) + w->wait->timeout_ms;
    code = watch_open(&w->watch, w->manager, w->wait, w->count, -1, err);
    for (size_t i = 0; code == 0 && i < w->count; i++) {
        if (rouse_status_is_terminal(w->tasks[i]->status))
            code = watch_end(&w->watch, i, w->tasks[i]->task_id, err);
    }
    return code;
}

static void close_waiter(struct waiter *w)
{
    for (size_t i = 0; w->fds && i < w->count; i++)
        fd_close(&w->fds[i]);
    free(w->fds);
    free(w->polls);
    wait_free_tasks(w->tasks, w->count);
    watch_close(&w->watch);
    give_bell(w);
}

static int hand_over(struct waiter *w, rouse_task_list **ret_list, rouse_error *err)
{
    rouse_task_list *list;
    rouse_found *found;
    int code = watch_found(&w->watch, &found, err);
    if (code < 0)
        return code;
    code = task_list_of(w->tasks, w->count, found, &list, err);
    if (code < 0) {
        watch_found_free(found, w->count);
        return code;
    }
    *ret_list = list;
    w->tasks = NULL;
    return 0;
}

static int wait_once(rouse_manager *manager, const rouse_wait *wait, rouse_task_list **ret_list, rouse_error *err)
{
    struct waiter w = {.manager = manager, .wait = wait, .bell = -1, .watch = {.changes = -1}};
    int code = open_waiter(&w, err);
    if (code == 0)
        code = wait_until_over(&w, err);
    if (ret_list && (code == 0 || code == ROUSE_ETIMEOUT)) {
        int made = hand_over(&w, ret_list, err);
        code = made < 0 ? made : code;
    }
    close_waiter(&w);
    return code;
}

/* Of a tree: is something in it not over that was begun while we waited for the others? */
static int is_grown(rouse_manager *m, const rouse_wait *wait, rouse_error *err)
{
    rouse_task **tasks;
    size_t count;
    int code = wait_resolve(m, wait, &tasks, &count, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < count; i++)
        code = !rouse_status_is_terminal(tasks[i]->status);
    wait_free_tasks(tasks, count);
    return code;
}

int rouse_task_wait(rouse_manager *manager, const rouse_wait *wait, rouse_task_list **ret_list, rouse_error *err)
{
    const rouse_platform *platform = manager->platform;
    uint64_t began = platform->mono_ms(platform->userdata);
    rouse_wait left = *wait;
    rouse_task_list *list = NULL;
    for (;;) {
        int code = wait_once(manager, &left, ret_list ? &list : NULL, err);
        int grown = code == 0 && wait->tree && !wait->any && wait->until == ROUSE_UNTIL_ENDED ? is_grown(manager, wait, err) : 0;
        if (grown <= 0) {
            if (list && grown == 0)
                *ret_list = list;
            else
                rouse_task_list_free(list);
            return grown < 0 ? grown : code;
        }
        rouse_task_list_free(list);
        list = NULL;
        uint64_t spent = platform->mono_ms(platform->userdata) - began;
        left.timeout_ms = wait->timeout_ms > spent ? wait->timeout_ms - spent : 0;
    }
}
