/* Reading. A list takes whichever of its indexes is the shortest. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "storage/memory.h"

/* ---- values ---- */

static int give(const struct memory_shelf *shelf, const char *entry, struct cell *cell, storage_row_sink *sink, void *userdata,
                rouse_error *err)
{
    struct storage_row row = {.thread = shelf->place->thread, .run = shelf->place->run, .key = shelf->kind->name, .entry = entry,
                              .cell = cell};
    return sink(userdata, &row, err);
}

static int give_shelf(const struct memory_shelf *shelf, storage_row_sink *sink, void *userdata, rouse_error *err)
{
    struct cell *scalar = memory_slot(shelf)->scalar;
    int code = scalar ? give(shelf, "", scalar, sink, userdata, err) : 0;
    if (shelf->present && shelf->key->shape == ROUSE_SHAPE_MAP) {
        struct storage_row mark = {.thread = shelf->place->thread, .run = shelf->place->run, .key = shelf->kind->name,
                                   .entry = "", .json = ""};
        code = sink(userdata, &mark, err);
    }
    for (const struct memory_entry *e = shelf->oldest; e && code == 0; e = e->newer)
        code = give(shelf, e->name, e->cell, sink, userdata, err);
    return code;
}

static int give_place(const struct memory_place *place, storage_row_sink *sink, void *userdata, rouse_error *err)
{
    int code = 0;
    for (const struct memory_shelf *shelf = place ? place->shelves : NULL; shelf && code == 0; shelf = shelf->next)
        code = give_shelf(shelf, sink, userdata, err);
    return code;
}

int memory_values(void *backend, const char *thread, const char *run, uint64_t *ret_revision, storage_row_sink *sink,
                  void *userdata, rouse_error *err)
{
    const struct memory_store *s = backend;
    const struct memory_place *place = memory_find_place(s, thread, "");
    *ret_revision = place ? place->revision : 0;
    int code = give_place(place, sink, userdata, err);
    if (code == 0 && *run)
        code = give_place(memory_find_place(s, thread, run), sink, userdata, err);
    return code;
}

int memory_snapshot(void *backend, const struct storage_keys *keys, const char *thread, const char *run,
                    rouse_snapshot **ret_snapshot, rouse_error *err)
{
    struct state_set nothing = {0};
    const struct memory_store *s = backend;
    struct memory_place *place = memory_find_place(s, thread, "");
    struct memory_place *of_run = *run ? memory_find_place(s, thread, run) : NULL;
    rouse_snapshot *snapshot = state_set_snapshot(place ? place->revision : 0, place ? &place->set : &nothing,
                                                  of_run ? &of_run->set : NULL, storage_knows_key, keys);
    if (!snapshot)
        return rouse_fail_memory(err);
    *ret_snapshot = snapshot;
    return 0;
}

/* ---- lists ---- */

struct listing {
    const struct memory_store *s;
    const struct memory_kind *kind;
    struct memory_shelf *shelf; /* of the query's thread */
    const rouse_query *query;
    const struct memory_entry *start; /* a page begins behind it, or NULL */
    uint64_t before;                  /* its seq: only what has a smaller one */
    size_t left;
    storage_row_sink *sink;
    void *userdata;
};

static bool has(const struct memory_entry *e, enum memory_index which, const char *text)
{
    const struct memory_group *group = text ? memory_group_of(e->members, which) : NULL;
    return !text || (group && strcmp(group->text, text) == 0);
}

static bool is_in_queue(const struct memory_entry *e, const char *queue)
{
    const rouse_index index = storage_index(e->cell->key, e->cell->value);
    return index.queue && strcmp(index.queue, queue) == 0;
}

static bool matches(const struct listing *l, const struct memory_entry *e)
{
    const rouse_query *q = l->query;
    return e->seq < l->before && (!q->thread || e->shelf == l->shelf) && (!q->live_only || e->live) &&
           (!q->finished_only || !e->live) && (!q->entry || strcmp(e->name, q->entry) == 0) && has(e, MEMORY_NAME, q->name) &&
           has(e, MEMORY_PARENT, q->parent) && has(e, MEMORY_RUN, q->run) && (!q->queue || is_in_queue(e, q->queue));
}

/* Hands e over when it matches. 1: enough. */
static int list_entry(struct listing *l, const struct memory_entry *e, rouse_error *err)
{
    if (!matches(l, e))
        return 0;
    int code = give(e->shelf, e->name, e->cell, l->sink, l->userdata, err);
    l->left--;
    return code < 0 ? code : l->left == 0;
}

