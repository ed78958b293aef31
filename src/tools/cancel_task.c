/* COMPAT B102 to B107: the seed's schema, checks and receipts. A failed receipt is a successful tool result. */
#include <string.h>

#include "base/limits.h"
#include "tools/tools.h"

struct target {
    const char *relation, *name;
};

struct args {
    struct jslice target;
};

static const struct jfield target_rows[] = {
    {.name = "relation", .type = JFIELD_STRING, .offset = offsetof(struct target, relation)},
    {.name = "name", .type = JFIELD_STRING, .offset = offsetof(struct target, name)},
};
static const struct jfields target_fields = {.rows = target_rows, .count = 2};
static const struct jfield rows[] = {{.name = "target", .type = JFIELD_SLICE, .offset = offsetof(struct args, target)}};
static const struct jfields fields = {.rows = rows, .count = 1};

static int read_target(const char *arguments, struct arena *arena, struct target *fill, rouse_error *err)
{
    struct args a = {0};
    int code = jfields_decode(&fields, arguments, strlen(arguments), arena, &a, err);
    if (code < 0)
        return code;
    if (!a.target.at || jtext_type(a.target) == JTYPE_NULL)
        return rouse_fail(err, ROUSE_EINVAL, "missing 'target'");
    code = jfields_decode(&target_fields, a.target.at, a.target.len, arena, fill, err);
    if (code < 0)
        return rouse_fail_context(err, code, "'target'");
    if (!fill->relation)
        return rouse_fail(err, ROUSE_EINVAL, "missing 'target.relation'");
    bool child = strcmp(fill->relation, "child") == 0;
    if (!child && strcmp(fill->relation, "self") != 0)
        return rouse_fail(err, ROUSE_EINVAL, "unknown relation '%s'", fill->relation);
    if (child && (!fill->name || !fill->name[0]))
        return rouse_fail(err, ROUSE_EINVAL, "child requires 'name'");
    return 0;
}

static int receipt(const char *root, size_t count, char **ret_result, rouse_error *err)
{
    struct buf out = BUF_INIT(LIMIT_JSON);
    buf_addc(&out, '{');
    tools_add_text(&out, "status", count > 0 ? "accepted" : "failed");
    tools_add_text(&out, "root_task_id", root);
    buf_addf(&out, ",\"cancelled_count\":%zu", count);
    if (count == 0)
        tools_add_text(&out, "error", "task_not_found");
    buf_addc(&out, '}');
    *ret_result = buf_take(&out, err);
    buf_done(&out);
    return *ret_result ? 0 : ROUSE_ENOMEM;
}

/* A task that ended before it could be cancelled counts as nothing. */
static int cancel_tree(const rouse_call *call, const char *id, size_t *count, rouse_error *err)
{
    size_t n = 0;
    const rouse_cancel options = {.thread = call->thread, .tree = true, .reason = "cancelled by its agent"};
    int code = rouse_task_cancel(call->manager, id, &options, &n, err);
    if (code == ROUSE_ENOTFOUND)
        return 0;
    *count += code == 0 ? n : 0;
    return code;
}

/* Is the task one that `self` ends: started by the task this agent is, else by this run itself? */
static bool is_descendant(const rouse_call *call, const rouse_task *task)
{
    if (call->task_id)
        return task->parent.task_id && strcmp(task->parent.task_id, call->task_id) == 0;
    return !task->parent.task_id && task->parent.run_id && strcmp(task->parent.run_id, call->run) == 0;
}

static int cancel_self(rouse_call *call, char **ret_result, rouse_error *err)
{
    rouse_task_list *tasks = NULL;
    const rouse_task_filter filter = {.thread = call->thread, .running_only = true};
    size_t count = 1; /* the task, or the run, itself */
    if (!call->task_id && (!call->run || !call->run[0]))
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "current_task_unavailable");
    int code = rouse_task_list_get(call->manager, &filter, &tasks, err);
    for (size_t i = 0; code >= 0 && i < rouse_task_list_count(tasks); i++)
        if (is_descendant(call, rouse_task_list_at(tasks, i)))
            code = cancel_tree(call, rouse_task_list_at(tasks, i)->task_id, &count, err);
    rouse_task_list_free(tasks);
    if (code < 0)
        return code;
    code = receipt(call->task_id ? call->task_id : call->run, count, ret_result, err);
    if (code == 0)
        call->end_run = true; /* takes the place of the seed's cancel token */
    return code;
}

/* Authority is the thread: whatever runs in it may be cancelled, also what an earlier run of it started. */
static int cancel_child(rouse_call *call, const char *name, char **ret_result, rouse_error *err)
{
    rouse_task *task = NULL;
    size_t count = 0;
    int code = tools_find(call, name, &task, err);
    if (code == ROUSE_ENOTFOUND || (code == 0 && rouse_status_is_terminal(task->status))) {
        rouse_task_free(task);
        return receipt(name, 0, ret_result, err);
    }
    if (code == 0)
        code = cancel_tree(call, task->task_id, &count, err);
    if (code == 0)
        code = receipt(task->task_id, count, ret_result, err);
    rouse_task_free(task);
    return code;
}

static int cancel_task(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err)
{
    struct arena arena = {0};
    struct target target = {0};
    int code = read_target(arguments, &arena, &target, err);
    if (code == 0)
        code = strcmp(target.relation, "self") == 0 ? cancel_self(call, ret_result, err)
                                                    : cancel_child(call, target.name, ret_result, err);
    arena_done(&arena);
    return code;
}

const rouse_tool tool_cancel_task = {
    .name = "cancel_task",
    .description =
        "Cancels background tasks, with everything they started: one child by name or task id, or self: this agent's "
        "own run and all that it started.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{\"target\":{\"oneOf\":["
        "{\"type\":\"object\",\"properties\":{\"relation\":{\"const\":\"self\"}},\"required\":[\"relation\"]},"
        "{\"type\":\"object\",\"properties\":{\"relation\":{\"const\":\"child\"},\"name\":{\"type\":\"string\","
        "\"description\":\"name or task id of the child\"}},\"required\":[\"relation\",\"name\"]}]}},"
        "\"required\":[\"target\"]}",
    .repeatable = true, /* what has ended stays ended: the second receipt says task_not_found */
    .call = cancel_task,
};
