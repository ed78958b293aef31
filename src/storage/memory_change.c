/* A change of values, in two halves: what can fail, which can be undone, and what cannot. */
#include <stdlib.h>
#include <string.h>

#include "storage/memory.h"

struct memory_place *memory_change_place(const struct memory_change *change, const rouse_key *key)
{
    return key->scope == ROUSE_SCOPE_RUN ? change->run : change->thread;
}

static struct memory_shelf *shelf_of(const struct memory_change *c, const rouse_key *key)
{
    return memory_find_shelf(memory_change_place(c, key), key->name);
}

/* ---- names: one holder among the live entries of a shelf ---- */

static int hold(struct memory_change *c, struct memory_group *group, struct memory_entry *holder, rouse_error *err)
{
    void *held = c->held;
    int code = storage_grow(&held, &c->cap_held, c->n_held, sizeof *c->held, err);
    c->held = held;
    if (code < 0)
        return code;
    c->held[c->n_held++] = (struct memory_holding){.group = group, .holder = group->holder};
    group->holder = holder;
    return 0;
}

static bool still_holds(const struct memory_entry *holder)
{
    return holder && !holder->leaving && !(holder->shelf->clearing && !holder->fresh);
}

/* An entry that was given twice (an import may) may hold a name from the first time. */
static int let_go(struct memory_change *c, const struct memory_put *put, rouse_error *err)
{
    struct memory_entry *entry = put->entry;
    bool again = entry->fresh && !put->made;
    struct memory_group *old = memory_group_of(entry->members, MEMORY_NAME);
    int code = old && old->holder == entry ? hold(c, old, NULL, err) : 0;
    for (size_t i = 0; i < c->n_held && code == 0 && again; i++) {
        if (c->held[i].group->holder == entry)
            code = hold(c, c->held[i].group, NULL, err);
    }
    return code;
}

static int stage_name(struct memory_change *c, const struct memory_put *put, bool live, rouse_error *err)
{
    const struct memory_member *members = put->index_changed ? put->members : put->entry->members;
    struct memory_group *group = memory_group_of(members, MEMORY_NAME);
    int code = let_go(c, put, err);
    if (code < 0 || !group || !live)
        return code;
    if (still_holds(group->holder))
        return storage_fail_name(group->text, err);
    return hold(c, group, put->entry, err);
}

/* ---- staging ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_index(const rouse_index *a, const rouse_index *b)
{
    return same_text(a->name, b->name) && same_text(a->parent, b->parent) && same_text(a->run, b->run);
}

static int raise_number(struct memory_store *s, const char *entry, rouse_error *err)
{
    uint64_t number;
    if (!storage_task_number(entry, &number))
        return 0;
    if (number == UINT64_MAX)
        return rouse_fail(err, ROUSE_ELIMIT, "'%s' would leave no number for another task", entry);
    if (number >= s->number)
        s->number = number + 1;
    return 0;
}

/* The entry that a put is of: one that is there and stays, else a fresh one. */
static int want_entry(struct memory_change *c, struct memory_shelf *shelf, const char *name, struct memory_put *put,
                      rouse_error *err)
{
    struct memory_entry *entry = memory_find_entry(c->store, shelf, name);
    if (entry && !entry->fresh && (entry->leaving || shelf->clearing))
        entry = NULL;
    if (!entry) {
        entry = memory_entry_new(c->store, shelf, name);
        put->made = entry != NULL;
    }
    put->entry = entry;
    return entry ? 0 : rouse_fail_memory(err);
}