/* The newest entry of that name in any thread that is older than seq. */
static const struct memory_entry *next_named(const struct listing *l, const char *name, uint64_t seq)
{
    const struct memory_entry *best = NULL;
    const struct memory_entry *e;
    uint64_t hash = memory_any_hash(l->s, l->kind, MEMORY_INDEXES, name);
    size_t probe = 0;
    while ((e = memory_table_next(&l->s->entries_any, hash, &probe)) != NULL) {
        if (e->shelf->kind == l->kind && e->seq < seq && (!best || e->seq > best->seq) && strcmp(e->name, name) == 0)
            best = e;
    }
    return best;
}

static int list_named(struct listing *l, rouse_error *err)
{
    const char *name = l->query->entry;
    int code = 0;
    if (l->query->thread) {
        const struct memory_entry *e = memory_find_entry(l->s, l->shelf, name);
        return e ? list_entry(l, e, err) : 0;
    }
    for (const struct memory_entry *e = next_named(l, name, l->before); e && code == 0; e = next_named(l, name, e->seq))
        code = list_entry(l, e, err);
    return code;
}

static int list_live(struct listing *l, const struct ptree *live, rouse_error *err)
{
    int code = 0;
    for (size_t i = ptree_before(live, l->before); i-- > 0 && code == 0;)
        code = list_entry(l, ptree_at(live, i)->owner, err);
    return code;
}

/* The newest member that may be listed. */
static const struct memory_member *first_member(const struct listing *l, const struct memory_group *group)
{
    const struct memory_member *m = l->start ? l->start->members : NULL;
    while (m && m->group != group)
        m = m->next;
    if (m)
        return m->older;
    for (m = group->newest; m && m->entry->seq >= l->before;)
        m = m->older;
    return m;
}

static int list_group(struct listing *l, const struct memory_group *group, rouse_error *err)
{
    int code = 0;
    for (const struct memory_member *m = first_member(l, group); m && code == 0; m = m->older)
        code = list_entry(l, m->entry, err);
    return code;
}

/* The groups of a text in all threads; fill may be NULL to count them. */
static size_t find_groups(const struct listing *l, enum memory_index which, const char *text,
                          const struct memory_member **fill)
{
    const struct memory_group *group;
    uint64_t hash = memory_any_hash(l->s, l->kind, which, text);
    size_t count = 0, probe = 0;
    while ((group = memory_table_next(&l->s->groups_any, hash, &probe)) != NULL) {
        if (group->shelf->kind != l->kind || group->which != which || strcmp(group->text, text) != 0)
            continue;
        if (fill)
            fill[count] = first_member(l, group);
        count++;
    }
    return count;
}

/* Over all threads: the newest first of several groups, of which there are as many as threads that use the text. */
static int list_groups(struct listing *l, enum memory_index which, const char *text, rouse_error *err)
{
    size_t count = find_groups(l, which, text, NULL);
    const struct memory_member **heads = count > 0 ? calloc(count, sizeof *heads) : NULL;
    if (!heads)
        return count > 0 ? rouse_fail_memory(err) : 0;
    find_groups(l, which, text, heads);
    int code = 0;
    while (code == 0) {
        size_t best = count;
        for (size_t i = 0; i < count; i++) {
            if (heads[i] && (best == count || heads[i]->entry->seq > heads[best]->entry->seq))
                best = i;
        }
        if (best == count)
            break;
        code = list_entry(l, heads[best]->entry, err);
        heads[best] = heads[best]->older;
    }
    free(heads);
    return code;
}

static int list_all(struct listing *l, rouse_error *err)
{
    const struct memory_entry *e;
    int code = 0;
    if (l->query->thread) {
        for (e = l->start ? l->start->older : l->shelf->newest; e && code == 0; e = e->older)
            code = list_entry(l, e, err);
        return code;
    }
    for (e = l->start ? l->start->every_older : l->kind->newest; e && code == 0; e = e->every_older)
        code = list_entry(l, e, err);
    return code;
}

/* In one thread: the shortest of the groups that are asked for, or its live entries when they are fewer. */
static int list_in_thread(struct listing *l, rouse_error *err)
{
    const rouse_query *q = l->query;
    const char *const texts[MEMORY_INDEXES] = {q->name, q->parent, q->run};
    const struct memory_group *shortest = NULL;
    const struct ptree *live = &memory_slot(l->shelf)->by_seq;
    for (unsigned which = 0; which < MEMORY_INDEXES; which++) {
        const struct memory_group *group = texts[which] ? memory_find_group(l->s, l->shelf, which, texts[which]) : NULL;
        if (texts[which] && (!group || (q->live_only && group->live == 0)))
            return 0;
        shortest = group && (!shortest || group->count < shortest->count) ? group : shortest;
    }
    if (q->live_only && (!shortest || ptree_count(live) < shortest->count))
        return list_live(l, live, err);
    return shortest ? list_group(l, shortest, err) : list_all(l, err);
}

