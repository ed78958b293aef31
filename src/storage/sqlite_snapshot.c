/* Snapshots. For the few places asked for last the handle keeps what they showed, as a set that shares everything with the
 * snapshots taken of it; so one more costs two short reads and one reference for each key.
 *
 * Invariants
 *   - What is seen of a place is what the store held at the data version that stands beside it. The version changes with every
 *     commit, whoever makes it, and is looked at inside a read transaction: what somebody else wrote is never missed.
 *   - The handle's own commits note their changes and make them once they are committed. What could not be noted, for lack of
 *     memory, is forgotten and read again: keeping up never fails a commit.
 *   - After another's commit the thread's revision tells whether this place changed, and each row's revision which entries did:
 *     all live rows are passed, only those are read. Imports set revisions as they like, and the same one may come back; so they
 *     are counted, and after one everything is read. */
#include "storage/sqlite.h"

#include <stdlib.h>
#include <string.h>

struct sqlite_pending { /* a change of what is seen, not committed yet */
    struct sqlite_pending *next;
    struct sqlite_seen *seen;
    const rouse_key *key;
    struct cell *cell; /* NULL: the entry, or the scalar, goes; with all: everything of the key */
    bool all;
    uint64_t seq; /* 0: that of the entry that is there */
    uint64_t revision;
    char name[]; /* "" of a scalar */
};

static void seen_drop(struct sqlite_seen *seen)
{
    free(seen->names);
    state_set_done(&seen->set);
    *seen = (struct sqlite_seen){0};
}

static bool seen_is(const struct sqlite_seen *seen, const char *thread, const char *run)
{
    return seen->names && strcmp(seen->names, thread) == 0 && strcmp(seen->names + strlen(thread) + 1, run) == 0;
}

static struct sqlite_seen *find_seen(struct sqlite_store *s, const char *thread, const char *run)
{
    for (size_t i = 0; i < SQLITE_SEEN; i++) {
        if (seen_is(&s->seen[i], thread, run))
            return &s->seen[i];
    }
    return NULL;
}

/* In the place of the one that nobody asked for the longest. NULL when out of memory. */
static struct sqlite_seen *new_seen(struct sqlite_store *s, const char *thread, const char *run)
{
    struct sqlite_seen *oldest = &s->seen[0];
    for (size_t i = 1; i < SQLITE_SEEN; i++) {
        if (s->seen[i].asked < oldest->asked)
            oldest = &s->seen[i];
    }
    size_t a = strlen(thread) + 1, b = strlen(run) + 1;
    char *names = malloc(a + b);
    if (!names)
        return NULL;
    memcpy(names, thread, a);
    memcpy(names + a, run, b);
    seen_drop(oldest);
    oldest->names = names;
    return oldest;
}

void sqlite_seen_done(struct sqlite_store *s)
{
    sqlite_pending_undo(s, &s->pending);
    for (size_t i = 0; i < SQLITE_SEEN; i++)
        seen_drop(&s->seen[i]);
}

void sqlite_seen_forget(struct sqlite_store *s, const char *thread)
{
    for (size_t i = 0; i < SQLITE_SEEN; i++) {
        if (s->seen[i].names && strcmp(s->seen[i].names, thread) == 0)
            seen_drop(&s->seen[i]);
    }
}

/* ---- reading what changed ---- */

struct bringing {
    const struct storage_keys *keys;
    struct state_set *set;
    bool *visited;        /* one for each slot that there can be */
    const rouse_key *key; /* whose rows are being passed, and: */
    size_t slot, at;      /* its slot; how many of the entries there are right */
    struct ptree_item **fresh; /* entries to put once all that is gone is out of the way: a name may have moved forward */
    size_t count, cap;
    bool astray;          /* an entry that is not new was not there */
};

static struct ptree *entries_of(struct bringing *b)
{
    return &b->set->slots[b->slot].by_seq;
}

/* Removes the entry at `at`. */
static int remove_one(struct bringing *b, rouse_error *err)
{
    if (state_set_reserve(b->set, 1) < 0)
        return rouse_fail_memory(err);
    const struct ptree_item *item = ptree_at(entries_of(b), b->at);
    struct ptree_item *kept = ptree_item_ref((struct ptree_item *)(uintptr_t)item); /* its name is read to the end */
    state_set_remove(b->set, &b->set->slots[b->slot], kept->seq, kept->name);
    ptree_item_unref(kept);
    return 0;
}

