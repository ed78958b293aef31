/* A task's output as it grows, until the task has ended. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/progress.h"

struct follow {
    struct cli *cli;
    const char *id;
    uint64_t offset; /* of the next byte to hand over */
    int interrupt;   /* a descriptor that becomes readable when to stop; 0 = none */
    bool shows_progress; /* of the task, on a terminal, while following */
    struct progress progress; /* follow_to_end's own */
    int (*write)(const char *bytes, size_t len, void *userdata, rouse_error *err);
    void *userdata;
};

/* Hands over what there is from offset on. Says on stderr when some of it is kept no longer. */
int follow_drain(struct follow *follow, rouse_error *err);
/* The same for a task that has ended: nothing comes any more, so what is missing at the end is said too. */
int follow_finish(struct follow *follow, rouse_error *err);
/* The same, and goes on until the task has ended: *ret_task Returns rouse_task_free. ROUSE_EINTERRUPTED. */
int follow_to_end(struct follow *follow, rouse_task **ret_task, rouse_error *err);

#endif
