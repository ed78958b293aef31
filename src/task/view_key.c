/* background_tasks: the cached view for the prompt, one value. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/lookup.h"
#include "state/document.h"
#include "task/keys.h"
#include "task/record.h"

struct view {
    rouse_view view; /* first: a rouse_view handed out is its view */
    struct arena arena;
    rouse_view_entry *entries; /* what view.entries points to, while it is built */
    struct lookup by_id;       /* only while it is built */
};

#define ROW(member) {#member, JFIELD_STRING, JFIELD_REQUIRED, offsetof(rouse_view_entry, member), 0, NULL, NULL}
static const struct jfield entry_rows[] = {
    ROW(task_type),
    ROW(description),
    {"status", JFIELD_ENUM, JFIELD_REQUIRED, offsetof(rouse_view_entry, status), 0, status_names, NULL},
};
#undef ROW
static const struct jfields entry_fields = {.rows = entry_rows, .count = 3};

int view_entry_decode(const char *json, size_t len, struct arena *arena, rouse_view_entry *fill, rouse_error *err)
{
    return jfields_decode(&entry_fields, json, len, arena, fill, err);
}

static void view_release(void *value)
{
    struct view *v = value;
    if (!v)
        return;
    lookup_done(&v->by_id);
    arena_done(&v->arena);
    free(v);
}

/* With room for count entries. */
static struct view *view_new(size_t count)
{
    struct view *v = calloc(1, sizeof *v);
    if (v && count > 0)
        v->entries = count <= SIZE_MAX / sizeof *v->entries ? arena_alloc(&v->arena, count * sizeof *v->entries) : NULL;
    if (v && count > 0 && !v->entries) {
        view_release(v);
        return NULL;
    }
    if (v)
        v->view.entries = v->entries;
    return v;
}

static struct view *view_copy(const rouse_view_entry *entries, size_t count)
{
    struct view *v = view_new(count);
    for (size_t i = 0; v && i < count; i++) {
        rouse_view_entry *to = &v->entries[v->view.count++];
        to->task_id = arena_text(&v->arena, entries[i].task_id, strlen(entries[i].task_id));
        to->task_type = arena_text(&v->arena, entries[i].task_type, strlen(entries[i].task_type));
        to->description = arena_text(&v->arena, entries[i].description, strlen(entries[i].description));
        to->status = entries[i].status;
        if (!to->task_id || !to->task_type || !to->description) {
            view_release(v);
            return NULL;
        }
    }
    return v;
}

/* ---- the value as JSON ---- */

static char *view_encode(const void *value, rouse_error *err)
{
    const rouse_view *view = value;
    struct buf out = BUF_INIT(0);
    buf_adds(&out, "{\"tasks\":{");
    for (size_t i = 0; i < view->count; i++) {
        const rouse_view_entry *entry = &view->entries[i];
        if (i > 0)
            buf_addc(&out, ',');
        jtext_add_string(&out, entry->task_id, strlen(entry->task_id));
        buf_adds(&out, ":{");
        record_add_text(&out, "task_type", entry->task_type);
        record_add_text(&out, "description", entry->description);
        record_add_text(&out, "status", rouse_status_text(entry->status));
        buf_addc(&out, '}');
    }
    buf_adds(&out, "}}");
    char *text = buf_take(&out, err);
    buf_done(&out);
    return text;
}

static int count_entry(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    (void)name, (void)json, (void)err;
    ++*(size_t *)userdata;
    return 0;
}

/* The entry of that id, or a new one behind the others. NULL when out of memory. */
static rouse_view_entry *want_entry(struct view *v, const char *id)
{
    size_t probe = 0, at;
    uint64_t hash = lookup_hash(id);
    while (lookup_next(&v->by_id, hash, &probe, &at)) {
        if (strcmp(v->entries[at].task_id, id) == 0)
            return &v->entries[at];
    }
    char *copy = arena_text(&v->arena, id, strlen(id));
    if (!copy || lookup_reserve(&v->by_id) < 0)
        return NULL;
    lookup_add(&v->by_id, hash, v->view.count);
    rouse_view_entry *entry = &v->entries[v->view.count++];
    *entry = (rouse_view_entry){.task_id = copy};
    return entry;
}

static int decode_entry(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    struct view *v = userdata;
    rouse_view_entry *entry = want_entry(v, name);
    if (!entry)
        return rouse_fail_memory(err);
    int code = view_entry_decode(json.at, json.len, &v->arena, entry, err);
    return code < 0 && code != ROUSE_ENOMEM ? rouse_fail_context(err, code, "entry '%.60s'", name) : code;
}

static int decode_view(const char *json, size_t len, struct view **ret_view, rouse_error *err)
{
    size_t count = 0;
    int code = document_entries("tasks", json, len, count_entry, &count, err);
    if (code < 0)
        return code;
    struct view *v = view_new(count);
    if (!v)
        return rouse_fail_memory(err);
    code = document_entries("tasks", json, len, decode_entry, v, err);
    if (code < 0) {
        view_release(v);
        return code;
    }
    lookup_done(&v->by_id);
    *ret_view = v;
    return 0;
}

static int view_decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    struct view *v;
    (void)entry;
    int code = decode_view(json, len, &v, err);
    if (code == 0)
        *ret_value = v;
    return code;
}

/* ---- updates ---- */

static void view_update_release(void *update)
{
    rouse_view_update *u = update;
    if (u)
        view_release(u->view);
    free(u);
}

/* Takes view, which may be NULL for Clear. */
static rouse_view_update *view_update_of(struct view *view)
{
    rouse_view_update *u = calloc(1, sizeof *u);
    if (!u)
        view_release(view);
    else
        u->view = view ? &view->view : NULL;
    return u;
}

rouse_view_update *rouse_view_replace(const rouse_view_entry *entries, size_t count)
{
    struct view *view = view_copy(entries, count);
    return view ? view_update_of(view) : NULL;
}

rouse_view_update *rouse_view_clear(void)
{
    return view_update_of(NULL);
}

static int view_reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    const rouse_view_update *u = update;
    struct view *v = u->view ? view_copy(u->view->entries, u->view->count) : view_new(0);
    return v ? rouse_edit_put(edit, NULL, v, err) : rouse_fail_memory(err);
}

static int view_decode_update(const char *json, size_t len, void **ret_update, rouse_error *err)
{
    static const char *const names[] = {"Replace", "Clear", NULL};
    struct jslice content;
    size_t which;
    struct view *view = NULL;
    int code = variant_decode(json, len, names, &which, &content, err);
    if (code == 0 && which == 0)
        code = content.at ? decode_view(content.at, content.len, &view, err)
                          : rouse_fail(err, ROUSE_EDATA, "update 'Replace' needs a value");
    else if (code == 0 && content.at && jtext_type(content) != JTYPE_NULL)
        code = rouse_fail(err, ROUSE_EDATA, "update 'Clear' has no value");
    if (code < 0)
        return code;
    rouse_view_update *u = view_update_of(view);
    if (!u)
        return rouse_fail_memory(err);
    *ret_update = u;
    return 0;
}

const rouse_key rouse_view_key = {
    .name = "background_tasks",
    .shape = ROUSE_SHAPE_SCALAR,
    .scope = ROUSE_SCOPE_RUN,
    .merge = ROUSE_MERGE_EXCLUSIVE,
    .reduce = view_reduce,
    .encode = view_encode,
    .decode = view_decode,
    .release = view_release,
    .decode_update = view_decode_update,
    .release_update = view_update_release,
};
