#include "cli/task_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_FOUND 127
#define NOT_EXECUTABLE 126

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t n = strlen(end);
    return len >= n && strcmp(text + len - n, end) == 0;
}

/* A record keeps no errno, only the line made from it, in the C locale. */
static int failed_status(const rouse_task *task)
{
    if (task->error && strncmp(task->error, "cannot run '", strlen("cannot run '")) == 0)
        return ends_with(task->error, ": No such file or directory") ? NOT_FOUND : NOT_EXECUTABLE;
    return 1;
}

int task_exit_status(const rouse_task *task)
{
    if (task->status == ROUSE_COMPLETED)
        return 0;
    if (task->has_ext && task->ext.signal > 0)
        return 128 + task->ext.signal;
    if (task->has_ext && task->ext.exit_code > 0)
        return task->ext.exit_code;
    return failed_status(task);
}

static const char *running_word(const rouse_task *task)
{
    const char *stage = task->has_ext ? task->ext.stage : NULL;
    if (stage && strcmp(stage, "waiting_input") == 0)
        return "needs input";
    if (stage && strcmp(stage, "stuck") == 0)
        return "cannot be ended";
    if (stage && strcmp(stage, "running") != 0)
        return stage;
    return task->has_ext && task->ext.ready ? "ready" : "running";
}

void task_add_outcome(struct buf *out, const rouse_task *task)
{
    if (task->status == ROUSE_RUNNING) {
        buf_adds(out, task->has_ext && task->ext.ready ? "ready" : running_word(task));
        return;
    }
    buf_adds(out, rouse_status_text(task->status));
    if (task->error)
        buf_addf(out, ": %s", task->error);
    if (task->status != ROUSE_CANCELLED || !task->has_ext)
        return;
    if (task->ext.ended_by)
        buf_addf(out, " by %s", task->ext.ended_by);
    if (task->ext.reason)
        buf_addf(out, ": %s", task->ext.reason);
}

unsigned task_percent(const rouse_progress *progress)
{
    return progress->done < progress->total ? (unsigned)((double)progress->done / (double)progress->total * 100) : 100;
}

const char *task_short_status(const rouse_task *task, char out[TASK_STATUS])
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    const char *base = task->status == ROUSE_RUNNING ? running_word(task) : rouse_status_text(task->status);
    if (task->status == ROUSE_FAILED && task->has_ext && task->ext.signal > 0)
        snprintf(out, TASK_STATUS, "%s (signal %d)", base, task->ext.signal);
    else if (task->status == ROUSE_FAILED && task->has_ext && task->ext.exit_code > 0)
        snprintf(out, TASK_STATUS, "%s (%d)", base, task->ext.exit_code);
    else if (task->status == ROUSE_RUNNING && plan && plan->has_progress && plan->progress.total > 0)
        snprintf(out, TASK_STATUS, "%s %u%%", base, task_percent(&plan->progress));
    else
        snprintf(out, TASK_STATUS, "%s", base);
    return out;
}

void task_add_label(struct buf *out, const rouse_task *task)
{
    buf_adds(out, task->task_id);
    if (task->name)
        buf_addf(out, " %s", task->name);
}

int task_print_json_item(const rouse_task *task, bool is_first, rouse_error *err)
{
    char *json = rouse_task_json(task, err);
    if (!json)
        return ROUSE_ENOMEM;
    printf("%s%s", is_first ? "" : ",\n ", json);
    free(json);
    return 0;
}

int task_print_json(const rouse_task *task, rouse_error *err)
{
    int code = task_print_json_item(task, true, err);
    if (code == 0)
        puts("");
    return code;
}
