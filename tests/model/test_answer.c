/* Chunks of a stream put together, whole completions, and the request's body. */
#include "base/buf.h"
#include "model/answer.h"
#include "model/chat.h"
#include "support/check.h"

static void add_text(const char *text, size_t len, void *userdata)
{
    buf_addc(userdata, '|');
    buf_add(userdata, text, len);
}

/* Chunks are separated by line feeds. expected: "text / id name arguments; … / finish / tokens in, out". */
static const struct {
    const char *chunks, *expected, *error;
} rows[] = {
    {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n{\"choices\":[{\"delta\":{\"content\":"
     "\"Hel\"}}]}\n"
     "{\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":null}]}\n{\"choices\":[{\"delta\":{},\"finish_"
     "reason\":\"stop\"}]}\n[DONE]",
     "Hello / / stop / 0, 0", NULL},
    {"{\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":null}\n"
     "{\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3}}\n[DONE]",
     "x / / stop / 12, 3", NULL},
    {"{\"choices\":[{\"delta\":{\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\","
     "\"arguments\":\"\"}}]}}]}\n"
     "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n"
     "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":"
     "\"{}\"}}]}}]}\n"
     "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}}]}\n"
     "{\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}",
     " / c1 f {\"a\":1}; c2 g {}; / tool_calls / 0, 0", NULL},
    /* no index: an id begins the next call */
    {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}"
     "\n"
     "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"}\"}}]}}]}\n"
     "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":{\"b\":2}}}]}"
     "}]}\n[DONE]",
     " / c1 f {}; c2 g {\"b\":2}; / stop / 0, 0", NULL},
    /* not streamed */
    {"{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"all\",\"tool_calls\":"
     "null},\"finish_reason\":\"stop\"}],"
     "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}",
     "all / / stop / 1, 2", NULL},
    {"{\"choices\":[{\"message\":{\"content\":\"\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"{}\"}}]},"
     "\"finish_reason\":\"tool_calls\"}]}",
     " / c f {}; / tool_calls / 0, 0", NULL},
    {"{\"choices\":[{\"delta\":{\"content\":\"half\"}}]}", NULL, "incomplete"},
    {"{\"error\":{\"message\":\"overloaded\\nnow\",\"type\":\"x\"}}", NULL, "overloaded?now"},
    {"{\"error\":\"just text\"}", NULL, "just text"},
    {"{\"choices\":[{\"delta\":{\"content\":\"a", NULL, "what it sent is no answer"},
    {"nonsense", NULL, "what it sent is no answer"},
    {"{\"choices\":7}", NULL, "what it sent is no answer"},
    {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":64,\"id\":\"c\"}]}}]}", NULL, "more than 64 tool calls"},
};

static int feed(struct answer *a, const char *chunks, rouse_error *err)
{
    int code = 0;
    while (code == 0 && *chunks) {
        size_t len = strcspn(chunks, "\n");
        code = answer_add(a, chunks, len, err);
        chunks += len + (chunks[len] == '\n');
    }
    if (code == 0 && !answer_is_complete(a)) {
        snprintf(err->message, sizeof err->message, "incomplete");
        code = err->code = ROUSE_EREMOTE;
    }
    return code;
}

static char *describe(const struct answer *a)
{
    rouse_model_reply *reply = NULL;
    struct buf out = BUF_INIT(0);
    assert_works(answer_reply(a, &reply, &err));
    buf_addf(&out, "%s / ", reply->text);
    for (size_t i = 0; i < reply->n_calls; i++)
        buf_addf(&out, "%s %s %s; ", reply->calls[i].id, reply->calls[i].name, reply->calls[i].arguments);
    buf_addf(&out, "/ %s / %d, %d", reply->finish_reason, (int)reply->input_tokens, (int)reply->output_tokens);
    rouse_model_reply_free(reply);
    return buf_take(&out, NULL);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer *a = malloc(sizeof *a);
        struct buf streamed = BUF_INIT(0);
        const rouse_model_sink sink = {.text = add_text, .userdata = &streamed};
        answer_init(a, &sink);
        if (rows[i].error) {
            assert_refused(feed(a, rows[i].chunks, &err), ROUSE_EREMOTE, rows[i].error);
        } else {
            assert_works(feed(a, rows[i].chunks, &err));
            char *text = describe(a);
            assert_string_equal(text, rows[i].expected);
            free(text);
        }
        if (i == 0)
            assert_string_equal(buf_text(&streamed), "|Hel|lo");
        answer_done(a);
        buf_done(&streamed);
        free(a);
    }
}

static void test_body(void **state)
{
    (void)state;
    const char *const messages[] = {
        "{\"id\":\"1\",\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi \\\"you\\\"\"}]}",
        ("{\"id\":\"2\",\"role\":\"assistant\",\"content\":[],\"tool_calls\":[{\"id\":\"c\",\"name\":\"f\","
         "\"arguments\":{\"a\":1}}]}"),
        "{\"id\":\"3\",\"role\":\"tool\",\"content\":[{\"type\":\"text\",\"text\":\"r\"}],\"tool_call_id\":\"c\"}",
        "{\"id\":\"4\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}",
    };
    const rouse_tool_schema tools[] = {{"f", "does f", "{\"type\":\"object\"}"}, {"g", "does g", "{}"}};
    const rouse_model_request request = {.system = "be good",
                                         .messages = messages,
                                         .n_messages = COUNT(messages),
                                         .tail = "<view>",
                                         .tools = tools,
                                         .n_tools = COUNT(tools)};
    struct buf out = BUF_INIT(0);
    assert_works(chat_write("m", 0, &request, &out, &err));
    assert_string_equal(
        buf_text(&out),
        "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":["
        "{\"role\":\"system\",\"content\":\"be good\"},{\"role\":\"user\",\"content\":\"hi \\\"you\\\"\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{"
        "\"name\":\"f\","
        "\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\",\"content\":\"r\",\"tool_call_id\":\"c\"},"
        "{\"role\":\"assistant\",\"content\":\"ok\"},{\"role\":\"user\",\"content\":\"<view>\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"does "
        "f\",\"parameters\":{\"type\":\"object\"}}},"
        "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"description\":\"does g\",\"parameters\":{}}}]}");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_body),
    };
    return check_run(tests, NULL, NULL);
}