static int stage_put(struct memory_change *c, const struct state_change *change, struct memory_put *put, rouse_error *err)
{
    struct memory_shelf *shelf = shelf_of(c, change->key);
    if (!change->entry)
        return 0;
    int code = raise_number(c->store, change->entry, err);
    if (code == 0)
        code = want_entry(c, shelf, change->entry, put, err);
    if (code < 0)
        return code;
    struct memory_entry *entry = put->entry;
    rouse_index index = storage_index(change->key, change->cell->value), old = {0};
    if (!entry->fresh)
        old = storage_index(entry->cell->key, entry->cell->value);
    put->index_changed = entry->fresh || !same_index(&index, &old);
    if (put->index_changed && !memory_members_new(c->store, entry, &index, &put->members))
        return rouse_fail_memory(err);
    if (index.live) {
        put->item = ptree_item_new(entry->name, entry->seq, cell_ref(change->cell));
        if (!put->item)
            return rouse_fail_memory(err);
        put->item->owner = entry;
    }
    if (index.live && index.due_ms > 0) {
        put->due = malloc(sizeof *put->due);
        if (!put->due)
            return rouse_fail_memory(err);
        *put->due = (struct memory_due){.rank = {.entry = entry, .rank = index.due_ms, .then = UINT64_MAX - entry->seq}};
    }
    if (!memory_queued_new(c->store, entry, &index, &put->queued))
        return rouse_fail_memory(err);
    return stage_name(c, put, index.live, err);
}

static int stage_remove(struct memory_change *c, const struct state_change *change, struct memory_put *put)
{
    struct memory_shelf *shelf = shelf_of(c, change->key);
    struct memory_entry *entry = change->entry ? memory_find_entry(c->store, shelf, change->entry) : NULL;
    if (entry && !entry->leaving && !entry->fresh && !shelf->clearing) {
        entry->leaving = true;
        put->entry = entry;
    }
    return 0;
}

static int stage_one(struct memory_change *c, size_t i, rouse_error *err)
{
    const struct state_change *change = &c->items[i];
    switch (change->action) {
    case STATE_PUT:
        return stage_put(c, change, &c->puts[i], err);
    case STATE_REMOVE:
        return stage_remove(c, change, &c->puts[i]);
    case STATE_CLEAR:
        shelf_of(c, change->key)->clearing = true;
        return 0;
    }
    return rouse_fail(err, ROUSE_EINVAL, "no such change");
}

/* Shelves stay when the change does not: one without a value is as good as none. */
static int stage_shelves(struct memory_change *c, rouse_error *err)
{
    const rouse_key *last = NULL;
    for (size_t i = 0; i < c->count; i++) {
        const rouse_key *key = c->items[i].key;
        if (key != last && !memory_want_shelf(c->store, memory_change_place(c, key), key))
            return rouse_fail_memory(err);
        last = key;
    }
    return 0;
}

/* Nodes for the trees of live entries. A cleared set needs none, but its entries leave the tree of their kind one by one. */
static int reserve_trees(struct memory_change *c, struct memory_place *place, rouse_error *err)
{
    size_t cleared = 0;
    if (!place)
        return 0;
    for (const struct memory_shelf *shelf = place->shelves; shelf; shelf = shelf->next)
        cleared += shelf->clearing ? ptree_count(&memory_slot(shelf)->by_seq) : 0;
    for (struct memory_shelf *shelf = place->shelves; shelf; shelf = shelf->next) {
        struct memory_kind *kind = shelf->kind;
        if (ptree_pool_reserve(&kind->pool, ptree_need(&kind->live, c->count + cleared)) < 0)
            return rouse_fail_memory(err);
    }
    return state_set_reserve(&place->set, c->count) < 0 ? rouse_fail_memory(err) : 0;
}

static int stage_all(struct memory_change *c, rouse_error *err)
{
    int code = stage_shelves(c, err);
    for (size_t i = 0; i < c->count && code == 0; i++) {
        c->puts[i] = (struct memory_put){0};
        c->staged = i + 1;
        code = stage_one(c, i, err);
    }
    if (code == 0)
        code = reserve_trees(c, c->thread, err);
    return code == 0 ? reserve_trees(c, c->run, err) : code;
}

int memory_change_stage(struct memory_change *change, rouse_error *err)
{
    struct memory_change *c = change;
    c->puts = c->few;
    c->staged = c->n_held = c->cap_held = 0;
    c->held = NULL;
    c->number = c->store->number;
    if (c->count > STATE_FEW)
        c->puts = reallocarray(NULL, c->count, sizeof *c->puts);
    if (!c->puts)
        return rouse_fail_memory(err);
    int code = stage_all(c, err);
    if (code < 0)
        memory_change_undo(c);
    return code;
}

