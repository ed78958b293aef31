#include <regex.h>

#include "proc/proc.h"

int proc_check_pattern(const char *pattern, rouse_error *err)
{
    regex_t compiled;
    char reason[128];
    int code = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == REG_ESPACE)
        return rouse_fail_memory(err);
    if (code != 0) {
        regerror(code, NULL, reason, sizeof reason);
        return rouse_fail(err, ROUSE_EINVAL, "'%.80s' is no regular expression: %s", pattern, reason);
    }
    regfree(&compiled);
    return 0;
}
