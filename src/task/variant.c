#include "json/jtext.h"
#include "task/keys.h"

static int find_name(struct jslice name, const char *const *names, size_t *ret_index, rouse_error *err)
{
    for (size_t i = 0; names[i]; i++) {
        if (jtext_is(name, names[i])) {
            *ret_index = i;
            return 0;
        }
    }
    return rouse_fail(err, ROUSE_EDATA, "unknown update %.*s", (int)(name.len < 60 ? name.len : 60), name.at);
}

static int wrong_form(rouse_error *err)
{
    return rouse_fail(err, ROUSE_EDATA, "an update is an object with one member, named after what it does");
}

int variant_decode(const char *json, size_t len, const char *const *names, size_t *ret_index,
                   struct jslice *ret_content, rouse_error *err)
{
    struct jslice value, key, content = {0};
    struct jtext t;
    int code = jtext_check(json, len, &value, err);
    if (code < 0)
        return code;
    if (jtext_type(value) == JTYPE_STRING) {
        *ret_content = content;
        return find_name(value, names, ret_index, err);
    }
    if (jtext_type(value) != JTYPE_OBJECT)
        return wrong_form(err);
    code = jtext_open(&t, value.at, value.len, JTYPE_OBJECT, err);
    for (size_t members = 0; code >= 0 && (code = jtext_member(&t, &key, err)) > 0; members++) {
        if (members > 0)
            return wrong_form(err);
        code = jtext_value(&t, &content, err);
    }
    if (code < 0)
        return code;
    if (!content.at)
        return wrong_form(err);
    *ret_content = content;
    return find_name(key, names, ret_index, err);
}
