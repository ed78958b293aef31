/* rouse reap: takes in the end of one task. What a supervisor runs when nobody was there to listen. */
#include "cli/commands.h"

struct reap_options {
    struct common common;
};

static const struct option_row rows[] = {ROW_STORE, ROW_END};

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    (void)options;
    int code = cli_open(cli, true, err);
    if (code == 0)
        code = rouse_task_reap(cli->manager, cli->operands[0], err);
    return code < 0 ? code : 0;
}

const struct command cmd_reap = {
    .name = "reap",
    .usage = (const char *const[]){"[OPTION…] ID", NULL},
    .summary = "record the end of a task (supervisors do this)",
    .options = rows,
    .options_size = sizeof(struct reap_options),
    .min_operands = 1,
    .max_operands = 1,
    .operand = "id",
    .run = run,
};
