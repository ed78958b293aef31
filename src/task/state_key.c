/* background_task_state: every task's record, each stored by itself. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "json/jtext.h"
#include "state/document.h"
#include "task/keys.h"
#include "task/record.h"

/* ---- updates ---- */

static void update_release(void *update)
{
    rouse_task_update *u = update;
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        rouse_task_free(u->tasks[i]);
    if (u->tasks != &u->one)
        free(u->tasks);
    free(u);
}

static rouse_task_update *update_new(bool replace)
{
    rouse_task_update *u = malloc(sizeof *u);
    if (u) {
        *u = (rouse_task_update){.replace = replace, .cap = 1};
        u->tasks = &u->one;
    }
    return u;
}

/* Takes task, which may be NULL when there was no memory for it. */
static int update_add(rouse_task_update *u, rouse_task *task)
{
    if (task && u->count == u->cap) {
        size_t cap = u->cap * 2;
        bool inside = u->tasks == &u->one;
        rouse_task **tasks = reallocarray(inside ? NULL : u->tasks, cap, sizeof *tasks);
        if (!tasks) {
            rouse_task_free(task);
            return ROUSE_ENOMEM;
        }
        if (inside)
            tasks[0] = u->one;
        u->tasks = tasks;
        u->cap = cap;
    }
    if (!task)
        return ROUSE_ENOMEM;
    u->tasks[u->count++] = task;
    return 0;
}

static rouse_task_update *update_of(bool replace, const rouse_task *const *tasks, size_t count)
{
    rouse_task_update *u = update_new(replace);
    for (size_t i = 0; u && i < count; i++) {
        if (update_add(u, rouse_task_copy(tasks[i])) < 0) {
            update_release(u);
            return NULL;
        }
    }
    return u;
}

rouse_task_update *rouse_task_upsert(const rouse_task *task)
{
    return update_of(false, &task, 1);
}

rouse_task_update *task_put_new(rouse_task *record)
{
    rouse_task_update *u = update_new(false);
    if (u)
        u->tasks[u->count++] = record_share(record);
    return u;
}

rouse_task_update *rouse_task_replace_all(const rouse_task *const *tasks, size_t count)
{
    return update_of(true, tasks, count);
}

rouse_task_update *task_change_new(const struct task_change *change)
{
    rouse_task_update *u = update_new(false);
    if (u)
        u->change = *change;
    return u;
}

/* ---- values ---- */

/* DEFECTS 32: a record stored under another name than its own could be neither found nor ended. */
static int state_decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    rouse_task *task;
    int code = rouse_task_decode(json, len, &task, err);
    if (code < 0)
        return entry && code != ROUSE_ENOMEM ? rouse_fail_context(err, code, "entry '%.60s'", entry) : code;
    if (entry && strcmp(entry, task->task_id) != 0)
        code = rouse_fail(err, ROUSE_EDATA, "entry '%.60s' holds the record of task '%.60s'", entry, task->task_id);
    if (code == 0)
        code = record_check_id(task->task_id, err);
    if (code < 0) {
        rouse_task_free(task);
        return code;
    }
    *ret_value = task;
    return 0;
}

static char *state_encode(const void *value, rouse_error *err)
{
    return rouse_task_encode(value, err);
}

static void state_release(void *value)
{
    rouse_task_free(value);
}

static void state_index(const void *value, rouse_index *fill)
{
    const rouse_task *task = value;
    const rouse_task_plan *plan = task->ext.plan;
    const bool waits_for_input = task->has_ext && task->ext.stage && strcmp(task->ext.stage, "waiting_input") == 0;
    *fill = (rouse_index){
        .live = !rouse_status_is_terminal(task->status),
        .queue = plan && (plan->in_queue || !record_is_waiting(&task->ext)) ? plan->queue : NULL,
        .priority = plan ? plan->priority : 0,
        .waiting = plan && plan->in_queue,
        .ended_ms = task->completed_at_ms,
        .due_ms = waits_for_input ? RECORD_DUE_AT_ONCE : task->ext.deadline_ms,
        .name = task->name,
        .parent = task->parent.task_id,
        .run = task->parent.run_id,
    };
}

/* ---- the reducer ---- */

/* DEFECTS 27: what gets in can be read back, also as a part of an exported document. */
static int check_result(const rouse_task *task, rouse_error *err)
{
    size_t len = task->result ? strlen(task->result) : 0;
    if (len > LIMIT_RESULT)
        return rouse_fail(err, ROUSE_ELIMIT, "result of task '%.60s' is larger than %u bytes", task->task_id,
                          LIMIT_RESULT);
    if (len == 0 && !task->result)
        return 0;
    int code = jtext_check_depth(task->result, len, LIMIT_RESULT_DEPTH, err);
    return code < 0 ? rouse_fail_context(err, code, "result of task '%.60s'", task->task_id) : 0;
}

