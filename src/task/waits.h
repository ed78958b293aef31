/* Waits that call back (rouse_waiting): what the manager holds of them. */
#ifndef TASK_WAITS_H
#define TASK_WAITS_H

#include "task/manager.h"

struct waits;

/* NULL when out of memory. Opens nothing yet. */
struct waits *waits_new(rouse_manager *m);
void waits_free(struct waits *w); /* takes NULL; what still waits is forgotten without a call */
/* A descriptor that is readable when waits_dispatch has something to do. ROUSE_EIO, errors of the store. */
int waits_fd(struct waits *w, int *ret_fd, rouse_error *err);
/* Takes in what happened and calls back; never sleeps. The number of waits that are over, or an error: then it goes on with the
 * next call. */
int waits_dispatch(struct waits *w, rouse_error *err);

/* The tasks that a wait is about, as they are now: *ret_tasks and each of them Returns free. */
int wait_resolve(rouse_manager *m, const rouse_wait *wait, rouse_task ***ret_tasks, size_t *ret_count, rouse_error *err);
/* Is it over, ready or as far as a wait is for? What it prints is watch.h's. */
bool wait_holds(const rouse_task *task, rouse_until until, uint64_t progress_done);
void wait_free_tasks(rouse_task **tasks, size_t count); /* takes NULL */

#endif
