#include <stdlib.h>

#include "support/check.h"

#include "json/jfields.h"

enum colour { RED, GREEN };
static const char *const colours[] = {"red", "green", NULL};

struct inner {
    const char *word;
    int n;
};

struct outer {
    const char *text;
    const char **words;
    const char *raw;
    uint64_t u;
    int64_t i;
    int n;
    bool b, has_inner, has_u;
    enum colour colour;
    struct inner inner;
    struct jslice slice;
};

static const struct jfield inner_rows[] = {
    {"word", JFIELD_STRING, JFIELD_REQUIRED, offsetof(struct inner, word), 0, NULL, NULL},
    {"n", JFIELD_INT, JFIELD_OPTIONAL, offsetof(struct inner, n), 0, NULL, NULL},
};
static const struct jfields inner_fields = {.rows = inner_rows, .count = 2};

static const struct jfield rows_[] = {
    {"text", JFIELD_STRING, JFIELD_DEFAULT, offsetof(struct outer, text), 0, NULL, NULL},
    {"words", JFIELD_STRINGS, JFIELD_OPTIONAL, offsetof(struct outer, words), 0, NULL, NULL},
    {"raw", JFIELD_RAW, JFIELD_OPTIONAL, offsetof(struct outer, raw), 0, NULL, NULL},
    {"u", JFIELD_U64, JFIELD_OPTIONAL, offsetof(struct outer, u), offsetof(struct outer, has_u), NULL, NULL},
    {"i", JFIELD_I64, JFIELD_OPTIONAL, offsetof(struct outer, i), 0, NULL, NULL},
    {"n", JFIELD_INT, JFIELD_OPTIONAL, offsetof(struct outer, n), 0, NULL, NULL},
    {"b", JFIELD_BOOL, JFIELD_OPTIONAL, offsetof(struct outer, b), 0, NULL, NULL},
    {"colour", JFIELD_ENUM, JFIELD_REQUIRED, offsetof(struct outer, colour), 0, colours, NULL},
    {"inner", JFIELD_OBJECT, JFIELD_OPTIONAL, offsetof(struct outer, inner), offsetof(struct outer, has_inner), NULL,
     &inner_fields},
    {"slice", JFIELD_SLICE, JFIELD_OPTIONAL, offsetof(struct outer, slice), 0, NULL, NULL},
};
static const struct jfields fields = {.rows = rows_, .count = COUNT(rows_)};
static const struct jfields strict_fields = {.rows = rows_, .count = COUNT(rows_), .strict = true};

static int decode(const char *json, struct arena *arena, struct outer *o, rouse_error *err)
{
    *o = (struct outer){.text = "default", .n = -1};
    return jfields_decode(&fields, json, strlen(json), arena, o, err);
}

static void test_all_members(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct outer o;
    assert_works(decode(
        "{\"unknown\":[1e999],\"text\":\"t\",\"words\":[\"a\",\"b\\n\"],\"raw\": { \"z\":1} "
        ",\"u\":18446744073709551615,"
        "\"i\":-9223372036854775808,\"n\":-7,\"b\":true,\"colour\":\"gr\\u0065en\",\"\\u0069nner\":{\"word\":\"w\","
        "\"n\":3,\"text\":5},\"slice\":null}",
        &arena, &o, &err));
    assert_string_equal(o.text, "t");
    assert_string_equal(o.words[0], "a");
    assert_string_equal(o.words[1], "b\n");
    assert_null(o.words[2]);
    assert_string_equal(o.raw, "{ \"z\":1}");
    assert_true(o.u == UINT64_MAX && o.i == INT64_MIN && o.n == -7 && o.b && o.has_u && o.has_inner);
    assert_int_equal(o.colour, GREEN);
    assert_string_equal(o.inner.word, "w");
    assert_int_equal(o.inner.n, 3);
    assert_int_equal(o.slice.len, 4);
    arena_done(&arena);
}

