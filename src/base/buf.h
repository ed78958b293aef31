/* A byte buffer that grows up to a maximum, always terminated by a NUL that does not count.
 * The first failure sticks: appends may be written without checks, and `buf_failed` is asked once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct buf {
    char *data; /* NULL until something was appended */
    size_t len;
    size_t cap;
    size_t max; /* 0 = LIMIT_TEXT */
    int failed; /* 0, or the ROUSE_E… of the first failure */
};

#define BUF_INIT(maximum) ((struct buf){.max = (maximum)})

void buf_done(struct buf *b);
void buf_reset(struct buf *b);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
#define DIGITS_SIZE 21 /* of a 64-bit number, with the NUL */
/* In decimal digits, at the end of fill: Borrowed from it. */
const char *digits_of(uint64_t number, char fill[DIGITS_SIZE]);
void buf_addu(struct buf *b, uint64_t number); /* in decimal digits; for where many are written */
void buf_addf(struct buf *b, const char *format, ...) ROUSE_PRINTF(2, 3);
void buf_vaddf(struct buf *b, const char *format, va_list args) ROUSE_PRINTF(2, 0);
/* Makes room for len more bytes and returns where they go (advance b->len after writing), or NULL. */
char *buf_reserve(struct buf *b, size_t len);
/* The text, never NULL: "" while empty. Borrowed until the next append. */
const char *buf_text(const struct buf *b);
/* 0, or the first failure told in err (ROUSE_ENOMEM, ROUSE_ELIMIT). */
int buf_check(const struct buf *b, rouse_error *err);
/* Returns the text (free) and empties the buffer; NULL when it failed. */
char *buf_take(struct buf *b, rouse_error *err);

#endif
