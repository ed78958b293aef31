#include "base/platform.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static uint64_t clock_ms(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0 || t.tv_sec < 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t real_now_ms(void *userdata)
{
    (void)userdata;
    return clock_ms(CLOCK_REALTIME);
}

static uint64_t real_mono_ms(void *userdata)
{
    (void)userdata;
    return clock_ms(CLOCK_MONOTONIC);
}

static int real_random(void *userdata, unsigned char *fill, size_t size)
{
    (void)userdata;
    while (size > 0) {
        ssize_t n = getrandom(fill, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        fill += n;
        size -= (size_t)n;
    }
    return 0;
}

static const rouse_platform real_platform = {.now_ms = real_now_ms, .mono_ms = real_mono_ms, .random = real_random};

const rouse_platform *platform_or_default(const rouse_platform *platform)
{
    return platform ? platform : &real_platform;
}

int platform_uuid7(const rouse_platform *platform, char out[37], rouse_error *err)
{
    unsigned char b[16];
    if (platform->random(platform->userdata, b, sizeof b) != 0)
        return rouse_fail(err, ROUSE_EIO, "no randomness for an id");
    uint64_t ms = platform->now_ms(platform->userdata);
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    b[6] = (unsigned char)(0x70 | (b[6] & 0x0f));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
             b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return 0;
}
