/* The agenda: which tasks must be looked at later, by whoever is there then. One entry for each task that waits (for a time, for
 * other tasks, for its queue) and for each running one whose end has a time. An entry says only when; what is to be done follows
 * from the task's record, so that whoever does it twice does it once. It is committed together with the record. */
#ifndef TASK_AGENDA_H
#define TASK_AGENDA_H

#include "rouse/state.h"

#define AGENDA_BOOT 40

struct agenda {
    uint64_t due_ms;  /* Unix time; 0 = none: nothing but another task's end makes it due */
    uint64_t mono_ms; /* when it is not 0, and boot is this one, this counts instead: nobody can set it */
    char boot[AGENDA_BOOT];
};

extern const rouse_key agenda_key; /* MAP, THREAD, transient; entries are struct agenda by task id */

/* Adds to batch: sets the entry, or removes it when agenda is NULL. ROUSE_ENOMEM. */
int agenda_add(rouse_batch *batch, const char *id, const struct agenda *agenda, rouse_error *err);

#endif
