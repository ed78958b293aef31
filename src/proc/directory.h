/* The one way to a task's directory. */
#ifndef PROC_DIRECTORY_H
#define PROC_DIRECTORY_H

#include "base/error.h"

/* parent/<id> as a descriptor. An id comes from a record, and a record may come from anywhere: one that is not a plain file
 * name, such as "..", has no directory. ROUSE_ENOTFOUND, ROUSE_EIO. */
int proc_open_directory(int parent, const char *id, rouse_error *err);

#endif
