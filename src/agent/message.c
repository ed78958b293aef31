#include "agent/message.h"

#include <string.h>

#include "base/limits.h"
#include "json/jfields.h"

struct call_form {
    const char *id, *name;
    struct jslice arguments;
};

struct message_form {
    const char *id, *role, *tool_call_id;
    struct jslice content, calls;
};

struct block_form {
    const char *type, *text;
};

static const struct jfield call_rows[] = {
    {.name = "id", .type = JFIELD_STRING, .offset = offsetof(struct call_form, id)},
    {.name = "name", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct call_form, name)},
    {.name = "arguments", .type = JFIELD_SLICE, .offset = offsetof(struct call_form, arguments)},
};
static const struct jfields call_fields = {.rows = call_rows, .count = sizeof call_rows / sizeof *call_rows};

static const struct jfield message_rows[] = {
    {.name = "id", .type = JFIELD_STRING, .offset = offsetof(struct message_form, id)},
    {.name = "role", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct message_form, role)},
    {.name = "content", .type = JFIELD_SLICE, .offset = offsetof(struct message_form, content)},
    {.name = "tool_calls", .type = JFIELD_SLICE, .offset = offsetof(struct message_form, calls)},
    {.name = "tool_call_id", .type = JFIELD_STRING, .offset = offsetof(struct message_form, tool_call_id)},
};
static const struct jfields message_fields = {.rows = message_rows,
                                              .count = sizeof message_rows / sizeof *message_rows};

static const struct jfield block_rows[] = {
    {.name = "type", .type = JFIELD_STRING, .offset = offsetof(struct block_form, type)},
    {.name = "text", .type = JFIELD_STRING, .offset = offsetof(struct block_form, text)},
};
static const struct jfields block_fields = {.rows = block_rows, .count = sizeof block_rows / sizeof *block_rows};

static int keep(const char **target, const char *copy, rouse_error *err)
{
    if (!copy)
        return rouse_fail_memory(err);
    *target = copy;
    return 0;
}

static bool is_there(struct jslice value)
{
    return value.at && jtext_type(value) != JTYPE_NULL;
}

/* A string gives its characters, everything else its own spelling. */
static int keep_text(const char **target, struct jslice value, struct arena *arena, rouse_error *err)
{
    if (jtext_type(value) == JTYPE_STRING)
        return keep(target, jtext_string(value, arena), err);
    return keep(target, arena_text(arena, value.at, value.len), err);
}

static int read_call(struct jslice item, struct arena *arena, rouse_tool_call *fill, rouse_error *err)
{
    struct call_form form = {.id = "", .arguments = {.at = "{}", .len = 2}};
    int code = jfields_decode(&call_fields, item.at, item.len, arena, &form, err);
    if (code < 0)
        return code;
    *fill = (rouse_tool_call){.id = form.id, .name = form.name};
    return keep_text(&fill->arguments, form.arguments, arena, err);
}

/* How many items an array has; 0 for what is none, which the walk that follows reports. */
static size_t count_items(struct jslice array)
{
    struct jtext t;
    struct jslice item;
    size_t n = 0;
    if (jtext_open(&t, array.at, array.len, JTYPE_ARRAY, NULL) < 0)
        return 0;
    while (jtext_item(&t, &item, NULL) > 0)
        n++;
    return n;
}

static int read_calls(struct jslice array, struct arena *arena, struct message *m, rouse_error *err)
{
    struct jtext t;
    struct jslice item;
    rouse_tool_call *calls = arena_alloc(arena, (count_items(array) + 1) * sizeof *calls);
    if (!calls)
        return rouse_fail_memory(err);
    int code = jtext_open(&t, array.at, array.len, JTYPE_ARRAY, err);
    while (code >= 0 && (code = jtext_item(&t, &item, err)) > 0)
        code = read_call(item, arena, &calls[m->n_calls++], err);
    m->calls = calls;
    return code;
}

