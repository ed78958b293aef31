/* Reading tasks. A record that says running is held against its process before it is given out, so no answer calls a dead
 * task running. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/lookup.h"
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
    const char *stage = task_stage_of(look);
    task->ext.stage = stage ? stage : "running";
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
        task_note_stage(m, thread, *task, task_stage_of(&look), NULL); /* else at the next look */
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

/* label: "key=value", or "key" with any value. */
static bool has_label(const rouse_task_plan *plan, const char *label)
{
    size_t len = strlen(label);
    const bool whole = strchr(label, '=') != NULL;
    for (size_t i = 0; plan && plan->labels && plan->labels[i]; i++) {
        const char *is = plan->labels[i];
        if (whole ? strcmp(is, label) == 0 : strncmp(is, label, len) == 0 && is[len] == '=')
            return true;
    }
    return false;
}

static bool is_wanted(const rouse_task *task, const rouse_task_filter *f)
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    if (f->running_only && rouse_status_is_terminal(task->status))
        return false;
    if (f->by_status && task->status != f->status)
        return false;
    if (task->created_at_ms < f->since_ms || (f->until_ms && task->created_at_ms >= f->until_ms))
        return false;
    if (f->queue && (!plan || !plan->queue || strcmp(plan->queue, f->queue) != 0))
        return false;
    return !f->label || has_label(plan, f->label);
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
        .queue = filter->running_only || running ? filter->queue : NULL,
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

/* ---- trees ---- */

struct walk {
    rouse_task_list *list; /* all of the tree, in the order found */
    struct lookup by_id;
};

/* Unless it is there already: a record that was imported may be its own ancestor. */
static int walk_add(struct walk *w, rouse_task *task, rouse_error *err)
{
    size_t probe = 0, at;
    uint64_t hash = lookup_hash(task->task_id);
    while (lookup_next(&w->by_id, hash, &probe, &at)) {
        if (strcmp(w->list->items[at]->task_id, task->task_id) == 0) {
            rouse_task_free(task);
            return 0;
        }
    }
    int code = w->list->count < LIMIT_LIST ? 0 : rouse_fail(err, ROUSE_ELIMIT, "a tree of more than %d tasks", LIMIT_LIST);
    if (code == 0 && lookup_reserve(&w->by_id) < 0)
        code = rouse_fail_memory(err);
    if (code < 0) {
        rouse_task_free(task);
        return code;
    }
    lookup_add(&w->by_id, hash, w->list->count);
    return list_add(w->list, task, err);
}

static int walk_below(rouse_manager *m, struct walk *w, const char *id, rouse_error *err)
{
    rouse_rows *rows;
    int code = rouse_store_list(m->store, &rouse_task_state_key, &(rouse_query){.parent = id}, &rows, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < rouse_rows_count(rows); i++) {
        rouse_task *task;
        code = copy_row(m, rows, i, true, &task, err);
        if (code == 0)
            code = walk_add(w, task, err);
    }
    rouse_rows_free(rows);
    return code;
}

/* Newest first: by number, which grows; what is no number, and so was imported, behind. */
static int compare_age(const void *a, const void *b)
{
    const char *x = (*(rouse_task *const *)a)->task_id, *y = (*(rouse_task *const *)b)->task_id;
    uint64_t nx = task_is_id(x) ? strtoull(x + 3, NULL, 10) + 1 : 0, ny = task_is_id(y) ? strtoull(y + 3, NULL, 10) + 1 : 0;
    if (nx != ny)
        return nx < ny ? 1 : -1;
    return strcmp(x, y);
}

/* Leaves in list what the filter wants of the tree, in order, behind its cursor. */
static int pick(rouse_task_list *list, const rouse_task_filter *filter, rouse_error *err)
{
    const size_t limit = filter->limit ? filter->limit : LIMIT_LIST, all = list->count;
    bool begun = !filter->before;
    list->count = 0;
    for (size_t i = 0; i < all; i++) {
        rouse_task *task = list->items[i];
        bool wanted = begun && list->count < limit && is_wanted(task, filter);
        wanted = wanted && (!filter->thread || strcmp(task->owner_thread_id, filter->thread) == 0);
        wanted = wanted && (!filter->parent || (task->parent.task_id && strcmp(task->parent.task_id, filter->parent) == 0));
        begun = begun || strcmp(task->task_id, filter->before) == 0;
        if (wanted)
            list->items[list->count++] = task;
        else
            rouse_task_free(task);
    }
    return begun ? 0 : rouse_fail(err, ROUSE_ENOTFOUND, "no '%.60s' to list from", filter->before);
}

static int list_tree(rouse_manager *m, const rouse_task_filter *filter, rouse_task_list *list, rouse_error *err)
{
    struct walk w = {.list = list};
    rouse_task *root;
    int code = rouse_task_get(m, filter->thread, filter->tree, &root, err);
    if (code == 0)
        code = walk_add(&w, root, err);
    for (size_t i = 0; code == 0 && i < list->count; i++)
        code = walk_below(m, &w, list->items[i]->task_id, err);
    lookup_done(&w.by_id);
    if (code < 0)
        return code;
    qsort(list->items, list->count, sizeof(rouse_task *), compare_age);
    return pick(list, filter, err);
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
    cursor[0] = '\0';
    int code = filter->tree ? list_tree(manager, filter, list, err) : list_page(manager, filter, filter->before, list, cursor, err);
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
