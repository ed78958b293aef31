#include "support/check.h"

#include "base/utf8.h"

static void test_length(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len, expected;
    } rows[] = {
        {"a", 1, 1},
        {"\0", 1, 1},
        {"\x7f", 1, 1},
        {"\xc2\x80", 2, 2},
        {"\xdf\xbf", 2, 2},
        {"\xe0\xa0\x80", 3, 3},
        {"\xef\xbf\xbf", 3, 3},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\x80", 1, 0},
        {"\xc0\x80", 2, 0},         /* overlong */
        {"\xc1\xbf", 2, 0},         /* overlong */
        {"\xe0\x9f\xbf", 3, 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
        {"\xed\xa0\x80", 3, 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 4, 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
        {"\xc3", 1, 0}, /* cut off */
        {"\xe4\xb8", 2, 0},
        {"\xc3(", 2, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (utf8_length(rows[i].bytes, rows[i].len) != rows[i].expected)
            fail_msg("row %zu", i);
    }
}

static void test_cut(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80"; /* 1, 2, 3, 4 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < COUNT(expected); max++)
        assert_int_equal(utf8_cut(text, sizeof text - 1, max), expected[max]);
    assert_true(utf8_is_valid(text, sizeof text - 1));
    assert_false(utf8_is_valid(text, sizeof text - 2));
}

static void test_printable(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *text, *expected;
    } rows[] = {
        {20, "plain", "plain"},
        {20, "\x1b]0;x\x07", "?]0;x?"},
        {20, "a\nb\tc\rd\x7f", "a?b?c?d?"},
        {20,
         "\xc2\x9b"
         "31m",
         "?31m"}, /* the one-byte form of ESC [ */
        {20, "\xff\xc3\xa9\xc3", "?\xc3\xa9?"},
        {4, "\xc3\xa9\xc3\xa9", "\xc3\xa9"},
        {1, "x", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[32];
        memset(out, '#', sizeof out);
        utf8_copy_printable(out, rows[i].size, rows[i].text);
        assert_string_equal(out, rows[i].expected);
        assert_int_equal(out[rows[i].size], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
