/* The starter's end of a line to a supervisor that stays (words: protocol.h; the other end: starter.c). */
#ifndef PROC_LINE_H
#define PROC_LINE_H

#include <stdbool.h>

/* Gives the task away: its words and variables, NULL-terminated, and descriptors as protocol.h has them, the owner's or -1. False
 * when it was not taken: it is too large, nobody is there, or there is no memory. */
bool line_give(int line, const char *const *words, const char *const *variables, const int *fds);

#endif
