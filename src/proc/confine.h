/* What a command is given and held to, beyond its words. For rouse-shim: the C library is all that is used. */
#ifndef PROC_CONFINE_H
#define PROC_CONFINE_H

#include <stdbool.h>

#include "proc/words.h"

/* In the process that is to become the command: working directory, niceness, limits. NULL, or with errno what could not be done. */
const char *confine(const struct words *asked);

struct ends { /* what passes in and out of it; of a terminal both are one */
    bool terminal;
    int input, output;         /* the command's; input -1: it has nothing to read */
    int own_input, own_output; /* the supervisor's, which do not block */
};
/* A pipe or two, or a terminal, as asked for. 0 or errno. */
int ends_open(const struct words *asked, struct ends *fill);
/* The command has its own: only a terminal stays open, so that it does not hang up. */
void ends_leave(const struct ends *ends);
bool ends_resize(int terminal, unsigned rows, unsigned columns);

#endif
