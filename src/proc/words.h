/* The words that a supervisor is started with: written by start.c, read by rouse-shim, from one table.
 *
 *   rouse-shim [--option value]… [--reaper N word1 … wordN] -- command… */
#ifndef PROC_WORDS_H
#define PROC_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct words { /* NULL, 0 and false: not asked for. All is borrowed */
    const char *id;
    const char *file; /* the command's program, found */
    const char *cwd, *bell, *ready_when, *die_at;
    const char *input; /* pipe or tty */
    const char *umask, *nice;
    uint64_t timeout_ms, idle_timeout_ms, grace_ms, rows, columns, cpu_seconds, memory_bytes, files, head, tail;
    bool session, wait_tree, durable, stay;
    const char *const *reaper, *const *command; /* NULL-terminated */
};

#define WORDS_MAX 64 /* besides those of reaper and command */
#define WORDS_NUMBERS 12

/* False when they are not such words. reaper and command become parts of argv, which is changed for it. */
bool words_read(struct words *fill, int argc, char **argv);
/* Fills argv, which has room for WORDS_MAX words and those of reaper and command. Returns how many they are; numbers holds what
 * stands in for numbers. */
size_t words_write(const struct words *words, const char **argv, char numbers[WORDS_NUMBERS][24]);

#endif
