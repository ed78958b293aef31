/* Bodies of functions: which are known, which are in line, and the threads that run them. The lock here is never held while
 * the store or a body is called. What must survive is in the records; all of this may be lost at any instant. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/utf8.h"
#include "json/jtext.h"
#include "task/runtime.h"
#include "task/record.h"

static size_t bucket_of(const char *id)
{
    return lookup_hash(id) % RUNTIME_BUCKETS;
}

static rouse_call **find(struct runtime *r, const char *id)
{
    rouse_call **at = &r->buckets[bucket_of(id)];
    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    return at;
}

static void call_free(rouse_call *call)
{
    rouse_task_free(call->task);
    free(call->result);
    free(call->error);
    fd_close(&call->cancel_fd);
    free(call);
}

int runtime_new(rouse_manager *m, rouse_error *err)
{
    struct runtime *r = calloc(1, sizeof *r);
    pthread_condattr_t attr;
    if (!r)
        return rouse_fail_memory(err);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->work, &attr);
    pthread_cond_init(&r->cancelled, &attr);
    pthread_condattr_destroy(&attr);
    r->last = &r->first;
    r->epoll = r->wake = r->timer = r->bell = r->clock = -1;
    r->dirty = true;
    m->runtime = r;
    return 0;
}

void runtime_free(rouse_manager *m)
{
    struct runtime *r = m->runtime;
    if (!r)
        return;
    for (size_t i = 0; i < RUNTIME_BUCKETS; i++) {
        while (r->buckets[i]) {
            rouse_call *call = r->buckets[i];
            r->buckets[i] = call->next;
            call_free(call);
        }
    }
    for (size_t i = 0; i < r->n_functions; i++)
        free(r->functions[i].name);
    free(r->functions);
    fd_close(&r->epoll);
    fd_close(&r->wake);
    fd_close(&r->timer);
    fd_close(&r->bell);
    fd_close(&r->clock);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->cancelled);
    pthread_mutex_destroy(&r->lock);
    free(r);
    m->runtime = NULL;
}

static void wake_locked(struct runtime *r)
{
    uint64_t one = 1;
    if (r->wake >= 0)
        (void)!write(r->wake, &one, sizeof one);
}

void runtime_wake(rouse_manager *m)
{
    struct runtime *r = m->runtime;
    pthread_mutex_lock(&r->lock);
    r->dirty = true;
    wake_locked(r);
    pthread_mutex_unlock(&r->lock);
}

/* ---- registered functions ---- */

static bool find_locked(const struct runtime *r, const char *function, struct body *fill)
{
    for (size_t i = 0; i < r->n_functions; i++) {
        if (strcmp(r->functions[i].name, function) == 0) {
            *fill = r->functions[i].body;
            return true;
        }
    }
    return false;
}

bool runtime_find(rouse_manager *m, const char *function, struct body *fill)
{
    pthread_mutex_lock(&m->runtime->lock);
    bool found = find_locked(m->runtime, function, fill);
    pthread_mutex_unlock(&m->runtime->lock);
    return found;
}

static int add_function(struct runtime *r, const char *name, const struct body *body, rouse_error *err)
{
    struct body other;
    if (find_locked(r, name, &other))
        return rouse_fail(err, ROUSE_ECONFLICT, "function already registered: %s", name);
    if (r->n_functions >= LIMIT_FUNCTIONS)
        return rouse_fail(err, ROUSE_ELIMIT, "more than %d functions registered", LIMIT_FUNCTIONS);
    struct function *functions = reallocarray(r->functions, r->n_functions + 1, sizeof *functions);
    if (!functions)
        return rouse_fail_memory(err);
    r->functions = functions;
    char *copy = strdup(name);
    if (!copy)
        return rouse_fail_memory(err);
    functions[r->n_functions++] = (struct function){.name = copy, .body = *body};
    return 0;
}

int rouse_function_register(rouse_manager *manager, const char *name, rouse_function function, void *userdata,
                            rouse_error *err)
{
    if (!name || !function)
        return rouse_fail(err, ROUSE_EINVAL, "a function needs a name and a body");
    int code = task_check_name(name, err);
    if (code < 0)
        return code;
    pthread_mutex_lock(&manager->runtime->lock);
    code = add_function(manager->runtime, name, &(struct body){.call = function, .userdata = userdata}, err);
    pthread_mutex_unlock(&manager->runtime->lock);
    return code < 0 ? code : work_recover(manager, name, err);
}

