/* Cancelling many: a thread, or what a run asked for. Tasks without a process end many to a transaction. */
#include <stdlib.h>
#include <string.h>

#include "task/marks.h"
#include "task/record.h"
#include "task/work.h"

#define ROUNDS 1000 /* of starts that come in while we cancel */

static bool ends_at_once(const rouse_task *task)
{
    return !task_is_process(task) || record_is_waiting(&task->ext);
}

static int cancel_records(rouse_manager *m, const char *thread, rouse_task *const *tasks, size_t n, const rouse_cancel *o,
                          size_t *count, rouse_error *err)
{
    struct task_end *ends = calloc(n ? n : 1, sizeof *ends);
    if (!ends)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < n; i++)
        ends[i] = (struct task_end){.status = ROUSE_CANCELLED, .ended_by = m->asker, .reason = o->reason};
    int code = task_end_all(m, thread, tasks, ends, n, err);
    free(ends);
    *count += code > 0 ? (size_t)code : 0;
    return code < 0 ? code : 0;
}

/* One page of running tasks: 1 there may be more, 0 that was all. */
static int cancel_page(rouse_manager *m, const char *thread, const rouse_cancel *o, size_t *count, rouse_error *err)
{
    rouse_rows *rows;
    rouse_task *some[LIMIT_MANY];
    size_t n = 0;
    int stuck = 0;
    const rouse_query query = {.thread = thread, .live_only = true, .limit = LIMIT_MANY};
    int code = rouse_store_list(m->store, &rouse_task_state_key, &query, &rows, err);
    if (code < 0)
        return code;
    size_t total = rouse_rows_count(rows);
    for (size_t i = 0; code >= 0 && i < total; i++) {
        const rouse_task *task = rouse_rows_at(rows, i, NULL, NULL);
        if (ends_at_once(task)) {
            some[n++] = (rouse_task *)(uintptr_t)task; /* only read */
        } else {
            size_t one = 0;
            code = cancel_passes(rouse_task_cancel(m, task->task_id, o, &one, err), &stuck);
            *count += one;
        }
    }
    if (code >= 0)
        code = cancel_records(m, thread, some, n, o, count, err);
    rouse_rows_free(rows);
    code = code == 0 ? stuck : code; /* nor would it be gone at the next look */
    return code < 0 ? code : total > 0;
}

int rouse_task_cancel_all(rouse_manager *manager, const char *thread, const rouse_cancel *options, size_t *ret_count,
                          rouse_error *err)
{
    const rouse_cancel defaults = {0};
    rouse_cancel o = options ? *options : defaults;
    size_t count = 0;
    int code = thread ? 1 : rouse_fail(err, ROUSE_EINVAL, "whose tasks are to be cancelled?");
    o.thread = thread;
    o.tree = false;
    for (int i = 0; code > 0 && i < ROUNDS; i++)
        code = cancel_page(manager, thread, &o, &count, err);
    if (code >= 0 && ret_count)
        *ret_count = count;
    return code < 0 ? code : 0;
}

/* ---- a run ---- */

static int mark_run(rouse_manager *m, const char *thread, const char *run, rouse_error *err)
{
    char name[LIMIT_ENTRY_NAME + 1];
    rouse_batch *batch = rouse_batch_new();
    mark_name(name, "run", run);
    int code = batch ? mark_add(batch, name, "cancelled", manager_now(m), true, err) : rouse_fail_memory(err);
    rouse_commit commit = {.thread = thread, .batch = batch};
    if (code == 0)
        code = rouse_store_commit(m->store, &commit, NULL, err);
    rouse_batch_free(batch);
    return code;
}

int rouse_task_cancel_run(rouse_manager *manager, const char *thread, const char *run_id, const rouse_cancel *options,
                          size_t *ret_count, rouse_error *err)
{
    rouse_cancel o = options ? *options : (rouse_cancel){0};
    rouse_rows *rows;
    size_t count = 0;
    int stuck = 0;
    if (!run_id || !*run_id || !thread)
        return rouse_fail(err, ROUSE_EINVAL, "which run is to be cancelled?");
    int code = mark_run(manager, thread, run_id, err); /* first: from now on no start can be missed */
    if (code < 0)
        return code;
    code = rouse_store_list(manager->store, &rouse_task_state_key, &(rouse_query){.run = run_id, .live_only = true}, &rows, err);
    if (code < 0)
        return code;
    o.tree = true;
    for (size_t i = 0; code >= 0 && i < rouse_rows_count(rows); i++) {
        size_t some = 0;
        const rouse_task *task = rouse_rows_at(rows, i, NULL, NULL);
        code = cancel_passes(rouse_task_cancel(manager, task->task_id, &o, &some, err), &stuck);
        count += some;
    }
    rouse_rows_free(rows);
    code = code < 0 ? code : stuck;
    if (code >= 0 && ret_count)
        *ret_count = count;
    return code < 0 ? code : 0;
}
