/* rouse show: one task, everything. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/task_text.h"
#include "cli/terminal.h"
#include "cli/text.h"

#define LIMIT_SHOWN 8192 /* of one line */

struct show_options {
    struct common common;
};

static const struct option_row rows[] = {ROW_THREAD, ROW_STORE, ROW_JSON, ROW_END};

static void print_line(const char *name, const char *text)
{
    char plain[LIMIT_SHOWN];
    if (!text || !*text)
        return;
    utf8_copy_printable(plain, sizeof plain, text);
    printf(terminal_is(stdout) ? "%-12s %s\n" : "%s\t%s\n", name, plain);
}

static void print_time(const char *name, uint64_t ms, uint64_t now)
{
    char span[TEXT_SMALL], date[64] = "", line[160];
    struct tm parts;
    time_t seconds = (time_t)(ms / 1000);
    if (!localtime_r(&seconds, &parts) || strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        date[0] = '\0';
    if (!terminal_is(stdout))
        snprintf(line, sizeof line, "%llu", (unsigned long long)ms);
    else if (ms > now)
        snprintf(line, sizeof line, "in %s (%s)", text_span(ms - now, span), date);
    else
        snprintf(line, sizeof line, "%s ago (%s)", text_span(now - ms, span), date);
    print_line(name, line);
}

/* Words as a shell would need them, so that the line can be copied. */
static void add_word(struct buf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
    if (*word && word[strspn(word, plain)] == '\0') {
        buf_adds(out, word);
        return;
    }
    buf_addc(out, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            buf_adds(out, "'\\''");
        else
            buf_addc(out, *word);
    }
    buf_addc(out, '\'');
}

static void print_command(const rouse_task *task)
{
    struct buf line = BUF_INIT(LIMIT_SHOWN);
    for (size_t i = 0; task->ext.argv && task->ext.argv[i]; i++) {
        if (i > 0)
            buf_addc(&line, ' ');
        add_word(&line, task->ext.argv[i]);
    }
    print_line("command", buf_text(&line));
    buf_done(&line);
}

static void print_output(const rouse_task *task)
{
    char size[TEXT_SMALL], dropped[TEXT_SMALL], line[160];
    const rouse_output *output = &task->ext.output;
    if (!task->ext.has_output)
        return;
    if (output->dropped > 0)
        snprintf(line, sizeof line, "%s, %s of it not kept; rouse logs %s", text_size(output->size, size),
                 text_size(output->dropped, dropped), task->task_id);
    else if (output->size > 0)
        snprintf(line, sizeof line, "%s; rouse logs %s", text_size(output->size, size), task->task_id);
    else
        snprintf(line, sizeof line, "nothing so far");
    print_line("output", line);
}

static void print_number(const char *name, long long value)
{
    char line[TEXT_SMALL];
    snprintf(line, sizeof line, "%lld", value);
    print_line(name, line);
}

static void print_cost(const rouse_task_ext *ext)
{
    char small[TEXT_SMALL];
    if (ext->max_rss_kib == 0)
        return; /* not known */
    print_line("cpu time", text_span(ext->cpu_ms, small));
    print_line("memory", text_size(ext->max_rss_kib * 1024, small));
}

static void print_process(const rouse_task *task, uint64_t now)
{
    const rouse_task_ext *ext = &task->ext;
    if (!task->has_ext)
        return;
    print_command(task);
    print_line("directory", ext->cwd);
    if (task->status == ROUSE_RUNNING && ext->pid > 0)
        print_number("pid", ext->pid);
    print_line("ready when", ext->ready_when);
    if (ext->deadline_ms > 0 && task->status == ROUSE_RUNNING)
        print_time("deadline", ext->deadline_ms, now);
    if (ext->session)
        print_line("lifetime", "ends with the program that started it");
    if (ext->exit_code >= 0)
        print_number("exit status", ext->exit_code);
    if (ext->signal > 0)
        print_number("signal", ext->signal);
    if (ext->core)
        print_line("core dump", "yes");
    print_line("ended by", ext->ended_by);
    print_line("reason", ext->reason);
    if (ext->killed > 0)
        print_number("killed", (long long)ext->killed);
    print_cost(ext);
    print_output(task);
}

static void print_words(const char *name, const char *const *words)
{
    struct buf line = BUF_INIT(LIMIT_SHOWN);
    for (size_t i = 0; words && words[i]; i++) {
        if (i > 0)
            buf_addc(&line, ' ');
        buf_adds(&line, words[i]);
    }
    print_line(name, buf_text(&line));
    buf_done(&line);
}

static void print_progress(const rouse_progress *progress)
{
    struct buf line = BUF_INIT(LIMIT_SHOWN);
    buf_addf(&line, "%llu", (unsigned long long)progress->done);
    if (progress->total > 0)
        buf_addf(&line, " of %llu (%u%%)", (unsigned long long)progress->total, task_percent(progress));
    if (progress->message)
        buf_addf(&line, ": %s", progress->message);
    print_line("progress", buf_text(&line));
    buf_done(&line);
}

static void print_plan(const rouse_task *task, uint64_t now)
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    char line[160];
    if (!plan)
        return;
    if (plan->has_progress)
        print_progress(&plan->progress);
    print_words("after", (const char *const *)plan->after);
    if (plan->queue && plan->queue_limit > 1)
        snprintf(line, sizeof line, "%s, %llu at once", plan->queue, (unsigned long long)plan->queue_limit);
    else
        snprintf(line, sizeof line, "%s", plan->queue ? plan->queue : "");
    print_line("queue", line);
    if (plan->max_attempts > 1) {
        snprintf(line, sizeof line, "%llu of %llu", (unsigned long long)plan->attempt, (unsigned long long)plan->max_attempts);
        print_line("attempt", line);
    }
    if (plan->due_ms > 0 && task->status == ROUSE_RUNNING)
        print_time("due", plan->due_ms, now);
    if (plan->fired > 0)
        print_number("fired", (long long)plan->fired);
    print_words("labels", (const char *const *)plan->labels);
}

