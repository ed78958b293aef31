/* rouse completion: what a shell needs to complete rouse's command lines, made from the rows that also parse and explain.
 *
 * Ids and names are asked for when Tab is pressed. An imported record may have any text as its id: words with other characters
 * than a name's are left out, and none of them is ever expanded by the shell. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

enum value_kind { VALUE_OTHER, VALUE_FILE, VALUE_TASK, VALUE_CHOICE };

static enum value_kind value_kind(const char *value)
{
    if (strcmp(value, "DIR") == 0 || strcmp(value, "FILE") == 0)
        return VALUE_FILE;
    if (strncmp(value, "ID", 2) == 0)
        return VALUE_TASK;
    return strchr(value, '|') && islower((unsigned char)value[0]) ? VALUE_CHOICE : VALUE_OTHER;
}

/* The choices in "ended|ready|match:RE", one by one, what follows a colon left out. */
static void put_choices(const char *value, char between)
{
    for (const char *at = value; *at;) {
        size_t len = strcspn(at, "|");
        const char *colon = memchr(at, ':', len);
        printf("%.*s", (int)(colon ? colon - at + 1 : (ptrdiff_t)len), at);
        at += len + (at[len] == '|');
        if (*at)
            putchar(between);
    }
}

/* In single quotes. fish reads backslashes there, and \' ; the others want '\'' . before: characters that need a backslash. */
static void put_quoted(const char *text, bool fish, const char *before)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'')
            fputs(fish ? "\\'" : "'\\''", stdout);
        else if ((fish && *text == '\\') || strchr(before, *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
    putchar('\'');
}

/* " --all -a" for each option for which wanted says so. */
static void put_options(const struct command *c, bool (*wanted)(const struct option_row *row))
{
    for (const struct option_row *row = c->options; row->name; row++) {
        if (wanted && !wanted(row))
            continue;
        printf(" --%s", row->name);
        if (row->letter)
            printf(" -%c", row->letter);
    }
}

static bool has_value(const struct option_row *row)
{
    return row->value;
}

static bool has_file(const struct option_row *row)
{
    return row->value && value_kind(row->value) == VALUE_FILE;
}

static bool has_task(const struct option_row *row)
{
    return row->value && value_kind(row->value) == VALUE_TASK;
}

static const char *operands_text(const struct command *c)
{
    static const char *const texts[] = {
        [OPERANDS_OTHER] = "other", [OPERANDS_TASKS] = "tasks",       [OPERANDS_RUNNING] = "running",
        [OPERANDS_FILE] = "file",   [OPERANDS_COMMAND] = "command", [OPERANDS_PROGRAM] = "program",
        [OPERANDS_SHELL] = "shell",
    };
    return texts[c->operands_are];
}

/* "        wait:--until | wait:-u" and what follows, for each option whose value is one of a few. */
static void put_choice_rows(void (*put_row)(const struct option_row *row))
{
    for (size_t i = 0; cli_commands[i]; i++) {
        for (const struct option_row *row = cli_commands[i]->options; row->name; row++) {
            if (!row->value || value_kind(row->value) != VALUE_CHOICE)
                continue;
            printf("        %s:--%s", cli_commands[i]->name, row->name);
            if (row->letter)
                printf(" | %s:-%c", cli_commands[i]->name, row->letter);
            put_row(row);
        }
    }
}

/* ---- bash ---- */

static const char bash_begin[] =
    "# bash completion of rouse; printed by: rouse completion bash\n"
    "_rouse_reply() { # the words on standard input that begin with $cur\n"
    "    local word\n"
    "    while IFS= read -r word; do\n"
    "        [[ $word == \"$cur\"* ]] && COMPREPLY+=(\"$word\")\n"
    "    done\n"
    "}\n"
    "_rouse_tasks() { # ids and names\n"
    "    local id name rest\n"
    "    while IFS=$'\\t' read -r id name rest; do\n"
    "        [[ $id =~ ^[A-Za-z0-9._-]+$ ]] && printf '%s\\n' \"$id\"\n"
    "        [[ $name != - && $name =~ ^[A-Za-z0-9._-]+$ ]] && printf '%s\\n' \"$name\"\n"
    "    done < <(\"${COMP_WORDS[0]}\" ls --limit 200 \"$@\" \"${place[@]}\" 2>/dev/null)\n"
    "}\n"
    "_rouse() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command= i word at=0 operands=0 ended= options= values= files= tasks= kind=\n"
    "    local -a place=()\n"
    "    COMPREPLY=()\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n"
    "        --) break ;;\n"
    "        --store | --thread)\n"
    "            [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))\n"
    "            ((++i < COMP_CWORD)) && place+=(\"$word=${COMP_WORDS[i]}\")\n"
    "            ;;\n"
    "        -*) ;;\n"
    "        *) [[ $command ]] || { command=$word at=$i; } ;;\n"
    "        esac\n"
    "    done\n"
    "    case $command in\n";

static const char bash_between[] =
    "    esac\n"
    "    for ((i = at + 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $ended ]]; then\n"
    "            ((operands++))\n"
    "        elif [[ $word == -- ]]; then\n"
    "            ended=1\n"
    "        elif [[ \" $values \" == *\" $word \"* ]]; then\n"
    "            [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))\n"
    "            ((i++))\n"
    "        elif [[ $word != -* ]]; then\n"
    "            ((operands++))\n"
    "        fi\n"
    "    done\n"
    "    if [[ ! $ended && $operands == 0 || $kind != program ]]; then\n"
    "        case $command:$prev in\n";

static const char bash_end[] =
    "        esac\n"
    "        if [[ ! $ended && \" $files \" == *\" $prev \"* ]]; then\n"
    "            compopt -o filenames\n"
    "            _rouse_reply < <(compgen -f -- \"$cur\")\n"
    "            return\n"
    "        elif [[ ! $ended && \" $tasks \" == *\" $prev \"* ]]; then\n"
    "            _rouse_reply < <(_rouse_tasks -a)\n"
    "            return\n"
    "        elif [[ ! $ended && \" $values \" == *\" $prev \"* ]]; then\n"
    "            return\n"
    "        elif [[ ! $ended && $cur == -* ]]; then\n"
    "            _rouse_reply < <(printf '%s\\n' $options --help)\n"
    "            return\n"
    "        fi\n"
    "    fi\n"
    "    case $kind in\n"
    "    tasks) _rouse_reply < <(_rouse_tasks -a) ;;\n"
    "    running) _rouse_reply < <(_rouse_tasks) ;;\n"
    "    file) compopt -o filenames; _rouse_reply < <(compgen -f -- \"$cur\") ;;\n"
    "    shell) _rouse_reply < <(printf '%s\\n' bash fish zsh) ;;\n"
    "    program)\n"
    "        if ((operands == 0)); then\n"
    "            _rouse_reply < <(compgen -c -- \"$cur\" | sort -u)\n"
    "        else\n"
    "            compopt -o filenames\n"
    "            _rouse_reply < <(compgen -f -- \"$cur\")\n"
    "        fi\n"
    "        ;;\n"
    "    command)\n"
    "        _rouse_reply < <(printf '%s\\n'";

static void put_bash_choices(const struct option_row *row)
{
    printf(")\n            _rouse_reply < <(printf '%%s\\n' ");
    put_choices(row->value, ' ');
    printf(")\n            return\n            ;;\n");
}

static void print_bash(void)
{
    fputs(bash_begin, stdout);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct command *c = cli_commands[i];
        printf("    %s)\n        kind=%s options='", c->name, operands_text(c));
        put_options(c, NULL);
        printf("'\n        values='");
        put_options(c, has_value);
        printf("' files='");
        put_options(c, has_file);
        printf("' tasks='");
        put_options(c, has_task);
        printf("'\n        ;;\n");
    }
    printf("    '') kind=command options='--store --thread --version' values='--store --thread' files=--store ;;\n");
    fputs(bash_between, stdout);
    put_choice_rows(put_bash_choices);
    fputs(bash_end, stdout);
    for (size_t i = 0; cli_commands[i]; i++)
        printf(" %s", cli_commands[i]->name);
    printf(")\n        ;;\n    esac\n}\ncomplete -F _rouse rouse\n");
}

