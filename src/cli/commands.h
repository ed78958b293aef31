/* One per cmd_<name>.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct command cmd_agent;
extern const struct command cmd_cancel;
extern const struct command cmd_completion;
extern const struct command cmd_doctor;
extern const struct command cmd_ensure;
extern const struct command cmd_events;
extern const struct command cmd_history;
extern const struct command cmd_export;
extern const struct command cmd_help;
extern const struct command cmd_import;
extern const struct command cmd_logs;
extern const struct command cmd_ls;
extern const struct command cmd_progress;
extern const struct command cmd_prune;
extern const struct command cmd_reap;
extern const struct command cmd_run;
extern const struct command cmd_send;
extern const struct command cmd_show;
extern const struct command cmd_top;
extern const struct command cmd_view;
extern const struct command cmd_wait;
extern const struct command cmd_write;

#endif
