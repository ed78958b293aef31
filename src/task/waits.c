/* Waiting without sleeping: any number of waits in one process, and no work while nothing happens. What ended is read from the
 * store's events since the last look, so news costs what happened, not what is waited for. Supervisors are listened to as well,
 * as many as descriptors allow: they alone tell of readiness, and of their own death. What tasks print is heard through one inotify
 * descriptor for all; progress is no event, so those it is waited of are read each time the bell rings. */
#include "task/waits.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "task/watch.h"

#define UNSETTLED_MS 20 /* a supervisor that is being started, or that has just died: nothing tells when that is over */
#define PAGE 1000       /* events in one look */

struct target { /* a task that is waited for */
    char *id;   /* targets are sorted by it */
    int fd;     /* to its supervisor, -1 = none */
    int wd;     /* hears what it prints, -1 = nobody asks; those with one are sorted by it as well */
    uint64_t ring; /* of the bell at which its progress was read last */
    bool unsettled;
    struct target *next_unsettled;
    struct interest *interests;
};

struct interest {
    rouse_waiting *waiting;
    struct target *target; /* NULL: it holds, and nothing more is to be heard */
    struct interest *next, **at;
    size_t index;
};

struct rouse_waiting {
    struct waits *waits;
    rouse_waiting *next, **at; /* of those that wait */
    rouse_waiting *next_over;
    rouse_wait_done done;
    void *userdata;
    bool any, over, has_deadline;
    rouse_until until;
    int code;
    uint64_t deadline, progress_done;
    struct watch watch; /* of what they print; an item for each of tasks, or none */
    rouse_task **tasks; /* as of the last look */
    struct interest *interests;
    size_t count, held;
};

struct waits {
    rouse_manager *manager;
    pthread_mutex_t lock; /* everything below */
    int epoll, bell, wake, timer;
    int changes;          /* inotify: what is printed; -1 until somebody asks */
    uint64_t cursor;      /* events up to this one were looked at */
    uint64_t rings;       /* of the bell */
    size_t for_progress;  /* waits */
    bool rang;            /* there may be later ones */
    void *targets;        /* a tree of struct target */
    void *printing;       /* of those that are heard, by wd */
    size_t listened, max_listened;
    struct target *unsettled;
    rouse_waiting *waiting;
    rouse_waiting *over, **last_over;
    uint64_t armed; /* for which the timer is set; UINT64_MAX = not at all */
};

static uint64_t mono(const struct waits *w)
{
    return w->manager->platform->mono_ms(w->manager->platform->userdata);
}

/* ---- descriptors ---- */

static int hear_of(struct waits *w, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event);
}

static size_t half_of_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 256;
    return limit.rlim_cur > LIMIT_LISTENED * 2 ? LIMIT_LISTENED : (size_t)limit.rlim_cur / 2;
}

/* The id of the newest event, by halving: nobody counts them. */
static int newest_event(rouse_store *store, uint64_t *ret_id, rouse_error *err)
{
    uint64_t low = 0;
    for (uint64_t step = 1024; step > 0;) {
        rouse_events *events;
        int code = rouse_store_inbox(store, NULL, low + step - 1, true, 1, &events, err);
        if (code < 0)
            return code;
        bool later = rouse_events_count(events) > 0;
        if (later)
            low = rouse_events_at(events, 0)->id;
        rouse_events_free(events);
        step = later && step < (UINT64_C(1) << 60) ? step * 2 : later ? step : step / 2;
    }
    *ret_id = low;
    return 0;
}

static void close_all(struct waits *w)
{
    fd_close(&w->epoll);
    fd_close(&w->bell);
    fd_close(&w->wake);
    fd_close(&w->timer);
    fd_close(&w->changes);
}

