/* Finds positions in somebody's array by the hash of a name. It holds no names: the caller compares.
 *
 *   size_t probe = 0, at;
 *   while (lookup_next(&table, hash, &probe, &at))
 *       if (is the one)(items[at]) …
 */
#ifndef BASE_LOOKUP_H
#define BASE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lookup_slot;

struct lookup { /* all zero = empty */
    struct lookup_slot *slots;
    size_t cap, used;
};

uint64_t lookup_hash(const char *name);
/* Makes room for one more, so that the next lookup_add cannot fail: 0, or ROUSE_ENOMEM. */
int lookup_reserve(struct lookup *t);
void lookup_add(struct lookup *t, uint64_t hash, size_t position);
/* The next position that was added under hash; *probe starts at 0. */
bool lookup_next(const struct lookup *t, uint64_t hash, size_t *probe, size_t *ret_position);
void lookup_done(struct lookup *t);

#endif
