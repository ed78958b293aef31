/* Reading: snapshots, lists, inbox, conversation, runs. Each answer owns what it hands out. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "storage/storage.h"

/* ---- snapshots ---- */

static int check_place(const char *thread, const char *run, rouse_error *err)
{
    int code = storage_check_name("thread", thread, err);
    return code == 0 && run ? storage_check_name("run", run, err) : code;
}

int rouse_store_snapshot(rouse_store *store, const char *thread, const char *run, rouse_snapshot **ret_snapshot,
                         rouse_error *err)
{
    int code = check_place(thread, run, err);
    if (code == 0)
        code = store_enter(store, err);
    if (code < 0)
        return code;
    code = store->ops->snapshot(store->backend, &store->keys, thread, run ? run : "", ret_snapshot, err);
    store_leave(store);
    return code;
}

/* ---- lists ---- */

struct listed {
    struct cell *cell;
    const char *thread, *entry;
};

struct rouse_rows {
    const rouse_key *key;
    struct arena texts;
    struct listed *items;
    size_t count, cap;
};

rouse_rows *storage_rows_new(const rouse_key *key)
{
    rouse_rows *rows = calloc(1, sizeof *rows);
    if (rows)
        rows->key = key;
    return rows;
}

int storage_rows_add(void *userdata, const struct storage_row *row, rouse_error *err)
{
    rouse_rows *rows = userdata;
    void *items = rows->items;
    int code = storage_grow(&items, &rows->cap, rows->count, sizeof *rows->items, err);
    rows->items = items;
    if (code < 0)
        return code;
    struct listed *item = &rows->items[rows->count];
    item->thread = arena_text(&rows->texts, row->thread, strlen(row->thread));
    item->entry = arena_text(&rows->texts, row->entry, strlen(row->entry));
    if (!item->thread || !item->entry)
        return rouse_fail_memory(err);
    code = storage_row_cell(rows->key, row, &item->cell, err);
    if (code == 0)
        rows->count++;
    return code;
}

static int check_query(const rouse_key *key, const rouse_query *query, rouse_error *err)
{
    if (!key || key->shape != ROUSE_SHAPE_MAP || key->scope != ROUSE_SCOPE_THREAD)
        return rouse_fail(err, ROUSE_EINVAL, "only entries of a thread's map can be listed");
    if (query->live_only && query->finished_only)
        return rouse_fail(err, ROUSE_EINVAL, "nothing is both live and finished");
    if (query->queue && !query->live_only)
        return rouse_fail(err, ROUSE_EINVAL, "only live entries are in a queue");
    return query->thread ? storage_check_name("thread", query->thread, err) : 0;
}

int rouse_store_list(rouse_store *store, const rouse_key *key, const rouse_query *query, rouse_rows **ret_rows,
                     rouse_error *err)
{
    static const rouse_query all;
    if (!query)
        query = &all;
    int code = check_query(key, query, err);
    if (code < 0)
        return code;
    rouse_rows *rows = storage_rows_new(key);
    if (!rows)
        return rouse_fail_memory(err);
    code = store_enter(store, err);
    if (code == 0) {
        code = store->ops->list(store->backend, key->name, query, storage_rows_add, rows, err);
        store_leave(store);
    }
    if (code < 0)
        rouse_rows_free(rows);
    else
        *ret_rows = rows;
    return code;
}

size_t rouse_rows_count(const rouse_rows *rows)
{
    return rows->count;
}

const void *rouse_rows_at(const rouse_rows *rows, size_t i, const char **ret_thread, const char **ret_entry)
{
    const struct listed *item = &rows->items[i];
    if (ret_thread)
        *ret_thread = item->thread;
    if (ret_entry)
        *ret_entry = item->entry;
    return item->cell->value;
}

void rouse_rows_free(rouse_rows *rows)
{
    if (!rows)
        return;
    for (size_t i = 0; i < rows->count; i++)
        cell_unref(rows->items[i].cell);
    free(rows->items);
    arena_done(&rows->texts);
    free(rows);
}

