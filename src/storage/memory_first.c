/* What an overview needs: entries by the time at which they are due, and unread events by topic; and the tree that queues
 * stand in, too. */
#include <stdlib.h>
#include <string.h>

#include "storage/memory.h"

/* ---- the tree: a treap, whose weights nobody can choose ---- */

static uint64_t weight(const struct memory_rank *node)
{
    uint64_t x = node->entry->seq * 0x9e3779b97f4a7c15u ^ node->entry->shelf->salt;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
    return x ^ (x >> 32);
}

static bool is_before(const struct memory_rank *a, const struct memory_rank *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->then < b->then;
}

void memory_rank_insert(struct memory_rank **root, struct memory_rank *node)
{
    struct memory_rank **at = root;
    while (*at && weight(*at) >= weight(node))
        at = is_before(node, *at) ? &(*at)->left : &(*at)->right;
    struct memory_rank **left = &node->left, **right = &node->right, *rest = *at;
    while (rest) {
        if (is_before(rest, node)) {
            *left = rest;
            left = &rest->right;
            rest = rest->right;
        } else {
            *right = rest;
            right = &rest->left;
            rest = rest->left;
        }
    }
    *left = *right = NULL;
    *at = node;
}

void memory_rank_remove(struct memory_rank **root, const struct memory_rank *node)
{
    struct memory_rank **at = root;
    while (*at != node)
        at = is_before(node, *at) ? &(*at)->left : &(*at)->right;
    struct memory_rank *left = node->left, *right = node->right;
    while (left && right) {
        if (weight(left) >= weight(right)) {
            *at = left;
            at = &left->right;
            left = left->right;
        } else {
            *at = right;
            at = &right->left;
            right = right->left;
        }
    }
    *at = left ? left : right;
}

/* ---- due entries ---- */

void memory_set_due(struct memory_entry *entry, struct memory_due *due)
{
    if (entry->due) {
        memory_rank_remove(&entry->shelf->due, &entry->due->rank);
        free(entry->due);
    }
    entry->due = due;
    if (due)
        memory_rank_insert(&entry->shelf->due, &due->rank);
}

/* ---- the overview ---- */

static int give(const struct memory_entry *e, rouse_rows *rows, rouse_error *err)
{
    struct storage_row row = {.thread = e->shelf->place->thread, .run = "", .key = e->shelf->kind->name, .entry = e->name,
                              .cell = e->cell};
    return storage_rows_add(rows, &row, err);
}

/* As deep as the tree: some tens of steps for a million. */
static int give_due(const struct memory_rank *due, uint64_t due_by, size_t *left, rouse_rows *rows, rouse_error *err)
{
    if (!due || *left == 0)
        return 0;
    int code = give_due(due->left, due_by, left, rows, err);
    if (code < 0 || *left == 0 || due->rank > due_by)
        return code;
    (*left)--;
    code = give(due->entry, rows, err);
    return code < 0 ? code : give_due(due->right, due_by, left, rows, err);
}

int memory_overview(void *backend, const char *key, const char *thread, const rouse_ends *ends, rouse_overview *fill,
                    rouse_error *err)
{
    const struct memory_store *s = backend;
    const struct memory_place *place = thread ? memory_find_place(s, thread, "") : NULL;
    const struct memory_shelf *shelf = place ? memory_find_shelf(place, key) : NULL;
    const struct memory_kind *kind = memory_find_kind(s, key);
    if (!thread)
        fill->live = kind ? ptree_count(&kind->live) : 0;
    if (!shelf)
        return 0;
    const struct ptree *live = &memory_slot(shelf)->by_seq;
    const size_t count = ptree_count(live);
    size_t left = ends->due;
    fill->live = count;
    int code = give_due(shelf->due, ends->due_by, &left, fill->due, err);
    for (size_t i = 0; i < count && i < ends->newest && code == 0; i++)
        code = give(ptree_at(live, count - 1 - i)->owner, fill->newest, err);
    for (size_t i = 0; i < count && i < ends->oldest && code == 0; i++)
        code = give(ptree_at(live, i)->owner, fill->oldest, err);
    return code;
}

/* ---- topics ---- */

void memory_set_topic(struct memory_store *s, struct memory_event *event, rouse_topic which, struct memory_topic *topic)
{
    struct memory_topics *here = &event->place->topics[which], *every = &s->topics[which];
    *topic = (struct memory_topic){.event = event, .which = which, .older = here->newest, .every_older = every->newest};
    *(here->newest ? &here->newest->newer : &here->oldest) = topic;
    here->newest = topic;
    *(every->newest ? &every->newest->every_newer : &every->oldest) = topic;
    every->newest = topic;
    event->topic = topic;
}

void memory_drop_topic(struct memory_store *s, struct memory_event *event)
{
    struct memory_topic *t = event->topic;
    if (!t)
        return;
    struct memory_topics *here = &event->place->topics[t->which], *every = &s->topics[t->which];
    *(t->older ? &t->older->newer : &here->oldest) = t->newer;
    *(t->newer ? &t->newer->older : &here->newest) = t->older;
    *(t->every_older ? &t->every_older->every_newer : &every->oldest) = t->every_newer;
    *(t->every_newer ? &t->every_newer->every_older : &every->newest) = t->every_older;
    event->topic = NULL;
    free(t);
}

int memory_topic(void *backend, const char *thread, rouse_topic topic, uint64_t after, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err)
{
    const struct memory_store *s = backend;
    const struct memory_place *place = thread ? memory_find_place(s, thread, "") : NULL;
    if (thread && !place)
        return 0;
    const struct memory_topic *t = place ? place->topics[topic].oldest : s->topics[topic].oldest;
    int code = 0;
    for (; t && limit > 0 && code == 0; t = place ? t->newer : t->every_newer) {
        if (t->event->event.id <= after)
            continue;
        code = sink(userdata, &t->event->event, err);
        limit--;
    }
    return code;
}
