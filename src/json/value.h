/* JSON as a tree, for the rooms to the right: jansson's values, read by jtext. Not for values that must keep their spelling:
 * whole numbers beyond 64 bits with sign are refused, others are printed anew. */
#ifndef JSON_VALUE_H
#define JSON_VALUE_H

#include <jansson.h>

#include "base/error.h"

/* One document of at most LIMIT_JSON bytes. *ret_value Returns json_decref. ROUSE_EDATA (malformed, a member twice, U+0000,
 * a whole number over 64 bits), ROUSE_ELIMIT, ROUSE_ENOMEM. */
int json_value_parse(const char *text, size_t len, json_t **ret_value, rouse_error *err);
/* Compact, members in their order. Returns free; NULL with err. value NULL, as a failed json_pack gives, is ROUSE_ENOMEM. */
char *json_value_text(const json_t *value, rouse_error *err);

#endif
