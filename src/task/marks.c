#include "task/marks.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lookup.h"
#include "json/jfields.h"

struct update {
    bool again;
    uint64_t at_ms;
    char *value; /* in this block of memory, behind the name */
    char name[];
};

static struct mark *mark_new(uint64_t at_ms, const char *value)
{
    size_t len = strlen(value);
    struct mark *mark = malloc(sizeof *mark + len + 1);
    if (!mark)
        return NULL;
    mark->at_ms = at_ms;
    memcpy(mark->value, value, len + 1);
    return mark;
}

static int marks_reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    const struct update *u = update;
    const void *old;
    int code = rouse_edit_get(edit, u->name, &old, err);
    if (code < 0)
        return code;
    if (old && !u->again)
        return rouse_fail(err, ROUSE_ECONFLICT, "'%s' is there already", u->name);
    struct mark *mark = old ? NULL : mark_new(u->at_ms, u->value);
    if (old)
        return 0;
    return mark ? rouse_edit_put(edit, u->name, mark, err) : rouse_fail_memory(err);
}

static char *marks_encode(const void *value, rouse_error *err)
{
    const struct mark *mark = value;
    struct buf out = BUF_INIT(0);
    buf_addf(&out, "{\"at_ms\":%" PRIu64 ",\"value\":", mark->at_ms);
    jtext_add_string(&out, mark->value, strlen(mark->value));
    buf_addc(&out, '}');
    char *text = buf_take(&out, err);
    buf_done(&out);
    return text;
}

struct form {
    uint64_t at_ms;
    const char *value;
};

static const struct jfield rows[] = {
    {"at_ms", JFIELD_U64, JFIELD_REQUIRED, offsetof(struct form, at_ms), 0, NULL, NULL},
    {"value", JFIELD_STRING, JFIELD_REQUIRED, offsetof(struct form, value), 0, NULL, NULL},
};
static const struct jfields fields = {.rows = rows, .count = 2};

static int marks_decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    struct form form = {0};
    struct arena arena = {0};
    (void)entry;
    int code = jfields_decode(&fields, json, len, &arena, &form, err);
    struct mark *mark = code == 0 ? mark_new(form.at_ms, form.value) : NULL;
    if (code == 0 && !mark)
        code = rouse_fail_memory(err);
    arena_done(&arena);
    if (code == 0)
        *ret_value = mark;
    return code;
}

/* Nothing of it is live: a resume need not load it, and what is old can be pruned. */
static void marks_index(const void *value, rouse_index *fill)
{
    *fill = (rouse_index){.ended_ms = ((const struct mark *)value)->at_ms};
}

const rouse_key marks_key = {
    .name = "rouse.marks",
    .shape = ROUSE_SHAPE_MAP,
    .scope = ROUSE_SCOPE_THREAD,
    .merge = ROUSE_MERGE_EXCLUSIVE,
    .transient = true,
    .reduce = marks_reduce,
    .encode = marks_encode,
    .decode = marks_decode,
    .release = free,
    .index = marks_index,
    .release_update = free,
};

void mark_name(char fill[LIMIT_ENTRY_NAME + 1], const char *kind, const char *text)
{
    int n = snprintf(fill, LIMIT_ENTRY_NAME + 1, "%s:%s", kind, text);
    if (n > LIMIT_ENTRY_NAME)
        snprintf(fill, LIMIT_ENTRY_NAME + 1, "%s:%.100s#%016" PRIx64, kind, text, lookup_hash(text));
}

int mark_add(rouse_batch *batch, const char *name, const char *value, uint64_t at_ms, bool again, rouse_error *err)
{
    size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
    struct update *u = malloc(sizeof *u + name_size + value_size);
    if (!u)
        return rouse_fail_memory(err);
    *u = (struct update){.again = again, .at_ms = at_ms};
    memcpy(u->name, name, name_size);
    u->value = u->name + name_size;
    memcpy(u->value, value, value_size);
    return rouse_batch_add(batch, &marks_key, u, err);
}

int mark_find(rouse_manager *m, const char *thread, const char *name, char **ret_value, rouse_error *err)
{
    rouse_rows *found;
    const rouse_query query = {.thread = thread, .entry = name, .limit = 1};
    int code = rouse_store_list(m->store, &marks_key, &query, &found, err);
    if (code < 0)
        return code;
    code = rouse_rows_count(found) > 0;
    if (code > 0 && ret_value) {
        *ret_value = strdup(((const struct mark *)rouse_rows_at(found, 0, NULL, NULL))->value);
        if (!*ret_value)
            code = rouse_fail_memory(err);
    }
    rouse_rows_free(found);
    return code;
}
