/* What the commands say of tasks. */
#ifndef CLI_TASK_TEXT_H
#define CLI_TASK_TEXT_H

#include "base/buf.h"
#include "rouse/task.h"

/* The status a shell would give: the exit code, 128 + the signal, 127 or 126 when the command could not be run. Never 0
 * for a task that did not complete. The task must have ended. */
int task_exit_status(const rouse_task *task);
/* "running", "ready", "completed", "failed: exit status 7", "cancelled by user: reason". */
void task_add_outcome(struct buf *out, const rouse_task *task);
#define TASK_STATUS 64
/* For people, what fits in a column: "running", "ready", "needs input", "queued", "running 40%", "failed (7)". Fills out. */
const char *task_short_status(const rouse_task *task, char out[TASK_STATUS]);
/* 0 to 100; the total must not be 0. */
unsigned task_percent(const rouse_progress *progress);
/* "bg_3", or "bg_3 build" when it has a name. */
void task_add_label(struct buf *out, const rouse_task *task);

/* Prints the task as one line of JSON. */
int task_print_json(const rouse_task *task, rouse_error *err);
/* Prints it as an item of an array whose brackets the caller prints. */
int task_print_json_item(const rouse_task *task, bool is_first, rouse_error *err);

#endif
