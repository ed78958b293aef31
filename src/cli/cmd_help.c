/* rouse help: about all commands, or about one. */
#include "cli/commands.h"

struct help_options {
    struct common common;
    bool manual;
};

static const struct option_row rows[] = {
    {"man", 0, FLAG(struct help_options, manual), NULL, "print the manual page, rouse.1, as roff"},
    ROW_END,
};

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct help_options *o = options;
    const struct command *command = cli->count > 0 ? command_find(cli->operands[0]) : NULL;
    if (o->manual)
        help_print_manual();
    else if (command)
        help_print_command(command);
    else if (cli->count > 0)
        return rouse_fail(err, ROUSE_EINVAL, "unknown command '%.80s'; see 'rouse --help'", cli->operands[0]);
    else
        help_print_all();
    return 0;
}

const struct command cmd_help = {
    .name = "help",
    .usage = (const char *const[]){"[COMMAND]", NULL},
    .summary = "about rouse, or about one command",
    .options = rows,
    .options_size = sizeof(struct help_options),
    .max_operands = 1,
    .operands_are = OPERANDS_COMMAND,
    .run = run,
};
