#include "task/agenda.h"

#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "json/jfields.h"

struct update {
    bool remove;
    struct agenda agenda;
    char id[];
};

static int agenda_reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    const struct update *u = update;
    if (u->remove)
        return rouse_edit_remove(edit, u->id, err);
    struct agenda *value = malloc(sizeof *value);
    if (!value)
        return rouse_fail_memory(err);
    *value = u->agenda;
    return rouse_edit_put(edit, u->id, value, err);
}

static char *agenda_encode(const void *value, rouse_error *err)
{
    const struct agenda *a = value;
    struct buf out = BUF_INIT(0);
    buf_addf(&out, "{\"due_ms\":%" PRIu64 ",\"mono_ms\":%" PRIu64 ",\"boot\":", a->due_ms, a->mono_ms);
    jtext_add_string(&out, a->boot, strlen(a->boot));
    buf_addc(&out, '}');
    char *text = buf_take(&out, err);
    buf_done(&out);
    return text;
}

struct form {
    uint64_t due_ms, mono_ms;
    struct jslice boot;
};

static const struct jfield rows[] = {
    {"due_ms", JFIELD_U64, JFIELD_REQUIRED, offsetof(struct form, due_ms), 0, NULL, NULL},
    {"mono_ms", JFIELD_U64, JFIELD_REQUIRED, offsetof(struct form, mono_ms), 0, NULL, NULL},
    {"boot", JFIELD_SLICE, JFIELD_REQUIRED, offsetof(struct form, boot), 0, NULL, NULL},
};
static const struct jfields fields = {.rows = rows, .count = 3};

static int agenda_decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    struct form form = {0};
    (void)entry;
    int code = jfields_decode(&fields, json, len, NULL, &form, err);
    if (code < 0)
        return code;
    if (jtext_type(form.boot) != JTYPE_STRING || form.boot.len >= AGENDA_BOOT)
        return rouse_fail(err, ROUSE_EDATA, "`boot` must be a short string");
    struct agenda *value = calloc(1, sizeof *value);
    if (!value)
        return rouse_fail_memory(err);
    value->due_ms = form.due_ms;
    value->mono_ms = form.mono_ms;
    jtext_unescape(form.boot, value->boot);
    *ret_value = value;
    return 0;
}

const rouse_key agenda_key = {
    .name = "rouse.agenda",
    .shape = ROUSE_SHAPE_MAP,
    .scope = ROUSE_SCOPE_THREAD,
    .merge = ROUSE_MERGE_EXCLUSIVE,
    .transient = true,
    .reduce = agenda_reduce,
    .encode = agenda_encode,
    .decode = agenda_decode,
    .release = free,
    .release_update = free,
};

int agenda_add(rouse_batch *batch, const char *id, const struct agenda *agenda, rouse_error *err)
{
    size_t len = strlen(id);
    struct update *u = calloc(1, sizeof *u + len + 1);
    if (!u)
        return rouse_fail_memory(err);
    memcpy(u->id, id, len + 1);
    u->remove = !agenda;
    if (agenda)
        u->agenda = *agenda;
    return rouse_batch_add(batch, &agenda_key, u, err);
}
