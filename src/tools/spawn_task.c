#include "tools/tools.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tools/env.h"

#define LONGEST_MS (30ull * 24 * 3600 * 1000)

struct args {
    const char *command, *prompt, *name, *description, *cwd, *ready_when, *type;
    const char **argv;
    uint64_t timeout_ms, idle_timeout_ms, cpu_seconds, memory_bytes;
    rouse_input input;
};

static const char *const input_names[] = {
    [ROUSE_INPUT_NONE] = "none", [ROUSE_INPUT_PIPE] = "pipe", [ROUSE_INPUT_TTY] = "tty", NULL};

#define ROW(member, kind)                                                                                              \
    {                                                                                                                  \
        .name = #member, .type = JFIELD_##kind, .offset = offsetof(struct args, member)                                \
    }
static const struct jfield rows[] = {
    ROW(command, STRING),
    ROW(argv, STRINGS),
    ROW(prompt, STRING),
    ROW(name, STRING),
    ROW(description, STRING),
    ROW(cwd, STRING),
    ROW(ready_when, STRING),
    ROW(timeout_ms, U64),
    ROW(type, STRING),
    ROW(idle_timeout_ms, U64),
    ROW(cpu_seconds, U64),
    ROW(memory_bytes, U64),
    {.name = "stdin", .type = JFIELD_ENUM, .offset = offsetof(struct args, input), .names = input_names},
};
static const struct jfields fields = {.rows = rows, .count = sizeof rows / sizeof *rows};

static bool is_sub_agent(const struct args *a)
{
    return a->type && strcmp(a->type, "sub_agent") == 0;
}

static int check(const struct args *a, rouse_error *err)
{
    if (a->type && strcmp(a->type, "shell") != 0 && !is_sub_agent(a))
        return rouse_fail(err, ROUSE_EINVAL, "unknown type '%s': \"shell\" or \"sub_agent\"", a->type);
    if (a->prompt && !is_sub_agent(a))
        return rouse_fail(err, ROUSE_EINVAL, "'prompt' is for type \"sub_agent\"");
    int given = (a->command != NULL) + (a->argv != NULL) + (a->prompt != NULL);
    if (given != 1)
        return rouse_fail(err, ROUSE_EINVAL, "%s: give 'command', 'argv' or, for a sub-agent, 'prompt'",
                          given == 0 ? "nothing to run" : "more than one thing to run");
    if (a->timeout_ms > LONGEST_MS)
        return rouse_fail(err, ROUSE_EINVAL, "'timeout_ms' must be at most %llu", LONGEST_MS);
    if (a->idle_timeout_ms > LONGEST_MS)
        return rouse_fail(err, ROUSE_EINVAL, "'idle_timeout_ms' must be at most %llu", LONGEST_MS);
    return 0;
}

/* A command line goes to the shell because the model asked for a command line; an argv never does. */
static int make_argv(const rouse_call *call, const struct args *a, struct arena *arena, const char *const **ret_argv,
                     rouse_error *err)
{
    size_t n = 0;
    if (a->argv) {
        *ret_argv = a->argv;
        return 0;
    }
    if (a->prompt && (!call->sub_agent || !call->sub_agent[0]))
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "this agent cannot start sub-agents by prompt; give 'argv'");
    while (a->prompt && call->sub_agent[n])
        n++;
    const char **argv = arena_alloc(arena, (n + 4) * sizeof(char *));
    if (!argv)
        return rouse_fail_memory(err);
    if (a->prompt) {
        memcpy(argv, call->sub_agent, n * sizeof(char *));
        argv[n++] = a->prompt;
    } else {
        argv[n++] = "/bin/sh";
        argv[n++] = "-c";
        argv[n++] = a->command;
    }
    argv[n] = NULL;
    *ret_argv = argv;
    return 0;
}

/* The task that this very call started before the agent's process was killed: *ret_task NULL when there is none. */
static int find_started(const rouse_call *call, rouse_task **ret_task, rouse_error *err)
{
    rouse_rows *found = NULL;
    const rouse_query query = {.thread = call->thread, .run = call->run};
    int code = rouse_store_list(rouse_manager_store(call->manager), &rouse_task_state_key, &query, &found, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && !*ret_task && i < rouse_rows_count(found); i++) {
        const rouse_task *task = rouse_rows_at(found, i, NULL, NULL);
        if (task->parent.call_id && strcmp(task->parent.call_id, call->call_id) == 0)
            code = rouse_task_get(call->manager, call->thread, task->task_id, ret_task, err);
    }
    rouse_rows_free(found);
    return code;
}

