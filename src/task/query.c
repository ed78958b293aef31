/* Reading tasks. A record that says running is held against its process before it is given out, so no answer calls a dead
 * task running. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "task/record.h"
#include "task/watch.h"
#include "task/work.h"

struct rouse_task_list {
    rouse_task **items;
    size_t count, cap;
    rouse_found *found; /* one for each item, or NULL */
};

/* What only the running process knows. */
static void decorate(rouse_task *task, const struct proc_look *look)
{
    if (!task->has_ext)
        return;
    task->ext.stage = look->waiting ? "waiting_input" : "running";
    task->ext.ready = look->ready;
    task->ext.has_output = true;
    task->ext.output = (rouse_output){.size = look->output.size, .kept = look->output.kept, .dropped = look->output.dropped};
}

static int replace(rouse_manager *m, const char *thread, rouse_task **task, rouse_error *err)
{
    rouse_task *now;
    int code = task_load(m, thread, (*task)->task_id, &now, err);
    if (code < 0)
        return code;
    rouse_task_free(*task);
    *task = now;
    return 0;
}

int task_refresh(rouse_manager *m, const char *thread, rouse_task **task, rouse_error *err)
{
    struct proc_look look;
    if (rouse_status_is_terminal((*task)->status) || record_is_waiting(&(*task)->ext))
        return 0;
    if (!task_is_process(*task)) {
        int taken = work_take_in(m, thread, *task, err);
        (*task)->ext.stage = "running";
        return taken > 0 ? replace(m, thread, task, err) : taken;
    }
    int code = proc_look(m->tasks, (*task)->task_id, &look, err);
    if (code < 0)
        return code;
    if (look.state == PROC_ALIVE) {
        task_note_waiting(m, thread, *task, look.waiting, NULL); /* else at the next look */
        decorate(*task, &look);
        return 0;
    }
    code = task_end_seen(m, thread, *task, &look, err);
    return code < 0 ? code : replace(m, thread, task, err);
}

/* The i-th row as a record of the caller's, up to date when asked for. */
static int copy_row(rouse_manager *m, const rouse_rows *rows, size_t i, bool fresh, rouse_task **ret_task, rouse_error *err)
{
    const char *thread;
    const rouse_task *row = rouse_rows_at(rows, i, &thread, NULL);
    rouse_task *task = record_over((rouse_task *)(uintptr_t)row); /* only its count of references changes */
    if (!task)
        return rouse_fail_memory(err);
    int code = fresh ? task_refresh(m, thread, &task, err) : 0;
    if (code < 0) {
        rouse_task_free(task);
        return code;
    }
    *ret_task = task;
    return 0;
}

static int find(rouse_manager *m, const rouse_query *query, bool fresh, rouse_task **ret_task, rouse_error *err)
{
    rouse_rows *rows = NULL;
    int code = rouse_store_list(m->store, &rouse_task_state_key, query, &rows, err);
    if (code < 0)
        return code;
    code = rouse_rows_count(rows) > 0 ? copy_row(m, rows, 0, fresh, ret_task, err) : ROUSE_ENOTFOUND;
    rouse_rows_free(rows);
    return code;
}

int task_load(rouse_manager *m, const char *thread, const char *id, rouse_task **ret_task, rouse_error *err)
{
    int code = find(m, &(rouse_query){.thread = thread, .entry = id, .limit = 1}, false, ret_task, err);
    return code == ROUSE_ENOTFOUND ? rouse_fail(err, code, "no task '%s'", id) : code;
}

static int find_by_name(rouse_manager *m, const char *thread, const char *name, rouse_task **ret_task, rouse_error *err)
{
    rouse_query query = {.thread = thread, .name = name, .live_only = true, .limit = 1};
    int code = find(m, &query, true, ret_task, err);
    if (code != ROUSE_ENOTFOUND)
        return code;
    query.live_only = false;
    code = find(m, &query, true, ret_task, err);
    if (code != ROUSE_ENOTFOUND)
        return code;
    return find(m, &(rouse_query){.thread = thread, .entry = name, .limit = 1}, true, ret_task, err); /* an imported id */
}

int rouse_task_get(rouse_manager *manager, const char *thread, const char *id_or_name, rouse_task **ret_task,
                   rouse_error *err)
{
    rouse_task *task;
    int code = task_is_id(id_or_name) ? find(manager, &(rouse_query){.entry = id_or_name, .limit = 1}, true, &task, err)
                                      : find_by_name(manager, thread, id_or_name, &task, err);
    if (code == ROUSE_ENOTFOUND && thread && !task_is_id(id_or_name))
        return rouse_fail(err, code, "no task '%s' in thread '%s'; list all with: rouse ls -a --all-threads", id_or_name, thread);
    if (code == ROUSE_ENOTFOUND)
        return rouse_fail(err, code, "no task '%s'; list all with: rouse ls -a --all-threads", id_or_name);
    if (code < 0)
        return code;
    *ret_task = task;
    return 0;
}

