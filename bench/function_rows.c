/* What tasks without a process cost: functions, parked tasks, the view, waiters. */
#include "bench.h"

#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rouse/work.h"

#define MANY 1000 /* tasks in one call, at most */
#define BATCH 100

static rouse_manager *open_manager(rouse_store **ret_store)
{
    rouse_store_options options = {0};
    rouse_manager *manager = NULL;
    rouse_error err = {0};
    bench_check(rouse_store_open(bench_word("where", NULL), &options, ret_store, &err), "open", &err);
    bench_check(rouse_manager_new(*ret_store, NULL, &manager, &err), "manager", &err);
    return manager;
}

static void close_manager(rouse_manager *manager, rouse_store *store)
{
    rouse_manager_free(manager);
    rouse_store_close(store);
}

static const char description[] = "run the integration tests of the parser and report failures.";

/* Starts count tasks that nobody runs, in as few transactions as can be; ids (may be NULL) has room for their ids. */
static void start_parked(rouse_manager *manager, rouse_kind kind, size_t count, char (*ids)[32])
{
    const rouse_task_spec spec = {.thread = BENCH_THREAD, .kind = kind, .description = description};
    const rouse_task_spec *specs[MANY];
    rouse_task *tasks[MANY];
    rouse_error err = {0};
    for (size_t i = 0; i < MANY; i++)
        specs[i] = &spec;
    for (size_t done = 0, part; done < count; done += part) {
        part = count - done < MANY ? count - done : MANY;
        bench_check(rouse_task_start_many(manager, specs, part, ids ? tasks : NULL, &err), "start", &err);
        for (size_t i = 0; ids && i < part; i++) {
            snprintf(ids[done + i], sizeof ids[0], "%s", tasks[i]->task_id);
            rouse_task_free(tasks[i]);
        }
    }
}

static void end_parked(rouse_manager *manager, size_t count, char (*ids)[32])
{
    rouse_ending endings[MANY];
    rouse_error err = {0};
    for (size_t done = 0, part; done < count; done += part) {
        part = count - done < MANY ? count - done : MANY;
        for (size_t i = 0; i < part; i++)
            endings[i] = (rouse_ending){.id = ids[done + i]};
        bench_check(rouse_task_end_many(manager, BENCH_THREAD, endings, part, &err), "end", &err);
    }
}

/* How many events came since *last, which is moved on. */
static size_t receive(rouse_store *store, uint64_t *last)
{
    rouse_events *events = NULL;
    rouse_error err = {0};
    bench_check(rouse_store_inbox(store, BENCH_THREAD, *last, false, 0, &events, &err), "inbox", &err);
    size_t count = rouse_events_count(events);
    if (count > 0)
        *last = rouse_events_at(events, count - 1)->id;
    rouse_events_free(events);
    return count;
}

/* ---- parked ---- */

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void cmd_parked(void)
{
    size_t n = (size_t)bench_number("n", 100000), ended = 0;
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    rouse_error err = {0};
    size_t before = allocated();
    start_parked(manager, ROUSE_KIND_FUNCTION, n, NULL);
    bench_say("bytes", (double)(allocated() - before) / (double)n);
    rouse_cancel options = {0};
    double from = bench_seconds();
    bench_check(rouse_task_cancel_all(manager, BENCH_THREAD, &options, &ended, &err), "cancel", &err);
    bench_say("cancel_s", bench_seconds() - from);
    if (ended != n || rouse_task_has_running(manager, BENCH_THREAD, &err) != 0)
        bench_fail("parked", "some are still running");
    close_manager(manager, store);
}

/* ---- from start to the event ---- */

static int body(rouse_call *call, const char *input, void *userdata)
{
    size_t *ran = userdata;
    (void)call;
    (void)input;
    (*ran)++;
    return 0;
}

