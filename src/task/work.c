/* Tasks without a process: how they begin, and what whoever holds the id may do with them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "json/jtext.h"
#include "task/event.h"
#include "task/plan.h"
#include "task/record.h"
#include "task/runtime.h"

/* ---- beginning ---- */

struct work {
    struct planned planned;
    char id[LIMIT_TASK_ID + 1];
    rouse_task record;  /* borrows the spec and what is above */
    rouse_task *stored; /* the same, once it has its id; shared with the store */
    rouse_task *given;  /* over that, for the caller; NULL when nobody asked */
    rouse_call *call;   /* its body, until it is kept */
};

struct works { /* that begin in one transaction */
    rouse_manager *manager;
    rouse_batch *batch;
    struct work *items;
    size_t count;
    bool give;
};

static const char *kind_text(rouse_kind kind)
{
    return kind == ROUSE_KIND_FUNCTION ? "function" : kind == ROUSE_KIND_TIMER ? "timer" : "external";
}

static int check_work(const rouse_task_spec *spec, rouse_error *err)
{
    if (spec->kind < ROUSE_KIND_FUNCTION || spec->kind > ROUSE_KIND_EXTERNAL)
        return rouse_fail(err, ROUSE_EINVAL, "no such kind of task: %d", (int)spec->kind);
    if (spec->argv || spec->env || spec->cwd || spec->ready_when || spec->sub_agent || spec->session)
        return rouse_fail(err, ROUSE_EINVAL, "a %s task has no command", kind_text(spec->kind));
    if ((spec->run || spec->function) && spec->kind != ROUSE_KIND_FUNCTION)
        return rouse_fail(err, ROUSE_EINVAL, "a %s task has no body", kind_text(spec->kind));
    if (spec->run && spec->function)
        return rouse_fail(err, ROUSE_EINVAL, "a function task has a body or the name of one, not both");
    int code = spec->function ? task_check_name(spec->function, err) : 0;
    if (code == 0)
        code = task_check_texts(spec, err);
    if (code == 0)
        code = task_check_text("description", spec->description, LIMIT_DESCRIPTION, err);
    return code;
}

static void fill_record(struct work *w, const rouse_task_spec *spec, uint64_t now)
{
    const char *kind = kind_text(spec->kind);
    w->record = (rouse_task){
        .task_id = w->id,
        .owner_thread_id = spec->thread,
        .task_type = spec->task_type ? spec->task_type : kind,
        .name = spec->name,
        .description = spec->description ? spec->description : spec->function ? spec->function : kind,
        .status = ROUSE_RUNNING,
        .created_at_ms = now,
        .parent = spec->parent,
        .has_ext = true,
        .ext = {.kind = kind, .exit_code = -1},
    };
    plan_fill(&w->planned, &w->record);
}

static int prepare_work(rouse_manager *m, const rouse_task_spec *spec, struct work *w, uint64_t now, rouse_error *err)
{
    struct body body;
    int code = check_work(spec, err);
    if (code == 0)
        code = plan_prepare(m, spec, &w->planned, err);
    if (code == 0 && spec->kind == ROUSE_KIND_FUNCTION)
        code = owner_lock(m, err);
    if (code < 0)
        return code;
    bool known = spec->function && !w->planned.waits && runtime_find(m, spec->function, &body);
    /* A name that this runtime does not know is another's to run. */
    if (spec->function && !w->planned.waits && !known) {
        w->planned.waits = w->planned.has_agenda = w->planned.needed = true;
        w->planned.plan.attempt = 0;
    }
    if (spec->run)
        body = (struct body){.call = spec->run, .userdata = spec->userdata};
    if ((spec->run || known) && !(w->call = runtime_call_new(m, &body)))
        return rouse_fail_memory(err);
    fill_record(w, spec, now);
    return 0;
}

