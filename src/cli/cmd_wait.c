/* rouse wait: sleeps until tasks have ended or are ready. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/task_text.h"
#include "cli/terminal.h"
#include "cli/text.h"

#define SHOWN 4 /* tasks whose progress may fit on a line */

struct wait_options {
    struct common common;
    bool any, all, tree;
    const char *until;
    struct duration timeout;
};

static const struct option_row rows[] = {
    {"any", 0, FLAG(struct wait_options, any), NULL, "one of them is enough"},
    {"all", 0, FLAG(struct wait_options, all), NULL, "all of them; the default"},
    {"tree", 0, FLAG(struct wait_options, tree), NULL, "and every task they started, and theirs"},
    {"until", 'u', TEXT(struct wait_options, until), "ended|ready|match:RE|idle:DUR", "until what; default: ended"},
    {"timeout", 't', DURATION(struct wait_options, timeout), "DUR", "give up after this long, with status 124"},
    ROW_THREAD,
    ROW_STORE,
    ROW_JSON,
    ROW_END,
};

static int read_until(const struct cli *cli, const char *text, rouse_wait *wait, rouse_error *err)
{
    if (strcmp(text, "ended") == 0)
        return 0;
    if (strcmp(text, "ready") == 0) {
        wait->until = ROUSE_UNTIL_READY;
        return 0;
    }
    if (strncmp(text, "match:", 6) == 0) {
        wait->until = ROUSE_UNTIL_MATCH;
        wait->match = text + 6;
        return 0;
    }
    if (strncmp(text, "idle:", 5) == 0) {
        wait->until = ROUSE_UNTIL_IDLE;
        return text_read_duration(text + 5, &wait->idle_ms, err);
    }
    return cli_misuse(cli, err, "--until '%.40s' is none of: ended, ready, match:RE, idle:DUR", text);
}

static int read_options(const struct cli *cli, const struct wait_options *o, rouse_wait *wait, rouse_error *err)
{
    if (o->any && o->all)
        return cli_misuse(cli, err, "give --any or --all, not both");
    *wait = (rouse_wait){
        .ids = (const char *const *)cli->operands,
        .count = cli->count,
        .any = o->any,
        .tree = o->tree,
        .has_timeout = o->timeout.given,
        .timeout_ms = o->timeout.ms,
    };
    return o->until ? read_until(cli, o->until, wait, err) : 0;
}

static int print_json(const rouse_task_list *list, bool timed_out, rouse_error *err)
{
    int code = 0;
    printf("{\"timed_out\":%s,\"tasks\":[", timed_out ? "true" : "false");
    for (size_t i = 0; code == 0 && i < rouse_task_list_count(list); i++)
        code = task_print_json_item(rouse_task_list_at(list, i), i == 0, err);
    puts("]}");
    return code;
}

static void print_line(const rouse_task *task, const rouse_found *found)
{
    struct buf line = BUF_INIT(0);
    char plain[4096];
    task_add_label(&line, task);
    buf_adds(&line, ": ");
    if (found)
        buf_addf(&line, "matched at %llu: %s", (unsigned long long)found->offset, found->line);
    else
        task_add_outcome(&line, task);
    utf8_copy_printable(plain, sizeof plain, buf_text(&line));
    puts(plain);
    buf_done(&line);
}

static int print(const struct cli *cli, const rouse_task_list *list, bool timed_out, rouse_error *err)
{
    if (cli->common.json)
        return print_json(list, timed_out, err);
    for (size_t i = 0; i < rouse_task_list_count(list); i++)
        print_line(rouse_task_list_at(list, i), rouse_task_list_found(list, i));
    if (rouse_task_list_count(list) == 0 && terminal_is(stdout))
        printf("nothing is running in thread %s\n", cli->thread);
    return 0;
}

/* Of one task that was asked for, its own status; of several, whether all that ended ended well. What was found counts as
 * well as a good end. */
static int status_of(const rouse_task_list *list, bool one)
{
    for (size_t i = 0; i < rouse_task_list_count(list); i++) {
        const rouse_task *task = rouse_task_list_at(list, i);
        if (rouse_status_is_terminal(task->status) && task->status != ROUSE_COMPLETED && !rouse_task_list_found(list, i))
            return one ? task_exit_status(task) : 1;
    }
    return 0;
}

/* ---- on a terminal: how far they are, meanwhile ---- */

struct watched {
    rouse_task **tasks; /* what the operands mean now: a name may mean another task later */
    const char **ids;
    size_t count;
};

static void watched_done(struct watched *w)
{
    for (size_t i = 0; w->tasks && i < w->count; i++)
        rouse_task_free(w->tasks[i]);
    free(w->tasks);
    free(w->ids);
}

