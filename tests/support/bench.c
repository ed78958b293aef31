#include "support/bench.h"

#include <ftw.h>
#include <unistd.h>

static uint64_t now_ms(void *userdata)
{
    return __atomic_load_n(&((struct bench *)userdata)->now_ms, __ATOMIC_RELAXED);
}

static uint64_t mono_ms(void *userdata)
{
    return __atomic_load_n(&((struct bench *)userdata)->mono_ms, __ATOMIC_RELAXED);
}

static int random_bytes(void *userdata, unsigned char *fill, size_t size)
{
    struct bench *b = userdata;
    for (size_t i = 0; i < size; i++)
        fill[i] = (unsigned char)(__atomic_add_fetch(&b->seed, 37, __ATOMIC_RELAXED) ^ (unsigned char)(i * 11));
    return 0;
}

void bench_open(struct bench *b)
{
    const rouse_store_options options = {.platform = &b->platform};
    const rouse_manager_options manager = {.rouse = ""};
    if (!b->store)
        assert_works(rouse_store_open(b->memory ? "memory:" : b->dir, &options, &b->store, &err));
    assert_works(rouse_manager_new(b->store, &manager, &b->manager, &err));
}

void bench_close(struct bench *b)
{
    rouse_manager_free(b->manager);
    b->manager = NULL;
}

static int set_up(void **state, bool memory)
{
    struct bench *b = calloc(1, sizeof *b);
    *b = (struct bench){.memory = memory, .now_ms = 1700000000000, .mono_ms = 1000000};
    b->platform = (rouse_platform){.now_ms = now_ms, .mono_ms = mono_ms, .random = random_bytes, .userdata = b};
    snprintf(b->dir, sizeof b->dir, "/tmp/rouse-bench.XXXXXX");
    if (!memory && !mkdtemp(b->dir))
        return -1;
    *state = b;
    bench_open(b);
    return 0;
}

int bench_memory(void **state)
{
    return set_up(state, true);
}

int bench_directory(void **state)
{
    return set_up(state, false);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int bench_done(void **state)
{
    struct bench *b = *state;
    rouse_manager_free(b->manager);
    rouse_store_close(b->store);
    if (!b->memory)
        nftw(b->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(b);
    return 0;
}

rouse_task *bench_start(struct bench *b, const rouse_task_spec *spec)
{
    rouse_task *task = NULL;
    assert_works(rouse_task_start(b->manager, spec, &task, &err));
    return task;
}

rouse_task *bench_get(struct bench *b, const char *id, rouse_status status)
{
    rouse_task *task = NULL;
    assert_works(rouse_task_get(b->manager, "t", id, &task, &err));
    if (task->status != status)
        fail_msg("'%s' is %s (%s)", id, rouse_status_text(task->status), task->error ? task->error : "");
    return task;
}

static rouse_events *events_of(struct bench *b, const char *thread)
{
    rouse_events *events = NULL;
    assert_works(rouse_store_inbox(b->store, thread, 0, true, 0, &events, &err));
    return events;
}

size_t bench_events(struct bench *b, const char *thread, const char *id)
{
    rouse_events *events = events_of(b, thread);
    size_t n = 0;
    for (size_t i = 0; i < rouse_events_count(events); i++)
        n += !id || strcmp(rouse_events_at(events, i)->task_id, id) == 0;
    rouse_events_free(events);
    return n;
}

char *bench_event(struct bench *b, const char *thread, const char *id, size_t nth)
{
    rouse_events *events = events_of(b, thread);
    char *json = NULL;
    for (size_t i = 0; i < rouse_events_count(events) && !json; i++) {
        const rouse_event *event = rouse_events_at(events, i);
        if ((!id || strcmp(event->task_id, id) == 0) && nth-- == 0)
            json = strdup(event->json);
    }
    rouse_events_free(events);
    if (!json)
        fail_msg("no such event of '%s'", id ? id : "all");
    return json;
}

static bool is_terminal_event(const char *json)
{
    return strstr(json, "\"kind\":\"completed\"") || strstr(json, "\"kind\":\"failed\"") || strstr(json, "\"kind\":\"cancelled\"");
}

rouse_task *bench_ended(struct bench *b, const char *id, rouse_status status)
{
    rouse_task *task = bench_get(b, id, status);
    rouse_events *events = events_of(b, task->owner_thread_id);
    size_t n = 0;
    bool last = false;
    for (size_t i = 0; i < rouse_events_count(events); i++) {
        const rouse_event *event = rouse_events_at(events, i);
        if (strcmp(event->task_id, id) != 0)
            continue;
        last = is_terminal_event(event->json);
        n += last;
    }
    rouse_events_free(events);
    assert_int_equal(n, 1);
    assert_true(last);
    assert_true(task->has_completed_at);
    return task;
}

void bench_dispatch(struct bench *b)
{
    for (int i = 0; i < 3; i++) {
        int ran = 1;
        while (ran > 0) {
            rouse_error err = {0};
            ran = rouse_manager_dispatch(b->manager, &err);
            if (ran < 0)
                fail_msg("%s", err.message);
        }
    }
}

void bench_pass(struct bench *b, uint64_t ms)
{
    __atomic_add_fetch(&b->now_ms, ms, __ATOMIC_RELAXED);
    __atomic_add_fetch(&b->mono_ms, ms, __ATOMIC_RELAXED);
}