static void end_staging(struct memory_change *c)
{
    for (size_t i = 0; i < c->staged; i++) {
        if (c->items[i].action == STATE_CLEAR)
            shelf_of(c, c->items[i].key)->clearing = false;
    }
    if (c->puts != c->few)
        free(c->puts);
    free(c->held);
}

void memory_change_undo(struct memory_change *change)
{
    struct memory_change *c = change;
    while (c->n_held > 0) {
        struct memory_holding *last = &c->held[--c->n_held];
        last->group->holder = last->holder;
    }
    for (size_t i = c->staged; i-- > 0;) {
        struct memory_put *put = &c->puts[i];
        ptree_item_unref(put->item);
        memory_members_free(c->store, put->members);
        free(put->due);
        memory_queued_free(c->store, put->queued);
        if (put->entry && c->items[i].action == STATE_REMOVE)
            put->entry->leaving = false;
        if (put->made) /* backwards: nobody who was given it again is left */
            memory_entry_free(c->store, put->entry);
    }
    c->store->number = c->number;
    end_staging(c);
}

/* ---- publishing ---- */

static void publish_entry(struct memory_change *c, struct memory_shelf *shelf, struct memory_put *put, struct cell *cell)
{
    struct memory_entry *entry = put->entry;
    struct state_set *set = &shelf->place->set;
    struct state_slot *slot = memory_slot(shelf);
    bool was_live = entry->live, live = put->item != NULL;
    struct cell *old = entry->cell;
    entry->cell = cell_ref(cell);
    if (live) {
        state_set_put(set, slot, put->item);
        ptree_put(&shelf->kind->live, put->item, &shelf->kind->pool);
        ptree_item_unref(put->item);
    } else if (was_live) {
        state_set_remove(set, slot, entry->seq, entry->name);
        ptree_remove(&shelf->kind->live, entry->seq, NULL, &shelf->kind->pool);
    }
    memory_set_live(entry, live);
    memory_set_due(entry, put->due);
    memory_set_queued(c->store, entry, put->queued);
    if (put->index_changed)
        memory_set_members(c->store, entry, put->members);
    c->store->ended = c->store->ended || (!live && (was_live || entry->fresh));
    if (entry->fresh)
        memory_link_entry(c->store, entry);
    cell_unref(old);
}

static void publish_remove(struct memory_change *c, struct memory_shelf *shelf, struct memory_entry *entry)
{
    if (!entry)
        return;
    if (entry->live)
        state_set_remove(&shelf->place->set, memory_slot(shelf), entry->seq, entry->name);
    memory_unlink_entry(c->store, entry);
}

static void publish_clear(struct memory_change *c, struct memory_shelf *shelf)
{
    while (shelf->oldest)
        memory_unlink_entry(c->store, shelf->oldest);
    state_set_clear(memory_slot(shelf));
    shelf->present = false;
}

static void publish_one(struct memory_change *c, size_t i)
{
    const struct state_change *change = &c->items[i];
    struct memory_put *put = &c->puts[i];
    struct memory_shelf *shelf = shelf_of(c, change->key);
    if (change->action == STATE_CLEAR)
        publish_clear(c, shelf);
    else if (change->key->shape == ROUSE_SHAPE_SCALAR)
        state_set_scalar(memory_slot(shelf), change->cell);
    else if (change->action == STATE_REMOVE)
        publish_remove(c, shelf, put->entry);
    else
        publish_entry(c, shelf, put, change->cell);
}

static void trim(struct memory_place *place)
{
    if (!place)
        return;
    state_set_trim(&place->set);
    for (struct memory_shelf *shelf = place->shelves; shelf; shelf = shelf->next)
        ptree_pool_trim(&shelf->kind->pool);
}

void memory_change_publish(struct memory_change *change)
{
    for (size_t i = 0; i < change->count; i++)
        publish_one(change, i);
    end_staging(change);
    trim(change->thread);
    trim(change->run);
}
