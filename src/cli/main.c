/* rouse: reads the command's name, hands the rest to it, says what went wrong. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* A store opened as descriptor 1 would be printed into. */
static bool open_standard_descriptors(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = dup(fd);
    if (fd > STDERR_FILENO)
        close(fd);
    return fd >= 0;
}

static const char *command_name(const void *table, size_t i)
{
    const struct command *command = ((const struct command *const *)table)[i];
    return command ? command->name : NULL;
}

static int unknown_command(const char *name, rouse_error *err)
{
    const char *meant = suggest(name, command_name, cli_commands);
    if (meant)
        return rouse_fail(err, ROUSE_EINVAL, "unknown command '%.80s' (did you mean '%s'?); see 'rouse --help'", name, meant);
    return rouse_fail(err, ROUSE_EINVAL, "unknown command '%.80s'; see 'rouse --help'", name);
}

/* Operands stay in argv, options go into fresh memory of the command's own type. */
static int run_command(const struct command *command, const struct common *common, char **argv, size_t argc,
                       rouse_error *err)
{
    struct cli cli = {.command = command, .operands = argv};
    void *options = calloc(1, command->options_size);
    if (!options)
        return rouse_fail_memory(err);
    memcpy(options, common, sizeof *common);
    int code = options_parse(command, argv, argc, options, &cli.count, err);
    if (code > 0) {
        help_print_command(command);
        code = 0;
    } else if (code == 0) {
        memcpy(&cli.common, options, sizeof cli.common);
        code = command->run(&cli, options, err);
        cli_close(&cli);
    }
    options_done(command, options);
    free(options);
    return code;
}

struct leading { /* options before the command's name */
    struct common common;
    bool version;
};

static const struct option_row leading_options[] = {
    ROW_STORE,
    ROW_THREAD,
    {"version", 'V', FLAG(struct leading, version), NULL, "print the version"},
    ROW_END,
};

static const struct command leading_command = {
    .options = leading_options,
    .options_size = sizeof(struct leading),
    .stops_at_operand = true,
    .max_operands = SIZE_MAX,
};

static int run_line(char **argv, size_t argc, rouse_error *err)
{
    struct leading leading = {0};
    size_t count = 0;
    int code = options_parse(&leading_command, argv, argc, &leading, &count, err);
    if (code < 0)
        return code;
    if (code > 0) {
        help_print_all();
        return 0;
    }
    if (leading.version) {
        puts("rouse " ROUSE_VERSION);
        return 0;
    }
    if (count == 0)
        return rouse_fail(err, ROUSE_EINVAL, "no command given; try 'rouse run -- CMD', or see 'rouse --help'");
    const struct command *command = command_find(argv[0]);
    if (!command)
        return unknown_command(argv[0], err);
    return run_command(command, &leading.common, argv + 1, count - 1, err);
}

/* What was printed last may not have reached its file yet. A reader that went away is no news. */
static int finish_output(int status)
{
    rouse_error err;
    int failed = ferror(stdout);
    errno = 0;
    if ((fflush(stdout) == 0 && !failed) || errno == EPIPE)
        return status;
    rouse_fail_errno(&err, ROUSE_EIO, errno ? errno : EIO, "cannot write the output");
    fprintf(stderr, "rouse: %s\n", err.message);
    return status ? status : 1;
}

int main(int argc, char **argv)
{
    rouse_error err = {0};
    if (!open_standard_descriptors())
        return 1;
    setlocale(LC_CTYPE, ""); /* only this: messages that are stored must not depend on who runs rouse */
    int code = run_line(argv + (argc > 0), argc > 0 ? (size_t)argc - 1 : 0, &err);
    if (code < 0)
        fprintf(stderr, "rouse: %s\n", err.message[0] ? err.message : rouse_error_text(code));
    return finish_output(code < 0 ? rouse_error_exit_status(code) : code);
}
