#include "support/check.h"

#include "base/limits.h"
#include "json/jtext.h"
#include "json/value.h"

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "null",
        "1",
        "\"x\"",
        "[]",
        "{\"b\":1,\"a\":[true,null,{\"c\":\"\xc3\xa9\"}]}",
        "-9223372036854775808",
        "[1.5,-0.25,1e+300,0.1,3.0,3.141592653589793]",
        "{\"\":{\"\":[]}}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = NULL;
        assert_works(json_value_parse(rows[i], strlen(rows[i]), &value, &err));
        char *text = json_value_text(value, NULL);
        assert_string_equal(text, rows[i]);
        free(text);
        json_decref(value);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "ends too early"},
        {"{", "ends too early"},
        {"{\"a\":1,\"\\u0061\":2}", "duplicate member 'a'"},
        {"{\"\\u0000\":1}", "\\u0000"},
        {"[1] 2", "something follows"},
        {"18446744073709551616", "larger than 64 bits"},
        {"\"\\u0000\"", "\\u0000"},
        {"1e999", "out of range"},
        {"\"\xff\"", "UTF-8"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = NULL;
        assert_refused(json_value_parse(rows[i].text, strlen(rows[i].text), &value, &err), ROUSE_EDATA,
                       rows[i].message);
        assert_null(value);
    }
}

static void test_limits(void **state)
{
    (void)state;
    json_t *value = NULL;
    char *large = malloc(LIMIT_JSON + 1);
    assert_non_null(large);
    memset(large, ' ', LIMIT_JSON + 1);
    assert_refused(json_value_parse(large, LIMIT_JSON + 1, &value, &err), ROUSE_ELIMIT, "larger than");
    memset(large, '[', 200);
    assert_refused(json_value_parse(large, 200, &value, &err), ROUSE_ELIMIT, "deeper");
    free(large);
}

/* Built by hand, deeper than anybody could read. */
static void test_too_deep_to_write(void **state)
{
    (void)state;
    for (unsigned levels = LIMIT_JSON_DEPTH; levels <= LIMIT_JSON_DEPTH + 1; levels++) {
        json_t *value = json_array();
        for (unsigned i = 1; i < levels; i++)
            value = json_pack("[o]", value);
        rouse_error err = {0};
        char *text = json_value_text(value, &err);
        assert_int_equal(text != NULL, levels == LIMIT_JSON_DEPTH);
        assert_int_equal(err.code, text ? 0 : ROUSE_ELIMIT);
        free(text);
        json_decref(value);
    }
}

/* A megabyte of brackets within brackets is read in one go, not once for each level. */
static void test_each_byte_once(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(0);
    for (unsigned i = 0; i < LIMIT_JSON_DEPTH - 1; i++)
        buf_adds(&text, "{\"a\":");
    buf_addc(&text, '[');
    while (text.len < 1 << 20)
        buf_adds(&text, "1,");
    buf_adds(&text, "1]");
    for (unsigned i = 0; i < LIMIT_JSON_DEPTH - 1; i++)
        buf_addc(&text, '}');
    json_t *value = NULL;
    assert_works(json_value_parse(text.data, text.len, &value, &err));
    char *back = json_value_text(value, NULL);
    assert_string_equal(back, text.data);
    free(back);
    json_decref(value);
    buf_done(&text);
}

static void test_no_value(void **state)
{
    (void)state;
    rouse_error err = {0};
    assert_null(json_value_text(NULL, &err));
    assert_int_equal(err.code, ROUSE_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_too_deep_to_write),
        cmocka_unit_test(test_each_byte_once), cmocka_unit_test(test_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
