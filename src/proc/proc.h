/* Processes under a supervisor: start, watch, end. Knows nothing of stores or records. The problem, the protocol and the
 * table of what each combination of (lock, exit) means stand in README.md.
 *
 * A task's directory, tasks/<id>/, mode 0700, files 0600:
 *   lock        flock'ed exclusively from before the task is visible until its supervisor ends: held = alive. Becomes exit
 *   spec.json   what was asked for (written by the task room; not read here)
 *   ctl         the supervisor's socket
 *   out, out.N  output from absolute offset 0, and from offset N
 *   ready       there once the ready pattern matched
 *   waiting     there while the command waits for input
 *   stuck       there once KILL has not ended the tree
 *   exit        the exit record: one JSON object, written whole or not at all
 */
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

enum proc_input {
    PROC_INPUT_NONE, /* /dev/null */
    PROC_INPUT_PIPE, /* what proc_write gives; then its end */
    PROC_INPUT_TTY,  /* a terminal, which is also what the command writes to */
};

/* Through bubblewrap: the system read-only, /tmp private and gone with the task. A shell's convention then stands for the end
 * of the command: exit code 128 + n when signal n ended it, and 1 with bwrap's message in the output when it could not be
 * executed. */
struct proc_sandbox {
    const char *const *writable; /* paths that stay writable, NULL-terminated, or NULL */
    bool no_network;
};

/* Zero means: not asked for. All is borrowed until proc_start returns. */
struct proc_start {
    const char *shim;              /* path of rouse-shim */
    const char *id;                /* for ps and for ROUSE_TASK */
    const char *const *argv;       /* the command, NULL-terminated */
    const char *const *env;        /* the command's whole environment */
    const char *cwd;               /* NULL: the caller's */
    const char *const *reaper;     /* argv the shim execs when nobody takes the ending in; NULL: none */
    const char *bell;              /* path of a file to touch when ready, waiting for input, stuck or ended, or NULL */
    const char *token;             /* 32 hex digits, in the command's environment as ROUSE_TASK_TOKEN: finds survivors */
    uint64_t timeout_ms, idle_timeout_ms, grace_ms;
    const char *ready_when;        /* POSIX ERE or NULL */
    bool session;                  /* end when the starting process ends */
    bool durable;                  /* sync the exit record, so that it survives a power cut */
    bool wait_tree;                /* the task ends with the last process of its tree, not with the command */
    enum proc_input input;
    unsigned rows, columns;        /* of the terminal; 0: 24 x 80 */
    bool has_umask;
    mode_t umask;                  /* with has_umask; else the caller's */
    uint64_t cpu_seconds, memory_bytes, files; /* limits of each process: RLIMIT_CPU, RLIMIT_AS, RLIMIT_NOFILE */
    int nice;                      /* added to the caller's, -20 to 19 */
    uint64_t head_bytes, tail_bytes; /* output kept from the beginning and from the end; 0: LIMIT_OUTPUT_HEAD, _TAIL */
    const struct proc_sandbox *sandbox; /* or NULL. ROUSE_ENOTFOUND when bwrap is not installed */
    /* NULL: the supervisor goes with its task. Else Fills the line to it, and Takes what was there: -1, or the line to a free
     * supervisor, which is given the task. -1 after a failure, and when it is not there any more. */
    int *line;
};

/* Makes parent/<id>, opens and locks its lock. *ret_dir and *ret_lock Returns fds (close). Closing the lock without a
 * proc_start releases the task. ROUSE_ECONFLICT when the directory is there already, ROUSE_EIO. */
int proc_create(int parent, const char *id, int *ret_dir, int *ret_lock, rouse_error *err);
/* The directory of a task that is not alive, locked again, for another start. As proc_create; ROUSE_ECONFLICT when somebody holds
 * the lock, ROUSE_ENOTFOUND. What is in it may be the ending of a start that was faster: only the row says so, and nobody else changes
 * that to a running one while the lock is held. */
int proc_relock(int parent, const char *id, int *ret_dir, int *ret_lock, rouse_error *err);
/* Then everything but the lock and spec.json is removed. ROUSE_EIO. */
int proc_clear(int dir, const char *id, rouse_error *err);
/* Starts the supervisor, which gets the lock; returns when it has taken over and has started the command or recorded why
 * not (then *ret_command is 0). On failure nothing runs. The caller closes its lock afterwards. ROUSE_EIO, ROUSE_ENOMEM,
 * ROUSE_EINVAL, ROUSE_ENOTFOUND. */
int proc_start(int dir, int lock, const struct proc_start *start, pid_t *ret_command, rouse_error *err);
/* ---- supervisors that stay ----
 * A start costs two programs, the supervisor and the command; one whose supervisor has stayed costs one. It has the limits, the
 * priority, the credentials and the umask that the starter had when it started it; the working directory is as of each start. It
 * goes when its line is closed, however that happens. */
/* The ending of its task is in the store: it may take another. False when it is gone. */
bool proc_stay(int line);
/* 1: it waits for the next task. 0: not yet, nor within patience_ms. -1: it is gone. */
int proc_is_free(int line, int patience_ms);

/* ROUSE_EINVAL with the reason when pattern is no POSIX extended regular expression. proc_start checks it as well. */
int proc_check_pattern(const char *pattern, rouse_error *err);
/* Removes parent/<id> and what is in it. */
int proc_remove(int parent, const char *id, rouse_error *err);

