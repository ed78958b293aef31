/* rouse-shim: the supervisor of one task. One process, one thread, one struct, no memory from the heap once it runs (only
 * the C library's regexec takes some, for tasks with a ready pattern). Reads top to bottom:
 *
 *   main.c     options, becoming a supervisor, the loop, handing over
 *   command.c  starting the command
 *   output.c   keeping what it writes
 *   control.c  talking to runtimes
 *   ending.c   when and how the tree is ended
 *   tree.c     finding and signalling every process of it
 *   record.c   the exit record
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/limits.h"
#include "proc/protocol.h"

#define SHIM_PIECES (LIMIT_OUTPUT_SEGMENTS + 1)
#define SHIM_NEVER UINT64_MAX

struct output {
    int pipe;                     /* -1 after its end */
    int file;                     /* the piece being written, or -1 */
    uint64_t size;                /* bytes that came; also the offset of the next one */
    uint64_t lost;                /* of them, those that no file took */
    uint64_t start, limit;        /* offsets the piece being written covers at most */
    uint64_t pieces[SHIM_PIECES]; /* offsets of the kept pieces of the tail, oldest first */
    unsigned n_pieces;
    bool matching; /* the ready pattern is looked for */
    bool ready;
    regex_t pattern;
    char line[LIMIT_LINE + 1];
    size_t line_len;
};

/* Whatever ends the tree goes one way: it runs, is asked to end, is killed, is gone. */
enum phase { PHASE_RUNNING, PHASE_ASKED, PHASE_KILLING, PHASE_GONE };

struct ending {
    enum phase phase;
    uint64_t kill_at, killing_since, next_round, pause;
    bool told_stuck;
    bool cancelled;
    char by[16], reason[256]; /* of whatever came first */
    uint64_t killed;
};

struct listener {
    int fd; /* -1 = free */
    bool watches, asked;
};

struct shim {
    /* what was asked for */
    const char *id, *cwd, *bell, *ready_when, *die_at;
    char **command, **reaper;
    uint64_t timeout_ms, idle_timeout_ms, grace_ms;
    bool session;
    mode_t umask;
    /* the outside */
    int proc, signals, ctl, owner, record;
    struct listener listeners[LIMIT_LISTENERS];
    int places; /* of them, as many as there are descriptors for */
    bool taken;
    /* the command */
    pid_t leader;   /* 0 once it has ended */
    int exec_errno; /* why there never was one */
    int status;
    struct rusage usage;
    uint64_t started_at_ms, ended_at_ms; /* wall clock, for the record */
    uint64_t begun, deadline, last_output; /* monotonic */
    bool tree_changed;                   /* a process was reaped since the tree was last looked at */
    bool childless;
    struct ending ending;
    struct output output;
};

/* main.c */
uint64_t shim_now_ms(void);
uint64_t shim_wall_ms(void);
void shim_ring(const struct shim *s);
/* For tests, which ask for it with --die-at: dies as if killed at the point named. */
void shim_point(const struct shim *s, const char *point);

/* command.c: 0, or the errno for which the command could not be executed, or -errno of the supervisor's own failure */
int command_start(struct shim *s);

/* output.c */
int output_open(struct shim *s); /* 0 or errno */
void output_read(struct shim *s);
/* What is in the pipe now, without waiting for whoever else holds it. */
void output_finish(struct shim *s);

/* control.c */
int control_open(struct shim *s); /* 0 or errno */
void control_accept(struct shim *s);
void control_serve(struct shim *s, struct listener *l);
/* Watchers have asked for news, askers for the end of the tree. */
void control_tell(struct shim *s, const char *message, bool watchers, bool askers);
bool control_is_watched(const struct shim *s);

/* ending.c */
void ending_ask(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms);
void ending_cancel(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms);
void ending_step(struct shim *s);
/* When ending_step has something to do without anything having happened, or SHIM_NEVER. */
uint64_t ending_next(const struct shim *s);

/* tree.c */
void tree_reap(struct shim *s);
/* Signals every process of the tree through its group, with SIGKILL also one by one. False when there was none. */
bool tree_signal(struct shim *s, int signal);
bool tree_is_there(const struct shim *s);

/* record.c: 0 or errno */
int record_prepare(struct shim *s);
int record_write(struct shim *s);

#endif
