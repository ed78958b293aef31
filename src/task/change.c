/* One transaction about one task, and how every task ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/jtext.h"
#include "task/event.h"
#include "task/keys.h"
#include "task/record.h"
#include "task/work.h"

#define STALE_TRIES 16 /* somebody else changed the task between the look and the commit */

static int add_change(rouse_batch *batch, const struct task_change *change, rouse_error *err)
{
    rouse_task_update *update = task_change_new(change);
    return update ? rouse_task_state_add(batch, update, err) : rouse_fail_memory(err);
}

int task_commit(rouse_manager *m, const struct task_step *step, rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    if (!batch)
        return rouse_fail_memory(err);
    int code = add_change(batch, step->change, err);
    if (code == 0 && step->set_agenda)
        code = agenda_add(batch, step->change->id, step->agenda, err);
    rouse_post post = {.thread = step->thread, .task_id = step->change->id, .json = step->event,
                       .topic = step->topic};
    rouse_commit commit = {.thread = step->thread, .batch = batch, .posts = &post, .n_posts = step->event ? 1 : 0};
    if (code == 0)
        code = rouse_store_commit(m->store, &commit, NULL, err);
    rouse_batch_free(batch);
    return code;
}

/* ---- endings ---- */

struct ending {
    const struct task_end *end;
    const rouse_task *seen;
    bool retry, has_plan;
    uint64_t now, due_ms;
    rouse_task_plan plan;
    const char *reason; /* of a retry */
    bool stale;         /* the task is not as it was seen */
    char **dependents;  /* owned: found in the transaction */
    char queue[LIMIT_TASK_NAME + 1];
    uint64_t queue_limit;
};

static void free_ids(char **ids)
{
    for (size_t i = 0; ids && ids[i]; i++)
        free(ids[i]);
    free(ids);
}

static char **copy_ids(const char **ids)
{
    size_t n = 0;
    while (ids[n])
        n++;
    char **copy = calloc(n + 1, sizeof *copy);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = strdup(ids[i]);
        if (!copy[i]) {
            free_ids(copy);
            return NULL;
        }
    }
    return copy;
}

static uint64_t attempt_of(const rouse_task *task)
{
    return task->has_ext && task->ext.plan ? task->ext.plan->attempt : 0;
}

static bool waits(const rouse_task *task)
{
    return task->has_ext && record_is_waiting(&task->ext);
}

static void to_retry(rouse_task *task, struct ending *e)
{
    e->plan.due_ms = e->due_ms;
    task->ext.plan = &e->plan;
    task->ext.stage = "retrying";
    task->ext.reason = e->reason;
    task->ext.ready = false;
}

/* That it was begun once, and by whom, is nothing to keep of a task that is over. */
static bool is_told_by_record(const rouse_task_plan *plan)
{
    static const rouse_task_plan none;
    rouse_task_plan rest = *plan; /* with its padding, which is zero in all that made one; if not, it is kept */
    rest.owner = NULL;
    if (rest.max_attempts <= 1)
        rest.attempt = rest.max_attempts = 0;
    return memcmp(&rest, &none, sizeof none) == 0;
}

static void to_end(rouse_task *task, struct ending *e)
{
    const struct task_end *end = e->end;
    if (end->record)
        *task = *end->record;
    e->plan.due_ms = 0;
    e->plan.dependents = NULL;
    task->ext.plan = e->has_plan && !is_told_by_record(&e->plan) ? &e->plan : NULL;
    task->ext.stage = NULL;
    if (end->record)
        return;
    task->status = end->status;
    task->result = end->result;
    task->error = end->error;
    task->has_completed_at = true;
    task->completed_at_ms = e->now;
    if (task->has_ext) {
        task->ext.ended_by = end->ended_by;
        task->ext.reason = end->reason;
    }
}

static int edit_ending(rouse_task *task, void *userdata, rouse_error *err)
{
    struct ending *e = userdata;
    e->stale = attempt_of(task) != attempt_of(e->seen) || waits(task) != waits(e->seen);
    if (e->stale)
        return rouse_fail(err, ROUSE_ECONFLICT, "task '%s' has changed meanwhile", task->task_id);
    e->has_plan = task->ext.plan != NULL;
    if (e->has_plan) {
        e->plan = *task->ext.plan;
        if (e->plan.dependents && !e->retry && !e->dependents && !(e->dependents = copy_ids(e->plan.dependents)))
            return rouse_fail_memory(err);
        e->queue[0] = '\0';
        if (e->plan.queue)
            snprintf(e->queue, sizeof e->queue, "%s", e->plan.queue);
        e->queue_limit = e->plan.queue_limit;
    }
    if (e->retry)
        to_retry(task, e);
    else
        to_end(task, e);
    return 1;
}

