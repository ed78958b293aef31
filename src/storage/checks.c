/* What every backend holds arguments and values against. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "storage/storage.h"

const rouse_key *storage_find_key(const struct storage_keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->items[i]->name, name) == 0)
            return keys->items[i];
    }
    return NULL;
}

bool storage_knows_key(const void *keys, const rouse_key *key)
{
    return storage_find_key(keys, key->name) == key;
}

const rouse_key *storage_row_key(const struct storage_keys *keys, const struct storage_row *row)
{
    const rouse_key *key = storage_find_key(keys, row->key);
    bool of_run = *row->run != '\0';
    return key && of_run == (key->scope == ROUSE_SCOPE_RUN) ? key : NULL;
}

int storage_check_name(const char *what, const char *name, rouse_error *err)
{
    size_t len = name ? strlen(name) : 0;
    if (len == 0)
        return rouse_fail(err, ROUSE_EINVAL, "a %s is needed and none was given", what);
    if (len > LIMIT_THREAD_NAME)
        return rouse_fail(err, ROUSE_EINVAL, "%s '%.40s…' has %zu bytes, the most are %d", what, name, len, LIMIT_THREAD_NAME);
    bool plain = utf8_is_valid(name, len);
    for (size_t i = 0; i < len; i++)
        plain = plain && (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    return plain ? 0 : rouse_fail(err, ROUSE_EINVAL, "%s '%s' is not UTF-8 without control characters", what, name);
}

static int check_json(const char *what, const char *json, rouse_error *err)
{
    if (!json)
        return rouse_fail(err, ROUSE_EINVAL, "%s without JSON", what);
    if (strlen(json) > LIMIT_JSON)
        return rouse_fail(err, ROUSE_ELIMIT, "%s is larger than %u bytes", what, LIMIT_JSON);
    return 0;
}

static int check_batch(const struct storage_keys *keys, const rouse_commit *commit, rouse_error *err)
{
    size_t count = commit->batch ? rouse_batch_count(commit->batch) : 0;
    for (size_t i = 0; i < count; i++) {
        const rouse_key *key = batch_key_at(commit->batch, i);
        if (storage_find_key(keys, key->name) != key)
            return rouse_fail(err, ROUSE_EINVAL, "unknown key: %s", key->name);
    }
    for (size_t i = 0; i < count; i++) {
        const rouse_key *key = batch_key_at(commit->batch, i);
        if (key->scope == ROUSE_SCOPE_RUN && !commit->run)
            return rouse_fail(err, ROUSE_EINVAL, "key '%s' belongs to a run and the commit names none", key->name);
    }
    return 0;
}

static int check_posts(const rouse_commit *commit, rouse_error *err)
{
    int code = 0;
    for (size_t i = 0; i < commit->n_posts && code == 0; i++) {
        const rouse_post *post = &commit->posts[i];
        code = storage_check_name("thread", post->thread, err);
        if (code == 0 && post->task_id && *post->task_id)
            code = storage_check_name("task", post->task_id, err);
        if (code == 0 && !post->task_id)
            code = rouse_fail(err, ROUSE_EINVAL, "an event without a task id; give \"\" when it is about none");
        if (code == 0 && (post->topic < ROUSE_TOPIC_OTHER || post->topic > ROUSE_TOPIC_MESSAGE))
            code = rouse_fail(err, ROUSE_EINVAL, "there is no topic %d for an event", (int)post->topic);
        if (code == 0)
            code = check_json("an event", post->json, err);
    }
    return code;
}

static int check_messages(const rouse_commit *commit, rouse_error *err)
{
    int code = 0;
    for (size_t i = 0; i < commit->n_messages && code == 0; i++) {
        const rouse_message *m = &commit->messages[i];
        code = storage_check_name("message id", m->id, err);
        if (code == 0)
            code = storage_check_name("role", m->role, err);
        if (code == 0 && m->run && *m->run)
            code = storage_check_name("run", m->run, err);
        if (code == 0)
            code = check_json("a message", m->json, err);
    }
    return code;
}

/* ---- runs ---- */

static const char *const run_statuses[] = {"created", "running", "waiting", "done"};
enum { N_RUN_STATUSES = sizeof run_statuses / sizeof *run_statuses };

/* The place in the table, or N_RUN_STATUSES. */
static size_t run_status(const char *status)
{
    size_t i = 0;
    while (i < N_RUN_STATUSES && strcmp(run_statuses[i], status) != 0)
        i++;
    return i;
}

static int check_run(const rouse_run *run, rouse_error *err)
{
    if (!run)
        return 0;
    int code = storage_check_name("run", run->id, err);
    if (code == 0)
        code = storage_check_name("run status", run->status, err);
    if (code == 0 && run_status(run->status) == N_RUN_STATUSES)
        code = rouse_fail(err, ROUSE_EINVAL, "no run is '%.80s': created, running, waiting or done", run->status);
    if (code == 0 && run->status_reason)
        code = storage_check_name("run status reason", run->status_reason, err);
    return code == 0 && run->json ? check_json("a run", run->json, err) : code;
}

