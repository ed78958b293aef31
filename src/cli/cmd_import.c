/* rouse import: the reverse of export. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/input.h"

struct import_options {
    struct common common;
    bool strict;
};

static const struct option_row rows[] = {
    {"strict", 0, FLAG(struct import_options, strict), NULL, "refuse keys that are not known instead of leaving them out"},
    ROW_THREAD,
    ROW_STORE,
    ROW_JSON,
    ROW_END,
};

static int read_document(const char *path, struct buf *out, rouse_error *err)
{
    if (strcmp(path, "-") == 0)
        return input_read(STDIN_FILENO, "standard input", out, err);
    FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return rouse_fail_errno(err, errno == ENOENT ? ROUSE_ENOTFOUND : ROUSE_EIO, errno, "cannot read '%.120s'", path);
    return input_read(fd, path, out, err);
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct import_options *o = options;
    const rouse_import_options how = {.unknown = o->strict ? ROUSE_UNKNOWN_ERROR : ROUSE_UNKNOWN_SKIP};
    struct buf document = BUF_INIT(LIMIT_IMPORT);
    int code = read_document(cli->operands[0], &document, err);
    if (code == 0)
        code = cli_open(cli, false, err);
    if (code == 0)
        code = rouse_store_import(cli->store, cli->thread, buf_text(&document), document.len, &how, err);
    buf_done(&document);
    if (code < 0)
        return code;
    if (cli->common.json)
        puts("{\"imported\":true}");
    return 0;
}

const struct command cmd_import = {
    .name = "import",
    .usage = (const char *const[]){"[OPTION…] FILE|-", NULL},
    .summary = "replace a thread's state by a document",
    .text = "All of it or, on any error, nothing. Tasks that the document calls running and that do not run here are found to have\n"
            "been lost by the next command.",
    .options = rows,
    .options_size = sizeof(struct import_options),
    .examples = (const struct example[]){{"rouse import --thread t1 t1.json", "what export printed"}, {NULL, NULL}},
    .min_operands = 1,
    .max_operands = 1,
    .operand = "file",
    .operands_are = OPERANDS_FILE,
    .run = run,
};
