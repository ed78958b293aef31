#include "cli/input.h"

#include <errno.h>
#include <unistd.h>

#define BLOCK 65536

int input_read(int fd, const char *name, struct buf *out, rouse_error *err)
{
    for (;;) {
        char block[BLOCK];
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot read '%.120s'", name);
        if (n == 0)
            return 0;
        buf_add(out, block, (size_t)n);
        int code = buf_check(out, err);
        if (code < 0)
            return rouse_fail_context(err, code, "cannot read '%.120s'", name);
    }
}
