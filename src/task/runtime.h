/* The inside of a runtime: shared by what runs bodies (runtime.c), what bodies may call (call.c) and the loop (loop.c). */
#ifndef TASK_RUNTIME_H
#define TASK_RUNTIME_H

#include <pthread.h>

#include "base/lookup.h"
#include "task/work.h"

#define RUNTIME_BUCKETS 4096

struct rouse_call { /* one function task of this runtime, from its start to its end */
    rouse_call *next;      /* in its bucket */
    rouse_call *following; /* in line, or in the list of what is not stored */
    rouse_manager *manager;
    struct body body;
    char id[LIMIT_TASK_ID + 1];
    rouse_task *task; /* as it was when this attempt began; NULL before the first one */
    bool in_line, running;
    bool cancelled, ended; /* the record has ended: whatever the body comes to is dropped */
    bool done;             /* the body has returned code; only the outcome is left to be stored */
    int code;
    char *result, *error;
    int cancel_fd;
};

struct function {
    char *name;
    struct body body;
};

struct runtime {
    pthread_mutex_t lock;     /* everything below */
    pthread_cond_t work;      /* a body is in line, or a pool stops */
    pthread_cond_t cancelled; /* some body was cancelled */
    rouse_call *buckets[RUNTIME_BUCKETS];
    rouse_call *first, **last; /* in line */
    rouse_call *unstored;
    size_t n_running;
    struct function *functions;
    size_t n_functions;
    struct queue_todo *queues; /* queue.c */
    bool queue_busy;
    int epoll, wake, timer, bell;
    int clock;            /* a timer that never goes off, and is cancelled when the wall clock is set */
    int64_t clock_ms;     /* what the wall clock was ahead of the monotonic one at the last look */
    bool dirty;           /* the agenda changed here, or may have */
    unsigned pools;
    uint64_t next_ms;     /* by the monotonic clock: when the agenda is due; 0 = not known */
    uint64_t looked_ms;   /* at the agenda, because of the bell */
    uint64_t looked_at_all_ms; /* dispatch only */
};

/* Runs the first body in line, if there is one. */
bool runtime_run_one(rouse_manager *m);
void runtime_store_again(rouse_manager *m);
/* Takes over functions of that name whose runtime is gone. */
int work_recover(rouse_manager *m, const char *function, rouse_error *err);

#endif