/* ---- bodies in line ---- */

rouse_call *runtime_call_new(rouse_manager *m, const struct body *body)
{
    rouse_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->manager = m;
    call->body = *body;
    call->cancel_fd = -1;
    return call;
}

void runtime_put(rouse_manager *m, const char *id, rouse_call *call)
{
    struct runtime *r = m->runtime;
    memcpy(call->id, id, strnlen(id, LIMIT_TASK_ID));
    pthread_mutex_lock(&r->lock);
    rouse_call **at = find(r, id);
    if (*at)
        free(call);
    else
        *at = call;
    pthread_mutex_unlock(&r->lock);
}

static int keep(rouse_manager *m, const char *id, const struct body *body, rouse_error *err)
{
    rouse_call *call = runtime_call_new(m, body);
    if (!call)
        return rouse_fail_memory(err);
    runtime_put(m, id, call);
    return 0;
}

static void put_in_line(struct runtime *r, rouse_call *call)
{
    call->following = NULL;
    call->in_line = true;
    call->done = false;
    free(call->result);
    free(call->error);
    call->result = call->error = NULL;
    *r->last = call;
    r->last = &call->following;
    pthread_cond_signal(&r->work);
    wake_locked(r);
}

void runtime_begin(rouse_manager *m, rouse_task *task)
{
    struct runtime *r = m->runtime;
    rouse_task *old = NULL;
    pthread_mutex_lock(&r->lock);
    rouse_call *call = *find(r, task->task_id);
    if (call && !call->in_line && !call->running && !call->ended) {
        old = call->task;
        call->task = record_share(task);
        put_in_line(r, call);
    }
    pthread_mutex_unlock(&r->lock);
    rouse_task_free(old);
}

int runtime_add(rouse_manager *m, rouse_task *task, rouse_error *err)
{
    struct body body;
    const char *function = task->ext.plan->function;
    int code = function && runtime_find(m, function, &body) ? keep(m, task->task_id, &body, err) : 0;
    if (code == 0)
        runtime_begin(m, task);
    return code;
}

static void unlink_from_line(struct runtime *r, rouse_call *call)
{
    rouse_call **at = &r->first;
    while (*at && *at != call)
        at = &(*at)->following;
    if (!*at)
        return;
    *at = call->following;
    if (r->last == &call->following)
        r->last = at;
}

static void cancel_locked(struct runtime *r, rouse_call *call)
{
    uint64_t one = 1;
    call->cancelled = true;
    if (call->cancel_fd >= 0)
        (void)!write(call->cancel_fd, &one, sizeof one);
    pthread_cond_broadcast(&r->cancelled);
}

void runtime_end(rouse_manager *m, const char *id)
{
    struct runtime *r = m->runtime;
    rouse_call *over = NULL;
    pthread_mutex_lock(&r->lock);
    rouse_call **at = find(r, id);
    rouse_call *call = *at;
    if (call && call->running) {
        call->ended = true;
        cancel_locked(r, call);
    } else if (call) {
        if (call->in_line)
            unlink_from_line(r, call);
        *at = call->next;
        over = call;
    }
    pthread_mutex_unlock(&r->lock);
    if (over)
        call_free(over);
}

/* ---- running ---- */

static rouse_call *take_locked(struct runtime *r)
{
    rouse_call *call = r->first;
    if (!call)
        return NULL;
    r->first = call->following;
    if (!r->first)
        r->last = &r->first;
    call->in_line = false;
    call->running = true;
    r->n_running++;
    return call;
}

/* The body has returned and the outcome is stored (or is somebody else's). parked: only the record is left. */
static void let_go(struct runtime *r, rouse_call *call, bool kept)
{
    pthread_mutex_lock(&r->lock);
    call->running = false;
    r->n_running--;
    bool over = call->ended || !kept;
    if (over)
        *find(r, call->id) = call->next;
    pthread_mutex_unlock(&r->lock);
    if (over)
        call_free(call);
}

