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

enum { CARRIES_NOT, CARRIES, BETWEEN_PROGRAMS };

/* In the middle of an exec the old environment is gone and the new one not there yet. proc_pid_stat(5): state is field 3,
 * flags field 9, env_end field 51; a zombie and a kernel thread have no environment either, and never get one. */
static bool is_between_programs(int proc, pid_t pid)
{
    enum { STATE = 3, FLAGS = 9, ENV_END = 51, KERNEL_THREAD = 0x200000 };
    char name[32];
    struct buf text = BUF_INIT(4096 + (64u << 10));
    snprintf(name, sizeof name, "%d/stat", (int)pid);
    bool between = false;
    if (fd_read_file(proc, name, 4096, &text, NULL) == 0) {
        const char *at = strrchr(buf_text(&text), ')'); /* behind field 2, the name, which may hold anything */
        for (int field = STATE; at && (at = strchr(at, ' ')); field++) {
            at++;
            if (field == STATE && (*at == 'Z' || *at == 'X'))
                break;
            if (field == FLAGS && (strtoul(at, NULL, 10) & KERNEL_THREAD))
                break;
            if (field == ENV_END)
                between = strtoull(at, NULL, 10) == 0;
        }
    }
    buf_done(&text);
    return between;
}

/* All of them. CARRIES_NOT also when it cannot be read. ROUSE_ENOMEM. */
static int carries(int proc, pid_t pid, const char *const *variables, rouse_error *err)
{
    char name[32];
    struct buf text = BUF_INIT(ENVIRONMENT_MAX + (64u << 10));
    snprintf(name, sizeof name, "%d/environ", (int)pid);
    int code = fd_read_file(proc, name, ENVIRONMENT_MAX, &text, NULL);
    bool found = text.len > 0;
    for (; found && *variables; variables++)
        found = has_variable(text.data, text.len, *variables);
    bool empty = code == 0 && text.len == 0;
    buf_done(&text);
    if (code == ROUSE_ENOMEM)
        return rouse_fail_memory(err);
    return found ? CARRIES : empty && is_between_programs(proc, pid) ? BETWEEN_PROGRAMS : CARRIES_NOT;
}

/* 1: killed. 0: it was no longer there, or was not the task's after all. */
static int kill_one(int proc, pid_t pid, const char *const *variables, rouse_error *err)
{
    FD_AUTO int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return 0;
    int code = carries(proc, pid, variables, err);
    if (code != CARRIES)
        return code < 0 ? code : 0;
    if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
        return errno == ESRCH
                   ? 0
                   : rouse_fail_errno(err, ROUSE_EDENIED, errno, "cannot kill process %d of a lost task", (int)pid);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    while (poll(&gone, 1, WAIT_MS) < 0 && errno == EINTR)
        continue;
    return 1;
}

/* How many were killed in one pass over /proc; *ret_settled: no process was between two programs. */
static int pass(const char *const *variables, bool *ret_settled, rouse_error *err)
{
    int found = 0, code = 0;
    *ret_settled = true;
    DIR *dir = opendir("/proc");
    if (!dir)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot read '/proc'");
    for (struct dirent *entry; code >= 0 && (entry = readdir(dir));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid())
            continue;
        code = carries(dirfd(dir), pid, variables, err);
        if (code == BETWEEN_PROGRAMS)
            *ret_settled = false;
        else if (code == CARRIES)
            found += (code = kill_one(dirfd(dir), pid, variables, err)) > 0;
    }
    closedir(dir);
    return code < 0 ? code : found;
}

int proc_boot(char fill[PROC_BOOT_SIZE], rouse_error *err)
{
    struct buf text = BUF_INIT(0);
    int code = fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, err);
    if (code == 0 && text.len < PROC_BOOT_SIZE - 1)
        code = rouse_fail(err, ROUSE_EIO, "the kernel does not name this boot");
    if (code == 0)
        snprintf(fill, PROC_BOOT_SIZE, "%s", text.data);
    buf_done(&text);
    return code;
}

static bool is_of_another_boot(const char *boot)
{
    char now[PROC_BOOT_SIZE];
    return boot && *boot && proc_boot(now, NULL) == 0 && strcmp(boot, now) != 0;
}

/* Two passes in a row must find nobody, and nobody in the middle of an exec, who might be one. */
int proc_sweep_all(const char *const *variables, uint64_t *ret_killed, rouse_error *err)
{
    const rouse_platform *platform = platform_or_default(NULL);
    uint64_t until = platform->mono_ms(platform->userdata) + LIMIT_SWEEP_MS;
    uint64_t killed = 0;
    for (int clean = 0; clean < 2;) {
        bool settled;
        int found = pass(variables, &settled, err);
        if (found < 0)
            return found;
        bool late = platform->mono_ms(platform->userdata) > until;
        clean = found == 0 && (settled || late) ? clean + 1 : 0;
        killed += (uint64_t)found;
        if (found > 0 && late)
            return rouse_fail(err, ROUSE_ETIMEOUT, "processes of a lost task cannot be ended");
    }
    *ret_killed = killed;
    return 0;
}

int proc_sweep(const char *token, const char *boot, uint64_t *ret_killed, rouse_error *err)
{
    char variable[128];
    if (strlen(token) < 16 || strlen(token) > 64)
        return rouse_fail(err, ROUSE_EINVAL, "no token to look for");
    if (is_of_another_boot(boot)) {
        *ret_killed = 0;
        return 0;
    }
    snprintf(variable, sizeof variable, "ROUSE_TASK_TOKEN=%s", token);
    return proc_sweep_all((const char *const[]){variable, NULL}, ret_killed, err);
}