struct proc_exit {           /* the exit record */
    int exec_errno;          /* why the command could not be executed, or 0 */
    int exit_code;           /* -1 when ended by a signal or never executed */
    int signal;              /* 0 = none */
    bool core;
    char ended_by[16];       /* "self", "user", "agent", "deadline", "idle", "parent", "runtime" */
    char reason[256];
    uint64_t started_at_ms, ended_at_ms;
    uint64_t killed;         /* processes ended besides the leader's own end */
    uint64_t user_us, system_us, max_rss_kib;
    bool cancelled;          /* asked to end before it had ended */
};

enum proc_state {
    PROC_ALIVE, /* lock held, no exit record */
    PROC_ENDED, /* exit record there */
    PROC_LOST,  /* neither: supervisor or machine died; proc_sweep ends what may be left */
    PROC_GONE,  /* no directory */
};
struct proc_output {
    uint64_t size, kept, dropped;
};
struct proc_look {
    enum proc_state state;
    struct proc_exit exit; /* of PROC_ENDED */
    struct proc_output output;
    bool ready;   /* the ready pattern matched */
    bool waiting; /* for input: alive, silent, and blocked reading its pipe or terminal */
    bool stuck;   /* alive although it was killed LIMIT_STUCK_MS ago */
};
/* All that can be seen of a task, in one look at its directory, which changes nothing. A malformed exit record counts as none.
 * parent -1: no task has a directory. */
int proc_look(int parent, const char *id, struct proc_look *fill, rouse_error *err);
/* Only whether it is alive. fill is set for PROC_ENDED. */
int proc_probe(int parent, const char *id, enum proc_state *ret_state, struct proc_exit *fill, rouse_error *err);
/* The ending is in the store: a supervisor that nobody has told so over its socket then spares itself the reaper. */
void proc_settle(int parent, const char *id);
/* Names this boot of the machine: 36 characters. A task started in another one has no processes. ROUSE_EIO. */
#define PROC_BOOT_SIZE 37
int proc_boot(char fill[PROC_BOOT_SIZE], rouse_error *err);
/* For a lost task: kills every process that carries its token, until none is left. *ret_killed: how many. boot: proc_boot
 * as it was when the task was started, or NULL when that is not known; after a reboot nothing is looked at or signalled. */
int proc_sweep(const char *token, const char *boot, uint64_t *ret_killed, rouse_error *err);
/* The same for one whose token is gone with its directory: kills every process whose environment has all of these "K=V",
 * NULL-terminated and at least one; its supervisor, if that lives, is one of them. */
int proc_sweep_all(const char *const *variables, uint64_t *ret_killed, rouse_error *err);

/* ---- talking to a live supervisor ---- */

/* *ret_fd Returns a connected socket (close). ROUSE_ENOTFOUND when no supervisor listens (ended, lost, or not yet there). */
int proc_connect(int parent, const char *id, int *ret_fd, rouse_error *err);
/* Asks to be told: the supervisor then holds its ending back (bounded) until this side says proc_taken or goes away. */
int proc_watch(int fd, rouse_error *err);
enum proc_news {
    PROC_NEWS_NONE,
    PROC_NEWS_READY,
    PROC_NEWS_ENDED,
    PROC_NEWS_HANGUP,
    PROC_NEWS_STUCK,   /* KILL did not end the tree; it goes on being killed and watched */
    PROC_NEWS_WAITING, /* the command waits for input */
    PROC_NEWS_RESUMED, /* it no longer does */
    PROC_NEWS_ROOM,    /* to one whose proc_write was not taken whole: try again */
    PROC_NEWS_LATE,    /* to one whose proc_cancel came behind another's, which is the one that counts */
};
/* Reads what came, never blocks; poll fd for POLLIN first. HANGUP: the supervisor is gone, probe. */
int proc_read_news(int fd, enum proc_news *ret_news, rouse_error *err);
/* The ending is in the store. */
int proc_taken(int fd, rouse_error *err);
/* Asks it to end the whole tree: signal, grace, SIGKILL, until empty. Answered by ENDED (or STUCK). by: who ("user"…). */
int proc_cancel(int fd, int signal, uint64_t grace_ms, const char *by, const char *reason, rouse_error *err);

/* ---- input: over a connection that is used for nothing else, and does not watch ---- */

/* Gives bytes to the command's stdin. Never waits for the command: *ret_taken says how many the supervisor took, fewer than
 * len when LIMIT_INPUT are waiting to be read; PROC_NEWS_ROOM on fd then says when to go on with the rest. ROUSE_ECONFLICT
 * when the command was started without input or its input was ended, ROUSE_ETIMEOUT, ROUSE_EREMOTE. */
int proc_write(int fd, const char *bytes, size_t len, size_t *ret_taken, rouse_error *err);
/* The input ends behind what was taken: end of file on a pipe; on a terminal control-D, behind which more may follow. Errors as
 * above. */
int proc_write_eof(int fd, rouse_error *err);
/* The terminal's size from now on. ROUSE_ECONFLICT when the command has no terminal; else as above. */
int proc_resize(int fd, unsigned rows, unsigned columns, rouse_error *err);

/* ---- output ---- */

int proc_output_size(int parent, const char *id, struct proc_output *fill, rouse_error *err);
/* From *offset on, at most size bytes into fill; *offset becomes that of the first byte given. 0 at the end so far. */
int proc_output_read(int parent, const char *id, uint64_t *offset, char *fill, size_t size, rouse_error *err);
/* Removes the output of a task that has ended; its size stays known from the exit record. */
int proc_output_drop(int parent, const char *id, rouse_error *err);

#endif
