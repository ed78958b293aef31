/* rouse/platform.h: the clock and the randomness that rouse uses, replaceable for tests and simulations. */
#ifndef ROUSE_PLATFORM_H
#define ROUSE_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

/* All three are called from whichever thread calls rouse; userdata is handed back unchanged. Set all three. */
typedef struct rouse_platform {
    uint64_t (*now_ms)(void *userdata);                               /* Unix time in milliseconds; 0 before the epoch */
    uint64_t (*mono_ms)(void *userdata);                              /* never goes back; for timeouts */
    int (*random)(void *userdata, unsigned char *fill, size_t size);  /* 0, or -1 when there is none */
    void *userdata;
} rouse_platform;

#endif
