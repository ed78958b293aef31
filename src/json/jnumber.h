/* The form and the size of a JSON number, as text. */
#ifndef JSON_JNUMBER_H
#define JSON_JNUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the number at text, or 0 when it is none. */
size_t jnumber_scan(const char *text, size_t len);
/* Does it round to infinity as a double? Decided on the digits, since what converts text obeys the locale. */
bool jnumber_is_out_of_range(const char *number, size_t len);

#endif
