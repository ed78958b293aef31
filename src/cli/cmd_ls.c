/* rouse ls: the tasks of a thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/forest.h"
#include "cli/ls_stats.h"
#include "cli/table.h"
#include "cli/task_text.h"
#include "cli/terminal.h"
#include "cli/text.h"

struct ls_options {
    struct common common;
    bool ended_too, all_threads, tree, stats, lines;
    const char *status, *before, *queue, *label;
    struct number limit;
    struct duration newer;
};

static const struct option_row rows[] = {
    {"all", 'a', FLAG(struct ls_options, ended_too), NULL, "those that ended, too"},
    {"status", 's', TEXT(struct ls_options, status), "running|completed|failed|cancelled", "only these"},
    {"tree", 0, FLAG(struct ls_options, tree), NULL, "each under the task that started it"},
    {"limit", 0, NUMBER(struct ls_options, limit), "N", "at most N, the newest"},
    {"queue", 0, TEXT(struct ls_options, queue), "Q", "only those of this queue"},
    {"label", 0, TEXT(struct ls_options, label), "KEY[=VALUE]", "only those with this label"},
    {"newer", 0, DURATION(struct ls_options, newer), "DUR", "only those created no longer ago than this"},
    {"stats", 0, FLAG(struct ls_options, stats), NULL, "count them instead: states, queues, how long they took"},
    {"before", 0, TEXT(struct ls_options, before), "ID", "only those older than ID: the next page"},
    ROW_THREAD,
    {"all-threads", 0, FLAG(struct ls_options, all_threads), NULL, "of every thread"},
    ROW_STORE,
    ROW_JSON,
    {"jsonl", 0, FLAG(struct ls_options, lines), NULL, "print one JSON document a line"},
    ROW_END,
};

static const char *const heading[] = {"ID", "NAME", "STATUS", "AGE", "THREAD", "DESCRIPTION"};
static const char *const short_heading[] = {"ID", "NAME", "STATUS", "AGE", "DESCRIPTION"};

static int read_filter(const struct cli *cli, const struct ls_options *o, rouse_task_filter *f, rouse_error *err)
{
    *f = (rouse_task_filter){
        .running_only = !o->ended_too && !o->status,
        .before = o->before,
        .queue = o->queue,
        .label = o->label,
        .limit = o->limit.given && o->limit.value < LIMIT_LIST ? (size_t)o->limit.value : LIMIT_LIST,
    };
    if (o->all_threads && o->common.thread)
        return cli_misuse(cli, err, "give --thread or --all-threads, not both");
    if (o->limit.given && o->limit.value == 0)
        return cli_misuse(cli, err, "--limit 0 shows nothing");
    if (o->common.json && o->lines)
        return cli_misuse(cli, err, "give --json or --jsonl, not both");
    if (o->stats &&
        (o->lines || o->ended_too || o->tree || o->status || o->queue || o->label || o->newer.given || o->limit.given || o->before))
        return cli_misuse(cli, err, "--stats counts all of a thread; it goes with --thread or --all-threads only");
    if (!o->status)
        return 0;
    for (int s = ROUSE_RUNNING; s <= ROUSE_CANCELLED; s++) {
        if (strcmp(o->status, rouse_status_text((rouse_status)s)) == 0) {
            f->by_status = true;
            f->status = (rouse_status)s;
            return 0;
        }
    }
    return cli_misuse(cli, err, "--status '%.40s' is none of running, completed, failed, cancelled", o->status);
}

static const char *age(const struct cli *cli, const rouse_task *task, char out[TEXT_SMALL])
{
    uint64_t now = cli_now(cli);
    return text_span(now > task->created_at_ms ? now - task->created_at_ms : 0, out);
}

static int add_for_people(const struct cli *cli, struct table *table, const rouse_task *task, size_t depth, bool with_thread,
                          rouse_error *err)
{
    char outcome[TASK_STATUS], span[TEXT_SMALL], id[128];
    snprintf(id, sizeof id, "%*s%s", (int)(depth < 20 ? depth * 2 : 40), "", task->task_id);
    const char *cells[TABLE_COLUMNS] = {id, task->name ? task->name : "-", task_short_status(task, outcome), age(cli, task, span)};
    size_t n = 4;
    if (with_thread)
        cells[n++] = task->owner_thread_id;
    cells[n] = task->description;
    return table_add(table, cells, err);
}

/* For programs: the columns that help promises, whatever the options. */
static int add_for_programs(struct table *table, const rouse_task *task, rouse_error *err)
{
    char status[TEXT_SMALL] = "-", created[TEXT_SMALL];
    if (rouse_status_is_terminal(task->status))
        snprintf(status, sizeof status, "%d", task_exit_status(task));
    snprintf(created, sizeof created, "%llu", (unsigned long long)task->created_at_ms);
    const char *cells[] = {task->task_id, task->name ? task->name : "-", rouse_status_text(task->status), status, created,
                           task->owner_thread_id, task->description};
    return table_add(table, cells, err);
}

