/* --help and `rouse help`: made from the rows that also parse. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/text.h"

const struct named_text help_environment[] = {
    {"ROUSE_STORE", "where the tasks are kept; default $XDG_STATE_HOME/rouse, else ~/.local/state/rouse"},
    {"ROUSE_THREAD", "whose tasks are meant; default 'default'"},
    {"ROUSE_MODEL", "the model of rouse agent"},
    {"ROUSE_OUTPUT_CAP", "how much output of ended tasks is kept, such as 500M; default 2G"},
    {"NO_COLOR", "when set, no colours"},
    {NULL, NULL},
};

const struct named_text help_exit_status[] = {
    {"0", "it went well"},
    {"1", "it failed"},
    {"2", "wrong use"},
    {"3", "no such task"},
    {"4", "a conflict: the name is in use, a limit is reached"},
    {"5", "the store cannot be used; rouse doctor says why"},
    {"124", "the time to wait was up"},
    {"other", "rouse run and rouse wait of one task: the task's own, 128+N for signal N"},
    {NULL, NULL},
};

#define HELP_COLUMN 26

/* text behind a left side, below it when that is too long. */
static void print_pair(const char *left, const char *text, size_t column)
{
    size_t width = text_width(left) + 2;
    if (width + 2 > column)
        printf("  %s\n%*s%s\n", left, (int)column, "", text);
    else
        printf("  %s%*s%s\n", left, (int)(column - width), "", text);
}

static void print_option(const struct option_row *row)
{
    char left[80];
    char letter[8] = "    ";
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name, row->value ? " " : "", row->value ? row->value : "");
    print_pair(left, row->help, HELP_COLUMN);
}

static void print_named(const char *title, const struct named_text *rows)
{
    printf("\n%s:\n", title);
    for (; rows->name; rows++)
        print_pair(rows->name, rows->text, 17);
}

void help_print_command(const struct command *command)
{
    for (size_t i = 0; command->usage[i]; i++)
        printf("%s rouse %s %s\n", i == 0 ? "usage:" : "      ", command->name, command->usage[i]);
    printf("\n%c%s.\n", command->summary[0] & ~0x20, command->summary + 1);
    if (command->text)
        printf("\n%s\n", command->text);
    printf("\noptions:\n");
    for (const struct option_row *row = command->options; row->name; row++)
        print_option(row);
    print_option(&(struct option_row){.name = "help", .letter = 'h', .help = "this text"});
    if (!command->examples)
        return;
    printf("\nexamples:\n");
    for (const struct example *e = command->examples; e->line; e++)
        printf("  %s\n      %s\n", e->line, e->does);
}

void help_print_all(void)
{
    printf("usage: rouse COMMAND [OPTION…] …\n\n"
           "Background tasks that survive: a task goes on when the program that started it, the terminal or the agent is gone,\n"
           "and its output and exit status are there for whoever asks later.\n\ncommands:\n");
    for (size_t i = 0; cli_commands[i]; i++)
        print_pair(cli_commands[i]->name, cli_commands[i]->summary, 14);
    printf("\nfirst steps:\n");
    print_pair("rouse run -d -- make -j8", "start it; prints its id, bg_0", 28);
    print_pair("rouse ls", "what is running", 28);
    print_pair("rouse logs -f bg_0", "what it prints", 28);
    print_pair("rouse wait bg_0", "until it ends, with its exit status", 28);
    print_named("environment", help_environment);
    print_named("exit status", help_exit_status);
    printf("\n'rouse COMMAND --help' explains a command; 'man rouse' has all of it; 'rouse doctor' says what is wrong.\n");
}
