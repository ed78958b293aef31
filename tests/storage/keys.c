#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "json/jfields.h"

/* ---- items ---- */

struct kept_item {
    struct item item; /* first: a struct item * is one of these */
    struct arena texts;
};

enum item_action { PUT, REMOVE, CLEAR, FAIL };

struct item_update {
    enum item_action what;
    char *entry;
    struct kept_item *item;
};

static const struct jfield rows[] = {
    {"live", JFIELD_BOOL, JFIELD_REQUIRED, offsetof(struct item, live), 0, NULL, NULL},
    {"name", JFIELD_STRING, JFIELD_REQUIRED, offsetof(struct item, name), 0, NULL, NULL},
    {"parent", JFIELD_STRING, JFIELD_REQUIRED, offsetof(struct item, parent), 0, NULL, NULL},
    {"run", JFIELD_STRING, JFIELD_REQUIRED, offsetof(struct item, run), 0, NULL, NULL},
    {"text", JFIELD_STRING, JFIELD_REQUIRED, offsetof(struct item, text), 0, NULL, NULL},
    {"queue", JFIELD_STRING, JFIELD_OPTIONAL, offsetof(struct item, queue), 0, NULL, NULL},
    {"waiting", JFIELD_BOOL, JFIELD_OPTIONAL, offsetof(struct item, waiting), 0, NULL, NULL},
    {"priority", JFIELD_I64, JFIELD_OPTIONAL, offsetof(struct item, priority), 0, NULL, NULL},
    {"ended_ms", JFIELD_U64, JFIELD_OPTIONAL, offsetof(struct item, ended_ms), 0, NULL, NULL},
    {"due_ms", JFIELD_U64, JFIELD_OPTIONAL, offsetof(struct item, due_ms), 0, NULL, NULL},
};
static const struct jfields fields = {.rows = rows, .count = sizeof rows / sizeof *rows};

static void release_item(void *value)
{
    struct kept_item *kept = value;
    if (kept)
        arena_done(&kept->texts);
    free(kept);
}

static struct kept_item *copy_item(const struct item *item)
{
    struct kept_item *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    copy->item = *item;
    const char **texts[] = {&copy->item.name, &copy->item.parent, &copy->item.run, &copy->item.text, &copy->item.queue};
    for (size_t i = 0; i < 5; i++) {
        const char *text = *texts[i] ? *texts[i] : "";
        *texts[i] = arena_text(&copy->texts, text, strlen(text));
        if (!*texts[i]) {
            release_item(copy);
            return NULL;
        }
    }
    return copy;
}

static char *encode_item(const void *value, rouse_error *err)
{
    const struct item *item = value;
    const char *const members[] = {"name", "parent", "run", "text"};
    const char *const texts[] = {item->name, item->parent, item->run, item->text};
    struct buf out = BUF_INIT(0);
    buf_adds(&out, item->live ? "{\"live\":true" : "{\"live\":false");
    for (size_t i = 0; i < 4; i++) {
        buf_addf(&out, ",\"%s\":", members[i]);
        jtext_add_string(&out, texts[i], strlen(texts[i]));
    }
    if (item->queue && *item->queue) {
        buf_adds(&out, ",\"queue\":");
        jtext_add_string(&out, item->queue, strlen(item->queue));
        buf_addf(&out, ",\"waiting\":%s,\"priority\":%lld", item->waiting ? "true" : "false", (long long)item->priority);
    }
    if (item->ended_ms)
        buf_addf(&out, ",\"ended_ms\":%llu", (unsigned long long)item->ended_ms);
    if (item->due_ms)
        buf_addf(&out, ",\"due_ms\":%llu", (unsigned long long)item->due_ms);
    buf_addc(&out, '}');
    char *json = buf_take(&out, err);
    buf_done(&out);
    return json;
}