static int open_all(struct waits *w, rouse_error *err)
{
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->epoll < 0 || w->wake < 0 || w->timer < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot make a descriptor to wait for");
    int code = rouse_store_bell_open(w->manager->store, &w->bell, err);
    if (code < 0)
        return code;
    if (hear_of(w, w->wake, &w->wake) < 0 || hear_of(w, w->timer, &w->timer) < 0 || hear_of(w, w->bell, &w->bell) < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot make a descriptor to wait for");
    w->max_listened = half_of_descriptors();
    return newest_event(w->manager->store, &w->cursor, err);
}

/* With the lock held. */
static int want_open(struct waits *w, rouse_error *err)
{
    int code = w->epoll >= 0 ? 0 : open_all(w, err);
    if (code < 0)
        close_all(w);
    return code;
}

static void wake_up(struct waits *w)
{
    (void)!write(w->wake, &(uint64_t){1}, sizeof(uint64_t));
}

/* Sets the timer unless it goes off before that anyway. */
static void arm(struct waits *w, uint64_t at)
{
    if (at >= w->armed)
        return;
    uint64_t now = mono(w);
    uint64_t left = at > now ? at - now : 0;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000 + 1}};
    timerfd_settime(w->timer, 0, &when, NULL);
    w->armed = at;
}

/* ---- targets ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct target *)a)->id, ((const struct target *)b)->id);
}

static struct target *find_target(struct waits *w, const char *id)
{
    const struct target like = {.id = (char *)(uintptr_t)id};
    void *at = tfind(&like, &w->targets, compare);
    return at ? *(struct target **)at : NULL;
}

static struct target *want_target(struct waits *w, const char *id)
{
    struct target *t = find_target(w, id);
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (t)
        t->id = strdup(id);
    if (!t || !t->id || !tsearch(t, &w->targets, compare)) {
        free(t ? t->id : NULL);
        free(t);
        return NULL;
    }
    t->fd = t->wd = -1;
    return t;
}

static void stop_listening(struct waits *w, struct target *t)
{
    if (t->fd >= 0)
        w->listened--;
    fd_close(&t->fd);
}

/* ---- what they print ---- */

static int compare_wd(const void *a, const void *b)
{
    int x = ((const struct target *)a)->wd, y = ((const struct target *)b)->wd;
    return (x > y) - (x < y);
}

static int want_changes(struct waits *w, rouse_error *err)
{
    if (w->changes >= 0)
        return 0;
    int code = watch_changes(&w->changes, err);
    if (code == 0 && hear_of(w, w->changes, &w->changes) < 0) {
        code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch for output");
        fd_close(&w->changes);
    }
    return code;
}

static int begin_watch(struct waits *w, rouse_waiting *g, size_t i, rouse_error *err)
{
    struct target *t = g->interests[i].target;
    int code = watch_begin(&g->watch, i, t->id, err);
    int wd = watch_hears(&g->watch, i);
    if (code < 0 || wd < 0 || t->wd >= 0) /* a directory has one wd, whoever asks */
        return code;
    t->wd = wd;
    if (tsearch(t, &w->printing, compare_wd))
        return 0;
    t->wd = -1;
    inotify_rm_watch(w->changes, wd);
    return rouse_fail_memory(err);
}

/* Once nobody asks what it prints. */
static void stop_hearing(struct waits *w, struct target *t)
{
    for (const struct interest *i = t->interests; i; i = i->next) {
        if (watch_hears(&i->waiting->watch, i->index) >= 0)
            return;
    }
    if (t->wd < 0)
        return;
    tdelete(t, &w->printing, compare_wd);
    inotify_rm_watch(w->changes, t->wd);
    t->wd = -1;
}

static void drop_interest(struct waits *w, struct interest *i)
{
    struct target *t = i->target;
    if (!t)
        return;
    i->target = NULL;
    *i->at = i->next;
    if (i->next)
        i->next->at = i->at;
    stop_hearing(w, t);
    if (t->interests)
        return;
    stop_listening(w, t);
    if (t->unsettled) {
        struct target **at = &w->unsettled;
        while (*at != t)
            at = &(*at)->next_unsettled;
        *at = t->next_unsettled;
    }
    tdelete(t, &w->targets, compare);
    free(t->id);
    free(t);
}

static void add_interest(struct target *t, struct interest *i)
{
    i->target = t;
    i->next = t->interests;
    i->at = &t->interests;
    if (t->interests)
        t->interests->at = &i->next;
    t->interests = i;
}

