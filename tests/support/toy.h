/* Toy keys for tests of the state room: values are C strings, updates are small commands. */
#ifndef SUPPORT_TOY_H
#define SUPPORT_TOY_H

#include <stdatomic.h>

#include "rouse/state.h"

/* Updates of all: "=text" sets the scalar, "+name=text" puts an entry, "-name" removes one, "-" removes the scalar, "0"
 * clears, "!" fails with ROUSE_ECONFLICT, "?name=text" fails unless the entry (or the scalar, "?=text") holds text; "?name"
 * fails unless there is none. Several, separated by blanks, are one update. */
void *toy_update(const char *commands); /* NULL = no memory */

extern const rouse_key toy_scalar, toy_other, toy_map, toy_sum; /* toy_sum: a commutative scalar */

extern atomic_long toy_updates, toy_values; /* alive: for finding leaks and double frees, in any thread */

#endif
