/* Records as JSON. What a decoder would not miss is left out. */
#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "task/record.h"

bool record_is_waiting(const rouse_task_ext *ext)
{
    return ext->stage && (strcmp(ext->stage, "queued") == 0 || strcmp(ext->stage, "retrying") == 0);
}

bool record_stage_is_told(const char *stage)
{
    return stage && (strcmp(stage, "waiting_input") == 0 || strcmp(stage, "stuck") == 0);
}

void record_add_text(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    jtext_add_name(out, name);
    jtext_add_string(out, text, strlen(text));
}

static void add_required(struct buf *out, const char *name, const char *text)
{
    record_add_text(out, name, text ? text : "");
}

static void add_u64(struct buf *out, const char *name, uint64_t number)
{
    jtext_add_name(out, name);
    buf_addu(out, number);
}

static void add_count(struct buf *out, const char *name, uint64_t number)
{
    if (number != 0)
        add_u64(out, name, number);
}

static void add_i64(struct buf *out, const char *name, int64_t number)
{
    jtext_add_name(out, name);
    buf_addf(out, "%" PRId64, number);
}

static void add_true(struct buf *out, const char *name, bool is)
{
    if (!is)
        return;
    jtext_add_name(out, name);
    buf_adds(out, "true");
}

void lineage_add(struct buf *out, const rouse_lineage *lineage)
{
    buf_addc(out, '{');
    record_add_text(out, "task_id", lineage->task_id);
    record_add_text(out, "run_id", lineage->run_id);
    record_add_text(out, "call_id", lineage->call_id);
    record_add_text(out, "agent_id", lineage->agent_id);
    buf_addc(out, '}');
}

static void add_words(struct buf *out, const char *name, const char *const *words)
{
    if (!words)
        return;
    jtext_add_name(out, name);
    buf_addc(out, '[');
    for (size_t i = 0; words[i]; i++) {
        if (i > 0)
            buf_addc(out, ',');
        jtext_add_string(out, words[i], strlen(words[i]));
    }
    buf_addc(out, ']');
}

static void add_raw(struct buf *out, const char *name, const char *json)
{
    if (!json)
        return;
    jtext_add_name(out, name);
    jtext_add_raw(out, json, strlen(json));
}

static void add_progress(struct buf *out, const rouse_progress *progress)
{
    jtext_add_name(out, "progress");
    buf_addf(out, "{\"done\":%" PRIu64 ",\"total\":%" PRIu64, progress->done, progress->total);
    record_add_text(out, "message", progress->message);
    buf_addc(out, '}');
}

static void add_plan(struct buf *out, const rouse_task_plan *plan)
{
    const struct {
        const char *name;
        uint64_t number;
    } counts[] = {
        {"queue_limit", plan->queue_limit}, {"attempt", plan->attempt},         {"max_attempts", plan->max_attempts},
        {"retry_on", plan->retry_on},       {"backoff_ms", plan->backoff_ms},   {"backoff_max_ms", plan->backoff_max_ms},
        {"due_ms", plan->due_ms},           {"every_ms", plan->every_ms},
        {"fired", plan->fired},             {"timeout_ms", plan->timeout_ms},   {"idle_timeout_ms", plan->idle_timeout_ms},
        {"grace_ms", plan->grace_ms},       {"depth", plan->depth},             {"events", plan->events},
    };
    record_add_text(out, "owner", plan->owner);
    record_add_text(out, "function", plan->function);
    add_raw(out, "input", plan->input);
    add_raw(out, "checkpoint", plan->checkpoint);
    add_words(out, "after", (const char *const *)plan->after);
    if (plan->after && plan->after_if != ROUSE_AFTER_SUCCEEDED)
        record_add_text(out, "after_if", after_if_names[plan->after_if]);
    add_words(out, "dependents", (const char *const *)plan->dependents);
    record_add_text(out, "queue", plan->queue);
    add_true(out, "in_queue", plan->in_queue);
    if (plan->priority != 0)
        add_i64(out, "priority", plan->priority);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        add_count(out, counts[i].name, counts[i].number);
    }
    if (plan->has_progress)
        add_progress(out, &plan->progress);
    add_words(out, "labels", (const char *const *)plan->labels);
}