/* ---- lists ---- */

static int list_add(rouse_task_list *list, rouse_task *task, rouse_error *err)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        rouse_task **items = realloc(list->items, cap * sizeof(rouse_task *));
        if (!items) {
            rouse_task_free(task);
            return rouse_fail_memory(err);
        }
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = task;
    return 0;
}

static bool is_wanted(const rouse_task *task, const rouse_task_filter *filter)
{
    if (filter->running_only && rouse_status_is_terminal(task->status))
        return false;
    return !filter->by_status || task->status == filter->status;
}

/* One page of rows into list; *ret_cursor: the oldest entry of the page, "" when it was the last one. */
static int list_page(rouse_manager *m, const rouse_task_filter *filter, const char *before, rouse_task_list *list,
                     char cursor[LIMIT_TASK_ID + 1], rouse_error *err)
{
    size_t limit = filter->limit ? filter->limit : LIMIT_LIST;
    bool running = filter->by_status && filter->status == ROUSE_RUNNING;
    const rouse_query query = {
        .thread = filter->thread,
        .parent = filter->parent,
        .live_only = filter->running_only || running,
        .finished_only = filter->by_status && !running,
        .before = before,
        .limit = limit < LIMIT_LIST ? limit : LIMIT_LIST,
    };
    rouse_rows *rows;
    int code = rouse_store_list(m->store, &rouse_task_state_key, &query, &rows, err);
    if (code < 0)
        return code;
    size_t n = rouse_rows_count(rows);
    cursor[0] = '\0';
    for (size_t i = 0; code == 0 && i < n && list->count < limit; i++) {
        rouse_task *task;
        code = copy_row(m, rows, i, true, &task, err);
        if (code < 0)
            break;
        if (n == query.limit)
            snprintf(cursor, LIMIT_TASK_ID + 1, "%s", task->task_id);
        if (is_wanted(task, filter))
            code = list_add(list, task, err);
        else
            rouse_task_free(task);
    }
    rouse_rows_free(rows);
    return code;
}

int rouse_task_list_get(rouse_manager *manager, const rouse_task_filter *filter, rouse_task_list **ret_list,
                        rouse_error *err)
{
    const rouse_task_filter none = {0};
    char cursor[LIMIT_TASK_ID + 1];
    char before[LIMIT_TASK_ID + 1];
    filter = filter ? filter : &none;
    size_t limit = filter->limit ? filter->limit : LIMIT_LIST;
    rouse_task_list *list = calloc(1, sizeof *list);
    if (!list)
        return rouse_fail_memory(err);
    int code = list_page(manager, filter, filter->before, list, cursor, err);
    while (code == 0 && cursor[0] && list->count < limit) {
        memcpy(before, cursor, sizeof before);
        code = list_page(manager, filter, before, list, cursor, err);
    }
    if (code < 0) {
        rouse_task_list_free(list);
        return code;
    }
    *ret_list = list;
    return 0;
}

size_t rouse_task_list_count(const rouse_task_list *list)
{
    return list->count;
}

const rouse_task *rouse_task_list_at(const rouse_task_list *list, size_t i)
{
    return list->items[i];
}

const rouse_found *rouse_task_list_found(const rouse_task_list *list, size_t i)
{
    return list->found && list->found[i].line ? &list->found[i] : NULL;
}

void rouse_task_list_free(rouse_task_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        rouse_task_free(list->items[i]);
    watch_found_free(list->found, list->count);
    free(list->items);
    free(list);
}

int task_list_of(rouse_task **tasks, size_t count, rouse_found *found, rouse_task_list **ret_list, rouse_error *err)
{
    rouse_task_list *list = calloc(1, sizeof *list);
    if (!list)
        return rouse_fail_memory(err);
    *list = (rouse_task_list){.items = tasks, .count = count, .cap = count, .found = found};
    *ret_list = list;
    return 0;
}

int rouse_task_has_running(rouse_manager *manager, const char *thread, rouse_error *err)
{
    rouse_task_list *list;
    const rouse_task_filter filter = {.thread = thread, .running_only = true, .limit = 1};
    int code = rouse_task_list_get(manager, &filter, &list, err);
    if (code < 0)
        return code;
    code = list->count > 0;
    rouse_task_list_free(list);
    return code;
}