static void test_defaults_and_null(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct outer o;
    assert_works(decode("{\"colour\":\"red\",\"words\":null,\"raw\":null,\"u\":null,\"n\":null,\"inner\":null}", &arena,
                        &o, &err));
    assert_string_equal(o.text, "default");
    assert_null(o.words);
    assert_string_equal(o.raw, "null");
    assert_int_equal(o.n, -1);
    assert_false(o.has_inner || o.has_u);
    arena_done(&arena);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"{}", "missing field `colour`"},
        {"{\"Colour\":\"red\"}", "missing field `colour`"},
        {"{\"colour\":\"blue\"}", "`colour` has an unknown value \"blue\""},
        {"{\"colour\":1}", "`colour` must be a string, not 1"},
        {"{\"colour\":null}", "`colour` must be a string, not null"},
        {"{\"colour\":\"red\",\"colour\":\"red\"}", "duplicate field `colour`"},
        {"{\"u\":null,\"u\":1,\"colour\":\"red\"}", "duplicate field `u`"},
        {"{\"text\":null}", "`text` must be a string, not null"},
        {"{\"text\":{}}", "`text` must be a string, not an object"},
        {"{\"text\":true}", "`text` must be a string, not true"},
        {"{\"words\":\"x\"}", "`words` must be an array of strings"},
        {"{\"words\":[\"x\",1]}", "`words` must be a string, not 1"},
        {"{\"u\":-1}", "`u` must be a whole number from 0"},
        {"{\"u\":1.0}", "not 1.0"},
        {"{\"u\":\"1\"}", "`u` must be a whole number, not a string"},
        {"{\"i\":9223372036854775808}", "`i` must be a whole number that fits"},
        {"{\"n\":2147483648}", "`n` must be a whole number that fits"},
        {"{\"b\":0}", "`b` must be true or false"},
        {"{\"inner\":[]}", "`inner` must be an object, not an array"},
        {"{\"inner\":{}}", "in `inner`: missing field `word`"},
        {"{\"inner\":{\"word\":[]}}", "in `inner`: `word` must be a string"},
        {"{\"raw\":1e999}", "out of range"},
        {"{\"inner\":{\"word\":\"\\ud83d\"}}", "surrogate"},
        {"{\"colour\":\"red\"", "ends too early"},
        {"{\"colour\":\"red\"} x", "something follows"},
        {"[]", "expected an object"},
        {"", "ends too early"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = {0};
        struct outer o;
        assert_refused(decode(rows[i].json, &arena, &o, &err), ROUSE_EDATA, rows[i].message);
        arena_done(&arena);
    }
}

static void test_strict(void **state)
{
    (void)state;
    static const char json[] = "{\"colour\":\"red\",\"unknown\":1e999}";
    struct arena arena = {0};
    struct outer o;
    assert_works(jfields_decode(&fields, json, sizeof json - 1, &arena, &o, &err));
    assert_refused(jfields_decode(&strict_fields, json, sizeof json - 1, &arena, &o, &err), ROUSE_EDATA,
                   "out of range");
    arena_done(&arena);
}

static void test_copy(void **state)
{
    (void)state;
    struct arena first = {0};
    struct outer o;
    assert_works(decode("{\"text\":\"t\",\"words\":[\"a\"],\"raw\":[1],\"colour\":\"red\",\"inner\":{\"word\":\"w\"}}",
                        &first, &o, &err));
    struct outer copy = o;
    struct jfields_owned owned;
    jfields_gather(&fields, &o, sizeof o, &owned);
    void *room = malloc(owned.size);
    assert_non_null(room);
    jfields_own(&owned, room, &copy);
    assert_ptr_not_equal(copy.text, o.text);
    arena_done(&first);
    assert_string_equal(copy.text, "t");
    assert_string_equal(copy.words[0], "a");
    assert_null(copy.words[1]);
    assert_string_equal(copy.raw, "[1]");
    assert_string_equal(copy.inner.word, "w");
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_members), cmocka_unit_test(test_defaults_and_null),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_strict),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
