/* What a spec asks for beyond one command run at once: held against the limits, and made a part of the record. The same for every
 * kind of task. */
#ifndef TASK_PLAN_H
#define TASK_PLAN_H

#include "task/keys.h"
#include "task/work.h"

struct planned {
    rouse_manager *manager;
    const rouse_task_spec *spec;
    rouse_task_plan plan; /* borrows the spec and what follows */
    bool needed;          /* the record needs it */
    bool waits;           /* it begins later: stage queued */
    bool has_agenda;
    struct agenda agenda;
    char **after; /* ids, NULL-terminated, owned */
    struct dependency {
        struct task_change change;
        struct planned *planned;
        rouse_task_plan plan; /* of the other, with one more dependent */
        const char **dependents;
    } * dependencies;
    size_t n_dependencies;
    char *parent; /* id of a parent in the same thread, or NULL */
    struct task_change parent_change;
    char key[LIMIT_ENTRY_NAME + 1];
    const char *id; /* of the new task, once it has one */
};

/* ROUSE_EINVAL, ROUSE_ELIMIT, ROUSE_ENOTFOUND (a task to wait for), ROUSE_ECONFLICT (parent or run cancelled). plan_done also after
 * a failure. */
int plan_prepare(rouse_manager *m, const rouse_task_spec *spec, struct planned *p, rouse_error *err);
/* Puts it into a record whose kind is set. */
void plan_fill(struct planned *p, rouse_task *record);
/* Inside the transaction, once the task has its id: adds what else changes with it. id: Borrowed until the commit is over. */
int plan_add(struct planned *p, rouse_batch *batch, const char *id, rouse_error *err);
/* After the commit: begins a task that need not have waited; ends one whose parent or run was cancelled meanwhile. */
int plan_settle(struct planned *p, rouse_error *err);
/* 1 and the task that spec.key started before, 0 when there is none, or an error. */
int plan_find_key(rouse_manager *m, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err);
void plan_done(struct planned *p);

/* limits.c: ROUSE_ELIMIT when one more task would be too many. */
int limits_check(const struct planned *p, rouse_error *err);

#endif
