/* rouse export: a thread's state as one document. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "rouse/agent.h"

struct export_options {
    struct common common;
    const char *run;
};

static const struct option_row rows[] = {
    {"run", 0, TEXT(struct export_options, run), "ID", "with the state of this run; default: the newest"},
    ROW_THREAD,
    ROW_STORE,
    {"json", 0, FLAG(struct common, json), NULL, "changes nothing: it is JSON anyway"},
    ROW_END,
};

static int register_keys(rouse_store *store, rouse_error *err)
{
    const rouse_key *const keys[] = {&rouse_lifecycle_key, &rouse_pending_work_key};
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof keys / sizeof *keys; i++) {
        if (rouse_store_key(store, keys[i]->name) != keys[i])
            code = rouse_store_register(store, keys[i], err);
    }
    return code;
}

static int export(struct cli *cli, const char *run, rouse_error *err)
{
    rouse_run *newest = NULL;
    char *json;
    int code = register_keys(cli->store, err);
    if (code == 0 && !run) {
        code = rouse_store_last_run(cli->store, cli->thread, &newest, err);
        code = code == ROUSE_ENOTFOUND ? 0 : code;
    }
    if (code == 0)
        code = rouse_store_export(cli->store, cli->thread, newest ? newest->id : run, &json, err);
    rouse_run_free(newest);
    if (code < 0)
        return code;
    puts(json);
    free(json);
    return 0;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct export_options *o = options;
    int code = cli_open(cli, true, err);
    return code == 0 ? export(cli, o->run, err) : code;
}

const struct command cmd_export = {
    .name = "export",
    .usage = (const char *const[]){"[OPTION…]", NULL},
    .summary = "print a thread's state as a document",
    .text = "The document is {\"revision\":N,\"extensions\":{KEY:VALUE}}, as `rouse import` and the runtime whose state model rouse\n"
            "keeps read it.",
    .options = rows,
    .options_size = sizeof(struct export_options),
    .examples = (const struct example[]){{"rouse export --thread t1 > t1.json", "all that is known of t1"}, {NULL, NULL}},
    .run = run,
};
