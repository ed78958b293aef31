#include "proc/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REAPER "--reaper"

static const struct option {
    const char *name;
    enum { TEXT, NUMBER, FLAG } kind;
    size_t at;
} options[] = {
    {"--id", TEXT, offsetof(struct words, id)},
    {"--exec", TEXT, offsetof(struct words, file)},
    {"--cwd", TEXT, offsetof(struct words, cwd)},
    {"--bell", TEXT, offsetof(struct words, bell)},
    {"--ready-when", TEXT, offsetof(struct words, ready_when)},
    {"--die-at", TEXT, offsetof(struct words, die_at)},
    {"--input", TEXT, offsetof(struct words, input)},
    {"--umask", TEXT, offsetof(struct words, umask)},
    {"--nice", TEXT, offsetof(struct words, nice)},
    {"--timeout", NUMBER, offsetof(struct words, timeout_ms)},
    {"--idle-timeout", NUMBER, offsetof(struct words, idle_timeout_ms)},
    {"--grace", NUMBER, offsetof(struct words, grace_ms)},
    {"--rows", NUMBER, offsetof(struct words, rows)},
    {"--columns", NUMBER, offsetof(struct words, columns)},
    {"--cpu", NUMBER, offsetof(struct words, cpu_seconds)},
    {"--memory", NUMBER, offsetof(struct words, memory_bytes)},
    {"--files", NUMBER, offsetof(struct words, files)},
    {"--head", NUMBER, offsetof(struct words, head)},
    {"--tail", NUMBER, offsetof(struct words, tail)},
    {"--session", FLAG, offsetof(struct words, session)},
    {"--wait-tree", FLAG, offsetof(struct words, wait_tree)},
    {"--durable", FLAG, offsetof(struct words, durable)},
    {"--stay", FLAG, offsetof(struct words, stay)},
};

/* ---- reading ---- */

static bool read_number(uint64_t *fill, const char *value)
{
    char *end = NULL;
    errno = 0;
    *fill = value ? strtoull(value, &end, 10) : 0;
    return end && end > value && *end == '\0' && errno == 0;
}

/* How many words it took, 0 when it is no option. */
static int read_option(struct words *fill, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        void *at = (char *)fill + options[i].at;
        if (strcmp(name, options[i].name) != 0)
            continue;
        if (options[i].kind == FLAG)
            *(bool *)at = true;
        else if (options[i].kind == TEXT)
            *(const char **)at = value;
        else if (!read_number(at, value))
            return 0;
        return options[i].kind == FLAG ? 1 : value ? 2 : 0;
    }
    return 0;
}

/* N word1 … wordN: moved down by one, which makes room for the NULL behind them. 0 when it is not like that. */
static int read_reaper(struct words *fill, int argc, char **argv)
{
    uint64_t n;
    if (argc < 1 || !read_number(&n, argv[0]) || n < 1 || n >= (uint64_t)argc)
        return 0;
    for (size_t i = 0; i < n; i++)
        argv[i] = argv[i + 1];
    argv[n] = NULL;
    fill->reaper = (const char *const *)argv;
    return (int)n + 2;
}

bool words_read(struct words *fill, int argc, char **argv)
{
    int i = 1;
    while (i < argc && strcmp(argv[i], "--") != 0) {
        bool reaper = strcmp(argv[i], REAPER) == 0;
        int words = reaper ? read_reaper(fill, argc - i - 1, argv + i + 1) : read_option(fill, argv[i], argv[i + 1]);
        if (words == 0)
            return false;
        i += words;
    }
    fill->command = (const char *const *)argv + i + 1;
    return i + 1 < argc && fill->file;
}

/* ---- writing ---- */

static size_t add_all(const char **argv, size_t n, const char *const *words)
{
    for (; words && *words; words++)
        argv[n++] = *words;
    return n;
}

static size_t count(const char *const *words)
{
    size_t n = 0;
    while (words && words[n])
        n++;
    return n;
}

static const char *say_number(uint64_t number, char (**numbers)[24])
{
    char *digits = *(*numbers)++;
    snprintf(digits, sizeof **numbers, "%llu", (unsigned long long)number);
    return digits;
}

size_t words_write(const struct words *words, const char **argv, char numbers[WORDS_NUMBERS][24])
{
    size_t n = 0;
    char(*next)[24] = numbers;
    argv[n++] = "rouse-shim";
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const void *at = (const char *)words + options[i].at;
        const char *value = NULL;
        if (options[i].kind == TEXT)
            value = *(const char *const *)at;
        else if (options[i].kind == NUMBER && *(const uint64_t *)at > 0)
            value = say_number(*(const uint64_t *)at, &next);
        else if (options[i].kind == NUMBER || !*(const bool *)at)
            continue;
        if (options[i].kind == TEXT && !value)
            continue;
        argv[n++] = options[i].name;
        if (value)
            argv[n++] = value;
    }
    if (words->reaper) {
        argv[n++] = REAPER;
        argv[n++] = say_number(count(words->reaper), &next);
        n = add_all(argv, n, words->reaper);
    }
    argv[n++] = "--";
    return add_all(argv, n, words->command);
}
