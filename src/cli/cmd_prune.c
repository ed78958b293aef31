/* rouse prune: forgets tasks that are over, with their output. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/task_text.h"

struct prune_options {
    struct common common;
    struct duration older;
    struct number keep;
    bool unread, dry, all_threads;
};

static const struct option_row rows[] = {
    {"older", 0, DURATION(struct prune_options, older), "DUR", "those that ended longer ago than this"},
    {"keep", 0, NUMBER(struct prune_options, keep), "N", "those that are not among the newest N"},
    {"unread", 0, FLAG(struct prune_options, unread), NULL, "also those whose end no agent has read of yet"},
    {"dry-run", 'n', FLAG(struct prune_options, dry), NULL, "only tell"},
    ROW_THREAD,
    {"all-threads", 0, FLAG(struct prune_options, all_threads), NULL, "of every thread"},
    ROW_STORE,
    ROW_JSON,
    ROW_END,
};

struct told {
    bool json;
    size_t count;
    rouse_error *err;
    int code;
};

static void tell(const rouse_task *task, void *userdata)
{
    struct told *t = userdata;
    if (t->json && t->code == 0)
        t->code = task_print_json_item(task, t->count == 0, t->err);
    else if (!t->json)
        puts(task->task_id);
    t->count++;
}

/* What would stay only because nobody has read of it. */
static int count_unread(struct cli *cli, rouse_prune what, rouse_error *err)
{
    what.dry = what.unread = true;
    int code = rouse_task_prune(cli->manager, &what, NULL, NULL, err);
    if (code > 0)
        fprintf(stderr, "rouse: %s%d task%s stay%s, since no agent has read how they ended; --unread forgets them as well\n",
                code == 1000 ? "at least " : "", code, code == 1 ? "" : "s", code == 1 ? "s" : "");
    return code < 0 ? code : 0;
}

static int prune(struct cli *cli, const struct prune_options *o, bool unread, rouse_error *err)
{
    rouse_prune what = {
        .thread = o->all_threads ? NULL : cli->thread,
        .all = !o->older.given && (!o->keep.given || o->keep.value == 0),
        .older_ms = o->older.given && o->older.ms == 0 ? 1 : o->older.ms,
        .keep = o->keep.given ? o->keep.value : 0,
        .unread = unread,
        .dry = o->dry,
    };
    struct told told = {.json = cli->common.json, .err = err};
    int code;
    if (told.json)
        fputs("[", stdout);
    do
        code = rouse_task_prune(cli->manager, &what, tell, &told, err);
    while (code > 0 && !what.dry && told.code == 0);
    if (told.json)
        puts("]");
    code = code < 0 ? code : told.code;
    return code < 0 || unread || o->dry ? code : count_unread(cli, what, err);
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct prune_options *o = options;
    int code = cli_open(cli, false, err);
    /* In a thread without an agent there is nobody to wait for. */
    int reader = code == 0 && !o->unread && !o->all_threads ? cli_has_reader(cli, err) : code == 0;
    if (code < 0 || reader < 0)
        return code < 0 ? code : reader;
    return prune(cli, o, o->unread || !reader, err);
}

const struct command cmd_prune = {
    .name = "prune",
    .usage = (const char *const[]){"[OPTION…]", NULL},
    .summary = "forget finished tasks and their output",
    .text = "Without --older and --keep all that have ended; with both, those that either names. Prints their ids. Running tasks are\n"
            "never touched, and no id is ever used again. Tasks whose end an agent of the thread has still to read of stay, unless\n"
            "--unread; in a thread without an agent there are none, and --all-threads takes every thread for one that has.",
    .options = rows,
    .options_size = sizeof(struct prune_options),
    .examples = (const struct example[]){{"rouse prune --older 7d", "of the thread, what ended more than a week ago"},
                                         {"rouse prune --all-threads --keep 1000 -n", "what would go"},
                                         {NULL, NULL}},
    .run = run,
};