static int print_table(const struct cli *cli, const struct forest *forest, bool with_thread, rouse_error *err)
{
    bool people = terminal_is(stdout);
    struct table table = {.heading = with_thread ? heading : short_heading, .columns = people ? with_thread ? 6 : 5 : 7};
    int code = 0;
    for (size_t i = 0; code == 0 && i < forest->count; i++) {
        const rouse_task *task = forest->nodes[i].task;
        code = people ? add_for_people(cli, &table, task, forest->nodes[i].depth, with_thread, err)
                      : add_for_programs(&table, task, err);
    }
    if (code == 0)
        table_print(&table, people ? terminal_columns() : 0, stdout);
    table_done(&table);
    return code;
}

static int print_json(const struct forest *forest, bool lines, rouse_error *err)
{
    int code = 0;
    for (size_t i = 0; lines && code == 0 && i < forest->count; i++)
        code = task_print_json(forest->nodes[i].task, err);
    if (lines)
        return code;
    fputs("[", stdout);
    for (size_t i = 0; code == 0 && i < forest->count; i++)
        code = task_print_json_item(forest->nodes[i].task, i == 0, err);
    puts("]");
    return code;
}

/* Nothing runs: what there is instead. */
static int print_nothing(const struct cli *cli, const struct ls_options *o, rouse_error *err)
{
    const rouse_task_filter ever = {.thread = o->all_threads ? NULL : cli->thread, .limit = 1};
    const rouse_task_filter elsewhere = {.running_only = true, .limit = 1};
    rouse_task_list *any = NULL, *others = NULL;
    int code = rouse_task_list_get(cli->manager, &ever, &any, err);
    if (code == 0)
        code = rouse_task_list_get(cli->manager, &elsewhere, &others, err);
    if (code == 0) {
        bool is_new = rouse_task_list_count(any) == 0;
        printf("%s%s%s", is_new ? "no tasks" : "nothing is running", o->all_threads ? "" : " in thread ",
               o->all_threads ? "" : cli->thread);
        if (rouse_task_list_count(others) > 0 && !o->all_threads)
            printf("; rouse ls --all-threads shows what runs in others");
        puts(is_new ? "; rouse run -d -- CMD starts one" : "; rouse ls -a shows what has ended");
    }
    rouse_task_list_free(any);
    rouse_task_list_free(others);
    return code;
}

/* Only on a terminal: what the list does not show. */
static int print_hints(const struct cli *cli, const struct ls_options *o, const struct forest *forest, size_t limit,
                       rouse_error *err)
{
    if (!terminal_is(stdout))
        return 0;
    if (forest->count == 0 && !o->status && !o->before && !o->queue && !o->label && !o->newer.given)
        return print_nothing(cli, o, err);
    if (forest->count == 0)
        printf("no such tasks\n");
    else if (forest->count == limit)
        printf("%sthere may be more: --before %s%s\n", terminal_dim(stdout), forest->nodes[limit - 1].task->task_id,
               terminal_plain(stdout));
    return 0;
}

static int print(struct cli *cli, const struct ls_options *o, const struct forest *forest, size_t limit, rouse_error *err)
{
    if (o->common.json || o->lines)
        return print_json(forest, o->lines, err);
    int code = forest->count > 0 ? print_table(cli, forest, o->all_threads || o->tree, err) : 0;
    if (code == 0)
        code = print_hints(cli, o, forest, limit, err);
    return code;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct ls_options *o = options;
    rouse_task_filter filter;
    rouse_task_list *list;
    struct forest forest = {0};
    int code = read_filter(cli, o, &filter, err);
    if (code == 0)
        code = cli_open(cli, true, err);
    if (code < 0)
        return code;
    if (o->stats)
        return ls_stats(cli, o->all_threads ? NULL : cli->thread, err);
    if (o->newer.given)
        filter.since_ms = cli_now(cli) > o->newer.ms ? cli_now(cli) - o->newer.ms : 0;
    /* What a sub-agent starts is of another thread, and still of this tree. */
    filter.thread = o->all_threads || o->tree ? NULL : cli->thread;
    code = rouse_task_list_get(cli->manager, &filter, &list, err);
    if (code < 0)
        return code;
    code = forest_make(&forest, list, o->tree, o->all_threads ? NULL : cli->thread, err);
    if (code == 0)
        code = print(cli, o, &forest, filter.limit, err);
    forest_done(&forest);
    rouse_task_list_free(list);
    return code;
}

const struct command cmd_ls = {
    .name = "ls",
    .usage = (const char *const[]){"[OPTION…]", NULL},
    .summary = "list tasks; running ones by default",
    .text = "On a terminal, a table, newest first. Into a pipe or a file, one line per task with these columns, separated by tabs:\n"
            "id, name or -, status, exit status or -, time of creation (ms), thread, description.\n"
            "--stats counts: what runs and waits, in each queue too; of the newest 10000 that ended, how, and how long half of them\n"
            "and 95 of 100 took at most.",
    .options = rows,
    .options_size = sizeof(struct ls_options),
    .examples = (const struct example[]){{"rouse ls -a --limit 20", "the last twenty, ended ones included"},
                                         {"rouse ls --json --all-threads", "everything that runs, for a program"},
                                         {NULL, NULL}},
    .run = run,
};
