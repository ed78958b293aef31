/* What the store costs: cycles of start and complete, look-ups, memory, documents, opening. */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cycle(rouse_store *store)
{
    struct bench_task task;
    bench_start(store, &task, 1);
    bench_end(store, &task);
}

/* With few tasks a store is made anew before it has grown to twice as many. */
void cmd_cycle(void)
{
    size_t n = (size_t)bench_number("n", 1000), cycles = (size_t)bench_number("cycles", 100000);
    double took = 0;
    bench_warm((n + (cycles < n ? cycles : n)) * BENCH_TASK_BYTES);
    for (size_t done = 0; done < cycles;) {
        rouse_store *store = bench_open();
        bench_fill(store, n, 0);
        size_t run = cycles - done < n ? cycles - done : n;
        double from = bench_seconds();
        for (size_t i = 0; i < run; i++)
            cycle(store);
        took += bench_seconds() - from;
        done += run;
        rouse_store_close(store);
    }
    bench_say("rate", (double)cycles / took);
}

/* ---- look-ups ---- */

enum lookup { BY_ID, BY_NAME, HAS_RUNNING, NEXT_CHILD };

static size_t ask(rouse_store *store, enum lookup what, uint64_t number)
{
    char text[32], cursor[32];
    rouse_query query = {.limit = 1};
    snprintf(text, sizeof text, "%s%llu", what == BY_NAME ? "job-" : "bg_", (unsigned long long)number);
    switch (what) {
    case BY_ID:
        query.entry = text;
        break;
    case BY_NAME:
        query.thread = BENCH_THREAD;
        query.name = text;
        break;
    case HAS_RUNNING:
        query.thread = BENCH_THREAD;
        query.live_only = true;
        break;
    case NEXT_CHILD:
        snprintf(text, sizeof text, "bg_%llu", (unsigned long long)((number - 1) / 100 * 100 + 1));
        snprintf(cursor, sizeof cursor, "bg_%llu", (unsigned long long)(number % 100 == 1 ? number + 1 : number));
        query.parent = text;
        query.before = cursor;
        break;
    }
    rouse_rows *rows = NULL;
    rouse_error err = {0};
    bench_check(rouse_store_list(store, &rouse_task_state_key, &query, &rows, &err), "list", &err);
    size_t count = rouse_rows_count(rows);
    rouse_rows_free(rows);
    return count;
}

/* Every call is timed by itself; the numbers asked for walk through all of the store. */
static double median_lookup(rouse_store *store, enum lookup what, size_t n, size_t samples)
{
    double *took = bench_memory(samples, sizeof *took);
    size_t found = 0;
    for (size_t i = 0; i < samples; i++) {
        uint64_t number = (i * 7919 + 13) % (n - 1) + 1;
        double from = bench_seconds();
        found += ask(store, what, number);
        took[i] = bench_seconds() - from;
    }
    if (found < samples)
        bench_fail("lookups", "something was not found");
    double middle = bench_middle(took, samples, 0.5);
    free(took);
    return middle * 1e6;
}

void cmd_lookups(void)
{
    size_t n = (size_t)bench_number("n", 1000000), samples = (size_t)bench_number("samples", 20000);
    rouse_store *store = bench_open();
    bench_fill(store, n, 100);
    bench_say("by_id", median_lookup(store, BY_ID, n, samples));
    bench_say("by_name", median_lookup(store, BY_NAME, n, samples));
    bench_say("has_running", median_lookup(store, HAS_RUNNING, n, samples));
    bench_say("next_child", median_lookup(store, NEXT_CHILD, n, samples));
    rouse_store_close(store);
}

/* ---- a snapshot held while others commit ---- */

static double commits_beside_snapshot(rouse_store *store, size_t commits, bool hold)
{
    rouse_error err = {0};
    struct bench_task task;
    double took = 0;
    for (size_t i = 0; i < commits; i++) {
        rouse_snapshot *held = NULL;
        if (hold) /* a fresh one each time: the worst case, nothing of it has been copied yet */
            bench_check(rouse_store_snapshot(store, BENCH_THREAD, NULL, &held, &err), "snapshot", &err);
        double from = bench_seconds();
        if (i % 2 == 0)
            bench_start(store, &task, 1);
        else
            bench_end(store, &task);
        took += bench_seconds() - from;
        rouse_snapshot_unref(held);
    }
    return took / (double)commits * 1e6;
}

