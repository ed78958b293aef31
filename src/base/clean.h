/* Makes the output of a program fit for reading: escape sequences go, a line that was redrawn with carriage returns or
 * backspaces becomes its last state, other control characters go, malformed UTF-8 becomes U+FFFD. */
#ifndef BASE_CLEAN_H
#define BASE_CLEAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct clean {
    struct buf line;    /* the line so far; a longer one than LIMIT_CLEAN_LINE is given out in pieces */
    char partial[4];    /* of a character */
    unsigned n_partial;
    unsigned char state;
    bool returned;      /* a carriage return came: the next character starts the line anew */
};

#define CLEAN_INIT ((struct clean){.line = BUF_INIT(0)})

/* Feeds bytes; whole lines go to out, the last one waits for its end. Failures stick in out. */
void clean_feed(struct clean *c, struct buf *out, const char *bytes, size_t len);
/* Gives out what waits, and is ready for something new. */
void clean_flush(struct clean *c, struct buf *out);
void clean_done(struct clean *c);

/* All of it at once. */
void clean_text(struct buf *out, const char *bytes, size_t len);

#endif