/* Runs inside the store's transaction: the ids exist, nobody sees them yet. */
static int add_works(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    struct works *ws = userdata;
    for (size_t i = 0; i < ws->count; i++) {
        struct work *w = &ws->items[i];
        task_id_of(number + i, w->id);
        rouse_task_free(w->given); /* of a commit that began again */
        rouse_task_free(w->stored);
        w->stored = rouse_task_copy(&w->record);
        w->given = ws->give && w->stored ? record_over(w->stored) : NULL;
        rouse_task_update *update = w->stored && (w->given || !ws->give) ? task_put_new(w->stored) : NULL;
        int code = update ? rouse_task_state_add(ws->batch, update, err) : rouse_fail_memory(err);
        if (code == 0)
            code = plan_add(&w->planned, ws->batch, w->id, err);
        if (code < 0)
            return code;
    }
    commit->batch = ws->batch;
    return 0;
}

static int commit_works(struct works *ws, const char *thread, rouse_error *err)
{
    rouse_commit commit = {.thread = thread, .prepare = add_works, .userdata = ws, .n_numbers = ws->count};
    ws->batch = rouse_batch_new();
    if (!ws->batch)
        return rouse_fail_memory(err);
    int code = rouse_store_commit(ws->manager->store, &commit, NULL, err);
    rouse_batch_free(ws->batch);
    return code;
}

/* From here on the task exists, and its start has succeeded: what cannot be done now, a later look at the agenda does. */
static void set_going(rouse_manager *m, struct work *w)
{
    if (w->call)
        runtime_put(m, w->id, w->call);
    if (w->call && !w->planned.waits)
        runtime_begin(m, w->stored);
    w->call = NULL;
    if (plan_settle(&w->planned, NULL) < 0)
        runtime_wake(m);
}

/* One that waited may have begun. */
static rouse_task *give_record(rouse_manager *m, struct work *w)
{
    rouse_task *now, *given = w->given;
    w->given = NULL;
    if (w->planned.waits && task_load(m, w->planned.spec->thread, w->id, &now, NULL) == 0) {
        rouse_task_free(given);
        return now;
    }
    if (!w->planned.waits)
        given->ext.stage = "running";
    return given;
}

static void works_done(struct works *ws)
{
    for (size_t i = 0; i < ws->count; i++) {
        rouse_task_free(ws->items[i].given);
        rouse_task_free(ws->items[i].stored);
        free(ws->items[i].call);
        plan_done(&ws->items[i].planned);
    }
}

static int start_works(struct works *ws, const rouse_task_spec *const *specs, rouse_task **ret_tasks, rouse_error *err)
{
    rouse_manager *m = ws->manager;
    uint64_t now = manager_now(m);
    int code = 0;
    size_t n = ws->count;
    ws->give = ret_tasks != NULL;
    for (ws->count = 0; code == 0 && ws->count < n; ws->count++)
        code = prepare_work(m, specs[ws->count], &ws->items[ws->count], now, err);
    if (code == 0)
        code = commit_works(ws, specs[0]->thread, err);
    for (size_t i = 0; code == 0 && i < n; i++) {
        set_going(m, &ws->items[i]);
        if (ret_tasks)
            ret_tasks[i] = give_record(m, &ws->items[i]);
    }
    works_done(ws);
    return code;
}

int work_start(rouse_manager *m, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err)
{
    struct work work = {0};
    struct works ws = {.manager = m, .items = &work, .count = 1};
    return start_works(&ws, &spec, ret_task, err);
}

int work_start_many(rouse_manager *m, const rouse_task_spec *const *specs, size_t count, rouse_task **ret_tasks, rouse_error *err)
{
    struct works ws = {.manager = m, .items = calloc(count, sizeof *ws.items), .count = count};
    int code = ws.items ? start_works(&ws, specs, ret_tasks, err) : rouse_fail_memory(err);
    free(ws.items);
    return code;
}

/* ---- ending ---- */

static int find(rouse_manager *m, const char *thread, const char *id_or_name, rouse_task **ret_task, rouse_error *err)
{
    if (!id_or_name)
        return rouse_fail(err, ROUSE_EINVAL, "no task named");
    return task_is_id(id_or_name) ? task_load(m, NULL, id_or_name, ret_task, err)
                                  : rouse_task_get(m, thread, id_or_name, ret_task, err);
}

static int refuse_ended(const rouse_task *task, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "task already %s", rouse_status_text(task->status));
}