static int overview(rouse_store *store, const rouse_key *key, const char *thread, const rouse_ends *ends,
                    rouse_overview *fill, rouse_error *err)
{
    fill->due = storage_rows_new(key);
    fill->newest = storage_rows_new(key);
    fill->oldest = storage_rows_new(key);
    if (!fill->due || !fill->newest || !fill->oldest)
        return rouse_fail_memory(err);
    int code = store_enter(store, err);
    if (code < 0)
        return code;
    code = store->ops->overview(store->backend, key->name, thread, ends, fill, err);
    store_leave(store);
    return code;
}

int rouse_store_overview(rouse_store *store, const rouse_key *key, const char *thread, const rouse_ends *ends,
                         rouse_overview *fill, rouse_error *err)
{
    rouse_overview all = {0};
    static const rouse_ends none;
    int code = check_query(key, &(rouse_query){.thread = thread}, err);
    ends = thread && ends ? ends : &none;
    if (code == 0 && (ends->due > LIMIT_LIST || ends->newest > LIMIT_LIST || ends->oldest > LIMIT_LIST))
        code = rouse_fail(err, ROUSE_EINVAL, "an overview has at most %d entries of each end", LIMIT_LIST);
    if (code == 0)
        code = overview(store, key, thread, ends, &all, err);
    if (code < 0)
        rouse_overview_done(&all);
    else
        *fill = all;
    return code < 0 ? code : 0;
}

void rouse_overview_done(rouse_overview *overview)
{
    rouse_rows_free(overview->due);
    rouse_rows_free(overview->newest);
    rouse_rows_free(overview->oldest);
    *overview = (rouse_overview){0};
}

/* ---- inbox ---- */

struct rouse_events {
    struct arena texts;
    rouse_event *items;
    size_t count, cap;
};

/* Copies *text into the arena, NULL staying NULL; false when out of memory. */
static bool keep(struct arena *texts, const char **text)
{
    if (*text)
        *text = arena_text(texts, *text, strlen(*text));
    return *text != NULL;
}

static int add_event(void *userdata, const rouse_event *event, rouse_error *err)
{
    rouse_events *events = userdata;
    void *items = events->items;
    int code = storage_grow(&items, &events->cap, events->count, sizeof *events->items, err);
    events->items = items;
    if (code < 0)
        return code;
    rouse_event *copy = &events->items[events->count];
    *copy = *event;
    if (!keep(&events->texts, &copy->thread) || !keep(&events->texts, &copy->task_id) || !keep(&events->texts, &copy->json))
        return rouse_fail_memory(err);
    events->count++;
    return 0;
}

struct asked { /* for events */
    const char *thread;
    uint64_t after;
    bool all;
    rouse_topic topic; /* OTHER: of any */
    size_t limit;
};

static int ask(rouse_store *store, const struct asked *asked, rouse_events **ret_events, rouse_error *err)
{
    int code = asked->thread ? storage_check_name("thread", asked->thread, err) : 0;
    if (code < 0)
        return code;
    const struct asked *a = asked;
    rouse_events *events = calloc(1, sizeof *events);
    if (!events)
        return rouse_fail_memory(err);
    size_t most = a->limit && a->limit < LIMIT_LIST ? a->limit : LIMIT_LIST;
    code = store_enter(store, err);
    if (code == 0) {
        code = a->topic ? store->ops->topic(store->backend, a->thread, a->topic, a->after, most, add_event, events, err)
                        : store->ops->inbox(store->backend, a->thread, a->after, a->all, most, add_event, events, err);
        store_leave(store);
    }
    if (code < 0)
        rouse_events_free(events);
    else
        *ret_events = events;
    return code;
}

int rouse_store_inbox(rouse_store *store, const char *thread, uint64_t after, bool all, size_t limit,
                      rouse_events **ret_events, rouse_error *err)
{
    return ask(store, &(struct asked){.thread = thread, .after = after, .all = all, .limit = limit}, ret_events, err);
}