static struct task_end outcome_of(const rouse_call *call)
{
    if (call->code >= 0)
        return (struct task_end){.status = ROUSE_COMPLETED, .result = call->result, .ended_by = "self"};
    if (call->code == ROUSE_EINTERRUPTED && call->cancelled)
        return (struct task_end){.status = ROUSE_CANCELLED, .ended_by = "self"};
    return (struct task_end){
        .status = ROUSE_FAILED, .error = call->error ? call->error : rouse_error_text(call->code), .ended_by = "self"};
}

/* An outcome that could not be stored is put back in line and stored by a later dispatch (DEFECTS 14). */
static void put_back(struct runtime *r, rouse_call *call)
{
    pthread_mutex_lock(&r->lock);
    call->running = false;
    r->n_running--;
    call->following = r->unstored;
    r->unstored = call;
    pthread_mutex_unlock(&r->lock);
}

static void store_outcome(rouse_manager *m, rouse_call *call)
{
    const struct task_end end = outcome_of(call);
    call->done = true;
    int code = task_end(m, call->task->owner_thread_id, call->task, &end, NULL);
    if (code < 0 && code != ROUSE_ENOTFOUND && code != ROUSE_ELIMIT && code != ROUSE_EDATA)
        put_back(m->runtime, call);
    else
        let_go(m->runtime, call, code == 2);
}

static void run_body(rouse_manager *m, rouse_call *call)
{
    if (!call->done) {
        const rouse_task_plan *plan = call->task->ext.plan;
        call->code = call->body.call(call, plan->input, call->body.userdata);
        if (call->code > 0) {
            let_go(m->runtime, call, false);
            return;
        }
    }
    store_outcome(m, call);
}

bool runtime_run_one(rouse_manager *m)
{
    struct runtime *r = m->runtime;
    pthread_mutex_lock(&r->lock);
    rouse_call *call = take_locked(r);
    pthread_mutex_unlock(&r->lock);
    if (call)
        run_body(m, call);
    return call != NULL;
}

void runtime_store_again(rouse_manager *m)
{
    struct runtime *r = m->runtime;
    pthread_mutex_lock(&r->lock);
    rouse_call *list = r->unstored;
    r->unstored = NULL;
    for (rouse_call *call = list; call; call = call->following) {
        call->running = true;
        r->n_running++;
    }
    pthread_mutex_unlock(&r->lock);
    while (list) {
        rouse_call *call = list;
        list = call->following;
        store_outcome(m, call);
    }
}

/* ---- pools ---- */

struct rouse_pool {
    rouse_manager *manager;
    bool stop; /* under the runtime's lock */
    unsigned count, counted;
    pthread_t threads[];
};

static void *pool_thread(void *data)
{
    rouse_pool *pool = data;
    struct runtime *r = pool->manager->runtime;
    pthread_mutex_lock(&r->lock);
    while (!pool->stop) {
        rouse_call *call = take_locked(r);
        if (!call) {
            pthread_cond_wait(&r->work, &r->lock);
            continue;
        }
        pthread_mutex_unlock(&r->lock);
        run_body(pool->manager, call);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int rouse_pool_new(rouse_manager *manager, unsigned threads, rouse_pool **ret_pool, rouse_error *err)
{
    if (threads < 1 || threads > LIMIT_POOL)
        return rouse_fail(err, ROUSE_EINVAL, "a pool has 1 to %d threads", LIMIT_POOL);
    rouse_pool *pool = calloc(1, sizeof *pool + threads * sizeof *pool->threads);
    if (!pool)
        return rouse_fail_memory(err);
    pool->manager = manager;
    for (; pool->count < threads; pool->count++) {
        int code = pthread_create(&pool->threads[pool->count], NULL, pool_thread, pool);
        if (code == 0)
            continue;
        rouse_pool_free(pool);
        return rouse_fail_errno(err, ROUSE_EIO, code, "cannot start a thread");
    }
    pthread_mutex_lock(&manager->runtime->lock);
    manager->runtime->pools++;
    pool->counted = 1;
    pthread_mutex_unlock(&manager->runtime->lock);
    *ret_pool = pool;
    return 0;
}

void rouse_pool_free(rouse_pool *pool)
{
    if (!pool)
        return;
    struct runtime *r = pool->manager->runtime;
    pthread_mutex_lock(&r->lock);
    pool->stop = true;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_mutex_lock(&r->lock);
    r->pools -= pool->counted;
    pthread_mutex_unlock(&r->lock);
    free(pool);
}
