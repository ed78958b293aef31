/* Reading a command line by the rows of a command. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/text.h"

struct parse {
    const struct command *command;
    char **argv;
    size_t argc, at;
    void *fill;
    rouse_error *err;
};

static const char *row_name(const void *table, size_t i)
{
    return ((const struct option_row *)table)[i].name;
}

/* Wrong use: "<command>: <text>; see 'rouse <command> --help'". Before a command's name there is no command to speak of. */
static int misuse(const struct parse *p, const char *format, ...) ROUSE_PRINTF(2, 3);
static int misuse(const struct parse *p, const char *format, ...)
{
    const char *name = p->command->name;
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return rouse_fail(p->err, ROUSE_EINVAL, "%s%s%s; see 'rouse %s%s--help'", name ? name : "", name ? ": " : "", text,
                      name ? name : "", name ? " " : "");
}

static int unknown(const struct parse *p, const char *word, size_t len)
{
    char name[64] = "";
    if (len < sizeof name)
        memcpy(name, word, len);
    const char *meant = word[1] == '-' && len > 2 ? suggest(name + 2, row_name, p->command->options) : NULL;
    if (meant)
        return misuse(p, "unknown option '%.*s' (did you mean '--%s'?)", (int)(len < 80 ? len : 80), word, meant);
    return misuse(p, "unknown option '%.*s'", (int)(len < 80 ? len : 80), word);
}

static int store_value(struct parse *p, const struct option_row *row, const char *value)
{
    void *at = (char *)p->fill + row->offset;
    rouse_error why;
    int code = 0;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)at = true;
        break;
    case OPTION_TEXT:
        *(const char **)at = value;
        break;
    case OPTION_TEXTS: {
        struct texts *texts = at;
        if (!texts->items)
            texts->items = calloc(p->argc, sizeof *texts->items);
        if (!texts->items)
            return rouse_fail_memory(p->err);
        texts->items[texts->count++] = value;
        break;
    }
    case OPTION_DURATION: {
        struct duration *duration = at;
        code = text_read_duration(value, &duration->ms, &why);
        duration->given = true;
        break;
    }
    case OPTION_NUMBER: {
        struct number *number = at;
        code = text_read_number(value, &number->value, &why);
        number->given = true;
        break;
    }
    case OPTION_SIGNAL:
        code = text_read_signal(value, at, &why);
        break;
    }
    if (code < 0)
        return rouse_fail(p->err, code, "%s: --%s: %s", p->command->name, row->name, why.message);
    return 0;
}

/* The next word as the value of row. */
static int take_next(struct parse *p, const struct option_row *row)
{
    if (p->at >= p->argc)
        return misuse(p, "option '--%s' needs a value, %s", row->name, row->value);
    return store_value(p, row, p->argv[p->at++]);
}

static int parse_long(struct parse *p, const char *word)
{
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    for (const struct option_row *row = p->command->options; row->name; row++) {
        if (strlen(row->name) != len || strncmp(row->name, name, len) != 0)
            continue;
        bool has_value = name[len] == '=';
        if (row->kind == OPTION_FLAG && has_value)
            return misuse(p, "option '--%s' takes no value", row->name);
        if (row->kind == OPTION_FLAG || has_value)
            return store_value(p, row, has_value ? name + len + 1 : NULL);
        return take_next(p, row);
    }
    return unknown(p, word, len + 2);
}

/* A cluster of letters; the last may have its value behind it. */
static int parse_letters(struct parse *p, const char *word)
{
    for (const char *c = word + 1; *c; c++) {
        const struct option_row *row = p->command->options;
        while (row->name && row->letter != *c)
            row++;
        if (!row->name)
            return unknown(p, word, strlen(word));
        if (row->kind != OPTION_FLAG)
            return c[1] ? store_value(p, row, c + 1) : take_next(p, row);
        int code = store_value(p, row, NULL);
        if (code < 0)
            return code;
    }
    return 0;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int check_operands(const struct parse *p, size_t count)
{
    const struct command *c = p->command;
    if (count < c->min_operands)
        return misuse(p, "no %s given", c->operand);
    if (count > c->max_operands)
        return misuse(p, "'%.80s' is too much", p->argv[c->max_operands]);
    return 0;
}

int options_parse(const struct command *command, char **argv, size_t argc, void *fill, size_t *ret_operands,
                  rouse_error *err)
{
    struct parse p = {.command = command, .argv = argv, .argc = argc, .fill = fill, .err = err};
    size_t operands = 0;
    bool only_operands = false;
    while (p.at < argc) {
        char *word = argv[p.at++];
        int code = 0;
        if (only_operands || word[0] != '-' || word[1] == '\0') {
            argv[operands++] = word;
            only_operands = only_operands || command->stops_at_operand;
        } else if (strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (asks_for_help(word)) {
            return 1;
        } else {
            code = word[1] == '-' ? parse_long(&p, word) : parse_letters(&p, word);
        }
        if (code < 0)
            return code;
    }
    int code = check_operands(&p, operands);
    if (code < 0)
        return code;
    argv[operands] = NULL;
    *ret_operands = operands;
    return 0;
}

void options_done(const struct command *command, void *fill)
{
    for (const struct option_row *row = command->options; row->name; row++) {
        if (row->kind == OPTION_TEXTS)
            free(((struct texts *)(void *)((char *)fill + row->offset))->items);
    }
}
