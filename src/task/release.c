/* What waits, and what comes due. Nothing here remembers anything: what keeps a task is read from its record and from those it
 * waits for, each time. So whoever was killed in the middle is made up for by the next look at the agenda. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "task/event.h"
#include "task/keys.h"
#include "task/record.h"
#include "task/work.h"

static uint64_t mono(const rouse_manager *m)
{
    return m->platform->mono_ms(m->platform->userdata);
}

struct agenda agenda_in(const rouse_manager *m, uint64_t in_ms)
{
    struct agenda a = {.due_ms = manager_now(m) + in_ms, .mono_ms = m->boot[0] ? mono(m) + in_ms : 0};
    memcpy(a.boot, m->boot, sizeof a.boot);
    return a;
}

static bool is_elapsed(const rouse_manager *m, const struct agenda *a)
{
    return a->mono_ms != 0 && strcmp(a->boot, m->boot) == 0;
}

/* Milliseconds until it is due, 0 = now, UINT64_MAX = nothing makes it due but another task. */
static uint64_t time_left(const rouse_manager *m, const struct agenda *a)
{
    uint64_t now = is_elapsed(m, a) ? mono(m) : manager_now(m);
    uint64_t due = is_elapsed(m, a) ? a->mono_ms : a->due_ms;
    if (a->due_ms == 0)
        return UINT64_MAX;
    return due > now ? due - now : 0;
}

static int agenda_get(rouse_manager *m, const char *thread, const char *id, struct agenda *fill, rouse_error *err)
{
    rouse_rows *rows;
    int code = rouse_store_list(m->store, &agenda_key, &(rouse_query){.thread = thread, .entry = id, .limit = 1}, &rows, err);
    if (code < 0)
        return code;
    *fill = rouse_rows_count(rows) > 0 ? *(const struct agenda *)rouse_rows_at(rows, 0, NULL, NULL) : (struct agenda){0};
    rouse_rows_free(rows);
    return 0;
}

void task_deadline(const rouse_manager *m, rouse_task *task, rouse_task_plan *plan, struct agenda *agenda)
{
    *agenda = plan->timeout_ms ? agenda_in(m, plan->timeout_ms) : (struct agenda){0};
    plan->due_ms = agenda->due_ms;
    task->ext.deadline_ms = agenda->due_ms;
}

/* ---- dependencies ---- */

enum kept { KEPT_NOT, KEPT_YET, KEPT_FOR_EVER };

static enum kept judge(const rouse_task *other, rouse_after_if wanted)
{
    if (!rouse_status_is_terminal(other->status))
        return KEPT_YET;
    bool well = other->status == ROUSE_COMPLETED;
    bool met = wanted == ROUSE_AFTER_ENDED || well == (wanted == ROUSE_AFTER_SUCCEEDED);
    return met ? KEPT_NOT : KEPT_FOR_EVER;
}

/* why: what makes it wait for ever. */
static int look_at_dependencies(rouse_manager *m, const char *thread, const rouse_task_plan *plan, enum kept *ret, char why[160],
                                rouse_error *err)
{
    enum kept kept = KEPT_NOT;
    for (size_t i = 0; plan->after && plan->after[i] && kept != KEPT_FOR_EVER; i++) {
        rouse_task *other;
        int code = task_load(m, thread, plan->after[i], &other, err);
        if (code == ROUSE_ENOTFOUND) {
            snprintf(why, 160, "task '%.60s', which it waited for, is not there any more", plan->after[i]);
            kept = KEPT_FOR_EVER;
            continue;
        }
        if (code < 0)
            return code;
        enum kept by = judge(other, plan->after_if);
        if (by == KEPT_FOR_EVER)
            snprintf(why, 160, "task '%.60s', which it waited for, %s%s", other->task_id,
                     other->status == ROUSE_CANCELLED ? "was " : "", rouse_status_text(other->status));
        kept = by > kept ? by : kept;
        rouse_task_free(other);
    }
    *ret = kept;
    return 0;
}

