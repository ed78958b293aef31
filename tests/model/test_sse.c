#include "base/buf.h"
#include "base/limits.h"
#include "model/sse.h"
#include "support/check.h"

static int collect(void *userdata, const char *data, size_t len, rouse_error *err)
{
    (void)err;
    struct buf *out = userdata;
    buf_addc(out, '[');
    buf_add(out, data, len);
    buf_addc(out, ']');
    return 0;
}

static const struct {
    const char *stream, *events;
} rows[] = {
    {"data: a\n\ndata: b\n\n", "[a][b]"},
    {"data:a\r\n\r\ndata:  b\r\n\r\n", "[a][ b]"},
    {"data: a\r\rdata: b\r\r", "[a][b]"},
    {"data: a\ndata: b\n\n", "[a\nb]"},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "[a]"},
    {": comment\n\nevent: x\nid: 7\nretry: 1\ndata: a\n\n", "[a]"},
    {"data\n\n", "[]"},
    {"data:\ndata:\n\n", "[\n]"},
    {"database: no\n\n", ""},
    {"data: cut off", ""},
    {"data: cut off\n", ""},
    {"\n\n\n", ""},
    {"data: {\"a\":\"\xc3\xa9\"}\n\n", "[{\"a\":\"\xc3\xa9\"}]"},
};

/* Every stream at every pair of places where it may be cut. */
static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].stream);
        for (size_t a = 0; a <= len; a++) {
            for (size_t b = a; b <= len; b++) {
                struct sse s;
                struct buf out = BUF_INIT(0);
                sse_init(&s, collect, &out);
                assert_works(sse_feed(&s, rows[i].stream, a, &err));
                assert_works(sse_feed(&s, rows[i].stream + a, b - a, &err));
                assert_works(sse_feed(&s, rows[i].stream + b, len - b, &err));
                assert_string_equal(buf_text(&out), rows[i].events);
                sse_done(&s);
                buf_done(&out);
            }
        }
    }
}

static int refuse(void *userdata, const char *data, size_t len, rouse_error *err)
{
    (void)data;
    (void)len;
    ++*(int *)userdata;
    err->code = ROUSE_EREMOTE;
    return ROUSE_EREMOTE;
}

static void test_event_can_stop(void **state)
{
    (void)state;
    struct sse s;
    int calls = 0;
    sse_init(&s, refuse, &calls);
    assert_refused(sse_feed(&s, "data: a\n\ndata: b\n\n", 18, &err), ROUSE_EREMOTE, "");
    assert_int_equal(calls, 1);
    sse_done(&s);
}

static void test_endless_line(void **state)
{
    (void)state;
    static const char piece[4096] = {[0] = 'd', [1] = 'a', [2] = 't', [3] = 'a', [4] = ':'};
    struct sse s;
    struct buf out = BUF_INIT(0);
    rouse_error why = {0};
    int code = 0;
    size_t fed = 0;
    sse_init(&s, collect, &out);
    while (code == 0) {
        code = sse_feed(&s, piece, sizeof piece, &why);
        fed += sizeof piece;
        assert_true(fed <= LIMIT_SSE_EVENT + 2 * sizeof piece);
    }
    assert_int_equal(code, ROUSE_ELIMIT);
    sse_done(&s);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_event_can_stop),
        cmocka_unit_test(test_endless_line),
    };
    return check_run(tests, NULL, NULL);
}
