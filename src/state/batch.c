#include "state/batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "state/apply.h"

rouse_batch *rouse_batch_new(void)
{
    rouse_batch *batch = malloc(sizeof *batch);
    if (batch) {
        batch->items = batch->few;
        batch->cap = BATCH_FEW;
        batch->count = 0;
        batch->has_base = false;
    }
    return batch;
}

static void release_update(const rouse_key *key, void *update)
{
    if (update && key->release_update)
        key->release_update(update);
}

void rouse_batch_free(rouse_batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->count; i++)
        release_update(batch->items[i].key, batch->items[i].update);
    if (batch->items != batch->few)
        free(batch->items);
    free(batch);
}

static int reserve(rouse_batch *batch, size_t more, rouse_error *err)
{
    if (batch->cap - batch->count >= more)
        return 0;
    size_t cap = batch->cap * 2 + more;
    bool inside = batch->items == batch->few;
    struct batch_item *items = reallocarray(inside ? NULL : batch->items, cap, sizeof *items);
    if (!items)
        return rouse_fail_memory(err);
    if (inside)
        memcpy(items, batch->few, batch->count * sizeof *items);
    batch->items = items;
    batch->cap = cap;
    return 0;
}

int batch_add_clear(rouse_batch *batch, const rouse_key *key, rouse_error *err)
{
    int code = reserve(batch, 1, err);
    if (code == 0)
        batch->items[batch->count++] = (struct batch_item){.key = key};
    return code;
}

bool batch_is_clear_at(const rouse_batch *batch, size_t i)
{
    return !batch->items[i].update;
}

int rouse_batch_add(rouse_batch *batch, const rouse_key *key, void *update, rouse_error *err)
{
    if (!update) /* makers of updates give NULL when there is no memory: told here, once */
        return rouse_fail_memory(err);
    int code = reserve(batch, 1, err);
    if (code < 0) {
        release_update(key, update);
        return code;
    }
    batch->items[batch->count++] = (struct batch_item){.key = key, .update = update};
    return 0;
}

int rouse_batch_add_json(rouse_batch *batch, const rouse_key *key, const char *json, size_t len, rouse_error *err)
{
    void *update = NULL;
    if (!key->decode_update)
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "key '%s' takes no updates as JSON", key->name);
    int code = key->decode_update(json, len, &update, err);
    return code < 0 ? code : rouse_batch_add(batch, key, update, err);
}

void rouse_batch_set_base(rouse_batch *batch, uint64_t revision)
{
    batch->has_base = true;
    batch->base = revision;
}

size_t rouse_batch_count(const rouse_batch *batch)
{
    return batch->count;
}

const rouse_key *batch_key_at(const rouse_batch *batch, size_t i)
{
    return batch->items[i].key;
}

bool batch_base(const rouse_batch *batch, uint64_t *ret_base)
{
    if (batch->has_base)
        *ret_base = batch->base;
    return batch->has_base;
}

bool batch_is_empty(const rouse_batch *batch)
{
    return batch->count == 0;
}

static int check_bases(const rouse_batch *left, const rouse_batch *right, rouse_error *err)
{
    if (left->has_base && right->has_base && left->base != right->base)
        return rouse_fail(err, ROUSE_ECONFLICT, "patch base revision mismatch: %" PRIu64 " vs %" PRIu64, left->base,
                          right->base);
    return 0;
}

int rouse_batch_extend(rouse_batch *left, rouse_batch *right, rouse_error *err)
{
    int code = check_bases(left, right, err);
    if (code == 0)
        code = reserve(left, right->count, err);
    if (code < 0)
        return code;
    if (right->count > 0)
        memcpy(left->items + left->count, right->items, right->count * sizeof *right->items);
    left->count += right->count;
    if (right->has_base)
        rouse_batch_set_base(left, right->base);
    right->count = 0;
    right->has_base = false;
    return 0;
}

/* Keys are known by name: two libraries may bring descriptors of one key. */
static bool touches(const rouse_batch *batch, size_t before, const char *name)
{
    const rouse_key *last = NULL;
    for (size_t i = 0; i < before; i++) {
        const rouse_key *key = batch->items[i].key;
        if (key != last && strcmp(key->name, name) == 0)
            return true;
        last = key;
    }
    return false;
}

int rouse_batch_merge(rouse_batch *left, rouse_batch *right, rouse_error *err)
{
    const rouse_key *last = NULL;
    for (size_t i = 0; i < right->count; i++) {
        const rouse_key *key = right->items[i].key;
        bool seen = key == last || touches(right, i, key->name);
        last = key;
        if (!seen && key->merge != ROUSE_MERGE_COMMUTATIVE && touches(left, left->count, key->name))
            return rouse_fail(err, ROUSE_ECONFLICT, "parallel merge conflict on exclusive key: %s", key->name);
    }
    return rouse_batch_extend(left, right, err);
}