static void leave_unsettled(struct waits *w, struct target *t)
{
    if (!t->unsettled) {
        t->unsettled = true;
        t->next_unsettled = w->unsettled;
        w->unsettled = t;
    }
    arm(w, mono(w) + UNSETTLED_MS);
}

/* ---- what holds ---- */

/* Its call comes with the next dispatch; until then it stays where it is, so that nobody's pointer to it dangles. */
static void set_over(rouse_waiting *g, int code)
{
    struct waits *w = g->waits;
    if (g->over)
        return;
    g->over = true;
    g->code = code;
    *w->last_over = g;
    w->last_over = &g->next_over;
    wake_up(w);
}

static bool holds(const rouse_waiting *g, size_t i)
{
    return wait_holds(g->tasks[i], g->until, g->progress_done) || watch_holds(&g->watch, i);
}

static void check_over(rouse_waiting *g)
{
    if (g->any ? g->held > 0 || g->count == 0 : g->held == g->count)
        set_over(g, 0);
}

static void note_held(rouse_waiting *g)
{
    g->held++;
    check_over(g);
}

static void count_held(rouse_waiting *g)
{
    g->held = 0;
    for (size_t i = 0; i < g->count; i++)
        g->held += holds(g, i);
}

/* Tells everybody who waits for the task how it is now. */
static int tell(struct target *t, const rouse_task *task, rouse_error *err)
{
    for (struct interest *i = t->interests; i; i = i->next) {
        rouse_waiting *g = i->waiting;
        if (g->over || holds(g, i->index))
            continue;
        rouse_task *copy = rouse_task_copy(task);
        if (!copy)
            return rouse_fail_memory(err);
        rouse_task_free(g->tasks[i->index]);
        g->tasks[i->index] = copy;
        int code = rouse_status_is_terminal(copy->status) ? watch_end(&g->watch, i->index, t->id, err) : 0;
        if (code < 0)
            return code;
        if (holds(g, i->index))
            note_held(g);
    }
    return 0;
}

static int reload(struct waits *w, struct target *t, bool *ret_ended, bool *ret_process, rouse_error *err)
{
    rouse_task *task;
    int code = rouse_task_get(w->manager, NULL, t->id, &task, err);
    if (code == ROUSE_ENOTFOUND) { /* forgotten */
        for (struct interest *i = t->interests; i; i = i->next)
            set_over(i->waiting, code);
        *ret_ended = true;
        return 0;
    }
    if (code < 0)
        return code;
    *ret_ended = rouse_status_is_terminal(task->status);
    *ret_process = task_is_process(task);
    code = tell(t, task, err);
    rouse_task_free(task);
    return code;
}

static bool listen_to(struct waits *w, struct target *t)
{
    int code = proc_connect(w->manager->tasks, t->id, &t->fd, NULL);
    if (code == 0 && (proc_watch(t->fd, NULL) < 0 || hear_of(w, t->fd, t) < 0)) {
        fd_close(&t->fd);
        code = ROUSE_EIO;
    }
    w->listened += code == 0;
    return code == 0;
}

/* Brings everybody up to date; afterwards the task has ended, or will be heard of. */
static int look(struct waits *w, struct target *t, rouse_error *err)
{
    bool ended = false, process = false;
    int code = reload(w, t, &ended, &process, err);
    if (code < 0 || ended || !process || t->fd >= 0 || w->listened >= w->max_listened)
        return code;
    if (!listen_to(w, t)) {
        leave_unsettled(w, t);
        return 0;
    }
    return reload(w, t, &ended, &process, err); /* what happened before the supervisor knew of us */
}

/* ---- news ---- */

static int hear(struct waits *w, struct target *t, rouse_error *err)
{
    for (;;) {
        enum proc_news news;
        if (proc_read_news(t->fd, &news, NULL) < 0)
            news = PROC_NEWS_HANGUP;
        if (news == PROC_NEWS_NONE)
            return 0;
        bool ended = false, process = false;
        int code = reload(w, t, &ended, &process, err); /* takes an ending in */
        if (code < 0) {
            leave_unsettled(w, t);
            return code;
        }
        if (news == PROC_NEWS_ENDED && ended)
            proc_taken(t->fd, NULL);
        if (news == PROC_NEWS_ENDED || news == PROC_NEWS_HANGUP) {
            stop_listening(w, t);
            if (!ended)
                leave_unsettled(w, t);
            return 0;
        }
    }
}

