/* The supervisor's end of what binds it to its starter: the report and, with --stay, the line over which the next task comes (words:
 * protocol.h; the other end: start.c and line.c). For rouse-shim: in static memory; the C library is all that is used. */
#ifndef PROC_STARTER_H
#define PROC_STARTER_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/words.h"

/* First of all: where the words and the environment of this process are shown. */
void starter_find(char **argv);
/* Leaves no descriptors but those of protocol.h. *ret_owner: one of them or -1. False when one is missing. */
bool starter_take(const struct words *asked, int *ret_owner);
/* The report. It is the last word unless there is a line. */
void starter_tell(const char *word, uint64_t number);
/* To poll for reading, -1: there is no line any more. */
int starter_line(void);
/* Reads what came: was it asked to stay? */
bool starter_asks_to_stay(void);
/* Lets the last task's directory and lock go, says that it is free, and waits. The next task's descriptors are then on their numbers,
 * its environment and working directory are this process's, and /proc shows its words and token as if it had been started for this
 * task. False when the starter is gone, or asks for what cannot be. */
bool starter_next(struct words *fill, int *ret_owner);

#endif
