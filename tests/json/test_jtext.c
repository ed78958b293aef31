#include "support/check.h"

#include <stdio.h>

#include "base/limits.h"
#include "json/jtext.h"

static void test_accepted(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "18446744073709551616",
        "1e-400",
        "\"\"",
        "[]",
        "{}",
        " [ ] ",
        "\t{\r\n}\n",
        "[1,2,[3,{\"a\":[]}],\"x\"]",
        "{\"a\":1,\"a\":2,\"\":{}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\u0000\"",
        "\"\x7f\xc2\x80\xe2\x80\xa8\xf0\x9f\x98\x80\"",
        "[1 , 2 ]",
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_works(jtext_check(rows[i], strlen(rows[i]), NULL, &err));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "ends too early"},
        {"  ", "ends too early"},
        {"nul", "expected a value"},
        {"nullx", "byte 4: something follows"},
        {"1 2", "byte 2: something follows"},
        {"{} x", "byte 3: something follows"},
        {"\xef\xbb\xbf{}", "byte 0"},
        {"/*c*/{}", "byte 0: expected a value"},
        {"'x'", "byte 0"},
        {"NaN", "byte 0"},
        {"-", "invalid number"},
        {"01", "byte 0: invalid number"},
        {"1e999", "number out of range"},
        {"[1,-1e400]", "byte 3: number out of range"},
        {"[1,]", "byte 3: expected a value"},
        {"[,1]", "byte 1"},
        {"[1 2]", "expected ',' or ']'"},
        {"[1", "ends too early"},
        {"[1}", "expected ',' or ']'"},
        {"{\"a\":1]", "expected ',' or '}'"},
        {"{\"a\":1,}", "byte 7: expected a member's name"},
        {"{\"a\" 1}", "expected ':'"},
        {"{a:1}", "expected a member's name"},
        {"{1:1}", "expected a member's name"},
        {"{\"a\"}", "expected ':'"},
        {"\"abc", "ends too early"},
        {"\"a\nb\"", "byte 2: control character"},
        {"\"a\tb\"", "control character"},
        {"\"\\x41\"", "byte 2: unknown escape"},
        {"\"\\", "ends too early"},
        {"\"\\u12G4\"", "four hex digits"},
        {"\"\\u12\"", "four hex digits"},
        {"\"\\ud83d\"", "surrogate"},
        {"\"\\ud83dx\"", "surrogate"},
        {"\"\\ud83d\\ud83d\"", "surrogate"},
        {"\"\\ude00\"", "surrogate"},
        {"\"\x80\"", "byte 1: invalid UTF-8"},
        {"\"\xc0\x80\"", "invalid UTF-8"},
        {"\"\xed\xa0\x80\"", "invalid UTF-8"},
        {"{\"\\ud83d\":1}", "surrogate"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_refused(jtext_check(rows[i].text, strlen(rows[i].text), NULL, &err), ROUSE_EDATA, rows[i].message);
    assert_refused(jtext_check("\"a\0b\"", 5, NULL, &err), ROUSE_EDATA, "byte 2: control character");
    assert_refused(jtext_check("1\0", 2, NULL, &err), ROUSE_EDATA, "byte 1: something follows");
}

/* A byte more than is there must never be looked at: each prefix lies at the end of its own block. */
static void test_every_prefix(void **state)
{
    (void)state;
    static const char text[] = "{\"a\\u00e9\":[1.5e+3,true,null,\"\\ud83d\\ude00\xe4\xb8\xad\"],\"b\":{}}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_refused(jtext_check(copy, len, NULL, &err), ROUSE_EDATA, "JSON");
        free(copy);
    }
}

static char *nested(const char *open, const char *middle, const char *close, unsigned levels)
{
    struct buf out = BUF_INIT(0);
    for (unsigned i = 0; i < levels; i++)
        buf_adds(&out, open);
    buf_adds(&out, middle);
    for (unsigned i = 0; i < levels; i++)
        buf_adds(&out, close);
    return buf_take(&out, NULL);
}

