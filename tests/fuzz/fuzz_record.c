/* The task's record, stored and shown. */
#include "fuzz.h"
#include "task/record.h"

static char *record(const char *json, size_t len, rouse_error *err)
{
    rouse_task *task = NULL;
    if (rouse_task_decode(json, len, &task, err) < 0)
        return NULL;
    must(task->task_id && task->task_type && task->description && task->owner_thread_id);
    rouse_task *copy = rouse_task_copy(task);
    must(copy != NULL);
    rouse_task_free(task);
    char *shown = rouse_task_json(copy, err), *text = rouse_task_encode(copy, err);
    must(text && shown && jtext_check(shown, strlen(shown), NULL, NULL) == 0 && !strchr(text, '\n'));
    rouse_task_free(copy);
    free(shown);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    must_be_stable(record, data, size);
    return 0;
}
