/* The measuring program: each subcommand does one piece of work, measures it, and prints "name value" lines. What is
 * compared with what, how often, and which bars hold stands in rows.py. Only the public API of rouse is used. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>

#include "rouse/task.h"

#define BENCH_THREAD "bench"

/* Arguments are words of the form name=value. */
long bench_number(const char *name, long otherwise);
const char *bench_word(const char *name, const char *otherwise); /* otherwise NULL: it must be there */

double bench_seconds(void); /* monotonic */
double bench_cpu(void);     /* user and system time of this process and of the children it has waited for */
void bench_say(const char *name, double value);
double bench_middle(double *values, size_t count, double quantile); /* sorts values */

/* Whatever goes wrong ends the program: a figure that was not measured must not be printed. */
_Noreturn void bench_fail(const char *what, const char *why);
void bench_check(int code, const char *what, const rouse_error *err);
void *bench_memory(size_t count, size_t size);
/* Before a row with where=memory: that keeps many tasks: has the system touch that much memory and takes it back, so that what
 * follows measures rouse, and not what the first use of a page costs on this machine. */
void bench_warm(size_t bytes);
#define BENCH_TASK_BYTES 1200 /* a finished task and its event, at most */

/* ---- stores and records (records.c) ---- */

/* Opens where=… with durability=process|power and registers the key of task records. */
rouse_store *bench_open(void);
rouse_store *bench_open_at(const char *where);

struct bench_task { /* a record with a 60-byte description and no result */
    rouse_task record;
    char id[32], name[32], parent[32];
};
void bench_task_init(struct bench_task *task, uint64_t number);
void bench_task_end(struct bench_task *task); /* makes it the completed one */
void bench_task_name(struct bench_task *task, uint64_t number);
void bench_task_parent(struct bench_task *task, uint64_t number);

void bench_put(rouse_batch *batch, const rouse_task *record);
/* Starts `count` tasks in one transaction that also gives them their ids; the last one's record is left in task. */
void bench_start(rouse_store *store, struct bench_task *task, size_t count);
/* Ends it, with its event, in one transaction. */
void bench_end(rouse_store *store, struct bench_task *task);
/* Puts finished tasks (and, for each `running` at the end, a running one) into the store as fast as it takes them. */
void bench_fill(rouse_store *store, size_t finished, size_t running);

/* ---- the subcommands ---- */

void cmd_cycle(void);
void cmd_lookups(void);
void cmd_held(void);
void cmd_bytes(void);
void cmd_document(void);
void cmd_fill(void);
void cmd_open(void);

void cmd_start(void);
void cmd_bare_rows(void);

void cmd_tasks(void);
void cmd_bare_spawn(void);
void cmd_output(void);
void cmd_bare_output(void);
void cmd_many(void);
void cmd_wake(void);
void cmd_cancel(void);

void cmd_parked(void);
void cmd_functions(void);
void cmd_function_batches(void);
void cmd_view(void);
void cmd_waiters(void);

#endif