static int start(const rouse_call *call, const struct args *a, struct arena *arena, rouse_task **ret_task,
                 rouse_error *err)
{
    const rouse_process process = {.input = a->input, .cpu_seconds = a->cpu_seconds, .memory_bytes = a->memory_bytes};
    rouse_task_spec spec = {
        .thread = call->thread,
        .cwd = a->cwd,
        .name = a->name,
        .description = a->description,
        .task_type = is_sub_agent(a) ? "sub_agent" : NULL,
        .sub_agent = is_sub_agent(a),
        .timeout_ms = a->timeout_ms,
        .idle_timeout_ms = a->idle_timeout_ms,
        .process = &process,
        .ready_when = a->ready_when,
        .parent = {
            .task_id = call->task_id, .run_id = call->run, .call_id = call->call_id, .agent_id = call->agent_id}};
    if (!spec.description && (a->command || a->prompt))
        spec.description = a->command ? a->command : a->prompt;
    if (spec.description && strlen(spec.description) > LIMIT_DESCRIPTION && !a->description)
        spec.description = NULL; /* the manager makes one from the command line, and cuts it */
    int code = make_argv(call, a, arena, &spec.argv, err);
    if (code == 0)
        code = env_for_task(call->env, is_sub_agent(a), arena, &spec.env, err);
    return code == 0 ? rouse_task_start(call->manager, &spec, ret_task, err) : code;
}

static int answer(const rouse_task *task, char **ret_result, rouse_error *err)
{
    struct buf out = BUF_INIT(LIMIT_JSON);
    buf_addc(&out, '{');
    tools_add_text(&out, "task_id", task->task_id);
    if (task->name)
        tools_add_text(&out, "name", task->name);
    tools_add_text(&out, "status", rouse_status_text(task->status));
    if (task->error)
        tools_add_text(&out, "error", task->error);
    buf_addc(&out, '}');
    *ret_result = buf_take(&out, err);
    buf_done(&out);
    return *ret_result ? 0 : ROUSE_ENOMEM;
}

static int spawn(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err)
{
    struct arena arena = {0};
    struct args a = {0};
    rouse_task *task = NULL;
    int code = jfields_decode(&fields, arguments, strlen(arguments), &arena, &a, err);
    if (code == 0)
        code = check(&a, err);
    if (code == 0 && call->again)
        code = find_started(call, &task, err);
    if (code == 0 && !task)
        code = start(call, &a, &arena, &task, err);
    if (code == 0)
        code = answer(task, ret_result, err);
    rouse_task_free(task);
    arena_done(&arena);
    return code;
}

const rouse_tool tool_spawn_task = {
    .name = "spawn_task",
    .description =
        "Starts a command in the background and returns at once with its task_id. It goes on whatever happens to this "
        "agent; you are told when it ends. Give exactly one of: command (a shell command line), argv (program "
        "and arguments, no shell), or prompt with type \"sub_agent\" (another agent works on that prompt).",
    .parameters =
        "{\"type\":\"object\",\"properties\":{"
        "\"command\":{\"type\":\"string\",\"description\":\"command line for /bin/sh -c\"},"
        "\"argv\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"program and arguments\"},"
        "\"prompt\":{\"type\":\"string\",\"description\":\"what a sub-agent is to do\"},"
        "\"type\":{\"type\":\"string\",\"enum\":[\"shell\",\"sub_agent\"],\"description\":\"default shell\"},"
        "\"name\":{\"type\":\"string\",\"description\":\"short name to refer to it: letters, digits, '.', '_', '-'\"},"
        "\"description\":{\"type\":\"string\",\"description\":\"what it is for\"},"
        "\"cwd\":{\"type\":\"string\",\"description\":\"directory to run in\"},"
        "\"timeout_ms\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"end it after this time; 0 or absent: "
        "never\"},"
        "\"idle_timeout_ms\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"end it when it prints nothing for "
        "so "
        "long\"},"
        "\"cpu_seconds\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"limit of CPU time of each process\"},"
        "\"memory_bytes\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"limit of memory\"},"
        "\"stdin\":{\"type\":\"string\",\"enum\":[\"none\",\"pipe\",\"tty\"],\"description\":\"where it reads from; "
        "default "
        "none. With pipe or tty (a terminal) write_task answers it\"},"
        "\"ready_when\":{\"type\":\"string\",\"description\":\"regular expression; the line of output that means it is "
        "ready\"}}}",
    .repeatable = true, /* find_started */
    .call = spawn,
};
