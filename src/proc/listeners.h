/* The supervisor's end of `ctl` (words: protocol.h; the other end: control.c): who has connected, and what each wants to be told.
 * A listener that does not read what it is told is dropped, so nobody can hold the supervisor up. For rouse-shim: the C library is
 * all that is used. */
#ifndef PROC_LISTENERS_H
#define PROC_LISTENERS_H

#include <stdbool.h>

#include "base/limits.h"

enum { WANTS_NEWS = 1, WANTS_END = 2, WANTS_ROOM = 4 };

struct listener {
    int fd; /* -1 = free */
    unsigned wants;
};

struct listeners {
    int ctl;
    int places; /* as many as there are descriptors for */
    struct listener at[LIMIT_LISTENERS];
};

/* 0 or errno. */
int listeners_open(struct listeners *all, int dir);
void listeners_close(struct listeners *all);
void listeners_accept(struct listeners *all);
void listener_drop(struct listener *l);
void listener_tell(struct listener *l, const char *message);
/* To those who want any of it. Room is wanted once. */
void listeners_tell(struct listeners *all, const char *message, unsigned wants);
bool listeners_want(const struct listeners *all, unsigned wants);

#endif
