#include "model/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "json/jfields.h"

struct chunk_form {
    struct jslice choices, usage, error;
};

struct choice_form {
    struct jslice delta, message;
    const char *finish_reason;
};

struct delta_form {
    struct jslice content, refusal, tool_calls;
};

struct call_form {
    uint64_t index;
    bool has_index;
    const char *id;
    struct jslice function;
};

struct function_form {
    const char *name;
    struct jslice arguments;
};

struct usage_form {
    struct jslice prompt_tokens, completion_tokens, prompt_tokens_details;
};

struct details_form {
    struct jslice cached_tokens;
};

struct error_form {
    struct jslice error, message, type;
};

#define ROW(form, member, kind)                                                                                        \
    {                                                                                                                  \
        .name = #member, .type = JFIELD_##kind, .offset = offsetof(struct form, member)                                \
    }
#define FIELDS(table)                                                                                                  \
    {                                                                                                                  \
        .rows = table, .count = sizeof table / sizeof *table                                                           \
    }
static const struct jfield chunk_rows[] = {ROW(chunk_form, choices, SLICE), ROW(chunk_form, usage, SLICE),
                                           ROW(chunk_form, error, SLICE)};
static const struct jfields chunk_fields = FIELDS(chunk_rows);
static const struct jfield choice_rows[] = {ROW(choice_form, delta, SLICE), ROW(choice_form, message, SLICE),
                                            ROW(choice_form, finish_reason, STRING)};
static const struct jfields choice_fields = FIELDS(choice_rows);
static const struct jfield delta_rows[] = {ROW(delta_form, content, SLICE), ROW(delta_form, refusal, SLICE),
                                           ROW(delta_form, tool_calls, SLICE)};
static const struct jfields delta_fields = FIELDS(delta_rows);
static const struct jfield call_rows[] = {{.name = "index",
                                           .type = JFIELD_U64,
                                           .offset = offsetof(struct call_form, index),
                                           .has = offsetof(struct call_form, has_index)},
                                          ROW(call_form, id, STRING),
                                          ROW(call_form, function, SLICE)};
static const struct jfields call_fields = FIELDS(call_rows);
static const struct jfield function_rows[] = {ROW(function_form, name, STRING), ROW(function_form, arguments, SLICE)};
static const struct jfields function_fields = FIELDS(function_rows);
static const struct jfield usage_rows[] = {ROW(usage_form, prompt_tokens, SLICE),
                                           ROW(usage_form, completion_tokens, SLICE),
                                           ROW(usage_form, prompt_tokens_details, SLICE)};
static const struct jfields usage_fields = FIELDS(usage_rows);
static const struct jfield details_rows[] = {ROW(details_form, cached_tokens, SLICE)};
static const struct jfields details_fields = FIELDS(details_rows);
static const struct jfield error_rows[] = {ROW(error_form, error, SLICE), ROW(error_form, message, SLICE),
                                           ROW(error_form, type, SLICE)};
static const struct jfields error_fields = FIELDS(error_rows);

void answer_init(struct answer *a, const rouse_model_sink *sink)
{
    *a = (struct answer){.text = BUF_INIT(LIMIT_REPLY), .sink = sink};
    for (size_t i = 0; i < LIMIT_TOOL_CALLS; i++)
        a->calls[i] = (struct answer_call){.id = BUF_INIT(LIMIT_LINE), .name = BUF_INIT(LIMIT_LINE),
                                             .arguments = BUF_INIT(LIMIT_TOOL_ARGUMENTS)};
}

void answer_done(struct answer *a)
{
    buf_done(&a->text);
    for (size_t i = 0; i < LIMIT_TOOL_CALLS; i++) {
        buf_done(&a->calls[i].id);
        buf_done(&a->calls[i].name);
        buf_done(&a->calls[i].arguments);
    }
}

/* Servers write null where others write nothing. */
static bool is_there(struct jslice value)
{
    return value.at && jtext_type(value) != JTYPE_NULL;
}

static bool is_text(struct jslice value)
{
    return value.at && jtext_type(value) == JTYPE_STRING;
}

/* ---- errors ---- */

static bool text_of(struct jslice value, char *out, size_t size)
{
    struct arena arena = {0};
    if (!is_text(value))
        return false;
    const char *text = jtext_string(value, &arena);
    if (text)
        utf8_copy_printable(out, size, text);
    arena_done(&arena);
    return text != NULL;
}

