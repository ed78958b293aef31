/* Many tasks in one transaction. */
#include <stdlib.h>
#include <string.h>

#include "task/work.h"

static int check_count(size_t count, rouse_error *err)
{
    return count <= LIMIT_MANY ? 0 : rouse_fail(err, ROUSE_ELIMIT, "more than %d tasks in one call", LIMIT_MANY);
}

int rouse_task_start_many(rouse_manager *manager, const rouse_task_spec *const *specs, size_t count, rouse_task **ret_tasks,
                          rouse_error *err)
{
    int code = check_count(count, err);
    for (size_t i = 0; code == 0 && i < count; i++) {
        const rouse_task_spec *spec = specs[i];
        if (!spec->thread || strcmp(spec->thread, specs[0]->thread) != 0)
            code = rouse_fail(err, ROUSE_EINVAL, "tasks that are started together have one thread");
        else if (spec->kind == ROUSE_KIND_PROCESS || spec->after || spec->key)
            code = rouse_fail(err, ROUSE_EINVAL, "a process, and a task with `after` or a key, is started by itself");
    }
    return code < 0 || count == 0 ? code : work_start_many(manager, specs, count, ret_tasks, err);
}

static int load_running(rouse_manager *m, const char *thread, const rouse_ending *endings, size_t count, rouse_task **tasks,
                        struct task_end *ends, size_t *ret_n, rouse_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const rouse_ending *e = &endings[i];
        rouse_task *task;
        int code = task_load(m, thread, e->id, &task, err);
        if (code == 0 && task_is_process(task)) {
            code = rouse_fail(err, ROUSE_EUNSUPPORTED, "task '%s' is a process", task->task_id);
            rouse_task_free(task);
        }
        if (code < 0)
            return code;
        if (rouse_status_is_terminal(task->status)) {
            rouse_task_free(task);
            continue;
        }
        tasks[*ret_n] = task;
        ends[(*ret_n)++] = (struct task_end){
            .status = e->error ? ROUSE_FAILED : ROUSE_COMPLETED, .result = e->error ? NULL : e->result, .error = e->error,
            .ended_by = "self"};
    }
    return 0;
}

int rouse_task_end_many(rouse_manager *manager, const char *thread, const rouse_ending *endings, size_t count,
                        rouse_error *err)
{
    size_t n = 0;
    int code = check_count(count, err);
    for (size_t i = 0; code == 0 && i < count; i++) {
        code = work_check_result(endings[i].result, err);
        if (code == 0)
            code = task_check_text("error", endings[i].error, LIMIT_ERROR_TEXT, err);
    }
    if (code < 0 || count == 0)
        return code;
    rouse_task **tasks = calloc(count, sizeof *tasks);
    struct task_end *ends = calloc(count, sizeof *ends);
    code = tasks && ends ? load_running(manager, thread, endings, count, tasks, ends, &n, err) : rouse_fail_memory(err);
    if (code == 0)
        code = task_end_all(manager, thread, tasks, ends, n, err);
    for (size_t i = 0; i < n; i++)
        rouse_task_free(tasks[i]);
    free(tasks);
    free(ends);
    return code;
}
