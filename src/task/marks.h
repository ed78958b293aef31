/* Marks: short facts that must be known once and for all in a thread, each stored under a name: which task an idempotency key
 * started, which run was cancelled, which message was delivered. */
#ifndef TASK_MARKS_H
#define TASK_MARKS_H

#include "base/limits.h"
#include "task/manager.h"

extern const rouse_key marks_key; /* MAP, THREAD, transient; entries are struct mark */

struct mark {
    uint64_t at_ms;
    char value[]; /* text */
};

/* Makes the name of a mark: kind and text, shortened to a digest when it would be too long. */
void mark_name(char fill[LIMIT_ENTRY_NAME + 1], const char *kind, const char *text);
/* Adds to batch: the commit fails with ROUSE_ECONFLICT when the mark is there already, unless again. ROUSE_ENOMEM. */
int mark_add(rouse_batch *batch, const char *name, const char *value, uint64_t at_ms, bool again, rouse_error *err);
/* Is it there, in thread or (NULL) in any? 1 and its value when ret_value is not NULL (Returns free), 0, or an error. */
int mark_find(rouse_manager *m, const char *thread, const char *name, char **ret_value, rouse_error *err);

#endif
