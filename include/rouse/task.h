/* rouse/task.h: background tasks. Records (COMPAT section 5), the two keys of the seed, the manager.
 *
 * Invariants
 *   - A task's status moves once, from running to completed, failed or cancelled, and never again.
 *   - The record's end and its event in the owner's inbox are one transaction.
 *   - An id is never given out twice in a store.
 *
 * Threads: a manager may be used from many threads; a record belongs to whoever got it.
 */
#ifndef ROUSE_TASK_H
#define ROUSE_TASK_H

#include "rouse/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rouse_status {
    ROUSE_RUNNING = 0,
    ROUSE_COMPLETED,
    ROUSE_FAILED,
    ROUSE_CANCELLED
} rouse_status;
ROUSE_API const char *rouse_status_text(rouse_status status); /* "running", … ; never NULL */
ROUSE_API bool rouse_status_is_terminal(rouse_status status);

typedef struct rouse_lineage { /* who asked for it; NULL = absent (COMPAT B36) */
    const char *task_id, *run_id, *call_id, *agent_id;
} rouse_lineage;

typedef struct rouse_output {
    uint64_t size;    /* bytes written by the task so far */
    uint64_t kept;    /* of them still readable */
    uint64_t dropped; /* size - kept */
} rouse_output;

typedef enum rouse_after_if { /* what a dependency must have come to */
    ROUSE_AFTER_SUCCEEDED = 0,
    ROUSE_AFTER_ENDED,  /* in any way */
    ROUSE_AFTER_FAILED  /* failed or cancelled */
} rouse_after_if;

typedef struct rouse_progress {
    uint64_t done, total; /* total 0 = unknown */
    const char *message;  /* or NULL */
} rouse_progress;

/* What a task was asked to be beyond one command run at once: members of `ext`, in memory only when one of them is there. */
typedef struct rouse_task_plan {
    const char *owner;       /* a function's runtime, by a name that only its lock gives meaning to; never a pid */
    const char *function;    /* registered name: it is begun again after a crash */
    const char *input;       /* JSON text, or NULL */
    const char *checkpoint;  /* JSON text: where the next attempt begins; or NULL */
    const char **after;      /* ids it waits for, NULL-terminated, or NULL */
    const char **dependents; /* ids that wait for it, or NULL */
    const char *queue;       /* or NULL */
    uint64_t queue_limit;    /* tasks of the queue that may run at once */
    rouse_after_if after_if;
    bool in_queue;           /* nothing but its queue keeps it from beginning */
    bool has_progress;
    int64_t priority;        /* within the queue, the highest first */
    uint64_t attempt;        /* 1 for the first; 0 = not begun */
    uint64_t max_attempts;   /* 0 and 1 = no retry */
    uint64_t retry_on;       /* ROUSE_RETRY_… */
    uint64_t backoff_ms, backoff_max_ms;
    uint64_t due_ms;         /* Unix time of what comes next: begin, begin again, fire, deadline; 0 = nothing */
    uint64_t every_ms;       /* a series: time between two firings */
    uint64_t fired;          /* firings so far */
    uint64_t timeout_ms, idle_timeout_ms, grace_ms; /* kept for a task that has not begun */
    rouse_progress progress;
    const char **labels;     /* "key=value", NULL-terminated, or NULL */
    uint64_t depth;          /* tasks above it */
    uint64_t events;         /* custom events it sent */
} rouse_task_plan;

