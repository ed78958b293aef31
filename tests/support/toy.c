#include "support/toy.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "json/jtext.h"

atomic_long toy_updates, toy_values;

void *toy_update(const char *commands)
{
    char *update = strdup(commands);
    toy_updates += update != NULL;
    return update;
}

static void release_update(void *update)
{
    toy_updates -= update != NULL;
    free(update);
}

static void release(void *value)
{
    toy_values -= value != NULL;
    free(value);
}

static char *value_of(const char *text)
{
    char *value = strdup(text);
    toy_values += value != NULL;
    return value;
}

static int check(rouse_edit *edit, const char *entry, const char *expected, rouse_error *err)
{
    const void *value;
    int code = rouse_edit_get(edit, entry, &value, err);
    if (code < 0)
        return code;
    if (value ? expected && strcmp(value, expected) == 0 : !expected)
        return 0;
    return rouse_fail(err, ROUSE_ECONFLICT, "it is '%s'", value ? (const char *)value : "absent");
}

/* One command: name and text are NULL when they are missing. */
static int run(rouse_edit *edit, char command, const char *name, const char *text, rouse_error *err)
{
    char *value = NULL;
    switch (command) {
    case '=':
    case '+':
        value = value_of(text ? text : "");
        return value ? rouse_edit_put(edit, name, value, err) : rouse_fail_memory(err);
    case '-':
        return rouse_edit_remove(edit, name, err);
    case '0':
        return rouse_edit_clear(edit, err);
    case '?':
        return check(edit, name, text, err);
    default:
        return rouse_fail(err, ROUSE_ECONFLICT, "told to fail");
    }
}

static int reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    char *commands = strdup(update), *save = NULL;
    if (!commands)
        return rouse_fail_memory(err);
    int code = 0;
    for (char *word = strtok_r(commands, " ", &save); word && code == 0; word = strtok_r(NULL, " ", &save)) {
        char *name = *word == '=' ? word : word + 1;
        char *text = strchr(name, '=');
        if (text)
            *text++ = '\0';
        char command = text == word + 1 && *word == '\0' ? '=' : *word;
        code = run(edit, command, *name ? name : NULL, text, err);
    }
    free(commands);
    return code;
}

static char *encode(const void *value, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    jtext_add_string(&out, value, strlen(value));
    char *text = buf_take(&out, err);
    buf_done(&out);
    return text;
}

static int decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    struct jslice slice;
    (void)entry;
    int code = jtext_check(json, len, &slice, err);
    if (code < 0)
        return code;
    if (jtext_type(slice) != JTYPE_STRING)
        return rouse_fail(err, ROUSE_EDATA, "not a string");
    char *value = malloc(slice.len);
    if (!value)
        return rouse_fail_memory(err);
    jtext_unescape(slice, value);
    toy_values++;
    *ret_value = value;
    return 0;
}

static int decode_update(const char *json, size_t len, void **ret_update, rouse_error *err)
{
    int code = decode(NULL, json, len, ret_update, err);
    if (code == 0) {
        toy_values--;
        toy_updates++;
    }
    return code;
}

#define TOY(key_name, key_shape, key_merge, json_updates)                                                              \
    {.name = key_name, .shape = key_shape, .scope = ROUSE_SCOPE_THREAD, .merge = key_merge, .map_member = "items",     \
     .reduce = reduce, .encode = encode, .decode = decode, .release = release, .decode_update = json_updates,          \
     .release_update = release_update}

const rouse_key toy_scalar = TOY("toy.scalar", ROUSE_SHAPE_SCALAR, ROUSE_MERGE_EXCLUSIVE, decode_update);
const rouse_key toy_other = TOY("toy.other", ROUSE_SHAPE_SCALAR, ROUSE_MERGE_EXCLUSIVE, NULL);
const rouse_key toy_map = TOY("toy.map", ROUSE_SHAPE_MAP, ROUSE_MERGE_EXCLUSIVE, NULL);
const rouse_key toy_sum = TOY("toy.sum", ROUSE_SHAPE_SCALAR, ROUSE_MERGE_COMMUTATIVE, NULL);
