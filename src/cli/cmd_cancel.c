/* rouse cancel: ends tasks, and reports once their processes are gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/task_text.h"
#include "cli/terminal.h"

struct cancel_options {
    struct common common;
    bool all, all_threads, tree;
    int signal;
    struct duration grace;
    const char *reason;
};

static const struct option_row rows[] = {
    {"tree", 0, FLAG(struct cancel_options, tree), NULL, "and every task it started, and theirs"},
    {"signal", 's', SIGNAL(struct cancel_options, signal), "S", "what to send first; default TERM"},
    {"grace", 0, DURATION(struct cancel_options, grace), "DUR", "time to end by itself before KILL; default 5s"},
    {"reason", 0, TEXT(struct cancel_options, reason), "TEXT", "why, for the record"},
    {"all", 0, FLAG(struct cancel_options, all), NULL, "all that run in the thread"},
    ROW_THREAD,
    {"all-threads", 0, FLAG(struct cancel_options, all_threads), NULL, "with --all: in every thread"},
    ROW_STORE,
    ROW_JSON,
    ROW_END,
};

/* The tasks as they are before: nothing is ended when one of them is unknown. */
static int find(struct cli *cli, const struct cancel_options *o, rouse_task ***ret_tasks, size_t *ret_count, rouse_error *err)
{
    rouse_task_list *list = NULL;
    const rouse_task_filter filter = {.thread = o->all_threads ? NULL : cli->thread, .running_only = true};
    int code = o->all ? rouse_task_list_get(cli->manager, &filter, &list, err) : 0;
    if (code < 0)
        return code;
    size_t n = o->all ? rouse_task_list_count(list) : cli->count;
    rouse_task **tasks = calloc(n + 1, sizeof(rouse_task *));
    code = tasks ? 0 : rouse_fail_memory(err);
    for (size_t i = 0; code == 0 && i < n; i++) {
        if (!o->all)
            code = rouse_task_get(cli->manager, cli->thread, cli->operands[i], &tasks[i], err);
        else if (!(tasks[i] = rouse_task_copy(rouse_task_list_at(list, i))))
            code = rouse_fail_memory(err);
    }
    rouse_task_list_free(list);
    *ret_tasks = tasks;
    *ret_count = tasks ? n : 0;
    return code;
}

static void print_outcome(const rouse_task *task, bool had_ended, size_t ended)
{
    char line[4096];
    struct buf text = BUF_INIT(0);
    task_add_label(&text, task);
    buf_adds(&text, had_ended ? " had ended: " : ": ");
    task_add_outcome(&text, task);
    if (task->has_ext && task->ext.killed > 1 && !had_ended)
        buf_addf(&text, " (%llu processes ended)", (unsigned long long)task->ext.killed);
    if (ended > 1)
        buf_addf(&text, "; with %zu more task%s it had started", ended - 1, ended > 2 ? "s" : "");
    utf8_copy_printable(line, sizeof line, buf_text(&text));
    puts(line);
    buf_done(&text);
}

/* Ends one and replaces *task by what it is afterwards. */
static int cancel_one(struct cli *cli, const struct cancel_options *o, rouse_task **task, size_t *count, rouse_error *err)
{
    rouse_task *now;
    size_t ended = 0;
    bool had_ended = rouse_status_is_terminal((*task)->status);
    const rouse_cancel how = {.thread = (*task)->owner_thread_id, .tree = o->tree, .signal = o->signal,
                              .has_grace = o->grace.given, .grace_ms = o->grace.ms, .reason = o->reason};
    int code = rouse_task_cancel(cli->manager, (*task)->task_id, &how, &ended, err);
    if (code == 0)
        code = rouse_task_get(cli->manager, NULL, (*task)->task_id, &now, err);
    if (code < 0)
        return code;
    rouse_task_free(*task);
    *task = now;
    *count += ended;
    if (!cli->common.json)
        print_outcome(now, had_ended, ended);
    return 0;
}

static int print_json(rouse_task **tasks, size_t n, size_t count, rouse_error *err)
{
    int code = 0;
    printf("{\"cancelled\":%zu,\"tasks\":[", count);
    for (size_t i = 0; code == 0 && i < n; i++)
        code = task_print_json_item(tasks[i], i == 0, err);
    puts("]}");
    return code;
}

static int check_options(const struct cli *cli, const struct cancel_options *o, rouse_error *err)
{
    if (o->all && cli->count > 0)
        return cli_misuse(cli, err, "give ids or --all, not both");
    if (!o->all && cli->count == 0)
        return cli_misuse(cli, err, "no id or name given");
    if (o->all_threads && (!o->all || o->common.thread))
        return cli_misuse(cli, err, "--all-threads goes with --all and without --thread");
    if (cli->count > LIMIT_TASKS_PER_CALL)
        return cli_misuse(cli, err, "more than %d tasks at once", LIMIT_TASKS_PER_CALL);
    return 0;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct cancel_options *o = options;
    rouse_task **tasks = NULL;
    size_t n = 0, count = 0;
    int stuck = 0;
    int code = check_options(cli, o, err);
    if (code == 0)
        code = cli_open(cli, true, err);
    if (code == 0)
        code = find(cli, o, &tasks, &n, err);
    for (size_t i = 0; code == 0 && i < n; i++) {
        code = cancel_one(cli, o, &tasks[i], &count, err);
        if (code == ROUSE_EREMOTE) { /* keeps no other from being ended */
            stuck = code;
            code = 0;
        }
    }
    code = code == 0 ? stuck : code;
    if (code == 0 && cli->common.json)
        code = print_json(tasks, n, count, err);
    else if (code == 0 && n == 0 && terminal_is(stdout))
        puts("nothing is running");
    for (size_t i = 0; i < n; i++)
        rouse_task_free(tasks[i]);
    free(tasks);
    return code;
}

const struct command cmd_cancel = {
    .name = "cancel",
    .usage = (const char *const[]){"[OPTION…] ID|NAME…", "[OPTION…] --all", NULL},
    .summary = "end tasks, with all their processes",
    .text = "Sends TERM to the task's processes, and KILL to what is left of them after the grace. Returns when all of them are\n"
            "gone and the end is recorded. A task that had ended is left as it is, and is no error.",
    .options = rows,
    .options_size = sizeof(struct cancel_options),
    .examples = (const struct example[]){{"rouse cancel web", "by name"},
                                         {"rouse cancel --tree --reason 'wrong branch' bg_3", "with all it started"},
                                         {"rouse cancel --all --grace 0s", "at once, all of this thread"},
                                         {NULL, NULL}},
    .max_operands = SIZE_MAX,
    .operand = "id or name",
    .operands_are = OPERANDS_RUNNING,
    .run = run,
};