/* What rouse knows beyond the seed's record; the member `ext` of its JSON. has_ext = false: a record of the seed's runtime. */
typedef struct rouse_task_ext {
    const char *kind;      /* "process", "sub_agent", "function", "timer", "external" */
    const char *stage;     /* "queued", "retrying" (not begun, stored); "starting", "running", "waiting_input", "stuck" (KILL has
                              not ended it; found out when the record is read); NULL unless running */
    const char **argv;     /* NULL-terminated, or NULL */
    const char *cwd;       /* or NULL */
    int64_t pid;           /* of the command, 0 = unknown. For people: never used to decide anything */
    int exit_code;         /* -1 = did not exit by itself */
    int signal;            /* 0 = none */
    const char *ended_by;  /* "self", "user", "agent", "deadline", "idle", "parent", "limit", "runtime", or NULL */
    const char *reason;    /* or NULL */
    uint64_t deadline_ms;  /* Unix time, 0 = none */
    const char *ready_when;/* the pattern that means ready, or NULL */
    const char *reads;     /* "pipe" or "tty": rouse_task_write reaches it; NULL: it has no input */
    bool core;             /* the signal left a core dump */
    bool ready;
    bool session;          /* ends when its owner process ends */
    bool has_output;
    rouse_output output;
    uint64_t killed;       /* processes ended by a cancel or at the end */
    uint64_t started_at_ms;/* Unix time at which the command was executed; with the ending */
    uint64_t cpu_ms;       /* user and system time of it and what it waited for; with the ending */
    uint64_t max_rss_kib;  /* the most memory one of these processes held; with the ending */
    const rouse_task_plan *plan; /* or NULL */
} rouse_task_ext;

typedef struct rouse_task {
    const char *task_id;
    const char *owner_thread_id; /* "" when unknown */
    const char *task_type;
    const char *name;            /* or NULL */
    const char *description;
    rouse_status status;
    bool has_completed_at;
    bool has_ext;
    const char *error;           /* or NULL */
    const char *result;          /* JSON text, verbatim, or NULL for none; "null" is a result */
    uint64_t created_at_ms;
    uint64_t completed_at_ms;
    rouse_lineage parent;        /* all NULL = empty */
    rouse_task_ext ext;
} rouse_task;

/* A deep copy with one owner. Returns rouse_task_free; NULL when out of memory. */
ROUSE_API rouse_task *rouse_task_copy(const rouse_task *task);
ROUSE_API void rouse_task_free(rouse_task *task); /* only of records that a call Returned; takes NULL */
/* Decodes a record (the seed's PersistedTaskMeta, with or without ext). Unknown members are ignored, missing and duplicate
 * ones are ROUSE_EDATA with the member's name. Returns rouse_task_free. */
ROUSE_API int rouse_task_decode(const char *json, size_t len, rouse_task **ret_task, rouse_error *err);
/* Returns free; NULL with err (ROUSE_ENOMEM). Members in the seed's order, compact. */
ROUSE_API char *rouse_task_encode(const rouse_task *task, rouse_error *err);

/* ---- the seed's keys ---- */

/* background_task_state: MAP, THREAD, exclusive; entries are rouse_task. */
ROUSE_API extern const rouse_key rouse_task_state_key;
/* Updates. Upsert copies the record; it refuses (ROUSE_ECONFLICT `task already {status}`) to change one that is terminal.
 * ReplaceAll takes what is given, terminal or not (an import). Returns an update for
 * rouse_task_state_add; NULL = no memory. */
typedef struct rouse_task_update rouse_task_update;
ROUSE_API rouse_task_update *rouse_task_upsert(const rouse_task *task);
ROUSE_API rouse_task_update *rouse_task_replace_all(const rouse_task *const *tasks, size_t count);
ROUSE_KEY_TYPED(rouse_task_state, rouse_task_state_key, rouse_task, rouse_task_update);

/* background_tasks: SCALAR, RUN, exclusive; the value is a rouse_view. */
typedef struct rouse_view_entry {
    const char *task_id, *task_type, *description;
    rouse_status status;
} rouse_view_entry;
typedef struct rouse_view {
    const rouse_view_entry *entries; /* in order */
    size_t count;
} rouse_view;
ROUSE_API extern const rouse_key rouse_view_key;
typedef struct rouse_view_update rouse_view_update;
/* Updates, as above. */
ROUSE_API rouse_view_update *rouse_view_replace(const rouse_view_entry *entries, size_t count);
ROUSE_API rouse_view_update *rouse_view_clear(void);
ROUSE_KEY_TYPED(rouse_view_state, rouse_view_key, rouse_view, rouse_view_update);

/* ---- the manager ---- */

typedef struct rouse_manager rouse_manager;

