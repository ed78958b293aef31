/* What tests of tasks need: a store of their own in a new directory, a manager on it, and a look at the outcome. */
#ifndef SUPPORT_SCENE_H
#define SUPPORT_SCENE_H

#include <stdbool.h>

#include "rouse/task.h"

struct scene {
    char dir[64];  /* temporary, removed by scene_done */
    char path[80]; /* the store in it */
    bool nobody_reaps; /* no `rouse reap` when nobody waits; set before scene_open */
    rouse_store *store;
    rouse_manager *manager;
};

/* Fails the running test when it cannot. The shim and rouse are those of $ROUSE_SHIM and $ROUSE_PROGRAM. */
void scene_init(struct scene *s);
void scene_open(struct scene *s);  /* another handle on the same store, after scene_close */
void scene_close(struct scene *s); /* as if this process had gone: tasks go on */
/* Ends every task still running, verifies that no process of the store is left, removes the directory. */
void scene_done(struct scene *s);

/* Starts `sh -c line` in thread "t". Returns the record, rouse_task_free. */
rouse_task *scene_start(struct scene *s, const char *name, const char *line);
/* Waits until it has ended (at most a generous minute) and Returns the record, rouse_task_free. */
rouse_task *scene_wait(struct scene *s, const char *id);
/* Events in the inbox of a thread (NULL = all) about a task (NULL = all), acknowledged or not. */
size_t scene_events(struct scene *s, const char *thread, const char *task_id);
/* Asserts: the record is terminal with this status, and exactly one event tells of it. Returns it, rouse_task_free. */
rouse_task *scene_check_ended(struct scene *s, const char *id, rouse_status status);
/* A fifo in the scene's directory through which a command tells the test something; *ret_path is the caller's (free). */
char *scene_fifo(struct scene *s, const char *name);
/* Sleeps until somebody wrote a line into the fifo; Fills line without its newline. */
void scene_hear(const char *fifo, char *line, size_t size);
/* Processes whose environment names this scene's store, but for rouse's own. */
size_t scene_processes(const struct scene *s);

#endif
