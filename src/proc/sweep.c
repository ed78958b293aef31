/* Ending what a dead supervisor's command left behind. A pid proves nothing; a process is the task's when its environment
 * carries the task's token, and it is signalled through a pidfd taken before that was read. What has wiped its environment
 * is not found. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/platform.h"
#include "proc/proc.h"

#define ENVIRONMENT_MAX (8u << 20)
#define WAIT_MS 1000 /* for one process to be gone after KILL */

static bool has_variable(const char *environment, size_t len, const char *variable)
{
    size_t size = strlen(variable) + 1;
    for (const char *at = environment, *end = environment + len; at < end;) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));
        size_t n = (size_t)((nul ? nul : end) - at) + 1;
        if (n == size && memcmp(at, variable, n - 1) == 0)
            return true;
        at += n;
    }
    return false;
}

/* 1: it does. 0: it does not, or cannot be read. ROUSE_ENOMEM. */
static int carries(int proc, pid_t pid, const char *variable, rouse_error *err)
{
    char name[32];
    struct buf text = BUF_INIT(ENVIRONMENT_MAX + (64u << 10));
    snprintf(name, sizeof name, "%d/environ", (int)pid);
    int code = fd_read_file(proc, name, ENVIRONMENT_MAX, &text, NULL);
    bool found = text.len > 0 && has_variable(text.data, text.len, variable);
    buf_done(&text);
    return code == ROUSE_ENOMEM ? rouse_fail_memory(err) : found;
}

/* 1: killed. 0: it was no longer there, or was not the task's after all. */
static int kill_one(int proc, pid_t pid, const char *variable, rouse_error *err)
{
    FD_AUTO int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return 0;
    int code = carries(proc, pid, variable, err);
    if (code <= 0)
        return code;
    if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
        return errno == ESRCH
                   ? 0
                   : rouse_fail_errno(err, ROUSE_EDENIED, errno, "cannot kill process %d of a lost task", (int)pid);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    while (poll(&gone, 1, WAIT_MS) < 0 && errno == EINTR)
        continue;
    return 1;
}

/* How many were killed in one pass over /proc. */
static int pass(const char *variable, rouse_error *err)
{
    int found = 0, code = 0;
    DIR *dir = opendir("/proc");
    if (!dir)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot read '/proc'");
    for (struct dirent *entry; code >= 0 && (entry = readdir(dir));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid())
            continue;
        code = carries(dirfd(dir), pid, variable, err);
        if (code > 0)
            code = kill_one(dirfd(dir), pid, variable, err);
        found += code > 0;
    }
    closedir(dir);
    return code < 0 ? code : found;
}

/* Two passes in a row must find nobody: in the moment of an exec an environment reads as empty. */
int proc_sweep(const char *token, uint64_t *ret_killed, rouse_error *err)
{
    char variable[128];
    const rouse_platform *platform = platform_or_default(NULL);
    uint64_t until = platform->mono_ms(platform->userdata) + LIMIT_SWEEP_MS;
    uint64_t killed = 0;
    if (strlen(token) < 16 || strlen(token) > 64)
        return rouse_fail(err, ROUSE_EINVAL, "no token to look for");
    snprintf(variable, sizeof variable, "ROUSE_TASK_TOKEN=%s", token);
    for (int clean = 0; clean < 2;) {
        int found = pass(variable, err);
        if (found < 0)
            return found;
        clean = found == 0 ? clean + 1 : 0;
        killed += (uint64_t)found;
        if (found > 0 && platform->mono_ms(platform->userdata) > until)
            return rouse_fail(err, ROUSE_ETIMEOUT, "processes of a lost task cannot be ended");
    }
    *ret_killed = killed;
    return 0;
}
