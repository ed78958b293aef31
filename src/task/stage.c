/* What a running command needs somebody for: its stage is in the record, so that the owner's inbox is told once, whoever notices. */
#include <string.h>

#include "task/event.h"
#include "task/keys.h"
#include "task/record.h"
#include "task/work.h"

const char *task_stage_of(const struct proc_look *look)
{
    return look->stuck ? "stuck" : look->waiting ? "waiting_input" : NULL;
}

static bool is_stored(const rouse_task *task, const char *stage)
{
    const char *stored = record_stage_is_told(task->ext.stage) ? task->ext.stage : "";
    return strcmp(stored, stage ? stage : "") == 0;
}

/* Fails when somebody else was faster, so that the event is not sent twice. */
static int edit_stage(rouse_task *task, void *userdata, rouse_error *err)
{
    const char *stage = userdata;
    if (!task->has_ext || is_stored(task, stage))
        return rouse_fail(err, ROUSE_ECONFLICT, "the stage of '%s' is told already", task->task_id);
    task->ext.stage = stage;
    return 1;
}

int task_note_stage(rouse_manager *m, const char *thread, const rouse_task *task, const char *stage, rouse_error *err)
{
    if (!task->has_ext || is_stored(task, stage))
        return 0;
    struct buf event = BUF_INIT(0);
    struct buf payload = BUF_INIT(0);
    rouse_error why = {0};
    const struct task_change change = {.id = task->task_id, .edit = edit_stage, .userdata = (void *)(uintptr_t)stage};
    buf_addf(&payload, "{\"stage\":\"%s\"}", stage ? stage : "");
    if (stage) /* that it goes on needs nobody's attention */
        event_add_custom(&event, task->task_id, "stage", buf_text(&payload));
    int code = buf_check(&payload, &why);
    code = code == 0 ? buf_check(&event, &why) : code;
    if (code == 0)
        code = task_commit(m, &(struct task_step){.thread = thread, .change = &change, .event = stage ? buf_text(&event) : NULL}, &why);
    buf_done(&event);
    buf_done(&payload);
    if (code >= 0 || code == ROUSE_ECONFLICT)
        return 0;
    return rouse_fail(err, code, "%s", why.message);
}
