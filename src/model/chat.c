#include "model/chat.h"

#include <string.h>

#include "agent/message.h"
#include "json/jtext.h"

static void add_text(struct buf *out, const char *name, const char *text)
{
    jtext_add_name(out, name);
    jtext_add_string(out, text, strlen(text));
}

static void add_plain(struct buf *out, const char *role, const char *text)
{
    buf_addc(out, '{');
    add_text(out, "role", role);
    add_text(out, "content", text);
    buf_addc(out, '}');
}

static void add_call(struct buf *out, const rouse_tool_call *call)
{
    buf_addc(out, '{');
    add_text(out, "id", call->id);
    buf_adds(out, ",\"type\":\"function\",\"function\":{");
    add_text(out, "name", call->name);
    add_text(out, "arguments", call->arguments);
    buf_adds(out, "}}");
}

static void add_message(struct buf *out, const struct message *m)
{
    if (m->n_calls == 0 && !m->tool_call_id) {
        add_plain(out, m->role, m->text);
        return;
    }
    buf_addc(out, '{');
    add_text(out, "role", m->role);
    if (m->text[0] || m->tool_call_id)
        add_text(out, "content", m->text);
    else
        buf_adds(out, ",\"content\":null");
    if (m->tool_call_id)
        add_text(out, "tool_call_id", m->tool_call_id);
    for (size_t i = 0; i < m->n_calls; i++) {
        buf_adds(out, i == 0 ? ",\"tool_calls\":[" : ",");
        add_call(out, &m->calls[i]);
    }
    buf_adds(out, m->n_calls > 0 ? "]}" : "}");
}

static int add_messages(struct buf *out, const rouse_model_request *request, rouse_error *err)
{
    int code = 0;
    buf_adds(out, ",\"messages\":[");
    if (request->system)
        add_plain(out, "system", request->system);
    for (size_t i = 0; code == 0 && i < request->n_messages; i++) {
        struct arena arena = {0};
        struct message m;
        code = message_decode(request->messages[i], strlen(request->messages[i]), &arena, &m, err);
        if (code == 0) {
            buf_adds(out, i > 0 || request->system ? "," : "");
            add_message(out, &m);
        }
        arena_done(&arena);
    }
    if (request->tail) { /* a user's message, since not every server takes a system message in the middle */
        buf_adds(out, request->n_messages > 0 || request->system ? "," : "");
        add_plain(out, "user", request->tail);
    }
    buf_addc(out, ']');
    return code;
}

static void add_tool(struct buf *out, const rouse_tool_schema *tool)
{
    buf_adds(out, "{\"type\":\"function\",\"function\":{");
    add_text(out, "name", tool->name);
    add_text(out, "description", tool->description);
    jtext_add_name(out, "parameters");
    jtext_add_raw(out, tool->parameters, strlen(tool->parameters));
    buf_adds(out, "}}");
}

int chat_write(const char *model, uint64_t max_tokens, const rouse_model_request *request, struct buf *out, rouse_error *err)
{
    buf_addc(out, '{');
    add_text(out, "model", model);
    buf_adds(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    if (max_tokens > 0)
        buf_addf(out, ",\"max_completion_tokens\":%llu", (unsigned long long)max_tokens);
    int code = add_messages(out, request, err);
    for (size_t i = 0; i < request->n_tools; i++) {
        buf_adds(out, i == 0 ? ",\"tools\":[" : ",");
        add_tool(out, &request->tools[i]);
    }
    buf_adds(out, request->n_tools > 0 ? "]}" : "}");
    return code < 0 ? code : buf_check(out, err);
}
