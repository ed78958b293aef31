/* Reading a descriptor to its end. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/buf.h"
#include "base/error.h"

/* Appends all that fd gives to out, at most its maximum. name is for errors. ROUSE_EIO, ROUSE_ELIMIT, ROUSE_ENOMEM. */
int input_read(int fd, const char *name, struct buf *out, rouse_error *err);

#endif
