/* The ready pattern, held against output as it comes: each line once, and the one without an end when no more comes. For
 * rouse-shim: the C library is all that is used. */
#ifndef PROC_MATCH_H
#define PROC_MATCH_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

struct match {
    bool on; /* until a line matched */
    size_t len;
    regex_t pattern;
    char line[LIMIT_LINE + 1];
};

/* 0 or errno. */
int match_open(struct match *m, const char *pattern);
/* True when a line ended in bytes that matches. */
bool match_feed(struct match *m, const char *bytes, size_t len);
bool match_last(struct match *m);
void match_close(struct match *m);

#endif
