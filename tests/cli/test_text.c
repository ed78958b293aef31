#include "support/check.h"

#include <locale.h>
#include <signal.h>

#include "cli/text.h"

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"0", 0},       {"0s", 0},          {"7", 7000},         {"500ms", 500},      {"2s", 2000},
                {"5m", 300000}, {"1h", 3600000},    {"1h30m", 5400000},  {"1d", 86400000},    {"1m30s", 90000},
                {"1s1ms", 1001}, {"1d2h3m4s5ms", 93784005}, {"36500d", 36500ull * 86400000}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t ms = 1;
        assert_works(text_read_duration(rows[i].text, &ms, &err));
        assert_int_equal(ms, rows[i].ms);
    }
}

static void test_bad_durations(void **state)
{
    static const char *const rows[] = {"",    "s",    "-1",   "1x",  "1 s",   "1s ",      "1.5s", "1s2s", "1s1m",
                                       "1ms1s", "2h1h", "0x10", "1S", "s1",    "1h30",     "36601d", "99999999999999999999",
                                       "99999999999999999999ms", "18446744073709551615s"};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t ms = 42;
        assert_refused(text_read_duration(rows[i], &ms, &err), ROUSE_EINVAL, "' is not a duration");
        assert_int_equal(ms, 42);
    }
}

static void test_signals(void **state)
{
    static const struct {
        const char *text;
        int signal;
    } rows[] = {{"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"term", SIGTERM}, {"sigint", SIGINT}, {"15", 15}, {"KILL", SIGKILL}};
    static const char *const bad[] = {"", "0", "SIG", "TERMINATE", "-9", "9x", "1000"};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int number = 0;
        assert_works(text_read_signal(rows[i].text, &number, &err));
        assert_int_equal(number, rows[i].signal);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        int number = 42;
        assert_refused(text_read_signal(bad[i], &number, &err), ROUSE_EINVAL, "' is not a signal");
        assert_int_equal(number, 42);
    }
}

static void test_spans(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {{0, "0.0s"},       {99, "0.0s"},          {1234, "1.2s"},          {9999, "9.9s"},       {10000, "10s"},
                {59999, "59s"},    {60000, "1m 0s"},      {3599000, "59m 59s"},    {3600000, "1h 0m"},   {86399000, "23h 59m"},
                {86400000, "1d 0h"}, {UINT64_MAX, "213503982334d 14h"}};
    char out[TEXT_SMALL];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(text_span(rows[i].ms, out), rows[i].text);
}

static void test_sizes(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {{0, "0 bytes"}, {1, "1 byte"}, {1023, "1023 bytes"}, {1024, "1.0 KiB"}, {1536, "1.5 KiB"}, {1048575, "1023.9 KiB"},
                {1048576, "1.0 MiB"}, {UINT64_MAX, "16777215.9 TiB"}};
    char out[TEXT_SMALL];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(text_size(rows[i].bytes, out), rows[i].text);
}

static void test_width(void **state)
{
    static const struct {
        const char *text;
        size_t width;
        size_t fits_3; /* bytes that fit into three columns */
    } rows[] = {{"", 0, 0},    {"abc", 3, 3},  {"abcd", 4, 3},         {"aäb", 3, 4},
                {"日本", 4, 3}, {"a日本", 5, 4}, {"e\xcc\x81xyz", 4, 5}, {"\xff\xfe\xfd\xfc", 4, 3}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(text_width(rows[i].text), rows[i].width);
        assert_int_equal(text_fit(rows[i].text, 3), rows[i].fits_3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations), cmocka_unit_test(test_bad_durations), cmocka_unit_test(test_signals),
        cmocka_unit_test(test_spans),     cmocka_unit_test(test_sizes),         cmocka_unit_test(test_width),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return check_run(tests, NULL, NULL);
}
