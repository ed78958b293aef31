/* Queues with a limit. The store decides who may begin (rouse_store_claim), so that two runtimes never begin more than the limit
 * between them; a claim whose holder dies before the task has begun runs out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/record.h"
#include "task/runtime.h"

#define CLAIM_MS 10000 /* between the claim and the commit that begins the task */
#define CLAIM_LIMIT 64 /* at once; the rest in the next round */

struct queue_todo {
    struct queue_todo *next;
    uint64_t limit;
    char name[LIMIT_TASK_NAME + 1];
};

/* Begins what was claimed; gives back what this runtime cannot begin. Returns how many began. */
static int begin_claimed(rouse_manager *m, const rouse_rows *rows)
{
    int begun = 0;
    for (size_t i = 0; i < rouse_rows_count(rows); i++) {
        const char *thread, *entry;
        const rouse_task *task = rouse_rows_at(rows, i, &thread, &entry);
        if (task_begin(m, thread, task, NULL) > 0)
            begun++;
        else
            rouse_store_unclaim(m->store, &rouse_task_state_key, thread, entry, m->owner, NULL);
    }
    return begun;
}

/* ---- a store in memory, which one handle has for itself, offers no claims: whoever is in queue_run decides ---- */

struct first { /* of the queue: the highest priority, then the oldest */
    char thread[LIMIT_THREAD_NAME + 1], id[LIMIT_ENTRY_NAME + 1];
    int64_t priority;
    uint64_t held;
    bool found;
};

/* Rows come newest first, so that of equal ones the last seen is the oldest. */
static void look_at_row(const char *queue, const char *thread, const char *entry, const rouse_task *task, struct first *f)
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    if (!plan || !plan->queue || strcmp(plan->queue, queue) != 0)
        return;
    if (!record_is_waiting(&task->ext)) {
        f->held++;
    } else if (plan->in_queue && (!f->found || plan->priority >= f->priority)) {
        f->found = true;
        f->priority = plan->priority;
        snprintf(f->thread, sizeof f->thread, "%s", thread);
        snprintf(f->id, sizeof f->id, "%s", entry);
    }
}

static int find_first(rouse_manager *m, const char *queue, struct first *f)
{
    char before[LIMIT_ENTRY_NAME + 1] = "";
    size_t n;
    do {
        rouse_rows *rows;
        const rouse_query query = {.live_only = true, .before = before[0] ? before : NULL};
        int code = rouse_store_list(m->store, &rouse_task_state_key, &query, &rows, NULL);
        if (code < 0)
            return code;
        n = rouse_rows_count(rows);
        for (size_t i = 0; i < n; i++) {
            const char *thread, *entry;
            const rouse_task *task = rouse_rows_at(rows, i, &thread, &entry);
            look_at_row(queue, thread, entry, task, f);
            if (i + 1 == n)
                snprintf(before, sizeof before, "%s", entry);
        }
        rouse_rows_free(rows);
    } while (n == LIMIT_LIST);
    return 0;
}

static void run_private_queue(rouse_manager *m, const char *queue, uint64_t limit)
{
    int begun;
    do {
        struct first f = {0};
        rouse_task *task;
        begun = 0;
        if (find_first(m, queue, &f) < 0 || !f.found || f.held >= limit)
            return;
        if (task_load(m, f.thread, f.id, &task, NULL) < 0)
            return;
        begun = task_begin(m, f.thread, task, NULL);
        rouse_task_free(task);
    } while (begun > 0);
}

static void run_queue(rouse_manager *m, const char *queue, uint64_t limit)
{
    int begun;
    if (m->tasks < 0) {
        run_private_queue(m, queue, limit);
        return;
    }
    do {
        rouse_rows *rows;
        const rouse_claim claim = {
            .queue = queue, .holder = m->owner, .max_held = limit, .lease_ms = CLAIM_MS, .limit = CLAIM_LIMIT};
        if (rouse_store_claim(m->store, &rouse_task_state_key, &claim, &rows, NULL) < 0)
            return;
        begun = begin_claimed(m, rows);
        rouse_rows_free(rows);
    } while (begun > 0);
}

/* Beginning a task may end it at once, which runs its queue again: what comes up meanwhile is put on a list, not on the stack. */
void queue_run(rouse_manager *m, const char *queue, uint64_t limit)
{
    struct runtime *r = m->runtime;
    struct queue_todo *todo = calloc(1, sizeof *todo);
    if (!todo)
        return; /* the agenda still has it */
    todo->limit = limit;
    memcpy(todo->name, queue, strnlen(queue, LIMIT_TASK_NAME));
    pthread_mutex_lock(&r->lock);
    todo->next = r->queues;
    r->queues = todo;
    bool busy = r->queue_busy;
    r->queue_busy = true;
    while (!busy && r->queues) {
        todo = r->queues;
        r->queues = todo->next;
        pthread_mutex_unlock(&r->lock);
        run_queue(m, todo->name, todo->limit);
        free(todo);
        pthread_mutex_lock(&r->lock);
    }
    if (!busy)
        r->queue_busy = false;
    pthread_mutex_unlock(&r->lock);
}
