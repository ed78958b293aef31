/* How much output a store keeps. Whoever ends a task notes what it left; whoever starts or ends one drops, a bounded bit at
 * a time, the output of the tasks that ended longest ago while the sum is above the cap. Running tasks are held by their
 * own caps and never lose anything here.
 *
 * <store>/outputs       one line of fixed length for each task that left output, in the order of their ends; appended to
 *                       without a lock. What was dealt with is given back to the file system (a hole)
 * <store>/outputs.head  where dealing with it stands; its holder has it locked, and nobody waits for the lock
 *
 * All of it is best effort and fails no start and no ending. A process killed between an ending and its note leaves output
 * that only `rouse prune` removes. */
#ifndef TASK_HOARD_H
#define TASK_HOARD_H

#include "task/manager.h"

/* This task has ended and kept so many bytes. */
void hoard_add(rouse_manager *m, const char *task_id, uint64_t kept);
/* Drops what is too much. */
void hoard_trim(rouse_manager *m);

#endif