/* How many tasks may run at once (those that wait included). A start beyond one of them is ROUSE_ELIMIT with a message that says
 * which, and how to raise it. Counted before the commit: starts at the same instant may pass a limit by their number. */
typedef struct rouse_limits {    /* zero means default */
    uint64_t per_thread;         /* none: a program may start as many as it likes */
    uint64_t per_thread_of_calls;/* of a thread, when a tool call asks (spec.parent.call_id): 256 */
    uint64_t per_parent;         /* children of one task: 1000 */
    uint64_t depth;              /* tasks above one: 16 */
    uint64_t per_tree;           /* below one task, all levels together, from the second on: 5000. Walked through at each start there */
    uint64_t per_store;          /* of all threads: none. Costs each start the number of threads */
    uint64_t per_queue;          /* that run or wait in one queue: none, at most 10000. Costs each start into it the number of them */
} rouse_limits;

typedef struct rouse_manager_options { /* zero means default */
    const char *shim;   /* path of rouse-shim; default $ROUSE_SHIM, else beside the running program, else the installed one */
    const char *rouse;  /* path of rouse, which the shim runs as `rouse reap`; found the same way. "" = nobody: endings
                           are then committed by the next recovery */
    const char *asker;  /* who cancels: "user" (default), "agent", "parent" */
    /* Asked between steps of a call that sleeps: true ends it with ROUSE_EINTERRUPTED. May be NULL. */
    bool (*interrupted)(void *userdata);
    void *userdata;
    uint64_t output_cap; /* bytes of output that the ended tasks of the store keep; then those that ended longest ago lose
                            theirs. Default $ROUSE_OUTPUT_CAP (such as 500M), else 2 GiB */
    rouse_limits limits;
    bool no_recovery;   /* take in no ending on opening: for a call about one task only */
    /* How many supervisors of tasks that have ended stay, at most 16, so that the next starts need no new ones: each is idle, has no
     * files of a task open, and goes when the manager is freed or the program ends, however that happens. Such a start takes about
     * half the time. What they start has the limits, priority, credentials, confinement and umask (but for a spec's own) that this
     * program had when it started them; a program that changes those wants none. Default 0. */
    unsigned spare_supervisors;
} rouse_manager_options;

/* Registers the two keys with the store if they are not there and, unless told not to, takes in every task whose process
 * ended while nobody looked. Borrows store until free. Returns rouse_manager_free. Errors of the store. */
ROUSE_API int rouse_manager_new(rouse_store *store, const rouse_manager_options *options, rouse_manager **ret_manager,
                                rouse_error *err);
ROUSE_API void rouse_manager_free(rouse_manager *manager); /* tasks go on; takes NULL */
ROUSE_API rouse_store *rouse_manager_store(rouse_manager *manager);

typedef enum rouse_kind {
    ROUSE_KIND_PROCESS = 0,
    ROUSE_KIND_FUNCTION, /* rouse/work.h: run by this program, or parked until somebody who holds its id completes it */
    ROUSE_KIND_TIMER,    /* ends, or fires again and again, when its time has come */
    ROUSE_KIND_EXTERNAL  /* completed by people and other programs; outlives every runtime */
} rouse_kind;

enum { /* which endings are tried again; 0 means ROUSE_RETRY_FAILED */
    ROUSE_RETRY_FAILED = 1,   /* failed by itself */
    ROUSE_RETRY_DEADLINE = 2, /* its deadline or idle timeout passed; each attempt has its own */
    ROUSE_RETRY_LOST = 4      /* its supervisor or runtime died */
};
typedef struct rouse_retry {  /* zero means: never again */
    uint64_t max_attempts;    /* the first one included; at most 1000 */
    unsigned on;              /* ROUSE_RETRY_…, or-ed */
    uint64_t backoff_ms;      /* before the second attempt, doubled for each further one; default 1000 */
    uint64_t backoff_max_ms;  /* default 300000. What is slept is a random time between half of it and all of it */
} rouse_retry;

