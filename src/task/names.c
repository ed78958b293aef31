/* Which names a task may have (DEFECTS 15, COMPAT section 7). */
#include <string.h>

#include "base/limits.h"
#include "task/manager.h"

static const char *const reserved_names[] = {"parent", "self", "all", "broadcast"};

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool task_is_id(const char *text)
{
    if (strncmp(text, "bg_", 3) != 0 || text[3] == '\0')
        return false;
    return text[3 + strspn(text + 3, "0123456789")] == '\0';
}

int task_check_name(const char *name, rouse_error *err)
{
    size_t len = strlen(name);
    bool ok = len >= 1 && len <= LIMIT_TASK_NAME;
    for (size_t i = 0; ok && i < len; i++)
        ok = is_name_character(name[i]);
    if (!ok)
        return rouse_fail(err, ROUSE_EINVAL, "'%.80s' cannot be a name: use 1 to 64 of letters, digits, '.', '_', '-'", name);
    for (size_t i = 0; i < sizeof reserved_names / sizeof *reserved_names; i++) {
        if (strcmp(name, reserved_names[i]) == 0)
            return rouse_fail(err, ROUSE_EINVAL, "'%s' is a reserved name", name);
    }
    if (task_is_id(name))
        return rouse_fail(err, ROUSE_EINVAL, "'%s' cannot be a name: it looks like a task id", name);
    return 0;
}
