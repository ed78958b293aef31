/* How many tasks may run at once, so that who goes wild is stopped. Each refusal says which limit it was and how to raise it. */
#include <stdlib.h>
#include <string.h>

#include "task/plan.h"

static int refuse(const char *what, const char *whose, uint64_t limit, const char *member, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ELIMIT, "%s%.60s%s has %llu running tasks already; raise limits.%s of the manager", what,
                      whose ? whose : "", whose ? "'" : "", (unsigned long long)limit, member);
}

/* thread NULL = all. */
static int count_live(const struct planned *p, const char *thread, uint64_t *ret_count, rouse_error *err)
{
    rouse_overview overview;
    int code = rouse_store_overview(p->manager->store, &rouse_task_state_key, thread, NULL, &overview, err);
    if (code < 0)
        return code;
    *ret_count = overview.live;
    rouse_overview_done(&overview);
    return 0;
}

/* At most limit of what the query finds. */
static int list_live(rouse_manager *m, rouse_query query, uint64_t limit, rouse_rows **ret_rows, rouse_error *err)
{
    query.live_only = true;
    query.limit = limit < LIMIT_LIST ? (size_t)limit : LIMIT_LIST;
    return rouse_store_list(m->store, &rouse_task_state_key, &query, ret_rows, err);
}

/* 1 when there are limit or more. */
static int are_too_many(rouse_manager *m, rouse_query query, uint64_t limit, rouse_error *err)
{
    rouse_rows *rows;
    int code = list_live(m, query, limit, &rows, err);
    if (code < 0)
        return code;
    code = rouse_rows_count(rows) >= limit;
    rouse_rows_free(rows);
    return code;
}

/* ---- trees ---- */

/* The highest of the tasks above that still runs. Its id is given as text of the caller's. */
static int find_root(rouse_manager *m, const char *id, char root[LIMIT_LINEAGE_ID + 1], rouse_error *err)
{
    snprintf(root, LIMIT_LINEAGE_ID + 1, "%s", id);
    for (int depth = 0; depth <= LIMIT_DEPTH; depth++) {
        rouse_task *task;
        int code = task_load(m, NULL, root, &task, err);
        if (code == ROUSE_ENOTFOUND)
            return 0;
        if (code < 0)
            return code;
        const char *above = task->parent.task_id;
        rouse_task *parent = NULL;
        code = above && *above ? task_load(m, NULL, above, &parent, err) : ROUSE_ENOTFOUND;
        bool up = code == 0 && !rouse_status_is_terminal(parent->status);
        if (up)
            snprintf(root, LIMIT_LINEAGE_ID + 1, "%s", parent->task_id);
        rouse_task_free(parent);
        rouse_task_free(task);
        if (!up)
            return code == ROUSE_ENOTFOUND ? 0 : code;
    }
    return 0;
}

struct walk {
    char **ids; /* to be looked below */
    size_t count, cap;
};

static int add_id(struct walk *w, const char *id, rouse_error *err)
{
    if (w->count == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        char **ids = reallocarray(w->ids, cap, sizeof *ids);
        if (!ids)
            return rouse_fail_memory(err);
        w->ids = ids;
        w->cap = cap;
    }
    w->ids[w->count] = strdup(id);
    return w->ids[w->count] ? (w->count++, 0) : rouse_fail_memory(err);
}

/* What runs below root, as far as it hangs together, until it is too much: 1. Ends also where a record is its own ancestor. */
static int is_tree_full(rouse_manager *m, const char *root, uint64_t limit, rouse_error *err)
{
    struct walk w = {0};
    int code = add_id(&w, root, err);
    for (size_t i = 0; code == 0 && i < w.count; i++) {
        rouse_rows *rows;
        code = list_live(m, (rouse_query){.parent = w.ids[i]}, limit, &rows, err);
        for (size_t k = 0; code == 0 && k < rouse_rows_count(rows); k++) {
            const char *id;
            rouse_rows_at(rows, k, NULL, &id);
            code = w.count > limit ? 1 : add_id(&w, id, err);
        }
        if (code >= 0)
            rouse_rows_free(rows);
    }
    bool full = code > 0 || (code == 0 && w.count > limit);
    for (size_t i = 0; i < w.count; i++)
        free(w.ids[i]);
    free(w.ids);
    return code < 0 ? code : full;
}

/* The children of one task are counted anyway, so only those below are walked through. */
static int check_tree(const struct planned *p, rouse_error *err)
{
    const rouse_limits *l = &p->manager->limits;
    char root[LIMIT_LINEAGE_ID + 1];
    if (p->plan.depth < 2)
        return 0;
    int code = find_root(p->manager, p->spec->parent.task_id, root, err);
    if (code == 0)
        code = is_tree_full(p->manager, root, l->per_tree, err);
    return code > 0 ? refuse("the tree below task '", root, l->per_tree, "per_tree", err) : code;
}

/* ---- together ---- */

static int check_above(const struct planned *p, rouse_error *err)
{
    const rouse_limits *l = &p->manager->limits;
    const char *parent = p->spec->parent.task_id;
    if (p->plan.depth > l->depth)
        return rouse_fail(err, ROUSE_ELIMIT, "more than %llu tasks above one another; raise limits.depth of the manager",
                          (unsigned long long)l->depth);
    int code = parent ? are_too_many(p->manager, (rouse_query){.parent = parent}, l->per_parent, err) : 0;
    if (code > 0)
        return refuse("task '", parent, l->per_parent, "per_parent", err);
    return code < 0 ? code : check_tree(p, err);
}

static int check_thread(const struct planned *p, rouse_error *err)
{
    const rouse_limits *l = &p->manager->limits;
    const char *thread = p->spec->thread;
    const bool call = p->spec->parent.call_id;
    uint64_t count = 0;
    if (!call && !l->per_thread)
        return 0;
    int code = count_live(p, thread, &count, err);
    if (code == 0 && call && count >= l->per_thread_of_calls)
        return refuse("for a tool call, thread '", thread, l->per_thread_of_calls, "per_thread_of_calls", err);
    if (code == 0 && l->per_thread && count >= l->per_thread)
        return refuse("thread '", thread, l->per_thread, "per_thread", err);
    return code;
}

int limits_check(const struct planned *p, rouse_error *err)
{
    const rouse_limits *l = &p->manager->limits;
    const char *queue = p->spec->queue;
    uint64_t count = 0;
    int code = check_above(p, err);
    if (code == 0)
        code = check_thread(p, err);
    if (code == 0 && l->per_store)
        code = count_live(p, NULL, &count, err);
    if (code == 0 && l->per_store && count >= l->per_store)
        return refuse("the store", NULL, l->per_store, "per_store", err);
    if (code == 0 && queue && l->per_queue)
        code = are_too_many(p->manager, (rouse_query){.queue = queue}, l->per_queue, err);
    return code > 0 ? refuse("queue '", queue, l->per_queue, "per_queue", err) : code;
}