static void test_depth(void **state)
{
    (void)state;
    static const struct {
        const char *open, *middle, *close;
    } rows[] = {{"[", "", "]"}, {"{\"a\":", "1", "}"}, {"[{\"a\":", "[]", "}]"}};
    static const unsigned most[] = {LIMIT_JSON_DEPTH, LIMIT_JSON_DEPTH, LIMIT_JSON_DEPTH / 2};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *fits = nested(rows[i].open, rows[i].middle, rows[i].close, most[i]);
        char *too_deep = nested(rows[i].open, rows[i].middle, rows[i].close, most[i] + 1);
        assert_works(jtext_check(fits, strlen(fits), NULL, &err));
        assert_refused(jtext_check(too_deep, strlen(too_deep), NULL, &err), ROUSE_ELIMIT, "deeper than 127 levels");
        free(fits);
        free(too_deep);
    }
    assert_refused(jtext_check_depth("[[1]]", 5, 1, &err), ROUSE_ELIMIT, "deeper than 1 levels at byte 1");
    char *hostile = nested("[", "", "", 1000000);
    assert_refused(jtext_check(hostile, strlen(hostile), NULL, &err), ROUSE_ELIMIT, "deeper");
    free(hostile);
}

static void test_walk(void **state)
{
    (void)state;
    static const char text[] = " {\"a\" : [ 1 , \"x\" ] , \"b\":{\"c\":null}, \"\\u0061\":2 } ";
    static const char *const names[] = {"a", "b", "a"}, *const values[] = {"[ 1 , \"x\" ]", "{\"c\":null}", "2"};
    struct jtext t;
    struct jslice key, value;
    size_t i = 0;
    int code = jtext_open(&t, text, sizeof text - 1, JTYPE_OBJECT, NULL);
    while (code >= 0 && (code = jtext_member(&t, &key, NULL)) > 0) {
        assert_true(jtext_is(key, names[i]));
        code = jtext_value(&t, &value, NULL);
        assert_int_equal(value.len, strlen(values[i]));
        assert_memory_equal(value.at, values[i], value.len);
        i++;
    }
    assert_int_equal(code, 0);
    assert_int_equal(i, 3);
    assert_works(jtext_end(&t, &err));
    assert_refused(jtext_open(&t, "[]", 2, JTYPE_OBJECT, &err), ROUSE_EDATA, "expected an object");
    assert_refused(jtext_open(&t, "{}", 2, JTYPE_ARRAY, &err), ROUSE_EDATA, "expected an array");
}

/* What is ignored needs only its form. */
static void test_skim(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool ok;
    } rows[] = {
        {"1e999", true}, {"\"\\ud83d\"", true}, {"[{\"a\":-1e400}]", true}, {"\"\\ud8\"", false},
        {"01", false},   {"\"\xff\"", false},   {"\"a\nb\"", false},        {"[1,]", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[64];
        struct jtext t;
        struct jslice slice;
        snprintf(text, sizeof text, "{\"x\":%s}", rows[i].value);
        assert_int_equal(jtext_open(&t, text, strlen(text), JTYPE_OBJECT, NULL), 0);
        assert_int_equal(jtext_member(&t, &slice, NULL), 1);
        assert_int_equal(jtext_skim(&t, &slice, NULL) == 0, rows[i].ok);
    }
    char *deep = nested("[", "", "]", 50000), *too_deep = nested("[", "", "]", 70000);
    struct jtext t = {.start = deep, .at = deep, .end = deep + strlen(deep)};
    struct jslice slice;
    assert_works(jtext_skim(&t, &slice, &err));
    t = (struct jtext){.start = too_deep, .at = too_deep, .end = too_deep + strlen(too_deep)};
    assert_refused(jtext_skim(&t, &slice, &err), ROUSE_ELIMIT, "deeper");
    free(deep);
    free(too_deep);
}

static struct jslice slice_of(const char *text)
{
    return (struct jslice){.at = text, .len = strlen(text)};
}

static void test_whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool u64, i64;
        uint64_t u;
        int64_t i;
    } rows[] = {
        {"0", true, true, 0, 0},
        {"42", true, true, 42, 42},
        {"-1", false, true, 0, -1},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", true, false, UINT64_C(9223372036854775808), 0},
        {"18446744073709551615", true, false, UINT64_MAX, 0},
        {"18446744073709551616", false, false, 0, 0},
        {"99999999999999999999999", false, false, 0, 0},
        {"-9223372036854775808", false, true, 0, INT64_MIN},
        {"-9223372036854775809", false, false, 0, 0},
        {"1.0", false, false, 0, 0},
        {"1e3", false, false, 0, 0},
        {"\"1\"", false, false, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t u = 0;
        int64_t n = 0;
        bool as_u = jtext_u64(slice_of(rows[i].text), &u), as_i = jtext_i64(slice_of(rows[i].text), &n);
        if (as_u != rows[i].u64 || as_i != rows[i].i64 || u != rows[i].u || n != rows[i].i)
            fail_msg("'%s'", rows[i].text);
    }
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\te\"", "a\"b\\c/d\b\f\n\r\te"},
        {"\"\\u0041\\u00e9\\u4e2d\\uFFFD\"", "A\xc3\xa9\xe4\xb8\xad\xef\xbf\xbd"},
        {"\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!"},
        {"\"a\\u0000b\"", "a\xc0\x80"
                          "b"},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jslice value = slice_of(rows[i].json);
        assert_string_equal(jtext_string(value, &arena), rows[i].text);
        assert_true(jtext_is(value, rows[i].text));
        assert_false(jtext_is(value, "other"));
    }
    assert_false(jtext_is(slice_of("\"ab\""), "a"));
    assert_false(jtext_is(slice_of("\"a\""), "ab"));
    assert_false(jtext_is(slice_of("null"), "null"));
    arena_done(&arena);
}

