/* The store and the manager of a command. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/cli.h"

const char *cli_getenv(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

int cli_misuse(const struct cli *cli, rouse_error *err, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return rouse_fail(err, ROUSE_EINVAL, "%s: %s; see 'rouse %s --help'", cli->command->name, text, cli->command->name);
}

static int check_thread(const char *thread, rouse_error *err)
{
    size_t len = strlen(thread);
    bool ok = len >= 1 && len <= LIMIT_THREAD_NAME;
    for (size_t i = 0; ok && i < len; i++)
        ok = (unsigned char)thread[i] >= ' ' && thread[i] != 0x7f;
    return ok ? 0 : rouse_fail(err, ROUSE_EINVAL, "'%.80s' cannot be a thread: use 1 to 256 printable characters", thread);
}

int cli_open_with(struct cli *cli, bool looks, const rouse_manager_options *how, rouse_error *err)
{
    cli->thread = cli->common.thread;
    if (!cli->thread)
        cli->thread = cli_getenv("ROUSE_THREAD");
    if (!cli->thread)
        cli->thread = "default";
    int code = check_thread(cli->thread, err);
    if (code < 0)
        return code;
    const rouse_store_options options = {.must_exist = looks && cli->common.store};
    code = rouse_store_open(cli->common.store, &options, &cli->store, err);
    if (code == ROUSE_ENOTFOUND)
        return rouse_fail(err, ROUSE_ESTORE, "no store at '%.120s'; the first 'rouse run' there makes one", cli->common.store);
    if (code < 0)
        return code;
    return rouse_manager_new(cli->store, how, &cli->manager, err);
}

int cli_open(struct cli *cli, bool looks, rouse_error *err)
{
    return cli_open_with(cli, looks, NULL, err);
}

void cli_close(struct cli *cli)
{
    rouse_manager_free(cli->manager);
    rouse_store_close(cli->store);
    cli->manager = NULL;
    cli->store = NULL;
}

const char *cli_own_task(const struct cli *cli)
{
    const char *store = cli_getenv("ROUSE_STORE");
    return store && strcmp(store, rouse_store_path(cli->store)) == 0 ? cli_getenv("ROUSE_TASK") : NULL;
}

uint64_t cli_now(const struct cli *cli)
{
    const rouse_platform *platform = rouse_store_platform(cli->store);
    return platform->now_ms(platform->userdata);
}

int cli_has_reader(const struct cli *cli, rouse_error *err)
{
    rouse_run *run;
    rouse_events *events;
    int code = rouse_store_last_run(cli->store, cli->thread, &run, err);
    if (code == 0)
        rouse_run_free(run);
    if (code != ROUSE_ENOTFOUND)
        return code < 0 ? code : 1;
    /* They are read in order, so the oldest tells. */
    code = rouse_store_inbox(cli->store, cli->thread, 0, true, 1, &events, err);
    if (code < 0)
        return code;
    bool read = rouse_events_count(events) > 0 && rouse_events_at(events, 0)->acknowledged;
    rouse_events_free(events);
    return read;
}
