/* Patterns come from models as well. Three kinds are refused though the C library may take them: those whose repeats multiply to
 * more than memory holds, those with back-references, which make matching take exponential time, and those with numbers that the
 * supervisor's C library does not take. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proc/proc.h"

/* The larger of the numbers in "{n,m}", at least 1. */
static unsigned long repeats_at(const char *brace)
{
    char *end;
    unsigned long low = strtoul(brace + 1, &end, 10);
    unsigned long high = *end == ',' ? strtoul(end + 1, NULL, 10) : 0;
    unsigned long most = low > high ? low : high;
    return most > 0 ? most : 1;
}

static int check_cost(const char *pattern, rouse_error *err)
{
    unsigned long repeats = 1;
    if (strlen(pattern) > LIMIT_PATTERN)
        return rouse_fail(err, ROUSE_EINVAL, "a pattern may have %d bytes", LIMIT_PATTERN);
    for (const char *c = pattern; *c; c++) {
        if (c[0] == '\\' && c[1] >= '1' && c[1] <= '9')
            return rouse_fail(err, ROUSE_EINVAL, "'%.80s' has a back-reference, which patterns here may not", pattern);
        if (c[0] == '\\' && c[1] != '\0') {
            c++;
            continue;
        }
        unsigned long n = *c == '{' ? repeats_at(c) : 1;
        if (n > LIMIT_PATTERN_REPEAT)
            return rouse_fail(err, ROUSE_EINVAL, "'%.80s' has a number above %d in braces", pattern, LIMIT_PATTERN_REPEAT);
        if ((repeats *= n) > LIMIT_PATTERN_REPEATS)
            return rouse_fail(err, ROUSE_EINVAL, "'%.80s' repeats more than %d times", pattern, LIMIT_PATTERN_REPEATS);
    }
    return 0;
}

int proc_check_pattern(const char *pattern, rouse_error *err)
{
    regex_t compiled;
    char reason[128];
    int code = check_cost(pattern, err);
    if (code < 0)
        return code;
    code = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == REG_ESPACE)
        return rouse_fail_memory(err);
    if (code != 0) {
        regerror(code, NULL, reason, sizeof reason);
        return rouse_fail(err, ROUSE_EINVAL, "'%.80s' is no regular expression: %s", pattern, reason);
    }
    regfree(&compiled);
    return 0;
}
