/* The inside of the two keys' updates. */
#ifndef TASK_KEYS_H
#define TASK_KEYS_H

#include "rouse/task.h"

struct rouse_task_update { /* background_task_state */
    bool replace;       /* ReplaceAll; else Upsert of the one task */
    rouse_task **tasks; /* owned */
    size_t count, cap;
};

struct rouse_view_update { /* background_tasks */
    rouse_view *view; /* Replace; NULL = Clear */
};

/* One entry of a view by itself, its id left as it is; strings in the arena. */
struct arena;
int view_entry_decode(const char *json, size_t len, struct arena *arena, rouse_view_entry *fill, rouse_error *err);

/* An update from the outside: {"Name": content}, or "Name" (then the content's text is NULL). The name is one of names;
 * *ret_index says which. ROUSE_EDATA. */
struct jslice;
int variant_decode(const char *json, size_t len, const char *const *names, size_t *ret_index,
                   struct jslice *ret_content, rouse_error *err);

#endif
