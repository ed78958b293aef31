/* Supervisors that stay for a manager's next starts. Any thread may call. NULL keeps none. */
#ifndef TASK_SPARES_H
#define TASK_SPARES_H

#include <stdbool.h>

struct spares;

/* At most LIMIT_SPARES. NULL without memory. */
struct spares *spares_new(unsigned max);
/* All of them go, and those that supervise go with their tasks. Takes NULL. */
void spares_free(struct spares *s);
/* False: a supervisor that is started now goes with its task. Else *ret_line Returns the line to a free one (close), or is -1 when a
 * new one is to be started. */
bool spares_take(struct spares *s, int *ret_line);
/* Takes line, to the supervisor of the task id; -1 is nothing. */
void spares_note(struct spares *s, const char *id, int line);
/* The ending of id is in the store: true when its supervisor was told over its line, and may stay. */
bool spares_settle(struct spares *s, const char *id);

#endif
