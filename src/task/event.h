/* The event that tells how a task went (COMPAT B79, B80), and the message a model gets of it (B85). */
#ifndef TASK_EVENT_H
#define TASK_EVENT_H

#include "base/arena.h"
#include "base/buf.h"

enum event_kind { EVENT_COMPLETED, EVENT_FAILED, EVENT_CANCELLED, EVENT_CUSTOM };

struct event {
    enum event_kind kind;
    const char *task_id;
    const char *error;      /* EVENT_FAILED */
    const char *event_type; /* EVENT_CUSTOM */
    const char *value;      /* COMPLETED: result, CUSTOM: payload. JSON text, verbatim */
};

/* Compact, one line, members in byte order. Failures stick in out. Values must be well-formed JSON; NULL is null. */
void event_add(struct buf *out, const struct event *event);
void event_add_completed(struct buf *out, const char *task_id, const char *result);
void event_add_failed(struct buf *out, const char *task_id, const char *error);
void event_add_cancelled(struct buf *out, const char *task_id);
void event_add_custom(struct buf *out, const char *task_id, const char *event_type, const char *payload);

/* Strings live in the arena. ROUSE_EDATA, ROUSE_ELIMIT, ROUSE_ENOMEM. */
int event_decode(const char *json, size_t len, struct arena *arena, struct event *fill, rouse_error *err);

/* The text of the message made from an event: a tag around one line of JSON. Nothing in it can close the tag, and it has at
 * most LIMIT_EVENT_TEXT bytes: what is cut says how to see all of it (DEFECTS 24). ROUSE_EDATA when json is malformed. */
int event_add_message(struct buf *out, const char *json, size_t len, rouse_error *err);

#endif
