/* COMPAT B119 to B123: RunStart restores, BeforeInference shows, StepEnd says whether work is pending. */
#include "agent/background.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"

const rouse_key *const background_keys[2] = {&rouse_task_state_key, &rouse_view_key};

static bool is_same_view(const rouse_view *view, const rouse_view_entry *entries, size_t count)
{
    if (!view || view->count != count)
        return !view && count == 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(view->entries[i].task_id, entries[i].task_id) != 0 || view->entries[i].status != entries[i].status ||
            strcmp(view->entries[i].task_type, entries[i].task_type) != 0 ||
            strcmp(view->entries[i].description, entries[i].description) != 0)
            return false;
    return true;
}

/* The seed's key gets what runs now, in order of creation; nothing is written while nothing changed. */
static int write_view(rouse_hook *hook, const rouse_task_list *list, rouse_error *err)
{
    size_t n = rouse_task_list_count(list);
    rouse_view_entry *entries = calloc(n + 1, sizeof *entries);
    if (!entries)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < n; i++) {
        const rouse_task *task = rouse_task_list_at(list, n - 1 - i);
        entries[i] = (rouse_view_entry){.task_id = task->task_id,
                                        .task_type = task->task_type,
                                        .description = task->description,
                                        .status = task->status};
    }
    int code = 0;
    if (!is_same_view(rouse_view_state_get(hook->snapshot, NULL), entries, n)) {
        rouse_view_update *update = n > 0 ? rouse_view_replace(entries, n) : rouse_view_clear();
        code = update ? rouse_view_state_add(hook->batch, update, err) : rouse_fail_memory(err);
    }
    free(entries);
    return code;
}

static int show_tasks(rouse_hook *hook, rouse_error *err)
{
    const rouse_task_filter running = {.thread = hook->thread, .running_only = true};
    rouse_task_list *list = NULL;
    char *text = NULL;
    int code = rouse_task_list_get(hook->manager, &running, &list, err);
    if (code == 0)
        code = write_view(hook, list, err);
    rouse_task_list_free(list);
    if (code == 0)
        code = rouse_view_render(hook->manager, hook->thread, 0, &text, err);
    if (code >= 0)
        code = rouse_hook_inject(hook, text, false, err);
    free(text);
    return code;
}

static int set_pending(rouse_hook *hook, rouse_error *err)
{
    int running = rouse_task_has_running(hook->manager, hook->thread, err);
    if (running < 0)
        return running;
    const bool *was = rouse_snapshot_get(hook->snapshot, &rouse_pending_work_key, NULL);
    if ((was && *was) == (running > 0))
        return 0;
    void *update = rouse_pending_work_set(running > 0);
    return update ? rouse_batch_add(hook->batch, &rouse_pending_work_key, update, err) : rouse_fail_memory(err);
}

int background_hook(rouse_hook *hook, void *userdata, rouse_error *err)
{
    (void)userdata;
    switch (hook->phase) {
    case ROUSE_RUN_START: {
        int code = rouse_task_recover(hook->manager, hook->thread, err);
        return code < 0 ? code : 0;
    }
    case ROUSE_BEFORE_INFERENCE:
        return show_tasks(hook, err);
    case ROUSE_STEP_END:
        return set_pending(hook, err);
    default:
        return 0;
    }
}
