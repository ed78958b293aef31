/* What the commands share. A command is one file, cmd_<name>.c, with one `struct command` in it, and one row in commands.c.
 * Its options are rows too: parsing, --help and the man page are made from them.
 *
 * A command returns its exit status, or a ROUSE_E… with err filled: then main prints `rouse: <message>` and exits as
 * rouse_error_exit_status says. Nothing in this room exits by itself. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "rouse/task.h"

struct cli;

/* ---- options ---- */

struct duration { /* of an option that may be left out */
    bool given;
    uint64_t ms;
};

struct number {
    bool given;
    uint64_t value;
};

struct texts { /* of an option that may be repeated; items are borrowed from argv */
    const char **items;
    size_t count;
};

struct common { /* every command's options begin with these */
    const char *store;
    const char *thread;
    bool json;
};

enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_TEXTS,    /* struct texts */
    OPTION_DURATION, /* struct duration */
    OPTION_NUMBER,   /* struct number */
    OPTION_SIGNAL,   /* int */
};

struct option_row {
    const char *name; /* NULL ends the rows */
    char letter;      /* 0 = none */
    enum option_kind kind;
    size_t offset;     /* into the command's options */
    const char *value; /* how help calls the value; NULL for flags */
    const char *help;
};

/* kind and offset of a member; a member of another type does not compile. */
#define OPTION_MEMBER(kind_, ctype, owner, member)                                                                     \
    .kind = (kind_), .offset = offsetof(owner, member) + 0 * sizeof((ctype *)0 == &((owner *)0)->member)
#define FLAG(owner, member) OPTION_MEMBER(OPTION_FLAG, bool, owner, member)
#define TEXT(owner, member) OPTION_MEMBER(OPTION_TEXT, const char *, owner, member)
#define TEXTS(owner, member) OPTION_MEMBER(OPTION_TEXTS, struct texts, owner, member)
#define DURATION(owner, member) OPTION_MEMBER(OPTION_DURATION, struct duration, owner, member)
#define NUMBER(owner, member) OPTION_MEMBER(OPTION_NUMBER, struct number, owner, member)
#define SIGNAL(owner, member) OPTION_MEMBER(OPTION_SIGNAL, int, owner, member)

#define ROW_STORE {"store", 0, TEXT(struct common, store), "DIR", "where the tasks are kept"}
#define ROW_THREAD {"thread", 0, TEXT(struct common, thread), "T", "whose tasks; 'default' unless ROUSE_THREAD says otherwise"}
#define ROW_JSON {"json", 0, FLAG(struct common, json), NULL, "print one JSON document"}
#define ROW_END {.name = NULL}

/* ---- commands ---- */

struct example {
    const char *line, *does;
};

enum operand_kind { /* for completion */
    OPERANDS_OTHER,
    OPERANDS_TASKS,   /* ids and names */
    OPERANDS_RUNNING, /* of tasks that run */
    OPERANDS_FILE,
    OPERANDS_COMMAND, /* of rouse */
    OPERANDS_PROGRAM, /* a command line of its own */
    OPERANDS_SHELL,
};

struct command {
    const char *name;
    const char *const *usage; /* what follows `rouse NAME`, one form each; NULL-terminated */
    const char *summary;      /* one line: what it does */
    const char *text;         /* what else to know, in paragraphs; or NULL */
    const struct option_row *options;
    size_t options_size;
    const struct example *examples;  /* ends with line NULL; or NULL */
    bool stops_at_operand;           /* what follows the first operand is not ours to read */
    size_t min_operands, max_operands;
    const char *operand;             /* how errors call a missing one */
    enum operand_kind operands_are;
    int (*run)(struct cli *cli, const void *options, rouse_error *err);
};

extern const struct command *const cli_commands[]; /* NULL-terminated, in the order of help */
const struct command *command_find(const char *name); /* or NULL */

/* Reads argv[0..argc) into fill (zeroed, command->options_size bytes, its `common` may be set already). Operands are moved
 * to the front of argv, in order, with a NULL behind them (argv has room for one at argc); *ret_operands is their number.
 * Returns 0, 1 when --help was asked for, or ROUSE_EINVAL, ROUSE_ENOMEM. Call options_done afterwards in any case. */
int options_parse(const struct command *command, char **argv, size_t argc, void *fill, size_t *ret_operands,
                  rouse_error *err);
void options_done(const struct command *command, void *fill);
/* Of the rows of a NULL-named-terminated table of names, the one that `word` was probably meant to be, or NULL. */
const char *suggest(const char *word, const char *(*name_at)(const void *table, size_t i), const void *table);

void help_print_all(void);
void help_print_command(const struct command *command);
void help_print_manual(void); /* rouse.1 */

struct named_text {
    const char *name, *text;
};
extern const struct named_text help_environment[], help_exit_status[]; /* end with name NULL */

/* ---- what a running command has ---- */

struct cli {
    const struct command *command;
    struct common common;
    char **operands;
    size_t count;
    rouse_store *store;     /* after cli_open */
    rouse_manager *manager; /* after cli_open */
    const char *thread;     /* after cli_open: --thread, $ROUSE_THREAD or "default" */
};

/* Opens store and manager. looks: the command changes nothing, so a --store that is not there is a slip, not a wish. */
int cli_open(struct cli *cli, bool looks, rouse_error *err);
int cli_open_with(struct cli *cli, bool looks, const rouse_manager_options *how, rouse_error *err);
void cli_close(struct cli *cli);
/* Raises wrong use of the command: "<command>: <message>; see 'rouse <command> --help'". */
int cli_misuse(const struct cli *cli, rouse_error *err, const char *format, ...) ROUSE_PRINTF(3, 4);
/* $name, or NULL when it is not set or empty. */
const char *cli_getenv(const char *name);
/* The task this process is, when the open store is the one it is a task of; else NULL. */
const char *cli_own_task(const struct cli *cli);
uint64_t cli_now(const struct cli *cli);
/* Whether an agent reads how the thread's tasks end: one has run there, or an event was acknowledged. 1, 0 or an error. */
int cli_has_reader(const struct cli *cli, rouse_error *err);

#endif
