/* The overlay that reducers work on. What they put lies over what the source has; each entry that anybody looked at or
 * changed is one item, found by (key, entry).
 *
 *   READ     its value is the source's, owned here until the end
 *   PUT      its value is new
 *   REMOVED  gone; the source may still have it
 *   CLEARED  gone with everything else of its key: the key's STATE_CLEAR says so */
#include "state/apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/lookup.h"
#include "state/batch.h"

enum item_state { ITEM_READ, ITEM_PUT, ITEM_REMOVED, ITEM_CLEARED };

struct edit_item {
    size_t key;        /* position in keys */
    const char *entry; /* NULL for a scalar; one of changes' names */
    struct cell *cell;
    enum item_state state;
    bool moved; /* PUT after it was removed: it comes last in the map's order now */
    size_t order;
};

struct edit_key {
    const rouse_key *key;
    bool cleared;
};

struct rouse_edit {
    const struct state_source *source;
    struct state_changes *changes; /* empty until the end, but for the names */
    struct edit_key *keys;         /* few: searched one by one */
    size_t n_keys, cap_keys;
    size_t current; /* the key whose reducer runs */
    struct edit_item *items;
    size_t n_items, cap_items;
    struct lookup by_name; /* empty while there are few items */
    size_t order;
    struct edit_key few_keys[STATE_FEW];
    struct edit_item few_items[STATE_FEW];
};

const rouse_key *edit_key(const rouse_edit *edit)
{
    return edit->keys[edit->current].key;
}

static void edit_init(rouse_edit *e, const struct state_source *source, struct state_changes *changes)
{
    e->source = source;
    e->changes = changes;
    e->keys = e->few_keys;
    e->items = e->few_items;
    e->cap_keys = e->cap_items = STATE_FEW;
    e->n_keys = e->n_items = e->current = e->order = 0;
    e->by_name = (struct lookup){0};
}

static void edit_done(rouse_edit *e)
{
    for (size_t i = 0; i < e->n_items; i++)
        cell_unref(e->items[i].cell);
    if (e->items != e->few_items)
        free(e->items);
    if (e->keys != e->few_keys)
        free(e->keys);
    lookup_done(&e->by_name);
}

/* Twice the room for what *items holds, which starts out at few. NULL when out of memory: then nothing changed. */
static void *grow(void *items, const void *few, size_t *cap, size_t size)
{
    void *larger = reallocarray(items == few ? NULL : items, *cap * 2, size);
    if (!larger)
        return NULL;
    if (items == few)
        memcpy(larger, few, *cap * size);
    *cap *= 2;
    return larger;
}

static uint64_t item_hash(size_t key, const char *entry)
{
    return lookup_hash(entry ? entry : "") + key;
}

static bool is_item(const rouse_edit *e, const struct edit_item *item, const char *entry)
{
    return item->key == e->current && (entry ? item->entry && strcmp(item->entry, entry) == 0 : !item->entry);
}

static struct edit_item *find_item(const rouse_edit *e, const char *entry)
{
    size_t probe = 0, at;
    if (e->by_name.used < e->n_items) {
        for (size_t i = 0; i < e->n_items; i++) {
            if (is_item(e, &e->items[i], entry))
                return &e->items[i];
        }
        return NULL;
    }
    while (lookup_next(&e->by_name, item_hash(e->current, entry), &probe, &at)) {
        if (is_item(e, &e->items[at], entry))
            return &e->items[at];
    }
    return NULL;
}

/* Makes find_item find the item that is about to be added; with few items it needs no table. */
static int index_item(rouse_edit *e, const char *entry)
{
    if (e->n_items < STATE_FEW)
        return 0;
    for (size_t i = e->by_name.used; i <= e->n_items; i++) {
        if (lookup_reserve(&e->by_name) < 0)
            return ROUSE_ENOMEM;
        uint64_t hash = i < e->n_items ? item_hash(e->items[i].key, e->items[i].entry) : item_hash(e->current, entry);
        lookup_add(&e->by_name, hash, i);
    }
    return 0;
}

/* The item of entry, added when there is none: then without a value and CLEARED. NULL when out of memory. */
static struct edit_item *want_item(rouse_edit *e, const char *entry)
{
    struct edit_item *found = find_item(e, entry);
    if (found)
        return found;
    if (e->n_items == e->cap_items) {
        struct edit_item *items = grow(e->items, e->few_items, &e->cap_items, sizeof *items);
        if (!items)
            return NULL;
        e->items = items;
    }
    const char *name = entry ? state_changes_name(e->changes, entry) : NULL;
    if ((entry && !name) || index_item(e, entry) < 0)
        return NULL;
    struct edit_item *item = &e->items[e->n_items++];
    *item = (struct edit_item){.key = e->current, .entry = name, .state = ITEM_CLEARED};
    return item;
}

static void drop_value(struct edit_item *item, enum item_state state)
{
    cell_unref(item->cell);
    item->cell = NULL;
    item->state = state;
}

static int check_entry(const rouse_key *key, const char *entry, rouse_error *err)
{
    if (key->shape == ROUSE_SHAPE_SCALAR)
        return entry ? rouse_fail(err, ROUSE_EINVAL, "key '%s' has no entries", key->name) : 0;
    if (!entry || entry[0] == '\0')
        return rouse_fail(err, ROUSE_EINVAL, "key '%s': an entry needs a name", key->name);
    if (strlen(entry) > LIMIT_ENTRY_NAME)
        return rouse_fail(err, ROUSE_EINVAL, "key '%s': the name of entry '%.40s…' is longer than %d bytes", key->name,
                          entry, LIMIT_ENTRY_NAME);
    return 0;
}