int storage_check_commit(const struct storage_keys *keys, const rouse_commit *commit, rouse_error *err)
{
    bool missing = (commit->n_posts && !commit->posts) || (commit->n_messages && !commit->messages) ||
                   (commit->n_acks && !commit->acks);
    if (missing)
        return rouse_fail(err, ROUSE_EINVAL, "a commit counts items that it does not have");
    int code = storage_check_name("thread", commit->thread, err);
    if (code == 0 && commit->run)
        code = storage_check_name("run", commit->run, err);
    if (code == 0 && commit->fence.lease)
        code = storage_check_name("lease", commit->fence.lease, err);
    if (code == 0)
        code = check_batch(keys, commit, err);
    if (code == 0)
        code = check_posts(commit, err);
    if (code == 0)
        code = check_messages(commit, err);
    return code == 0 ? check_run(commit->run_record, err) : code;
}

int storage_check_base(const rouse_batch *batch, uint64_t revision, rouse_error *err)
{
    uint64_t base;
    if (!batch_base(batch, &base) || base == revision)
        return 0;
    return rouse_fail(err, ROUSE_ECONFLICT, "revision conflict: expected %llu, actual %llu", (unsigned long long)base,
                      (unsigned long long)revision);
}

int storage_fail_name(const char *name, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "a running task named '%s' already exists", name);
}

int storage_fail_fence(const rouse_fence *fence, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "lease '%s' is no longer held in epoch %llu: somebody else may have taken over",
                      fence->lease, (unsigned long long)fence->epoch);
}

int storage_fail_leased(const char *name, const char *holder, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "lease '%.80s' is held by '%.80s'", name, holder);
}

bool storage_run_may_become(const char *was, const char *next)
{
    static const bool may[N_RUN_STATUSES][N_RUN_STATUSES] = {
        /* to       created running waiting done */
        /* from */ {true, true, false, true},  /* created */
        /*      */ {false, true, true, true},  /* running */
        /*      */ {false, true, true, true},  /* waiting */
        /*      */ {false, false, false, true} /* done */
    };
    size_t from = run_status(was), to = run_status(next);
    return to < N_RUN_STATUSES && (from == N_RUN_STATUSES || may[from][to]);
}

int storage_fail_run(const rouse_run *run, const char *was, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "run '%.80s' is %s and cannot become %s", run->id, was, run->status);
}

bool storage_task_number(const char *entry, uint64_t *ret_number)
{
    if (strncmp(entry, "bg_", 3) != 0)
        return false;
    const char *digits = entry + 3 + (entry[3] == '+'); /* the seed's runtime reads a sign too */
    uint64_t number = 0;
    if (*digits == '\0')
        return false;
    for (const char *at = digits; *at; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (*at < '0' || *at > '9' || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

rouse_index storage_index(const rouse_key *key, const void *value)
{
    rouse_index index = {.live = true};
    if (key->shape == ROUSE_SHAPE_MAP && key->index) {
        index.live = false;
        key->index(value, &index);
    }
    return index;
}

int storage_encode(const rouse_key *key, const char *entry, const void *value, char **ret_json, rouse_error *err)
{
    rouse_error why = {0};
    char *json = key->encode(value, &why);
    if (!json)
        return rouse_fail(err, why.code < 0 ? why.code : ROUSE_ENOMEM, "failed to encode key %s: %s", key->name,
                          why.code < 0 ? why.message : "out of memory");
    if (strlen(json) > LIMIT_JSON) {
        free(json);
        return rouse_fail(err, ROUSE_ELIMIT, "value of key '%s'%s%s is larger than %u bytes", key->name,
                          entry ? ", entry " : "", entry ? entry : "", LIMIT_JSON);
    }
    *ret_json = json;
    return 0;
}

int storage_decode(const rouse_key *key, const char *entry, const char *json, size_t len, struct cell **ret_cell,
                   rouse_error *err)
{
    void *value;
    int code = key->decode(entry, json, len, &value, err);
    if (code == ROUSE_EDATA)
        return rouse_fail_context(err, code, "stored value of key '%s'%s%s", key->name, entry ? ", entry " : "",
                                  entry ? entry : "");
    if (code < 0)
        return code;
    struct cell *cell = cell_new(key, value);
    if (!cell)
        return rouse_fail_memory(err);
    *ret_cell = cell;
    return 0;
}

/* A value that another descriptor of the key made (a library that came again) goes through its text. */
static int change_key(const rouse_key *key, const char *entry, const struct cell *cell, struct cell **ret_cell, rouse_error *err)
{
    char *json;
    int code = storage_encode(cell->key, entry, cell->value, &json, err);
    if (code < 0)
        return code;
    code = storage_decode(key, entry, json, strlen(json), ret_cell, err);
    free(json);
    return code;
}

int storage_row_cell(const rouse_key *key, const struct storage_row *row, struct cell **ret_cell, rouse_error *err)
{
    const char *entry = key->shape == ROUSE_SHAPE_MAP ? row->entry : NULL;
    if (!row->cell)
        return storage_decode(key, entry, row->json, row->len, ret_cell, err);
    if (row->cell->key != key)
        return change_key(key, entry, row->cell, ret_cell, err);
    *ret_cell = cell_ref(row->cell);
    return 0;
}

int storage_grow(void **items, size_t *cap, size_t count, size_t size, rouse_error *err)
{
    if (count < *cap)
        return 0;
    size_t larger = *cap ? *cap * 2 : 16;
    void *grown = reallocarray(*items, larger, size);
    if (!grown)
        return rouse_fail_memory(err);
    *items = grown;
    *cap = larger;
    return 0;
}
