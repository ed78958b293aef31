/* The one way to a task's directory. */
#ifndef PROC_DIRECTORY_H
#define PROC_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "proc/proc.h"

#define MAX_PIECES (LIMIT_OUTPUT_SEGMENTS + 8) /* more are there only while the supervisor drops some */

struct listing {
    struct piece {
        uint64_t start, size;
    } at[MAX_PIECES]; /* of output, by offset */
    size_t count;
    bool ready, waiting, stuck;
};

/* parent/<id> as a descriptor. An id comes from a record, and a record may come from anywhere: one that is not a plain file
 * name, such as "..", has no directory. ROUSE_ENOTFOUND, ROUSE_EIO. */
int proc_open_directory(int parent, const char *id, rouse_error *err);
/* What is in it. ROUSE_EIO. */
int proc_list(int dir, struct listing *fill, rouse_error *err);
/* recorded: the size that the exit record says, or 0. */
struct proc_output proc_sum(const struct listing *listing, uint64_t recorded);

#endif
