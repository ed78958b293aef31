#include "task/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "json/jtext.h"
#include "task/marks.h"
#include "task/record.h"

static int check_times(const rouse_task_spec *spec, rouse_error *err)
{
    const rouse_when *w = &spec->when;
    bool timer = spec->kind == ROUSE_KIND_TIMER;
    if (w->at_ms && w->in_ms)
        return rouse_fail(err, ROUSE_EINVAL, "a task begins at a time or in a time, not both");
    if (timer && spec->after && spec->after[0])
        return rouse_fail(err, ROUSE_EINVAL, "a timer waits for a time, not for tasks");
    if (timer && !w->at_ms && !w->in_ms && !w->every_ms)
        return rouse_fail(err, ROUSE_EINVAL, "a timer needs a time: at, in or every");
    if (!timer && w->every_ms)
        return rouse_fail(err, ROUSE_EINVAL, "only a timer fires again and again");
    if (w->every_ms && w->every_ms < LIMIT_SERIES_MS)
        return rouse_fail(err, ROUSE_EINVAL, "a series has at least %d ms between two firings", LIMIT_SERIES_MS);
    if (w->in_ms > LIMIT_DELAY_MS || w->every_ms > LIMIT_DELAY_MS || spec->timeout_ms > LIMIT_DELAY_MS)
        return rouse_fail(err, ROUSE_ELIMIT, "a time is longer than a hundred years");
    return 0;
}

static int check_labels(const char *const *labels, rouse_error *err)
{
    for (size_t i = 0; labels && labels[i]; i++) {
        const char *is = strchr(labels[i], '=');
        size_t len = strlen(labels[i]);
        if (i >= LIMIT_LABELS || len > LIMIT_LABEL)
            return rouse_fail(err, ROUSE_ELIMIT, "more than %d labels, or one longer than %d bytes", LIMIT_LABELS, LIMIT_LABEL);
        if (!is || is == labels[i] || !utf8_is_valid(labels[i], len))
            return rouse_fail(err, ROUSE_EINVAL, "'%.80s' is no label: use key=value", labels[i]);
    }
    return 0;
}

static int check_queue(const rouse_task_spec *spec, rouse_error *err)
{
    if (!spec->queue)
        return 0;
    int code = task_check_name(spec->queue, err);
    if (code < 0)
        return rouse_fail_context(err, code, "queue");
    return spec->kind == ROUSE_KIND_TIMER ? rouse_fail(err, ROUSE_EINVAL, "a timer cannot be queued") : 0;
}

static int check_input(const char *input, rouse_error *err)
{
    size_t len = input ? strlen(input) : 0;
    if (!input)
        return 0;
    if (len > LIMIT_RESULT)
        return rouse_fail(err, ROUSE_ELIMIT, "input is larger than %u bytes", LIMIT_RESULT);
    int code = jtext_check_depth(input, len, LIMIT_RESULT_DEPTH, err);
    return code < 0 ? rouse_fail_context(err, code, "input") : 0;
}

static int check_spec(const rouse_task_spec *spec, rouse_error *err)
{
    int code = check_times(spec, err);
    if (code == 0)
        code = check_labels(spec->labels, err);
    if (code == 0)
        code = check_queue(spec, err);
    if (code == 0)
        code = check_input(spec->input, err);
    if (code == 0 && spec->retry.max_attempts > LIMIT_ATTEMPTS)
        code = rouse_fail(err, ROUSE_ELIMIT, "more than %d attempts", LIMIT_ATTEMPTS);
    if (code == 0 && (spec->retry.backoff_ms > LIMIT_DELAY_MS || spec->retry.backoff_max_ms > LIMIT_DELAY_MS))
        code = rouse_fail(err, ROUSE_ELIMIT, "a time is longer than a hundred years");
    return code;
}

/* ---- what it waits for ---- */

static int resolve_after(struct planned *p, rouse_error *err)
{
    const char *const *after = p->spec->after;
    size_t n = 0;
    while (after && after[n])
        n++;
    if (n == 0)
        return 0;
    if (n > LIMIT_AFTER)
        return rouse_fail(err, ROUSE_ELIMIT, "a task waits for at most %d others", LIMIT_AFTER);
    p->after = calloc(n + 1, sizeof *p->after);
    p->dependencies = calloc(n, sizeof *p->dependencies);
    if (!p->after || !p->dependencies)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < n; i++) {
        rouse_task *other;
        int code = rouse_task_get(p->manager, p->spec->thread, after[i], &other, err);
        if (code < 0)
            return rouse_fail_context(err, code, "after");
        bool same = strcmp(other->owner_thread_id, p->spec->thread) == 0;
        p->after[i] = same ? strdup(other->task_id) : NULL;
        rouse_task_free(other);
        if (!same)
            return rouse_fail(err, ROUSE_EINVAL, "after: task '%.60s' is of another thread", after[i]);
        if (!p->after[i])
            return rouse_fail_memory(err);
    }
    p->n_dependencies = n;
    return 0;
}

