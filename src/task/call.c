/* What the body of a function task may call. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "json/jtext.h"
#include "task/runtime.h"

const char *rouse_call_task(const rouse_call *call)
{
    return call->id;
}

const char *rouse_call_thread(const rouse_call *call)
{
    return call->task->owner_thread_id;
}

uint64_t rouse_call_attempt(const rouse_call *call)
{
    return call->task->ext.plan->attempt;
}

const char *rouse_call_checkpoint(const rouse_call *call)
{
    return call->task->ext.plan->checkpoint;
}

rouse_manager *rouse_call_manager(rouse_call *call)
{
    return call->manager;
}

static int replace(char **text, const char *with, rouse_error *err)
{
    char *copy = strdup(with);
    if (!copy)
        return rouse_fail_memory(err);
    free(*text);
    *text = copy;
    return 0;
}

int rouse_call_result(rouse_call *call, const char *json, rouse_error *err)
{
    size_t len = strlen(json);
    if (len > LIMIT_RESULT)
        return rouse_fail(err, ROUSE_ELIMIT, "result of task '%s' is larger than %u bytes", call->id, LIMIT_RESULT);
    int code = jtext_check_depth(json, len, LIMIT_RESULT_DEPTH, err);
    return code < 0 ? rouse_fail_context(err, code, "result of task '%s'", call->id) : replace(&call->result, json, err);
}

int rouse_call_error(rouse_call *call, const char *text, rouse_error *err)
{
    char plain[LIMIT_ERROR_TEXT];
    size_t len = strlen(text);
    size_t cut = utf8_cut(text, len, sizeof plain - 1);
    memcpy(plain, text, cut);
    plain[cut] = '\0';
    return replace(&call->error, plain, err);
}

int rouse_call_start(rouse_call *call, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err)
{
    rouse_task_spec child = *spec;
    if (!child.thread)
        child.thread = call->task->owner_thread_id;
    if (!child.parent.task_id)
        child.parent.task_id = call->id;
    if (!child.parent.run_id)
        child.parent.run_id = call->task->parent.run_id;
    return rouse_task_start(call->manager, &child, ret_task, err);
}

/* ---- cancellation ---- */

bool rouse_call_is_cancelled(rouse_call *call)
{
    struct runtime *r = call->manager->runtime;
    pthread_mutex_lock(&r->lock);
    bool cancelled = call->cancelled;
    pthread_mutex_unlock(&r->lock);
    return cancelled;
}

bool rouse_call_wait(rouse_call *call, uint64_t timeout_ms)
{
    struct runtime *r = call->manager->runtime;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    timeout_ms = timeout_ms < UINT64_C(1) << 40 ? timeout_ms : UINT64_C(1) << 40;
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&r->lock);
    while (!call->cancelled && pthread_cond_timedwait(&r->cancelled, &r->lock, &until) != ETIMEDOUT)
        ;
    bool cancelled = call->cancelled;
    pthread_mutex_unlock(&r->lock);
    return cancelled;
}

int rouse_call_cancel_fd(rouse_call *call, int *ret_fd, rouse_error *err)
{
    struct runtime *r = call->manager->runtime;
    pthread_mutex_lock(&r->lock);
    if (call->cancel_fd < 0)
        call->cancel_fd = eventfd(call->cancelled ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
    int fd = call->cancel_fd;
    pthread_mutex_unlock(&r->lock);
    if (fd < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "no descriptor to tell of a cancellation");
    *ret_fd = fd;
    return 0;
}
