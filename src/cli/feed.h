/* Standard input on its way to a task that runs in the foreground. */
#ifndef CLI_FEED_H
#define CLI_FEED_H

#include "cli/cli.h"

struct feed; /* one per process */

/* Begins to hand over what standard input gives, on a thread with a store handle of its own; when it is a terminal and the task has
 * one too, as it is typed (raw), and sizes of the window with it. *ret_detach becomes readable (Borrowed) when the detach key was typed.
 * Returns feed_end. ROUSE_EIO, ROUSE_ENOMEM, errors of the store. */
int feed_begin(struct cli *cli, const rouse_task *task, struct feed **ret_feed, rouse_error *err);
int feed_detach_fd(const struct feed *feed);
bool feed_is_raw(const struct feed *feed);
/* Gives the terminal back. The thread may sleep in a read: it is left to the end of this program. Takes NULL. */
void feed_end(struct feed *feed);

#endif
