#include "proc/reading.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define POLLED 16 /* of a process's polled descriptors, the first ones are looked at */

static bool is_input(const struct reading *what, pid_t pid, uint64_t fd)
{
    char path[64];
    struct stat is;
    snprintf(path, sizeof path, "%d/fd/%d", (int)pid, (int)fd);
    if (fstatat(what->proc, path, &is, 0) < 0)
        return false;
    if (what->terminal)
        return S_ISCHR(is.st_mode) && (is.st_rdev == what->is.st_rdev || is.st_rdev == makedev(5, 0)); /* /dev/tty */
    return is.st_dev == what->is.st_dev && is.st_ino == what->is.st_ino;
}

static bool peek(pid_t pid, uint64_t from, void *fill, size_t size)
{
    struct iovec here = {.iov_base = fill, .iov_len = size};
    struct iovec there = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static bool polls_input(const struct reading *what, pid_t pid, uint64_t from, uint64_t count)
{
    struct pollfd p[POLLED];
    count = count < POLLED ? count : POLLED;
    if (!peek(pid, from, p, count * sizeof *p))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if ((p[i].events & POLLIN) && p[i].fd >= 0 && is_input(what, pid, (uint64_t)p[i].fd))
            return true;
    }
    return false;
}

static bool selects_input(const struct reading *what, pid_t pid, uint64_t count, uint64_t from)
{
    unsigned long set;
    if (from == 0 || !peek(pid, from, &set, sizeof set))
        return false;
    for (unsigned fd = 0; fd < POLLED && fd < count; fd++) {
        if ((set >> fd & 1) && is_input(what, pid, fd))
            return true;
    }
    return false;
}

bool reading_blocks(const struct reading *what, pid_t pid)
{
    char path[32], text[256], *at = text;
    snprintf(path, sizeof path, "%d/syscall", (int)pid);
    int fd = openat(what->proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (*text < '0' || *text > '9') /* "running" */
        return false;
    long call = strtol(at, &at, 10);
    uint64_t first = strtoull(at, &at, 16), second = strtoull(at, &at, 16);
    switch (call) {
    case SYS_read:
    case SYS_readv:
        return is_input(what, pid, first);
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
        return polls_input(what, pid, first, second);
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6:
        return selects_input(what, pid, first, second);
    default:
        return false;
    }
}
