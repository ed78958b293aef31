#include "tools/tools.h"

#include <string.h>

#include "agent/background.h"
#include "base/limits.h"
#include "base/utf8.h"

#define SHOWN_RESULT 1024

static const rouse_tool *const all_tools[] = {
    &tool_spawn_task,  &tool_list_tasks, &tool_read_output,  &tool_wait_tasks,
    &tool_cancel_task, &tool_write_task, &tool_send_message, &tool_recover_failed_messages,
};

const rouse_plugin rouse_background_plugin = {
    .name = "background_tasks",
    .keys = background_keys,
    .n_keys = sizeof background_keys / sizeof *background_keys,
    .tools = all_tools,
    .n_tools = sizeof all_tools / sizeof *all_tools,
    .phases = BACKGROUND_PHASES,
    .hook = background_hook,
};

int tools_find(const rouse_call *call, const char *id_or_name, rouse_task **ret_task, rouse_error *err)
{
    rouse_task *task = NULL;
    int code = rouse_task_get(call->manager, call->thread, id_or_name, &task, err);
    if (code == ROUSE_ENOTFOUND || (code == 0 && strcmp(task->owner_thread_id, call->thread) != 0)) {
        rouse_task_free(task);
        return rouse_fail(err, ROUSE_ENOTFOUND, "no task '%s'", id_or_name);
    }
    if (code == 0)
        *ret_task = task;
    return code;
}

void tools_add_text(struct buf *out, const char *name, const char *text)
{
    jtext_add_name(out, name);
    jtext_add_string(out, text, strlen(text));
}

static void add_number(struct buf *out, const char *name, uint64_t number)
{
    jtext_add_name(out, name);
    buf_addf(out, "%llu", (unsigned long long)number);
}

static void add_result(struct buf *out, const char *result)
{
    size_t len = strlen(result);
    if (len > SHOWN_RESULT) {
        add_number(out, "result_bytes", len);
        return;
    }
    jtext_add_name(out, "result");
    jtext_add_raw(out, result, len);
}

static void add_ext(struct buf *out, const rouse_task *task)
{
    const rouse_task_ext *ext = &task->ext;
    if (task->status == ROUSE_RUNNING) {
        if (ext->stage && strcmp(ext->stage, "running") != 0)
            tools_add_text(out, "stage", ext->stage);
        if (ext->ready_when)
            buf_adds(out, ext->ready ? ",\"ready\":true" : ",\"ready\":false");
        if (ext->deadline_ms)
            add_number(out, "deadline_ms", ext->deadline_ms);
        return;
    }
    if (ext->signal)
        buf_addf(out, ",\"signal\":%d", ext->signal);
    else if (ext->exit_code >= 0)
        buf_addf(out, ",\"exit_code\":%d", ext->exit_code);
    if (ext->ended_by)
        tools_add_text(out, "ended_by", ext->ended_by);
    if (ext->reason)
        tools_add_text(out, "reason", ext->reason);
}

void tools_add_task(struct buf *out, const rouse_task *task, const rouse_found *found)
{
    buf_addc(out, '{');
    tools_add_text(out, "task_id", task->task_id);
    if (task->name)
        tools_add_text(out, "name", task->name);
    tools_add_text(out, "status", rouse_status_text(task->status));
    tools_add_text(out, "task_type", task->task_type);
    jtext_add_name(out, "description");
    jtext_add_string(out, task->description, utf8_cut(task->description, strlen(task->description), 200));
    add_number(out, "created_at_ms", task->created_at_ms);
    if (task->has_completed_at)
        add_number(out, "completed_at_ms", task->completed_at_ms);
    if (task->error)
        tools_add_text(out, "error", task->error);
    if (task->result)
        add_result(out, task->result);
    if (task->has_ext)
        add_ext(out, task);
    if (task->has_ext && task->ext.has_output)
        add_number(out, "output_bytes", task->ext.output.size);
    if (found) {
        add_number(out, "matched_at", found->offset);
        tools_add_text(out, "matched", found->line);
    }
    buf_addc(out, '}');
}