/* ---- beginning ---- */

struct beginning {
    rouse_manager *m;
    rouse_task_plan plan;
    struct agenda agenda;
    bool into_queue;
    bool process; /* its supervisor keeps the deadline */
};

static int edit_beginning(rouse_task *task, void *userdata, rouse_error *err)
{
    struct beginning *b = userdata;
    if (!record_is_waiting(&task->ext) || (b->into_queue && task->ext.plan->in_queue))
        return rouse_fail(err, ROUSE_ECONFLICT, "task '%s' has changed meanwhile", task->task_id);
    b->plan = *task->ext.plan;
    task->ext.plan = &b->plan;
    b->plan.due_ms = 0;
    if (b->into_queue) {
        b->plan.in_queue = true;
        return 1;
    }
    b->plan.in_queue = false;
    b->plan.attempt++;
    if (b->plan.owner)
        b->plan.owner = b->m->owner;
    task->ext.stage = NULL;
    task->ext.reason = NULL;
    b->plan.due_ms = b->process ? 0 : b->agenda.due_ms;
    task->ext.deadline_ms = b->agenda.due_ms;
    return 1;
}

int task_move(rouse_manager *m, const char *thread, const rouse_task *task, bool into_queue, rouse_error *err)
{
    struct beginning b = {.m = m, .into_queue = into_queue, .process = task_is_process(task)};
    rouse_error why = {0};
    uint64_t timeout_ms = into_queue ? 0 : task->ext.plan->timeout_ms;
    if (timeout_ms)
        b.agenda = agenda_in(m, timeout_ms);
    const struct task_change change = {.id = task->task_id, .edit = edit_beginning, .userdata = &b};
    const struct task_step step = {
        .thread = thread,
        .change = &change,
        .set_agenda = true,
        .agenda = into_queue || (timeout_ms && !b.process) ? &b.agenda : NULL,
    };
    int code = task_commit(m, &step, &why);
    if (code == ROUSE_ECONFLICT)
        return 0;
    return code < 0 ? rouse_fail(err, code, "%s", why.message) : 1;
}

static bool is_function(const rouse_task *task)
{
    return task->ext.kind && strcmp(task->ext.kind, "function") == 0;
}

/* May this runtime begin the function? A body without a name is known to its own runtime only. */
static bool is_ours(rouse_manager *m, const rouse_task *task)
{
    struct body body;
    const rouse_task_plan *plan = task->ext.plan;
    if (plan->function)
        return runtime_find(m, plan->function, &body);
    return strcmp(plan->owner, m->owner) == 0;
}

int task_begin(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err)
{
    rouse_task *begun;
    if (task_is_process(task))
        return process_begin(m, thread, task, err);
    if (is_function(task) && !is_ours(m, task))
        return 0;
    if (is_function(task) && task->ext.plan->function) {
        int locked = owner_lock(m, err);
        if (locked < 0)
            return locked;
    }
    int code = task_move(m, thread, task, false, err);
    if (code <= 0 || !is_function(task))
        return code;
    code = task_load(m, thread, task->task_id, &begun, err);
    if (code < 0)
        return code;
    code = runtime_add(m, begun, err);
    rouse_task_free(begun);
    return code < 0 ? code : 1;
}

static int give_up(rouse_manager *m, const char *thread, const rouse_task *task, const char *why, rouse_error *err)
{
    const struct task_end end = {.status = ROUSE_FAILED, .error = why, .ended_by = "runtime", .reason = "after"};
    int code = task_end(m, thread, task, &end, err);
    return code < 0 ? code : 1;
}

