/* A thread's state as the seed's document: out and in (COMPAT B28 to B31). */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "state/document.h"
#include "storage/storage.h"

/* ---- export ---- */

struct export {
    const struct storage_keys *keys;
    uint64_t revision;
    struct buf out;
    bool started;
    const rouse_key *open; /* the key whose value is being written */
    bool has_entries;
};

static void start_document(struct export *e)
{
    if (!e->started)
        buf_addf(&e->out, "{\"revision\":%llu,\"extensions\":{", (unsigned long long)e->revision);
    e->started = true;
}

static void end_key(struct export *e)
{
    if (e->open && e->open->shape == ROUSE_SHAPE_MAP)
        buf_adds(&e->out, e->open->map_member ? "}}" : "}");
}

static void start_key(struct export *e, const rouse_key *key)
{
    end_key(e);
    if (e->open)
        buf_addc(&e->out, ',');
    jtext_add_string(&e->out, key->name, strlen(key->name));
    buf_addc(&e->out, ':');
    if (key->shape == ROUSE_SHAPE_MAP)
        buf_addc(&e->out, '{');
    if (key->shape == ROUSE_SHAPE_MAP && key->map_member) {
        jtext_add_string(&e->out, key->map_member, strlen(key->map_member));
        buf_adds(&e->out, ":{");
    }
    e->open = key;
    e->has_entries = false;
}

static int export_value(struct export *e, const rouse_key *key, const struct storage_row *row, rouse_error *err)
{
    char *json = NULL;
    if (row->cell) {
        int code = storage_encode(key, *row->entry ? row->entry : NULL, row->cell->value, &json, err);
        if (code < 0)
            return code;
        buf_adds(&e->out, json);
        free(json);
    } else {
        buf_add(&e->out, row->json, row->len);
    }
    return buf_check(&e->out, err);
}

static int export_row(void *userdata, const struct storage_row *row, rouse_error *err)
{
    struct export *e = userdata;
    const rouse_key *key = storage_row_key(e->keys, row);
    if (!key || key->transient)
        return 0;
    start_document(e);
    if (key != e->open)
        start_key(e, key);
    if (*row->entry) {
        if (e->has_entries)
            buf_addc(&e->out, ',');
        e->has_entries = true;
        jtext_add_string(&e->out, row->entry, strlen(row->entry));
        buf_addc(&e->out, ':');
    }
    return export_value(e, key, row, err);
}

int rouse_store_export(rouse_store *store, const char *thread, const char *run, char **ret_json, rouse_error *err)
{
    int code = storage_check_name("thread", thread, err);
    if (code == 0 && run)
        code = storage_check_name("run", run, err);
    if (code == 0)
        code = store_enter(store, err);
    if (code < 0)
        return code;
    struct export e = {.keys = &store->keys, .out = BUF_INIT(LIMIT_IMPORT)};
    code = store->ops->values(store->backend, thread, run ? run : "", &e.revision, export_row, &e, err);
    store_leave(store);
    start_document(&e);
    end_key(&e);
    buf_adds(&e.out, "}}");
    char *json = code == 0 ? buf_take(&e.out, err) : NULL;
    if (code == 0 && !json)
        code = e.out.failed;
    buf_done(&e.out);
    if (code == 0)
        *ret_json = json;
    return code;
}

/* ---- import ---- */

struct import {
    const struct storage_keys *keys;
    const rouse_import_options *options;
    struct jslice *values; /* one for each known key; at NULL: not in the document */
    const rouse_key *key;  /* the one being taken apart */
    struct state_changes changes;
};

/* Takes the value apart for the key, into a PUT. */
static int add_value(struct import *in, const char *entry, struct jslice json, rouse_error *err)
{
    void *value;
    int code = in->key->decode(entry, json.at, json.len, &value, err);
    if (code < 0)
        return code;
    struct cell *cell = cell_new(in->key, value);
    return cell ? state_changes_add(&in->changes, STATE_PUT, in->key, entry, cell, err) : rouse_fail_memory(err);
}

