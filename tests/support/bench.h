/* A manager on a store of its own, in memory or in a directory, with clocks that the test sets. */
#ifndef SUPPORT_BENCH_H
#define SUPPORT_BENCH_H

#include <stdbool.h>

#include "rouse/work.h"
#include "support/check.h"

struct bench {
    bool memory;
    char dir[64]; /* of a store in a directory: temporary, removed at the end */
    rouse_store *store;
    rouse_manager *manager;
    rouse_platform platform;
    uint64_t now_ms, mono_ms; /* what its clocks say */
    unsigned char seed;
};

int bench_memory(void **state); /* set-ups */
int bench_directory(void **state);
int bench_done(void **state);
/* The test on both. */
#define BENCH_TEST(test)                                                                                               \
    {#test " in memory", test, bench_memory, bench_done, NULL}, {#test " in a directory", test, bench_directory, bench_done, NULL}

void bench_close(struct bench *b); /* the manager only, as if its process had gone */
void bench_open(struct bench *b);

/* Each fails the test when it cannot. Records Return rouse_task_free, texts free. */
rouse_task *bench_start(struct bench *b, const rouse_task_spec *spec);
rouse_task *bench_get(struct bench *b, const char *id, rouse_status status);
/* The same for an ended task, of which exactly one event tells, the last about it. */
rouse_task *bench_ended(struct bench *b, const char *id, rouse_status status);
size_t bench_events(struct bench *b, const char *thread, const char *id); /* id NULL = all */
char *bench_event(struct bench *b, const char *thread, const char *id, size_t i);
/* Dispatches until nothing is left to be done now. */
void bench_dispatch(struct bench *b);
/* Both clocks go on. */
void bench_pass(struct bench *b, uint64_t ms);

#endif
