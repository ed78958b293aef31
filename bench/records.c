/* Task records as the manager makes them, put into a store through its public interface. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILL_BATCH 1000

static const char description[] = "run the integration tests of the parser and report failures."; /* 60 bytes */
_Static_assert(sizeof description == 61, "the bar speaks of 60 bytes");

rouse_store *bench_open_at(const char *where)
{
    rouse_store_options options = {0};
    if (strcmp(bench_word("durability", "process"), "power") == 0)
        options.durability = ROUSE_DURABLE_POWER;
    rouse_error err = {0};
    rouse_store *store = NULL;
    bench_check(rouse_store_open(where, &options, &store, &err), "open", &err);
    bench_check(rouse_store_register(store, &rouse_task_state_key, &err), "register", &err);
    return store;
}

rouse_store *bench_open(void)
{
    return bench_open_at(bench_word("where", NULL));
}

void bench_task_init(struct bench_task *task, uint64_t number)
{
    *task = (struct bench_task){.record = {.owner_thread_id = BENCH_THREAD, .task_type = "function"}};
    snprintf(task->id, sizeof task->id, "bg_%llu", (unsigned long long)number);
    task->record.task_id = task->id;
    task->record.description = description;
    task->record.created_at_ms = 1700000000000 + number;
    task->record.has_ext = true;
    task->record.ext.kind = "function";
    task->record.ext.exit_code = -1;
}

void bench_task_end(struct bench_task *task)
{
    task->record.status = ROUSE_COMPLETED;
    task->record.has_completed_at = true;
    task->record.completed_at_ms = task->record.created_at_ms + 5;
    task->record.ext.ended_by = "self";
}

void bench_task_name(struct bench_task *task, uint64_t number)
{
    snprintf(task->name, sizeof task->name, "job-%llu", (unsigned long long)number);
    task->record.name = task->name;
}

void bench_task_parent(struct bench_task *task, uint64_t number)
{
    snprintf(task->parent, sizeof task->parent, "bg_%llu", (unsigned long long)number);
    task->record.parent.task_id = task->parent;
}

void bench_put(rouse_batch *batch, const rouse_task *record)
{
    rouse_error err = {0};
    bench_check(rouse_batch_add(batch, &rouse_task_state_key, rouse_task_upsert(record), &err), "batch", &err);
}

struct starting {
    struct bench_task *task;
    size_t count;
    rouse_batch *batch;
};

static int prepare(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    struct starting *starting = userdata;
    (void)err;
    for (size_t i = 0; i < starting->count; i++) {
        bench_task_init(starting->task, number + i);
        bench_put(starting->batch, &starting->task->record);
    }
    commit->batch = starting->batch;
    return 0;
}

void bench_start(rouse_store *store, struct bench_task *task, size_t count)
{
    struct starting starting = {.task = task, .count = count, .batch = rouse_batch_new()};
    rouse_commit commit = {.thread = BENCH_THREAD, .prepare = prepare, .userdata = &starting, .n_numbers = count};
    rouse_error err = {0};
    bench_check(rouse_store_commit(store, &commit, NULL, &err), "start", &err);
    rouse_batch_free(starting.batch);
}

void bench_end(rouse_store *store, struct bench_task *task)
{
    char event[128];
    snprintf(event, sizeof event, "{\"kind\":\"completed\",\"result\":null,\"task_id\":\"%s\"}", task->id);
    rouse_post post = {.thread = BENCH_THREAD, .task_id = task->id, .json = event};
    rouse_batch *batch = rouse_batch_new();
    bench_task_end(task);
    bench_put(batch, &task->record);
    rouse_commit commit = {.thread = BENCH_THREAD, .batch = batch, .posts = &post, .n_posts = 1};
    rouse_error err = {0};
    bench_check(rouse_store_commit(store, &commit, NULL, &err), "end", &err);
    rouse_batch_free(batch);
}

void bench_fill(rouse_store *store, size_t finished, size_t running)
{
    size_t total = finished + running;
    for (size_t at = 0; at < total;) {
        rouse_batch *batch = rouse_batch_new();
        for (size_t i = 0; i < FILL_BATCH && at < total; i++, at++) {
            struct bench_task task;
            bench_task_init(&task, at + 1);
            bench_task_name(&task, at + 1);
            bench_task_parent(&task, at / 100 * 100 + 1);
            if (at < finished)
                bench_task_end(&task);
            bench_put(batch, &task.record);
        }
        rouse_commit commit = {.thread = BENCH_THREAD, .batch = batch};
        rouse_error err = {0};
        bench_check(rouse_store_commit(store, &commit, NULL, &err), "fill", &err);
        rouse_batch_free(batch);
    }
}
