/* A command that waits for input: its stage is in the record, so that the owner's inbox is told once, whoever notices. */
#include <string.h>

#include "task/event.h"
#include "task/keys.h"
#include "task/work.h"

#define WAITING "waiting_input"

static bool says_waiting(const rouse_task *task)
{
    return task->ext.stage && strcmp(task->ext.stage, WAITING) == 0;
}

/* Fails when somebody else was faster, so that the event is not sent twice. */
static int edit_stage(rouse_task *task, void *userdata, rouse_error *err)
{
    const bool *waiting = userdata;
    if (!task->has_ext || says_waiting(task) == *waiting)
        return rouse_fail(err, ROUSE_ECONFLICT, "the stage of '%s' is told already", task->task_id);
    task->ext.stage = *waiting ? WAITING : NULL;
    return 1;
}

int task_note_waiting(rouse_manager *m, const char *thread, const rouse_task *task, bool waiting, rouse_error *err)
{
    if (!task->has_ext || says_waiting(task) == waiting)
        return 0;
    struct buf event = BUF_INIT(0);
    rouse_error why = {0};
    const struct task_change change = {.id = task->task_id, .edit = edit_stage, .userdata = &waiting};
    if (waiting) /* that it goes on needs nobody's attention */
        event_add_custom(&event, task->task_id, "stage", "{\"stage\":\"" WAITING "\"}");
    int code = buf_check(&event, &why);
    if (code == 0)
        code = task_commit(m, &(struct task_step){.thread = thread, .change = &change, .event = waiting ? buf_text(&event) : NULL}, &why);
    buf_done(&event);
    if (code >= 0 || code == ROUSE_ECONFLICT)
        return 0;
    return rouse_fail(err, code, "%s", why.message);
}
