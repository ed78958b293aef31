/* What standard output and standard error are connected to, and text that is fit for them. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <termios.h>

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

/* Rows and columns of the terminal at standard output or input. False, and 0 x 0, when there is none. */
bool terminal_size(unsigned *ret_rows, unsigned *ret_columns);

struct terminal_state {
    struct termios before;
    int guard;       /* held open as long as the terminal is ours */
    pid_t guardian;  /* gives it back when this program dies */
    const char *farewell; /* what undoes what was drawn, for standard output; or NULL. Borrowed */
};
/* Standard input as it is typed: no lines, no echo, no signals. However this program ends, also by SIGKILL, the terminal is as it
 * was, and has been sent the farewell. Call before there are threads. ROUSE_EIO. */
int terminal_make_raw(struct terminal_state *state, const char *farewell, rouse_error *err);
void terminal_restore(struct terminal_state *state);

/* Signals as a descriptor to read signalfd_siginfo from (close): blocks them for this process, except those that are ignored.
 * ROUSE_EIO. */
int signals_watch(const int *wanted, size_t count, int *ret_fd, rouse_error *err);
/* Ctrl-C as a descriptor. Blocks SIGINT (unless it is ignored) for this process, and with_term also SIGTERM; *ret_fd is
 * readable once one came (close). ROUSE_EIO. */
int signals_open(bool with_term, int *ret_fd, rouse_error *err);
bool signals_came(int fd);
/* Reads one; waits at most timeout_ms. False when none came. */
bool signals_take(int fd, int timeout_ms);

#endif