/* One at a time: started, run by dispatch, its event read. */
void cmd_functions(void)
{
    size_t n = (size_t)bench_number("n", 10000), ran = 0;
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    const rouse_task_spec spec = {
        .thread = BENCH_THREAD, .kind = ROUSE_KIND_FUNCTION, .description = description, .run = body, .userdata = &ran};
    rouse_error err = {0};
    uint64_t last = 0;
    bench_warm(n * BENCH_TASK_BYTES);
    double from = bench_seconds();
    for (size_t i = 0; i < n; i++) {
        rouse_task *task = NULL;
        bench_check(rouse_task_start(manager, &spec, &task, &err), "start", &err);
        rouse_task_free(task);
        bench_check(rouse_manager_dispatch(manager, &err), "dispatch", &err);
        if (receive(store, &last) != 1)
            bench_fail("functions", "another number of events than one");
    }
    bench_say("rate", (double)n / (bench_seconds() - from));
    if (ran != n)
        bench_fail("functions", "not all have run");
    close_manager(manager, store);
}

/* In batches: started in one transaction, completed in one, their events read. */
void cmd_function_batches(void)
{
    size_t n = (size_t)bench_number("n", 10000) / BATCH * BATCH;
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    char ids[BATCH][32];
    uint64_t last = 0;
    double from = bench_seconds();
    for (size_t i = 0; i < n; i += BATCH) {
        start_parked(manager, ROUSE_KIND_FUNCTION, BATCH, ids);
        end_parked(manager, BATCH, ids);
        if (receive(store, &last) != BATCH)
            bench_fail("functions", "another number of events than were started");
    }
    bench_say("rate", (double)n / (bench_seconds() - from));
    close_manager(manager, store);
}

/* ---- the view ---- */

void cmd_view(void)
{
    size_t n = (size_t)bench_number("n", 100000), samples = (size_t)bench_number("samples", 200), largest = 0;
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    double *took = bench_memory(samples, sizeof *took);
    rouse_error err = {0};
    start_parked(manager, ROUSE_KIND_EXTERNAL, n, NULL);
    for (size_t i = 0; i < samples; i++) {
        char *text = NULL;
        start_parked(manager, ROUSE_KIND_EXTERNAL, 1, NULL);
        double from = bench_seconds();
        bench_check(rouse_view_render(manager, BENCH_THREAD, 0, &text, &err), "view", &err);
        took[i] = (bench_seconds() - from) * 1e6;
        largest = strlen(text) > largest ? strlen(text) : largest;
        free(text);
    }
    bench_say("us", bench_middle(took, samples, 0.5));
    bench_say("largest", (double)largest);
    free(took);
    close_manager(manager, store);
}

/* ---- many waiters ---- */

static void woken(int code, const rouse_task_list *list, void *userdata)
{
    size_t *count = userdata;
    if (code != 0 || rouse_task_list_count(list) != 1)
        bench_fail("waiters", "one was woken for nothing");
    (*count)++;
}

/* Dispatches until there is nothing left to do. */
static void settle(rouse_manager *manager, struct pollfd *poller)
{
    rouse_error err = {0};
    while (poll(poller, 1, 200) > 0)
        bench_check(rouse_manager_dispatch(manager, &err), "dispatch", &err);
}

void cmd_waiters(void)
{
    size_t n = (size_t)bench_number("n", 10000), count = 0;
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    char(*ids)[32] = bench_memory(n, sizeof *ids);
    rouse_error err = {0};
    struct pollfd poller = {.events = POLLIN};
    bench_check(rouse_manager_fd(manager, &poller.fd, &err), "fd", &err);
    start_parked(manager, ROUSE_KIND_EXTERNAL, n, ids);
    for (size_t i = 0; i < n; i++) {
        const char *id[] = {ids[i]};
        const rouse_wait wait = {.thread = BENCH_THREAD, .ids = id, .count = 1};
        bench_check(rouse_waiting_new(manager, &wait, woken, &count, NULL, &err), "wait", &err);
    }
    settle(manager, &poller);
    double cpu = bench_cpu();
    if (poll(&poller, 1, 2000) != 0)
        bench_fail("waiters", "something to do while nothing happens");
    bench_say("idle_ms", (bench_cpu() - cpu) * 1e3);
    double from = bench_seconds();
    end_parked(manager, n, ids);
    while (count < n && poll(&poller, 1, 10000) > 0)
        bench_check(rouse_manager_dispatch(manager, &err), "dispatch", &err);
    bench_say("woken_s", bench_seconds() - from);
    if (count != n)
        bench_fail("waiters", "not all were woken");
    free(ids);
    close_manager(manager, store);
}
