#include "model/messages.h"

#include <string.h>

#include "agent/message.h"
#include "base/error.h"
#include "base/utf8.h"
#include "json/jfields.h"

#define MOST_TOKENS 8192
#define CACHED ",\"cache_control\":{\"type\":\"ephemeral\"}"

/* ---- the request ----
 * Roles alternate there: what a user says and what tools answered go into one message as long as nobody else speaks. */

struct writer {
    struct buf *out;
    const char *role; /* of the message that is open, or NULL */
    bool in_block;    /* its last brace is not written yet: the last block of all is marked */
};

static void add_text(struct buf *out, const char *name, const char *text)
{
    jtext_add_name(out, name);
    jtext_add_string(out, text, strlen(text));
}

static void end_message(struct writer *w, const char *mark)
{
    if (w->in_block) {
        buf_adds(w->out, mark);
        buf_addc(w->out, '}');
    }
    if (w->role)
        buf_adds(w->out, "]}");
    w->in_block = false;
    w->role = NULL;
}

static void begin_block(struct writer *w, const char *role, const char *type)
{
    if (w->role && strcmp(w->role, role) == 0) {
        buf_adds(w->out, "},{");
    } else {
        bool first = !w->role;
        end_message(w, "");
        buf_adds(w->out, first ? "{" : ",{");
        add_text(w->out, "role", role);
        buf_adds(w->out, ",\"content\":[{");
        w->role = role;
    }
    w->in_block = true;
    add_text(w->out, "type", type);
}

/* A block without a word is refused. */
static void add_text_block(struct writer *w, const char *role, const char *text)
{
    if (text[strspn(text, " \t\r\n")] == '\0')
        return;
    begin_block(w, role, "text");
    add_text(w->out, "text", text);
}

