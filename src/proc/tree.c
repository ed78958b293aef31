/* A look at /proc is no snapshot: a process may be missed while it changes its parent. So nothing relies on one look; the
 * killing goes round until there is nobody. It outruns fork loops because the kernel lets no fork complete once a KILL is
 * pending, and a group is signalled as one.
 *
 * A supervisor among the descendants (a task that starts tasks) is not part of the tree, nor is what it supervises: that is
 * another task, which ends by its own record. */
#include "proc/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"

#define PID_MAX (1u << 22) /* the kernel's own maximum */

struct process {
    pid_t pid, parent, group;
    bool zombie, ours;
};

/* Both are touched only as far as there are processes, so they cost memory only then. */
static struct process table[LIMIT_PROCESSES];
static unsigned char signalled[PID_MAX / 8];
static bool any_signalled;

static bool mark_signalled(pid_t pid)
{
    unsigned char bit = (unsigned char)(1u << ((unsigned)pid % 8));
    unsigned char *byte = &signalled[(unsigned)pid % PID_MAX / 8];
    bool was = (*byte & bit) != 0;
    *byte |= bit;
    any_signalled = true;
    return was;
}

bool tree_forget(pid_t pid)
{
    if (!any_signalled)
        return false; /* a task that ends by itself does not touch the table */
    bool was = mark_signalled(pid);
    signalled[(unsigned)pid % PID_MAX / 8] &= (unsigned char)~(1u << ((unsigned)pid % 8));
    return was;
}

void tree_forget_all(void)
{
    if (any_signalled)
        memset(signalled, 0, sizeof signalled);
    any_signalled = false;
}

/* False when pid could not be looked at though it is there, as when descriptors run out. stat is "" when it has gone. */
static bool read_stat(int proc, const char *pid, char *stat, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%.20s/stat", pid);
    stat[0] = '\0';
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ESRCH;
    ssize_t n = read(fd, stat, size - 1);
    bool gone = n < 0 && errno == ESRCH;
    close(fd);
    stat[n > 0 ? n : 0] = '\0';
    return n > 0 || gone;
}

/* "pid (name) state parent group …"; the name may contain anything, also parentheses. */
static bool parse_stat(const char *stat, struct process *fill)
{
    const char *at = strrchr(stat, ')');
    char *end;
    if (!at || strlen(at) < 5)
        return false;
    fill->pid = (pid_t)strtol(stat, NULL, 10);
    fill->zombie = at[2] == 'Z' || at[2] == 'X';
    fill->parent = (pid_t)strtol(at + 4, &end, 10);
    fill->group = (pid_t)strtol(end, NULL, 10);
    fill->ours = false;
    return fill->pid > 0;
}

/* *ret_whole: nobody who is there was left out. */
static unsigned read_table(int proc, bool *ret_whole)
{
    static char entries[16384] __attribute__((aligned(8)));
    char stat[512];
    unsigned count = 0;
    ssize_t n;
    *ret_whole = true;
    lseek(proc, 0, SEEK_SET);
    while ((n = syscall(SYS_getdents64, proc, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; at < n;) {
            struct dirent *entry = (struct dirent *)(void *)(entries + at);
            at += entry->d_reclen;
            if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
                continue;
            if (count == LIMIT_PROCESSES || !read_stat(proc, entry->d_name, stat, sizeof stat))
                *ret_whole = false;
            else
                count += parse_stat(stat, &table[count]);
        }
    }
    *ret_whole = *ret_whole && n == 0;
    return count;
}

/* /proc lists pids in ascending order. */
static const struct process *find(pid_t pid, unsigned count)
{
    unsigned low = 0, high = count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (table[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && table[low].pid == pid ? &table[low] : NULL;
}

static bool is_supervisor(int proc, pid_t pid)
{
    static const char own[] = "/rouse-shim";
    char path[32], exe[512];
    snprintf(path, sizeof path, "%d/exe", (int)pid);
    ssize_t n = readlinkat(proc, path, exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = '\0';
    const char *name = strrchr(exe, '/'); /* " (deleted)" follows after an upgrade */
    return name && strncmp(name, own, sizeof own - 1) == 0 &&
           (name[sizeof own - 1] == '\0' || name[sizeof own - 1] == ' ');
}

/* Marks what descends from the supervisor; returns how many. Round by round, since a child may stand before its parent. */
static unsigned find_tree(int proc, unsigned count)
{
    pid_t self = getpid();
    unsigned found = 0;
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < count; i++) {
            struct process *p = &table[i];
            const struct process *parent = p->ours || p->parent == self ? NULL : find(p->parent, count);
            if (p->ours || (p->parent != self && !(parent && parent->ours)))
                continue;
            if (is_supervisor(proc, p->pid)) {
                p->parent = 0; /* not looked at again */
                continue;
            }
            p->ours = true;
            more = true;
            found++;
        }
    }
    return found;
}

/* A group gets a signal once: from the entry of its leader or, when that is gone, from its first member. */
static bool speaks_for_group(const struct process *p, unsigned count)
{
    if (p->pid == p->group)
        return true;
    const struct process *leader = find(p->group, count);
    if (leader && leader->ours)
        return false;
    for (const struct process *other = table; other < p; other++) {
        if (other->ours && other->group == p->group)
            return false;
    }
    return true;
}

/* True when it is the first signal for this process. */
static bool signal_process(const struct process *p, unsigned count, int signal)
{
    bool grouped = p->group > 1 && p->group != getpgrp();
    if (grouped && speaks_for_group(p, count)) {
        kill(-p->group, signal);
        kill(-p->group, SIGCONT); /* a stopped process takes no signal but KILL */
    }
    if (!grouped || signal == SIGKILL)
        kill(p->pid, signal);
    return !p->zombie && !mark_signalled(p->pid);
}

bool tree_signal(int proc, pid_t leader, int signal, uint64_t *killed)
{
    bool whole;
    unsigned count = read_table(proc, &whole);
    unsigned found = find_tree(proc, count);
    for (unsigned i = 0; i < count && found > 0; i++) {
        if (table[i].ours && signal_process(&table[i], count, signal) && table[i].pid != leader)
            ++*killed;
    }
    return found > 0 || !whole;
}

bool tree_is_there(int proc)
{
    bool whole;
    unsigned count = read_table(proc, &whole);
    return find_tree(proc, count) > 0 || !whole;
}

bool tree_any(int proc, pid_t group, bool (*holds)(pid_t pid, void *userdata), void *userdata)
{
    bool whole;
    unsigned count = read_table(proc, &whole);
    unsigned found = find_tree(proc, count);
    for (unsigned i = 0; i < count && found > 0; i++) {
        if (table[i].ours && (group == 0 || table[i].group == group) && holds(table[i].pid, userdata))
            return true;
    }
    return false;
}
