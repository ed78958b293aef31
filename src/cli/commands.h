/* One per cmd_<name>.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct command cmd_agent, cmd_cancel, cmd_doctor, cmd_export, cmd_help, cmd_import, cmd_logs, cmd_ls, cmd_reap,
    cmd_run, cmd_send, cmd_show, cmd_view, cmd_wait, cmd_write;

#endif