static void print_task(const rouse_task *task, uint64_t now)
{
    struct buf outcome = BUF_INIT(LIMIT_SHOWN);
    char span[TEXT_SMALL];
    task_add_outcome(&outcome, task);
    print_line("task", task->task_id);
    print_line("name", task->name);
    print_line("description", task->description);
    print_line("status", buf_text(&outcome));
    print_line("type", task->task_type);
    print_line("thread", task->owner_thread_id);
    print_line("started by", task->parent.task_id);
    print_line("in run", task->parent.run_id);
    print_time("created", task->created_at_ms, now);
    if (task->has_completed_at) {
        print_time("ended", task->completed_at_ms, now);
        if (task->completed_at_ms >= task->created_at_ms)
            print_line("took", text_span(task->completed_at_ms - task->created_at_ms, span));
    }
    print_plan(task, now);
    print_process(task, now);
    print_line("result", task->result);
    buf_done(&outcome);
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    rouse_task *task;
    (void)options;
    int code = cli_open(cli, true, err);
    if (code == 0)
        code = rouse_task_get(cli->manager, cli->thread, cli->operands[0], &task, err);
    if (code < 0)
        return code;
    if (cli->common.json)
        code = task_print_json(task, err);
    else
        print_task(task, cli_now(cli));
    rouse_task_free(task);
    return code;
}

const struct command cmd_show = {
    .name = "show",
    .usage = (const char *const[]){"[OPTION…] ID|NAME", NULL},
    .summary = "everything about one task",
    .options = rows,
    .options_size = sizeof(struct show_options),
    .examples = (const struct example[]){{"rouse show bg_3", "one line for each thing known"},
                                         {"rouse show --json build", "its record, for a program"},
                                         {NULL, NULL}},
    .min_operands = 1,
    .max_operands = 1,
    .operand = "id or name",
    .operands_are = OPERANDS_TASKS,
    .run = run,
};
