#include "support/json_same.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json/jtext.h"

static bool same(struct json_same *how, struct jslice a, struct jslice b);

/* Both as C strings in an arena. */
static bool same_text(struct jslice a, struct jslice b)
{
    struct arena arena = {0};
    char *x = jtext_string(a, &arena), *y = jtext_string(b, &arena);
    bool is = x && y && strcmp(x, y) == 0;
    arena_done(&arena);
    return is;
}

static bool find_last(struct jslice object, struct jslice name, struct jslice *ret_value)
{
    struct jtext t;
    struct jslice key, value;
    bool found = false;
    int code = jtext_open(&t, object.at, object.len, JTYPE_OBJECT, NULL);
    while (code >= 0 && (code = jtext_member(&t, &key, NULL)) > 0) {
        code = jtext_value(&t, &value, NULL);
        if (code == 0 && same_text(key, name)) {
            *ret_value = value;
            found = true;
        }
    }
    return found && code == 0;
}

/* Every member of a is in b, with the same value when values is set. */
static bool members_in(struct json_same *how, struct jslice a, struct jslice b, bool values)
{
    struct jtext t;
    struct jslice key, value, x, y;
    int code = jtext_open(&t, a.at, a.len, JTYPE_OBJECT, NULL);
    while (code >= 0 && (code = jtext_member(&t, &key, NULL)) > 0) {
        code = jtext_value(&t, &value, NULL);
        if (code < 0 || !find_last(a, key, &x))
            return false;
        bool there = find_last(b, key, &y);
        if (!there && values && how->null_result_is_none && jtext_is(key, "result") && jtext_type(x) == JTYPE_NULL) {
            how->null_results++;
            continue;
        }
        if (!there || (values && !same(how, x, y)))
            return false;
    }
    return code == 0;
}

static bool same_items(struct json_same *how, struct jslice a, struct jslice b)
{
    struct jtext s, t;
    struct jslice x, y;
    if (jtext_open(&s, a.at, a.len, JTYPE_ARRAY, NULL) < 0 || jtext_open(&t, b.at, b.len, JTYPE_ARRAY, NULL) < 0)
        return false;
    for (;;) {
        int left = jtext_item(&s, &x, NULL), right = jtext_item(&t, &y, NULL);
        if (left <= 0 || right <= 0)
            return left == 0 && right == 0;
        if (!same(how, x, y))
            return false;
    }
}

static bool is_whole(struct jslice number)
{
    for (size_t i = 0; i < number.len; i++) {
        if (number.at[i] < '0' || number.at[i] > '9')
            return false;
    }
    return true;
}

/* Whole numbers exactly, others as doubles, in which the other program's own rounding may be off by one place. */
static bool same_number(struct jslice a, struct jslice b)
{
    if (is_whole(a) && is_whole(b) && a.len < 20 && b.len < 20)
        return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
    struct arena arena = {0};
    char *x = arena_text(&arena, a.at, a.len), *y = arena_text(&arena, b.at, b.len);
    double u = x ? strtod(x, NULL) : 0, v = y ? strtod(y, NULL) : 1;
    arena_done(&arena);
    return u == v || nextafter(u, v) == v;
}

static bool same(struct json_same *how, struct jslice a, struct jslice b)
{
    if (jtext_type(a) != jtext_type(b))
        return false;
    switch (jtext_type(a)) {
    case JTYPE_NULL:
        return true;
    case JTYPE_BOOL:
        return *a.at == *b.at;
    case JTYPE_NUMBER:
        return same_number(a, b);
    case JTYPE_STRING:
        return same_text(a, b);
    case JTYPE_ARRAY:
        return same_items(how, a, b);
    case JTYPE_OBJECT:
        return members_in(how, a, b, true) && members_in(how, b, a, false);
    }
    return false;
}

bool json_same(struct json_same *how, const char *ours, const char *theirs)
{
    struct jslice a, b;
    return jtext_check(ours, strlen(ours), &a, NULL) == 0 && jtext_check(theirs, strlen(theirs), &b, NULL) == 0 &&
           same(how, a, b);
}
