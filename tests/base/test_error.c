#include "support/check.h"

#include <errno.h>

#include "base/error.h"

static void test_table(void **state)
{
    (void)state;
    static const struct {
        int code, exit_status;
        const char *text;
    } rows[] = {
        {0, 0, "success"},
        {7, 0, "unknown error"},
        {ROUSE_ENOMEM, 1, "out of memory"},
        {ROUSE_EINVAL, 2, "invalid argument"},
        {ROUSE_ENOTFOUND, 3, "not found"},
        {ROUSE_ECONFLICT, 4, "conflict"},
        {ROUSE_ELIMIT, 4, "limit reached"},
        {ROUSE_ESTORE, 5, "the store cannot be used"},
        {ROUSE_EBUSY, 5, "the store is busy"},
        {ROUSE_ETIMEOUT, 124, "timed out"},
        {-1000, 1, "unknown error"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(rouse_error_text(rows[i].code), rows[i].text);
        assert_int_equal(rouse_error_exit_status(rows[i].code), rows[i].exit_status);
    }
}

static void test_messages(void **state)
{
    (void)state;
    rouse_error err = {0};
    assert_int_equal(rouse_fail(&err, ROUSE_ENOTFOUND, "no task '%s'", "bg_1"), ROUSE_ENOTFOUND);
    assert_int_equal(err.code, ROUSE_ENOTFOUND);
    assert_string_equal(err.message, "no task 'bg_1'");
    assert_int_equal(rouse_fail_context(&err, ROUSE_ENOTFOUND, "key '%s'", "k"), ROUSE_ENOTFOUND);
    assert_string_equal(err.message, "key 'k': no task 'bg_1'");
    assert_int_equal(rouse_fail_errno(&err, ROUSE_EIO, ENOENT, "cannot open '%s'", "f"), ROUSE_EIO);
    assert_string_equal(err.message, "cannot open 'f': No such file or directory");
    assert_int_equal(rouse_fail_memory(&err), ROUSE_ENOMEM);
    assert_int_equal(rouse_fail(NULL, ROUSE_EIO, "nobody listens"), ROUSE_EIO);
    assert_int_equal(rouse_fail_context(NULL, ROUSE_EIO, "nobody listens"), ROUSE_EIO);
}

static void test_hostile_text(void **state)
{
    (void)state;
    rouse_error err = {0};
    rouse_fail(&err, ROUSE_EINVAL, "'%s'", "a\x1b[2J\nb\x80\xc2\x9b\x7f\xc3\xa9%s%n");
    assert_string_equal(err.message, "'a?[2J?b???\xc3\xa9%s%n'");
}

static void test_long_text_is_cut_at_a_character(void **state)
{
    (void)state;
    rouse_error err;
    char text[600];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    memset(&err, 'x', sizeof err);
    rouse_fail(&err, ROUSE_EINVAL, "%s", text);
    size_t len = strlen(err.message);
    assert_true(len < sizeof err.message && len > sizeof err.message - 4 && len % 2 == 0);
    rouse_fail_context(&err, ROUSE_EINVAL, "%s", text);
    assert_true(strlen(err.message) < sizeof err.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_long_text_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