static void add_ext(struct buf *out, const rouse_task_ext *ext, enum record_form form)
{
    jtext_add_name(out, "ext");
    buf_addc(out, '{');
    record_add_text(out, "kind", ext->kind);
    if (form == RECORD_SHOWN || record_is_waiting(ext) || record_stage_is_told(ext->stage))
        record_add_text(out, "stage", ext->stage);
    add_words(out, "argv", (const char *const *)ext->argv);
    record_add_text(out, "cwd", ext->cwd);
    if (ext->pid != 0)
        add_i64(out, "pid", ext->pid);
    if (ext->exit_code != -1)
        add_i64(out, "exit_code", ext->exit_code);
    if (ext->signal != 0)
        add_i64(out, "signal", ext->signal);
    add_true(out, "core", ext->core);
    record_add_text(out, "ended_by", ext->ended_by);
    record_add_text(out, "reason", ext->reason);
    add_count(out, "deadline_ms", ext->deadline_ms);
    record_add_text(out, "ready_when", ext->ready_when);
    add_true(out, "ready", ext->ready);
    add_true(out, "session", ext->session);
    record_add_text(out, "reads", ext->reads);
    if (ext->has_output) {
        jtext_add_name(out, "output");
        buf_addf(out, "{\"size\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"dropped\":%" PRIu64 "}", ext->output.size,
                 ext->output.kept, ext->output.dropped);
    }
    add_count(out, "killed", ext->killed);
    add_count(out, "started_at_ms", ext->started_at_ms);
    add_count(out, "cpu_ms", ext->cpu_ms);
    add_count(out, "max_rss_kib", ext->max_rss_kib);
    if (ext->plan)
        add_plan(out, ext->plan);
    buf_addc(out, '}');
}

static int add_result(struct buf *out, const rouse_task *task, rouse_error *err)
{
    if (!task->result)
        return 0;
    size_t len = strlen(task->result);
    int code = jtext_check_depth(task->result, len, LIMIT_JSON_DEPTH - 1, err);
    if (code < 0)
        return rouse_fail_context(err, code, "result of task '%.60s'", task->task_id ? task->task_id : "");
    jtext_add_name(out, "result");
    jtext_add_raw(out, task->result, len);
    return 0;
}

int record_add(struct buf *out, const rouse_task *task, enum record_form form, rouse_error *err)
{
    bool whole = form != RECORD_SUMMARY;
    buf_addc(out, '{');
    add_required(out, "task_id", task->task_id);
    if (whole)
        add_required(out, "owner_thread_id", task->owner_thread_id);
    add_required(out, "task_type", task->task_type);
    if (whole)
        record_add_text(out, "name", task->name);
    add_required(out, "description", task->description);
    add_required(out, "status", rouse_status_text(task->status));
    record_add_text(out, "error", task->error);
    int code = add_result(out, task, err);
    if (code < 0)
        return code;
    add_u64(out, "created_at_ms", task->created_at_ms);
    if (task->has_completed_at)
        add_u64(out, "completed_at_ms", task->completed_at_ms);
    if (whole || !lineage_is_empty(&task->parent)) {
        jtext_add_name(out, "parent_context");
        lineage_add(out, &task->parent);
    }
    if (whole && task->has_ext)
        add_ext(out, &task->ext, form);
    buf_addc(out, '}');
    return buf_check(out, err);
}

static char *encode(const rouse_task *task, enum record_form form, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    char *text = record_add(&out, task, form, err) < 0 ? NULL : buf_take(&out, err);
    buf_done(&out);
    return text;
}

char *rouse_task_encode(const rouse_task *task, rouse_error *err)
{
    return encode(task, RECORD_STORED, err);
}

char *rouse_task_json(const rouse_task *task, rouse_error *err)
{
    return encode(task, RECORD_SHOWN, err);
}