static void test_written_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"", "\"\""},
        {"a\"b\\c/d\b\f\n\r\te", "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\te\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"a\xc0\x80"
         "b",
         "\"a\\u0000b\""},
        {"a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
        {"<script>&", "\"<script>&\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(0);
        jtext_add_string(&out, rows[i].text, strlen(rows[i].text));
        assert_string_equal(buf_text(&out), rows[i].json);
        assert_works(jtext_check(out.data, out.len, NULL, &err));
        buf_done(&out);
    }
    struct buf out = BUF_INIT(0);
    jtext_add_string(&out, "a\0b", 3);
    assert_string_equal(buf_text(&out), "\"a\\u0000b\"");
    buf_done(&out);
}

/* Strings are read many bytes at a time: what needs a closer look must be seen wherever it stands. */
static void test_every_position(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool accepted;
        const char *written;
    } rows[] = {
        {"~", true, "~"},
        {"\x7f", true, "\x7f"},
        {"\x1f", false, "\\u001f"},
        {"\x01", false, "\\u0001"},
        {"\"", false, "\\\""},
        {"\\", false, "\\\\"},
        {"\\n", true, "\\\\n"},
        {"\xc3\xa9", true, "\xc3\xa9"},
        {"\xf0\x9f\x98\x80", true, "\xf0\x9f\x98\x80"},
        {"\x80", false, "\xef\xbf\xbd"},
        {"\xff", false, "\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int before = 0; before < 20; before++) {
            for (int behind = 0; behind < 20; behind++) {
                char text[64], json[80], expected[80];
                snprintf(text, sizeof text, "%.*s%s%.*s", before, "                    ", rows[i].bytes, behind,
                         "!!!!!!!!!!!!!!!!!!!!");
                snprintf(json, sizeof json, "\"%s\"", text);
                int code = jtext_check(json, strlen(json), NULL, NULL);
                assert_true((code == 0) == rows[i].accepted);
                struct buf out = BUF_INIT(0);
                jtext_add_string(&out, text, strlen(text));
                snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", before, "                    ", rows[i].written, behind,
                         "!!!!!!!!!!!!!!!!!!!!");
                assert_string_equal(buf_text(&out), expected);
                buf_done(&out);
            }
        }
    }
}

static void test_written_members(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    buf_addc(&out, '{');
    jtext_add_name(&out, "a");
    static const char raw[] = "{\n\"x\" :\r\n[1]}";
    jtext_add_raw(&out, raw, sizeof raw - 1);
    jtext_add_name(&out, "b");
    buf_addc(&out, '[');
    buf_addc(&out, ']');
    buf_addc(&out, '}');
    assert_string_equal(buf_text(&out), "{\"a\":{ \"x\" :  [1]},\"b\":[]}");
    buf_done(&out);
}

static void test_member_text(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"{\"a\":1,\"token\":\"x\\ty\"}", "x\ty"},
        {"{\"token\":\"first\",\"token\":\"second\"}", "first"},
        {"{\"token\":\"1234567890123456\"}", NULL},
        {"{\"token\":5}", NULL},
        {"{\"tok\":\"x\"}", NULL},
        {"{\"token\":\"x\"", NULL},
        {"{\"token\":\"x\"} y", NULL},
        {"[\"token\"]", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[16] = "untouched";
        bool found = jtext_member_text(rows[i].json, strlen(rows[i].json), "token", out, sizeof out);
        assert_int_equal(found, rows[i].text != NULL);
        assert_string_equal(out, rows[i].text ? rows[i].text : "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_skim),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_written_strings),
        cmocka_unit_test(test_every_position),
        cmocka_unit_test(test_written_members),
        cmocka_unit_test(test_member_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
