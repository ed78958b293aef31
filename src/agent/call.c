/* One tool call, from the gate to the stored answer. Whatever goes wrong with a tool is an answer for the model, not the end of
 * the run (COMPAT B110). */
#include <stdlib.h>
#include <string.h>

#include "agent/phase.h"
#include "agent/run.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "json/jtext.h"
#include "state/apply.h"

struct answer {
    struct buf text;
    bool failed;
};

static void answer_error(struct answer *a, const char *prefix, const char *message)
{
    buf_reset(&a->text);
    buf_adds(&a->text, prefix);
    buf_adds(&a->text, message);
    a->failed = true;
}

static const char *prefix_of(int code)
{
    switch (code) {
    case ROUSE_EINVAL:
    case ROUSE_EDATA:
        return "Invalid arguments: ";
    case ROUSE_ENOTFOUND:
        return "Not found: ";
    case ROUSE_EDENIED:
        return "Denied: ";
    case ROUSE_ENOMEM:
        return "Internal error: ";
    default:
        return "Execution failed: ";
    }
}

static const rouse_tool *find_tool(const rouse_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->n_tools; i++)
        if (strcmp(agent->tools[i]->name, name) == 0)
            return agent->tools[i];
    return NULL;
}

static int check_arguments(const char *arguments, rouse_error *err)
{
    struct jslice value;
    size_t len = strlen(arguments);
    if (len > LIMIT_TOOL_ARGUMENTS)
        return rouse_fail(err, ROUSE_EDATA, "arguments are larger than %u bytes", LIMIT_TOOL_ARGUMENTS);
    int code = jtext_check(arguments, len, &value, err);
    if (code < 0)
        return ROUSE_EDATA;
    if (jtext_type(value) != JTYPE_OBJECT)
        return rouse_fail(err, ROUSE_EDATA, "arguments must be an object, not %s", jtext_type_name(jtext_type(value)));
    return 0;
}

static void add_result(struct answer *a, const char *result)
{
    size_t len = strlen(result);
    size_t cut = utf8_cut(result, len, LIMIT_TOOL_RESULT);
    buf_add(&a->text, result, cut);
    if (cut < len)
        buf_addf(&a->text, "\n[cut: %zu of %zu bytes shown]", cut, len);
}

/* The tool itself, on a snapshot of its own. Errors of the store end the run, errors of the tool are the answer. */
static int execute(struct run *r, const rouse_tool *tool, const rouse_tool_call *call, bool again, struct answer *a,
                   rouse_batch *batch, rouse_error *err)
{
    const rouse_agent_options *o = &r->agent->options;
    rouse_call given = {.manager = o->manager,
                        .thread = o->thread,
                        .run = r->id,
                        .call_id = call->id,
                        .again = again,
                        .agent_id = o->agent_id,
                        .task_id = o->task_id,
                        .env = o->env,
                        .sub_agent = o->sub_agent,
                        .interrupted = o->interrupted,
                        .interrupted_userdata = o->userdata,
                        .wake_fd = o->wake_fd,
                        .userdata = tool->userdata,
                        .batch = batch};
    rouse_error why = {0};
    char *result = NULL;
    int code = rouse_store_snapshot(r->agent->store, o->thread, r->id, &given.snapshot, err);
    if (code < 0)
        return code;
    code = tool->call(&given, call->arguments, &result, &why);
    rouse_snapshot_unref(given.snapshot);
    if (code < 0)
        answer_error(a, prefix_of(code), why.message[0] ? why.message : rouse_error_text(code));
    else
        add_result(a, result ? result : "");
    free(result);
    r->cancelled = r->cancelled || given.end_run || code == ROUSE_EINTERRUPTED;
    r->cancelled_self = r->cancelled_self || given.end_run;
    return 0;
}

/* Gate, before, the tool, after: answer and batch are what is to be stored. */
static int go_through(struct run *r, const rouse_tool *tool, const rouse_tool_call *call, bool again, struct answer *a,
                      rouse_batch *batch, rouse_error *err)
{
    char *denied = NULL;
    int code = phase_collect(r, ROUSE_TOOL_GATE, call, NULL, batch, &denied, err);
    if (code < 0)
        return code;
    if (denied) {
        answer_error(a, "Denied: ", denied);
        free(denied);
        return 0;
    }
    code = phase_collect(r, ROUSE_BEFORE_TOOL_EXECUTE, call, NULL, batch, NULL, err);
    if (code == 0)
        code = execute(r, tool, call, again, a, batch, err);
    if (code == 0)
        code = phase_collect(r, ROUSE_AFTER_TOOL_EXECUTE, call, buf_text(&a->text), batch, NULL, err);
    return code;
}

static int answer_call(struct run *r, const rouse_tool_call *call, bool again, struct answer *a, rouse_batch *batch,
                       rouse_error *err)
{
    rouse_error why;
    const rouse_tool *tool = find_tool(r->agent, call->name);
    if (!tool) {
        buf_addf(&a->text, "tool '%.100s' not found", call->name);
        a->failed = true;
        return 0;
    }
    int code = check_arguments(call->arguments, &why);
    if (code < 0) {
        answer_error(a, prefix_of(code), why.message);
        return 0;
    }
    if (again && !tool->repeatable) {
        answer_error(a, "Execution failed: ",
                     "the agent's process ended before this call's result was stored: it may have "
                     "taken effect, so look before making it again");
        return 0;
    }
    return go_through(r, tool, call, again, a, batch, err);
}

static int store_answer(struct run *r, const rouse_tool_call *call, const struct answer *a, rouse_batch *batch,
                        rouse_error *err)
{
    const struct message m = {.role = "tool", .text = buf_text(&a->text), .tool_call_id = call->id};
    const struct transition t = {.batch = batch, .messages = &m, .n_messages = 1};
    int code = buf_check(&a->text, err);
    if (code == 0)
        code = run_commit(r, &t, err);
    return run_is_stale(&t, code) ? 1 : code;
}

int call_run(struct run *r, const rouse_tool_call *call, bool again, rouse_error *err)
{
    struct answer a = {.text = BUF_INIT(LIMIT_TEXT)};
    rouse_error why = {0};
    rouse_batch *batch = rouse_batch_new();
    if (!batch)
        return rouse_fail_memory(err);
    run_tell(r, &(rouse_agent_event){.kind = ROUSE_AGENT_TOOL_CALL, .call = call});
    int code = answer_call(r, call, again, &a, batch, err);
    if (code == 0)
        code = store_answer(r, call, &a, batch, &why);
    if (code == 1) { /* the tool named a base revision that has moved: its updates are dropped, and the model is told */
        answer_error(&a, "Execution failed: ", why.message);
        code = store_answer(r, call, &a, NULL, &why);
    }
    if (code < 0 && why.code < 0 && err)
        *err = why;
    if (code == 0)
        run_tell(r, &(rouse_agent_event){.kind = ROUSE_AGENT_TOOL_RESULT,
                                         .call = call,
                                         .text = buf_text(&a.text),
                                         .len = a.text.len,
                                         .failed = a.failed});
    rouse_batch_free(batch);
    buf_done(&a.text);
    return code;
}