static int check_record(const rouse_task *task, rouse_error *err)
{
    int code = record_check_id(task->task_id, err);
    return code == 0 ? check_result(task, err) : code;
}

/* An update's record is a copy already, which nobody changes. */
static int put_shared(rouse_edit *edit, rouse_task *task, rouse_error *err)
{
    int code = check_record(task, err);
    return code == 0 ? rouse_task_state_edit_put(edit, task->task_id, record_share(task), err) : code;
}

static int put_copy(rouse_edit *edit, const rouse_task *task, rouse_error *err)
{
    int code = check_record(task, err);
    if (code < 0)
        return code;
    rouse_task *copy = rouse_task_copy(task);
    return copy ? rouse_task_state_edit_put(edit, task->task_id, copy, err) : rouse_fail_memory(err);
}

/* The seed's reducer lets a task leave a terminal status; here terminal is final (PRODUCT, complaint 20). */
static int upsert(rouse_edit *edit, rouse_task *task, rouse_error *err)
{
    const void *value;
    int code = rouse_edit_get(edit, task->task_id, &value, err);
    if (code < 0)
        return code;
    const rouse_task *old = value;
    if (old && rouse_status_is_terminal(old->status))
        return rouse_fail(err, ROUSE_ECONFLICT, "task already %s", rouse_status_text(old->status));
    return put_shared(edit, task, err);
}

static int change(rouse_edit *edit, const struct task_change *c, rouse_error *err)
{
    const void *value;
    int code = rouse_edit_get(edit, c->id, &value, err);
    if (code < 0)
        return code;
    if (!value)
        return rouse_fail(err, ROUSE_ENOTFOUND, "no task '%s'", c->id);
    rouse_task task = *(const rouse_task *)value;
    if (rouse_status_is_terminal(task.status) && !c->any_status)
        return rouse_fail(err, ROUSE_ECONFLICT, "task already %s", rouse_status_text(task.status));
    code = c->edit(&task, c->userdata, err);
    return code > 0 ? put_copy(edit, &task, err) : code;
}

static int state_reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    const rouse_task_update *u = update;
    if (u->change.edit)
        return change(edit, &u->change, err);
    if (!u->replace)
        return upsert(edit, u->tasks[0], err);
    int code = rouse_edit_clear(edit, err);
    for (size_t i = 0; i < u->count && code == 0; i++)
        code = put_shared(edit, u->tasks[i], err);
    return code;
}

/* ---- updates as JSON ---- */

static int add_entry(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    void *task;
    int code = state_decode(name, json.at, json.len, &task, err);
    if (code == 0 && update_add(userdata, task) < 0)
        code = rouse_fail_memory(err);
    return code;
}

static int decode_upsert(struct jslice content, rouse_task_update *u, rouse_error *err)
{
    void *task;
    int code = state_decode(NULL, content.at, content.len, &task, err);
    if (code == 0 && update_add(u, task) < 0)
        code = rouse_fail_memory(err);
    return code;
}

static int state_decode_update(const char *json, size_t len, void **ret_update, rouse_error *err)
{
    static const char *const names[] = {"Upsert", "ReplaceAll", NULL};
    struct jslice content;
    size_t which;
    int code = variant_decode(json, len, names, &which, &content, err);
    if (code < 0)
        return code;
    if (!content.at)
        return rouse_fail(err, ROUSE_EDATA, "update '%s' needs a value", names[which]);
    rouse_task_update *u = update_new(which == 1);
    if (!u)
        return rouse_fail_memory(err);
    code = which == 1 ? document_entries("tasks", content.at, content.len, add_entry, u, err)
                      : decode_upsert(content, u, err);
    if (code < 0) {
        update_release(u);
        return code;
    }
    *ret_update = u;
    return 0;
}

const rouse_key rouse_task_state_key = {
    .name = "background_task_state",
    .shape = ROUSE_SHAPE_MAP,
    .scope = ROUSE_SCOPE_THREAD,
    .merge = ROUSE_MERGE_EXCLUSIVE,
    .map_member = "tasks",
    .reduce = state_reduce,
    .encode = state_encode,
    .decode = state_decode,
    .release = state_release,
    .index = state_index,
    .decode_update = state_decode_update,
    .release_update = update_release,
};
