#include "cli/process_options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/terminal.h"
#include "cli/text.h"

static int read_size(const struct cli *cli, const char *option, const char *text, uint64_t *fill, rouse_error *err)
{
    rouse_error why;
    if (!text || text_read_size(text, fill, &why) == 0)
        return 0;
    return cli_misuse(cli, err, "--%s: %s", option, why.message);
}

static int read_integer(const struct cli *cli, const char *option, const char *text, int base, long *fill, rouse_error *err)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, base);
    if (errno != 0 || end == text || *end != '\0' || n < INT_MIN || n > INT_MAX)
        return cli_misuse(cli, err, "--%s: '%.40s' is no %s", option, text, base == 8 ? "octal number" : "number");
    *fill = n;
    return 0;
}

static int read_limits(const struct cli *cli, const struct process_options *o, rouse_process *p, rouse_error *err)
{
    long n = 0;
    int code = read_size(cli, "memory", o->memory, &p->memory_bytes, err);
    if (code == 0)
        code = read_size(cli, "keep-head", o->keep_head, &p->head_bytes, err);
    if (code == 0)
        code = read_size(cli, "keep-tail", o->keep_tail, &p->tail_bytes, err);
    if (code == 0 && o->files) {
        code = read_integer(cli, "files", o->files, 10, &n, err);
        p->files = n > 0 ? (uint64_t)n : 1; /* too few is the library's to say */
    }
    if (code == 0 && o->nice) {
        code = read_integer(cli, "nice", o->nice, 10, &n, err);
        p->nice = (int)n;
    }
    if (code == 0 && o->umask) {
        code = read_integer(cli, "umask", o->umask, 8, &n, err);
        p->has_umask = true;
        p->umask = n < 0 ? UINT_MAX : (unsigned)n;
    }
    if (code == 0 && o->cpu.given && o->cpu.ms < 1000)
        return cli_misuse(cli, err, "--cpu: less than a second cannot be measured");
    p->cpu_seconds = (o->cpu.ms + 999) / 1000;
    return code;
}

/* Absolute, so that they mean the same inside. */
static int read_paths(const struct texts *given, struct process_asked *fill, rouse_error *err)
{
    fill->writable = calloc(given->count + 1, sizeof *fill->writable);
    if (!fill->writable)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < given->count; i++) {
        fill->writable[i] = realpath(given->items[i], NULL);
        if (!fill->writable[i])
            return rouse_fail_errno(err, ROUSE_EINVAL, errno, "cannot use --writable '%.120s'", given->items[i]);
    }
    fill->process.writable = (const char *const *)fill->writable;
    return 0;
}

int process_options_read(const struct cli *cli, const struct process_options *o, struct process_asked *fill, rouse_error *err)
{
    *fill = (struct process_asked){0};
    rouse_process *p = &fill->process;
    if (o->tty && o->input)
        return cli_misuse(cli, err, "--tty is input as well; give it without --stdin");
    if (!o->sandbox && (o->no_network || o->writable.count > 0))
        return cli_misuse(cli, err, "--%s goes with --sandbox", o->no_network ? "no-network" : "writable");
    p->input = o->tty ? ROUSE_INPUT_TTY : o->input ? ROUSE_INPUT_PIPE : ROUSE_INPUT_NONE;
    p->wait_tree = o->wait_tree;
    p->sandbox = o->sandbox;
    p->no_network = o->no_network;
    if (o->tty)
        terminal_size(&p->rows, &p->columns);
    int code = read_limits(cli, o, p, err);
    return code == 0 && o->sandbox ? read_paths(&o->writable, fill, err) : code;
}

void process_options_free(struct process_asked *asked)
{
    for (size_t i = 0; asked->writable && asked->writable[i]; i++)
        free(asked->writable[i]);
    free(asked->writable);
    asked->writable = NULL;
}