typedef struct rouse_when {   /* at most one of at_ms and in_ms; zero means at once */
    uint64_t at_ms;           /* Unix time: by the wall clock, whatever happens to it */
    uint64_t in_ms;           /* elapsed time: setting the clock changes nothing */
    uint64_t every_ms;        /* TIMER: a series, first after in_ms or at at_ms, else after every_ms. What was missed is made
                                 up for by one firing */
} rouse_when;

typedef struct rouse_call rouse_call;
/* The body of a function task (rouse/work.h). Returns 0: completed, with what rouse_call_result said; 1: parked, to be
 * completed later by anybody who holds the id; a ROUSE_E…: failed, with what rouse_call_error said. input is JSON text or NULL,
 * Borrowed for the call. */
typedef int (*rouse_function)(rouse_call *call, const char *input, void *userdata);

typedef enum rouse_input {
    ROUSE_INPUT_NONE = 0, /* reads an end of file */
    ROUSE_INPUT_PIPE,     /* what rouse_task_write gives */
    ROUSE_INPUT_TTY       /* the same through a terminal, which is also what it prints to */
} rouse_input;

typedef struct rouse_process { /* how a command runs; zero means default */
    rouse_input input;
    unsigned rows, columns;    /* of the terminal; default 24 x 80 */
    bool has_umask;
    unsigned umask;            /* with has_umask, at most 0777; else the caller's */
    uint64_t cpu_seconds;      /* limits of each of its processes, 0 = the caller's: CPU time, */
    uint64_t memory_bytes;     /* address space (at least 1 MiB), */
    uint64_t files;            /* open files (at least 4) */
    int nice;                  /* added to the caller's, -20 to 19 */
    uint64_t head_bytes, tail_bytes; /* output kept from the beginning (at most 1 GiB; default 256 KiB) and from the end (the
                                  same; default 8 MiB) */
    bool wait_tree;            /* the task ends with the last of its processes, not with the command */
    bool sandbox;              /* through bubblewrap: the system read-only, a /tmp of its own. ROUSE_ENOTFOUND without bwrap */
    const char *const *writable; /* with sandbox: paths that stay writable, NULL-terminated, at most 64; or NULL */
    bool no_network;           /* with sandbox */
} rouse_process;

typedef struct rouse_task_spec { /* zero means default */
    const char *thread;          /* the owner; required */
    rouse_kind kind;
    const char *const *argv;     /* PROCESS: NULL-terminated; required. Run as given, never through a shell */
    const char *const *env;      /* NULL-terminated "K=V", exactly what the command gets, plus ROUSE_TASK, ROUSE_STORE and
                                    ROUSE_THREAD; NULL = an empty environment plus those */
    const char *cwd;             /* default: the caller's */
    const char *name;            /* 1 to 64 of letters, digits, '.', '_', '-'; not "bg_<n>", not reserved */
    const char *description;     /* default: the command line, cut */
    const char *task_type;       /* default "shell"; "sub_agent" for sub-agents */
    bool sub_agent;              /* kind sub_agent: the command's ROUSE_THREAD is "<thread>/<task id>" */
    rouse_lineage parent;
    uint64_t timeout_ms;         /* 0 = none */
    uint64_t idle_timeout_ms;    /* ended when it writes nothing for so long; 0 = none */
    uint64_t grace_ms;           /* between TERM and KILL; 0 = 5000 */
    const char *ready_when;      /* POSIX extended regular expression, matched against each line of output */
    bool session;                /* end it when this process ends */
    const rouse_process *process; /* PROCESS: how its command runs; NULL = all defaults */
    rouse_function run;          /* FUNCTION: its body, called by rouse_manager_dispatch or a pool with userdata. After a restart
                                    nobody knows it: the task is then an orphan */
    void *userdata;
    const char *function;        /* FUNCTION: instead, a name given to rouse_function_register. Neither: parked */
    const char *input;           /* JSON text, checked and kept verbatim */
    const char *const *after;    /* NULL-terminated ids or names of tasks of the same thread that it waits for; at most 64 */
    rouse_after_if after_if;     /* what each must come to. One that came to something else fails this task, and so on */
    const char *queue;           /* 1 to 64 characters as a name's: begins when fewer than queue_limit of the queue run */
    uint64_t queue_limit;        /* 0 = 1 */
    int64_t priority;            /* the highest of the queue first, then the oldest */
    rouse_retry retry;
    rouse_when when;             /* TIMER: when it fires; others: not before */
    const char *const *labels;   /* NULL-terminated "key=value"; at most 32 of at most 256 bytes */
    const char *key;             /* idempotency: a second start with it in the same thread gives the task of the first one.
                                    Remembered for 30 days at least */
} rouse_task_spec;