static int read_events(struct waits *w, rouse_error *err)
{
    size_t n = 0;
    rouse_events *events;
    int code = rouse_store_inbox(w->manager->store, NULL, w->cursor, true, PAGE, &events, err);
    if (code < 0)
        return code;
    n = rouse_events_count(events);
    for (size_t i = 0; code == 0 && i < n; i++) {
        const rouse_event *event = rouse_events_at(events, i);
        struct target *t = find_target(w, event->task_id);
        bool ended, process;
        if (t)
            code = reload(w, t, &ended, &process, err);
        if (code == 0)
            w->cursor = event->id;
    }
    rouse_events_free(events);
    w->rang = code < 0 || n == PAGE;
    return code;
}

/* Of those that somebody waits for to get on. */
static int read_progress(struct waits *w, rouse_error *err)
{
    int code = 0;
    w->rings++;
    for (rouse_waiting *g = w->for_progress > 0 ? w->waiting : NULL; code == 0 && g; g = g->next) {
        for (size_t i = 0; code == 0 && g->until == ROUSE_UNTIL_PROGRESS && i < g->count && !g->over; i++) {
            struct target *t = g->interests[i].target;
            bool ended, process;
            if (!t || t->ring == w->rings)
                continue;
            t->ring = w->rings;
            code = reload(w, t, &ended, &process, err);
        }
    }
    return code;
}

static int look_at_output(struct waits *w, rouse_waiting *g, rouse_error *err)
{
    if (g->over)
        return 0;
    int code = watch_look(&g->watch, err);
    count_held(g);
    check_over(g);
    if (!g->over)
        arm(w, watch_due(&g->watch));
    return code;
}

static int hear_target(struct waits *w, const struct target *t, rouse_error *err)
{
    int code = 0;
    for (const struct interest *i = t->interests; code == 0 && i; i = i->next) {
        watch_mark(&i->waiting->watch, i->index);
        code = look_at_output(w, i->waiting, err);
    }
    return code;
}

/* The kernel lost count. */
static int hear_all(struct waits *w, rouse_error *err)
{
    int code = 0;
    for (rouse_waiting *g = w->waiting; code == 0 && g; g = g->next) {
        for (size_t i = 0; i < g->watch.count; i++)
            watch_mark(&g->watch, i);
        code = look_at_output(w, g, err);
    }
    return code;
}

static int hear_changes(struct waits *w, rouse_error *err)
{
    char events[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(w->changes, events, sizeof events); /* what is left wakes us again */
    int code = 0, last = -1;
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (const struct inotify_event *)(void *)(events + at);
        const struct target like = {.wd = event->wd};
        void *found = event->wd == last ? NULL : tfind(&like, &w->printing, compare_wd);
        int heard = event->mask & IN_Q_OVERFLOW ? hear_all(w, err) : found ? hear_target(w, *(struct target **)found, err) : 0;
        code = code < 0 ? code : heard;
        last = event->wd;
        at += (ssize_t)(sizeof *event + event->len);
    }
    return code;
}

static int look_at_unsettled(struct waits *w, rouse_error *err)
{
    struct target *t = w->unsettled;
    int code = 0;
    w->unsettled = NULL;
    while (t) {
        struct target *next = t->next_unsettled;
        t->unsettled = false;
        code = code == 0 ? look(w, t, err) : code;
        if (code < 0)
            leave_unsettled(w, t);
        t = next;
    }
    return code;
}