static int edit_dependency(rouse_task *task, void *userdata, rouse_error *err)
{
    struct dependency *d = userdata;
    size_t n = 0;
    if (rouse_status_is_terminal(task->status) || !task->has_ext)
        return 0;
    d->plan = task->ext.plan ? *task->ext.plan : (rouse_task_plan){0};
    while (d->plan.dependents && d->plan.dependents[n])
        n++;
    if (n >= LIMIT_DEPENDENTS)
        return rouse_fail(err, ROUSE_ELIMIT, "more than %d tasks wait for '%s'", LIMIT_DEPENDENTS, task->task_id);
    free(d->dependents);
    d->dependents = calloc(n + 2, sizeof *d->dependents);
    if (!d->dependents)
        return rouse_fail_memory(err);
    if (n > 0)
        memcpy(d->dependents, d->plan.dependents, n * sizeof *d->dependents);
    d->dependents[n] = d->planned->id;
    d->plan.dependents = d->dependents;
    task->ext.plan = &d->plan;
    return 1;
}

/* ---- above it ---- */

static int refuse_cancelled(const char *id, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "parent task '%.60s' has already been cancelled", id);
}

static int edit_parent(rouse_task *task, void *userdata, rouse_error *err)
{
    (void)userdata;
    return task->status == ROUSE_CANCELLED ? refuse_cancelled(task->task_id, err) : 0;
}

/* An unknown parent is taken as given (COMPAT B68); a cancelled one admits no new child (DEFECTS 30). */
static int look_at_parent(struct planned *p, rouse_error *err)
{
    const char *id = p->spec->parent.task_id;
    rouse_task *parent;
    if (!id || !*id)
        return 0;
    int code = task_load(p->manager, NULL, id, &parent, err);
    if (code == ROUSE_ENOTFOUND)
        return 0;
    if (code < 0)
        return code;
    if (parent->status == ROUSE_CANCELLED)
        code = refuse_cancelled(id, err);
    p->plan.depth = (parent->has_ext && parent->ext.plan ? parent->ext.plan->depth : 0) + 1;
    if (code == 0 && strcmp(parent->owner_thread_id, p->spec->thread) == 0 && !(p->parent = strdup(parent->task_id)))
        code = rouse_fail_memory(err);
    rouse_task_free(parent);
    return code;
}

static int refuse_run(const char *run, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "parent run '%.100s' has already been cancelled", run);
}

/* 1 when the run it is asked for by was cancelled. Blank ids are no runs (COMPAT B59). */
static int is_run_cancelled(const struct planned *p, rouse_error *err)
{
    const char *run = p->spec->parent.run_id;
    char name[LIMIT_ENTRY_NAME + 1];
    if (!run || run[strspn(run, " \t")] == '\0')
        return 0;
    mark_name(name, "run", run);
    return mark_find(p->manager, NULL, name, NULL, err);
}

/* ---- together ---- */

static void take_times(struct planned *p)
{
    const rouse_when *w = &p->spec->when;
    rouse_task_plan *plan = &p->plan;
    if (w->at_ms)
        p->agenda = (struct agenda){.due_ms = w->at_ms};
    else if (w->in_ms || w->every_ms)
        p->agenda = agenda_in(p->manager, w->in_ms ? w->in_ms : w->every_ms);
    plan->due_ms = p->agenda.due_ms;
    plan->every_ms = w->every_ms;
    plan->timeout_ms = p->spec->timeout_ms;
}

static void take_retry(struct planned *p)
{
    const rouse_retry *r = &p->spec->retry;
    if (r->max_attempts <= 1)
        return;
    p->plan.max_attempts = r->max_attempts;
    p->plan.retry_on = r->on ? r->on : ROUSE_RETRY_FAILED;
    p->plan.backoff_ms = r->backoff_ms ? r->backoff_ms : LIMIT_BACKOFF_MS;
    p->plan.backoff_max_ms = r->backoff_max_ms ? r->backoff_max_ms : LIMIT_BACKOFF_MAX_MS;
}

