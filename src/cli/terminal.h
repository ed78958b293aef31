/* What standard output and standard error are connected to, and text that is fit for them. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

bool terminal_is(FILE *stream);
size_t terminal_columns(void);       /* of standard output; 80 when nobody says */
bool terminal_has_style(FILE *stream); /* a terminal that may be coloured: no NO_COLOR, not dumb */
/* "" unless the stream may be coloured. */
const char *terminal_dim(FILE *stream);
const char *terminal_plain(FILE *stream);

/* Text of others on its way to a terminal, in pieces: escape sequences and other control characters become '?'. */
struct terminal_filter {
    bool after_c2; /* the piece before ended in the first byte of a possible C1 control */
};
void terminal_write(struct terminal_filter *filter, FILE *stream, const char *text, size_t len);
/* "rouse: <text>" as one line on standard error, in which control characters became '?'. */
void terminal_say(const char *text);

/* Ctrl-C as a descriptor. Blocks SIGINT (unless it is ignored) for this process, and with_term also SIGTERM; *ret_fd is
 * readable once one came (close). ROUSE_EIO. */
int signals_open(bool with_term, int *ret_fd, rouse_error *err);
bool signals_came(int fd);
/* Reads one; waits at most timeout_ms. False when none came. */
bool signals_take(int fd, int timeout_ms);

#endif
