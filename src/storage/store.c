/* The handle: opening, keys, hooks, who may call it when. */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/platform.h"
#include "storage/storage.h"

#define KEY_NAME_MAX 128

/* Who holds the lock. Only this thread can have put this thread there. */
static uintptr_t self(void)
{
    return (uintptr_t)pthread_self();
}

int store_may_enter(rouse_store *store, rouse_error *err)
{
    if (!store)
        return rouse_fail(err, ROUSE_EINVAL, "no store");
    if (forkmark_is_child(&store->process))
        return rouse_fail(err, ROUSE_EINVAL, "a store cannot be used in a child after fork; open it again there");
    if (atomic_load_explicit(&store->owner, memory_order_relaxed) == self())
        return rouse_fail(err, ROUSE_EINVAL, "a callback of a store cannot call that store");
    return 0;
}

void store_take_lock(rouse_store *store)
{
    pthread_mutex_lock(&store->lock);
    atomic_store_explicit(&store->owner, self(), memory_order_relaxed);
}

int store_enter(rouse_store *store, rouse_error *err)
{
    int code = store_may_enter(store, err);
    if (code == 0)
        store_take_lock(store);
    return code;
}

int store_enter_to_write(rouse_store *store, rouse_error *err)
{
    int code = store_enter(store, err);
    if (code == 0 && store->read_only) {
        store_leave(store);
        code = rouse_fail(err, ROUSE_EINVAL, "the store was opened for reading only");
    }
    return code;
}

int store_enter_to_keep(rouse_store *store, bool writes, rouse_error *err)
{
    if (store && !store->ops->claim)
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "this kind of store has no claims, no leases and no pruning");
    return writes ? store_enter_to_write(store, err) : store_enter(store, err);
}

void store_ring(rouse_store *store)
{
    if (*store->directory)
        bell_ring(store->bell, store->directory);
}

void store_leave(rouse_store *store)
{
    atomic_store_explicit(&store->owner, 0, memory_order_relaxed);
    pthread_mutex_unlock(&store->lock);
}

static void store_free(rouse_store *store)
{
    if (store->ops)
        store->ops->close(store->backend);
    while (store->hooks) {
        struct storage_hook *next = store->hooks->next;
        free(store->hooks);
        store->hooks = next;
    }
    while (store->plugins) {
        struct storage_plugin *next = store->plugins->next;
        free(store->plugins);
        store->plugins = next;
    }
    while (store->prune_hooks) {
        struct storage_prune_hook *next = store->prune_hooks->next;
        free(store->prune_hooks);
        store->prune_hooks = next;
    }
    fd_close(&store->bell);
    free(store->keys.items);
    free(store->directory);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->queue_lock);
    forkmark_done(&store->process);
    free(store);
}

static int store_new(const rouse_store_options *options, rouse_store **ret_store, rouse_error *err)
{
    rouse_store *store = calloc(1, sizeof *store);
    if (!store)
        return rouse_fail_memory(err);
    if (!forkmark_init(&store->process)) {
        free(store);
        return rouse_fail_memory(err);
    }
    pthread_mutex_init(&store->lock, NULL); /* the default kind cannot fail */
    pthread_mutex_init(&store->queue_lock, NULL);
    store->queue_end = &store->queue;
    store->platform = platform_or_default(options->platform);
    store->read_only = options->read_only;
    store->durability = options->durability;
    store->last_hook = &store->hooks;
    store->bell = -1;
    *ret_store = store;
    return 0;
}

static int open_backend(rouse_store *store, const char *where, const rouse_store_options *options, rouse_error *err)
{
    if (where && strcmp(where, "memory:") == 0) {
        if (options->must_exist)
            return rouse_fail(err, ROUSE_ENOTFOUND, "a store in memory is always a new one");
        store->directory = strdup("");
        return store->directory ? memory_open(options, &store->ops, &store->backend, err) : rouse_fail_memory(err);
    }
    int code = storage_locate(where, &store->directory, err);
    if (code == 0)
        code = sqlite_open(store->directory, options, &store->ops, &store->backend, err);
    if (code == 0 && !options->read_only)
        store->bell = bell_hold(store->directory);
    return code;
}

int rouse_store_open(const char *where, const rouse_store_options *options, rouse_store **ret_store, rouse_error *err)
{
    static const rouse_store_options defaults;
    rouse_store *store = NULL;
    if (!options)
        options = &defaults;
    int code = store_new(options, &store, err);
    if (code < 0)
        return code;
    code = open_backend(store, where, options, err);
    if (code < 0)
        store_free(store);
    else
        *ret_store = store;
    return code;
}

void rouse_store_close(rouse_store *store)
{
    /* In a child after fork nothing may be closed: it would take the parent's locks and files with it. */
    if (store && !forkmark_is_child(&store->process))
        store_free(store);
}

const char *rouse_store_path(const rouse_store *store)
{
    return store->directory;
}

rouse_durability rouse_store_durability(const rouse_store *store)
{
    return store->durability;
}

const rouse_platform *rouse_store_platform(const rouse_store *store)
{
    return store->platform;
}

int storage_check_key(const rouse_key *key, rouse_error *err)
{
    if (!key || !key->name || !*key->name || strlen(key->name) > KEY_NAME_MAX)
        return rouse_fail(err, ROUSE_EINVAL, "a key needs a name of 1 to %d bytes", KEY_NAME_MAX);
    if (!key->reduce || !key->encode || !key->decode || !key->release)
        return rouse_fail(err, ROUSE_EINVAL, "key '%s' lacks one of reduce, encode, decode, release", key->name);
    return 0;
}

int storage_add_key(struct storage_keys *keys, const rouse_key *key, rouse_error *err)
{
    if (storage_find_key(keys, key->name))
        return rouse_fail(err, ROUSE_ECONFLICT, "key already registered: %s", key->name);
    void *items = keys->items;
    int code = storage_grow(&items, &keys->cap, keys->count, sizeof *keys->items, err);
    keys->items = items;
    if (code == 0)
        keys->items[keys->count++] = key;
    keys->generation += code == 0;
    return code;
}

int rouse_store_register(rouse_store *store, const rouse_key *key, rouse_error *err)
{
    int code = storage_check_key(key, err);
    if (code == 0)
        code = store_enter(store, err);
    if (code < 0)
        return code;
    code = storage_add_key(&store->keys, key, err);
    store_leave(store);
    return code;
}

const rouse_key *rouse_store_key(rouse_store *store, const char *name)
{
    if (forkmark_is_child(&store->process))
        return NULL;
    bool locked = store_enter(store, NULL) == 0; /* not when a callback asks: then it is locked already */
    const rouse_key *key = storage_find_key(&store->keys, name);
    if (locked)
        store_leave(store);
    return key;
}

int rouse_store_on_commit(rouse_store *store, rouse_commit_hook call, void *userdata, rouse_error *err)
{
    struct storage_hook *hook = calloc(1, sizeof *hook);
    if (!hook)
        return rouse_fail_memory(err);
    hook->call = call;
    hook->userdata = userdata;
    int code = call ? store_enter(store, err) : rouse_fail(err, ROUSE_EINVAL, "no hook");
    if (code < 0) {
        free(hook);
        return code;
    }
    *store->last_hook = hook;
    store->last_hook = &hook->next;
    store->n_hooks++;
    store_leave(store);
    return 0;
}