static int tick(struct waits *w, rouse_error *err)
{
    uint64_t now = mono(w);
    uint64_t next = UINT64_MAX;
    int code = 0;
    w->armed = UINT64_MAX;
    for (rouse_waiting *g = w->waiting; g; g = g->next) {
        uint64_t due = watch_due(&g->watch);
        int looked = due <= now ? look_at_output(w, g, err) : 0;
        code = code < 0 ? code : looked;
        if (due > now && due < next && !g->over)
            next = due;
        if (!g->has_deadline || g->over)
            continue;
        if (g->deadline <= now)
            set_over(g, ROUSE_ETIMEOUT);
        else if (g->deadline < next)
            next = g->deadline;
    }
    arm(w, next);
    int looked = look_at_unsettled(w, err);
    return code < 0 ? code : looked;
}

static int take_in(struct waits *w, rouse_error *err)
{
    struct epoll_event events[64];
    uint64_t drained;
    int code = 0;
    int n = w->epoll < 0 ? 0 : epoll_wait(w->epoll, events, 64, 0);
    for (int i = 0; i < n; i++) {
        void *what = events[i].data.ptr;
        int heard = 0;
        if (what == &w->bell) {
            rouse_store_bell_clear(w->bell);
            w->rang = true;
        } else if (what == &w->wake) {
            (void)!read(w->wake, &drained, sizeof drained);
        } else if (what == &w->timer) {
            (void)!read(w->timer, &drained, sizeof drained);
            heard = tick(w, err);
        } else if (what == &w->changes) {
            heard = hear_changes(w, err);
        } else {
            heard = hear(w, what, err);
        }
        code = code < 0 ? code : heard;
    }
    int told = w->rang ? read_progress(w, err) : 0;
    int heard = w->rang ? read_events(w, err) : 0;
    if (w->rang)
        wake_up(w);
    return code < 0 ? code : told < 0 ? told : heard;
}

/* ---- one wait ---- */

static void detach(rouse_waiting *g)
{
    for (size_t i = 0; g->interests && i < g->count; i++)
        drop_interest(g->waits, &g->interests[i]);
    if (g->at) {
        g->waits->for_progress -= g->until == ROUSE_UNTIL_PROGRESS;
        *g->at = g->next;
        if (g->next)
            g->next->at = g->at;
    }
    if (!g->over)
        return;
    rouse_waiting **at = &g->waits->over;
    while (*at && *at != g)
        at = &(*at)->next_over;
    if (*at)
        *at = g->next_over;
    if (g->waits->last_over == &g->next_over)
        g->waits->last_over = at;
}

static void free_waiting(rouse_waiting *g)
{
    wait_free_tasks(g->tasks, g->count);
    watch_close(&g->watch);
    free(g->interests);
    free(g);
}

static int add_target(struct waits *w, rouse_waiting *g, size_t i, rouse_error *err)
{
    const rouse_task *task = g->tasks[i];
    g->interests[i] = (struct interest){.waiting = g, .index = i};
    if (rouse_status_is_terminal(task->status))
        return watch_end(&g->watch, i, task->task_id, err);
    if (holds(g, i))
        return 0;
    struct target *t = want_target(w, task->task_id);
    if (!t)
        return rouse_fail_memory(err);
    add_interest(t, &g->interests[i]);
    return begin_watch(w, g, i, err);
}

/* With the lock held. */
static int attach(struct waits *w, rouse_waiting *g, const rouse_wait *wait, rouse_error *err)
{
    int code = want_open(w, err);
    if (code == 0)
        code = wait_resolve(w->manager, wait, &g->tasks, &g->count, err);
    if (code < 0)
        return code;
    g->interests = calloc(g->count + 1, sizeof *g->interests);
    if (!g->interests)
        return rouse_fail_memory(err);
    if (watch_is_wanted(wait))
        code = want_changes(w, err);
    if (code == 0)
        code = watch_open(&g->watch, w->manager, wait, g->count, watch_is_wanted(wait) ? w->changes : -1, err);
    for (size_t i = 0; code == 0 && i < g->count; i++)
        code = add_target(w, g, i, err);
    for (size_t i = 0; code == 0 && i < g->count; i++)
        code = g->interests[i].target ? look(w, g->interests[i].target, err) : 0;
    count_held(g);
    return code;
}

