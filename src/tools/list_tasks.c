#include <string.h>

#include "base/limits.h"
#include "tools/tools.h"

#define PAGE 50

struct args {
    bool all;
};

static const struct jfield rows[] = {{.name = "all", .type = JFIELD_BOOL, .offset = offsetof(struct args, all)}};
static const struct jfields fields = {.rows = rows, .count = 1};

static int list(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err)
{
    struct args a = {0};
    rouse_task_list *tasks = NULL;
    struct buf out = BUF_INIT(LIMIT_JSON);
    int code = jfields_decode(&fields, arguments, strlen(arguments), NULL, &a, err);
    if (code < 0)
        return code;
    const rouse_task_filter filter = {.thread = call->thread, .running_only = !a.all, .limit = PAGE + 1};
    code = rouse_task_list_get(call->manager, &filter, &tasks, err);
    if (code < 0)
        return code;
    size_t n = rouse_task_list_count(tasks);
    buf_adds(&out, "{\"tasks\":[");
    for (size_t i = 0; i < n && i < PAGE; i++) {
        if (i > 0)
            buf_addc(&out, ',');
        tools_add_task(&out, rouse_task_list_at(tasks, i), NULL);
    }
    buf_adds(&out, n > PAGE ? "],\"more\":true}" : "],\"more\":false}");
    rouse_task_list_free(tasks);
    *ret_result = buf_take(&out, err);
    buf_done(&out);
    return *ret_result ? 0 : ROUSE_ENOMEM;
}

const rouse_tool tool_list_tasks = {
    .name = "list_tasks",
    .description =
        "Lists this thread's background tasks, newest first: those that run, or with all also those that have ended.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{\"all\":{\"type\":\"boolean\",\"description\":\"ended ones too\"}}}",
    .repeatable = true,
    .call = list,
};
