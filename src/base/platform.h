/* The seams to the outside that tests replace: wall clock, monotonic clock, randomness. */
#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include "base/error.h"
#include "rouse/platform.h"

/* The given one, or the real one when it is NULL. */
const rouse_platform *platform_or_default(const rouse_platform *platform);
/* Fills out (37 bytes) with a UUIDv7, lower case with dashes, from the platform's clock and randomness.
 * ROUSE_EIO when there is no randomness. */
int platform_uuid7(const rouse_platform *platform, char out[37], rouse_error *err);

#endif