int task_try_begin(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err)
{
    enum kept kept = KEPT_NOT;
    char why[160];
    struct agenda agenda = {0};
    int code = 0;
    if (!record_is_waiting(&task->ext) || !task->ext.plan)
        return 0;
    const rouse_task_plan *plan = task->ext.plan;
    if (is_function(task) && plan->owner && (!plan->function || plan->attempt > 0) && owner_is_gone(m, plan->owner) &&
        work_take_in(m, thread, task, err) > 0)
        return 1;
    if (plan->attempt == 0 && !plan->in_queue)
        code = look_at_dependencies(m, thread, plan, &kept, why, err);
    if (code < 0 || kept == KEPT_YET)
        return code;
    if (kept == KEPT_FOR_EVER)
        return give_up(m, thread, task, why, err);
    if (plan->due_ms) {
        code = agenda_get(m, thread, task->task_id, &agenda, err);
        if (code < 0 || (agenda.due_ms && time_left(m, &agenda) > 0))
            return code;
    }
    if (!plan->queue)
        return task_begin(m, thread, task, err);
    if (!plan->in_queue)
        code = task_move(m, thread, task, true, err);
    if (code >= 0)
        queue_run(m, plan->queue, plan->queue_limit);
    return code;
}

static int try_id(rouse_manager *m, const char *thread, const char *id, rouse_error *err)
{
    rouse_task *task;
    int code = task_load(m, thread, id, &task, err);
    if (code < 0)
        return code;
    code = rouse_status_is_terminal(task->status) ? 0 : task_try_begin(m, thread, task, err);
    rouse_task_free(task);
    return code;
}

void task_release(rouse_manager *m, const char *thread, const char *const *ids)
{
    for (size_t i = 0; ids[i]; i++)
        try_id(m, thread, ids[i], NULL);
}

/* ---- times ---- */

struct firing {
    rouse_task_plan plan;
    uint64_t fired;  /* as seen: whoever comes second changes nothing */
    uint64_t due_ms;
};

static int edit_firing(rouse_task *task, void *userdata, rouse_error *err)
{
    struct firing *f = userdata;
    if (!task->ext.plan || task->ext.plan->fired != f->fired)
        return rouse_fail(err, ROUSE_ECONFLICT, "task '%s' has changed meanwhile", task->task_id);
    f->plan = *task->ext.plan;
    f->plan.fired++;
    f->plan.due_ms = f->due_ms;
    task->ext.plan = &f->plan;
    return 1;
}

/* One firing for all that were missed, and the next at the series' own pace. */
static int fire_series(rouse_manager *m, const char *thread, const rouse_task *task, const struct agenda *due, rouse_error *err)
{
    const rouse_task_plan *plan = task->ext.plan;
    struct agenda next = *due;
    uint64_t late = is_elapsed(m, due) ? mono(m) - due->mono_ms : manager_now(m) - due->due_ms;
    uint64_t missed = late / plan->every_ms;
    uint64_t step = (missed + 1) * plan->every_ms;
    next.due_ms += step;
    if (next.mono_ms)
        next.mono_ms += step;
    if (next.mono_ms && !is_elapsed(m, due)) /* of an earlier boot: counts from now on */
        next = agenda_in(m, step - late);
    struct firing f = {.fired = plan->fired, .due_ms = next.due_ms};
    struct buf event = BUF_INIT(0), payload = BUF_INIT(0);
    buf_addf(&payload, "{\"fired\":%llu,\"missed\":%llu}", (unsigned long long)plan->fired + 1, (unsigned long long)missed);
    event_add_custom(&event, task->task_id, "timer", buf_text(&payload));
    int code = buf_check(&payload, err);
    code = code == 0 ? buf_check(&event, err) : code;
    const struct task_change change = {.id = task->task_id, .edit = edit_firing, .userdata = &f};
    const struct task_step to = {
        .thread = thread, .change = &change, .set_agenda = true, .agenda = &next, .event = buf_text(&event)};
    rouse_error why = {0};
    if (code == 0)
        code = task_commit(m, &to, &why);
    buf_done(&payload);
    buf_done(&event);
    return code == ROUSE_ECONFLICT ? 0 : code < 0 ? rouse_fail(err, code, "%s", why.message) : 1;
}

