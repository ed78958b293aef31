/* rouse progress: how far a task is; mostly said by the task itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/text.h"
#include "rouse/work.h"

struct progress_options {
    struct common common;
    const char *task;
};

static const struct option_row rows[] = {
    {"task", 't', TEXT(struct progress_options, task), "ID|NAME", "of which task; default the one it is called in"},
    ROW_THREAD,
    ROW_STORE,
    ROW_JSON,
    ROW_END,
};

/* DONE or DONE/TOTAL */
static int read_steps(const struct cli *cli, const char *text, rouse_progress *fill, rouse_error *err)
{
    char done[TEXT_SMALL];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    bool ok = len < sizeof done;
    if (ok) {
        memcpy(done, text, len);
        done[len] = '\0';
        ok = text_read_number(done, &fill->done, NULL) == 0 && (!slash || text_read_number(slash + 1, &fill->total, NULL) == 0);
    }
    return ok ? 0 : cli_misuse(cli, err, "'%.40s' is neither DONE nor DONE/TOTAL, for example 3/10", text);
}

static int find(struct cli *cli, const struct progress_options *o, rouse_task **ret_task, rouse_error *err)
{
    const char *own = o->task ? NULL : cli_own_task(cli);
    if (!o->task && !own)
        return cli_misuse(cli, err, "not called in a task of this store; say which with --task");
    /* The thread that a sub-agent's commands are told is the one of its children, not its own. */
    return rouse_task_get(cli->manager, own ? NULL : cli->thread, own ? own : o->task, ret_task, err);
}

static int print_json(const rouse_task *task, const rouse_progress *progress, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    json_line_text(&out, "task_id", task->task_id);
    json_line_number(&out, "done", progress->done);
    json_line_number(&out, "total", progress->total);
    if (progress->message)
        json_line_text(&out, "message", progress->message);
    return json_line_print(&out, err);
}

static int say(struct cli *cli, const rouse_task *task, const rouse_progress *progress, rouse_error *err)
{
    rouse_error why = {0};
    int code = rouse_task_progress(cli->manager, task->owner_thread_id, task->task_id, progress, &why);
    if (code == ROUSE_ECONFLICT)
        return rouse_fail(err, code, "'%s' has ended, so it gets no further; rouse show %s tells how", task->task_id, task->task_id);
    return code < 0 ? rouse_fail(err, code, "%s", why.message) : code;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct progress_options *o = options;
    rouse_progress progress = {.message = cli->count > 1 ? cli->operands[1] : NULL};
    rouse_task *task;
    int code = read_steps(cli, cli->operands[0], &progress, err);
    if (code == 0)
        code = cli_open(cli, true, err);
    if (code == 0)
        code = find(cli, o, &task, err);
    if (code < 0)
        return code;
    code = say(cli, task, &progress, err);
    if (code == 0 && cli->common.json)
        code = print_json(task, &progress, err);
    rouse_task_free(task);
    return code;
}

const struct command cmd_progress = {
    .name = "progress",
    .usage = (const char *const[]){"[OPTION…] DONE[/TOTAL] [MESSAGE]", NULL},
    .summary = "say how far a task is",
    .text = "Called in a command that rouse runs, it speaks for that task. Only the last one is kept; `rouse ls`, `rouse show`,\n"
            "`rouse logs -f` and `rouse top` show it.",
    .options = rows,
    .options_size = sizeof(struct progress_options),
    .examples = (const struct example[]){{"rouse progress 3/10 linking", "in a script that runs as a task"},
                                         {"rouse progress -t build 40/100", "of another one"},
                                         {NULL, NULL}},
    .min_operands = 1,
    .max_operands = 2,
    .operand = "progress",
    .operands_are = OPERANDS_OTHER,
    .run = run,
};