static int end_by_id(rouse_manager *m, const char *thread, const char *id, const struct task_end *end, rouse_error *err)
{
    rouse_task *task;
    int code = find(m, thread, id, &task, err);
    if (code < 0)
        return code;
    if (rouse_status_is_terminal(task->status))
        code = refuse_ended(task, err);
    else if (task_is_process(task))
        code = rouse_fail(err, ROUSE_EUNSUPPORTED, "task '%s' is a process: it ends by itself, or with: rouse cancel", task->task_id);
    else
        code = task_end(m, task->owner_thread_id, task, end, err);
    if (code == 0)
        code = rouse_fail(err, ROUSE_ECONFLICT, "task '%s' has already ended", task->task_id);
    rouse_task_free(task);
    return code < 0 ? code : 0;
}

int work_check_result(const char *result, rouse_error *err)
{
    size_t len = result ? strlen(result) : 0;
    if (!result)
        return 0;
    if (len > LIMIT_RESULT)
        return rouse_fail(err, ROUSE_ELIMIT, "result is larger than %u bytes", LIMIT_RESULT);
    int code = jtext_check_depth(result, len, LIMIT_RESULT_DEPTH, err);
    return code < 0 ? rouse_fail_context(err, code, "result") : 0;
}

int rouse_task_complete(rouse_manager *manager, const char *thread, const char *id_or_name, const char *result,
                        rouse_error *err)
{
    int code = work_check_result(result, err);
    if (code < 0)
        return code;
    const struct task_end end = {.status = ROUSE_COMPLETED, .result = result, .ended_by = "self"};
    return end_by_id(manager, thread, id_or_name, &end, err);
}

int rouse_task_fail(rouse_manager *manager, const char *thread, const char *id_or_name, const char *error, rouse_error *err)
{
    error = error ? error : "failed";
    int code = task_check_text("error", error, LIMIT_ERROR_TEXT, err);
    if (code < 0)
        return code;
    const struct task_end end = {.status = ROUSE_FAILED, .error = error, .ended_by = "self"};
    return end_by_id(manager, thread, id_or_name, &end, err);
}

int work_cancel(rouse_manager *m, const char *thread, const rouse_task *task, const rouse_cancel *options, rouse_error *err)
{
    const struct task_end end = {.status = ROUSE_CANCELLED, .ended_by = m->asker, .reason = options->reason};
    int code = task_end(m, thread, task, &end, err);
    return code > 0 ? 1 : code;
}

/* ---- functions whose runtime is gone ---- */

struct takeover {
    rouse_manager *m;
    const char *owner; /* as seen */
    rouse_task_plan plan;
};

static int edit_takeover(rouse_task *task, void *userdata, rouse_error *err)
{
    struct takeover *t = userdata;
    const rouse_task_plan *plan = task->ext.plan;
    if (!plan || !plan->owner || strcmp(plan->owner, t->owner) != 0 || record_is_waiting(&task->ext))
        return rouse_fail(err, ROUSE_ECONFLICT, "task '%s' has changed meanwhile", task->task_id);
    t->plan = *plan;
    t->plan.owner = t->m->owner;
    t->plan.attempt++;
    task->ext.plan = &t->plan;
    return 1;
}

static int take_over(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err)
{
    rouse_task *mine;
    rouse_error why = {0};
    int code = owner_lock(m, err);
    if (code < 0)
        return code;
    struct takeover t = {.m = m, .owner = task->ext.plan->owner};
    const struct task_change change = {.id = task->task_id, .edit = edit_takeover, .userdata = &t};
    code = task_commit(m, &(struct task_step){.thread = thread, .change = &change}, &why);
    if (code == ROUSE_ECONFLICT)
        return 0;
    if (code < 0)
        return rouse_fail(err, code, "%s", why.message);
    code = task_load(m, thread, task->task_id, &mine, err);
    if (code < 0)
        return code;
    code = runtime_add(m, mine, err);
    rouse_task_free(mine);
    return code < 0 ? code : 1;
}

int work_take_in(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err)
{
    struct body body;
    const rouse_task_plan *plan = task->ext.plan;
    const struct task_end lost = {.status = ROUSE_FAILED, .error = TASK_ORPHAN_TEXT, .ended_by = "runtime"};
    if (!task->ext.kind || strcmp(task->ext.kind, "function") != 0 || (plan && plan->owner && !owner_is_gone(m, plan->owner)))
        return 0;
    if (plan && plan->function && plan->attempt < LIMIT_LOST_ATTEMPTS) {
        if (record_is_waiting(&task->ext) || !runtime_find(m, plan->function, &body))
            return 0;
        return take_over(m, thread, task, err);
    }
    int code = task_end(m, thread, task, &lost, err);
    return code > 0 ? 1 : code;
}

