/* Who stays when a task is to begin at a time and this program will be gone by then: a `rouse reap` of it. When that one is killed
 * the task begins late, with the next rouse that opens the store. */
#ifndef CLI_SLEEPER_H
#define CLI_SLEEPER_H

#include "cli/cli.h"

/* The task waits for a time, and nobody begins it but who looks. */
bool sleeper_is_needed(const rouse_task *task);
/* ROUSE_EIO when it cannot be started; the task is there in any case. */
int sleeper_start(const struct cli *cli, const rouse_task *task, rouse_error *err);

#endif
