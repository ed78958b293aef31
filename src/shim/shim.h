/* rouse-shim: the supervisor of one task. One process, one thread, one struct, no memory from the heap once it runs (only
 * the C library's regexec takes some, for tasks with a ready pattern). Reads top to bottom:
 *
 *   main.c     options, becoming a supervisor, the loop, the record, handing over
 *   command.c  starting the command
 *   output.c   keeping what it writes
 *   input.c    what it is given to read, and whether it waits for it
 *   control.c  talking to runtimes
 *   ending.c   when and how the tree is ended (finding it: proc/tree.h)
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <regex.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "proc/proc.h"
#include "proc/protocol.h"

#define SHIM_PIECES (LIMIT_OUTPUT_SEGMENTS + 1)
#define SHIM_NEVER UINT64_MAX

struct output {
    int pipe;                     /* or the terminal; -1 after its end */
    int file;                     /* the piece being written, or -1 */
    uint64_t size;                /* bytes that came; also the offset of the next one */
    uint64_t lost;                /* of them, those that no file took */
    uint64_t head, segment;       /* sizes of the first piece and of the others */
    uint64_t start, limit;        /* offsets the piece being written covers at most */
    uint64_t pieces[SHIM_PIECES]; /* offsets of the kept pieces of the tail, oldest first */
    unsigned n_pieces;
    bool matching; /* the ready pattern is looked for */
    bool ready;
    regex_t pattern;
    char line[LIMIT_LINE + 1];
    size_t line_len;
};

struct input {
    int fd;         /* the pipe or the terminal; -1: takes nothing (any more) */
    int terminal;   /* the command's end of the terminal, kept open so that it does not hang up; or -1 */
    struct stat is; /* what the command's end is, to recognize it by */
    bool ends;      /* after what is held */
    char held[LIMIT_INPUT];
    size_t from, len;
    bool waiting; /* the command waits for input */
    uint64_t look_at, pause;
};

/* Whatever ends the tree goes one way: it runs, is asked to end, is killed, is gone. */
enum phase { PHASE_RUNNING, PHASE_ASKED, PHASE_KILLING, PHASE_GONE };

struct ending {
    enum phase phase;
    uint64_t kill_at, killing_since, next_round, pause;
    bool told_stuck;
    bool tree_changed; /* a process was reaped since the tree was last looked at */
    bool childless;
};

struct listener {
    int fd; /* -1 = free */
    bool watches, asked, wants_room;
};

struct shim {
    /* what was asked for */
    const char *id, *file, *cwd, *bell, *ready_when, *die_at, *input_kind, *mask, *nice;
    char **command, **reaper;
    uint64_t timeout_ms, idle_timeout_ms, grace_ms, rows, columns, cpu_seconds, memory_bytes, files, head, tail;
    bool session, wait_tree, durable;
    mode_t umask;
    /* the outside */
    int proc, signals, ctl, owner;
    struct listener listeners[LIMIT_LISTENERS];
    int places; /* of them, as many as there are descriptors for */
    bool taken;
    /* the command */
    pid_t leader;                          /* 0 once it has ended */
    uint64_t begun, deadline, last_output; /* monotonic */
    struct proc_exit exit;                 /* what is known of the ending; its first cause stays */
    struct ending ending;
    struct output output;
    struct input input;
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
/* What is there now, without waiting for whoever else holds the pipe. */
void output_finish(struct shim *s);

/* input.c */
/* How many of the bytes were taken, or -1 when the command takes no input. */
ssize_t input_take(struct shim *s, const char *bytes, size_t len);
bool input_end(struct shim *s);
bool input_resize(struct shim *s, unsigned rows, unsigned columns);
bool input_has_more(const struct shim *s);
void input_give(struct shim *s);
void input_tell_room(struct shim *s); /* says it to those who wait for it, when there is */
/* The command did something: it does not wait, but may begin to. */
void input_stir(struct shim *s);
/* Looks, when it is time to, whether the command waits. Looks are few: each pause is longer than the one before. */
void input_look(struct shim *s);

/* control.c */
int control_open(struct shim *s); /* 0 or errno */
void control_accept(struct shim *s);
void control_serve(struct shim *s, struct listener *l);
/* Watchers have asked for news, askers for the end of the tree. */
void control_tell(struct shim *s, const char *message, bool watchers, bool askers);
void control_tell_room(struct shim *s);
bool control_is_watched(const struct shim *s);

/* ending.c */
void ending_ask(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms);
void ending_cancel(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms);
void ending_step(struct shim *s);
/* When ending_step has something to do without anything having happened, or SHIM_NEVER. */
uint64_t ending_next(const struct shim *s);

#endif
