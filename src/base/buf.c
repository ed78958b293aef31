#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

void buf_done(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT(b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = 0;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (b->failed)
        return NULL;
    size_t max = b->max ? b->max : LIMIT_TEXT;
    if (len > max || b->len > max - len) {
        b->failed = ROUSE_ELIMIT;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < need)
            cap *= 2;
        char *data = realloc(b->data, cap);
        if (!data) {
            b->failed = ROUSE_ENOMEM;
            return NULL;
        }
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    char *at = buf_reserve(b, len);
    if (!at)
        return;
    if (len > 0)
        memcpy(at, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_addc(struct buf *b, char c)
{
    char *at = buf_reserve(b, 1);
    if (!at)
        return;
    at[0] = c;
    at[1] = '\0';
    b->len++;
}

const char *digits_of(uint64_t number, char fill[DIGITS_SIZE])
{
    char *at = fill + DIGITS_SIZE - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return at;
}

void buf_addu(struct buf *b, uint64_t number)
{
    char fill[DIGITS_SIZE];
    buf_adds(b, digits_of(number, fill));
}

void buf_vaddf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (need < 0) {
        b->failed = b->failed ? b->failed : ROUSE_EINVAL;
        return;
    }
    char *at = buf_reserve(b, (size_t)need);
    if (!at)
        return;
    vsnprintf(at, (size_t)need + 1, format, args);
    b->len += (size_t)need;
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vaddf(b, format, args);
    va_end(args);
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

int buf_check(const struct buf *b, rouse_error *err)
{
    if (b->failed == ROUSE_ELIMIT)
        return rouse_fail(err, ROUSE_ELIMIT, "text is larger than %zu bytes", b->max ? b->max : (size_t)LIMIT_TEXT);
    if (b->failed)
        return rouse_fail(err, b->failed, "%s", rouse_error_text(b->failed));
    return 0;
}

char *buf_take(struct buf *b, rouse_error *err)
{
    buf_reserve(b, 0);
    if (buf_check(b, err) < 0)
        return NULL;
    b->data[b->len] = '\0';
    char *data = b->data;
    *b = BUF_INIT(b->max);
    return data;
}
