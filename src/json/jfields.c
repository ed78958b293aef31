#include "json/jfields.h"

#include <limits.h>
#include <stdalign.h>
#include <string.h>

static int wrong_type(const struct jfield *row, const char *expected, struct jslice value, rouse_error *err)
{
    enum jtype type = jtext_type(value);
    if (type == JTYPE_NUMBER || type == JTYPE_BOOL)
        return rouse_fail(err, ROUSE_EDATA, "`%s` must be %s, not %.*s", row->name, expected,
                          (int)(value.len < 40 ? value.len : 40), value.at);
    return rouse_fail(err, ROUSE_EDATA, "`%s` must be %s, not %s", row->name, expected, jtext_type_name(type));
}

static int read_text(const struct jfield *row, struct jslice value, struct arena *arena, const char **ret,
                     rouse_error *err)
{
    if (row->type != JFIELD_RAW && jtext_type(value) != JTYPE_STRING)
        return wrong_type(row, "a string", value, err);
    char *text = row->type == JFIELD_RAW ? arena_text(arena, value.at, value.len) : jtext_string(value, arena);
    if (!text)
        return rouse_fail_memory(err);
    *ret = text;
    return 0;
}

static int count_items(struct jslice array, size_t *ret_count, rouse_error *err)
{
    struct jtext t;
    struct jslice item;
    size_t count = 0;
    int code = jtext_open(&t, array.at, array.len, JTYPE_ARRAY, err);
    while (code >= 0 && (code = jtext_item(&t, &item, err)) > 0)
        count++;
    *ret_count = count;
    return code;
}

static int read_strings(const struct jfield *row, struct jslice value, struct arena *arena, const char ***ret,
                        rouse_error *err)
{
    size_t count = 0;
    if (jtext_type(value) != JTYPE_ARRAY)
        return wrong_type(row, "an array of strings", value, err);
    int code = count_items(value, &count, err);
    if (code < 0)
        return code;
    const char **items = arena_alloc(arena, (count + 1) * sizeof *items);
    if (!items)
        return rouse_fail_memory(err);
    struct jtext t;
    struct jslice item;
    struct jfield each = {.name = row->name, .type = JFIELD_STRING};
    size_t i = 0;
    code = jtext_open(&t, value.at, value.len, JTYPE_ARRAY, err);
    while (code >= 0 && (code = jtext_item(&t, &item, err)) > 0)
        code = read_text(&each, item, arena, &items[i++], err);
    items[count] = NULL;
    if (code == 0)
        *ret = items;
    return code;
}

static int read_number(const struct jfield *row, struct jslice value, void *into, rouse_error *err)
{
    uint64_t u;
    int64_t i;
    if (jtext_type(value) != JTYPE_NUMBER)
        return wrong_type(row, "a whole number", value, err);
    if (row->type == JFIELD_U64) {
        if (!jtext_u64(value, &u))
            return wrong_type(row, "a whole number from 0 to 18446744073709551615", value, err);
        memcpy(into, &u, sizeof u);
        return 0;
    }
    bool fits = jtext_i64(value, &i);
    if (row->type == JFIELD_I64 && fits) {
        memcpy(into, &i, sizeof i);
        return 0;
    }
    if (!fits || i < INT_MIN || i > INT_MAX || row->type != JFIELD_INT)
        return wrong_type(row, "a whole number that fits", value, err);
    int small = (int)i;
    memcpy(into, &small, sizeof small);
    return 0;
}

static int read_enum(const struct jfield *row, struct jslice value, void *into, rouse_error *err)
{
    if (jtext_type(value) != JTYPE_STRING)
        return wrong_type(row, "a string", value, err);
    for (int i = 0; row->names[i]; i++) {
        if (jtext_is(value, row->names[i])) {
            memcpy(into, &i, sizeof i);
            return 0;
        }
    }
    return rouse_fail(err, ROUSE_EDATA, "`%s` has an unknown value %.*s", row->name,
                      (int)(value.len < 60 ? value.len : 60), value.at);
}

