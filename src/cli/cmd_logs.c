/* rouse logs: what a task printed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/json_line.h"
#include "cli/terminal.h"

struct logs_options {
    struct common common;
    bool follow, raw, lines;
    struct number tail, offset;
};

static const struct option_row rows[] = {
    {"follow", 'f', FLAG(struct logs_options, follow), NULL, "go on until the task has ended"},
    {"tail", 'n', NUMBER(struct logs_options, tail), "N", "begin with the last N lines"},
    {"offset", 0, NUMBER(struct logs_options, offset), "N", "begin with byte N of all it ever printed"},
    {"raw", 0, FLAG(struct logs_options, raw), NULL, "the bytes as they are, escape sequences too"},
    ROW_THREAD,
    ROW_STORE,
    {"json", 0, FLAG(struct common, json), NULL, "one document: task_id, offset, next_offset, dropped, text"},
    {"jsonl", 0, FLAG(struct logs_options, lines), NULL, "a document a line as it is printed: task_id, next_offset, text"},
    ROW_END,
};

struct writer {
    bool raw;
    bool collect; /* keep the text instead of writing it */
    bool lines;   /* write it as JSON, a document for each piece */
    const struct follow *follow;
    struct clean clean;
    struct buf text;
};

static int write_out(const char *bytes, size_t len, rouse_error *err)
{
    return fd_write_all(STDOUT_FILENO, bytes, len) == 0 ? 0 : rouse_fail_errno(err, ROUSE_EIO, errno, "cannot write the output");
}

static int write_line(const struct writer *w, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    json_line_text(&out, "task_id", w->follow->id);
    json_line_number(&out, "next_offset", w->follow->offset);
    json_line_bytes(&out, "text", buf_text(&w->text), w->text.len);
    int code = json_line_print(&out, err);
    if (code == 0 && fflush(stdout) != 0)
        code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot write the output");
    return code;
}

static int give_out(struct writer *w, rouse_error *err)
{
    int code = buf_check(&w->text, err);
    if (code < 0 || w->collect || w->text.len == 0)
        return code;
    code = w->lines ? write_line(w, err) : write_out(buf_text(&w->text), w->text.len, err);
    buf_reset(&w->text);
    return code;
}

static int write_piece(const char *bytes, size_t len, void *userdata, rouse_error *err)
{
    struct writer *w = userdata;
    if (w->raw && !w->lines)
        return write_out(bytes, len, err);
    if (w->raw)
        buf_add(&w->text, bytes, len);
    else
        clean_feed(&w->clean, &w->text, bytes, len);
    return give_out(w, err);
}

static int print_json(const struct follow *f, uint64_t first, const rouse_output *output, const struct writer *w, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    json_line_text(&out, "task_id", f->id);
    json_line_number(&out, "offset", first);
    json_line_number(&out, "next_offset", f->offset);
    json_line_number(&out, "dropped", output->dropped);
    json_line_bytes(&out, "text", buf_text(&w->text), w->text.len);
    return json_line_print(&out, err);
}

static int find_start(struct cli *cli, const struct logs_options *o, const char *id, uint64_t *ret_offset, rouse_error *err)
{
    *ret_offset = o->offset.value;
    return o->tail.given ? rouse_task_tail(cli->manager, id, (size_t)o->tail.value, ret_offset, err) : 0;
}

static int print(struct cli *cli, const struct logs_options *o, const rouse_task *task, struct writer *w, rouse_error *err)
{
    rouse_task *ended = NULL;
    rouse_output output = {0};
    struct follow f = {.cli = cli, .id = task->task_id, .write = write_piece, .userdata = w,
                       .shows_progress = true};
    int code = find_start(cli, o, task->task_id, &f.offset, err);
    uint64_t first = f.offset;
    w->follow = &f;
    if (code == 0)
        code = o->follow ? follow_to_end(&f, &ended, err)
               : rouse_status_is_terminal(task->status) ? follow_finish(&f, err) : follow_drain(&f, err);
    rouse_task_free(ended);
    if (code == 0) {
        clean_flush(&w->clean, &w->text);
        code = give_out(w, err);
    }
    if (code == 0 && o->common.json)
        code = rouse_task_output(cli->manager, task->task_id, &output, err);
    if (code == 0 && o->common.json)
        code = print_json(&f, first, &output, w, err);
    return code;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct logs_options *o = options;
    struct writer writer = {.raw = o->raw || (terminal_is(stdout) && !o->common.json && !o->lines),
                            .collect = o->common.json, .lines = o->lines, .clean = CLEAN_INIT, .text = BUF_INIT(0)};
    rouse_task *task;
    if (o->tail.given && o->offset.given)
        return cli_misuse(cli, err, "give --tail or --offset, not both");
    if (o->common.json && o->lines)
        return cli_misuse(cli, err, "give --json or --jsonl, not both");
    if (o->common.json && (o->raw || o->follow))
        return cli_misuse(cli, err, "--json goes with neither --raw nor --follow");
    int code = cli_open(cli, true, err);
    if (code == 0)
        code = rouse_task_get(cli->manager, cli->thread, cli->operands[0], &task, err);
    if (code < 0)
        return code;
    code = print(cli, o, task, &writer, err);
    if (code == ROUSE_ENOTFOUND) /* a record that was imported */
        code = rouse_fail(err, code, "no output of '%s' is kept in this store", task->task_id);
    clean_done(&writer.clean);
    buf_done(&writer.text);
    rouse_task_free(task);
    return code;
}

const struct command cmd_logs = {
    .name = "logs",
    .usage = (const char *const[]){"[OPTION…] ID|NAME", NULL},
    .summary = "what a task printed",
    .text = "Into a pipe or a file it is cleaned for reading: escape sequences go, a line that was redrawn becomes its last state.\n"
            "A terminal, and --raw, get the bytes as they are. Ctrl-C ends the following, not the task.",
    .options = rows,
    .options_size = sizeof(struct logs_options),
    .examples = (const struct example[]){{"rouse logs -f build", "follow it to its end"},
                                         {"rouse logs -n 20 bg_3", "the last twenty lines"},
                                         {NULL, NULL}},
    .min_operands = 1,
    .max_operands = 1,
    .operand = "id or name",
    .operands_are = OPERANDS_TASKS,
    .run = run,
};
