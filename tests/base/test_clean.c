#include "base/clean.h"
#include "base/limits.h"
#include "support/check.h"

static const struct {
    const char *name, *in, *out;
} rows[] = {
    {"plain", "hello\nworld", "hello\nworld"},
    {"tab", "a\tb\n", "a\tb\n"},
    {"crlf", "a\r\nb\r\n", "a\nb\n"},
    {"redraw", "10%\r50%\r100%\n", "100%\n"},
    {"redraw_unfinished", "10%\r50%", "50%"},
    {"return_at_end", "10%\r", "10%"},
    {"backspace", "abx\bc\n", "abc\n"},
    {"backspace_character", "a\xc3\xa9\bb\n", "ab\n"},
    {"backspace_empty", "\b\ba\n", "a\n"},
    {"colour", "\x1b[1;31mred\x1b[0m!\n", "red!\n"},
    {"title_bell", "\x1b]0;title\aafter\n", "after\n"},
    {"title_st", "\x1b]0;title\x1b\\after\n", "after\n"},
    {"charset", "\x1b(Babc\n", "abc\n"},
    {"cut_sequence", "a\x1b[31", "a"},
    {"cut_string_hides_one_line", "a\x1b]0;never ends\nnext\n", "a\nnext\n"},
    {"bell_and_nul_like", "a\a\x01\x7f" "b\n", "ab\n"},
    {"c1_control", "a\xc2\x9b" "31mb\n", "a31mb\n"},
    {"utf8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n"},
    {"bad_byte", "a\xff" "b\n", "a\xef\xbf\xbd" "b\n"},
    {"bad_cut", "a\xe2\x82", "a\xef\xbf\xbd"},
    {"bad_cut_then_text", "a\xe2\x82z\n", "a\xef\xbf\xbdz\n"},
    {"overlong", "\xc0\xaf\n", "\xef\xbf\xbd\xef\xbf\xbd\n"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_INIT(0);
        clean_text(&out, rows[i].in, strlen(rows[i].in));
        if (strcmp(buf_text(&out), rows[i].out) != 0)
            fail_msg("%s: '%s'", rows[i].name, buf_text(&out));
        buf_done(&out);
    }
}

/* However the stream is cut, the text is the same. */
static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].in);
        for (size_t cut = 0; cut <= len; cut++) {
            struct buf out = BUF_INIT(0);
            struct clean c = CLEAN_INIT;
            clean_feed(&c, &out, rows[i].in, cut);
            clean_feed(&c, &out, rows[i].in + cut, len - cut);
            clean_flush(&c, &out);
            if (strcmp(buf_text(&out), rows[i].out) != 0)
                fail_msg("%s cut at %zu: '%s'", rows[i].name, cut, buf_text(&out));
            clean_done(&c);
            buf_done(&out);
        }
    }
}

static void test_nul_bytes_and_endless_line(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    struct clean c = CLEAN_INIT;
    char block[1000];
    memset(block, 'x', sizeof block);
    block[0] = '\0';
    for (int i = 0; i < 200; i++) {
        clean_feed(&c, &out, block, sizeof block);
        assert_true(c.line.len <= LIMIT_CLEAN_LINE);
    }
    clean_flush(&c, &out);
    assert_int_equal(out.len, 200 * 999);
    clean_done(&c);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_nul_bytes_and_endless_line),
    };
    return check_run(tests, NULL, NULL);
}