static int decode_item(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    (void)entry;
    struct kept_item *item = calloc(1, sizeof *item);
    if (!item)
        return rouse_fail_memory(err);
    int code = jfields_decode(&fields, json, len, &item->texts, &item->item, err);
    if (code < 0)
        release_item(item);
    else
        *ret_value = item;
    return code;
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static void index_item(const void *value, rouse_index *fill)
{
    const struct item *item = value;
    fill->live = item->live;
    fill->name = or_null(item->name);
    fill->parent = or_null(item->parent);
    fill->run = or_null(item->run);
    fill->queue = or_null(item->queue ? item->queue : "");
    fill->waiting = item->waiting;
    fill->priority = item->priority;
    fill->ended_ms = item->ended_ms;
}

static int reduce_put(rouse_edit *edit, const struct item_update *update, rouse_error *err)
{
    const void *old;
    int code = rouse_edit_get(edit, update->entry, &old, err);
    if (code < 0)
        return code;
    if (old && !((const struct item *)old)->live)
        return rouse_fail(err, ROUSE_ECONFLICT, "item already ended");
    struct kept_item *copy = copy_item(&update->item->item);
    return copy ? rouse_edit_put(edit, update->entry, copy, err) : rouse_fail_memory(err);
}

static int reduce_item(rouse_edit *edit, const void *update, rouse_error *err)
{
    const struct item_update *u = update;
    switch (u->what) {
    case PUT:
        return reduce_put(edit, u, err);
    case REMOVE:
        return rouse_edit_remove(edit, u->entry, err);
    case CLEAR:
        return rouse_edit_clear(edit, err);
    case FAIL:
        break;
    }
    return rouse_fail(err, ROUSE_ELIMIT, "told to fail");
}

static void release_update(void *update)
{
    struct item_update *u = update;
    if (u) {
        free(u->entry);
        release_item(u->item);
    }
    free(u);
}

static void *new_update(enum item_action what, const char *entry, const struct item *item)
{
    struct item_update *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->what = what;
    u->entry = strdup(entry);
    u->item = item ? copy_item(item) : NULL;
    if (u->entry && (u->item || !item))
        return u;
    release_update(u);
    return NULL;
}

void *item_put(const char *entry, const struct item *item)
{
    return new_update(PUT, entry, item);
}

void *item_remove(const char *entry)
{
    return new_update(REMOVE, entry, NULL);
}

void *item_clear(void)
{
    return new_update(CLEAR, "", NULL);
}

void *item_fail(void)
{
    return new_update(FAIL, "", NULL);
}

const rouse_key items_key = {
    .name = "items",
    .shape = ROUSE_SHAPE_MAP,
    .scope = ROUSE_SCOPE_THREAD,
    .map_member = "tasks",
    .reduce = reduce_item,
    .encode = encode_item,
    .decode = decode_item,
    .release = release_item,
    .index = index_item,
    .release_update = release_update,
};

const rouse_key plain_key = {
    .name = "plain",
    .shape = ROUSE_SHAPE_MAP,
    .scope = ROUSE_SCOPE_THREAD,
    .reduce = reduce_item,
    .encode = encode_item,
    .decode = decode_item,
    .release = release_item,
    .release_update = release_update,
};

const rouse_key run_items_key = {
    .name = "run_items",
    .shape = ROUSE_SHAPE_MAP,
    .scope = ROUSE_SCOPE_RUN,
    .reduce = reduce_item,
    .encode = encode_item,
    .decode = decode_item,
    .release = release_item,
    .index = index_item,
    .release_update = release_update,
};

/* ---- counters ---- */

static int reduce_count(rouse_edit *edit, const void *update, rouse_error *err)
{
    const void *old;
    int code = rouse_edit_get(edit, NULL, &old, err);
    if (code < 0)
        return code;
    long *sum = malloc(sizeof *sum);
    if (!sum)
        return rouse_fail_memory(err);
    *sum = (old ? *(const long *)old : 0) + *(const long *)update;
    return rouse_edit_put(edit, NULL, sum, err);
}

static char *encode_count(const void *value, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    buf_addf(&out, "%ld", *(const long *)value);
    char *json = buf_take(&out, err);
    buf_done(&out);
    return json;
}

static int decode_count(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    (void)entry;
    int64_t number;
    if (!jtext_i64((struct jslice){json, len}, &number))
        return rouse_fail(err, ROUSE_EDATA, "not a whole number");
    long *value = malloc(sizeof *value);
    if (!value)
        return rouse_fail_memory(err);
    *value = (long)number;
    *ret_value = value;
    return 0;
}

void *count_add(long by)
{
    long *update = malloc(sizeof *update);
    if (update)
        *update = by;
    return update;
}

#define COUNT_KEY(text, where, never_exported)                                                                         \
    {                                                                                                                  \
        .name = (text), .shape = ROUSE_SHAPE_SCALAR, .scope = (where), .transient = (never_exported),                  \
        .reduce = reduce_count, .encode = encode_count, .decode = decode_count, .release = free, .release_update = free \
    }

const rouse_key count_key = COUNT_KEY("count", ROUSE_SCOPE_THREAD, false);
const rouse_key run_key = COUNT_KEY("run_count", ROUSE_SCOPE_RUN, false);
const rouse_key scratch_key = COUNT_KEY("scratch", ROUSE_SCOPE_THREAD, true);

int items_register(rouse_store *store, rouse_error *err)
{
    static const rouse_key *const keys[] = {&items_key, &plain_key, &run_items_key, &count_key, &run_key, &scratch_key};
    int code = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && code == 0; i++)
        code = rouse_store_register(store, keys[i], err);
    return code;
}