/* Starts a task. The record is durable, and its id known, before anything of it runs; a command runs under its own supervisor.
 * Returns the record, rouse_task_free. 0, or 1 when spec.key had started it before. ROUSE_EINVAL (spec),
 * ROUSE_ECONFLICT `a running task named '{name}' already exists`
 * or EINVAL `'{name}' is a reserved name`, ROUSE_ENOTFOUND (no rouse-shim), errors of the store: then there is no task. From
 * the moment there is an id there is a record: a command or supervisor that cannot be started gives a record that failed. */
ROUSE_API int rouse_task_start(rouse_manager *manager, const rouse_task_spec *spec, rouse_task **ret_task,
                               rouse_error *err);

/* The running task of spec.name in its thread, or a new one, however many processes ask at once: 1 it was there, 0 it is new.
 * As rouse_task_start; the name is required. */
ROUSE_API int rouse_task_ensure(rouse_manager *manager, const rouse_task_spec *spec, rouse_task **ret_task,
                                rouse_error *err);

/* By id (any thread), or by name in thread (running ones first, then the newest). ROUSE_ENOTFOUND `no task '{id}'`. */
ROUSE_API int rouse_task_get(rouse_manager *manager, const char *thread, const char *id_or_name, rouse_task **ret_task,
                             rouse_error *err);

typedef struct rouse_task_list rouse_task_list;
typedef struct rouse_task_filter { /* zero means any */
    const char *thread;            /* NULL = all threads */
    bool running_only;
    bool by_status;
    rouse_status status;           /* with by_status */
    const char *parent;            /* direct children of this task */
    const char *before;            /* a page's cursor: only tasks created before this id. A page stays what it is while others are
                                      started; ROUSE_ENOTFOUND when the task was forgotten meanwhile */
    size_t limit;                  /* default and maximum 10000 */
    const char *tree;              /* this task and all below it; at most 10000 */
    const char *queue;
    const char *label;             /* "key=value", or "key" with any value */
    uint64_t since_ms, until_ms;   /* created at or after, and before; Unix time */
} rouse_task_filter;
/* Newest first. Returns rouse_task_list_free. */
ROUSE_API int rouse_task_list_get(rouse_manager *manager, const rouse_task_filter *filter, rouse_task_list **ret_list,
                                  rouse_error *err);
ROUSE_API size_t rouse_task_list_count(const rouse_task_list *list);
ROUSE_API const rouse_task *rouse_task_list_at(const rouse_task_list *list, size_t i); /* Borrowed until free */
ROUSE_API void rouse_task_list_free(rouse_task_list *list);
typedef struct rouse_queue_stats {
    char name[65];
    uint64_t running, waiting;
} rouse_queue_stats;
typedef struct rouse_stats {
    uint64_t running;           /* all that have not ended, of these: */
    uint64_t waiting;           /* that have not begun: queued, or to be tried again */
    uint64_t for_input;         /* whose command waits for input */
    uint64_t oldest_waiting_ms; /* how long the one that waits longest is there; 0 = none waits */
    uint64_t completed, failed, cancelled; /* among the newest 10000 that have ended */
    uint64_t took_p50_ms, took_p95_ms;     /* of those: from creation to end */
    uint64_t unread;            /* events that nobody has acknowledged; counted up to 10000 */
    size_t n_queues;            /* those that have tasks; of more than 64 the first by name */
    rouse_queue_stats queues[64];
} rouse_stats;
/* Counts the tasks of a thread (NULL = all), as they are stored: reads each running one. Fills fill. ROUSE_ENOMEM, errors of the
 * store. */