static void add_event(struct buf *out, const rouse_task *task, const struct ending *e)
{
    const struct task_end *end = e->end;
    if (e->retry) {
        struct buf payload = BUF_INIT(0);
        buf_addf(&payload, "{\"stage\":\"retrying\",\"attempt\":%llu,\"max_attempts\":%llu,\"due_ms\":%llu,\"error\":",
                 (unsigned long long)attempt_of(task), (unsigned long long)task->ext.plan->max_attempts,
                 (unsigned long long)e->due_ms);
        jtext_add_string(&payload, e->reason, strlen(e->reason));
        buf_addc(&payload, '}');
        if (payload.failed)
            out->failed = payload.failed;
        else
            event_add_custom(out, task->task_id, "stage", buf_text(&payload));
        buf_done(&payload);
    } else if (end->status == ROUSE_COMPLETED) {
        event_add_completed(out, task->task_id, end->result);
    } else if (end->status == ROUSE_FAILED) {
        event_add_failed(out, task->task_id, end->error);
    } else {
        event_add_cancelled(out, task->task_id);
    }
}

static rouse_topic topic_of(const struct ending *e)
{
    return !e->retry && e->end->status == ROUSE_FAILED ? ROUSE_TOPIC_FAILURE : ROUSE_TOPIC_OTHER;
}

static unsigned retry_reason(const struct task_end *end)
{
    const char *by = end->ended_by ? end->ended_by : "self";
    if (end->status != ROUSE_FAILED)
        return 0;
    if (strcmp(by, "deadline") == 0 || strcmp(by, "idle") == 0)
        return ROUSE_RETRY_DEADLINE;
    return strcmp(by, "runtime") == 0 ? ROUSE_RETRY_LOST : ROUSE_RETRY_FAILED;
}

/* Half of the time is certain, the other half random, so that tasks that failed together do not come back together. */
static uint64_t backoff(const rouse_manager *m, const rouse_task_plan *plan)
{
    uint64_t ms = plan->backoff_ms;
    uint32_t random = 0;
    for (uint64_t i = 1; i < plan->attempt && ms < plan->backoff_max_ms; i++)
        ms *= 2;
    ms = ms < plan->backoff_max_ms ? ms : plan->backoff_max_ms;
    m->platform->random(m->platform->userdata, (unsigned char *)&random, sizeof random);
    return ms / 2 + (uint64_t)((double)(ms - ms / 2) * ((double)random / UINT32_MAX));
}

static bool is_retried(const rouse_task *seen, const struct task_end *end)
{
    const rouse_task_plan *plan = seen->has_ext ? seen->ext.plan : NULL;
    return plan && plan->attempt > 0 && plan->attempt < plan->max_attempts && (plan->retry_on & retry_reason(end)) != 0;
}

static void prepare_ending(const rouse_manager *m, const rouse_task *seen, const struct task_end *end, struct ending *fill)
{
    *fill = (struct ending){.end = end, .seen = seen, .now = manager_now(m), .retry = is_retried(seen, end)};
    fill->reason = end->error ? end->error : "failed";
}

static bool has_agenda(const rouse_task *seen)
{
    return seen->has_ext && ((seen->ext.plan && seen->ext.plan->due_ms) || record_is_waiting(&seen->ext));
}

/* 1 ended, 2 retrying, 0 had ended, ROUSE_ECONFLICT with e->stale: look again. */
static int end_once(rouse_manager *m, const char *thread, struct ending *e, rouse_error *err)
{
    struct buf event = BUF_INIT(0);
    struct agenda agenda = {0};
    rouse_error why = {0};
    if (e->retry) {
        agenda = agenda_in(m, backoff(m, e->seen->ext.plan));
        e->due_ms = agenda.due_ms;
    }
    add_event(&event, e->seen, e);
    int code = buf_check(&event, err);
    const struct task_change change = {.id = e->seen->task_id, .edit = edit_ending, .userdata = e};
    const struct task_step step = {
        .thread = thread,
        .change = &change,
        .set_agenda = e->retry || has_agenda(e->seen),
        .agenda = e->retry ? &agenda : NULL,
        .event = buf_text(&event),
        .topic = topic_of(e),
    };
    if (code == 0) {
        code = task_commit(m, &step, &why);
        if (code == ROUSE_ECONFLICT && !e->stale)
            code = 0;
        else if (code < 0)
            rouse_fail(err, code, "%s", why.message);
        else
            code = e->retry ? 2 : 1;
    }
    buf_done(&event);
    return code;
}