static int add_block(struct jslice block, struct arena *arena, struct buf *text, rouse_error *err)
{
    struct block_form form = {.type = "", .text = ""};
    int code = jfields_decode(&block_fields, block.at, block.len, arena, &form, err);
    if (code < 0 || strcmp(form.type, "text") != 0)
        return code;
    if (text->len > 0)
        buf_addc(text, '\n');
    buf_adds(text, form.text);
    return buf_check(text, err);
}

static int read_content(struct jslice content, struct arena *arena, struct message *m, rouse_error *err)
{
    struct buf text = BUF_INIT(LIMIT_TEXT);
    struct jtext t;
    struct jslice block;
    if (jtext_type(content) == JTYPE_STRING)
        return keep(&m->text, jtext_string(content, arena), err);
    int code = jtext_open(&t, content.at, content.len, JTYPE_ARRAY, err);
    while (code >= 0 && (code = jtext_item(&t, &block, err)) > 0)
        code = add_block(block, arena, &text, err);
    if (code == 0)
        code = keep(&m->text, arena_text(arena, buf_text(&text), text.len), err);
    buf_done(&text);
    return code;
}

int message_decode(const char *json, size_t len, struct arena *arena, struct message *fill, rouse_error *err)
{
    struct message_form form = {.id = ""};
    int code = jfields_decode(&message_fields, json, len, arena, &form, err);
    if (code < 0)
        return code;
    struct message m = {.id = form.id, .role = form.role, .text = "", .tool_call_id = form.tool_call_id};
    if (is_there(form.content))
        code = read_content(form.content, arena, &m, err);
    if (code >= 0 && is_there(form.calls))
        code = read_calls(form.calls, arena, &m, err);
    if (code < 0)
        return code;
    *fill = m;
    return 0;
}

static void add_text(struct buf *out, const char *text)
{
    jtext_add_string(out, text, strlen(text));
}

static void add_arguments(struct buf *out, const char *arguments)
{
    struct jslice value;
    size_t len = strlen(arguments);
    if (jtext_check_depth(arguments, len, LIMIT_JSON_DEPTH - 3, NULL) == 0 &&
        jtext_check(arguments, len, &value, NULL) == 0 && jtext_type(value) == JTYPE_OBJECT)
        jtext_add_raw(out, value.at, value.len);
    else
        jtext_add_string(out, arguments, len);
}

char *message_encode(const struct message *message, rouse_error *err)
{
    struct buf out = BUF_INIT(LIMIT_JSON);
    buf_adds(&out, "{\"id\":");
    add_text(&out, message->id);
    buf_adds(&out, ",\"role\":");
    add_text(&out, message->role);
    buf_adds(&out, ",\"content\":[");
    if (message->text[0] != '\0') {
        buf_adds(&out, "{\"type\":\"text\",\"text\":");
        add_text(&out, message->text);
        buf_addc(&out, '}');
    }
    buf_addc(&out, ']');
    for (size_t i = 0; i < message->n_calls; i++) {
        buf_adds(&out, i == 0 ? ",\"tool_calls\":[{\"id\":" : ",{\"id\":");
        add_text(&out, message->calls[i].id);
        buf_adds(&out, ",\"name\":");
        add_text(&out, message->calls[i].name);
        buf_adds(&out, ",\"arguments\":");
        add_arguments(&out, message->calls[i].arguments);
        buf_adds(&out, i + 1 == message->n_calls ? "}]" : "}");
    }
    if (message->tool_call_id) {
        buf_adds(&out, ",\"tool_call_id\":");
        add_text(&out, message->tool_call_id);
    }
    if (message->machine)
        buf_adds(&out, ",\"visibility\":\"internal\",\"metadata\":{\"origin\":\"machine\"}");
    buf_addc(&out, '}');
    char *text = buf_take(&out, err);
    buf_done(&out);
    return text;
}
