/* All commands, in the order help lists them. */
#include <string.h>

#include "cli/commands.h"

const struct command *const cli_commands[] = {
    &cmd_run,
    &cmd_ensure,
    &cmd_ls,
    &cmd_top,
    &cmd_show,
    &cmd_logs,
    &cmd_wait,
    &cmd_cancel,
    &cmd_send,
    &cmd_write,
    &cmd_progress,
    &cmd_events,
    &cmd_view,
    &cmd_agent,
    &cmd_history,
    &cmd_export,
    &cmd_import,
    &cmd_prune,
    &cmd_doctor,
    &cmd_completion,
    &cmd_reap,
    &cmd_help,
    NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    }
    return NULL;
}
