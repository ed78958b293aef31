/* How a command runs: from rouse_process to what the proc room is asked for. */
#ifndef TASK_PROCESS_H
#define TASK_PROCESS_H

#include "json/jfields.h"
#include "task/manager.h"

/* NULL is fine. ROUSE_EINVAL, ROUSE_ELIMIT name what is wrong. */
int process_check(const rouse_process *p, rouse_error *err);
/* Sets in start what p asks for; sandbox is memory for a part of it and must live as long as start. */
void process_fill(const rouse_process *p, struct proc_start *start, struct proc_sandbox *sandbox);
/* Adds `,"process":{…}` to the object that out is in, for process_fields to read back. */
void process_add(struct buf *out, const rouse_process *p);
extern const struct jfields process_fields; /* of a rouse_process */
/* For ext.reads; NULL for none. */
const char *process_input_text(const rouse_process *p);

#endif