static int read_object(const struct jfield *row, struct jslice value, struct arena *arena, void *into, rouse_error *err)
{
    if (jtext_type(value) != JTYPE_OBJECT)
        return wrong_type(row, "an object", value, err);
    int code = jfields_decode(row->object, value.at, value.len, arena, into, err);
    return code < 0 && code != ROUSE_ENOMEM ? rouse_fail_context(err, code, "in `%s`", row->name) : code;
}

int jfield_read(const struct jfield *row, struct jslice value, struct arena *arena, void *into, rouse_error *err)
{
    char *at = (char *)into + row->offset;
    if (row->has)
        *(bool *)((char *)into + row->has) = true;
    switch (row->type) {
    case JFIELD_STRING:
    case JFIELD_RAW:
        return read_text(row, value, arena, (const char **)(void *)at, err);
    case JFIELD_SLICE:
        memcpy(at, &value, sizeof value);
        return 0;
    case JFIELD_STRINGS:
        return read_strings(row, value, arena, (const char ***)(void *)at, err);
    case JFIELD_U64:
    case JFIELD_I64:
    case JFIELD_INT:
        return read_number(row, value, at, err);
    case JFIELD_BOOL:
        return jtext_bool(value, (bool *)at) ? 0 : wrong_type(row, "true or false", value, err);
    case JFIELD_ENUM:
        return read_enum(row, value, at, err);
    case JFIELD_OBJECT:
        return read_object(row, value, arena, at, err);
    }
    return rouse_fail(err, ROUSE_EINVAL, "`%s` has no type", row->name);
}

/* Members mostly come in the table's order: the search begins behind the last one found. */
static size_t find_row(const struct jfields *fields, struct jslice key, uint64_t seen)
{
    size_t from = seen ? (size_t)(64 - __builtin_clzll(seen)) : 0;
    for (size_t i = from; i < fields->count; i++) {
        if (jtext_is(key, fields->rows[i].name))
            return i;
    }
    for (size_t i = 0; i < from; i++) {
        if (jtext_is(key, fields->rows[i].name))
            return i;
    }
    return fields->count;
}

/* Where a row's offset counts from; NULL when out of memory. */
static void *target_of(const struct jfields *fields, const struct jfield *row, struct arena *arena, void *into)
{
    if (row->need != JFIELD_PART)
        return into;
    void **part = (void **)(void *)((char *)into + fields->part_at);
    if (!*part && (*part = arena_alloc(arena, fields->part_size)) != NULL)
        memset(*part, 0, fields->part_size);
    return *part;
}

/* The value behind key, into its place or nowhere. */
static int take_member(const struct jfields *fields, struct jtext *t, struct jslice key, uint64_t *seen,
                       struct arena *arena, void *into, rouse_error *err)
{
    struct jslice value;
    size_t i = find_row(fields, key, *seen);
    if (i == fields->count)
        return fields->strict ? jtext_value(t, &value, err) : jtext_skim(t, &value, err);
    const struct jfield *row = &fields->rows[i];
    if (*seen & (UINT64_C(1) << i))
        return rouse_fail(err, ROUSE_EDATA, "duplicate field `%s`", row->name);
    *seen |= UINT64_C(1) << i;
    int code = row->type == JFIELD_OBJECT ? jtext_skim(t, &value, err) : jtext_value(t, &value, err);
    if (code < 0)
        return code;
    bool takes_null = row->type == JFIELD_RAW || row->type == JFIELD_SLICE;
    if ((row->need == JFIELD_OPTIONAL || row->need == JFIELD_PART) && !takes_null && jtext_type(value) == JTYPE_NULL)
        return 0;
    void *target = target_of(fields, row, arena, into);
    return target ? jfield_read(row, value, arena, target, err) : rouse_fail_memory(err);
}

