/* Every process of a task, for its supervisor, which is a child subreaper: whatever loses its parent becomes its child, so
 * the tree is what descends from it in /proc, however it forked, changed session or daemonised. Linked into rouse-shim only:
 * it keeps its tables in static memory. */
#ifndef PROC_TREE_H
#define PROC_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* proc is /proc, opened. Signals every process of the tree through its group, with SIGKILL also one by one. *killed grows by
 * those signalled for the first time, the leader not among them. False when there was none. */
bool tree_signal(int proc, pid_t leader, int signal, uint64_t *killed);
bool tree_is_there(int proc);
/* Of a process that was reaped: had it been counted? Its pid may be given out again. */
bool tree_forget(pid_t pid);
/* All of them have gone. */
void tree_forget_all(void);
/* The first process of the tree, of this group unless it is 0, for which holds says so. False when there is none. */
bool tree_any(int proc, pid_t group, bool (*holds)(pid_t pid, void *userdata), void *userdata);

#endif
