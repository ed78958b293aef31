#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

static char **words;

static const struct {
    const char *name;
    void (*run)(void);
} commands[] = {
    {"cycle", cmd_cycle},           /* n= cycles=: start and complete tasks one by one, with n finished ones there */
    {"lookups", cmd_lookups},       /* n= samples= */
    {"held", cmd_held},             /* n= commits=: with and without a snapshot held */
    {"bytes", cmd_bytes},           /* n=: memory per finished task */
    {"document", cmd_document},     /* n=: export and import */
    {"fill", cmd_fill},             /* n= running= */
    {"open", cmd_open},             /* expect=: until the first list */
    {"start", cmd_start},           /* n= batch= threads= */
    {"bare-rows", cmd_bare_rows},   /* n= batch= */
    {"tasks", cmd_tasks},           /* n= slots= command= */
    {"bare-spawn", cmd_bare_spawn}, /* n= slots= command= */
    {"output", cmd_output},         /* bytes= actor= */
    {"bare-output", cmd_bare_output},
    {"many", cmd_many},             /* n= command=: starts them, then cancels them when stdin ends */
    {"wake", cmd_wake},             /* n= actor= */
    {"cancel", cmd_cancel},         /* n= actor= grace= */
    {"parked", cmd_parked},         /* n=: memory of each, and cancelling all */
    {"functions", cmd_functions},   /* n=: start, run, event received, one at a time */
    {"function-batches", cmd_function_batches},
    {"view", cmd_view},             /* n= samples= */
    {"waiters", cmd_waiters},       /* n=: that many on as many tasks, in one process */
};

const char *bench_word(const char *name, const char *otherwise)
{
    size_t len = strlen(name);
    for (char **word = words; *word; word++) {
        if (strncmp(*word, name, len) == 0 && (*word)[len] == '=')
            return *word + len + 1;
    }
    if (!otherwise)
        bench_fail(name, "missing");
    return otherwise;
}

long bench_number(const char *name, long otherwise)
{
    const char *text = bench_word(name, "");
    char *end;
    long value = strtol(text, &end, 10);
    if (*end)
        bench_fail(name, "not a number");
    return *text ? value : otherwise;
}

double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

double bench_cpu(void)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return seconds_of(&self) + seconds_of(&children);
}

void bench_say(const char *name, double value)
{
    printf("%s %.9g\n", name, value);
}

static int compare(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

double bench_middle(double *values, size_t count, double quantile)
{
    qsort(values, count, sizeof *values, compare);
    size_t at = (size_t)((double)count * quantile);
    return values[at < count ? at : count - 1];
}

void bench_fail(const char *what, const char *why)
{
    fprintf(stderr, "rouse-bench: %s: %s\n", what, why);
    exit(2);
}

void bench_check(int code, const char *what, const rouse_error *err)
{
    if (code < 0)
        bench_fail(what, err->message[0] ? err->message : rouse_error_text(code));
}

void *bench_memory(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        bench_fail("memory", "out of memory");
    return memory;
}

void bench_warm(size_t bytes)
{
    if (strcmp(bench_word("where", ""), "memory:") != 0 || bytes == 0)
        return;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_fail("memory", "out of memory");
    madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, 1, bytes);
    munmap(memory, bytes);
}

int main(int argc, char **argv)
{
    words = argv + (argc > 1 ? 2 : 1);
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            commands[i].run();
            return fflush(stdout) == 0 ? 0 : 2;
        }
    }
    bench_fail(argc > 1 ? argv[1] : "nothing", "no such measurement");
}
