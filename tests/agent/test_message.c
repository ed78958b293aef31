#include "agent/lifecycle.h"
#include "agent/message.h"
#include "base/buf.h"
#include "support/check.h"

/* ---- messages (COMPAT B87) ---- */

static const struct {
    const char *json;
    const char *text;
    size_t calls;
    const char *arguments; /* of the first call */
    const char *error;     /* NULL: readable */
} messages[] = {
    {"{\"id\":\"1\",\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}", "hi", 0, NULL, NULL},
    {"{\"role\":\"user\",\"content\":\"plain\"}", "plain", 0, NULL, NULL},
    {"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\",\"url\":\"x\"},{\"type\":"
     "\"text\",\"text\":\"b\"}]}",
     "a\nb", 0, NULL, NULL},
    {"{\"role\":\"assistant\",\"content\":[]}", "", 0, NULL, NULL},
    {"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":null}", "", 0, NULL, NULL},
    {"{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"name\":\"n\",\"arguments\":{\"b\":1,\"a\":"
     "18446744073709551616}}]}",
     "", 1, "{\"b\":1,\"a\":18446744073709551616}", NULL},
    {"{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"name\":\"n\",\"arguments\":\"{not "
     "json\"},{\"id\":\"d\",\"name\":\"m\"}]}",
     "", 2, "{not json", NULL},
    {"{\"content\":[]}", NULL, 0, NULL, "role"},
    {"{\"role\":\"user\",\"content\":7}", NULL, 0, NULL, "array"},
    {"{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\"}]}", NULL, 0, NULL, "name"},
    {"[]", NULL, 0, NULL, "object"},
    {"", NULL, 0, NULL, "JSON"},
};

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++) {
        struct arena arena = {0};
        struct message m;
        if (messages[i].error) {
            assert_refused(message_decode(messages[i].json, strlen(messages[i].json), &arena, &m, &err), ROUSE_EDATA,
                           messages[i].error);
        } else {
            assert_works(message_decode(messages[i].json, strlen(messages[i].json), &arena, &m, &err));
            assert_string_equal(m.text, messages[i].text);
            assert_int_equal(m.n_calls, messages[i].calls);
            if (m.n_calls > 0)
                assert_string_equal(m.calls[0].arguments, messages[i].arguments);
        }
        arena_done(&arena);
    }
}

static void test_encode(void **state)
{
    (void)state;
    const rouse_tool_call calls[] = {{"c1", "n", "{\"z\":1,\n\"a\":2}"}, {"c2", "n", "[1]"}, {"c3", "n", "{\"a\":"}};
    const struct {
        struct message m;
        const char *json;
    } rows[] = {
        {{.id = "1", .role = "user", .text = "\"<\n"},
         "{\"id\":\"1\",\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\\\"<\\n\"}]}"},
        {{.id = "1", .role = "user", .text = "e", .machine = true},
         "{\"id\":\"1\",\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"e\"}],\"visibility\":\"internal\","
         "\"metadata\":{\"origin\":\"machine\"}}"},
        {{.id = "1", .role = "tool", .text = "r", .tool_call_id = "c1"},
         "{\"id\":\"1\",\"role\":\"tool\",\"content\":[{\"type\":\"text\",\"text\":\"r\"}],\"tool_call_id\":\"c1\"}"},
        {{.id = "1", .role = "assistant", .text = "", .calls = calls, .n_calls = 3},
         "{\"id\":\"1\",\"role\":\"assistant\",\"content\":[],\"tool_calls\":[{\"id\":\"c1\",\"name\":\"n\","
         "\"arguments\":{\"z\":1, \"a\":2}},"
         "{\"id\":\"c2\",\"name\":\"n\",\"arguments\":\"[1]\"},{\"id\":\"c3\",\"name\":\"n\",\"arguments\":\"{"
         "\\\"a\\\":\"}]}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *json = message_encode(&rows[i].m, NULL);
        assert_string_equal(json, rows[i].json);
        struct arena arena = {0};
        struct message again;
        assert_works(message_decode(json, strlen(json), &arena, &again, &err));
        assert_string_equal(again.text, rows[i].m.text);
        assert_int_equal(again.n_calls, rows[i].m.n_calls);
        arena_done(&arena);
        free(json);
    }
}

/* Arguments that are as deep as JSON may be do not make a message that cannot be read again. */
static void test_deep_arguments(void **state)
{
    (void)state;
    for (unsigned depth = 115; depth < 130; depth++) {
        struct buf text = BUF_INIT(0);
        buf_adds(&text, "{\"a\":");
        for (unsigned i = 1; i < depth; i++)
            buf_addc(&text, '[');
        for (unsigned i = 1; i < depth; i++)
            buf_addc(&text, ']');
        buf_addc(&text, '}');
        const rouse_tool_call call = {"c", "n", buf_text(&text)};
        const struct message m = {.id = "1", .role = "assistant", .text = "", .calls = &call, .n_calls = 1};
        struct arena arena = {0};
        struct message again;
        char *json = message_encode(&m, NULL);
        assert_works(message_decode(json, strlen(json), &arena, &again, &err));
        assert_string_equal(again.calls[0].arguments, call.arguments);
        arena_done(&arena);
        free(json);
        buf_done(&text);
    }
}

/* ---- the loop's keys ---- */

static const struct {
    const char *json, *canonical;
} lifecycles[] = {
    {"{\"run_id\":\"r\",\"status\":\"waiting\",\"status_reason\":\"awaiting_tasks\",\"updated_at\":5,\"step_count\":2}",
     NULL},
    {"{\"run_id\":\"r\",\"status\":\"running\",\"updated_at\":5,\"step_count\":0}", NULL},
    {"{\"run_id\":\"r\",\"status\":\"done\",\"done_reason\":\"natural\",\"updated_at\":5,\"step_count\":1}",
     "{\"run_id\":\"r\",\"status\":\"done\",\"status_reason\":\"natural\",\"updated_at\":5,\"step_count\":1}"},
    {"{\"run_id\":\"r\",\"status\":\"waiting\",\"pause_reason\":\"suspended\",\"updated_at\":5,\"step_count\":1}",
     "{\"run_id\":\"r\",\"status\":\"waiting\",\"status_reason\":\"suspended\",\"updated_at\":5,\"step_count\":1}"},
};

static void test_lifecycle_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lifecycles); i++) {
        void *value = NULL;
        const char *json = lifecycles[i].json;
        assert_works(rouse_lifecycle_key.decode(NULL, json, strlen(json), &value, &err));
        char *text = rouse_lifecycle_key.encode(value, NULL);
        assert_string_equal(text, lifecycles[i].canonical ? lifecycles[i].canonical : json);
        free(text);
        rouse_lifecycle_key.release(value);
    }
    void *value = NULL;
    assert_refused(rouse_lifecycle_key.decode(NULL, "{}", 2, &value, &err), ROUSE_EDATA, "run_id");
    assert_refused(rouse_pending_work_key.decode(NULL, "{}", 2, &value, &err), ROUSE_EDATA, "has_pending");
    assert_null(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_deep_arguments),
        cmocka_unit_test(test_lifecycle_json),
    };
    return check_run(tests, NULL, NULL);
}
