/* Tasks as records that change: what the files behind rouse/work.h share with those that start and end processes. */
#ifndef TASK_WORK_H
#define TASK_WORK_H

#include "base/limits.h"
#include "task/agenda.h"
#include "task/manager.h"
#include "rouse/work.h"

/* ---- owner.c ---- */
int owner_take(rouse_manager *m, rouse_error *err); /* gives this runtime its name */
int owner_lock(rouse_manager *m, rouse_error *err); /* and its lock, before a record carries the name */
void owner_release(rouse_manager *m);
bool owner_is_gone(const rouse_manager *m, const char *owner);

/* ---- change.c: one transaction about one task ---- */

struct task_change;
/* Changes a task, sets or removes its entry in the agenda, posts an event. Every pointer may be NULL but change's. */
struct task_step {
    const char *thread;
    const struct task_change *change;
    bool set_agenda; /* to agenda, NULL = removed */
    const struct agenda *agenda;
    const char *event; /* JSON for the owner's inbox */
    rouse_topic topic; /* of it */
};
int task_commit(rouse_manager *m, const struct task_step *step, rouse_error *err);

/* How a task is to end. */
struct task_end {
    rouse_status status;
    const char *result, *error;
    const char *ended_by, *reason;
    const rouse_task *record; /* of a process: the whole terminal record, whose plan is not looked at; or NULL */
};
/* Ends the task as seen, or begins its wait for another attempt when its retries say so: 1 ended, 2 to be tried again, 0 it had
 * ended, or an error. What waited for it is then begun. */
int task_end(rouse_manager *m, const char *thread, const rouse_task *seen, const struct task_end *end, rouse_error *err);
/* Ends n tasks of one thread in one transaction, none of which is to be tried again. Returns how many ended here. */
int task_end_all(rouse_manager *m, const char *thread, rouse_task *const *seen, const struct task_end *ends, size_t n,
                 rouse_error *err);

/* ---- release.c: what waits, and what comes due ---- */

/* Begins a waiting task if nothing keeps it any more; otherwise it stays. 1 = it waits no longer. */
int task_try_begin(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err);
/* Begins it without looking at what might keep it: 1, 0 = somebody else did, or it is another runtime's to begin. */
int task_begin(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err);
/* The commit that takes a task out of its waiting: it has begun, or (into_queue) only its queue keeps it. 1, or 0 when somebody else
 * was faster. */
int task_move(rouse_manager *m, const char *thread, const rouse_task *task, bool into_queue, rouse_error *err);
/* The same for every task of `ids` (NULL-terminated). Errors of single ones are left to the next look at the agenda. */
void task_release(rouse_manager *m, const char *thread, const char *const *ids);
/* Looks at the agenda: everything that is due, or with all also everything that waits for something else. *ret_next_ms: how long
 * until the next is due, UINT64_MAX = nothing is. Returns the number of tasks that changed. */
int agenda_run(rouse_manager *m, bool all, uint64_t *ret_next_ms, rouse_error *err);
/* Begins what may begin in the queue. Errors are left to the next look at the agenda. */
void queue_run(rouse_manager *m, const char *queue, uint64_t limit);
struct agenda agenda_in(const rouse_manager *m, uint64_t in_ms);
/* When a task that begins now is due for its deadline; agenda->due_ms 0 = never. */
void task_deadline(const rouse_manager *m, rouse_task *task, rouse_task_plan *plan, struct agenda *agenda);

/* ---- runtime.c: bodies of functions ---- */

struct body { /* what runs a function task */
    rouse_function call;
    void *userdata;
};
int runtime_new(rouse_manager *m, rouse_error *err);
void runtime_free(rouse_manager *m);
/* The body registered under the name. */
bool runtime_find(rouse_manager *m, const char *function, struct body *fill);
/* A task of this runtime that has begun: its body is put in line. A body that is not known leaves the task parked. */
int runtime_add(rouse_manager *m, rouse_task *task, rouse_error *err);
/* What is to be called for a task, made before there is the task: free, or runtime_put. NULL when out of memory. */
rouse_call *runtime_call_new(rouse_manager *m, const struct body *body);
/* Keeps it (Takes) for a task that begins, has not begun, or could be begun again. */
void runtime_put(rouse_manager *m, const char *id, rouse_call *call);
/* The task has begun: what is kept for it is put in line. */
void runtime_begin(rouse_manager *m, rouse_task *task);
bool runtime_keeps(rouse_manager *m, const char *id);
/* The task has ended: its body, if there is one, is told and forgotten. */
void runtime_end(rouse_manager *m, const char *id);
/* There is something to be done in dispatch. */
void runtime_wake(rouse_manager *m);

/* ---- work.c ---- */

int work_start_many(rouse_manager *m, const rouse_task_spec *const *specs, size_t count, rouse_task **ret_tasks, rouse_error *err);
int work_check_result(const char *result, rouse_error *err); /* NULL is fine */
int work_start(rouse_manager *m, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err);
/* A function whose runtime is gone: 1 orphaned or taken over, 0 it lives. */
int work_take_in(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err);
/* Ends it as cancelled, at once: 1, or 0 when it had ended. */
int work_cancel(rouse_manager *m, const char *thread, const rouse_task *task, const rouse_cancel *options, rouse_error *err);

#endif
