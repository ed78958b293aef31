/* What is tried while something fails: one operation is a call or a few, made on a store in which there is a little of everything.
 *
 * An operation gives the code of the first call that failed, or 0. Whatever failed, it can be run again: what it started is
 * ended by it, or by operations_settle. */
#ifndef TESTS_TORTURE_OPERATIONS_H
#define TESTS_TORTURE_OPERATIONS_H

#include "../support/scene.h"
#include "rouse/work.h"

struct set {
    struct scene scene;
    rouse_store *store; /* the scene's */
    char ended[32];     /* id of a task */
};

struct operation {
    const char *label;
    int (*run)(struct set *s, rouse_error *err);
    bool once; /* with no memory at all, a start cannot take its directory away again, and later ones have to pass over it */
};

/* Each ends with a row without a label. */
extern const struct operation operations[];      /* of state.h, store.h and task.h, on thread "t" */
extern const struct operation work_operations[]; /* of work.h, and of tasks without a process, on thread "w" */

int operations_set_up(void **state);
int operations_tear_down(void **state);
/* Nothing fails from here on. What an operation calls in the middle; the test that fails things defines it. */
void operations_no_more_failures(void);
/* Ends what is left in thread "w", and asserts that nothing there is stuck, ended twice, or ended and told of more than once or
 * not at all. Forgets it all. */
void operations_settle(struct set *s, const char *context);

#endif
