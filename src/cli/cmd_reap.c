/* rouse reap: takes in the end of one task. What a supervisor runs when nobody was there to listen: so when the store is
 * busy or the disk full it tries again, within bounds. Given up, the exit record stays for whoever opens the store next. */
#include <poll.h>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/sleeper.h"
#include "rouse/work.h"

#define REAP_PAUSE_MS 100 /* before the second try; doubled for each further one */

struct reap_options {
    struct common common;
};

static const struct option_row rows[] = {ROW_STORE, ROW_END};

static int try(struct cli *cli, rouse_error *err)
{
    const rouse_manager_options how = {.no_recovery = true};
    int code = cli_open_with(cli, true, &how, err);
    return code == 0 ? rouse_task_reap(cli->manager, cli->operands[0], err) : code;
}

static bool may_pass(int code)
{
    return code == ROUSE_EBUSY || code == ROUSE_EIO || code == ROUSE_ENOMEM;
}

static int waits_for_a_time(struct cli *cli, rouse_error *err)
{
    rouse_task *task;
    int code = rouse_task_get(cli->manager, NULL, cli->operands[0], &task, err);
    if (code < 0)
        return code;
    code = sleeper_is_needed(task);
    rouse_task_free(task);
    return code;
}

/* Nobody else need be there: who took in an attempt that failed stays until the next one has begun, and so does who was started
 * for a task that begins at a time. */
static int begin_on_time(struct cli *cli, rouse_error *err)
{
    int code = waits_for_a_time(cli, err);
    while (code > 0) {
        struct pollfd p = {.events = POLLIN};
        code = rouse_manager_fd(cli->manager, &p.fd, err);
        if (code == 0)
            code = rouse_manager_dispatch(cli->manager, err);
        if (code >= 0)
            code = waits_for_a_time(cli, err);
        if (code > 0)
            poll(&p, 1, -1);
    }
    return code;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    (void)options;
    int pause_ms = REAP_PAUSE_MS;
    int code = try(cli, err);
    for (int i = 1; i < LIMIT_REAP_TRIES && may_pass(code); i++, pause_ms *= 2) {
        poll(NULL, 0, pause_ms);
        cli_close(cli);
        code = try(cli, err);
    }
    return code < 0 ? code : begin_on_time(cli, err);
}

const struct command cmd_reap = {
    .name = "reap",
    .usage = (const char *const[]){"[OPTION…] ID", NULL},
    .summary = "record the end of a task (supervisors do this)",
    .text = "Of one that begins at a time, or is tried again at one, it stays until then and begins it.",
    .options = rows,
    .options_size = sizeof(struct reap_options),
    .min_operands = 1,
    .max_operands = 1,
    .operand = "id",
    .operands_are = OPERANDS_TASKS,
    .run = run,
};
