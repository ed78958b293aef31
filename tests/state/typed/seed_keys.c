/* The typed wrappers of the seed's two keys. */
#include "rouse/task.h"

int add_and_read(rouse_batch *batch, const rouse_snapshot *snapshot, rouse_error *err);

int add_and_read(rouse_batch *batch, const rouse_snapshot *snapshot, rouse_error *err)
{
    const rouse_task *task = rouse_task_state_get(snapshot, "bg_0");
    const rouse_view *view = rouse_view_state_get(snapshot, NULL);
    int code = rouse_task_state_add(batch, rouse_task_upsert(task), err);
    if (code == 0)
        code = rouse_view_state_add(batch, view ? rouse_view_replace(view->entries, view->count) : rouse_view_clear(), err);
#ifdef WRONG_1 /* the update of another key */
    code = rouse_task_state_add(batch, rouse_view_clear(), err);
#endif
#ifdef WRONG_2 /* a value in the place of an update */
    code = rouse_task_state_add(batch, rouse_task_copy(task), err);
#endif
#ifdef WRONG_3 /* the value of another key */
    view = rouse_task_state_get(snapshot, "bg_0");
#endif
#ifdef WRONG_4
    task = rouse_view_state_at(snapshot, 0, NULL);
#endif
    return code;
}
