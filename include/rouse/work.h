/* rouse/work.h: tasks without a process. Functions of this program, parked tasks, timers, external tasks; what may be said
 * about a task while it runs (progress, events, checkpoints); how it is ended by whoever holds its id; the loop.
 *
 * A task of these kinds is begun with rouse_task_start (rouse/task.h). Of a parked, timer or external task there is nothing
 * but its record: it needs no thread and no memory of the manager.
 *
 * Threads: every call may be made from any thread, except that a rouse_call belongs to the thread that runs the body, but for
 * the calls that say otherwise. Bodies run only in rouse_manager_dispatch and in the threads of a pool.
 */
#ifndef ROUSE_WORK_H
#define ROUSE_WORK_H

#include "rouse/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- functions ---- */

/* Makes a body known under a name (1 to 64 characters as a task's name). Tasks begun with that name are begun again after a
 * crash of their runtime, by any runtime that knows it: at least once, with what rouse_call_checkpoint gave last and an attempt
 * count. Those whose runtime is gone are taken over by this call. ROUSE_ECONFLICT (name taken), ROUSE_EINVAL, ROUSE_ENOMEM and
 * the errors of the store. */
ROUSE_API int rouse_function_register(rouse_manager *manager, const char *name, rouse_function function, void *userdata,
                                      rouse_error *err);

/* Inside a body. Texts are Borrowed until the body returns. */
ROUSE_API const char *rouse_call_task(const rouse_call *call);       /* the task's id; any thread */
ROUSE_API const char *rouse_call_thread(const rouse_call *call);     /* its owner; any thread */
ROUSE_API uint64_t rouse_call_attempt(const rouse_call *call);       /* 1 for the first */
ROUSE_API const char *rouse_call_checkpoint(const rouse_call *call); /* JSON text that an earlier attempt left, or NULL */
ROUSE_API rouse_manager *rouse_call_manager(rouse_call *call);       /* any thread */
/* Sets the result (JSON text) or the error (text) that the task will end with; copied, the last one counts. ROUSE_EDATA,
 * ROUSE_ELIMIT, ROUSE_ENOMEM. */
ROUSE_API int rouse_call_result(rouse_call *call, const char *json, rouse_error *err);
ROUSE_API int rouse_call_error(rouse_call *call, const char *text, rouse_error *err);
/* Starts a task of which this one is the parent: what spec.parent leaves out is this task and its run (COMPAT B66, B67), a
 * missing thread is this task's. As rouse_task_start. */
ROUSE_API int rouse_call_start(rouse_call *call, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err);
/* Was it cancelled, or did its deadline pass? Any thread. */
ROUSE_API bool rouse_call_is_cancelled(rouse_call *call);
/* Sleeps until it is cancelled or timeout_ms have passed: true = cancelled. Check and sleep are one step, so that no wake-up is
 * missed (DEFECTS 5). Any thread. */
ROUSE_API bool rouse_call_wait(rouse_call *call, uint64_t timeout_ms);
/* A descriptor that becomes readable when it is cancelled, and stays so. Borrowed until the body returns. ROUSE_EIO. */
ROUSE_API int rouse_call_cancel_fd(rouse_call *call, int *ret_fd, rouse_error *err);

/* ---- about a running task, by whoever holds its id ----
 * All of them: ROUSE_ENOTFOUND, ROUSE_ECONFLICT `task already {status}`, the errors of the store. Names are looked up in
 * thread; with an id thread may be NULL. */

/* Ends it with a result (JSON text or NULL for none) or an error. Of a process task: ROUSE_EUNSUPPORTED. */
ROUSE_API int rouse_task_complete(rouse_manager *manager, const char *thread, const char *id_or_name, const char *result,
                                  rouse_error *err);
ROUSE_API int rouse_task_fail(rouse_manager *manager, const char *thread, const char *id_or_name, const char *error,
                              rouse_error *err);
/* A custom event (COMPAT B79) for the owner's inbox. payload is JSON text. ROUSE_ELIMIT after 10000 of one task. */
ROUSE_API int rouse_task_emit(rouse_manager *manager, const char *thread, const char *id_or_name, const char *event_type,
                              const char *payload, rouse_error *err);
/* How far it is. The record holds the last one only: progress sends no event and cannot flood anybody. total 0 = unknown. */
ROUSE_API int rouse_task_progress(rouse_manager *manager, const char *thread, const char *id_or_name,
                                  const rouse_progress *progress, rouse_error *err);
/* Where the next attempt of a registered function begins: JSON text. */
ROUSE_API int rouse_task_checkpoint(rouse_manager *manager, const char *thread, const char *id_or_name, const char *json,
                                    rouse_error *err);

/* ---- many at once: one transaction each ---- */

/* Starts count tasks of one thread that are not processes and have neither `after` nor `key`. All or none. ret_tasks (may be
 * NULL) has room for count records, Returns rouse_task_free each. At most 1000. As rouse_task_start. */
ROUSE_API int rouse_task_start_many(rouse_manager *manager, const rouse_task_spec *const *specs, size_t count,
                                    rouse_task **ret_tasks, rouse_error *err);
typedef struct rouse_ending {
    const char *id;
    const char *result; /* JSON text, or NULL */
    const char *error;  /* not NULL: it failed */
} rouse_ending;
/* Ends count tasks. Those that had ended already stay as they are. Returns how many were ended. At most 1000. */
ROUSE_API int rouse_task_end_many(rouse_manager *manager, const char *thread, const rouse_ending *endings, size_t count,
                                  rouse_error *err);

/* ---- the loop: one descriptor, one call ---- */

/* Readable when rouse_manager_dispatch has something to do: a body to run, a time that has come, news of another process.
 * Borrowed until rouse_manager_free. ROUSE_EIO, ROUSE_ENOMEM. */
ROUSE_API int rouse_manager_fd(rouse_manager *manager, int *ret_fd, rouse_error *err);
/* Does what is to be done now and returns without sleeping: fires timers, begins what waited (retries, dependencies, queues), ends
 * what is over its deadline, tells bodies that they were cancelled and, unless the manager has a pool, runs those in line; then
 * calls back the waits that are over (rouse_waiting_new). Returns the number of bodies run and waits called back. */
ROUSE_API int rouse_manager_dispatch(rouse_manager *manager, rouse_error *err);

typedef struct rouse_pool rouse_pool;
/* Starts threads (1 to 256) that run bodies. Borrows manager. Returns rouse_pool_free. */
ROUSE_API int rouse_pool_new(rouse_manager *manager, unsigned threads, rouse_pool **ret_pool, rouse_error *err);
/* Waits for the bodies that are running, and ends the threads. Takes NULL; before rouse_manager_free. */
ROUSE_API void rouse_pool_free(rouse_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