/* ---- zsh ---- */

static const char zsh_begin[] =
    "#compdef rouse\n"
    "# zsh completion of rouse; printed by: rouse completion zsh\n"
    "_rouse_tasks() { # ids and names\n"
    "    local line\n"
    "    local -a found part\n"
    "    for line in ${(f)\"$(${words[1]} ls --limit 200 $@ $place 2>/dev/null)\"}; do\n"
    "        part=(${(s:\t:)line})\n"
    "        [[ $part[1] =~ '^[A-Za-z0-9._-]+$' ]] && found+=($part[1])\n"
    "        [[ $part[2] != - && $part[2] =~ '^[A-Za-z0-9._-]+$' ]] && found+=($part[2])\n"
    "    done\n"
    "    compadd -a found\n"
    "}\n"
    "_rouse() {\n"
    "    local command= word prev=$words[CURRENT-1] kind= ended=\n"
    "    local -i i at=1 operands=0\n"
    "    local -a place options values files tasks commands\n"
    "    if [[ $words[CURRENT] == --*=* ]]; then\n"
    "        prev=${words[CURRENT]%%=*}\n"
    "        compset -P 1 '*='\n"
    "    fi\n"
    "    for ((i = 2; i < CURRENT; i++)); do\n"
    "        word=$words[i]\n"
    "        case $word in\n"
    "        --) break ;;\n"
    "        --store | --thread) ((++i < CURRENT)) && place+=($word=$words[i]) ;;\n"
    "        --store=* | --thread=*) place+=($word) ;;\n"
    "        -*) ;;\n"
    "        *) [[ -n $command ]] || { command=$word; at=i } ;;\n"
    "        esac\n"
    "    done\n";