/* No more rows of this key: what is left of its entries is gone. */
static int end_key(struct bringing *b, rouse_error *err)
{
    int code = 0;
    while (code == 0 && b->key && ptree_count(entries_of(b)) > b->at)
        code = remove_one(b, err);
    for (; code == 0 && b->count > 0; b->count--) {
        code = state_set_reserve(b->set, 1) == 0 ? 0 : rouse_fail_memory(err);
        if (code < 0)
            break;
        state_set_put(b->set, &b->set->slots[b->slot], b->fresh[b->count - 1]);
        ptree_item_unref(b->fresh[b->count - 1]);
    }
    return code;
}

static int begin_key(struct bringing *b, const rouse_key *key, rouse_error *err)
{
    if (key == b->key)
        return 0;
    int code = end_key(b, err);
    const struct state_slot *slot = code == 0 ? state_set_slot(b->set, key) : NULL;
    if (!slot)
        return code < 0 ? code : rouse_fail_memory(err);
    b->key = key;
    b->slot = (size_t)(slot - b->set->slots);
    b->at = 0;
    b->visited[b->slot] = true;
    return 0;
}

static int put_one(struct bringing *b, const struct storage_row *row, uint64_t seq, rouse_error *err)
{
    struct cell *cell;
    int code = storage_row_cell(b->key, row, &cell, err);
    if (code < 0)
        return code;
    if (b->key->shape != ROUSE_SHAPE_MAP) {
        state_set_scalar(&b->set->slots[b->slot], cell);
        cell_unref(cell);
        return 0;
    }
    struct ptree_item *item = ptree_item_new(row->entry, seq, cell);
    void *fresh = b->fresh;
    code = item ? storage_grow(&fresh, &b->cap, b->count, sizeof *b->fresh, err) : rouse_fail_memory(err);
    b->fresh = fresh;
    if (code == 0)
        b->fresh[b->count++] = item;
    else
        ptree_item_unref(item);
    return code;
}

/* Rows come in the order of the entries. The json of one that did not change is NULL. */
static int pass_row(struct bringing *b, const struct storage_row *row, uint64_t seq, rouse_error *err)
{
    const rouse_key *key = storage_row_key(b->keys, row);
    int code = key ? begin_key(b, key, err) : 0;
    if (code < 0 || !key)
        return code;
    if (key->shape != ROUSE_SHAPE_MAP)
        return row->json ? put_one(b, row, seq, err) : 0;
    const struct ptree_item *item;
    while (code == 0 && (item = ptree_at(entries_of(b), b->at)) && item->seq < seq)
        code = remove_one(b, err);
    if (code < 0)
        return code;
    item = ptree_at(entries_of(b), b->at);
    bool there = item && item->seq == seq;
    b->astray |= !there && !row->json;
    if (there && row->json)
        code = remove_one(b, err);
    b->at += there && !row->json;
    return code == 0 && row->json ? put_one(b, row, seq, err) : code;
}

static int pass_rows(struct sqlite_store *s, struct bringing *b, sqlite3_stmt *statement, rouse_error *err)
{
    int code;
    while ((code = sqlite_step(s, statement, err)) == 1) {
        struct storage_row row = {0};
        uint64_t seq = 0;
        code = sqlite_read(statement, err, "ttttbu", &row.thread, &row.run, &row.key, &row.entry, &row.json, &row.len, &seq);
        if (code == 0)
            code = pass_row(b, &row, seq, err);
        if (code < 0)
            break;
    }
    sqlite3_reset(statement);
    if (code == 0)
        code = end_key(b, err);
    for (size_t i = 0; i < b->set->count && code == 0; i++) {
        if (!b->visited[i])
            state_set_clear(&b->set->slots[i]);
    }
    return code;
}

