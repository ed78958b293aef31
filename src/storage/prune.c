/* Forgetting what is over: the public calls. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "storage/storage.h"

int storage_gone_add(struct storage_gone **list, const char *thread, const char *entry, rouse_error *err)
{
    size_t thread_size = strlen(thread) + 1, entry_size = strlen(entry) + 1;
    struct storage_gone *gone = malloc(sizeof *gone + thread_size + entry_size);
    if (!gone)
        return rouse_fail_memory(err);
    memcpy(gone->thread, thread, thread_size);
    memcpy(gone->thread + thread_size, entry, entry_size);
    gone->entry = gone->thread + thread_size;
    gone->next = *list;
    *list = gone;
    return 0;
}

void storage_gone_free(struct storage_gone *list)
{
    while (list) {
        struct storage_gone *next = list->next;
        free(list);
        list = next;
    }
}

static int check_prune(const rouse_key *key, const rouse_prune *prune, rouse_error *err)
{
    if (!key || key->shape != ROUSE_SHAPE_MAP || key->scope != ROUSE_SCOPE_THREAD)
        return rouse_fail(err, ROUSE_EINVAL, "only entries of a thread's map can be pruned");
    if (!prune || (!prune->all && prune->older_ms == 0 && prune->keep == 0))
        return rouse_fail(err, ROUSE_EINVAL, "nothing says what to prune: give an age, or how many to keep");
    return prune->thread ? storage_check_name("thread", prune->thread, err) : 0;
}

int rouse_store_prune(rouse_store *store, const rouse_key *key, const rouse_prune *prune, rouse_rows **ret_removed,
                      rouse_error *err)
{
    int code = check_prune(key, prune, err);
    if (code < 0)
        return code;
    rouse_prune filled = *prune;
    filled.limit = prune->limit && prune->limit < LIMIT_PRUNE ? prune->limit : LIMIT_PRUNE;
    rouse_rows *rows = storage_rows_new(key);
    if (!rows)
        return rouse_fail_memory(err);
    code = store_enter_to_keep(store, !prune->dry, err);
    if (code == 0) {
        code = store->ops->prune(store->backend, key->name, &filled, storage_rows_add, rows, err);
        store_leave(store);
    }
    if (code < 0) {
        rouse_rows_free(rows);
        return code;
    }
    if (!prune->dry && rouse_rows_count(rows) > 0)
        store_ring(store);
    *ret_removed = rows;
    return 0;
}

int rouse_store_set_retention(rouse_store *store, uint64_t keep, uint64_t older_ms, rouse_error *err)
{
    if (keep > INT64_MAX || older_ms > INT64_MAX)
        return rouse_fail(err, ROUSE_EINVAL, "a limit that large is none: give 0");
    int code = store_enter_to_keep(store, true, err);
    if (code < 0)
        return code;
    code = store->ops->set_retention(store->backend, keep, older_ms, err);
    store_leave(store);
    return code;
}

int rouse_store_retention(rouse_store *store, uint64_t *ret_keep, uint64_t *ret_older_ms, rouse_error *err)
{
    uint64_t keep, older_ms;
    int code = store_enter_to_keep(store, false, err);
    if (code < 0)
        return code;
    code = store->ops->retention(store->backend, &keep, &older_ms, err);
    store_leave(store);
    if (code < 0)
        return code;
    *ret_keep = keep;
    *ret_older_ms = older_ms;
    return 0;
}

static int end_hooks(rouse_store *store, const void *userdata, rouse_error *err)
{
    int code = store_enter(store, err);
    if (code < 0)
        return code;
    for (struct storage_prune_hook *hook = store->prune_hooks; hook; hook = hook->next) {
        if (hook->userdata == userdata)
            atomic_store(&hook->call, (rouse_prune_hook)0);
    }
    store_leave(store);
    return 0;
}

int rouse_store_on_prune(rouse_store *store, rouse_prune_hook call, void *userdata, rouse_error *err)
{
    if (!call)
        return end_hooks(store, userdata, err);
    struct storage_prune_hook *hook = calloc(1, sizeof *hook);
    if (!hook)
        return rouse_fail_memory(err);
    hook->call = call;
    hook->userdata = userdata;
    int code = store_enter(store, err);
    if (code < 0) {
        free(hook);
        return code;
    }
    hook->next = store->prune_hooks;
    store->prune_hooks = hook;
    store_leave(store);
    return 0;
}
