/* Does a process wait for input? Asked of the kernel: is it blocked in a call that reads this very pipe or terminal, or polls
 * it for reading? Not seen: one that waits in epoll, and one of another user. For rouse-shim: the C library is all that is used. */
#ifndef PROC_READING_H
#define PROC_READING_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct reading {
    int proc;       /* /proc, opened */
    struct stat is; /* what is read */
    bool terminal;
};

bool reading_blocks(const struct reading *what, pid_t pid);

#endif