/* Reads what has a later revision than what is seen, or everything. */
static int bring(struct sqlite_store *s, const struct storage_keys *keys, struct sqlite_seen *seen, bool all, rouse_error *err)
{
    if (all)
        state_set_done(&seen->set);
    struct bringing b = {.keys = keys, .set = &seen->set};
    b.visited = calloc(seen->set.count + keys->count + 1, sizeof *b.visited);
    if (!b.visited)
        return rouse_fail_memory(err);
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, SQL_ENTRY_CHANGED, &statement, err, "ttiu", seen->names, seen->names + strlen(seen->names) + 1,
                           all ? 1 : 0, seen->revision);
    if (code == 0)
        code = pass_rows(s, &b, statement, err);
    while (b.count > 0)
        ptree_item_unref(b.fresh[--b.count]);
    free(b.fresh);
    free(b.visited);
    state_set_trim(&seen->set);
    return code == 0 && b.astray && !all ? bring(s, keys, seen, true, err) : code;
}

struct stamp { /* a moment of the store */
    unsigned version;
    uint64_t revision; /* of the thread */
};

static int bring_up(struct sqlite_store *s, const struct storage_keys *keys, struct sqlite_seen *seen, const struct stamp *now,
                    rouse_error *err)
{
    struct sqlite_place imports = {0};
    int code = sqlite_find_place(s, "", "", "imports", &imports, err);
    if (code < 0)
        return code;
    /* Revisions are signed in the file; no thread gets so far but by an import. */
    bool all = !seen->whole || seen->generation != keys->generation || seen->imports != imports.value || now->revision > INT64_MAX;
    code = all || seen->revision != now->revision ? bring(s, keys, seen, all, err) : 0;
    if (code < 0)
        return code;
    seen->whole = true;
    seen->generation = keys->generation;
    seen->imports = imports.value;
    seen->revision = now->revision;
    seen->version = now->version;
    return 0;
}

/* In a transaction that has read. On failure nothing is kept of the place. */
static int see(struct sqlite_store *s, const struct storage_keys *keys, const char *thread, const char *run,
               const struct stamp *now, struct sqlite_seen **ret_seen, rouse_error *err)
{
    struct sqlite_seen *seen = find_seen(s, thread, run);
    if (!seen)
        seen = new_seen(s, thread, run);
    if (!seen)
        return rouse_fail_memory(err);
    seen->asked = ++s->asked;
    bool current = seen->whole && seen->version == now->version && seen->generation == keys->generation;
    int code = current ? 0 : bring_up(s, keys, seen, now, err);
    if (code < 0)
        seen_drop(seen);
    else
        *ret_seen = seen;
    return code;
}

static int see_both(struct sqlite_store *s, const struct storage_keys *keys, const char *thread, const char *run,
                    uint64_t revision, rouse_error *err)
{
    struct sqlite_seen *seen;
    const struct stamp now = {sqlite_version(s), revision};
    int code = see(s, keys, thread, "", &now, &seen, err);
    return code == 0 && *run ? see(s, keys, thread, run, &now, &seen, err) : code;
}

static int snapshot_of(struct sqlite_store *s, const char *thread, const char *run, uint64_t revision,
                       rouse_snapshot **ret_snapshot, rouse_error *err)
{
    struct sqlite_seen *seen = find_seen(s, thread, ""), *of_run = *run ? find_seen(s, thread, run) : NULL;
    rouse_snapshot *snapshot = seen ? state_set_snapshot(revision, &seen->set, of_run ? &of_run->set : NULL, NULL, NULL) : NULL;
    if (!snapshot)
        return rouse_fail_memory(err);
    *ret_snapshot = snapshot;
    return 0;
}

int sqlite_snapshot(void *backend, const struct storage_keys *keys, const char *thread, const char *run,
                    rouse_snapshot **ret_snapshot, rouse_error *err)
{
    struct sqlite_store *s = backend;
    uint64_t revision;
    rouse_snapshot *snapshot = NULL;
    int code = sqlite_begin_read(s, err);
    if (code < 0)
        return code;
    code = sqlite_revision(s, thread, &revision, err);
    if (code == 0)
        code = see_both(s, keys, thread, run, revision, err);
    if (code == 0)
        code = snapshot_of(s, thread, run, revision, &snapshot, err);
    code = sqlite_end(s, code, err);
    if (code == 0)
        *ret_snapshot = snapshot;
    else
        rouse_snapshot_unref(snapshot);
    return code;
}

/* ---- around a commit ---- */