int rouse_edit_get(rouse_edit *edit, const char *entry, const void **ret_value, rouse_error *err)
{
    const rouse_key *key = edit_key(edit);
    int code = check_entry(key, entry, err);
    if (code < 0)
        return code;
    struct edit_item *item = find_item(edit, entry);
    if (item || edit->keys[edit->current].cleared) {
        *ret_value = item && item->cell ? item->cell->value : NULL;
        return 0;
    }
    struct cell *cell = NULL;
    code = edit->source->get(edit->source->userdata, key, entry, &cell, err);
    if (code < 0)
        return code;
    if (cell) {
        item = want_item(edit, entry);
        if (!item) {
            cell_unref(cell);
            return rouse_fail_memory(err);
        }
        item->cell = cell;
        item->state = ITEM_READ;
    }
    *ret_value = cell ? cell->value : NULL;
    return 0;
}

int rouse_edit_put(rouse_edit *edit, const char *entry, void *value, rouse_error *err)
{
    const rouse_key *key = edit_key(edit);
    int code = check_entry(key, entry, err);
    if (code < 0) {
        key->release(value);
        return code;
    }
    struct cell *cell = cell_new(key, value);
    struct edit_item *item = cell ? want_item(edit, entry) : NULL;
    if (!item) {
        cell_unref(cell);
        return rouse_fail_memory(err);
    }
    if (item->state == ITEM_REMOVED)
        item->moved = true;
    if (item->state == ITEM_REMOVED || item->state == ITEM_CLEARED)
        item->order = ++edit->order;
    drop_value(item, ITEM_PUT);
    item->cell = cell;
    return 0;
}

int rouse_edit_remove(rouse_edit *edit, const char *entry, rouse_error *err)
{
    int code = check_entry(edit_key(edit), entry, err);
    if (code < 0)
        return code;
    bool cleared = edit->keys[edit->current].cleared;
    struct edit_item *item = cleared ? find_item(edit, entry) : want_item(edit, entry);
    if (item)
        drop_value(item, cleared ? ITEM_CLEARED : ITEM_REMOVED);
    return item || cleared ? 0 : rouse_fail_memory(err);
}

int rouse_edit_clear(rouse_edit *edit, rouse_error *err)
{
    (void)err;
    for (size_t i = 0; i < edit->n_items; i++) {
        if (edit->items[i].key == edit->current) {
            drop_value(&edit->items[i], ITEM_CLEARED);
            edit->items[i].moved = false;
        }
    }
    edit->keys[edit->current].cleared = true;
    return 0;
}

static int enter_key(rouse_edit *e, const rouse_key *key, rouse_error *err)
{
    for (size_t i = 0; i < e->n_keys; i++) {
        if (e->keys[i].key == key || strcmp(e->keys[i].key->name, key->name) == 0) {
            e->current = i;
            return 0;
        }
    }
    if (e->n_keys == e->cap_keys) {
        struct edit_key *keys = grow(e->keys, e->few_keys, &e->cap_keys, sizeof *keys);
        if (!keys)
            return rouse_fail_memory(err);
        e->keys = keys;
    }
    e->current = e->n_keys;
    e->keys[e->n_keys++] = (struct edit_key){.key = key};
    return 0;
}

static int compare_items(const void *a, const void *b)
{
    const struct edit_item *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->order == y->order ? 0 : x->order < y->order ? -1 : 1;
}

static int add_change(const rouse_edit *e, enum state_action action, const rouse_key *key, struct edit_item *item,
                      rouse_error *err)
{
    struct state_change change = {.action = action, .key = key, .entry = item ? item->entry : NULL};
    if (action == STATE_PUT) {
        change.cell = item->cell;
        item->cell = NULL;
    }
    return state_changes_append(e->changes, &change, err);
}

static int add_item(const rouse_edit *e, struct edit_item *item, rouse_error *err)
{
    const rouse_key *key = e->keys[item->key].key;
    int code = 0;
    if (item->state == ITEM_REMOVED || (item->state == ITEM_PUT && item->moved))
        code = add_change(e, STATE_REMOVE, key, item, err);
    if (item->state == ITEM_PUT && code == 0)
        code = add_change(e, STATE_PUT, key, item, err);
    return code;
}

static int collect(rouse_edit *e, rouse_error *err)
{
    if (e->n_items > 1)
        qsort(e->items, e->n_items, sizeof *e->items, compare_items);
    size_t at = 0;
    int code = 0;
    for (size_t k = 0; k < e->n_keys && code == 0; k++) {
        if (e->keys[k].cleared)
            code = add_change(e, STATE_CLEAR, e->keys[k].key, NULL, err);
        for (; at < e->n_items && e->items[at].key == k && code == 0; at++)
            code = add_item(e, &e->items[at], err);
    }
    return code;
}

int state_apply(const rouse_batch *batch, const struct state_source *source, struct state_changes *ret_changes,
                rouse_error *err)
{
    rouse_edit edit;
    int code = 0;
    state_changes_init(ret_changes);
    edit_init(&edit, source, ret_changes);
    for (size_t i = 0; i < batch->count && code >= 0; i++) {
        const rouse_key *key = batch->items[i].key;
        code = enter_key(&edit, key, err);
        if (code == 0 && batch_is_clear_at(batch, i))
            code = key->shape == ROUSE_SHAPE_MAP ? rouse_edit_clear(&edit, err) : rouse_edit_remove(&edit, NULL, err);
        else if (code == 0)
            code = key->reduce(&edit, batch->items[i].update, err);
    }
    if (code >= 0)
        code = collect(&edit, err);
    edit_done(&edit);
    if (code < 0)
        state_changes_done(ret_changes);
    return code;
}
