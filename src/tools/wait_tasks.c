#include <string.h>

#include "base/limits.h"
#include "tools/tools.h"

#define DEFAULT_MS 30000
#define LONGEST_MS 600000

enum mode { MODE_ALL, MODE_ANY };
static const char *const mode_names[] = {"all", "any", NULL};
static const char *const until_names[] = {[ROUSE_UNTIL_ENDED] = "ended",
                                          [ROUSE_UNTIL_READY] = "ready",
                                          [ROUSE_UNTIL_MATCH] = "match",
                                          [ROUSE_UNTIL_IDLE] = "idle",
                                          NULL};

struct args {
    const char **tasks;
    enum mode mode;
    rouse_until until;
    const char *match;
    uint64_t timeout_ms, match_from, idle_ms;
};

static const struct jfield rows[] = {
    {.name = "tasks", .type = JFIELD_STRINGS, .offset = offsetof(struct args, tasks)},
    {.name = "mode", .type = JFIELD_ENUM, .offset = offsetof(struct args, mode), .names = mode_names},
    {.name = "until", .type = JFIELD_ENUM, .offset = offsetof(struct args, until), .names = until_names},
    {.name = "match", .type = JFIELD_STRING, .offset = offsetof(struct args, match)},
    {.name = "match_from", .type = JFIELD_U64, .offset = offsetof(struct args, match_from)},
    {.name = "idle_ms", .type = JFIELD_U64, .offset = offsetof(struct args, idle_ms)},
    {.name = "timeout_ms", .type = JFIELD_U64, .offset = offsetof(struct args, timeout_ms)},
};
static const struct jfields fields = {.rows = rows, .count = sizeof rows / sizeof *rows};

static int check(const struct args *a, rouse_error *err)
{
    if (a->timeout_ms > LONGEST_MS || a->idle_ms > LONGEST_MS)
        return rouse_fail(err, ROUSE_EINVAL, "'%s' must be at most %d",
                          a->timeout_ms > LONGEST_MS ? "timeout_ms" : "idle_ms", LONGEST_MS);
    if ((a->until == ROUSE_UNTIL_MATCH) != (a->match != NULL))
        return rouse_fail(err, ROUSE_EINVAL, "'match' and until \"match\" go together");
    if ((a->until == ROUSE_UNTIL_IDLE) != (a->idle_ms > 0))
        return rouse_fail(err, ROUSE_EINVAL, "'idle_ms' and until \"idle\" go together");
    return 0;
}

/* Every one must be the caller's own, before any is waited for. *ret_count: how many. */
static int check_owner(const rouse_call *call, const struct args *a, size_t *ret_count, rouse_error *err)
{
    size_t n = 0;
    for (; a->tasks && a->tasks[n]; n++) {
        rouse_task *task = NULL;
        if (n >= LIMIT_TASKS_PER_CALL)
            return rouse_fail(err, ROUSE_EINVAL, "more than %d tasks", LIMIT_TASKS_PER_CALL);
        int code = tools_find(call, a->tasks[n], &task, err);
        if (code < 0)
            return code;
        rouse_task_free(task);
    }
    *ret_count = n;
    return 0;
}

static int answer(const rouse_task_list *tasks, bool timed_out, char **ret_result, rouse_error *err)
{
    struct buf out = BUF_INIT(LIMIT_JSON);
    buf_adds(&out, timed_out ? "{\"timed_out\":true,\"tasks\":[" : "{\"timed_out\":false,\"tasks\":[");
    for (size_t i = 0; i < rouse_task_list_count(tasks); i++) {
        if (i > 0)
            buf_addc(&out, ',');
        tools_add_task(&out, rouse_task_list_at(tasks, i), rouse_task_list_found(tasks, i));
    }
    buf_adds(&out, "]}");
    *ret_result = buf_take(&out, err);
    buf_done(&out);
    return *ret_result ? 0 : ROUSE_ENOMEM;
}

static int wait_for(const rouse_call *call, const struct args *a, char **ret_result, rouse_error *err)
{
    rouse_task_list *tasks = NULL;
    rouse_wait wait = {.thread = call->thread,
                       .ids = (const char *const *)a->tasks,
                       .any = a->mode == MODE_ANY,
                       .until = a->until,
                       .match = a->match,
                       .match_from = a->match_from,
                       .idle_ms = a->idle_ms,
                       .has_timeout = true,
                       .timeout_ms = a->timeout_ms,
                       .wake_fd = call->wake_fd};
    int code = check(a, err);
    if (code == 0)
        code = check_owner(call, a, &wait.count, err);
    if (code < 0)
        return code;
    code = rouse_task_wait(call->manager, &wait, &tasks, err);
    if (code < 0 && code != ROUSE_ETIMEOUT)
        return code;
    code = answer(tasks, code == ROUSE_ETIMEOUT, ret_result, err);
    rouse_task_list_free(tasks);
    return code;
}

static int wait_tasks(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err)
{
    struct arena arena = {0};
    struct args a = {.timeout_ms = DEFAULT_MS};
    int code = jfields_decode(&fields, arguments, strlen(arguments), &arena, &a, err);
    if (code == 0)
        code = wait_for(call, &a, ret_result, err);
    arena_done(&arena);
    return code;
}

const rouse_tool tool_wait_tasks = {
    .name = "wait_tasks",
    .description =
        "Sleeps until tasks have ended, are ready (ready_when), have printed a line that matches, or have been silent, "
        "or the time is over; says how they stand then. Use it only "
        "when you cannot go on without them: you are told of every end anyway.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{"
        "\"tasks\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"ids or names; default: all "
        "that run\"},"
        "\"mode\":{\"type\":\"string\",\"enum\":[\"all\",\"any\"],\"description\":\"default all\"},"
        "\"until\":{\"type\":\"string\",\"enum\":[\"ended\",\"ready\",\"match\",\"idle\"],\"description\":\"default "
        "ended\"},"
        "\"match\":{\"type\":\"string\",\"description\":\"with until match: a regular expression for one line of "
        "output\"},"
        "\"match_from\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"with match: offset in the output to "
        "begin at\"},"
        "\"idle_ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":600000,\"description\":\"with until idle: how "
        "long silent\"},"
        "\"timeout_ms\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":600000,\"description\":\"default 30000\"}}}",
    .repeatable = true,
    .call = wait_tasks,
};
