/* The loop: one descriptor, one call. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "task/runtime.h"
#include "task/waits.h"

/* News of other processes makes one look at the agenda in so long. */
#define LOOK_MS 50
#define CLOCK_SET_MS 1000 /* what the wall clock may gain or lose by being slewed between two looks */
#define FAR_AWAY_S 9000000000 /* in the year 2255 */
#define LOOK_AT_ALL_MS 1000 /* and one at what waits for something else than a time: mostly somebody has begun it already */

static uint64_t mono(const rouse_manager *m)
{
    return m->platform->mono_ms(m->platform->userdata);
}

static int add_fd(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Without it a clock that is set is noticed at the next look for another reason. */
static void await_clock(const struct runtime *r)
{
    const struct itimerspec never = {.it_value.tv_sec = FAR_AWAY_S};
    timerfd_settime(r->clock, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static int open_loop(rouse_manager *m, struct runtime *r, int waits, rouse_error *err)
{
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->wake = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    r->clock = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->epoll < 0 || r->wake < 0 || r->timer < 0 || r->clock < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot make a descriptor to wait for");
    int code = rouse_store_bell_open(m->store, &r->bell, err);
    if (code < 0)
        return code;
    if (add_fd(r->epoll, r->wake) != 0 || add_fd(r->epoll, r->timer) != 0 || add_fd(r->epoll, r->bell) != 0 ||
        add_fd(r->epoll, waits) != 0 || add_fd(r->epoll, r->clock) != 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot make a descriptor to wait for");
    await_clock(r);
    return 0;
}

int rouse_manager_fd(rouse_manager *manager, int *ret_fd, rouse_error *err)
{
    struct runtime *r = manager->runtime;
    int waits = -1;
    int code = waits_fd(manager->waits, &waits, err); /* before the lock: who looks at waits ends tasks, which takes it */
    if (code < 0)
        return code;
    pthread_mutex_lock(&r->lock);
    if (r->epoll < 0)
        code = open_loop(manager, r, waits, err);
    if (code < 0) {
        fd_close(&r->epoll);
        fd_close(&r->wake);
        fd_close(&r->timer);
        fd_close(&r->bell);
        fd_close(&r->clock);
    }
    int fd = r->epoll;
    pthread_mutex_unlock(&r->lock);
    if (code == 0)
        *ret_fd = fd;
    return code;
}

static bool drain(int fd)
{
    uint64_t count;
    return fd >= 0 && read(fd, &count, sizeof count) == sizeof count;
}

/* Was the wall clock set since the last look? Then what is due by it may be due now. */
static bool clock_was_set(const rouse_manager *m, struct runtime *r, uint64_t now)
{
    int64_t ahead = (int64_t)(manager_now(m) - now);
    int64_t moved = ahead - r->clock_ms;
    r->clock_ms = ahead;
    return moved > CLOCK_SET_MS || moved < -CLOCK_SET_MS;
}

/* Is it time to look at the agenda? Also empties what made the descriptor readable. */
static bool is_due(rouse_manager *m, struct runtime *r, uint64_t now)
{
    pthread_mutex_lock(&r->lock);
    drain(r->wake);
    drain(r->timer);
    bool rang = r->bell < 0;
    if (r->bell >= 0) {
        struct epoll_event events[8];
        int n = epoll_wait(r->epoll, events, 8, 0);
        for (int i = 0; i < n; i++) {
            rang = rang || events[i].data.fd == r->bell;
            if (events[i].data.fd == r->clock && !drain(r->clock))
                await_clock(r);
        }
        rouse_store_bell_clear(r->bell);
    }
    if (rang && now - r->looked_ms >= LOOK_MS)
        r->dirty = true;
    else if (rang && (r->next_ms == 0 || r->next_ms > r->looked_ms + LOOK_MS))
        r->next_ms = r->looked_ms + LOOK_MS;
    bool due = clock_was_set(m, r, now) || r->dirty || (r->next_ms != 0 && now >= r->next_ms);
    if (due) {
        r->dirty = false;
        r->looked_ms = now;
    }
    pthread_mutex_unlock(&r->lock);
    return due;
}

static void arm(struct runtime *r, uint64_t now, uint64_t left_ms)
{
    struct itimerspec at = {0};
    pthread_mutex_lock(&r->lock);
    if (r->unstored && left_ms > 100)
        left_ms = 100;
    r->next_ms = left_ms == UINT64_MAX ? 0 : now + left_ms;
    if (r->next_ms) {
        at.it_value.tv_sec = (time_t)(left_ms / 1000);
        at.it_value.tv_nsec = (long)(left_ms % 1000) * 1000000 + 1;
    }
    if (r->timer >= 0)
        timerfd_settime(r->timer, 0, &at, NULL);
    pthread_mutex_unlock(&r->lock);
}

/* Bodies whose task was ended by another process. */
static int tell_bodies(rouse_manager *m, struct runtime *r, rouse_error *err)
{
    pthread_mutex_lock(&r->lock);
    bool any = r->n_running > 0;
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; any && i < RUNTIME_BUCKETS; i++) {
        char ids[8][LIMIT_TASK_ID + 1];
        size_t n = 0;
        pthread_mutex_lock(&r->lock);
        for (rouse_call *call = r->buckets[i]; call && n < 8; call = call->next) {
            if (call->running && !call->ended)
                memcpy(ids[n++], call->id, sizeof ids[0]);
        }
        pthread_mutex_unlock(&r->lock);
        for (size_t k = 0; k < n; k++) {
            rouse_task *task;
            int code = task_load(m, NULL, ids[k], &task, err);
            if (code < 0 && code != ROUSE_ENOTFOUND)
                return code;
            if (code < 0 || rouse_status_is_terminal(task->status))
                runtime_end(m, ids[k]);
            if (code == 0)
                rouse_task_free(task);
        }
    }
    return 0;
}

int rouse_manager_dispatch(rouse_manager *manager, rouse_error *err)
{
    struct runtime *r = manager->runtime;
    uint64_t now = mono(manager);
    int ran = 0;
    runtime_store_again(manager);
    if (is_due(manager, r, now)) {
        uint64_t left;
        bool all = now - r->looked_at_all_ms >= LOOK_AT_ALL_MS;
        int code = tell_bodies(manager, r, err);
        if (code == 0)
            code = agenda_run(manager, all, &left, err);
        if (all)
            r->looked_at_all_ms = now;
        if (code < 0)
            return code;
        arm(r, now, left);
    }
    pthread_mutex_lock(&r->lock);
    bool pooled = r->pools > 0;
    pthread_mutex_unlock(&r->lock);
    while (!pooled && ran < LIMIT_LIST && runtime_run_one(manager))
        ran++;
    int called = waits_dispatch(manager->waits, err); /* last: bodies that ran may be what is waited for */
    return called < 0 ? called : ran + called;
}