static void after_end(rouse_manager *m, const char *thread, const struct ending *e)
{
    if (e->retry) {
        runtime_wake(m);
        return;
    }
    runtime_end(m, e->seen->task_id);
    if (e->dependents)
        task_release(m, thread, (const char *const *)e->dependents);
    if (e->queue[0])
        queue_run(m, e->queue, e->queue_limit);
}

int task_end(rouse_manager *m, const char *thread, const rouse_task *seen, const struct task_end *end, rouse_error *err)
{
    rouse_task *fresh = NULL;
    struct ending e;
    int code = ROUSE_ECONFLICT;
    for (int i = 0; i < STALE_TRIES; i++) {
        prepare_ending(m, fresh ? fresh : seen, end, &e);
        code = end_once(m, thread, &e, err);
        if (code > 0)
            after_end(m, thread, &e);
        free_ids(e.dependents);
        if (code != ROUSE_ECONFLICT)
            break;
        rouse_task_free(fresh);
        fresh = NULL;
        int loaded = task_load(m, thread, seen->task_id, &fresh, err);
        if (loaded < 0 || rouse_status_is_terminal(fresh->status)) {
            code = loaded;
            break;
        }
    }
    rouse_task_free(fresh);
    return code;
}

/* ---- many ---- */

static int add_ending(rouse_batch *batch, struct ending *e, struct task_change *change, struct buf *event, rouse_error *err)
{
    *change = (struct task_change){.id = e->seen->task_id, .edit = edit_ending, .userdata = e};
    int code = add_change(batch, change, err);
    if (code == 0 && has_agenda(e->seen))
        code = agenda_add(batch, e->seen->task_id, NULL, err);
    add_event(event, e->seen, e);
    buf_addc(event, '\0');
    return code < 0 ? code : buf_check(event, err);
}

static int commit_endings(rouse_manager *m, const char *thread, struct ending *endings, size_t n, rouse_error *err)
{
    struct buf events = BUF_INIT(0);
    rouse_batch *batch = rouse_batch_new();
    struct task_change *changes = calloc(n, sizeof *changes);
    rouse_post *posts = calloc(n, sizeof *posts);
    int code = batch && changes && posts ? 0 : rouse_fail_memory(err);
    for (size_t i = 0; code == 0 && i < n; i++)
        code = add_ending(batch, &endings[i], &changes[i], &events, err);
    const char *at = buf_text(&events);
    for (size_t i = 0; code == 0 && i < n; i++) {
        posts[i] = (rouse_post){.thread = thread, .task_id = endings[i].seen->task_id, .json = at,
                                .topic = topic_of(&endings[i])};
        at += strlen(at) + 1;
    }
    rouse_commit commit = {.thread = thread, .batch = batch, .posts = posts, .n_posts = n};
    if (code == 0)
        code = rouse_store_commit(m->store, &commit, NULL, err);
    rouse_batch_free(batch);
    free(changes);
    free(posts);
    buf_done(&events);
    return code;
}

static int end_singly(rouse_manager *m, const char *thread, rouse_task *const *seen, const struct task_end *ends, size_t n,
                      rouse_error *err)
{
    int count = 0;
    for (size_t i = 0; i < n; i++) {
        int code = task_end(m, thread, seen[i], &ends[i], err);
        if (code < 0)
            return code;
        count += code > 0;
    }
    return count;
}

int task_end_all(rouse_manager *m, const char *thread, rouse_task *const *seen, const struct task_end *ends, size_t n,
                 rouse_error *err)
{
    rouse_error why = {0};
    bool retry = false;
    if (n == 0)
        return 0;
    struct ending *endings = malloc(n * sizeof *endings);
    if (!endings)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < n; i++) {
        prepare_ending(m, seen[i], &ends[i], &endings[i]);
        retry = retry || endings[i].retry;
    }
    int code = retry ? ROUSE_ECONFLICT : commit_endings(m, thread, endings, n, &why);
    for (size_t i = 0; i < n; i++) {
        if (code == 0)
            after_end(m, thread, &endings[i]);
        free_ids(endings[i].dependents);
    }
    free(endings);
    if (code == ROUSE_ECONFLICT) /* one of them had ended: then each by itself */
        return end_singly(m, thread, seen, ends, n, err);
    return code < 0 ? rouse_fail(err, code, "%s", why.message) : (int)n;
}
