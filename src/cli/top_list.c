/* The tasks that rouse top shows, and which of them is under the bar. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/top.h"

void top_list_done(struct top_list *tasks)
{
    forest_done(&tasks->forest);
    rouse_task_list_free(tasks->list);
    free(tasks->shown);
    free(tasks->chosen);
    *tasks = (struct top_list){0};
}

const rouse_task *top_list_at(const struct top_list *tasks, size_t i, size_t *ret_depth)
{
    const struct forest_node *node = &tasks->forest.nodes[tasks->shown[i]];
    if (ret_depth)
        *ret_depth = node->depth;
    return node->task;
}

static bool has(const char *text, const char *part)
{
    return text && strcasestr(text, part);
}

static bool is_wanted(const rouse_task *task, const char *filter)
{
    return !*filter || has(task->task_id, filter) || has(task->name, filter) || has(task->description, filter) ||
           has(rouse_status_text(task->status), filter) || has(task->owner_thread_id, filter);
}

int top_list_choose(struct top *top, size_t place, rouse_error *err)
{
    struct top_list *tasks = &top->tasks;
    size_t last = tasks->count > 0 ? tasks->count - 1 : 0;
    place = place < last ? place : last;
    char *id = tasks->count > 0 ? strdup(top_list_at(tasks, place, NULL)->task_id) : NULL;
    if (tasks->count > 0 && !id)
        return rouse_fail_memory(err);
    free(tasks->chosen);
    tasks->chosen = id;
    tasks->place = place;
    return 0;
}

int top_list_filter(struct top *top, rouse_error *err)
{
    struct top_list *tasks = &top->tasks;
    size_t place = tasks->place;
    size_t *shown = calloc(tasks->forest.count + 1, sizeof *shown);
    if (!shown)
        return rouse_fail_memory(err);
    free(tasks->shown);
    tasks->shown = shown;
    tasks->count = 0;
    for (size_t i = 0; i < tasks->forest.count; i++) {
        const rouse_task *task = tasks->forest.nodes[i].task;
        if (!is_wanted(task, top->filter))
            continue;
        if (tasks->chosen && strcmp(task->task_id, tasks->chosen) == 0)
            place = tasks->count;
        shown[tasks->count++] = i;
    }
    return top_list_choose(top, place, err);
}

void top_list_view(struct top *top)
{
    rouse_task *now = NULL;
    rouse_task_get(top->cli->manager, NULL, top->subject, &now, NULL);
    rouse_task_free(top->viewed);
    top->viewed = now;
}

int top_list_read(struct top *top, rouse_error *err)
{
    const char *thread = top->all_threads ? NULL : top->cli->thread;
    const rouse_task_filter filter = {.running_only = !top->ended_too, .limit = LIMIT_LIST};
    rouse_task_list *list;
    struct forest forest = {0};
    /* What a sub-agent starts is of another thread, and still of this tree. */
    int code = rouse_task_list_get(top->cli->manager, &filter, &list, err);
    if (code < 0)
        return code;
    code = forest_make(&forest, list, true, thread, err);
    if (code < 0) {
        forest_done(&forest);
        rouse_task_list_free(list);
        return code;
    }
    forest_done(&top->tasks.forest);
    rouse_task_list_free(top->tasks.list);
    top->tasks.list = list;
    top->tasks.forest = forest;
    if (top->in_log)
        top_list_view(top);
    return top_list_filter(top, err);
}