/* Ids of other servers may hold what is not allowed here. */
static void add_id(struct buf *out, const char *name, const char *id)
{
    jtext_add_name(out, name);
    buf_addc(out, '"');
    for (; *id; id++) {
        bool plain =
            (*id >= '0' && *id <= '9') || (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') || *id == '-';
        buf_addc(out, plain ? *id : '_');
    }
    buf_addc(out, '"');
}

static void add_call(struct writer *w, const rouse_tool_call *call)
{
    struct jslice value;
    size_t len = strlen(call->arguments);
    bool is_object = jtext_check(call->arguments, len, &value, NULL) == 0 && jtext_type(value) == JTYPE_OBJECT;
    begin_block(w, "assistant", "tool_use");
    add_id(w->out, "id", call->id);
    add_text(w->out, "name", call->name);
    jtext_add_name(w->out, "input");
    if (is_object || len == 0) {
        jtext_add_raw(w->out, len > 0 ? call->arguments : "{}", len > 0 ? len : 2);
    } else {
        buf_addc(w->out, '{');
        add_text(w->out, "unreadable", call->arguments);
        buf_addc(w->out, '}');
    }
}

static void add_message(struct writer *w, const struct message *m)
{
    if (m->tool_call_id) {
        begin_block(w, "user", "tool_result");
        add_id(w->out, "tool_use_id", m->tool_call_id);
        add_text(w->out, "content", m->text);
        return;
    }
    bool speaks = strcmp(m->role, "assistant") == 0;
    if (speaks && !w->role)
        add_text_block(w, "user", "(The conversation goes on.)"); /* a user must be first */
    add_text_block(w, speaks ? "assistant" : "user", m->text);
    for (size_t i = 0; i < m->n_calls; i++)
        add_call(w, &m->calls[i]);
}

static int add_messages(struct buf *out, const rouse_model_request *request, rouse_error *err)
{
    struct writer w = {.out = out};
    int code = 0;
    buf_adds(out, ",\"messages\":[");
    for (size_t i = 0; code == 0 && i < request->n_messages; i++) {
        struct arena arena = {0};
        struct message m;
        code = message_decode(request->messages[i], strlen(request->messages[i]), &arena, &m, err);
        if (code == 0)
            add_message(&w, &m);
        arena_done(&arena);
    }
    bool speaks = w.role && strcmp(w.role, "assistant") == 0;
    if (request->tail || speaks || !w.role) {
        if (w.in_block && !speaks) /* what comes behind is another time another */
            buf_adds(out, CACHED);
        add_text_block(&w, "user", request->tail ? request->tail : "(Go on.)");
        end_message(&w, "");
    } else {
        end_message(&w, CACHED);
    }
    buf_addc(out, ']');
    return code;
}

static void add_tool(struct buf *out, const rouse_tool_schema *tool)
{
    buf_addc(out, '{');
    add_text(out, "name", tool->name);
    add_text(out, "description", tool->description);
    jtext_add_name(out, "input_schema");
    jtext_add_raw(out, tool->parameters, strlen(tool->parameters));
    buf_addc(out, '}');
}

int messages_write(const char *model, uint64_t max_tokens, const rouse_model_request *request, struct buf *out,
                   rouse_error *err)
{
    buf_addc(out, '{');
    add_text(out, "model", model);
    buf_addf(out, ",\"max_tokens\":%llu,\"stream\":true", (unsigned long long)(max_tokens ? max_tokens : MOST_TOKENS));
    if (request->system && request->system[0]) {
        buf_adds(out, ",\"system\":[{\"type\":\"text\"");
        add_text(out, "text", request->system);
        buf_adds(out, CACHED "}]");
    }
    for (size_t i = 0; i < request->n_tools; i++) {
        buf_adds(out, i == 0 ? ",\"tools\":[" : ",");
        add_tool(out, &request->tools[i]);
    }
    buf_adds(out, request->n_tools > 0 ? "]" : "");
    int code = add_messages(out, request, err);
    buf_addc(out, '}');
    return code < 0 ? code : buf_check(out, err);
}

/* ---- the answer ---- */

struct event_form {
    const char *type;
    uint64_t index;
    struct jslice message, content_block, delta, usage, content;
    const char *stop_reason;
};

struct block_form {
    const char *type, *id, *name;
    struct jslice text, input;
};

struct delta_form {
    struct jslice text, partial_json;
    const char *stop_reason;
};

struct usage_form {
    struct jslice input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens;
};

#define ROW(form, member, kind)                                                                                        \
    {                                                                                                                  \
        .name = #member, .type = JFIELD_##kind, .offset = offsetof(struct form, member)                                \
    }
#define FIELDS(table)                                                                                                  \
    {                                                                                                                  \
        .rows = table, .count = sizeof table / sizeof *table                                                           \
    }
static const struct jfield event_rows[] = {ROW(event_form, type, STRING),   ROW(event_form, index, U64),
                                           ROW(event_form, message, SLICE), ROW(event_form, content_block, SLICE),
                                           ROW(event_form, delta, SLICE),   ROW(event_form, usage, SLICE),
                                           ROW(event_form, content, SLICE), ROW(event_form, stop_reason, STRING)};
static const struct jfields event_fields = FIELDS(event_rows);
static const struct jfield block_rows[] = {ROW(block_form, type, STRING), ROW(block_form, id, STRING),
                                           ROW(block_form, name, STRING), ROW(block_form, text, SLICE),
                                           ROW(block_form, input, SLICE)};
static const struct jfields block_fields = FIELDS(block_rows);
static const struct jfield delta_rows[] = {ROW(delta_form, text, SLICE), ROW(delta_form, partial_json, SLICE),
                                           ROW(delta_form, stop_reason, STRING)};
static const struct jfields delta_fields = FIELDS(delta_rows);
static const struct jfield usage_rows[] = {ROW(usage_form, input_tokens, SLICE), ROW(usage_form, output_tokens, SLICE),
                                           ROW(usage_form, cache_read_input_tokens, SLICE),
                                           ROW(usage_form, cache_creation_input_tokens, SLICE)};
static const struct jfields usage_fields = FIELDS(usage_rows);

static uint64_t number_of(struct jslice value)
{
    uint64_t number = 0;
    return value.at && jtext_u64(value, &number) ? number : 0;
}

/* Later ones repeat only what has changed. */
static void add_usage(struct answer *a, struct jslice value)
{
    struct usage_form u = {0};
    if (!value.at || jtext_type(value) != JTYPE_OBJECT ||
        jfields_decode(&usage_fields, value.at, value.len, NULL, &u, NULL) < 0)
        return;
    uint64_t cached = number_of(u.cache_read_input_tokens);
    uint64_t input = number_of(u.input_tokens) + cached + number_of(u.cache_creation_input_tokens);
    uint64_t output = number_of(u.output_tokens);
    a->input_tokens = input > a->input_tokens ? input : a->input_tokens;
    a->cached_tokens = cached > a->cached_tokens ? cached : a->cached_tokens;
    a->output_tokens = output > a->output_tokens ? output : a->output_tokens;
}

/* In the words that the rest of rouse knows from the other dialect. */
static void set_reason(struct answer *a, const char *reason)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {{"end_turn", "stop"}, {"stop_sequence", "stop"}, {"tool_use", "tool_calls"}, {"max_tokens", "length"}};
    for (size_t i = 0; reason && i < sizeof words / sizeof *words; i++)
        if (strcmp(reason, words[i].theirs) == 0)
            reason = words[i].ours;
    if (reason)
        utf8_copy_printable(a->finish_reason, sizeof a->finish_reason, reason);
}

