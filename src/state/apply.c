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
    size_t key;  /* position in keys */
    char *entry; /* NULL for a scalar */
    void *value;
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
    struct edit_key *keys; /* few: searched one by one */
    size_t n_keys;
    size_t current; /* the key whose reducer runs */
    struct edit_item *items;
    size_t n_items, cap_items;
    struct lookup by_name;
    size_t order;
};

static const rouse_key *current_key(const rouse_edit *e)
{
    return e->keys[e->current].key;
}

static void edit_done(rouse_edit *e)
{
    for (size_t i = 0; i < e->n_items; i++) {
        e->keys[e->items[i].key].key->release(e->items[i].value);
        free(e->items[i].entry);
    }
    free(e->items);
    free(e->keys);
    lookup_done(&e->by_name);
}

static uint64_t item_hash(const rouse_edit *e, const char *entry)
{
    return lookup_hash(entry ? entry : "") + e->current;
}

static struct edit_item *find_item(const rouse_edit *e, const char *entry)
{
    size_t probe = 0, at;
    while (lookup_next(&e->by_name, item_hash(e, entry), &probe, &at)) {
        struct edit_item *item = &e->items[at];
        if (item->key == e->current && (entry ? item->entry && strcmp(item->entry, entry) == 0 : !item->entry))
            return item;
    }
    return NULL;
}

/* The item of entry, added when there is none: then without a value and CLEARED. NULL when out of memory. */
static struct edit_item *want_item(rouse_edit *e, const char *entry)
{
    struct edit_item *found = find_item(e, entry);
    if (found)
        return found;
    if (e->n_items == e->cap_items) {
        size_t cap = e->cap_items ? e->cap_items * 2 : 8;
        struct edit_item *items = reallocarray(e->items, cap, sizeof *items);
        if (!items)
            return NULL;
        e->items = items;
        e->cap_items = cap;
    }
    char *name = entry ? strdup(entry) : NULL;
    if ((entry && !name) || lookup_reserve(&e->by_name) < 0) {
        free(name);
        return NULL;
    }
    lookup_add(&e->by_name, item_hash(e, entry), e->n_items);
    struct edit_item *item = &e->items[e->n_items++];
    *item = (struct edit_item){.key = e->current, .entry = name, .state = ITEM_CLEARED};
    return item;
}

static void drop_value(const rouse_edit *e, struct edit_item *item, enum item_state state)
{
    e->keys[item->key].key->release(item->value);
    item->value = NULL;
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
    const rouse_key *key = current_key(edit);
    int code = check_entry(key, entry, err);
    if (code < 0)
        return code;
    struct edit_item *item = find_item(edit, entry);
    if (item || edit->keys[edit->current].cleared) {
        *ret_value = item ? item->value : NULL;
        return 0;
    }
    void *value = NULL;
    code = edit->source->get(edit->source->userdata, key, entry, &value, err);
    if (code < 0)
        return code;
    if (value) {
        item = want_item(edit, entry);
        if (!item) {
            key->release(value);
            return rouse_fail_memory(err);
        }
        item->value = value;
        item->state = ITEM_READ;
    }
    *ret_value = value;
    return 0;
}

int rouse_edit_put(rouse_edit *edit, const char *entry, void *value, rouse_error *err)
{
    const rouse_key *key = current_key(edit);
    int code = check_entry(key, entry, err);
    struct edit_item *item = code == 0 ? want_item(edit, entry) : NULL;
    if (!item) {
        key->release(value);
        return code < 0 ? code : rouse_fail_memory(err);
    }
    if (item->state == ITEM_REMOVED)
        item->moved = true;
    if (item->state == ITEM_REMOVED || item->state == ITEM_CLEARED)
        item->order = ++edit->order;
    drop_value(edit, item, ITEM_PUT);
    item->value = value;
    return 0;
}