int rouse_store_topic(rouse_store *store, const char *thread, rouse_topic topic, uint64_t after, size_t limit,
                      rouse_events **ret_events, rouse_error *err)
{
    if (topic != ROUSE_TOPIC_FAILURE && topic != ROUSE_TOPIC_MESSAGE)
        return rouse_fail(err, ROUSE_EINVAL, "there is no topic %d to ask for", (int)topic);
    return ask(store, &(struct asked){.thread = thread, .after = after, .topic = topic, .limit = limit}, ret_events, err);
}

size_t rouse_events_count(const rouse_events *events)
{
    return events->count;
}

const rouse_event *rouse_events_at(const rouse_events *events, size_t i)
{
    return &events->items[i];
}

void rouse_events_free(rouse_events *events)
{
    if (!events)
        return;
    free(events->items);
    arena_done(&events->texts);
    free(events);
}

/* ---- conversation ---- */

struct rouse_messages {
    struct arena texts;
    rouse_message *items;
    size_t count, cap;
};

static int add_message(void *userdata, const rouse_message *message, rouse_error *err)
{
    rouse_messages *messages = userdata;
    void *items = messages->items;
    int code = storage_grow(&items, &messages->cap, messages->count, sizeof *messages->items, err);
    messages->items = items;
    if (code < 0)
        return code;
    rouse_message *copy = &messages->items[messages->count];
    struct arena *texts = &messages->texts;
    *copy = *message;
    if (!keep(texts, &copy->id) || !keep(texts, &copy->run) || !keep(texts, &copy->role) || !keep(texts, &copy->json))
        return rouse_fail_memory(err);
    messages->count++;
    return 0;
}

int rouse_store_messages(rouse_store *store, const char *thread, uint64_t after, size_t limit, rouse_messages **ret_messages,
                         rouse_error *err)
{
    int code = storage_check_name("thread", thread, err);
    if (code < 0)
        return code;
    rouse_messages *messages = calloc(1, sizeof *messages);
    if (!messages)
        return rouse_fail_memory(err);
    code = store_enter(store, err);
    if (code == 0) {
        code = store->ops->messages(store->backend, thread, after, limit, add_message, messages, err);
        store_leave(store);
    }
    if (code < 0)
        rouse_messages_free(messages);
    else
        *ret_messages = messages;
    return code;
}

size_t rouse_messages_count(const rouse_messages *messages)
{
    return messages->count;
}

const rouse_message *rouse_messages_at(const rouse_messages *messages, size_t i)
{
    return &messages->items[i];
}

void rouse_messages_free(rouse_messages *messages)
{
    if (!messages)
        return;
    free(messages->items);
    arena_done(&messages->texts);
    free(messages);
}

/* ---- runs ---- */

struct kept_run {
    rouse_run run; /* first, so that a rouse_run * is one of these */
    struct arena texts;
};

static int keep_run(void *userdata, const rouse_run *run, rouse_error *err)
{
    struct kept_run **ret_kept = userdata;
    struct kept_run *kept = calloc(1, sizeof *kept);
    if (!kept)
        return rouse_fail_memory(err);
    *ret_kept = kept;
    kept->run = *run;
    bool whole = keep(&kept->texts, &kept->run.id) && keep(&kept->texts, &kept->run.status) &&
                 keep(&kept->texts, &kept->run.json) && (!run->status_reason || keep(&kept->texts, &kept->run.status_reason));
    return whole ? 0 : rouse_fail_memory(err);
}

int rouse_store_last_run(rouse_store *store, const char *thread, rouse_run **ret_run, rouse_error *err)
{
    struct kept_run *kept = NULL;
    int code = storage_check_name("thread", thread, err);
    if (code == 0)
        code = store_enter(store, err);
    if (code < 0)
        return code;
    code = store->ops->last_run(store->backend, thread, keep_run, &kept, err);
    store_leave(store);
    if (code == 0 && !kept)
        code = rouse_fail(err, ROUSE_ENOTFOUND, "thread '%s' has no run", thread);
    if (code < 0)
        rouse_run_free(kept ? &kept->run : NULL);
    else
        *ret_run = &kept->run;
    return code;
}

void rouse_run_free(rouse_run *run)
{
    if (!run)
        return;
    struct kept_run *kept = (struct kept_run *)run;
    arena_done(&kept->texts);
    free(kept);
}
