#include "support/check.h"

#include "json/jnumber.h"

static void test_scan(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t expected;
    } rows[] = {
        {"0", 1},      {"-0", 2},     {"10", 2},        {"1.5", 3},    {"-1.5e3", 6}, {"1E+2", 4},  {"1e-07", 5},
        {"0.0", 3},    {"0e0", 3},    {"12,", 2},       {"1]", 1},     {"0x10", 1},   {"1 ", 1},    {"1.0.0", 3},
        {"", 0},       {"-", 0},      {"01", 0},        {"-01", 0},    {"1.", 0},     {"1.e3", 0},  {".5", 0},
        {"1e", 0},     {"1e+", 0},    {"+1", 0},        {"--1", 0},    {"NaN", 0},    {"1.-1", 0},  {"00", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = jnumber_scan(rows[i].text, strlen(rows[i].text));
        if (n != rows[i].expected)
            fail_msg("'%s': %zu instead of %zu", rows[i].text, n, rows[i].expected);
    }
}

static void test_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool out;
    } rows[] = {
        {"0", false},
        {"0e999999999999999999999", false},
        {"0.000e400", false},
        {"1e308", false},
        {"1e309", true},
        {"1e999", true},
        {"-1e400", true},
        {"1e99999999999999999999", true},
        {"1e-99999999999999999999", false},
        {"1.7976931348623157e308", false},
        {"1.7976931348623158e308", false},    /* rounds down to the largest double */
        {"1.7976931348623159e308", true},     /* rounds up to infinity */
        {"17976931348623159e292", true},
        {"0.00017976931348623157e312", false},
        {"0.00017976931348623159e312", true},
        {"10e307", false},
        {"10e308", true},
        {"0.01e310", false},
        {"0.1e310", true},
        {"1.79769313486231580793728971405303415079934132710037826936173778980444968292764e308", true},
        {"1.79769313486231580793728971405303415079934132710037826936173778980444968292763e308", false},
        {"123456789012345678901234567890", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (jnumber_is_out_of_range(rows[i].text, strlen(rows[i].text)) != rows[i].out)
            fail_msg("'%s'", rows[i].text);
    }
}

/* A whole number of that many digits. */
static bool long_number_is_out(size_t digits, char first)
{
    char text[400];
    memset(text, '0', digits);
    text[0] = first;
    return jnumber_is_out_of_range(text, digits);
}

static void test_long_whole_numbers(void **state)
{
    (void)state;
    assert_false(long_number_is_out(308, '9'));
    assert_false(long_number_is_out(309, '1'));
    assert_true(long_number_is_out(309, '2'));
    assert_true(long_number_is_out(310, '1'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_long_whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