static const char zsh_between[] =
    "    esac\n"
    "    options+=('--help:this text')\n"
    "    for ((i = at + 1; i < CURRENT; i++)); do\n"
    "        word=$words[i]\n"
    "        if [[ -n $ended ]]; then\n"
    "            ((operands++))\n"
    "        elif [[ $word == -- ]]; then\n"
    "            ended=1\n"
    "        elif (($values[(Ie)$word])); then\n"
    "            ((i++))\n"
    "        elif [[ $word != -* ]]; then\n"
    "            ((operands++))\n"
    "        fi\n"
    "    done\n"
    "    if [[ -z $ended && ($kind != program || $operands == 0) ]]; then\n"
    "        case $command:$prev in\n";

static const char zsh_end[] =
    "        esac\n"
    "        if (($files[(Ie)$prev])); then\n"
    "            _files; return\n"
    "        elif (($tasks[(Ie)$prev])); then\n"
    "            _rouse_tasks -a; return\n"
    "        elif (($values[(Ie)$prev])); then\n"
    "            return\n"
    "        elif [[ $words[CURRENT] == -* ]]; then\n"
    "            _describe -o option options; return\n"
    "        fi\n"
    "    fi\n"
    "    case $kind in\n"
    "    tasks) _rouse_tasks -a ;;\n"
    "    running) _rouse_tasks ;;\n"
    "    file) _files ;;\n"
    "    shell) compadd bash fish zsh ;;\n"
    "    program) if ((operands)) { _files } else { _command_names -e } ;;\n"
    "    command) _describe command commands ;;\n"
    "    esac\n"
    "}\n"
    "if [[ $funcstack[1] == _rouse ]]; then\n"
    "    _rouse \"$@\"\n"
    "else\n"
    "    compdef _rouse rouse\n"
    "fi\n";

static void put_zsh_pair(const char *dashes, const char *name, const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "%s%s", dashes, name);
    putchar(' ');
    fputs(left, stdout);
    putchar(':');
    put_quoted(help, false, "");
}

static void put_zsh_command(const struct command *c)
{
    printf("    %s)\n        kind=%s\n        options=(", c->name, operands_text(c));
    for (const struct option_row *row = c->options; row->name; row++) {
        char letter[2] = {row->letter, '\0'};
        put_zsh_pair("--", row->name, row->help);
        if (row->letter)
            put_zsh_pair("-", letter, row->help);
    }
    printf(")\n        values=(");
    put_options(c, has_value);
    printf(") files=(");
    put_options(c, has_file);
    printf(") tasks=(");
    put_options(c, has_task);
    printf(")\n        ;;\n");
}

static void put_zsh_choices(const struct option_row *row)
{
    printf(") compadd ");
    put_choices(row->value, ' ');
    printf("; return ;;\n");
}

static void print_zsh(void)
{
    fputs(zsh_begin, stdout);
    printf("    commands=(");
    for (size_t i = 0; cli_commands[i]; i++)
        put_zsh_pair("", cli_commands[i]->name, cli_commands[i]->summary);
    printf(")\n    case $command in\n");
    for (size_t i = 0; cli_commands[i]; i++)
        put_zsh_command(cli_commands[i]);
    printf("    '')\n        kind=command options=(--store:'where the tasks are kept' --thread:'whose tasks' --version:'print the "
           "version')\n        values=(--store --thread) files=(--store)\n        ;;\n");
    fputs(zsh_between, stdout);
    put_choice_rows(put_zsh_choices);
    fputs(zsh_end, stdout);
}

/* ---- fish ---- */

