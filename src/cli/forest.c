#include "cli/forest.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MAX_DEPTH 64

struct entry {
    const rouse_task *task;
    size_t place; /* in the list, which is newest first */
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->task->task_id, ((const struct entry *)b)->task->task_id);
}

/* By parent, then oldest first. */
static int by_parent(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const char *px = x->task->parent.task_id, *py = y->task->parent.task_id;
    int order = strcmp(px ? px : "", py ? py : "");
    if (order != 0)
        return order;
    return x->place > y->place ? -1 : x->place < y->place;
}

struct grow {
    struct forest *forest;
    struct entry *ids;      /* by id */
    struct entry *children; /* by parent */
    size_t count;
    const char *thread;
};

static bool is_listed(const struct grow *g, const char *id)
{
    const rouse_task key = {.task_id = id};
    const struct entry wanted = {.task = &key};
    return id && bsearch(&wanted, g->ids, g->count, sizeof *g->ids, by_id) != NULL;
}

/* Whether it is the thread's own, or that of a sub-agent somewhere below it. */
static bool is_of_thread(const char *owner, const char *thread)
{
    size_t n = strlen(thread);
    return strncmp(owner, thread, n) == 0 && (owner[n] == '\0' || owner[n] == '/');
}

static bool is_root(const struct grow *g, const rouse_task *task)
{
    return !is_listed(g, task->parent.task_id) && (!g->thread || is_of_thread(task->owner_thread_id, g->thread));
}

static size_t first_child(const struct grow *g, const char *id)
{
    size_t low = 0, high = g->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *parent = g->children[middle].task->parent.task_id;
        if (strcmp(parent ? parent : "", id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Adds root and below it, each one deeper, what it started. No recursion on data of others: what is nested deeper than the
 * path is left out, and a record that is its own ancestor (imported, then) is below no root and never reached. */
static void add_tree(struct grow *g, const rouse_task *root)
{
    struct {
        const rouse_task *task;
        size_t next; /* where its next child may be */
    } path[MAX_DEPTH];
    struct forest *f = g->forest;
    size_t depth = 1;
    f->nodes[f->count++] = (struct forest_node){root, 0};
    path[0].task = root;
    path[0].next = first_child(g, root->task_id);
    while (depth > 0) {
        size_t i = path[depth - 1].next++;
        const rouse_task *child = i < g->count ? g->children[i].task : NULL;
        if (!child || !child->parent.task_id || strcmp(child->parent.task_id, path[depth - 1].task->task_id) != 0) {
            depth--;
            continue;
        }
        f->nodes[f->count++] = (struct forest_node){child, depth};
        if (depth < MAX_DEPTH) {
            path[depth].task = child;
            path[depth++].next = first_child(g, child->task_id);
        }
    }
}

static void add_trees(struct grow *g, const rouse_task_list *list)
{
    for (size_t i = 0; i < g->count; i++)
        g->ids[i] = g->children[i] = (struct entry){rouse_task_list_at(list, i), i};
    qsort(g->ids, g->count, sizeof *g->ids, by_id);
    qsort(g->children, g->count, sizeof *g->children, by_parent);
    for (size_t i = g->count; i > 0; i--) {
        const rouse_task *task = rouse_task_list_at(list, i - 1);
        if (is_root(g, task))
            add_tree(g, task);
    }
}

int forest_make(struct forest *fill, const rouse_task_list *list, bool tree, const char *thread, rouse_error *err)
{
    size_t n = rouse_task_list_count(list);
    struct grow g = {.forest = fill, .count = n, .thread = thread};
    fill->nodes = calloc(n + 1, sizeof *fill->nodes);
    fill->count = 0;
    g.ids = tree ? calloc(n + 1, sizeof *g.ids) : NULL;
    g.children = tree ? calloc(n + 1, sizeof *g.children) : NULL;
    bool ok = fill->nodes && (!tree || (g.ids && g.children));
    if (ok && tree)
        add_trees(&g, list);
    for (size_t i = 0; ok && !tree && i < n; i++)
        fill->nodes[fill->count++] = (struct forest_node){rouse_task_list_at(list, i), 0};
    free(g.ids);
    free(g.children);
    return ok ? 0 : rouse_fail_memory(err);
}

void forest_done(struct forest *forest)
{
    free(forest->nodes);
    *forest = (struct forest){0};
}
