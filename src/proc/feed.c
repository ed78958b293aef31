#include "proc/feed.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

static char held[LIMIT_INPUT];
static size_t from, count;

size_t feed_take(const char *bytes, size_t len)
{
    size_t room = sizeof held - count;
    size_t n = len < room ? len : room;
    memmove(held, held + from, count);
    from = 0;
    memcpy(held + count, bytes, n);
    count += n;
    return n;
}

size_t feed_held(void)
{
    return count;
}

bool feed_give(int fd)
{
    while (count > 0) {
        ssize_t n = write(fd, held + from, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 || errno == EAGAIN;
        from += (size_t)n;
        count -= (size_t)n;
    }
    return true;
}

void feed_drop(void)
{
    count = 0;
}