static const char fish_begin[] =
    "# fish completion of rouse; printed by: rouse completion fish\n"
    "function __rouse_is --argument-names wanted # is this the line's command? '' = there is none yet\n"
    "    set -l found\n"
    "    set -l skip\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        if set -q skip[1]\n"
    "            set -e skip\n"
    "            set -l skip\n"
    "        else if contains -- $word --store --thread\n"
    "            set skip 1\n"
    "        else if not string match -q -- '-*' $word\n"
    "            set found $word\n"
    "            break\n"
    "        end\n"
    "    end\n"
    "    test \"$found\" = \"$wanted\"\n"
    "end\n"
    "function __rouse_tasks # ids and names\n"
    "    set -l words (commandline -opc)\n"
    "    set -l place\n"
    "    for i in (seq 2 (count $words))\n"
    "        if contains -- $words[$i] --store --thread; and set -q words[(math $i + 1)]\n"
    "            set -a place $words[$i] $words[(math $i + 1)]\n"
    "        else if string match -q -- '--store=*' $words[$i]; or string match -q -- '--thread=*' $words[$i]\n"
    "            set -a place $words[$i]\n"
    "        end\n"
    "    end\n"
    "    for line in ($words[1] ls --limit 200 $argv $place 2>/dev/null)\n"
    "        set -l part (string split \\t -- $line)\n"
    "        string match -qr '^[A-Za-z0-9._-]+$' -- $part[1]; and printf '%s\\t%s\\n' $part[1] $part[7]\n"
    "        test \"$part[2]\" != -; and string match -qr '^[A-Za-z0-9._-]+$' -- $part[2]; and printf '%s\\t%s\\n' $part[2] $part[7]\n"
    "    end\n"
    "end\n"
    "complete -c rouse -f\n"
    "complete -c rouse -n \"__rouse_is ''\" -l version -s V -d 'print the version'\n"
    "complete -c rouse -n \"__rouse_is ''\" -l store -r -F -d 'where the tasks are kept'\n"
    "complete -c rouse -n \"__rouse_is ''\" -l thread -x -d 'whose tasks'\n"
    "complete -c rouse -l help -s h -d 'this text'\n";

static void put_fish_option(const char *command, const struct option_row *row)
{
    printf("complete -c rouse -n '__rouse_is %s' -l %s", command, row->name);
    if (row->letter)
        printf(" -s %c", row->letter);
    switch (row->value ? value_kind(row->value) : VALUE_OTHER) {
    case VALUE_FILE:
        printf(" -r -F");
        break;
    case VALUE_TASK:
        printf(" -x -a '(__rouse_tasks -a)'");
        break;
    case VALUE_CHOICE:
        printf(" -x -a '");
        put_choices(row->value, ' ');
        putchar('\'');
        break;
    case VALUE_OTHER:
        printf("%s", row->value ? " -x" : "");
        break;
    }
    printf(" -d ");
    put_quoted(row->help, true, "");
    putchar('\n');
}

static const char *fish_operands(const struct command *c)
{
    static const char *const texts[] = {
        [OPERANDS_OTHER] = NULL,
        [OPERANDS_TASKS] = "-a '(__rouse_tasks -a)'",
        [OPERANDS_RUNNING] = "-a '(__rouse_tasks)'",
        [OPERANDS_FILE] = "-F",
        [OPERANDS_COMMAND] = "-a '(rouse completion --commands)'",
        [OPERANDS_PROGRAM] = "-a '(__fish_complete_subcommand --fcs-skip=2)'",
        [OPERANDS_SHELL] = "-a 'bash fish zsh'",
    };
    return texts[c->operands_are];
}

static void print_fish(void)
{
    fputs(fish_begin, stdout);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct command *c = cli_commands[i];
        printf("complete -c rouse -n \"__rouse_is ''\" -a %s -d ", c->name);
        put_quoted(c->summary, true, "");
        putchar('\n');
        for (const struct option_row *row = c->options; row->name; row++)
            put_fish_option(c->name, row);
        if (fish_operands(c))
            printf("complete -c rouse -n '__rouse_is %s' %s\n", c->name, fish_operands(c));
    }
}

/* ---- the command ---- */

struct completion_options {
    struct common common;
    bool commands;
};

static const struct option_row rows[] = {
    {"commands", 0, FLAG(struct completion_options, commands), NULL, "only the names of the commands, one a line"},
    ROW_END,
};

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct completion_options *o = options;
    const char *shell = cli->operands[0];
    if (o->commands) {
        for (size_t i = 0; cli_commands[i]; i++)
            puts(cli_commands[i]->name);
        return 0;
    }
    if (!shell)
        return cli_misuse(cli, err, "no shell given: bash, zsh or fish");
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else if (strcmp(shell, "fish") == 0)
        print_fish();
    else
        return cli_misuse(cli, err, "'%.40s' is none of bash, zsh, fish", shell);
    return 0;
}

const struct command cmd_completion = {
    .name = "completion",
    .usage = (const char *const[]){"bash|zsh|fish", NULL},
    .summary = "print what a shell needs to complete rouse's commands",
    .text = "An installation puts it where the shells look. Without one: the lines below, in the shell's own start-up file.",
    .options = rows,
    .options_size = sizeof(struct completion_options),
    .examples = (const struct example[]){{"source <(rouse completion bash)", "in ~/.bashrc"},
                                         {"source <(rouse completion zsh)", "in ~/.zshrc, after compinit"},
                                         {"rouse completion fish | source", "in ~/.config/fish/config.fish"},
                                         {NULL, NULL}},
    .max_operands = 1,
    .operands_are = OPERANDS_SHELL,
    .run = run,
};
