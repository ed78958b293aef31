/* rouse view: the block about background tasks that a model would see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/terminal.h"

struct view_options {
    struct common common;
    struct number budget;
};

static const struct option_row rows[] = {
    {"budget", 0, NUMBER(struct view_options, budget), "BYTES", "how long the block may be; default 1500"},
    ROW_THREAD,
    ROW_STORE,
    ROW_JSON,
    ROW_END,
};

static int print_json(const struct cli *cli, const char *view, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    json_line_text(&out, "thread", cli->thread);
    json_line_text(&out, "view", view);
    return json_line_print(&out, err);
}

/* For people: why what has failed is still there, which a thread without an agent never ends by itself. */
static int print_view(const struct cli *cli, const char *view, rouse_error *err)
{
    rouse_events *events;
    fputs(view, stdout);
    if (!terminal_is(stdout))
        return 0;
    int code = rouse_store_topic(cli->store, cli->thread, ROUSE_TOPIC_FAILURE, 0, 1, &events, err);
    if (code < 0)
        return code;
    if (rouse_events_count(events) > 0)
        printf("%swhat failed stays in it until an agent has read of it; rouse prune forgets it%s%s\n", terminal_dim(stdout),
               cli_has_reader(cli, NULL) == 1 ? " with --unread" : "", terminal_plain(stdout));
    rouse_events_free(events);
    return 0;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct view_options *o = options;
    char *view = NULL;
    if (o->budget.given && (o->budget.value < 200 || o->budget.value > LIMIT_OUTPUT_READ))
        return cli_misuse(cli, err, "--budget must be 200 to %u bytes", LIMIT_OUTPUT_READ);
    int code = cli_open(cli, true, err);
    if (code == 0)
        code = rouse_view_render(cli->manager, cli->thread, (size_t)o->budget.value, &view, err);
    if (code < 0)
        return code;
    if (cli->common.json)
        code = print_json(cli, view, err);
    else if (*view)
        code = print_view(cli, view, err);
    else if (terminal_is(stdout))
        printf("nothing is running in thread %s, so the model sees no block\n", cli->thread);
    free(view);
    return code;
}

const struct command cmd_view = {
    .name = "view",
    .usage = (const char *const[]){"[OPTION…]", NULL},
    .summary = "the block about tasks that a model would see",
    .options = rows,
    .options_size = sizeof(struct view_options),
    .run = run,
};