/* whole: the block is not followed by pieces. Blocks of other types (what the model thought) are passed over. */
static int add_block(struct answer *a, struct jslice value, uint64_t index, bool whole, struct arena *arena,
                     rouse_error *err)
{
    struct block_form block = {0};
    struct answer_call *call = NULL;
    int code = jfields_decode(&block_fields, value.at, value.len, arena, &block, err);
    if (code < 0 || !block.type)
        return code;
    if (strcmp(block.type, "text") == 0)
        return answer_add_text(a, block.text, arena, err);
    if (strcmp(block.type, "tool_use") != 0)
        return 0;
    code = answer_next_call(a, block.id, block.name, &call, err);
    if (code == 0)
        call->block = index;
    return code == 0 && whole ? answer_add_arguments(call, block.input, arena, err) : code;
}

static int add_delta(struct answer *a, struct jslice value, uint64_t index, struct arena *arena, rouse_error *err)
{
    struct delta_form delta = {0};
    int code = jfields_decode(&delta_fields, value.at, value.len, arena, &delta, err);
    if (code == 0)
        code = answer_add_text(a, delta.text, arena, err);
    set_reason(a, code == 0 ? delta.stop_reason : NULL);
    for (size_t i = a->n_calls; code == 0 && delta.partial_json.at && i-- > 0;) {
        if (a->calls[i].block == index)
            return answer_add_arguments(&a->calls[i], delta.partial_json, arena, err);
    }
    return code;
}

static int add_whole(struct answer *a, const struct event_form *event, struct arena *arena, rouse_error *err)
{
    struct jtext t;
    struct jslice item;
    uint64_t index = 0;
    int code = jtext_open(&t, event->content.at, event->content.len, JTYPE_ARRAY, err);
    while (code >= 0 && (code = jtext_item(&t, &item, err)) > 0)
        code = add_block(a, item, index++, true, arena, err);
    set_reason(a, event->stop_reason);
    a->done = code >= 0;
    return code;
}

static int add_start(struct answer *a, struct jslice message, struct arena *arena, rouse_error *err)
{
    struct event_form inner = {0};
    int code = message.at ? jfields_decode(&event_fields, message.at, message.len, arena, &inner, err) : 0;
    if (code == 0)
        add_usage(a, inner.usage);
    return code;
}

static int add_event(struct answer *a, const struct event_form *event, struct arena *arena, rouse_error *err)
{
    const char *type = event->type ? event->type : "";
    add_usage(a, event->usage);
    if (strcmp(type, "message_start") == 0)
        return add_start(a, event->message, arena, err);
    if (strcmp(type, "content_block_start") == 0 && event->content_block.at)
        return add_block(a, event->content_block, event->index, false, arena, err);
    if ((strcmp(type, "content_block_delta") == 0 || strcmp(type, "message_delta") == 0) && event->delta.at)
        return add_delta(a, event->delta, event->index, arena, err);
    if (strcmp(type, "message") == 0 && event->content.at)
        return add_whole(a, event, arena, err);
    a->done = a->done || strcmp(type, "message_stop") == 0;
    return 0;
}

int messages_add(struct answer *a, const char *data, size_t len, rouse_error *err)
{
    struct event_form event = {0};
    struct arena arena = {0};
    int code = jfields_decode(&event_fields, data, len, &arena, &event, err);
    if (code == 0 && event.type && strcmp(event.type, "error") == 0)
        code = answer_refuse(a, data, len, err);
    else if (code == 0)
        code = add_event(a, &event, &arena, err);
    arena_done(&arena);
    return answer_told(code, err);
}
