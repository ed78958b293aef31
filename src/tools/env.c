#include "tools/env.h"

#include <string.h>
#include <strings.h>

static bool ends_with(const char *name, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len >= n && strncasecmp(name + len - n, end, n) == 0;
}

static bool contains(const char *name, size_t len, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= len; i++)
        if (strncasecmp(name + i, part, n) == 0)
            return true;
    return false;
}

bool env_is_secret(const char *assignment)
{
    size_t len = strcspn(assignment, "=");
    return ends_with(assignment, len, "_KEY") || ends_with(assignment, len, "_TOKEN") ||
           ends_with(assignment, len, "_SECRET") || contains(assignment, len, "PASSWORD");
}

static bool is_named(const char *assignment, const char *name)
{
    size_t len = strlen(name);
    return strncmp(assignment, name, len) == 0 && assignment[len] == '=';
}

static bool is_passed_on(const char *assignment, bool keep_model_key)
{
    static const char *const own[] = {"ROUSE_TASK", "ROUSE_TASK_TOKEN", "ROUSE_THREAD", "ROUSE_STORE"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (is_named(assignment, own[i]))
            return false;
    bool is_model_key = is_named(assignment, "OPENAI_API_KEY") || is_named(assignment, "ANTHROPIC_API_KEY");
    return !env_is_secret(assignment) || (keep_model_key && is_model_key);
}

int env_for_task(const char *const *env, bool keep_model_key, struct arena *arena, const char *const **ret_env,
                 rouse_error *err)
{
    size_t n = 0, kept = 0;
    while (env && env[n])
        n++;
    const char **copy = arena_alloc(arena, (n + 1) * sizeof(char *));
    if (!copy)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < n; i++)
        if (is_passed_on(env[i], keep_model_key))
            copy[kept++] = env[i];
    copy[kept] = NULL;
    *ret_env = copy;
    return 0;
}