static void fill_plan(struct planned *p)
{
    const rouse_task_spec *spec = p->spec;
    bool timer = spec->kind == ROUSE_KIND_TIMER;
    bool process = spec->kind == ROUSE_KIND_PROCESS;
    take_times(p);
    take_retry(p);
    p->waits = p->after || spec->queue || (p->agenda.due_ms && !timer);
    p->plan.function = spec->kind == ROUSE_KIND_FUNCTION ? spec->function : NULL;
    p->plan.owner = spec->kind == ROUSE_KIND_FUNCTION ? p->manager->owner : NULL;
    p->plan.input = spec->input;
    p->plan.after = (const char **)p->after;
    p->plan.after_if = spec->after_if;
    p->plan.queue = spec->queue;
    p->plan.queue_limit = spec->queue ? (spec->queue_limit ? spec->queue_limit : 1) : 0;
    p->plan.priority = spec->queue ? spec->priority : 0;
    p->plan.in_queue = spec->queue && !p->after && !p->agenda.due_ms;
    p->plan.labels = (const char **)(uintptr_t)spec->labels;
    p->plan.attempt = p->waits || timer || spec->kind == ROUSE_KIND_EXTERNAL ? 0 : 1;
    if (process && (p->waits || p->plan.max_attempts)) {
        p->plan.idle_timeout_ms = spec->idle_timeout_ms;
        p->plan.grace_ms = spec->grace_ms;
    }
    if (!p->waits && !timer && !process && spec->timeout_ms) {
        p->agenda = agenda_in(p->manager, spec->timeout_ms);
        p->plan.due_ms = p->agenda.due_ms;
    }
    p->has_agenda = p->waits || p->agenda.due_ms;
    p->needed = p->waits || spec->kind == ROUSE_KIND_FUNCTION || timer || p->plan.max_attempts || p->plan.labels ||
                p->plan.depth || p->plan.input || (!process && spec->timeout_ms);
}

int plan_prepare(rouse_manager *m, const rouse_task_spec *spec, struct planned *p, rouse_error *err)
{
    *p = (struct planned){.manager = m, .spec = spec};
    int code = check_spec(spec, err);
    if (code == 0)
        code = resolve_after(p, err);
    if (code == 0)
        code = look_at_parent(p, err);
    if (code == 0)
        code = is_run_cancelled(p, err);
    if (code > 0)
        code = refuse_run(spec->parent.run_id, err);
    if (code == 0)
        code = limits_check(p, err);
    if (code == 0)
        fill_plan(p);
    return code;
}

void plan_fill(struct planned *p, rouse_task *record)
{
    if (p->needed)
        record->ext.plan = &p->plan;
    if (p->waits) {
        record->ext.stage = "queued";
        record->ext.deadline_ms = 0;
    } else if (p->spec->kind != ROUSE_KIND_TIMER && p->agenda.due_ms) {
        record->ext.deadline_ms = p->agenda.due_ms;
    }
}

static int add_change(rouse_batch *batch, const struct task_change *change, rouse_error *err)
{
    rouse_task_update *update = task_change_new(change);
    return update ? rouse_task_state_add(batch, update, err) : rouse_fail_memory(err);
}

int plan_add(struct planned *p, rouse_batch *batch, const char *id, rouse_error *err)
{
    int code = 0;
    p->id = id;
    if (p->parent) {
        p->parent_change = (struct task_change){.id = p->parent, .edit = edit_parent, .any_status = true};
        code = add_change(batch, &p->parent_change, err);
    }
    for (size_t i = 0; code == 0 && i < p->n_dependencies; i++) {
        struct dependency *d = &p->dependencies[i];
        d->planned = p;
        d->change = (struct task_change){.id = p->after[i], .edit = edit_dependency, .userdata = d, .any_status = true};
        code = add_change(batch, &d->change, err);
    }
    if (code == 0 && p->spec->key) {
        mark_name(p->key, "key", p->spec->key);
        code = mark_add(batch, p->key, id, manager_now(p->manager), false, err);
    }
    if (code == 0 && p->has_agenda)
        code = agenda_add(batch, id, &p->agenda, err);
    return code;
}

int plan_settle(struct planned *p, rouse_error *err)
{
    rouse_task *task;
    if (p->agenda.due_ms)
        runtime_wake(p->manager);
    int code = is_run_cancelled(p, err);
    if (code > 0) /* between our look and our commit: whoever cancelled it may not have seen this task */
        code = rouse_task_cancel(p->manager, p->id, &(rouse_cancel){.reason = "its run was cancelled"}, NULL, err);
    if (code < 0 || !p->waits)
        return code;
    code = task_load(p->manager, p->spec->thread, p->id, &task, err);
    if (code < 0)
        return code;
    code = rouse_status_is_terminal(task->status) ? 0 : task_try_begin(p->manager, p->spec->thread, task, err);
    rouse_task_free(task);
    return code < 0 ? code : 0;
}

int plan_find_key(rouse_manager *m, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err)
{
    char name[LIMIT_ENTRY_NAME + 1];
    char *id;
    if (!spec->key || !spec->thread)
        return 0;
    int code = task_check_text("key", spec->key, LIMIT_LABEL, err);
    if (code < 0)
        return code;
    mark_name(name, "key", spec->key);
    code = mark_find(m, spec->thread, name, &id, err);
    if (code <= 0)
        return code;
    code = task_load(m, spec->thread, id, ret_task, err);
    free(id);
    return code < 0 ? code : 1;
}

void plan_done(struct planned *p)
{
    for (size_t i = 0; p->after && p->after[i]; i++)
        free(p->after[i]);
    for (size_t i = 0; i < p->n_dependencies; i++)
        free(p->dependencies[i].dependents);
    free(p->after);
    free(p->dependencies);
    free(p->parent);
}
