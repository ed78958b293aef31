/* UTF-8: checking, cutting at character boundaries, making hostile text fit for a terminal line. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at text (1 to 4), or 0 when it is malformed or cut off (no overlong forms, no
 * surrogates, nothing above U+10FFFF). len > 0. */
size_t utf8_length(const char *text, size_t len);
bool utf8_is_valid(const char *text, size_t len);
/* The largest n <= max at which text can be cut without splitting a character. */
size_t utf8_cut(const char *text, size_t len, size_t max);
/* Copies text to out (size > 0, always terminated), control bytes and malformed bytes as '?', cut at a character. */
void utf8_copy_printable(char *out, size_t size, const char *text);

#endif
