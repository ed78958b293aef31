#include "agent/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "json/jfields.h"

struct update {
    enum lifecycle_move move;
    uint64_t at;
    char text[];
};

struct lifecycle {
    rouse_lifecycle shown; /* first: what readers hold */
    struct arena arena;
};

void *lifecycle_update(enum lifecycle_move move, const char *text, uint64_t now_ms)
{
    size_t len = text ? strlen(text) : 0;
    struct update *u = malloc(sizeof *u + len + 1);
    if (!u)
        return NULL;
    u->move = move;
    u->at = now_ms;
    memcpy(u->text, text ? text : "", len + 1);
    return u;
}

static void release(void *value)
{
    struct lifecycle *l = value;
    if (!l)
        return;
    arena_done(&l->arena);
    free(l);
}

static struct lifecycle *make(const rouse_lifecycle *from)
{
    struct lifecycle *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->shown = *from;
    l->shown.run_id = arena_text(&l->arena, from->run_id, strlen(from->run_id));
    l->shown.status = arena_text(&l->arena, from->status, strlen(from->status));
    if (from->status_reason)
        l->shown.status_reason = arena_text(&l->arena, from->status_reason, strlen(from->status_reason));
    if (!l->shown.run_id || !l->shown.status || (from->status_reason && !l->shown.status_reason)) {
        release(l);
        return NULL;
    }
    return l;
}

/* COMPAT B125. A status stays allowed; done is final. */
static bool may_move(const char *from, const char *to)
{
    static const char *const allowed[][2] = {
        {"created", "running"}, {"created", "done"},    {"running", "waiting"},
        {"running", "done"},    {"waiting", "running"}, {"waiting", "done"},
    };
    if (strcmp(from, to) == 0)
        return true;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(allowed[i][0], from) == 0 && strcmp(allowed[i][1], to) == 0)
            return true;
    return false;
}

static const char *target_of(enum lifecycle_move move, const char *status)
{
    switch (move) {
    case LIFECYCLE_START:
        return "created";
    case LIFECYCLE_RUNNING:
        return "running";
    case LIFECYCLE_WAITING:
        return "waiting";
    case LIFECYCLE_DONE:
        return "done";
    default:
        return status;
    }
}

static int reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    const struct update *u = update;
    const void *old = NULL;
    rouse_lifecycle next = {.run_id = "", .status = "created"};
    int code = rouse_edit_get(edit, NULL, &old, err);
    if (code < 0)
        return code;
    if (old)
        next = *(const rouse_lifecycle *)old;
    const char *status = target_of(u->move, next.status);
    if (u->move == LIFECYCLE_START)
        next = (rouse_lifecycle){.run_id = u->text};
    else if (!may_move(next.status, status))
        return 0;
    if (u->move == LIFECYCLE_STEP)
        next.step_count++;
    else
        next.status_reason = u->move == LIFECYCLE_WAITING || u->move == LIFECYCLE_DONE ? u->text : NULL;
    next.status = status;
    next.updated_at = u->at;
    struct lifecycle *value = make(&next);
    if (!value)
        return rouse_fail_memory(err);
    return rouse_edit_put(edit, NULL, value, err);
}

static void add_member(struct buf *out, const char *name, const char *text)
{
    jtext_add_name(out, name);
    jtext_add_string(out, text, strlen(text));
}

static char *encode(const void *value, rouse_error *err)
{
    const rouse_lifecycle *l = value;
    struct buf out = BUF_INIT(0);
    buf_addc(&out, '{');
    add_member(&out, "run_id", l->run_id);
    add_member(&out, "status", l->status);
    if (l->status_reason)
        add_member(&out, "status_reason", l->status_reason);
    buf_addf(&out, ",\"updated_at\":%llu,\"step_count\":%llu}", (unsigned long long)l->updated_at,
             (unsigned long long)l->step_count);
    char *text = buf_take(&out, err);
    buf_done(&out);
    return text;
}

struct form {
    const char *run_id, *status, *reason, *done_reason, *pause_reason;
    uint64_t updated_at, step_count;
};

static const struct jfield rows[] = {
    {.name = "run_id", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct form, run_id)},
    {.name = "status", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct form, status)},
    {.name = "status_reason", .type = JFIELD_STRING, .offset = offsetof(struct form, reason)},
    {.name = "done_reason", .type = JFIELD_STRING, .offset = offsetof(struct form, done_reason)}, /* as old */
    {.name = "pause_reason",
     .type = JFIELD_STRING,
     .offset = offsetof(struct form, pause_reason)}, /* writers named it */
    {.name = "updated_at", .type = JFIELD_U64, .offset = offsetof(struct form, updated_at)},
    {.name = "step_count", .type = JFIELD_U64, .offset = offsetof(struct form, step_count)},
};
static const struct jfields form_fields = {.rows = rows, .count = sizeof rows / sizeof *rows};

static int decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    (void)entry;
    struct arena arena = {0};
    struct form form = {0};
    int code = jfields_decode(&form_fields, json, len, &arena, &form, err);
    if (code == 0) {
        const char *reason = form.reason ? form.reason : form.done_reason ? form.done_reason : form.pause_reason;
        const rouse_lifecycle shown = {.run_id = form.run_id,
                                       .status = form.status,
                                       .status_reason = reason,
                                       .updated_at = form.updated_at,
                                       .step_count = form.step_count};
        struct lifecycle *value = make(&shown);
        code = value ? 0 : rouse_fail_memory(err);
        if (value)
            *ret_value = value;
    }
    arena_done(&arena);
    return code;
}

const rouse_key rouse_lifecycle_key = {
    .name = "__runtime.run_lifecycle",
    .shape = ROUSE_SHAPE_SCALAR,
    .scope = ROUSE_SCOPE_RUN,
    .merge = ROUSE_MERGE_EXCLUSIVE,
    .reduce = reduce,
    .encode = encode,
    .decode = decode,
    .release = release,
    .release_update = free,
};
