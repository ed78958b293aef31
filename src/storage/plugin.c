/* Sets of keys that come and go together (COMPAT B13, B15). */
#include <stdlib.h>
#include <string.h>

#include "storage/storage.h"

static struct storage_plugin **find(rouse_store *store, const char *name)
{
    struct storage_plugin **at = &store->plugins;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static struct storage_plugin *plugin_new(const char *name, const rouse_key *const *keys, size_t n_keys)
{
    size_t len = strlen(name) + 1;
    size_t size = n_keys * sizeof *keys;
    struct storage_plugin *p = malloc(sizeof *p + size + len);
    if (!p)
        return NULL;
    *p = (struct storage_plugin){.n_keys = n_keys, .keys = (const rouse_key **)(p + 1)};
    p->name = (char *)(p->keys + n_keys);
    if (n_keys > 0)
        memcpy(p->keys, keys, size);
    memcpy(p->name, name, len);
    return p;
}

static void forget_keys(struct storage_keys *known, const rouse_key *const *keys, size_t n_keys)
{
    size_t kept = 0;
    for (size_t i = 0; i < known->count; i++) {
        bool goes = false;
        for (size_t k = 0; k < n_keys && !goes; k++)
            goes = keys[k] == known->items[i];
        if (!goes)
            known->items[kept++] = known->items[i];
    }
    known->count = kept;
    known->generation++;
}

/* With the lock held. */
static int install(rouse_store *store, struct storage_plugin *plugin, rouse_error *err)
{
    struct storage_plugin **at = find(store, plugin->name);
    if (*at)
        return rouse_fail(err, ROUSE_ECONFLICT, "plugin already installed: %s", plugin->name);
    for (size_t i = 0; i < plugin->n_keys; i++) {
        int code = storage_add_key(&store->keys, plugin->keys[i], err);
        if (code < 0) {
            forget_keys(&store->keys, plugin->keys, i);
            return code;
        }
    }
    *at = plugin;
    return 0;
}

int rouse_store_install(rouse_store *store, const char *name, const rouse_key *const *keys, size_t n_keys, rouse_error *err)
{
    if (!name || !*name)
        return rouse_fail(err, ROUSE_EINVAL, "a plugin needs a name");
    for (size_t i = 0; i < n_keys; i++) {
        int code = storage_check_key(keys[i], err);
        if (code < 0)
            return code;
    }
    struct storage_plugin *plugin = plugin_new(name, keys, n_keys);
    if (!plugin)
        return rouse_fail_memory(err);
    int code = store_enter(store, err);
    if (code == 0) {
        code = install(store, plugin, err);
        store_leave(store);
    }
    if (code < 0)
        free(plugin);
    return code;
}

static int clear_values(rouse_store *store, const struct storage_plugin *plugin, const char *thread, const char *run,
                        rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    int code = batch ? 0 : rouse_fail_memory(err);
    for (size_t i = 0; code == 0 && i < plugin->n_keys; i++) {
        const rouse_key *key = plugin->keys[i];
        if (!key->retain && (key->scope == ROUSE_SCOPE_THREAD || run))
            code = batch_add_clear(batch, key, err);
    }
    if (code == 0)
        code = rouse_store_commit(store, &(rouse_commit){.thread = thread, .run = run, .batch = batch}, NULL, err);
    rouse_batch_free(batch);
    return code;
}

int rouse_store_uninstall(rouse_store *store, const char *name, const char *thread, const char *run, rouse_error *err)
{
    int code = name ? store_enter(store, err) : rouse_fail(err, ROUSE_EINVAL, "no plugin");
    if (code < 0)
        return code;
    struct storage_plugin *plugin = *find(store, name);
    store_leave(store);
    if (!plugin)
        return rouse_fail(err, ROUSE_ENOTFOUND, "plugin not installed: %s", name);
    code = thread ? clear_values(store, plugin, thread, run, err) : 0;
    if (code == 0)
        code = store_enter(store, err);
    if (code < 0)
        return code;
    struct storage_plugin **at = find(store, name);
    if (*at == plugin) {
        *at = plugin->next;
        forget_keys(&store->keys, plugin->keys, plugin->n_keys);
        free(plugin);
    } else {
        code = rouse_fail(err, ROUSE_ENOTFOUND, "plugin not installed: %s", name);
    }
    store_leave(store);
    return code;
}
