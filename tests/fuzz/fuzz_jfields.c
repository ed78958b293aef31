/* Decoding by a table that has every type and every need; what is accepted can be read. */
#include "fuzz.h"
#include "json/jfields.h"

struct inner {
    const char *name;
    uint64_t number;
};

struct target {
    const char *text, **texts, *raw;
    struct jslice slice;
    uint64_t u;
    int64_t i;
    int n;
    bool yes, has_i;
    int choice;
    struct inner inner;
};

#define ROW(name, type, need, ...)                                                                                     \
    {                                                                                                                  \
#name, type, need, offsetof(struct target, name), __VA_ARGS__                                                  \
    }
static const char *const choices[] = {"running", "completed", "failed", NULL};
static const struct jfield inner_rows[] = {
    {"name", JFIELD_STRING, JFIELD_OPTIONAL, offsetof(struct inner, name), 0, NULL, NULL},
    {"number", JFIELD_U64, JFIELD_REQUIRED, offsetof(struct inner, number), 0, NULL, NULL},
};
static const struct jfields inner = {.rows = inner_rows, .count = 2};
static const struct jfield rows[] = {
    ROW(text, JFIELD_STRING, JFIELD_REQUIRED, 0, NULL, NULL),
    ROW(texts, JFIELD_STRINGS, JFIELD_OPTIONAL, 0, NULL, NULL),
    ROW(raw, JFIELD_RAW, JFIELD_OPTIONAL, 0, NULL, NULL),
    ROW(slice, JFIELD_SLICE, JFIELD_OPTIONAL, 0, NULL, NULL),
    ROW(u, JFIELD_U64, JFIELD_OPTIONAL, 0, NULL, NULL),
    ROW(i, JFIELD_I64, JFIELD_OPTIONAL, offsetof(struct target, has_i), NULL, NULL),
    ROW(n, JFIELD_INT, JFIELD_DEFAULT, 0, NULL, NULL),
    ROW(yes, JFIELD_BOOL, JFIELD_DEFAULT, 0, NULL, NULL),
    ROW(choice, JFIELD_ENUM, JFIELD_OPTIONAL, 0, choices, NULL),
    ROW(inner, JFIELD_OBJECT, JFIELD_OPTIONAL, 0, NULL, &inner),
};
static const struct jfields fields = {.rows = rows, .count = sizeof rows / sizeof *rows};
static const struct jfields strict = {.rows = rows, .count = sizeof rows / sizeof *rows, .strict = true};

static void must_be_readable(const struct target *t)
{
    must(t->text && strlen(t->text) < SIZE_MAX);
    for (size_t i = 0; t->texts && t->texts[i]; i++)
        must(strlen(t->texts[i]) < SIZE_MAX);
    must(!t->raw || jtext_check(t->raw, strlen(t->raw), NULL, NULL) == 0);
    must(!t->slice.at || jtext_check(t->slice.at, t->slice.len, NULL, NULL) == 0);
    must(t->choice >= 0 && t->choice < 3);
    must(t->has_i || t->i == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool accepted[2];
    for (int i = 0; i < 2; i++) {
        struct arena arena = {0};
        struct target t = {0};
        rouse_error err = {0};
        int code = jfields_decode(i ? &strict : &fields, (const char *)data, size, &arena, &t, &err);
        accepted[i] = code == 0;
        if (code < 0)
            must_say_why(code, &err);
        else
            must_be_readable(&t);
        arena_done(&arena);
    }
    must(accepted[0] || !accepted[1]);
    return 0;
}
