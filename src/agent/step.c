/* A step: one model call and the tools it asks for. The assistant's message is one commit, each tool's answer is one, the end of
 * the step is one; step_repair goes on from whichever of them was the last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/phase.h"
#include "agent/run.h"
#include "base/limits.h"
#include "base/platform.h"

static void forward_text(const char *text, size_t len, void *userdata)
{
    const struct run *r = userdata;
    run_tell(r, &(rouse_agent_event){.kind = ROUSE_AGENT_TEXT, .text = text, .len = len});
}

static void forward_again(const char *why, uint64_t in_ms, void *userdata)
{
    (void)in_ms;
    run_tell_text(userdata, ROUSE_AGENT_AGAIN, why);
}

static bool forward_interrupted(void *userdata)
{
    return run_is_interrupted(userdata);
}

static int ask_model(struct run *r, const char *tail, rouse_model_reply **ret_reply, rouse_error *err)
{
    const rouse_agent_options *o = &r->agent->options;
    struct arena arena = {0};
    rouse_model_request request = {.system = o->system[0] ? o->system : NULL,
                                   .tail = tail[0] ? tail : NULL,
                                   .tools = r->agent->schemas,
                                   .n_tools = r->agent->n_tools};
    const rouse_model_sink sink = {.text = forward_text, .interrupted = forward_interrupted, .again = forward_again,
                                   .userdata = r};
    int code = history_request(&r->history, &arena, &request.messages, &request.n_messages, err);
    if (code == 0)
        code = o->model->complete(o->model, &request, &sink, ret_reply, err);
    arena_done(&arena);
    return code < 0 ? code : 0;
}

/* What goes behind the request: decided by hooks, shown to whoever watches. */
static int gather_tail(struct run *r, struct buf *tail, rouse_error *err)
{
    int code = phase_commit(r, ROUSE_STEP_START, NULL, err);
    if (code == 0)
        code = phase_commit(r, ROUSE_BEFORE_INFERENCE, NULL, err);
    if (code == 0)
        code = phase_take_injected(r, tail, err);
    if (code == 0 && tail->len > 0)
        run_tell_text(r, ROUSE_AGENT_INJECTED, buf_text(tail));
    return code;
}

/* A call's id names its answer and what it started, for ever: one that the model left out, or has used in this thread before,
 * is replaced. */
static int give_id(struct run *r, const rouse_tool_call *calls, size_t i, struct arena *arena, const char **ret_id,
                   rouse_error *err)
{
    const char *id = calls[i].id;
    char fresh[5 + 37] = "call_";
    bool taken = id[0] == '\0' || strlen(id) > LIMIT_LINEAGE_ID || history_has_call(&r->history, id);
    for (size_t j = 0; j < i; j++)
        taken = taken || strcmp(calls[j].id, id) == 0;
    if (taken) {
        int code = platform_uuid7(r->agent->platform, fresh + 5, err);
        if (code < 0)
            return code;
        id = fresh;
    }
    *ret_id = arena_text(arena, id, strlen(id));
    return *ret_id ? 0 : rouse_fail_memory(err);
}

static int copy_calls(struct run *r, const rouse_model_reply *reply, struct arena *arena, rouse_tool_call **ret_calls,
                      rouse_error *err)
{
    if (reply->n_calls > LIMIT_TOOL_CALLS)
        return rouse_fail(err, ROUSE_EREMOTE, "the model asked for %zu tool calls at once, more than %d",
                          reply->n_calls, LIMIT_TOOL_CALLS);
    rouse_tool_call *calls = arena_alloc(arena, (reply->n_calls + 1) * sizeof *calls);
    if (!calls)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < reply->n_calls; i++) {
        calls[i] = reply->calls[i];
        if (calls[i].arguments[0] == '\0')
            calls[i].arguments = "{}"; /* several models write nothing when a tool takes nothing */
        int code = give_id(r, calls, i, arena, &calls[i].id, err);
        if (code < 0)
            return code;
    }
    *ret_calls = calls;
    return 0;
}

static int store_reply(struct run *r, const rouse_model_reply *reply, rouse_error *err)
{
    struct arena arena = {0};
    rouse_tool_call *calls = NULL;
    rouse_batch *batch = rouse_batch_new();
    int code = batch ? copy_calls(r, reply, &arena, &calls, err) : rouse_fail_memory(err);
    if (code == 0)
        code = phase_collect(r, ROUSE_AFTER_INFERENCE, NULL, NULL, batch, NULL, err);
    if (code == 0) {
        const struct message m = {.role = "assistant", .text = reply->text, .calls = calls, .n_calls = reply->n_calls};
        r->input_tokens += reply->input_tokens;
        r->output_tokens += reply->output_tokens;
        code = run_commit(r, &(struct transition){.batch = batch, .messages = &m, .n_messages = 1}, err);
    }
    rouse_batch_free(batch);
    arena_done(&arena);
    return code;
}

/* Those of the last reply that have no answer yet. */
static int run_tools(struct run *r, bool again, rouse_error *err)
{
    const struct history_item *item = history_last_reply(&r->history, r->id);
    if (!item)
        return 0;
    size_t at = (size_t)(item - r->history.items);
    const rouse_tool_call *calls = item->message.calls;
    size_t n = item->message.n_calls;
    for (size_t i = 0; i < n && !r->cancelled; i++) {
        if (history_is_answered(&r->history, &r->history.items[at], calls[i].id))
            continue;
        r->cancelled = run_is_interrupted(r);
        int code = r->cancelled ? 0 : call_run(r, &calls[i], again, err);
        if (code < 0)
            return code;
        again = false; /* tools run one after another: only the first open one can have been begun */
    }
    return 0;
}

static int end_step(struct run *r, rouse_error *err)
{
    if (r->cancelled)
        return 0; /* run_finish answers what is open; the step did not end */
    int code = phase_commit(r, ROUSE_STEP_END, &(struct transition){.step = true}, err);
    r->pending_known = code == 0;
    if (code == 0)
        run_tell_text(r, ROUSE_AGENT_STEP_END, "");
    return code;
}

int step_run(struct run *r, rouse_error *err)
{
    struct buf tail = BUF_INIT(LIMIT_TEXT);
    rouse_model_reply *reply = NULL;
    int code = gather_tail(r, &tail, err);
    if (code == 0)
        code = ask_model(r, buf_text(&tail), &reply, err);
    buf_done(&tail);
    if (code == ROUSE_EINTERRUPTED) {
        r->cancelled = true;
        return 0;
    }
    if (code == 0)
        code = store_reply(r, reply, err);
    rouse_model_reply_free(reply);
    if (code == 0)
        code = run_tools(r, false, err);
    return code == 0 ? end_step(r, err) : code;
}

int step_repair(struct run *r, rouse_error *err)
{
    if (r->is_new || history_replies(&r->history, r->id) <= r->steps)
        return 0;
    if (strcmp(r->status, "running") != 0) {
        int code = run_commit(r, &(struct transition){.status = "running"}, err);
        if (code < 0)
            return code;
    }
    int code = run_tools(r, true, err);
    return code == 0 ? end_step(r, err) : code;
}
