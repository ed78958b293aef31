/* rouse-shim: the supervisor of one task. One process, one thread, one struct, no memory from the heap once it runs (only
 * the C library's regexec takes some, for tasks with a ready pattern). Reads top to bottom:
 *
 *   main.c     becoming a supervisor, the loop, the record, handing over, the next task
 *   command.c  starting the command
 *   output.c   taking what it writes
 *   input.c    what it is given to read, and whether it waits for it
 *   control.c  talking to runtimes
 *   ending.c   when and how the tree is ended */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <sys/resource.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "proc/listeners.h"
#include "proc/pieces.h"
#include "proc/proc.h"
#include "proc/protocol.h"
#include "proc/reading.h"
#include "proc/words.h"

#define SHIM_NEVER UINT64_MAX

struct output {
    int pipe; /* or the terminal; -1 after its end */
    bool ready;
    struct pieces pieces;
};

struct input {
    int fd;       /* the pipe or the terminal; -1: takes nothing (any more) */
    int terminal; /* the command's end of the terminal, kept open so that it does not hang up; or -1 */
    bool ends;    /* after what is held */
    bool waiting; /* the command waits for input */
    uint64_t look_at, pause;
    struct reading reading;
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

/* All that is touched in a short life lies together: each page of memory costs as much as many system calls. */
struct shim {
    struct words asked;
    mode_t umask;
    /* the outside */
    int proc, signals, owner;
    struct listeners listeners;
    bool taken, stays; /* stays: for the starter's next task */
    /* the command */
    pid_t leader;                          /* 0 once it has ended */
    uint64_t begun, deadline, last_output; /* monotonic */
    struct proc_exit exit;                 /* what is known of the ending; its first cause stays */
    struct ending ending;
    struct output output;
    struct input input;
};

/* main.c */
uint64_t shim_now_ms(void); /* monotonic */
void shim_ring(const struct shim *s);
/* What readers see: a file in the task's directory, there or not, and the news of it. */
void shim_show(struct shim *s, const char *file, bool there, const char *news);
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
void control_serve(struct shim *s, struct listener *l);

/* ending.c */
void ending_ask(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms);
/* False when another cancel came first, which is the one that is recorded. */
bool ending_cancel(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms);
void ending_step(struct shim *s);
/* When ending_step has something to do without anything having happened, or SHIM_NEVER. */
uint64_t ending_next(const struct shim *s);

#endif
