/* Queues with a limit. The store decides who may begin (rouse_store_claim), so that two runtimes never begin more than the limit
 * between them; a claim whose holder dies before the task has begun runs out. */
#include <stdlib.h>
#include <string.h>

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

static void run_queue(rouse_manager *m, const char *queue, uint64_t limit)
{
    int begun;
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