ROUSE_API int rouse_manager_stats(rouse_manager *manager, const char *thread, rouse_stats *fill, rouse_error *err);
/* Any running task owned by the thread (COMPAT B56)? 1, 0 or an error. */
ROUSE_API int rouse_task_has_running(rouse_manager *manager, const char *thread, rouse_error *err);

typedef enum rouse_until {
    ROUSE_UNTIL_ENDED = 0,
    ROUSE_UNTIL_READY,
    ROUSE_UNTIL_MATCH, /* a line of its output matches rouse_wait.match */
    ROUSE_UNTIL_IDLE,  /* it printed nothing for rouse_wait.idle_ms, counted from its last output or from the call */
    ROUSE_UNTIL_PROGRESS /* its progress.done is rouse_wait.progress_done or more */
} rouse_until;
typedef struct rouse_wait {        /* zero means default */
    const char *thread;            /* where names are looked up; with count 0: all running tasks of the thread */
    const char *const *ids;        /* ids or names */
    size_t count;                  /* at most 1024 */
    bool any;                      /* one is enough; default: all */
    bool tree;                     /* and every task that those started, and theirs; with all and ENDED also those they start
                                      meanwhile */
    rouse_until until;
    bool has_timeout;
    uint64_t timeout_ms;
    int wake_fd;                   /* 0 = none; else returns with ROUSE_EINTERRUPTED when it becomes readable */
    const char *match;             /* with ROUSE_UNTIL_MATCH: POSIX extended regular expression without back-references. Held
                                      against each line as it is read by people (without escape sequences and redraws), its
                                      first 4096 bytes; against one without an end when the task has ended or is silent */
    uint64_t match_from;           /* offset to begin at; 0 = all output that is kept */
    uint64_t idle_ms;              /* with ROUSE_UNTIL_IDLE */
    uint64_t progress_done;        /* with ROUSE_UNTIL_PROGRESS. For any step: one more than what was seen last, so that none is missed */
} rouse_wait;
/* Sleeps until it holds. *ret_list: the tasks as they are then, in the order asked for (Returns rouse_task_list_free); also
 * set when it returns ROUSE_ETIMEOUT. A task that ended is never waited for, also not for ready, match or idle.
 * ROUSE_EINVAL (pattern), ROUSE_ENOTFOUND, ROUSE_ELIMIT, errors of the store. */
ROUSE_API int rouse_task_wait(rouse_manager *manager, const rouse_wait *wait, rouse_task_list **ret_list,
                              rouse_error *err);

typedef struct rouse_found {
    uint64_t offset;  /* where the line begins in the output */
    const char *line; /* cleaned, its first 4096 bytes */
} rouse_found;
/* What matched in task i of a list that a wait with ROUSE_UNTIL_MATCH gave; NULL when nothing did. Borrowed until free. */
ROUSE_API const rouse_found *rouse_task_list_found(const rouse_task_list *list, size_t i);

/* Gives bytes to a task's standard input (started with ROUSE_INPUT_PIPE or _TTY) and, with eof, ends it behind them. Sleeps
 * while a slow reader leaves no room, at most timeout_ms (UINT64_MAX = for ever); nobody else is kept waiting by it. *ret_taken
 * (may be NULL) is set in any case: how much was taken. ROUSE_ENOTFOUND, ROUSE_ECONFLICT (has no input, or it was ended, or the task
 * has), ROUSE_ETIMEOUT, ROUSE_EINTERRUPTED, ROUSE_EREMOTE. */
ROUSE_API int rouse_task_write(rouse_manager *manager, const char *thread, const char *id_or_name, const char *bytes, size_t len,
                               bool eof, uint64_t timeout_ms, size_t *ret_taken, rouse_error *err);
/* The size of a task's terminal from now on. ROUSE_ENOTFOUND, ROUSE_ECONFLICT (has no terminal), ROUSE_EREMOTE. */
ROUSE_API int rouse_task_resize(rouse_manager *manager, const char *task_id, unsigned rows, unsigned columns, rouse_error *err);