int jfields_decode(const struct jfields *fields, const char *text, size_t len, struct arena *arena, void *into,
                   rouse_error *err)
{
    struct jtext t;
    struct jslice key;
    uint64_t seen = 0;
    int code = jtext_open(&t, text, len, JTYPE_OBJECT, err);
    while (code >= 0 && (code = jtext_member(&t, &key, err)) > 0)
        code = take_member(fields, &t, key, &seen, arena, into, err);
    if (code == 0)
        code = jtext_end(&t, err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->rows[i].need == JFIELD_REQUIRED && !(seen & (UINT64_C(1) << i)))
            return rouse_fail(err, ROUSE_EDATA, "missing field `%s`", fields->rows[i].name);
    }
    return 0;
}

static bool copy_text(struct arena *arena, const char **text)
{
    if (*text)
        *text = arena_text(arena, *text, strlen(*text));
    return *text != NULL;
}

static bool copy_strings(struct arena *arena, const char ***strings)
{
    size_t count = 0;
    while ((*strings)[count])
        count++;
    const char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    if (!copy)
        return false;
    memcpy(copy, *strings, (count + 1) * sizeof *copy);
    *strings = copy;
    for (size_t i = 0; i < count; i++) {
        if (!copy_text(arena, &copy[i]))
            return false;
    }
    return true;
}

static bool copy_part(const struct jfields *fields, struct arena *arena, void *into, char **ret_part)
{
    void **part = (void **)(void *)((char *)into + fields->part_at);
    if (fields->part_size == 0 || !*part)
        return true;
    void *copy = arena_alloc(arena, fields->part_size);
    if (copy)
        *ret_part = *part = memcpy(copy, *part, fields->part_size);
    return copy != NULL;
}

static size_t size_of_strings(const char *const *strings)
{
    size_t size = sizeof *strings + alignof(max_align_t);
    for (; *strings; strings++)
        size += sizeof *strings + strlen(*strings) + 1;
    return size;
}

static size_t size_of_field(const struct jfield *row, const void *at)
{
    const char *const *text = at;
    const char *const *const *strings = at;
    if (row->type == JFIELD_STRING || row->type == JFIELD_RAW)
        return *text ? strlen(*text) + 1 : 0;
    if (row->type == JFIELD_STRINGS)
        return *strings ? size_of_strings(*strings) : 0;
    return row->type == JFIELD_OBJECT ? jfields_size(row->object, at) : 0;
}

size_t jfields_size(const struct jfields *fields, const void *from)
{
    const char *part = fields->part_size ? *(void *const *)(const void *)((const char *)from + fields->part_at) : NULL;
    size_t size = part ? fields->part_size + alignof(max_align_t) : 0;
    for (size_t i = 0; i < fields->count; i++) {
        const struct jfield *row = &fields->rows[i];
        const char *base = row->need == JFIELD_PART ? part : from;
        size += base ? size_of_field(row, base + row->offset) : 0;
    }
    return size;
}

int jfields_copy(const struct jfields *fields, struct arena *arena, void *into)
{
    char *part = NULL;
    if (!copy_part(fields, arena, into, &part))
        return ROUSE_ENOMEM;
    for (size_t i = 0; i < fields->count; i++) {
        const struct jfield *row = &fields->rows[i];
        if (row->need == JFIELD_PART && !part)
            continue;
        void *at = (row->need == JFIELD_PART ? part : (char *)into) + row->offset;
        const char **text = at;
        const char ***strings = at;
        bool ok = true;
        if (row->type == JFIELD_STRING || row->type == JFIELD_RAW)
            ok = !*text || copy_text(arena, text);
        else if (row->type == JFIELD_STRINGS)
            ok = !*strings || copy_strings(arena, strings);
        else if (row->type == JFIELD_OBJECT)
            ok = jfields_copy(row->object, arena, at) == 0;
        if (!ok)
            return ROUSE_ENOMEM;
    }
    return 0;
}
