/* rouse send: a message to a sub-agent's inbox. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_line.h"

struct send_options {
    struct common common;
    const char *from, *key;
};

static const struct option_row rows[] = {
    {"from", 0, TEXT(struct send_options, from), "NAME", "who says it; default 'user'"},
    {"key", 0, TEXT(struct send_options, key), "KEY", "sending again with the same key sends nothing twice"},
    ROW_THREAD,
    ROW_STORE,
    ROW_JSON,
    ROW_END,
};

static int print_json(const rouse_receipt *receipt, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    json_line_text(&out, "message_id", receipt->message_id);
    json_line_text(&out, "status", receipt->error ? "failed" : "accepted");
    if (receipt->error)
        json_line_text(&out, "error", receipt->error);
    return json_line_print(&out, err);
}

static int fail(const struct cli *cli, const rouse_receipt *receipt, rouse_error *err)
{
    const char *to = cli->operands[0];
    if (strcmp(receipt->error, "recipient_not_found") == 0)
        return rouse_fail(err, ROUSE_ENOTFOUND, "no task '%s' in thread '%s'; list the running ones with: rouse ls", to, cli->thread);
    return rouse_fail(err, ROUSE_ECONFLICT, "'%s' cannot be told anything: %s", to, receipt->detail);
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct send_options *o = options;
    rouse_receipt receipt = {0};
    rouse_task *task = NULL;
    int code = cli_open(cli, true, err);
    if (code == 0)
        code = rouse_task_get(cli->manager, cli->thread, cli->operands[0], &task, err);
    if (code < 0)
        return code;
    /* Whoever is at the keyboard speaks for the thread that owns the task. */
    const rouse_send send = {.thread = task->owner_thread_id, .from = o->from, .child = task->task_id, .text = cli->operands[1],
                             .key = o->key};
    code = rouse_task_send(cli->manager, &send, &receipt, err);
    rouse_task_free(task);
    if (code == 0 && cli->common.json)
        code = print_json(&receipt, err);
    return code == 0 && receipt.error ? fail(cli, &receipt, err) : code;
}

const struct command cmd_send = {
    .name = "send",
    .usage = (const char *const[]){"[OPTION…] ID|NAME TEXT", NULL},
    .summary = "a message to a sub-agent, which reads it at its next step",
    .text = "Bytes for the input of a command are written with `rouse write`.",
    .options = rows,
    .options_size = sizeof(struct send_options),
    .min_operands = 2,
    .max_operands = 2,
    .operand = "task and text",
    .operands_are = OPERANDS_RUNNING,
    .run = run,
};
