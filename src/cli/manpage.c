/* rouse.1, made from the same rows as --help. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* Text for roff: no character of it is a request or an escape. */
static void put(const char *text)
{
    bool at_line_start = true;
    for (; *text; text++) {
        if (at_line_start && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        at_line_start = *text == '\n';
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
    }
}

static void put_line(const char *request, const char *text)
{
    fputs(request, stdout);
    put(text);
    putchar('\n');
}

static void put_heading(const char *name)
{
    fputs(".SS rouse ", stdout);
    put(name);
    putchar('\n');
}

static void put_option(const struct option_row *row)
{
    printf(".TP\n");
    if (row->letter)
        printf("\\fB\\-%c\\fR, ", row->letter);
    fputs("\\fB\\-\\-", stdout);
    put(row->name);
    fputs("\\fR", stdout);
    if (row->value)
        printf(" \\fI%s\\fR", row->value);
    putchar('\n');
    put_line("", row->help);
}

static void put_command(const struct command *command)
{
    put_heading(command->name);
    for (size_t i = 0; command->usage[i]; i++) {
        printf("%s\\fBrouse %s\\fR ", i > 0 ? ".br\n" : "", command->name);
        put_line("", command->usage[i]);
    }
    printf(".PP\n%c", toupper((unsigned char)command->summary[0]));
    put(command->summary + 1);
    printf(".\n");
    if (command->text)
        put_line("", command->text);
    for (const struct option_row *row = command->options; row->name; row++)
        put_option(row);
    for (const struct example *e = command->examples; e && e->line; e++) {
        printf(".PP\n.nf\n");
        put_line("    ", e->line);
        printf(".fi\n");
        put_line("", e->does);
    }
}

static void put_named(const char *title, const struct named_text *rows)
{
    printf(".SH %s\n", title);
    for (; rows->name; rows++) {
        put_line(".TP\n.B ", rows->name);
        put_line("", rows->text);
    }
}

void help_print_manual(void)
{
    printf(".TH ROUSE 1 \"\" \"rouse " ROUSE_VERSION "\" \"User Commands\"\n"
           ".SH NAME\nrouse \\- background tasks that survive\n"
           ".SH SYNOPSIS\n.B rouse\n\\fICOMMAND\\fR [\\fIOPTION\\fR…] …\n"
           ".SH DESCRIPTION\nA task started with rouse goes on when the program that started it, the terminal or the agent is gone:\n"
           "it has a supervisor of its own. Its output is kept and its exit status is recorded, for whoever asks later.\n"
           "No daemon is needed; any number of rouse processes may use one store at once.\n"
           ".PP\nOptions may stand before and after operands; \\fB\\-\\-\\fR ends them. Durations are 500ms, 2s, 5m, 1h, 1h30m; a\n"
           "plain number is seconds. With \\fB\\-\\-json\\fR times are milliseconds since 1970.\n"
           ".SH COMMANDS\n");
    for (size_t i = 0; cli_commands[i]; i++)
        put_command(cli_commands[i]);
    put_named("ENVIRONMENT", help_environment);
    put_named("EXIT STATUS", help_exit_status);
}