static int watched_find(struct cli *cli, struct watched *w, rouse_error *err)
{
    rouse_task_list *list = NULL;
    const rouse_task_filter filter = {.thread = cli->thread, .running_only = true};
    int code = cli->count == 0 ? rouse_task_list_get(cli->manager, &filter, &list, err) : 0;
    if (code < 0)
        return code;
    w->count = list ? rouse_task_list_count(list) : cli->count;
    w->tasks = calloc(w->count + 1, sizeof(rouse_task *));
    w->ids = calloc(w->count + 1, sizeof *w->ids);
    code = w->tasks && w->ids ? 0 : rouse_fail_memory(err);
    for (size_t i = 0; code == 0 && i < w->count; i++) {
        if (!list)
            code = rouse_task_get(cli->manager, cli->thread, cli->operands[i], &w->tasks[i], err);
        else if (!(w->tasks[i] = rouse_task_copy(rouse_task_list_at(list, i))))
            code = rouse_fail_memory(err);
        if (code == 0)
            w->ids[i] = w->tasks[i]->task_id;
    }
    rouse_task_list_free(list);
    return code;
}

/* Those of the first few that have told how far they are. */
static void show_progress(struct cli *cli, struct progress *progress, const struct watched *w)
{
    struct buf line = BUF_INIT(0);
    rouse_store_bell_clear(progress->bell);
    for (size_t i = 0; i < w->count && i < SHOWN; i++) {
        rouse_task *task;
        if (rouse_task_get(cli->manager, NULL, w->ids[i], &task, NULL) < 0)
            continue;
        size_t before = line.len;
        if (before > 0)
            buf_adds(&line, "  ");
        if (!progress_add(&line, task) && before > 0)
            line.data[line.len = before] = '\0';
        rouse_task_free(task);
    }
    progress_show(progress, &line);
    buf_done(&line);
}

static int wait_watched(struct cli *cli, rouse_wait wait, struct progress *progress, const struct watched *w,
                        rouse_task_list **ret_list, rouse_error *err)
{
    const rouse_platform *platform = rouse_store_platform(cli->store);
    uint64_t end = platform->mono_ms(platform->userdata) + wait.timeout_ms;
    int code;
    if (w->count > 0) {
        wait.ids = w->ids;
        wait.count = w->count;
    }
    wait.wake_fd = progress->bell;
    do {
        show_progress(cli, progress, w);
        uint64_t now = platform->mono_ms(platform->userdata);
        wait.timeout_ms = end > now ? end - now : 0;
        code = rouse_task_wait(cli->manager, &wait, ret_list, err);
    } while (code == ROUSE_EINTERRUPTED);
    progress_hide(progress);
    return code;
}

/* Only where being woken changes nothing about what is waited for. */
static int wait_for(struct cli *cli, const rouse_wait *wait, rouse_task_list **ret_list, rouse_error *err)
{
    bool can_show = wait->until == ROUSE_UNTIL_ENDED || wait->until == ROUSE_UNTIL_READY;
    struct progress progress = PROGRESS_NONE;
    struct watched watched = {0};
    if (can_show)
        progress_open(&progress, cli->store);
    int code = progress.bell >= 0 ? watched_find(cli, &watched, err) : 0;
    if (code == 0 && progress.bell >= 0 && watched.count <= LIMIT_TASKS_PER_CALL)
        code = wait_watched(cli, *wait, &progress, &watched, ret_list, err);
    else if (code == 0)
        code = rouse_task_wait(cli->manager, wait, ret_list, err);
    progress_close(&progress);
    watched_done(&watched);
    return code;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    rouse_wait wait;
    rouse_task_list *list = NULL;
    int code = read_options(cli, options, &wait, err);
    if (code == 0)
        code = cli_open(cli, true, err);
    if (code < 0)
        return code;
    wait.thread = cli->thread;
    code = wait_for(cli, &wait, &list, err);
    bool timed_out = code == ROUSE_ETIMEOUT;
    if (code < 0 && !timed_out)
        return code;
    code = list ? print(cli, list, timed_out, err) : 0;
    int status = list ? status_of(list, cli->count == 1 && rouse_task_list_count(list) == 1) : 0;
    rouse_task_list_free(list);
    if (code < 0)
        return code;
    return timed_out ? rouse_error_exit_status(ROUSE_ETIMEOUT) : status;
}

const struct command cmd_wait = {
    .name = "wait",
    .usage = (const char *const[]){"[OPTION…] [ID|NAME…]", NULL},
    .summary = "sleep until tasks have ended, or are ready",
    .text = "Without an id or name: all that run in the thread. Prints how each of them is then. Exits with the task's own status\n"
            "when there is one; with several, 0 if all that ended completed, else 1; 124 when the time was up. A task that ended\n"
            "is never waited for, also not for ready.\n"
            "match:RE holds once a line of output, as people read it, matches the extended regular expression RE; idle:DUR once\n"
            "nothing was printed for so long, counted from now at the earliest.",
    .options = rows,
    .options_size = sizeof(struct wait_options),
    .examples = (const struct example[]){{"rouse wait build && ./deploy", "go on when it ended well"},
                                         {"rouse wait --any --timeout 1m bg_3 bg_4", "whichever ends first"},
                                         {"rouse wait --until ready web", "its --ready-when has matched"},
                                         {"rouse wait --until 'match:listening on' web", "once it says so"},
                                         {NULL, NULL}},
    .max_operands = SIZE_MAX,
    .operands_are = OPERANDS_TASKS,
    .run = run,
};
