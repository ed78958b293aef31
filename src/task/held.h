/* What a process task that begins later, or again, needs beside its record: kept in its directory's spec.json. */
#ifndef TASK_HELD_H
#define TASK_HELD_H

#include "base/arena.h"
#include "base/buf.h"
#include "rouse/task.h"

struct held {
    const char *token;
    const char **argv, **env; /* NULL-terminated, as they were given */
    uint64_t timeout_ms, idle_timeout_ms, grace_ms;
    bool has_process;
    rouse_process process; /* with has_process */
    struct arena arena; /* owns the texts */
};

/* ROUSE_EINVAL when the command or its environment is not UTF-8, and so could not be kept as it is. */
int held_check(const rouse_task_spec *spec, rouse_error *err);
/* Adds `,"argv":…,"env":…,"process":…` to the object that out is in. */
void held_add(struct buf *out, const rouse_task_spec *spec);
/* ROUSE_EDATA, ROUSE_ENOTFOUND, ROUSE_ENOMEM. held_done also after a failure. */
int held_read(int dir, struct held *fill, rouse_error *err);
void held_done(struct held *held);

#endif