static int list(struct listing *l, rouse_error *err)
{
    const rouse_query *q = l->query;
    if (q->entry)
        return list_named(l, err);
    if (q->thread)
        return list_in_thread(l, err);
    if (q->name)
        return list_groups(l, MEMORY_NAME, q->name, err);
    if (q->parent)
        return list_groups(l, MEMORY_PARENT, q->parent, err);
    if (q->run)
        return list_groups(l, MEMORY_RUN, q->run, err);
    return q->live_only ? list_live(l, &l->kind->live, err) : list_all(l, err);
}

/* Where a page begins. An id that two threads both imported stands for the older one: a page may then leave rows out, but
 * paging comes to an end. */
static const struct memory_entry *find_start(const struct listing *l)
{
    const char *before = l->query->before;
    if (l->query->thread)
        return l->shelf ? memory_find_entry(l->s, l->shelf, before) : NULL;
    const struct memory_entry *oldest = NULL, *e = l->kind ? next_named(l, before, UINT64_MAX) : NULL;
    for (; e; e = next_named(l, before, e->seq))
        oldest = e;
    return oldest;
}

int memory_list(void *backend, const char *key, const rouse_query *query, storage_row_sink *sink, void *userdata,
                rouse_error *err)
{
    const struct memory_store *s = backend;
    const struct memory_place *place = query->thread ? memory_find_place(s, query->thread, "") : NULL;
    struct listing l = {.s = s, .kind = memory_find_kind(s, key), .query = query, .before = UINT64_MAX, .sink = sink,
                        .userdata = userdata, .left = query->limit && query->limit < LIMIT_LIST ? query->limit : LIMIT_LIST};
    l.shelf = place ? memory_find_shelf(place, key) : NULL;
    if (query->before) {
        l.start = find_start(&l);
        if (!l.start)
            return rouse_fail(err, ROUSE_ENOTFOUND, "no '%s' to list from", query->before);
        l.before = l.start->seq;
    }
    if (!l.kind || (query->thread && !l.shelf))
        return 0;
    int code = list(&l, err);
    return code < 0 ? code : 0;
}

/* ---- inbox and conversation ---- */

/* The oldest event behind `after`. Whoever pages gives an id that is still there, or one that was long ago. */
static const struct memory_event *first_event(const struct memory_store *s, const struct memory_place *place, uint64_t after)
{
    size_t probe = 0;
    const struct memory_event *e = memory_table_next(&s->events, after, &probe);
    if (e && (!place || e->place == place))
        return place ? e->newer : e->every_newer;
    e = place ? place->oldest_event : s->oldest_event;
    while (e && e->event.id <= after)
        e = place ? e->newer : e->every_newer;
    return e;
}

int memory_inbox(void *backend, const char *thread, uint64_t after, bool all, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err)
{
    const struct memory_store *s = backend;
    const struct memory_place *place = thread ? memory_find_place(s, thread, "") : NULL;
    if (thread && !place)
        return 0;
    int code = 0;
    for (const struct memory_event *e = first_event(s, place, after); e && limit > 0 && code == 0;
         e = place ? e->newer : e->every_newer) {
        if (e->event.acknowledged && !all)
            continue;
        code = sink(userdata, &e->event, err);
        limit--;
    }
    return code;
}

int memory_messages(void *backend, const char *thread, uint64_t after, size_t limit, storage_message_sink *sink,
                    void *userdata, rouse_error *err)
{
    const struct memory_store *s = backend;
    const struct memory_place *place = memory_find_place(s, thread, "");
    size_t count = place ? place->n_messages : 0;
    int code = 0;
    for (size_t i = after < count ? (size_t)after : count, given = 0; i < count && code == 0; i++, given++) {
        if (limit > 0 && given == limit)
            break;
        code = sink(userdata, &place->messages[i]->message, err);
    }
    return code;
}

int memory_last_run(void *backend, const char *thread, storage_run_sink *sink, void *userdata, rouse_error *err)
{
    const struct memory_place *place = memory_find_place(backend, thread, "");
    return place && place->last_run ? sink(userdata, &place->last_run->run, err) : 0;
}
