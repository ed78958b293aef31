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

/* ---- copying: one look at the rows finds what there is to copy ---- */

/* How long the list is, with its NULL; adds what its texts take. */
static size_t measure_strings(const char *const *strings, size_t *size)
{
    size_t count = 0;
    for (; strings[count]; count++)
        *size += strlen(strings[count]) + 1;
    return count + 1;
}

/* One more than the place of the item before the last that is the same text; 0 = none. */
static size_t find_same(const struct jfields_owned *o, const void *text)
{
    size_t i = o->count - 1;
    while (i > 0 && o->items[i - 1].value != text)
        i--;
    return i;
}

static void add_item(struct jfields_owned *o, const struct jfield *row, size_t place, const void *value)
{
    if (o->count == JFIELDS_OWNED) {
        o->size = SIZE_MAX / 2; /* a table with too many: nobody gets room for that */
        return;
    }
    struct jfields_item *item = &o->items[o->count++];
    *item = (struct jfields_item){.place = place, .value = value};
    if (row->type == JFIELD_STRINGS)
        item->list = measure_strings(value, &item->size);
    else if ((item->same = find_same(o, value)) == 0)
        item->size = strlen(value) + 1;
    o->lists += item->list;
    o->size += item->size + item->list * sizeof(char *);
}

static void gather(const struct jfields *fields, const char *from, size_t offset, struct jfields_owned *o)
{
    const char *part = NULL;
    if (fields->part_size) {
        memcpy(&part, from + fields->part_at, sizeof part);
        o->part = part;
        o->part_at = offset + fields->part_at;
        o->part_size = part ? fields->part_size : 0;
        o->size += o->part_size;
    }
    for (const struct jfield *row = fields->rows, *end = row + fields->count; row < end; row++) {
        if (row->type > JFIELD_RAW && row->type != JFIELD_OBJECT)
            continue;
        bool in_part = row->need == JFIELD_PART;
        if (in_part && !part)
            break;
        const char *at = (in_part ? part : from) + row->offset;
        size_t place = (in_part ? o->part_base : offset) + row->offset;
        const void *value;
        memcpy(&value, at, sizeof value);
        if (row->type == JFIELD_OBJECT)
            gather(row->object, at, place, o);
        else if (value)
            add_item(o, row, place, value);
    }
}

void jfields_gather(const struct jfields *fields, const void *from, size_t size, struct jfields_owned *ret_owned)
{
    ret_owned->count = ret_owned->size = ret_owned->part_size = ret_owned->lists = 0;
    ret_owned->part = NULL;
    ret_owned->part_base = size;
    gather(fields, from, 0, ret_owned);
}

static void *take(char **at, const void *bytes, size_t size)
{
    void *copy = memcpy(*at, bytes, size);
    *at += size;
    return copy;
}

/* The pointers at place, their texts at *at. */
static const char **copy_strings(const char *const *strings, char *place, char **at)
{
    const char **copy = (const char **)(void *)place;
    size_t i = 0;
    for (; strings[i]; i++)
        copy[i] = take(at, strings[i], strlen(strings[i]) + 1);
    copy[i] = NULL;
    return copy;
}

void jfields_own(const struct jfields_owned *owned, void *room, void *into)
{
    const void *copies[JFIELDS_OWNED];
    char *part = room, *lists = part + owned->part_size, *at = lists + owned->lists * sizeof(char *);
    if (owned->part) {
        memcpy(part, owned->part, owned->part_size);
        memcpy((char *)into + owned->part_at, &part, sizeof part);
    }
    for (size_t i = 0; i < owned->count; i++) {
        const struct jfields_item *item = &owned->items[i];
        const void *copy;
        if (item->list) {
            copy = copy_strings(item->value, lists, &at);
            lists += item->list * sizeof(char *);
        } else {
            copy = item->same ? copies[item->same - 1] : take(&at, item->value, item->size);
        }
        copies[i] = copy;
        bool in_part = item->place >= owned->part_base;
        memcpy(in_part ? part + (item->place - owned->part_base) : (char *)into + item->place, &copy, sizeof copy);
    }
}
