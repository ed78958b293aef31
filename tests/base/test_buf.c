#include "support/check.h"

#include "base/buf.h"

static void test_grows_and_terminates(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    assert_string_equal(buf_text(&b), "");
    buf_adds(&b, "a");
    buf_add(&b, "b\0c", 3);
    buf_addc(&b, 'd');
    buf_addf(&b, "%s-%d", "e", 5);
    assert_int_equal(b.len, 8);
    assert_memory_equal(b.data, "ab\0cde-5", 9);
    for (int i = 0; i < 10000; i++)
        buf_adds(&b, "0123456789");
    assert_int_equal(b.len, 100008);
    assert_int_equal(b.data[b.len], '\0');
    buf_reset(&b);
    assert_string_equal(buf_text(&b), "");
    buf_done(&b);
    assert_null(b.data);
}

static void test_numbers(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    buf_addu(&b, 0);
    buf_addc(&b, ' ');
    buf_addu(&b, 1700000000000);
    buf_addc(&b, ' ');
    buf_addu(&b, UINT64_MAX);
    assert_string_equal(buf_text(&b), "0 1700000000000 18446744073709551615");
    buf_done(&b);
}

static void test_limit_sticks(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(5);
    buf_adds(&b, "12345");
    assert_works(buf_check(&b, &err));
    buf_addc(&b, '6');
    buf_reset(&b);
    buf_adds(&b, "1234");
    assert_works(buf_check(&b, &err));
    buf_adds(&b, "56");
    buf_addc(&b, 'x'); /* would fit by itself */
    assert_string_equal(buf_text(&b), "1234");
    assert_refused(buf_check(&b, &err), ROUSE_ELIMIT, "larger than 5 bytes");
    rouse_error err = {0};
    assert_null(buf_take(&b, &err));
    assert_int_equal(err.code, ROUSE_ELIMIT);
    buf_done(&b);
}

static void test_take(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    char *empty = buf_take(&b, NULL);
    assert_string_equal(empty, "");
    free(empty);
    buf_adds(&b, "text");
    char *text = buf_take(&b, NULL);
    assert_string_equal(text, "text");
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_terminates),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_limit_sticks),
        cmocka_unit_test(test_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