int rouse_edit_remove(rouse_edit *edit, const char *entry, rouse_error *err)
{
    int code = check_entry(current_key(edit), entry, err);
    if (code < 0)
        return code;
    bool cleared = edit->keys[edit->current].cleared;
    struct edit_item *item = cleared ? find_item(edit, entry) : want_item(edit, entry);
    if (item)
        drop_value(edit, item, cleared ? ITEM_CLEARED : ITEM_REMOVED);
    return item || cleared ? 0 : rouse_fail_memory(err);
}

int rouse_edit_clear(rouse_edit *edit, rouse_error *err)
{
    (void)err;
    for (size_t i = 0; i < edit->n_items; i++) {
        if (edit->items[i].key == edit->current) {
            drop_value(edit, &edit->items[i], ITEM_CLEARED);
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
    struct edit_key *keys = reallocarray(e->keys, e->n_keys + 1, sizeof *keys);
    if (!keys)
        return rouse_fail_memory(err);
    e->keys = keys;
    e->current = e->n_keys;
    keys[e->n_keys++] = (struct edit_key){.key = key};
    return 0;
}

static int compare_items(const void *a, const void *b)
{
    const struct edit_item *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->order == y->order ? 0 : x->order < y->order ? -1 : 1;
}

static void add_change(struct state_changes *changes, enum state_action action, const rouse_key *key, char *entry,
                       void *value)
{
    changes->items[changes->count++] =
        (struct state_change){.action = action, .key = key, .entry = entry, .value = value};
}

/* Moves entry and value of item into changes. */
static int add_item(struct state_changes *changes, const rouse_key *key, struct edit_item *item, rouse_error *err)
{
    if (item->state == ITEM_PUT && item->moved) {
        char *entry = item->entry ? strdup(item->entry) : NULL;
        if (item->entry && !entry)
            return rouse_fail_memory(err);
        add_change(changes, STATE_REMOVE, key, entry, NULL);
    }
    if (item->state == ITEM_PUT)
        add_change(changes, STATE_PUT, key, item->entry, item->value);
    else if (item->state == ITEM_REMOVED)
        add_change(changes, STATE_REMOVE, key, item->entry, NULL);
    else
        return 0;
    item->entry = NULL;
    item->value = NULL;
    return 0;
}

static int collect(rouse_edit *e, struct state_changes *changes, rouse_error *err)
{
    changes->items = calloc(e->n_keys + 2 * e->n_items, sizeof *changes->items);
    if (!changes->items)
        return rouse_fail_memory(err);
    if (e->n_items > 1)
        qsort(e->items, e->n_items, sizeof *e->items, compare_items);
    size_t at = 0;
    for (size_t k = 0; k < e->n_keys; k++) {
        if (e->keys[k].cleared)
            add_change(changes, STATE_CLEAR, e->keys[k].key, NULL, NULL);
        for (; at < e->n_items && e->items[at].key == k; at++) {
            int code = add_item(changes, e->keys[k].key, &e->items[at], err);
            if (code < 0)
                return code;
        }
    }
    return 0;
}

int state_apply(const rouse_batch *batch, const struct state_source *source, struct state_changes *ret_changes,
                rouse_error *err)
{
    rouse_edit edit = {.source = source};
    struct state_changes changes = {0};
    int code = 0;
    for (size_t i = 0; i < batch->count && code >= 0; i++) {
        const rouse_key *key = batch->items[i].key;
        code = enter_key(&edit, key, err);
        if (code == 0)
            code = key->reduce(&edit, batch->items[i].update, err);
    }
    if (code >= 0 && batch->count > 0)
        code = collect(&edit, &changes, err);
    edit_done(&edit);
    if (code < 0) {
        state_changes_done(&changes);
        return code;
    }
    *ret_changes = changes;
    return 0;
}

void state_changes_done(struct state_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        changes->items[i].key->release(changes->items[i].value);
        free(changes->items[i].entry);
    }
    free(changes->items);
    *changes = (struct state_changes){0};
}
