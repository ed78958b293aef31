/* Reading a tree. It is built here and not by jansson's parser, which loses characters in silence when memory is short. */
#include "json/value.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "json/jtext.h"

static int build(struct jtext *t, json_t **ret_value, rouse_error *err);

/* A real number, whatever the locale's decimal point is. */
static int build_real(struct jslice value, json_t **ret_value, rouse_error *err)
{
    struct buf text = BUF_INIT(0);
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    buf_add(&text, value.at, value.len);
    json_t *number = plain && !text.failed ? json_real(strtod_l(text.data, NULL, plain)) : NULL;
    if (plain)
        freelocale(plain);
    buf_done(&text);
    if (!number)
        return rouse_fail_memory(err);
    *ret_value = number;
    return 0;
}

static int build_number(struct jslice value, json_t **ret_value, rouse_error *err)
{
    int64_t whole;
    bool real =
        memchr(value.at, '.', value.len) || memchr(value.at, 'e', value.len) || memchr(value.at, 'E', value.len);
    if (real)
        return build_real(value, ret_value, err);
    if (!jtext_i64(value, &whole))
        return rouse_fail(err, ROUSE_EDATA, "whole number '%.*s' is larger than 64 bits",
                          (int)(value.len < 40 ? value.len : 40), value.at);
    json_t *number = json_integer(whole);
    if (!number)
        return rouse_fail_memory(err);
    *ret_value = number;
    return 0;
}

/* The characters, without U+0000, which has no place in a C string. *ret_text Returns free. */
static int unescape(struct jslice string, char **ret_text, rouse_error *err)
{
    char *text = malloc(string.len);
    if (!text)
        return rouse_fail_memory(err);
    jtext_unescape(string, text);
    if (strstr(text, "\xc0\x80")) {
        free(text);
        return rouse_fail(err, ROUSE_EDATA, "a string holds the character \\u0000");
    }
    *ret_text = text;
    return 0;
}

static int build_string(struct jslice value, json_t **ret_value, rouse_error *err)
{
    char *text;
    int code = unescape(value, &text, err);
    if (code < 0)
        return code;
    json_t *string = json_string_nocheck(text); /* jtext has checked it */
    free(text);
    if (!string)
        return rouse_fail_memory(err);
    *ret_value = string;
    return 0;
}

static int fill_array(json_t *array, struct jtext *t, rouse_error *err)
{
    int code;
    while ((code = jtext_next_item(t, err)) > 0) {
        json_t *child = NULL;
        code = build(t, &child, err);
        if (code == 0 && json_array_append_new(array, child) < 0)
            code = rouse_fail_memory(err);
        if (code < 0)
            break;
    }
    return code;
}

/* Takes child. */
static int set_member(json_t *object, struct jslice key, json_t *child, rouse_error *err)
{
    char *name;
    int code = unescape(key, &name, err);
    if (code < 0) {
        json_decref(child);
        return code;
    }
    if (json_object_get(object, name)) {
        json_decref(child);
        code = rouse_fail(err, ROUSE_EDATA, "duplicate member '%.60s'", name);
    } else if (json_object_set_new_nocheck(object, name, child) < 0) {
        code = rouse_fail_memory(err);
    }
    free(name);
    return code;
}

static int fill_object(json_t *object, struct jtext *t, rouse_error *err)
{
    struct jslice key;
    int code;
    while ((code = jtext_member(t, &key, err)) > 0) {
        json_t *child = NULL;
        code = build(t, &child, err);
        if (code == 0)
            code = set_member(object, key, child, err);
        if (code < 0)
            break;
    }
    return code;
}

static int build_container(struct jtext *t, bool object, json_t **ret_value, rouse_error *err)
{
    struct jtext inner;
    json_t *container = object ? json_object() : json_array();
    if (!container)
        return rouse_fail_memory(err);
    jtext_enter(t, &inner);
    int code = object ? fill_object(container, &inner, err) : fill_array(container, &inner, err);
    if (code < 0) {
        json_decref(container);
        return code;
    }
    t->at = inner.at;
    *ret_value = container;
    return 0;
}

/* Recursive: the document has been checked, so it is not deeper than LIMIT_JSON_DEPTH. */
static int build(struct jtext *t, json_t **ret_value, rouse_error *err)
{
    enum jtype type;
    struct jslice value;
    int code = jtext_peek(t, &type, err);
    if (code == 0 && (type == JTYPE_OBJECT || type == JTYPE_ARRAY))
        return build_container(t, type == JTYPE_OBJECT, ret_value, err);
    if (code == 0)
        code = jtext_value(t, &value, err);
    if (code < 0)
        return code;
    if (type == JTYPE_NUMBER)
        return build_number(value, ret_value, err);
    if (type == JTYPE_STRING)
        return build_string(value, ret_value, err);
    *ret_value = type == JTYPE_NULL ? json_null() : json_boolean(*value.at == 't');
    return 0;
}

int json_value_parse(const char *text, size_t len, json_t **ret_value, rouse_error *err)
{
    if (len > LIMIT_JSON)
        return rouse_fail(err, ROUSE_ELIMIT, "JSON is larger than %u bytes", LIMIT_JSON);
    int code = jtext_check(text, len, NULL, err);
    struct jtext t = {.start = text, .at = text, .end = text + len};
    return code < 0 ? code : build(&t, ret_value, err);
}