void answer_error_text(const char *body, size_t len, char *out, size_t size)
{
    struct error_form form = {0};
    struct error_form inner = {0};
    if (jfields_decode(&error_fields, body, len, NULL, &form, NULL) == 0) {
        bool nested = is_there(form.error) && jtext_type(form.error) == JTYPE_OBJECT;
        if (nested && jfields_decode(&error_fields, form.error.at, form.error.len, NULL, &inner, NULL) == 0 &&
            text_of(inner.message, out, size))
            return;
        if (text_of(form.error, out, size) || text_of(form.message, out, size))
            return;
    }
    if (len == 0)
        snprintf(out, size, "no reason given");
    else
        snprintf(out, size, "%.*s", (int)(len < 100 ? len : 100), body);
}

/* Does the error's type say that the same question may be answered later? */
static bool is_transient(const char *data, size_t len)
{
    static const char *const types[] = {"overloaded_error", "rate_limit_error", "api_error", "server_error", "timeout_error"};
    struct error_form form = {0}, inner = {0};
    char type[40] = "";
    if (jfields_decode(&error_fields, data, len, NULL, &form, NULL) < 0 || !is_there(form.error) ||
        jfields_decode(&error_fields, form.error.at, form.error.len, NULL, &inner, NULL) < 0 ||
        !text_of(inner.type, type, sizeof type))
        return false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

int answer_refuse(struct answer *a, const char *data, size_t len, rouse_error *err)
{
    char why[160];
    a->transient = is_transient(data, len);
    answer_error_text(data, len, why, sizeof why);
    return rouse_fail(err, ROUSE_EREMOTE, "%s", why);
}

int answer_told(int code, rouse_error *err)
{
    if (code != ROUSE_EDATA)
        return code < 0 ? code : 0;
    code = rouse_fail_context(err, ROUSE_EREMOTE, "what it sent is no answer");
    if (err)
        err->code = ROUSE_EREMOTE;
    return code;
}

/* ---- pieces ---- */

int answer_add_text(struct answer *a, struct jslice content, struct arena *arena, rouse_error *err)
{
    if (!is_text(content))
        return 0;
    const char *text = jtext_string(content, arena);
    if (!text)
        return rouse_fail_memory(err);
    size_t len = strlen(text);
    buf_add(&a->text, text, len);
    if (a->sink && a->sink->text && len > 0)
        a->sink->text(text, len, a->sink->userdata);
    return buf_check(&a->text, err);
}

int answer_add_arguments(struct answer_call *call, struct jslice arguments, struct arena *arena, rouse_error *err)
{
    if (!is_there(arguments))
        return 0;
    const char *text =
        is_text(arguments) ? jtext_string(arguments, arena) : arena_text(arena, arguments.at, arguments.len);
    if (!text)
        return rouse_fail_memory(err);
    buf_adds(&call->arguments, text);
    return buf_check(&call->arguments, err);
}

static int too_many_calls(rouse_error *err)
{
    return rouse_fail(err, ROUSE_EREMOTE, "more than %d tool calls at once", LIMIT_TOOL_CALLS);
}

int answer_next_call(struct answer *a, const char *id, const char *name, struct answer_call **ret_call, rouse_error *err)
{
    if (a->n_calls == LIMIT_TOOL_CALLS)
        return too_many_calls(err);
    struct answer_call *call = &a->calls[a->n_calls++];
    buf_adds(&call->id, id ? id : "");
    buf_adds(&call->name, name ? name : "");
    *ret_call = call;
    int code = buf_check(&call->id, err);
    return code < 0 ? code : buf_check(&call->name, err);
}

/* ---- chunks ---- */

/* Which call a piece belongs to: the index says, or, with servers that leave it out, an id begins the next one. */
static int find_call(struct answer *a, const struct call_form *form, struct answer_call **ret, rouse_error *err)
{
    uint64_t last = a->n_calls > 0 ? a->n_calls - 1 : 0;
    uint64_t index = form->has_index ? form->index : form->id ? a->n_calls : last;
    if (index >= LIMIT_TOOL_CALLS)
        return too_many_calls(err);
    if (index >= a->n_calls)
        a->n_calls = (size_t)index + 1;
    *ret = &a->calls[index];
    return 0;
}

static int add_call(struct answer *a, struct jslice item, struct arena *arena, rouse_error *err)
{
    struct call_form form = {0};
    struct function_form function = {0};
    struct answer_call *call = NULL;
    int code = jfields_decode(&call_fields, item.at, item.len, arena, &form, err);
    if (code == 0 && is_there(form.function))
        code = jfields_decode(&function_fields, form.function.at, form.function.len, arena, &function, err);
    if (code == 0)
        code = find_call(a, &form, &call, err);
    if (code < 0)
        return code;
    if (form.id && call->id.len == 0)
        buf_adds(&call->id, form.id);
    if (function.name && call->name.len == 0)
        buf_adds(&call->name, function.name);
    code = buf_check(&call->id, err);
    if (code == 0)
        code = buf_check(&call->name, err);
    return code == 0 ? answer_add_arguments(call, function.arguments, arena, err) : code;
}

static int add_delta(struct answer *a, struct jslice value, struct arena *arena, rouse_error *err)
{
    struct delta_form delta = {0};
    struct jtext t;
    struct jslice item;
    int code = jfields_decode(&delta_fields, value.at, value.len, arena, &delta, err);
    if (code == 0)
        code = answer_add_text(a, delta.content, arena, err);
    if (code == 0)
        code = answer_add_text(a, delta.refusal, arena, err);
    if (code < 0 || !is_there(delta.tool_calls))
        return code;
    code = jtext_open(&t, delta.tool_calls.at, delta.tool_calls.len, JTYPE_ARRAY, err);
    while (code >= 0 && (code = jtext_item(&t, &item, err)) > 0)
        code = add_call(a, item, arena, err);
    return code;
}

/* Only one answer was asked for: further choices are passed over. */
static int add_choices(struct answer *a, struct jslice choices, struct arena *arena, rouse_error *err)
{
    struct choice_form choice = {0};
    struct jtext t;
    struct jslice item;
    int code = jtext_open(&t, choices.at, choices.len, JTYPE_ARRAY, err);
    if (code < 0 || (code = jtext_item(&t, &item, err)) <= 0)
        return code;
    code = jfields_decode(&choice_fields, item.at, item.len, arena, &choice, err);
    if (code == 0 && is_there(choice.delta))
        code = add_delta(a, choice.delta, arena, err);
    if (code == 0 && is_there(choice.message))
        code = add_delta(a, choice.message, arena, err);
    if (code == 0 && choice.finish_reason)
        utf8_copy_printable(a->finish_reason, sizeof a->finish_reason, choice.finish_reason);
    return code;
}

static void add_usage(struct answer *a, struct jslice value)
{
    struct usage_form usage = {0};
    if (jtext_type(value) != JTYPE_OBJECT || jfields_decode(&usage_fields, value.at, value.len, NULL, &usage, NULL) < 0)
        return;
    if (usage.prompt_tokens.at)
        jtext_u64(usage.prompt_tokens, &a->input_tokens);
    if (usage.completion_tokens.at)
        jtext_u64(usage.completion_tokens, &a->output_tokens);
    struct details_form details = {0};
    struct jslice more = usage.prompt_tokens_details;
    if (is_there(more) && jfields_decode(&details_fields, more.at, more.len, NULL, &details, NULL) == 0 && details.cached_tokens.at)
        jtext_u64(details.cached_tokens, &a->cached_tokens);
}

int answer_add(struct answer *a, const char *data, size_t len, rouse_error *err)
{
    struct chunk_form chunk = {0};
    struct arena arena = {0};
    if (len == 6 && memcmp(data, "[DONE]", 6) == 0) {
        a->done = true;
        return 0;
    }
    int code = jfields_decode(&chunk_fields, data, len, &arena, &chunk, err);
    if (code == 0 && is_there(chunk.error)) {
        code = answer_refuse(a, data, len, err);
    } else if (code == 0 && is_there(chunk.choices)) {
        code = add_choices(a, chunk.choices, &arena, err);
    }
    if (code == 0 && is_there(chunk.usage))
        add_usage(a, chunk.usage);
    arena_done(&arena);
    return answer_told(code, err);
}

bool answer_is_complete(const struct answer *a)
{
    return a->done || a->finish_reason[0] != '\0';
}

int answer_reply(const struct answer *a, rouse_model_reply **ret_reply, rouse_error *err)
{
    rouse_tool_call calls[LIMIT_TOOL_CALLS];
    size_t n = 0;
    for (size_t i = 0; i < a->n_calls; i++)
        if (a->calls[i].name.len > 0)
            calls[n++] = (rouse_tool_call){.id = buf_text(&a->calls[i].id),
                                           .name = buf_text(&a->calls[i].name),
                                           .arguments = buf_text(&a->calls[i].arguments)};
    const rouse_model_reply reply = {.text = buf_text(&a->text),
                                     .calls = calls,
                                     .n_calls = n,
                                     .finish_reason = a->finish_reason[0] ? a->finish_reason : "stop",
                                     .input_tokens = a->input_tokens,
                                     .output_tokens = a->output_tokens,
                                     .cached_tokens = a->cached_tokens};
    rouse_model_reply *copy = rouse_model_reply_copy(&reply);
    if (!copy)
        return rouse_fail_memory(err);
    *ret_reply = copy;
    return 0;
}
