/* How far tasks are, as one line at the bottom of a terminal: on standard error, gone before anything else is printed, and only
 * where output has ended its line. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/buf.h"
#include "cli/cli.h"

struct progress {
    int bell;      /* readable when it may have changed; -1 = no line is shown at all */
    bool shown;
    bool mid_line; /* output was printed that did not end its line */
};
#define PROGRESS_NONE ((struct progress){.bell = -1})

/* Ready to show where standard error is a terminal for it; else, and when that cannot be watched, PROGRESS_NONE. */
void progress_open(struct progress *progress, rouse_store *store);
void progress_close(struct progress *progress);
/* Before and after somebody prints; text: what was printed, whose end counts. */
void progress_hide(struct progress *progress);
void progress_printed(struct progress *progress, const char *text, size_t len);
/* "bg_0 build [===>      ] 40% 4/10 linking": added when the task has told how far it is. False when not. */
bool progress_add(struct buf *out, const rouse_task *task);
/* Shows the line, or none when it is empty. */
void progress_show(struct progress *progress, const struct buf *line);
/* Takes in that the bell rang, and shows one task's. */
void progress_look(struct progress *progress, rouse_manager *manager, const char *id);

#endif
