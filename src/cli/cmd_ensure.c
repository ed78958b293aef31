/* rouse ensure: the running task of a name, or a new one. */
#include "cli/commands.h"
#include "cli/run.h"

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct run_options *o = options;
    if (!o->name)
        return cli_misuse(cli, err, "no --name given: it says which task is meant");
    if (o->session)
        return cli_misuse(cli, err, "--session ends with this rouse, which ends at once");
    int code = run_check_options(cli, o, err);
    if (code == 0)
        code = cli_open(cli, false, err);
    return code == 0 ? run_task(cli, o, -1, err) : code;
}

const struct command cmd_ensure = {
    .name = "ensure",
    .usage = (const char *const[]){"--name N [OPTION…] [--] CMD [ARG…]", "--name N [OPTION…] -c STRING", NULL},
    .summary = "the running task of a name, or a new one",
    .text = "Prints its id and returns at once. However many ask at the same time, one task is started; while it runs, the\n"
            "command and the other options make no difference.",
    .options = run_rows,
    .options_size = sizeof(struct run_options),
    .examples = (const struct example[]){{"rouse ensure -n web --ready-when Serving -- python3 -um http.server",
                                          "a server that runs once; rouse wait -u ready web"},
                                         {NULL, NULL}},
    .stops_at_operand = true,
    .max_operands = SIZE_MAX,
    .operands_are = OPERANDS_PROGRAM,
    .run = run,
};
