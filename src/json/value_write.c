/* Writing a tree. Done here and not by jansson, which leaves members out in silence when memory is short. */
#include "json/value.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "json/jtext.h"

struct writer {
    struct buf out;
    locale_t plain; /* in which the decimal point is a point */
    unsigned depth;
    bool too_deep;
};

static void write_value(struct writer *w, const json_t *value);

/* The shortest of the ways that read back as the same number. */
static void write_real(struct writer *w, double number)
{
    char text[40];
    locale_t before = uselocale(w->plain); /* of this thread only */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    uselocale(before);
    buf_adds(&w->out, text);
    if (!strpbrk(text, ".e"))
        buf_adds(&w->out, ".0"); /* or it would be read back as a whole number */
}

static void write_array(struct writer *w, const json_t *array)
{
    buf_addc(&w->out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buf_addc(&w->out, ',');
        write_value(w, json_array_get(array, i));
    }
    buf_addc(&w->out, ']');
}

static void write_object(struct writer *w, const json_t *object)
{
    const char *key;
    const char *comma = "";
    json_t *member;
    buf_addc(&w->out, '{');
    json_object_foreach((json_t *)(uintptr_t)object, key, member)
    {
        buf_adds(&w->out, comma);
        jtext_add_string(&w->out, key, strlen(key));
        buf_addc(&w->out, ':');
        write_value(w, member);
        comma = ",";
    }
    buf_addc(&w->out, '}');
}

static void write_container(struct writer *w, const json_t *value)
{
    if (w->depth >= LIMIT_JSON_DEPTH) {
        w->too_deep = true;
        return;
    }
    w->depth++;
    if (json_is_object(value))
        write_object(w, value);
    else
        write_array(w, value);
    w->depth--;
}

static void write_value(struct writer *w, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        write_container(w, value);
        return;
    case JSON_STRING:
        jtext_add_string(&w->out, json_string_value(value), json_string_length(value));
        return;
    case JSON_INTEGER:
        buf_addf(&w->out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    case JSON_REAL:
        write_real(w, json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_adds(&w->out, json_is_true(value) ? "true" : "false");
        return;
    case JSON_NULL:
        break;
    }
    buf_adds(&w->out, "null");
}

char *json_value_text(const json_t *value, rouse_error *err)
{
    struct writer w = {.out = BUF_INIT(0), .plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0)};
    char *text = NULL;
    if (value && w.plain)
        write_value(&w, value);
    if (!value || !w.plain)
        rouse_fail_memory(err);
    else if (w.too_deep)
        rouse_fail(err, ROUSE_ELIMIT, "JSON is nested deeper than %d levels", LIMIT_JSON_DEPTH);
    else
        text = buf_take(&w.out, err);
    if (w.plain)
        freelocale(w.plain);
    buf_done(&w.out);
    return text;
}
