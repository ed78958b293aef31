/* Bytes held for a reader that takes them in its own time. For rouse-shim: one of them, in static memory; the C library is all
 * that is used. */
#ifndef PROC_FEED_H
#define PROC_FEED_H

#include <stdbool.h>
#include <stddef.h>

/* As many of the bytes as there is room for, LIMIT_INPUT in all. */
size_t feed_take(const char *bytes, size_t len);
size_t feed_held(void);
/* Writes to fd what it takes now. False when nobody will ever read it. */
bool feed_give(int fd);
void feed_drop(void);

#endif