static int fire(rouse_manager *m, const char *thread, const rouse_task *task, const struct agenda *due, rouse_error *err)
{
    char result[64];
    if (task->ext.plan->every_ms)
        return fire_series(m, thread, task, due, err);
    snprintf(result, sizeof result, "{\"fired_at_ms\":%llu}", (unsigned long long)manager_now(m));
    return task_end(m, thread, task, &(struct task_end){.status = ROUSE_COMPLETED, .result = result, .ended_by = "self"}, err);
}

static int come_due(rouse_manager *m, const char *thread, const rouse_task *task, const struct agenda *due, rouse_error *err)
{
    static const struct task_end late = {.status = ROUSE_FAILED, .error = "deadline passed", .ended_by = "deadline"};
    if (record_is_waiting(&task->ext))
        return task_try_begin(m, thread, task, err);
    if (!task->ext.plan || time_left(m, due) > 0)
        return 0;
    if (task->ext.kind && strcmp(task->ext.kind, "timer") == 0)
        return fire(m, thread, task, due, err);
    return task_end(m, thread, task, &late, err);
}

static int remove_entry(rouse_manager *m, const char *thread, const char *id, rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    int code = batch ? agenda_add(batch, id, NULL, err) : rouse_fail_memory(err);
    rouse_commit commit = {.thread = thread, .batch = batch};
    if (code == 0)
        code = rouse_store_commit(m->store, &commit, NULL, err);
    rouse_batch_free(batch);
    return code;
}

static int look_at_entry(rouse_manager *m, const char *thread, const char *id, const struct agenda *due, rouse_error *err)
{
    rouse_task *task;
    int code = task_load(m, thread, id, &task, err);
    if (code == ROUSE_ENOTFOUND)
        return remove_entry(m, thread, id, err);
    if (code < 0)
        return code;
    if (rouse_status_is_terminal(task->status))
        code = remove_entry(m, thread, id, err);
    else
        code = come_due(m, thread, task, due, err);
    rouse_task_free(task);
    return code;
}

static int agenda_page(rouse_manager *m, bool all, const char *before, char last[LIMIT_ENTRY_NAME + 1], size_t *ret_rows,
                       uint64_t *next, rouse_error *err)
{
    rouse_rows *rows;
    int count = 0;
    int code = rouse_store_list(m->store, &agenda_key, &(rouse_query){.before = before, .live_only = true}, &rows, err);
    if (code < 0)
        return code;
    *ret_rows = rouse_rows_count(rows);
    for (size_t i = 0; i < *ret_rows; i++) {
        const char *thread, *entry;
        const struct agenda *due = rouse_rows_at(rows, i, &thread, &entry);
        uint64_t left = time_left(m, due);
        snprintf(last, LIMIT_ENTRY_NAME + 1, "%s", entry);
        if (left > 0 && left < *next)
            *next = left;
        if (left > 0 && !all)
            continue;
        code = look_at_entry(m, thread, entry, due, err);
        count += code > 0;
        if (code == ROUSE_ENOMEM)
            break;
    }
    rouse_rows_free(rows);
    return code == ROUSE_ENOMEM ? code : count;
}

int agenda_run(rouse_manager *m, bool all, uint64_t *ret_next_ms, rouse_error *err)
{
    char before[LIMIT_ENTRY_NAME + 1], last[LIMIT_ENTRY_NAME + 1] = "";
    uint64_t next = UINT64_MAX;
    size_t rows;
    int count = 0;
    do {
        memcpy(before, last, sizeof before);
        int code = agenda_page(m, all, before[0] ? before : NULL, last, &rows, &next, err);
        if (code == ROUSE_ENOTFOUND) { /* the page's last entry is gone: the rest is for the next look */
            next = 0;
            break;
        }
        if (code < 0)
            return code;
        count += code;
    } while (rows == LIMIT_LIST);
    if (ret_next_ms)
        *ret_next_ms = count > 0 ? 0 : next; /* what changed may be due anew: look again */
    return count;
}
