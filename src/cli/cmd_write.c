/* rouse write: bytes for a task's standard input. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/commands.h"
#include "cli/terminal.h"

struct write_options {
    struct common common;
    bool eof, no_newline;
    struct duration timeout;
};

static const struct option_row rows[] = {
    {"eof", 0, FLAG(struct write_options, eof), NULL, "end its input behind what is written"},
    {"no-newline", 'n', FLAG(struct write_options, no_newline), NULL, "with TEXT: do not end it with a newline"},
    {"timeout", 't', DURATION(struct write_options, timeout), "DUR", "give up, with status 124, when it reads too little so long"},
    ROW_THREAD,
    ROW_STORE,
    ROW_END,
};

static int write_piece(struct cli *cli, const struct write_options *o, const char *bytes, size_t len, bool eof, rouse_error *err)
{
    uint64_t timeout = o->timeout.given ? o->timeout.ms : UINT64_MAX;
    return rouse_task_write(cli->manager, cli->thread, cli->operands[0], bytes, len, eof, timeout, NULL, err);
}

static int write_text(struct cli *cli, const struct write_options *o, rouse_error *err)
{
    struct buf line = BUF_INIT(0);
    for (size_t i = 1; i < cli->count; i++) {
        if (i > 1)
            buf_addc(&line, ' ');
        buf_adds(&line, cli->operands[i]);
    }
    if (!o->no_newline)
        buf_addc(&line, '\n');
    int code = buf_check(&line, err);
    if (code == 0)
        code = write_piece(cli, o, buf_text(&line), line.len, o->eof, err);
    buf_done(&line);
    return code;
}

static int write_input(struct cli *cli, const struct write_options *o, rouse_error *err)
{
    char block[65536];
    for (;;) {
        ssize_t n = read(STDIN_FILENO, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot read standard input");
        if (n == 0)
            return o->eof ? write_piece(cli, o, "", 0, true, err) : 0;
        int code = write_piece(cli, o, block, (size_t)n, false, err);
        if (code < 0)
            return code;
    }
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct write_options *o = options;
    if (o->no_newline && cli->count < 2)
        return cli_misuse(cli, err, "--no-newline goes with TEXT");
    int code = cli_open(cli, true, err);
    if (code < 0)
        return code;
    if (cli->count > 1)
        return write_text(cli, o, err);
    /* Only to end it: nobody means to type first. */
    return o->eof && terminal_is(stdin) ? write_piece(cli, o, "", 0, true, err) : write_input(cli, o, err);
}

const struct command cmd_write = {
    .name = "write",
    .usage = (const char *const[]){"[OPTION…] ID|NAME [TEXT…]", NULL},
    .summary = "give a task input",
    .text = "TEXT, with a newline behind it, or without TEXT all that standard input gives, goes to the standard input of a task that\n"
            "was started with --stdin or --tty. Returns when the task's supervisor has taken all of it; a task that does not read\n"
            "keeps it waiting, and nobody else.",
    .options = rows,
    .options_size = sizeof(struct write_options),
    .examples = (const struct example[]){{"rouse write setup yes", "answer a question"},
                                         {"rouse write --eof sorter < names.txt", "all of a file, and its end"},
                                         {NULL, NULL}},
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand = "id or name",
    .operands_are = OPERANDS_RUNNING,
    .run = run,
};
