#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"

static const struct dialect *const dialects[] = {&openai_dialect, &anthropic_dialect};

static const char *behind(const char *text, const char *word)
{
    size_t len = strlen(word);
    return strncmp(text, word, len) == 0 && text[len] == ':' ? text + len + 1 : NULL;
}

static bool has_kind(const char *text)
{
    bool found = behind(text, "scripted") != NULL;
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        found = found || behind(text, dialects[i]->name);
    return found;
}

/* Where the next model of a list begins, or NULL: a comma may also be part of a file's name. */
static const char *next_of(const char *list)
{
    const char *comma = strchr(list, ',');
    while (comma && !has_kind(comma + 1))
        comma = strchr(comma + 1, ',');
    return comma ? comma + 1 : NULL;
}

static int open_one(const char *name, const rouse_model_options *options, rouse_model **ret_model, rouse_error *err)
{
    const char *rest = behind(name, "scripted");
    if (rest)
        return scripted_open(rest, ret_model, err);
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        rest = behind(name, dialects[i]->name);
        if (rest)
            return remote_open(dialects[i], rest, options, ret_model, err);
    }
    return remote_open(&openai_dialect, name, options, ret_model, err);
}

static int open_list(const char *list, const rouse_model_options *options, rouse_model **models, size_t *count, rouse_error *err)
{
    for (const char *at = list, *next; at; at = next) {
        next = next_of(at);
        if (*count == LIMIT_MODELS)
            return rouse_fail(err, ROUSE_ELIMIT, "more than %d models in a list", LIMIT_MODELS);
        char *name = strndup(at, next ? (size_t)(next - at) - 1 : strlen(at));
        int code = name ? open_one(name, options, &models[*count], err) : rouse_fail_memory(err);
        free(name);
        if (code < 0)
            return code;
        ++*count;
    }
    return 0;
}

int rouse_model_open(const char *selector, const rouse_model_options *options, rouse_model **ret_model,
                     rouse_error *err)
{
    const rouse_model_options none = {0};
    const char *list = selector && selector[0] ? selector : getenv("OPENAI_MODEL");
    rouse_model *models[LIMIT_MODELS];
    size_t count = 0;
    if (!list || !list[0])
        return rouse_fail(err, ROUSE_EINVAL, "no model named; give one with --model or set OPENAI_MODEL");
    int code = open_list(list, options ? options : &none, models, &count, err);
    if (code == 0 && count == 1)
        *ret_model = models[0];
    else if (code == 0)
        code = fallback_open(models, count, ret_model, err);
    while (code < 0 && count > 0)
        rouse_model_free(models[--count]);
    return code;
}
