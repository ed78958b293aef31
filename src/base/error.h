/* How the library raises an error: `return rouse_fail(err, ROUSE_ENOTFOUND, "no task '%s'", id);`
 * Messages: lower case, no full stop, the subject in quotes, the cause first. Control bytes in the text are replaced by
 * '?', so that a hostile name cannot draw on a terminal. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "rouse/error.h"

/* Fills err (may be NULL) and returns code. */
int rouse_fail(rouse_error *err, int code, const char *format, ...) ROUSE_PRINTF(3, 4);
/* The same with ": <text of errnum>" behind the message. */
int rouse_fail_errno(rouse_error *err, int code, int errnum, const char *format, ...) ROUSE_PRINTF(4, 5);
/* Fills err with ROUSE_ENOMEM and returns it. */
int rouse_fail_memory(rouse_error *err);
/* Puts "<context>: " before the message that err already holds; returns code unchanged. */
int rouse_fail_context(rouse_error *err, int code, const char *format, ...) ROUSE_PRINTF(3, 4);

#endif
