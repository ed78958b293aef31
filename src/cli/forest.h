/* Tasks in the order in which a list shows them: as they come, or each under the task that started it. */
#ifndef CLI_FOREST_H
#define CLI_FOREST_H

#include "rouse/task.h"

struct forest_node {
    const rouse_task *task; /* borrowed from the list */
    size_t depth;
};

struct forest {
    struct forest_node *nodes;
    size_t count;
};

/* tree: children behind their parent, oldest first; with a thread only the trees whose root is of it or of a sub-agent
 * below it. Borrows list until forest_done. */
int forest_make(struct forest *fill, const rouse_task_list *list, bool tree, const char *thread, rouse_error *err);
void forest_done(struct forest *forest);

#endif
