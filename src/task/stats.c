/* Counting, for people who look after a store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "task/manager.h"
#include "task/record.h"

#define QUEUES (sizeof((rouse_stats *)0)->queues / sizeof(rouse_queue_stats))

struct counting {
    rouse_stats stats;
    uint64_t now, oldest; /* creation of what waits longest */
    uint64_t *took;
    size_t n_took;
};

/* The queue's place by name; NULL when it is beyond those that are told. */
static rouse_queue_stats *want_queue(rouse_stats *s, const char *name)
{
    size_t known = s->n_queues, at = 0;
    while (at < known && strcmp(s->queues[at].name, name) < 0)
        at++;
    if (at < known && strcmp(s->queues[at].name, name) == 0)
        return &s->queues[at];
    if (at == QUEUES)
        return NULL;
    s->n_queues += known < QUEUES;
    size_t behind = (known < QUEUES ? known : QUEUES - 1) - at;
    memmove(&s->queues[at + 1], &s->queues[at], behind * sizeof *s->queues);
    s->queues[at] = (rouse_queue_stats){0};
    snprintf(s->queues[at].name, sizeof s->queues[at].name, "%s", name);
    return &s->queues[at];
}

static void count_running(struct counting *c, const rouse_task *task)
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    const bool waits = task->has_ext && record_is_waiting(&task->ext);
    rouse_queue_stats *queue = plan && plan->queue ? want_queue(&c->stats, plan->queue) : NULL;
    c->stats.running++;
    c->stats.waiting += waits;
    c->stats.for_input += task->has_ext && task->ext.stage && strcmp(task->ext.stage, "waiting_input") == 0;
    if (queue)
        (*(waits ? &queue->waiting : &queue->running))++;
    if (waits && task->created_at_ms < c->oldest)
        c->oldest = task->created_at_ms;
}

static void count_ended(struct counting *c, const rouse_task *task)
{
    uint64_t *const counts[] = {[ROUSE_COMPLETED] = &c->stats.completed, [ROUSE_FAILED] = &c->stats.failed,
                                [ROUSE_CANCELLED] = &c->stats.cancelled};
    (*counts[task->status])++;
    c->took[c->n_took++] = task->completed_at_ms > task->created_at_ms ? task->completed_at_ms - task->created_at_ms : 0;
}

/* One page; *ret_count rows, the last of which becomes the cursor. */
static int count_page(rouse_manager *m, const rouse_query *query, struct counting *c, char cursor[LIMIT_ENTRY_NAME + 1],
                      size_t *ret_count, rouse_error *err)
{
    rouse_rows *rows;
    int code = rouse_store_list(m->store, &rouse_task_state_key, query, &rows, err);
    if (code < 0)
        return code;
    *ret_count = rouse_rows_count(rows);
    for (size_t i = 0; i < *ret_count; i++) {
        const char *id;
        const rouse_task *task = rouse_rows_at(rows, i, NULL, &id);
        if (query->live_only)
            count_running(c, task);
        else
            count_ended(c, task);
        if (i + 1 == *ret_count)
            snprintf(cursor, LIMIT_ENTRY_NAME + 1, "%s", id);
    }
    rouse_rows_free(rows);
    return 0;
}

/* A cursor that is gone before it is used ends the count early: what is counted is passing anyway. */
static int count_all_running(rouse_manager *m, const char *thread, struct counting *c, rouse_error *err)
{
    char before[LIMIT_ENTRY_NAME + 1] = "", cursor[LIMIT_ENTRY_NAME + 1] = "";
    size_t count;
    do {
        memcpy(before, cursor, sizeof before);
        const rouse_query query = {.thread = thread, .live_only = true, .before = before[0] ? before : NULL};
        int code = count_page(m, &query, c, cursor, &count, err);
        if (code < 0)
            return code == ROUSE_ENOTFOUND ? 0 : code;
    } while (count == LIMIT_LIST);
    return 0;
}

static int compare_times(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int count_newest_ended(rouse_manager *m, const char *thread, struct counting *c, rouse_error *err)
{
    char cursor[LIMIT_ENTRY_NAME + 1];
    size_t count;
    c->took = calloc(LIMIT_LIST, sizeof *c->took);
    if (!c->took)
        return rouse_fail_memory(err);
    int code = count_page(m, &(rouse_query){.thread = thread, .finished_only = true}, c, cursor, &count, err);
    if (code == 0 && c->n_took > 0) {
        qsort(c->took, c->n_took, sizeof *c->took, compare_times);
        c->stats.took_p50_ms = c->took[(c->n_took - 1) / 2];
        c->stats.took_p95_ms = c->took[(c->n_took * 95 + 99) / 100 - 1];
    }
    free(c->took);
    return code;
}

static int count_unread(rouse_manager *m, const char *thread, struct counting *c, rouse_error *err)
{
    rouse_events *events;
    int code = rouse_store_inbox(m->store, thread, 0, false, 0, &events, err);
    if (code < 0)
        return code;
    c->stats.unread = rouse_events_count(events);
    rouse_events_free(events);
    return 0;
}

int rouse_manager_stats(rouse_manager *manager, const char *thread, rouse_stats *fill, rouse_error *err)
{
    struct counting c = {.now = manager_now(manager), .oldest = UINT64_MAX};
    int code = count_all_running(manager, thread, &c, err);
    if (code == 0)
        code = count_newest_ended(manager, thread, &c, err);
    if (code == 0)
        code = count_unread(manager, thread, &c, err);
    if (code < 0)
        return code;
    c.stats.oldest_waiting_ms = c.oldest < c.now ? c.now - c.oldest : 0;
    *fill = c.stats;
    return 0;
}