int sqlite_see_before(struct sqlite_store *s, const struct storage_keys *keys, const rouse_commit *commit, rouse_error *err)
{
    uint64_t revision;
    int code = sqlite_revision(s, commit->thread, &revision, err);
    return code < 0 ? code : see_both(s, keys, commit->thread, commit->run ? commit->run : "", revision, err);
}

rouse_snapshot *sqlite_see_after(struct sqlite_store *s, const rouse_commit *commit, uint64_t revision)
{
    const char *run = commit->run ? commit->run : "";
    const struct sqlite_seen *seen = find_seen(s, commit->thread, ""), *of_run = find_seen(s, commit->thread, run);
    rouse_snapshot *snapshot = NULL;
    if (seen && of_run && seen->version == s->version && of_run->version == s->version)
        snapshot_of(s, commit->thread, run, revision, &snapshot, NULL);
    return snapshot;
}

struct sqlite_seen *sqlite_seen_to_keep(struct sqlite_store *s, const char *thread, const char *run)
{
    struct sqlite_seen *seen = s->asked ? find_seen(s, thread, run) : NULL;
    return seen && seen->version == s->version ? seen : NULL;
}

/* Without memory the place is forgotten with the commit. */
static void note(struct sqlite_store *s, struct sqlite_seen *seen, const struct sqlite_pending *change, const char *name)
{
    size_t size = strlen(name) + 1;
    struct sqlite_pending *p = malloc(sizeof *p + size);
    if (!p) {
        seen->whole = false;
        return;
    }
    *p = *change;
    p->next = NULL;
    p->seen = seen;
    if (p->cell)
        cell_ref(p->cell);
    memcpy(p->name, name, size);
    *s->pending_end = p;
    s->pending_end = &p->next;
}

void sqlite_seen_note(struct sqlite_store *s, struct sqlite_seen *seen, const struct state_change *change, bool live, uint64_t seq,
                      uint64_t revision)
{
    if (!seen)
        return;
    const struct sqlite_pending p = {
        .key = change->key,
        .cell = change->action == STATE_PUT && live ? change->cell : NULL,
        .all = change->action == STATE_CLEAR,
        .seq = seq,
        .revision = revision,
    };
    note(s, seen, &p, change->entry ? change->entry : "");
}

void sqlite_pending_undo(struct sqlite_store *s, struct sqlite_pending **from)
{
    struct sqlite_pending *p = *from;
    *from = NULL;
    s->pending_end = from;
    while (p) {
        struct sqlite_pending *next = p->next;
        cell_unref(p->cell);
        free(p);
        p = next;
    }
}

/* 0, or what it was that could not be done. */
static int make_change(struct state_set *set, struct state_slot *slot, const struct sqlite_pending *p)
{
    if (p->all)
        state_set_clear(slot);
    if (p->all || p->key->shape != ROUSE_SHAPE_MAP) {
        state_set_scalar(slot, p->cell);
        return 0;
    }
    const struct ptree_item *there = ptree_find(&slot->by_name, p->name);
    uint64_t seq = p->seq ? p->seq : there ? there->seq : 0;
    if (state_set_reserve(set, 2) < 0)
        return ROUSE_ENOMEM;
    if (there && (!p->cell || there->seq != seq))
        state_set_remove(set, slot, there->seq, p->name);
    if (!p->cell)
        return 0;
    struct ptree_item *item = seq ? ptree_item_new(p->name, seq, cell_ref(p->cell)) : NULL;
    if (!item)
        return ROUSE_ENOMEM; /* or it comes back to life, and only the store knows its place in the order */
    state_set_put(set, slot, item);
    ptree_item_unref(item);
    return 0;
}

void sqlite_seen_keep_up(struct sqlite_store *s, unsigned version)
{
    for (struct sqlite_pending *p = s->pending; p; p = p->next) {
        if (!p->seen->whole || p->seen->version != s->version)
            continue;
        struct state_slot *slot = state_set_slot(&p->seen->set, p->key);
        p->seen->revision = p->revision;
        p->seen->whole = slot && make_change(&p->seen->set, slot, p) == 0;
    }
    sqlite_pending_undo(s, &s->pending);
    for (size_t i = 0; i < SQLITE_SEEN; i++) {
        struct sqlite_seen *seen = &s->seen[i];
        if (seen->names && seen->whole && seen->version == s->version)
            seen->version = version;
        state_set_trim(&seen->set);
    }
}
