/* Which names a task may have (DEFECTS 15, COMPAT section 7). */
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "task/manager.h"

static const char *const reserved_names[] = {"parent", "self", "all", "broadcast"};

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

void task_id_of(uint64_t number, char fill[LIMIT_TASK_ID + 1])
{
    char all[DIGITS_SIZE];
    const char *digits = digits_of(number, all);
    memcpy(fill, "bg_", 3);
    memcpy(fill + 3, digits, strlen(digits) + 1);
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

int task_check_text(const char *what, const char *text, size_t max, rouse_error *err)
{
    if (!text)
        return 0;
    size_t len = strlen(text);
    if (len > max)
        return rouse_fail(err, ROUSE_ELIMIT, "%s is longer than %zu bytes", what, max);
    return utf8_is_valid(text, len) ? 0 : rouse_fail(err, ROUSE_EINVAL, "%s is not valid UTF-8", what);
}

int task_check_texts(const rouse_task_spec *spec, rouse_error *err)
{
    const struct {
        const char *what, *text;
        size_t max;
    } texts[] = {{"task type", spec->task_type, LIMIT_TASK_NAME},
                 {"parent task", spec->parent.task_id, LIMIT_LINEAGE_ID},
                 {"parent run", spec->parent.run_id, LIMIT_LINEAGE_ID},
                 {"parent call", spec->parent.call_id, LIMIT_LINEAGE_ID},
                 {"parent agent", spec->parent.agent_id, LIMIT_LINEAGE_ID}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int code = task_check_text(texts[i].what, texts[i].text, texts[i].max, err);
        if (code < 0)
            return code;
    }
    if (!spec->thread)
        return rouse_fail(err, ROUSE_EINVAL, "a task needs a thread");
    return spec->name ? task_check_name(spec->name, err) : 0;
}
