/* Queues and leases: the public calls. */
#include "base/limits.h"
#include "storage/storage.h"

static int check_claim(const rouse_key *key, const rouse_claim *claim, rouse_error *err)
{
    if (!key || key->shape != ROUSE_SHAPE_MAP || key->scope != ROUSE_SCOPE_THREAD)
        return rouse_fail(err, ROUSE_EINVAL, "only entries of a thread's map can be claimed");
    if (!claim)
        return rouse_fail(err, ROUSE_EINVAL, "no claim");
    int code = storage_check_name("queue", claim->queue, err);
    if (code == 0)
        code = storage_check_name("holder", claim->holder, err);
    return code == 0 && claim->thread ? storage_check_name("thread", claim->thread, err) : code;
}

int rouse_store_claim(rouse_store *store, const rouse_key *key, const rouse_claim *claim, rouse_rows **ret_rows,
                      rouse_error *err)
{
    int code = check_claim(key, claim, err);
    if (code < 0)
        return code;
    rouse_claim filled = *claim;
    filled.limit = claim->limit ? claim->limit : 1;
    filled.limit = filled.limit < LIMIT_LIST ? filled.limit : LIMIT_LIST;
    rouse_rows *rows = storage_rows_new(key);
    if (!rows)
        return rouse_fail_memory(err);
    code = store_enter_to_keep(store, true, err);
    if (code == 0) {
        code = store->ops->claim(store->backend, key->name, &filled, storage_rows_add, rows, err);
        store_leave(store);
    }
    if (code < 0)
        rouse_rows_free(rows);
    else
        *ret_rows = rows;
    return code;
}

int rouse_store_unclaim(rouse_store *store, const rouse_key *key, const char *thread, const char *entry, const char *holder,
                        rouse_error *err)
{
    int code = check_claim(key, &(rouse_claim){.queue = "-", .holder = holder}, err);
    if (code == 0)
        code = storage_check_name("thread", thread, err);
    if (code == 0)
        code = storage_check_name("entry", entry, err);
    if (code == 0)
        code = store_enter_to_keep(store, true, err);
    if (code < 0)
        return code;
    code = store->ops->unclaim(store->backend, key->name, thread, entry, holder, err);
    store_leave(store);
    if (code == 0)
        store_ring(store);
    return code;
}

int rouse_store_lease(rouse_store *store, const char *name, const char *holder, uint64_t ttl_ms, uint64_t *ret_epoch,
                      rouse_error *err)
{
    uint64_t epoch;
    int code = storage_check_name("lease", name, err);
    if (code == 0)
        code = storage_check_name("holder", holder, err);
    if (code == 0 && ttl_ms == 0)
        code = rouse_fail(err, ROUSE_EINVAL, "a lease lasts at least a millisecond");
    if (code == 0)
        code = store_enter_to_keep(store, true, err);
    if (code < 0)
        return code;
    code = store->ops->lease(store->backend, name, holder, ttl_ms, &epoch, err);
    store_leave(store);
    if (code == 0 && ret_epoch)
        *ret_epoch = epoch;
    return code;
}

int rouse_store_lease_release(rouse_store *store, const char *name, uint64_t epoch, rouse_error *err)
{
    int code = storage_check_name("lease", name, err);
    if (code == 0)
        code = store_enter_to_keep(store, true, err);
    if (code < 0)
        return code;
    code = store->ops->lease_release(store->backend, name, epoch, err);
    store_leave(store);
    return code;
}
