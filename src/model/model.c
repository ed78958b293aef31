#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

int rouse_model_open(const char *selector, const rouse_model_options *options, rouse_model **ret_model,
                     rouse_error *err)
{
    const rouse_model_options none = {0};
    const char *name = selector && selector[0] ? selector : getenv("OPENAI_MODEL");
    if (!name || !name[0])
        return rouse_fail(err, ROUSE_EINVAL, "no model named; give one with --model or set OPENAI_MODEL");
    const char *file = behind(name, "scripted:");
    if (file)
        return scripted_open(file, ret_model, err);
    const char *model = behind(name, "openai:");
    return openai_open(model ? model : name, options ? options : &none, ret_model, err);
}
