#include "json/jnumber.h"

#include <string.h>

/* The first digits of 2^1024 - 2^970, the smallest number that rounds to infinity. It has 309 digits. */
static const char infinite[] = "179769313486231580793728971405303415079934132710037826936173778980444968292764";
#define INFINITE_DIGITS 309

static size_t digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

size_t jnumber_scan(const char *text, size_t len)
{
    size_t at = len > 0 && text[0] == '-';
    size_t n = digits(text + at, len - at);
    if (n == 0 || (n > 1 && text[at] == '0'))
        return 0;
    at += n;
    if (at < len && text[at] == '.') {
        n = digits(text + at + 1, len - at - 1);
        if (n == 0)
            return 0;
        at += 1 + n;
    }
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < len && (text[at] == '+' || text[at] == '-'))
            at++;
        n = digits(text + at, len - at);
        if (n == 0)
            return 0;
        at += n;
    }
    return at;
}

/* The exponent behind 'e', held within ±10^9, which no document's number of digits can outweigh. */
static long exponent(const char *text, size_t len)
{
    size_t at = len > 0 && (text[0] == '+' || text[0] == '-');
    long value = 0;
    for (; at < len && value < 1000000000; at++)
        value = value * 10 + (text[at] - '0');
    return len > 0 && text[0] == '-' ? -value : value;
}

bool jnumber_is_out_of_range(const char *number, size_t len)
{
    size_t compared = 0; /* significant digits seen */
    long before = 0;     /* digits before the point, counted from the first that is not 0 */
    int sign = 0;        /* of (digits so far) - (digits of infinite) */
    bool point = false;
    size_t i = number[0] == '-';
    for (; i < len && number[i] != 'e' && number[i] != 'E'; i++) {
        if (number[i] == '.') {
            point = true;
            continue;
        }
        bool significant = compared > 0 || number[i] != '0';
        if (significant && !point)
            before++;
        if (!significant && point)
            before--;
        if (!significant)
            continue;
        if (sign == 0 && compared < sizeof infinite - 1)
            sign = number[i] - infinite[compared];
        compared++;
    }
    if (compared == 0)
        return false;
    long size = before + (i < len ? exponent(number + i + 1, len - i - 1) : 0);
    if (size != INFINITE_DIGITS)
        return size > INFINITE_DIGITS;
    return sign > 0 || (sign == 0 && compared >= sizeof infinite - 1);
}
