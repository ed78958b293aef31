/* Server-sent events, fed in pieces of any size: lines end in LF, CR LF or CR, `data:` lines of one event are joined by LF,
 * an empty line ends it. Comments, other fields and a byte order mark are passed over. */
#ifndef MODEL_SSE_H
#define MODEL_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* One event's data, valid for the call. Negative: stop, and sse_feed returns it. */
typedef int sse_event(void *userdata, const char *data, size_t len, rouse_error *err);

struct sse {
    sse_event *event;
    void *userdata;
    struct buf line, data;
    bool has_data;
    bool after_cr; /* an LF that comes now belongs to the CR before it */
    bool begun;    /* the first line is over: no byte order mark can come any more */
};

void sse_init(struct sse *s, sse_event *event, void *userdata);
/* 0, what event returned, or ROUSE_ELIMIT, ROUSE_ENOMEM. */
int sse_feed(struct sse *s, const char *bytes, size_t len, rouse_error *err);
void sse_done(struct sse *s);

#endif