void cmd_held(void)
{
    size_t n = (size_t)bench_number("n", 100000), commits = (size_t)bench_number("commits", 20000), turns = 10;
    rouse_store *store = bench_open();
    bench_fill(store, 0, n);
    double without = 0, with = 0;
    for (size_t i = 0; i < turns; i++) {
        without += commits_beside_snapshot(store, commits / turns, false);
        with += commits_beside_snapshot(store, commits / turns, true);
    }
    rouse_store_close(store);
    bench_say("free", without / (double)turns);
    bench_say("held", with / (double)turns);
}

/* ---- memory ---- */

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* As an owner does that reads its inbox: what is acknowledged is no longer kept for it. */
static void acknowledge_all(rouse_store *store)
{
    rouse_events *events = NULL;
    rouse_error err = {0};
    bench_check(rouse_store_inbox(store, BENCH_THREAD, 0, false, 0, &events, &err), "inbox", &err);
    size_t count = rouse_events_count(events);
    uint64_t *acks = bench_memory(count, sizeof *acks);
    for (size_t i = 0; i < count; i++)
        acks[i] = rouse_events_at(events, i)->id;
    rouse_commit commit = {.thread = BENCH_THREAD, .acks = acks, .n_acks = count};
    bench_check(rouse_store_commit(store, &commit, NULL, &err), "acknowledge", &err);
    free(acks);
    rouse_events_free(events);
}

void cmd_bytes(void)
{
    size_t n = (size_t)bench_number("n", 100000), step = 1000;
    rouse_store *store = bench_open();
    size_t before = allocated();
    for (size_t done = 0; done < n; done += step) {
        for (size_t i = 0; i < step; i++)
            cycle(store);
        acknowledge_all(store);
    }
    bench_say("bytes", (double)(allocated() - before) / (double)n);
    rouse_store_close(store);
}

/* ---- documents ---- */

void cmd_document(void)
{
    size_t n = (size_t)bench_number("n", 100000);
    rouse_error err = {0};
    rouse_store *store = bench_open();
    bench_fill(store, n, 0);
    char *json = NULL;
    double from = bench_seconds();
    bench_check(rouse_store_export(store, BENCH_THREAD, NULL, &json, &err), "export", &err);
    double exported = bench_seconds();
    size_t len = strlen(json);
    rouse_import_options options = {0};
    bench_say("export", (double)len / 1e6 / (exported - from));
    rouse_store_close(store);
    store = bench_open_at(bench_word("into", bench_word("where", NULL)));
    from = bench_seconds();
    bench_check(rouse_store_import(store, BENCH_THREAD, json, len, &options, &err), "import", &err);
    bench_say("import", (double)len / 1e6 / (bench_seconds() - from));
    bench_say("megabytes", (double)len / 1e6);
    rouse_store_close(store);
    free(json);
}

/* ---- opening ---- */

void cmd_fill(void)
{
    rouse_store *store = bench_open();
    bench_fill(store, (size_t)bench_number("n", 1000), (size_t)bench_number("running", 0));
    rouse_store_close(store);
}

void cmd_open(void)
{
    double from = bench_seconds();
    rouse_store *store = bench_open();
    rouse_query query = {.thread = BENCH_THREAD, .live_only = true};
    rouse_rows *rows = NULL;
    rouse_error err = {0};
    bench_check(rouse_store_list(store, &rouse_task_state_key, &query, &rows, &err), "list", &err);
    double took = bench_seconds() - from;
    if (rouse_rows_count(rows) != (size_t)bench_number("expect", 100))
        bench_fail("open", "another number of running tasks than expected");
    rouse_rows_free(rows);
    rouse_store_close(store);
    bench_say("ms", took * 1e3);
}
