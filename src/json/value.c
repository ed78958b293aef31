#include "json/value.h"

#include "base/limits.h"
#include "json/jtext.h"

int json_value_parse(const char *text, size_t len, json_t **ret_value, rouse_error *err)
{
    if (len > LIMIT_JSON)
        return rouse_fail(err, ROUSE_ELIMIT, "JSON is larger than %u bytes", LIMIT_JSON);
    int code = jtext_check(text, len, NULL, err);
    if (code < 0)
        return code;
    json_error_t why;
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
    if (!value && json_error_code(&why) == json_error_out_of_memory)
        return rouse_fail_memory(err);
    if (!value)
        return rouse_fail(err, ROUSE_EDATA, "malformed JSON at byte %d: %s", why.position, why.text);
    *ret_value = value;
    return 0;
}

char *json_value_text(const json_t *value, rouse_error *err)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (!text)
        rouse_fail_memory(err);
    return text;
}