static int take_entry(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    uint64_t number;
    if (*name == '\0' || strlen(name) > LIMIT_ENTRY_NAME)
        return rouse_fail(err, ROUSE_EDATA, "the name of an entry has 1 to %d bytes, not %zu", LIMIT_ENTRY_NAME, strlen(name));
    if (storage_task_number(name, &number) && number == UINT64_MAX)
        return rouse_fail(err, ROUSE_EDATA, "'%s' would leave no number for another task", name);
    return add_value(userdata, name, json, err);
}

static bool is_wanted(const struct import *in, const rouse_key *key)
{
    if (key->transient)
        return false;
    return key->scope == ROUSE_SCOPE_THREAD || (in->options->run && !in->options->thread_only);
}

static int take_key(struct import *in, const rouse_key *key, struct jslice json, rouse_error *err)
{
    in->key = key;
    int code = state_changes_add(&in->changes, STATE_CLEAR, key, NULL, NULL, err);
    if (code == 0 && key->shape == ROUSE_SHAPE_MAP)
        code = document_entries(key->map_member, json.at, json.len, take_entry, in, err);
    else if (code == 0)
        code = add_value(in, NULL, json, err);
    if (code == ROUSE_EDATA)
        return rouse_fail_context(err, code, "failed to decode key %s", key->name);
    return code;
}

/* Of a key that stands twice the last value counts, as in the seed's runtime. */
static int note_key(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    struct import *in = userdata;
    for (size_t i = 0; i < in->keys->count; i++) {
        if (strcmp(in->keys->items[i]->name, name) == 0) {
            in->values[i] = json;
            return 0;
        }
    }
    if (in->options->unknown == ROUSE_UNKNOWN_SKIP)
        return 0;
    return rouse_fail(err, ROUSE_EINVAL, "unknown key: %s", name);
}

static int take_document(struct import *in, const struct document *document, rouse_error *err)
{
    in->values = calloc(in->keys->count + 1, sizeof *in->values);
    if (!in->values)
        return rouse_fail_memory(err);
    int code = document_keys(document, note_key, in, err);
    for (size_t i = 0; i < in->keys->count && code == 0; i++) {
        if (in->values[i].at && is_wanted(in, in->keys->items[i]))
            code = take_key(in, in->keys->items[i], in->values[i], err);
    }
    free(in->values);
    return code;
}

/* With the lock held. */
static int import_document(rouse_store *store, const char *thread, const struct document *document,
                           const rouse_import_options *options, rouse_error *err)
{
    struct import in = {.keys = &store->keys, .options = options};
    state_changes_init(&in.changes);
    int code = take_document(&in, document, err);
    if (code == 0) {
        struct storage_document taken = {
            .thread = thread,
            .run = options->run && !options->thread_only ? options->run : "",
            .replace = !options->thread_only,
            .revision = document->revision,
            .items = in.changes.items,
            .count = in.changes.count,
        };
        code = store->ops->import(store->backend, &taken, err);
    }
    state_changes_done(&in.changes);
    return code;
}

int rouse_store_import(rouse_store *store, const char *thread, const char *json, size_t len,
                       const rouse_import_options *options, rouse_error *err)
{
    static const rouse_import_options defaults;
    struct document document;
    if (!options)
        options = &defaults;
    if (len > LIMIT_IMPORT)
        return rouse_fail(err, ROUSE_ELIMIT, "the document is larger than %u bytes", LIMIT_IMPORT);
    int code = storage_check_name("thread", thread, err);
    if (code == 0 && options->run)
        code = storage_check_name("run", options->run, err);
    if (code == 0)
        code = document_parse(json, len, &document, err);
    if (code == 0)
        code = store_enter(store, err);
    if (code < 0)
        return code;
    code = store->read_only ? rouse_fail(err, ROUSE_EINVAL, "the store was opened for reading only")
                            : import_document(store, thread, &document, options, err);
    store_leave(store);
    if (code == 0)
        store_ring(store);
    return code;
}