int work_recover(rouse_manager *m, const char *function, rouse_error *err)
{
    rouse_rows *rows;
    int code = rouse_store_list(m->store, &rouse_task_state_key, &(rouse_query){.live_only = true}, &rows, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code >= 0 && i < rouse_rows_count(rows); i++) {
        const char *thread;
        const rouse_task *task = rouse_rows_at(rows, i, &thread, NULL);
        const char *name = task->has_ext && task->ext.plan ? task->ext.plan->function : NULL;
        if (name && strcmp(name, function) == 0)
            code = record_is_waiting(&task->ext) ? task_try_begin(m, thread, task, err) : work_take_in(m, thread, task, err);
    }
    rouse_rows_free(rows);
    return code < 0 ? code : 0;
}

/* ---- what may be said about a running task ---- */

struct saying {
    rouse_task_plan plan;
    const char *checkpoint;
    const rouse_progress *progress;
    bool event;
};

static int edit_saying(rouse_task *task, void *userdata, rouse_error *err)
{
    struct saying *s = userdata;
    if (task->ext.plan)
        s->plan = *task->ext.plan;
    if (s->checkpoint)
        s->plan.checkpoint = s->checkpoint;
    if (s->progress) {
        s->plan.has_progress = true;
        s->plan.progress = *s->progress;
    }
    if (s->event && ++s->plan.events > LIMIT_CUSTOM_EVENTS)
        return rouse_fail(err, ROUSE_ELIMIT, "task '%s' has sent %d events, the most of one task; tell the rest as progress",
                          task->task_id, LIMIT_CUSTOM_EVENTS);
    task->has_ext = true;
    task->ext.plan = &s->plan;
    return 1;
}

static int say(rouse_manager *m, const char *thread, const char *id_or_name, struct saying *s, const char *event_type,
               const char *payload, rouse_error *err)
{
    rouse_task *task;
    struct buf event = BUF_INIT(0);
    int code = find(m, thread, id_or_name, &task, err);
    if (code < 0)
        return code;
    const struct task_change change = {.id = task->task_id, .edit = edit_saying, .userdata = s};
    struct task_step step = {.thread = task->owner_thread_id, .change = &change};
    if (event_type) {
        event_add_custom(&event, task->task_id, event_type, payload);
        step.event = buf_text(&event);
        code = buf_check(&event, err);
    }
    if (code == 0)
        code = task_commit(m, &step, err);
    buf_done(&event);
    rouse_task_free(task);
    return code;
}

int rouse_task_emit(rouse_manager *manager, const char *thread, const char *id_or_name, const char *event_type,
                    const char *payload, rouse_error *err)
{
    struct saying s = {.event = true};
    int code = event_type ? task_check_text("event type", event_type, LIMIT_TASK_NAME, err)
                          : rouse_fail(err, ROUSE_EINVAL, "an event needs a type");
    if (code == 0)
        code = work_check_result(payload, err);
    return code < 0 ? code : say(manager, thread, id_or_name, &s, event_type, payload, err);
}

int rouse_task_progress(rouse_manager *manager, const char *thread, const char *id_or_name, const rouse_progress *progress,
                        rouse_error *err)
{
    struct saying s = {.progress = progress};
    int code = task_check_text("message", progress->message, LIMIT_ERROR_TEXT, err);
    return code < 0 ? code : say(manager, thread, id_or_name, &s, NULL, NULL, err);
}

int rouse_task_checkpoint(rouse_manager *manager, const char *thread, const char *id_or_name, const char *json,
                          rouse_error *err)
{
    struct saying s = {.checkpoint = json};
    int code = json ? work_check_result(json, err) : rouse_fail(err, ROUSE_EINVAL, "a checkpoint is JSON text");
    return code < 0 ? code : say(manager, thread, id_or_name, &s, NULL, NULL, err);
}
