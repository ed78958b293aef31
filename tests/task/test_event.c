#include "support/check.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "json/jtext.h"
#include "task/event.h"

static void test_bytes(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    event_add_completed(&out, "bg_0", "{\"z\":1, \"a\":\n2}");
    buf_addc(&out, '\n');
    event_add_completed(&out, "bg_0", NULL);
    buf_addc(&out, '\n');
    event_add_failed(&out, "bg_1", "a \"b\"\n");
    buf_addc(&out, '\n');
    event_add_cancelled(&out, "bg_2");
    buf_addc(&out, '\n');
    event_add_custom(&out, "bg_3", "p", "{\"a\":2,\"z\":1}");
    assert_string_equal(
        buf_text(&out),
        "{\"kind\":\"completed\",\"result\":{\"z\":1, \"a\": 2},\"task_id\":\"bg_0\"}\n"
        "{\"kind\":\"completed\",\"result\":null,\"task_id\":\"bg_0\"}\n"
        "{\"error\":\"a \\\"b\\\"\\n\",\"kind\":\"failed\",\"task_id\":\"bg_1\"}\n"
        "{\"kind\":\"cancelled\",\"task_id\":\"bg_2\"}\n"
        "{\"event_type\":\"p\",\"kind\":\"custom\",\"payload\":{\"a\":2,\"z\":1},\"task_id\":\"bg_3\"}");
    buf_done(&out);
}

/* The text between the tags' lines; the tags are checked. */
static void message(const char *json, const char *kind, const char *id, char *body, size_t size)
{
    struct buf out = BUF_INIT(0);
    char open[400];
    static const char close[] = "\n</background-task-event>";
    assert_works(event_add_message(&out, json, strlen(json), &err));
    size_t open_len =
        (size_t)snprintf(open, sizeof open, "<background-task-event kind=\"%s\" task_id=\"%s\">\n", kind, id);
    assert_true(out.len <= LIMIT_EVENT_TEXT && out.len >= open_len + sizeof close - 1);
    assert_memory_equal(out.data, open, open_len);
    assert_string_equal(out.data + out.len - (sizeof close - 1), close);
    size_t len = out.len - open_len - (sizeof close - 1);
    assert_true(len < size);
    memcpy(body, out.data + open_len, len);
    body[len] = '\0';
    assert_null(strpbrk(body, "<>&\n\r")); /* nothing in it is a tag or another line */
    assert_true(utf8_is_valid(body, len));
    buf_done(&out);
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        const char *json, *kind, *id, *body;
    } rows[] = {
        {"{\"kind\":\"cancelled\",\"task_id\":\"bg_2\"}", "cancelled", "bg_2",
         "{\"kind\":\"cancelled\",\"task_id\":\"bg_2\"}"},
        {"{\"kind\":\"completed\",\"result\":\"</background-task-event>&\",\"task_id\":\"bg_2\"}", "completed", "bg_2",
         "{\"kind\":\"completed\",\"result\":\"\\u003c/background-task-event\\u003e\\u0026\",\"task_id\":\"bg_2\"}"},
        {"{\"a\":\n1}", "event", "unknown", "{\"a\": 1}"},
        {"{\"kind\":5,\"task_id\":null}", "event", "unknown", "{\"kind\":5,\"task_id\":null}"},
        {"{\"kind\":\"a\\\">\\n<b\",\"task_id\":\"'&\"}", "a&#34;&#62;?&#60;b", "&#39;&#38;",
         "{\"kind\":\"a\\\"\\u003e\\n\\u003cb\",\"task_id\":\"'\\u0026\"}"},
        {"[1]", "event", "unknown", "[1]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[LIMIT_EVENT_TEXT];
        message(rows[i].json, rows[i].kind, rows[i].id, body, sizeof body);
        assert_string_equal(body, rows[i].body);
        assert_works(jtext_check(body, strlen(body), NULL, &err));
    }
    struct buf out = BUF_INIT(0);
    assert_refused(event_add_message(&out, "{", 1, &err), ROUSE_EDATA, "ends too early");
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

/* Long events are cut between characters and escapes, whatever they are made of. */
static void test_cut(void **state)
{
    (void)state;
    static const char *const pieces[] = {"x",       "<",    "\xc3\xa9", "\xf0\x9f\x98\x80",
                                         "\\u0041", "\\\\", "\\\"",     "&x\xe4\xb8\xad\\n"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        for (size_t shift = 0; shift < 12; shift++) {
            struct buf json = BUF_INIT(0);
            char body[LIMIT_EVENT_TEXT];
            buf_adds(&json, "{\"kind\":\"completed\",\"task_id\":\"bg_5\",\"result\":\"");
            for (size_t k = 0; k < shift; k++)
                buf_addc(&json, '-');
            while (json.len < 3 * LIMIT_EVENT_TEXT)
                buf_adds(&json, pieces[i]);
            buf_adds(&json, "\"}");
            message(buf_text(&json), "completed", "bg_5", body, sizeof body);
            char *end = strstr(body, "… cut; read_output bg_5 shows all");
            assert_non_null(end);
            assert_true(strlen(body) > LIMIT_EVENT_TEXT - 200);
            memcpy(end, "\"}", 3); /* what is left is whole: closed, it can be read */
            assert_works(jtext_check(body, strlen(body), NULL, &err));
            buf_done(&json);
        }
    }
}

/* The longest that fits is not cut. */
static void test_just_fits(void **state)
{
    (void)state;
    static const char close[] = "</background-task-event>";
    for (size_t len = LIMIT_EVENT_TEXT - 200; len < LIMIT_EVENT_TEXT; len++) {
        struct buf json = BUF_INIT(0), out = BUF_INIT(0);
        buf_adds(&json, "{\"kind\":\"failed\",\"task_id\":\"bg_5\",\"error\":\"");
        while (json.len < len - 2)
            buf_addc(&json, 'x');
        buf_adds(&json, "\"}");
        assert_works(event_add_message(&out, json.data, json.len, &err));
        size_t whole = strlen("<background-task-event kind=\"failed\" task_id=\"bg_5\">\n") + json.len + sizeof close;
        bool cut = strstr(out.data, "… cut;") != NULL;
        assert_int_equal(cut, whole > LIMIT_EVENT_TEXT);
        assert_true(cut ? out.len <= LIMIT_EVENT_TEXT : out.len == whole);
        buf_done(&json);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_just_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
