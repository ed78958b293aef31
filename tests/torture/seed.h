/* What all seeds here mean: xorshift64*. */
#ifndef TESTS_TORTURE_SEED_H
#define TESTS_TORTURE_SEED_H

#include <stdint.h>

static inline uint64_t seed_next(uint64_t *seed)
{
    *seed += *seed == 0;
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 2685821657736338717u;
}

#endif
