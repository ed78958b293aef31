/* What the files of the manager share. */
#ifndef TASK_MANAGER_H
#define TASK_MANAGER_H

#include <pthread.h>

#include "base/error.h"
#include "base/limits.h"
#include "proc/proc.h"
#include "rouse/task.h"

/* COMPAT section 0: the text of a task whose process died with everybody who knew how it ended. */
#define TASK_ORPHAN_TEXT "task orphaned: runtime restarted while running"

/* The places where a process may die in the middle of starting or ending a task; tests stop it at each. */
enum manager_step {
    STEP_DIRECTORY,  /* start: directory made, lock taken */
    STEP_SPEC,       /* start: spec.json written, row not committed */
    STEP_ROW,        /* start: row committed, no supervisor */
    STEP_SUPERVISOR, /* start: supervisor has the lock, so have we */
    STEP_SEEN,       /* end: the process was seen to be over, nothing committed */
    STEP_COMMITTED,  /* end: record and event committed, the supervisor not told */
};

struct rouse_manager {
    rouse_store *store; /* borrowed */
    const rouse_platform *platform;
    char *shim;  /* NULL: none was found, nothing can be started */
    char *rouse; /* NULL: nobody commits an ending that no one waits for, until the next recovery */
    char *asker;
    int tasks; /* <store>/tasks; -1: a store that has no directory, so there can be no processes */
    char owner[32]; /* this runtime's name (owner.c) */
    int owners, owner_lock; /* <store>/owners and our file in it; -1 until a function needs it */
    pthread_mutex_t owner_guard; /* the two above, which any thread may be the first to need */
    char boot[40]; /* this boot of the machine, or "" */
    rouse_limits limits;
    struct runtime *runtime; /* bodies of functions (runtime.c) */
    uint64_t output_cap; /* of ended tasks' output, bytes */
    _Atomic int64_t notes_seen; /* bytes of hoard.h's notes when nothing was left to do, -1 = not known */
    _Atomic int bell; /* one that was opened for a wait and is kept for the next, or -1 (wait.c) */
    struct waits *waits; /* those that call back (waits.c) */
    struct spares *spares; /* supervisors that stay (spares.c); NULL: none do */
    bool (*interrupted)(void *userdata);
    void *userdata;
    void (*at_step)(enum manager_step step); /* NULL but in tests */
};

static inline void manager_at(const rouse_manager *m, enum manager_step step)
{
    if (m->at_step)
        m->at_step(step);
}

uint64_t manager_now(const rouse_manager *m);
bool manager_interrupted(const rouse_manager *m);

/* Looks at the process behind a running record and, when it is over, commits the end: 1 committed here, 0 still running or
 * committed by somebody else meanwhile, or an error. thread is the one the record is stored in: an imported record may name
 * another owner, or none. */
int task_take_in(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err);
/* The same of a process that was seen not to be alive. */
int task_end_seen(rouse_manager *m, const char *thread, const rouse_task *task, const struct proc_look *look, rouse_error *err);
/* The end of a task that could not even be supervised. Returns 0 also when somebody was faster. */
int task_fail(rouse_manager *m, const char *thread, const rouse_task *task, const char *error, rouse_error *err);

/* Connects to the supervisor of a running task, which may be coming up, and with watch is told of its end: 0 with a descriptor, or
 * with *ret_over set when the task turned out to be over. Errors. */
int task_connect(rouse_manager *m, const rouse_task *task, bool watch, int *ret_fd, bool *ret_over, rouse_error *err);
/* Of many that are cancelled, one that cannot be ended keeps no other from it: 0 with *stuck, the answer to give at the end; else code. */
int cancel_passes(int code, int *stuck);

/* The stored record of that id in any thread, or in thread when it is not NULL. ROUSE_ENOTFOUND. */
int task_load(rouse_manager *m, const char *thread, const char *id, rouse_task **ret_task, rouse_error *err);
/* "bg_<number>" */
void task_id_of(uint64_t number, char fill[LIMIT_TASK_ID + 1]);
/* Brings *task, stored in thread and owned by the caller, up to date with its process or runtime; replaced when it had ended. */
int task_refresh(rouse_manager *m, const char *thread, rouse_task **task, rouse_error *err);
/* True for "bg_" and digits. */
bool task_is_id(const char *text);
/* The stage of a running command that its owner is told of (record_stage_is_told), or NULL. */
const char *task_stage_of(const struct proc_look *look);
/* Brings the stored stage of a running command, as it was read, in line with task_stage_of its process; one that is told, with an
 * event in the owner's inbox. */
int task_note_stage(rouse_manager *m, const char *thread, const rouse_task *task, const char *stage, rouse_error *err);

/* A rouse_prune_hook: the directory of a task whose row is gone goes as well. */
void task_forget(const char *thread, const char *id, void *manager);

/* A list of tasks that it takes over on success, with what was found in each (or NULL). ROUSE_ENOMEM. */
int task_list_of(rouse_task **tasks, size_t count, rouse_found *found, rouse_task_list **ret_list, rouse_error *err);

/* Has it, or will it have, a process of its own? Records without ext are looked at as if. */
static inline bool task_is_process(const rouse_task *task)
{
    const char *kind = task->has_ext && task->ext.kind ? task->ext.kind : "process";
    return kind[0] == 'p' || kind[0] == 's'; /* process, sub_agent; not function, timer, external */
}

/* Begins a process task that waited, in the directory that its start left: 1, or 0 when somebody else did. */
int process_begin(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err);

/* ROUSE_ELIMIT, ROUSE_EINVAL (UTF-8); NULL is fine. */
int task_check_text(const char *what, const char *text, size_t max, rouse_error *err);
/* What every kind of task must hold: thread, name, type, lineage. */
int task_check_texts(const rouse_task_spec *spec, rouse_error *err);
/* ROUSE_EINVAL when it may not name a task. */
int task_check_name(const char *name, rouse_error *err);

#endif
