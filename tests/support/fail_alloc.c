#include "fail_alloc.h"

#include <stddef.h>

static struct {
    bool on, failed;
    unsigned long left; /* allocations before the one that fails */
    enum fail_alloc how;
} failing;

void fail_alloc_at(unsigned long n, enum fail_alloc how)
{
    failing.on = true;
    failing.failed = false;
    failing.left = n - 1;
    failing.how = how;
}

bool fail_alloc_stop(void)
{
    failing.on = false;
    return failing.failed;
}

bool fail_alloc_now(void)
{
    if (!failing.on || (failing.failed && failing.how == FAIL_ONCE))
        return false;
    if (failing.left > 0) {
        failing.left--;
        return false;
    }
    failing.failed = true;
    return true;
}

/* The linker's names for the real function and for the one that is called in its place. */
#define WRAP(result, name, parameters, arguments)                                                                      \
    result __real_##name parameters;                                                                                   \
    result __wrap_##name parameters;                                                                                   \
    result __wrap_##name parameters                                                                                    \
    {                                                                                                                  \
        return fail_alloc_now() ? NULL : __real_##name arguments;                                                      \
    }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, (void *at, size_t size), (at, size))
WRAP(void *, reallocarray, (void *at, size_t count, size_t size), (at, count, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t size), (text, size))
