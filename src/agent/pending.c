/* `__runtime.pending_work`, {"has_pending":bool}: one flag, the last writer wins (COMPAT B123). */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "json/jfields.h"
#include "rouse/agent.h"

void *rouse_pending_work_set(bool has_pending)
{
    bool *update = malloc(sizeof *update);
    if (update)
        *update = has_pending;
    return update;
}

static int reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    bool *value = rouse_pending_work_set(*(const bool *)update);
    if (!value)
        return rouse_fail_memory(err);
    return rouse_edit_put(edit, NULL, value, err);
}

static char *encode(const void *value, rouse_error *err)
{
    char *text = strdup(*(const bool *)value ? "{\"has_pending\":true}" : "{\"has_pending\":false}");
    if (!text)
        rouse_fail_memory(err);
    return text;
}

struct form {
    bool has_pending;
};

static const struct jfield rows[] = {
    {.name = "has_pending", .type = JFIELD_BOOL, .need = JFIELD_REQUIRED, .offset = offsetof(struct form, has_pending)},
};
static const struct jfields form_fields = {.rows = rows, .count = 1};

static int decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    (void)entry;
    struct form form = {0};
    int code = jfields_decode(&form_fields, json, len, NULL, &form, err);
    if (code < 0)
        return code;
    bool *value = rouse_pending_work_set(form.has_pending);
    if (!value)
        return rouse_fail_memory(err);
    *ret_value = value;
    return 0;
}

const rouse_key rouse_pending_work_key = {
    .name = "__runtime.pending_work",
    .shape = ROUSE_SHAPE_SCALAR,
    .scope = ROUSE_SCOPE_RUN,
    .merge = ROUSE_MERGE_EXCLUSIVE,
    .reduce = reduce,
    .encode = encode,
    .decode = decode,
    .release = free,
    .release_update = free,
};
