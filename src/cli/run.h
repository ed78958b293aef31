/* What `rouse run` and `rouse ensure` share: how a command is started. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/plan_options.h"
#include "cli/process_options.h"

struct run_options {
    struct common common;
    bool detach, session;
    const char *name, *description, *ready_when, *cwd, *line;
    struct duration timeout, idle_timeout;
    struct texts env;
    struct plan_options plan;
    struct process_options process;
};

extern const struct option_row run_rows[];

/* Wrong use that no row tells. */
int run_check_options(const struct cli *cli, const struct run_options *o, rouse_error *err);
/* Starts what o and the operands say; `ensure` only when no task of that name runs. Unless detached or `ensure`, stays with it to its
 * end or Ctrl-C (signals). The status to exit with, or an error. */
int run_task(struct cli *cli, const struct run_options *o, int signals, rouse_error *err);

#endif