/* A wait that calls back. Tens of thousands of them cost nothing while nothing happens, and are woken for what they wait for
 * only; for progress, each commit to the store has their records read. A manager listens to as many supervisors as half of its
 * RLIMIT_NOFILE allows; beyond that the death of a supervisor itself, and readiness, are not noticed at once. */
typedef struct rouse_waiting rouse_waiting;
/* code: 0, ROUSE_ETIMEOUT, ROUSE_ENOTFOUND (it was forgotten meanwhile) or ROUSE_ENOMEM. list: as that of rouse_task_wait,
 * Borrowed for the call, NULL when out of memory. Called once, by rouse_manager_dispatch (rouse/work.h) on its thread with no lock
 * held: it may call everything but rouse_manager_free. The wait is then gone. */
typedef void (*rouse_wait_done)(int code, const rouse_task_list *list, void *userdata);
/* As rouse_task_wait, without sleeping: wake_fd is not looked at, a tree is what it is at the time of the call, and done is called
 * even when it holds already. *ret_waiting (may be NULL): Borrowed until done is called; end it before that with
 * rouse_waiting_free. The errors of rouse_task_wait: then done is never called. */
ROUSE_API int rouse_waiting_new(rouse_manager *manager, const rouse_wait *wait, rouse_wait_done done, void *userdata,
                                rouse_waiting **ret_waiting, rouse_error *err);
/* Ends a wait whose callback has not been called; it will not be. Takes NULL. rouse_manager_free does it for all. */
ROUSE_API void rouse_waiting_free(rouse_waiting *waiting);

typedef struct rouse_cancel { /* zero means default */
    const char *thread;       /* where names are looked up */
    bool tree;                /* and every task it started, and theirs */
    int signal;               /* default SIGTERM */
    bool has_grace;
    uint64_t grace_ms;        /* default 5000 */
    const char *reason;
} rouse_cancel;
/* Ends a task's whole process tree and returns once it is verified gone and recorded. *ret_count: tasks that this call
 * ended (0 when it had ended before). ROUSE_ENOTFOUND; ROUSE_EREMOTE when the tree cannot be ended: it is then still
 * running, killed and watched, its stage is "stuck", its owner has an event of that, and all others that were to be ended are. */
ROUSE_API int rouse_task_cancel(rouse_manager *manager, const char *id_or_name, const rouse_cancel *options,
                                size_t *ret_count, rouse_error *err);

/* Cancels every running task of the thread. *ret_count (may be NULL): how many this call ended. ROUSE_EREMOTE as above. */
ROUSE_API int rouse_task_cancel_all(rouse_manager *manager, const char *thread, const rouse_cancel *options,
                                    size_t *ret_count, rouse_error *err);
/* Cancels every task that the run asked for, with all below them (COMPAT B76), and remembers in thread that the run is cancelled:
 * later starts with this spec.parent.run_id are refused with ROUSE_ECONFLICT `parent run '{id}' has already been cancelled`. */
ROUSE_API int rouse_task_cancel_run(rouse_manager *manager, const char *thread, const char *run_id,
                                    const rouse_cancel *options, size_t *ret_count, rouse_error *err);

/* Output by absolute offset. Reads what is kept from *offset on, at most size bytes, into fill; *offset becomes that of the
 * first byte given (larger than asked when that part was dropped). Returns the number of bytes, 0 at the end so far. */
ROUSE_API int rouse_task_read(rouse_manager *manager, const char *task_id, uint64_t *offset, char *fill, size_t size,
                              rouse_error *err);
ROUSE_API int rouse_task_output(rouse_manager *manager, const char *task_id, rouse_output *fill, rouse_error *err);
/* Where the last `lines` lines begin (searching at most 1 MiB back). */
ROUSE_API int rouse_task_tail(rouse_manager *manager, const char *task_id, size_t lines, uint64_t *ret_offset,
                              rouse_error *err);

/* Takes in the end of one task (1: it did; 0: it runs, or was in already; or an error), or of every running task (thread
 * NULL = all; the number taken in). Any process may call these at any time; two at once make one ending. */
