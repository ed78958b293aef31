#include "task/event.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "json/jfields.h"

static const char *const kind_names[] = {"completed", "failed", "cancelled", "custom", NULL};

static void add_text(struct buf *out, const char *name, const char *text)
{
    jtext_add_name(out, name);
    jtext_add_string(out, text ? text : "", text ? strlen(text) : 0);
}

static void add_value(struct buf *out, const char *name, const char *json)
{
    jtext_add_name(out, name);
    const char *value = json ? json : "null";
    jtext_add_raw(out, value, strlen(value));
}

/* The order of the calls is the byte order of the names. */
void event_add(struct buf *out, const struct event *event)
{
    buf_addc(out, '{');
    if (event->kind == EVENT_FAILED)
        add_text(out, "error", event->error);
    if (event->kind == EVENT_CUSTOM)
        add_text(out, "event_type", event->event_type);
    add_text(out, "kind", kind_names[event->kind]);
    if (event->kind == EVENT_CUSTOM)
        add_value(out, "payload", event->value);
    if (event->kind == EVENT_COMPLETED)
        add_value(out, "result", event->value);
    add_text(out, "task_id", event->task_id);
    buf_addc(out, '}');
}

void event_add_completed(struct buf *out, const char *task_id, const char *result)
{
    event_add(out, &(struct event){.kind = EVENT_COMPLETED, .task_id = task_id, .value = result});
}

void event_add_failed(struct buf *out, const char *task_id, const char *error)
{
    event_add(out, &(struct event){.kind = EVENT_FAILED, .task_id = task_id, .error = error});
}

void event_add_cancelled(struct buf *out, const char *task_id)
{
    event_add(out, &(struct event){.kind = EVENT_CANCELLED, .task_id = task_id});
}

void event_add_custom(struct buf *out, const char *task_id, const char *event_type, const char *payload)
{
    event_add(out, &(struct event){.kind = EVENT_CUSTOM, .task_id = task_id, .event_type = event_type, .value = payload});
}

/* Strict: the seed reads the whole event before it knows which members it wants. */
static const struct jfield kind_rows[] = {
    {"kind", JFIELD_ENUM, JFIELD_REQUIRED, offsetof(struct event, kind), 0, kind_names, NULL},
};
static const struct jfields kind_fields = {.rows = kind_rows, .count = 1, .strict = true};

#define ROW(name, type, need, member) {name, JFIELD_##type, JFIELD_##need, offsetof(struct event, member), 0, NULL, NULL}
static const struct jfield completed_rows[] = {
    ROW("task_id", STRING, REQUIRED, task_id),
    ROW("result", RAW, OPTIONAL, value),
};
static const struct jfield failed_rows[] = {
    ROW("task_id", STRING, REQUIRED, task_id),
    ROW("error", STRING, REQUIRED, error),
};
static const struct jfield cancelled_rows[] = {
    ROW("task_id", STRING, REQUIRED, task_id),
};
static const struct jfield custom_rows[] = {
    ROW("task_id", STRING, REQUIRED, task_id),
    ROW("event_type", STRING, REQUIRED, event_type),
    ROW("payload", RAW, REQUIRED, value),
};
#undef ROW
static const struct jfields fields_of_kind[] = {
    [EVENT_COMPLETED] = {.rows = completed_rows, .count = 2},
    [EVENT_FAILED] = {.rows = failed_rows, .count = 2},
    [EVENT_CANCELLED] = {.rows = cancelled_rows, .count = 1},
    [EVENT_CUSTOM] = {.rows = custom_rows, .count = 3},
};

int event_decode(const char *json, size_t len, struct arena *arena, struct event *fill, rouse_error *err)
{
    struct event event = {0};
    int code = jfields_decode(&kind_fields, json, len, arena, &event, err);
    if (code == 0)
        code = jfields_decode(&fields_of_kind[event.kind], json, len, arena, &event, err);
    if (code < 0)
        return code;
    if (event.kind == EVENT_COMPLETED && !event.value)
        event.value = "null";
    *fill = event;
    return 0;
}

/* Outside of strings JSON has none of the three, and in strings they may be written as escapes. */
static void add_harmless_json(struct buf *out, const char *json, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (json[i] == '<' || json[i] == '>' || json[i] == '&')
            buf_addf(out, "\\u%04x", (unsigned)json[i]);
        else
            buf_addc(out, json[i] == '\n' || json[i] == '\r' ? ' ' : json[i]);
    }
}

static void add_attribute(struct buf *out, const char *name, const char *text)
{
    char plain[128];
    utf8_copy_printable(plain, sizeof plain, text);
    buf_addf(out, " %s=\"", name);
    for (const char *at = plain; *at; at++) {
        if (strchr("<>&\"'", *at))
            buf_addf(out, "&#%d;", *at);
        else
            buf_addc(out, *at);
    }
    buf_addc(out, '"');
}

/* Where JSON can be cut so that it has at most max bytes and neither a character nor an escape is split. */
static size_t cut_json(const char *json, size_t len, size_t max)
{
    size_t at = utf8_cut(json, len, max);
    size_t slash = at;
    while (slash > 0 && at - slash < 5 && json[slash - 1] != '\\')
        slash--;
    if (slash == 0 || json[slash - 1] != '\\' || at == len)
        return at;
    size_t run = 1; /* of an even number of backslashes the last is escaped itself */
    while (run < slash && json[slash - 1 - run] == '\\')
        run++;
    size_t escape = json[slash] == 'u' ? 6 : 2;
    return run % 2 == 1 && slash - 1 + escape > at ? slash - 1 : at;
}

/* The member's text, or otherwise when there is none that fits. */
static void member_or(const char *json, size_t len, const char *name, const char *otherwise, char *out, size_t size)
{
    if (!jtext_member_text(json, len, name, out, size))
        snprintf(out, size, "%s", otherwise);
}

int event_add_message(struct buf *out, const char *json, size_t len, rouse_error *err)
{
    static const char close[] = "\n</background-task-event>";
    char kind[64], id[LIMIT_ENTRY_NAME];
    int code = jtext_check(json, len, NULL, err);
    if (code < 0)
        return code;
    member_or(json, len, "kind", "event", kind, sizeof kind);
    member_or(json, len, "task_id", "unknown", id, sizeof id);
    size_t from = out->len;
    buf_adds(out, "<background-task-event");
    add_attribute(out, "kind", kind);
    add_attribute(out, "task_id", id);
    buf_adds(out, ">\n");
    struct buf body = BUF_INIT(0), more = BUF_INIT(0);
    add_harmless_json(&body, json, utf8_cut(json, len, LIMIT_EVENT_TEXT)); /* more has no room in any case */
    size_t room = LIMIT_EVENT_TEXT - (out->len - from) - (sizeof close - 1);
    if (body.len <= room) {
        buf_add(out, buf_text(&body), body.len);
    } else {
        char plain[64];
        utf8_copy_printable(plain, sizeof plain, id);
        buf_adds(&more, "… cut; read_output ");
        add_harmless_json(&more, plain, strlen(plain));
        buf_adds(&more, " shows all");
        buf_add(out, buf_text(&body), cut_json(buf_text(&body), body.len, room - more.len));
        buf_add(out, buf_text(&more), more.len);
    }
    buf_adds(out, close);
    code = buf_check(&body, err);
    if (code == 0)
        code = buf_check(&more, err);
    buf_done(&body);
    buf_done(&more);
    return code < 0 ? code : buf_check(out, err);
}