static void enqueue(struct waits *w, rouse_waiting *g, const rouse_wait *wait)
{
    g->next = w->waiting;
    g->at = &w->waiting;
    if (w->waiting)
        w->waiting->at = &g->next;
    w->waiting = g;
    w->for_progress += g->until == ROUSE_UNTIL_PROGRESS;
    check_over(g);
    if (!g->over)
        arm(w, watch_due(&g->watch));
    g->has_deadline = wait->has_timeout;
    g->deadline = mono(w) + wait->timeout_ms;
    if (g->has_deadline)
        arm(w, g->deadline);
}

int rouse_waiting_new(rouse_manager *manager, const rouse_wait *wait, rouse_wait_done done, void *userdata,
                      rouse_waiting **ret_waiting, rouse_error *err)
{
    struct waits *w = manager->waits;
    rouse_waiting *g = calloc(1, sizeof *g);
    if (!g)
        return rouse_fail_memory(err);
    *g = (rouse_waiting){.waits = w, .done = done, .userdata = userdata, .any = wait->any,
                         .until = wait->until, .progress_done = wait->progress_done, .watch = {.changes = -1}};
    pthread_mutex_lock(&w->lock);
    int code = attach(w, g, wait, err);
    if (code == 0)
        enqueue(w, g, wait);
    else
        detach(g);
    pthread_mutex_unlock(&w->lock);
    if (code < 0)
        free_waiting(g);
    else if (ret_waiting)
        *ret_waiting = g;
    return code;
}

void rouse_waiting_free(rouse_waiting *waiting)
{
    if (!waiting)
        return;
    struct waits *w = waiting->waits;
    pthread_mutex_lock(&w->lock);
    detach(waiting);
    pthread_mutex_unlock(&w->lock);
    free_waiting(waiting);
}

/* The first that is over, no longer the hub's; NULL when there is none. */
static rouse_waiting *take_over(struct waits *w)
{
    pthread_mutex_lock(&w->lock);
    rouse_waiting *g = w->over;
    if (g)
        detach(g);
    pthread_mutex_unlock(&w->lock);
    return g;
}

static int call_back(rouse_waiting *g, rouse_error *err)
{
    rouse_task_list *list;
    rouse_found *found = NULL;
    int code = watch_found(&g->watch, &found, err);
    if (code == 0)
        code = task_list_of(g->tasks, g->count, found, &list, err);
    if (code < 0) {
        watch_found_free(found, g->count);
        g->done(code, NULL, g->userdata);
        free_waiting(g);
        return code;
    }
    g->tasks = NULL;
    g->done(g->code, list, g->userdata);
    rouse_task_list_free(list);
    free_waiting(g);
    return 0;
}

int waits_dispatch(struct waits *w, rouse_error *err)
{
    int calls = 0;
    pthread_mutex_lock(&w->lock);
    int code = take_in(w, err);
    size_t due = 0; /* what becomes over in a callback has its turn in the next dispatch */
    for (rouse_waiting *g = w->over; g; g = g->next_over)
        due++;
    pthread_mutex_unlock(&w->lock);
    for (rouse_waiting *g; due > 0 && (g = take_over(w)) != NULL; due--, calls++) {
        int called = call_back(g, err);
        code = code < 0 ? code : called;
    }
    return code < 0 ? code : calls;
}

/* ---- the hub ---- */

struct waits *waits_new(rouse_manager *m)
{
    struct waits *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct waits){.manager = m, .epoll = -1, .bell = -1, .wake = -1, .timer = -1, .changes = -1, .armed = UINT64_MAX};
    w->last_over = &w->over;
    if (pthread_mutex_init(&w->lock, NULL) != 0) {
        free(w);
        return NULL;
    }
    return w;
}

void waits_free(struct waits *w)
{
    if (!w)
        return;
    while (w->waiting)
        rouse_waiting_free(w->waiting);
    close_all(w);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int waits_fd(struct waits *w, int *ret_fd, rouse_error *err)
{
    pthread_mutex_lock(&w->lock);
    int code = want_open(w, err);
    int fd = w->epoll;
    pthread_mutex_unlock(&w->lock);
    if (code == 0)
        *ret_fd = fd;
    return code;
}