ROUSE_API int rouse_task_reap(rouse_manager *manager, const char *task_id, rouse_error *err);
ROUSE_API int rouse_task_recover(rouse_manager *manager, const char *thread, rouse_error *err);

/* Forgets tasks that are over: their records, their events, their directories (rouse_store_prune says which, and how many at a
 * time: call again until it returns 0, which also removes what a crash in the middle of it left). tell (may be NULL) is called
 * for each, record Borrowed for the call. Returns how many. The errors of rouse_store_prune, and ROUSE_EIO. What the store
 * removes to keep its own limits (rouse_store_set_retention) goes with its directories as long as a manager is there. The call that
 * returns 0 also forgets idempotency keys, receipts of messages and cancelled runs of more than 30 days ago. */
typedef void rouse_pruned(const rouse_task *task, void *userdata);
ROUSE_API int rouse_task_prune(rouse_manager *manager, const rouse_prune *what, rouse_pruned *tell, void *userdata,
                               rouse_error *err);

/* ---- messages between agents (COMPAT section 11) ---- */

typedef struct rouse_send {     /* exactly one of child, parent, agent_thread */
    const char *thread;         /* the sender's; required */
    const char *from;           /* the sender's agent id; default "user" */
    const char *child;          /* id or name of a running sub-agent that this thread owns */
    bool parent;                /* the agent that started this one */
    const char *agent_thread;   /* the thread of another agent of the same tree of agents */
    const char *text;           /* required: at most 65536 bytes of UTF-8; "" is a message */
    const char *key;            /* 1 to 256 bytes, or NULL: a second message to this recipient with this key is the first one
                                   again: it is not delivered, and the receipt is the first one's */
} rouse_send;
typedef struct rouse_receipt {
    char message_id[37];        /* UUIDv7; "" when it was not accepted */
    const char *error;          /* NULL, or one of these (B94, B95; static): "recipient_not_found", "permission_denied",
                                   "recipient_unavailable" */
    char detail[128];           /* why, for people (B88); "" when it was accepted */
} rouse_receipt;
/* Puts {"kind":"custom","task_id":…,"event_type":"agent_message","payload":{"content","from","message_id"}} into the recipient's
 * inbox; task_id is the child's, also in what a child writes to its parent. A message that cannot be accepted is a receipt with an
 * error, and 0. ROUSE_EINVAL, ROUSE_ELIMIT, errors of the store. */
ROUSE_API int rouse_task_send(rouse_manager *manager, const rouse_send *send, rouse_receipt *fill, rouse_error *err);
/* Dead letters: messages that a sub-agent did not read before it ended. list: tells them; replay: gives each to the running
 * sub-agent that has its recipient's name now, if there is one; clear: takes them away. thread: whose sub-agents (NULL = all).
 * *ret_json (Returns free): {"action","count"} and, for list, "messages" (B100). ROUSE_EINVAL, errors of the store. */
enum rouse_recover { ROUSE_RECOVER_LIST = 0, ROUSE_RECOVER_REPLAY, ROUSE_RECOVER_CLEAR };
ROUSE_API int rouse_message_recover(rouse_manager *manager, const char *thread, enum rouse_recover action, char **ret_json,
                                    rouse_error *err);

/* The block a model sees: the running tasks of the thread and those that failed before anybody was told, within budget bytes
 * (0 = 1500), escaped; "" when there are none. First what waits for input, then what failed, what is near its deadline (the
 * nearest first), the newest, the one that runs longest, the others; a last line counts what is left out. The same state gives the
 * same text (ages are rounded), so a text that is equal to the last one need not be shown again. What it costs does not depend on
 * the number of tasks. *ret_text Returns free. */
ROUSE_API int rouse_view_render(rouse_manager *manager, const char *thread, size_t budget, char **ret_text,
                                rouse_error *err);
/* One task as JSON for ls, show, wait and tools (CLI.md): the record with name, owner and ext. Returns free. */
ROUSE_API char *rouse_task_json(const rouse_task *task, rouse_error *err);

#ifdef __cplusplus
}
#endif
#endif
