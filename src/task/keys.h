/* The inside of the two keys' updates. */
#ifndef TASK_KEYS_H
#define TASK_KEYS_H

#include "rouse/task.h"

/* Changes one running task inside the transaction: edit gets a shallow copy of what is stored then, in memory of its own,
 * and may point it to texts that live until the commit is over. Returns 1 = store it, 0 = leave it, or an error. Must not call the
 * store. */
struct task_change {
    const char *id;
    int (*edit)(rouse_task *task, void *userdata, rouse_error *err);
    void *userdata;
    bool any_status; /* edit also sees a task that has ended, and then must not return 1 */
};

struct rouse_task_update { /* background_task_state */
    struct task_change change; /* with edit: only this. ROUSE_ENOTFOUND, ROUSE_ECONFLICT `task already {status}` */
    bool replace;       /* ReplaceAll; else Upsert of the one task */
    rouse_task **tasks; /* owned: one, or in memory of its own */
    size_t count, cap;
    rouse_task *one;
};

/* An upsert of a record that nobody changes any more: shares it instead of copying it. NULL = no memory. */
rouse_task_update *task_put_new(rouse_task *record);
/* Borrows change->id and userdata until the commit is over. NULL = no memory. */
rouse_task_update *task_change_new(const struct task_change *change);

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
