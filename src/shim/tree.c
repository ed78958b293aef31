/* Every process of the task. The supervisor is a child subreaper, so whatever loses its parent becomes its child: the tree
 * is what descends from it in /proc, however it forked, changed session or daemonised, and the tree is empty when the
 * kernel says there is no child.
 *
 * A look at /proc is no snapshot: a process may be missed while it changes its parent. So nothing relies on one look; the
 * killing goes round until there is nobody. It outruns fork loops because the kernel lets no fork complete once a KILL is
 * pending, and a group is signalled as one.
 *
 * A supervisor among the descendants (a task that starts tasks) is not part of the tree, nor is what it supervises: that is
 * another task, which ends by its own record. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/text.h"

#define PID_MAX (1u << 22) /* the kernel's own maximum */

struct process {
    pid_t pid, parent, group;
    bool zombie, ours;
};

/* Both are touched only as far as there are processes, so they cost memory only then. */
static struct process table[LIMIT_PROCESSES];
static unsigned char signalled[PID_MAX / 8];

static bool mark_signalled(pid_t pid)
{
    unsigned char bit = (unsigned char)(1u << ((unsigned)pid % 8));
    unsigned char *byte = &signalled[(unsigned)pid % PID_MAX / 8];
    bool was = (*byte & bit) != 0;
    *byte |= bit;
    return was;
}

static bool forget_signalled(pid_t pid)
{
    bool was = mark_signalled(pid);
    signalled[(unsigned)pid % PID_MAX / 8] &= (unsigned char)~(1u << ((unsigned)pid % 8));
    return was;
}

/* False when pid could not be looked at though it is there, as when descriptors run out. stat is "" when it has gone. */
static bool read_stat(const struct shim *s, const char *pid, char *stat, size_t size)
{
    char path[64];
    struct text text = {.at = path, .size = sizeof path};
    text_add(&text, pid);
    text_add(&text, "/stat");
    stat[0] = '\0';
    int fd = openat(s->proc, path, O_RDONLY | O_CLOEXEC);
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
    uint64_t pid, parent, group;
    const char *start = stat, *at = strrchr(stat, ')');
    if (!at || strlen(at) < 5)
        return false;
    char state = at[2];
    at += 4;
    if (!text_read_u64(&start, &pid) || !text_read_u64(&at, &parent) || *at++ != ' ' || !text_read_u64(&at, &group))
        return false;
    *fill = (struct process){
        .pid = (pid_t)pid, .parent = (pid_t)parent, .group = (pid_t)group, .zombie = state == 'Z' || state == 'X'};
    return true;
}

/* *ret_whole: nobody who is there was left out. */
static unsigned read_table(const struct shim *s, bool *ret_whole)
{
    static char entries[16384] __attribute__((aligned(8)));
    char stat[512];
    unsigned count = 0;
    ssize_t n;
    *ret_whole = true;
    lseek(s->proc, 0, SEEK_SET);
    while ((n = getdents64(s->proc, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; at < n;) {
            struct dirent64 *entry = (struct dirent64 *)(void *)(entries + at);
            at += entry->d_reclen;
            if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
                continue;
            if (count == LIMIT_PROCESSES || !read_stat(s, entry->d_name, stat, sizeof stat))
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

static bool is_supervisor(const struct shim *s, pid_t pid)
{
    static const char own[] = "/rouse-shim";
    char path[32], exe[512];
    struct text text = {.at = path, .size = sizeof path};
    text_add_u64(&text, (uint64_t)pid);
    text_add(&text, "/exe");
    ssize_t n = readlinkat(s->proc, path, exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = '\0';
    const char *name = strrchr(exe, '/'); /* " (deleted)" follows after an upgrade */
    return name && strncmp(name, own, sizeof own - 1) == 0 &&
           (name[sizeof own - 1] == '\0' || name[sizeof own - 1] == ' ');
}

/* Marks what descends from the supervisor; returns how many. Round by round, since a child may stand before its parent. */
static unsigned find_tree(const struct shim *s, unsigned count)
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
            if (is_supervisor(s, p->pid)) {
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

static void signal_process(struct shim *s, const struct process *p, unsigned count, int signal)
{
    bool grouped = p->group > 1 && p->group != getpgrp();
    if (!p->zombie && p->pid != s->leader && !mark_signalled(p->pid))
        s->ending.killed++;
    if (grouped && speaks_for_group(p, count)) {
        kill(-p->group, signal);
        kill(-p->group, SIGCONT); /* a stopped process takes no signal but KILL */
    }
    if (!grouped || signal == SIGKILL)
        kill(p->pid, signal);
}

bool tree_signal(struct shim *s, int signal)
{
    bool whole;
    unsigned count = read_table(s, &whole);
    unsigned found = find_tree(s, count);
    for (unsigned i = 0; i < count && found > 0; i++) {
        if (table[i].ours)
            signal_process(s, &table[i], count, signal);
    }
    return found > 0 || !whole;
}

bool tree_is_there(const struct shim *s)
{
    bool whole;
    unsigned count = read_table(s, &whole);
    return find_tree(s, count) > 0 || !whole;
}

static void note_leader(struct shim *s, int status, const struct rusage *usage)
{
    s->leader = 0;
    s->status = status;
    s->usage = *usage;
    s->ended_at_ms = shim_wall_ms();
}

void tree_reap(struct shim *s)
{
    for (;;) {
        int status;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        s->childless = pid < 0 && errno == ECHILD;
        if (pid <= 0)
            return;
        s->tree_changed = true;
        if (pid == s->leader)
            note_leader(s, status, &usage);
        else if (!forget_signalled(pid) && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
                 s->ending.phase == PHASE_KILLING)
            s->ending.killed++; /* caught through its group before it was seen */
    }
}
