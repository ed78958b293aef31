/* Anthropic's dialect: the body of a request, and streams put together, whatever the pieces they come in. */
#include "model/messages.h"
#include "model/sse.h"
#include "support/check.h"

#define EVENT(json) "event: x\ndata: " json "\n\n"
#define START                                                                                                          \
    EVENT("{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":7,\"cache_read_input_"    \
          "tokens\":5,"                                                                                                \
          "\"cache_creation_input_tokens\":2,\"output_tokens\":1}}}")
#define TEXT(text)                                                                                                     \
    EVENT("{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}}")
#define JSON(index, text)                                                                                              \
    EVENT("{\"type\":\"content_block_delta\",\"index\":" index                                                         \
          ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"" text "\"}}")
#define TOOL(index, id, name)                                                                                          \
    EVENT("{\"type\":\"content_block_start\",\"index\":" index                                                         \
          ",\"content_block\":{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}}}")
#define STOP(reason)                                                                                                   \
    EVENT("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason                                           \
          "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":9}}")                                               \
    EVENT("{\"type\":\"message_stop\"}")

/* expected: "text / id name arguments; … / finish / tokens in, out, cached". */
static const struct {
    const char *stream, *expected, *error;
} rows[] = {
    {START EVENT("{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}")
         EVENT("{\"type\":\"ping\"}") TEXT("Hel") TEXT("lo \\u00e9")
             EVENT("{\"type\":\"content_block_stop\",\"index\":0}") STOP("end_turn"),
     "Hello \xc3\xa9 / / stop / 14, 9, 5", NULL},
    {START TEXT("two") TOOL("1", "toolu_1", "f") JSON("1", "") JSON("1", "{\\\"a\\\"") JSON("1", ":1}")
         TOOL("2", "toolu_2", "g") STOP("tool_use"),
     "two / toolu_1 f {\"a\":1}; toolu_2 g ; / tool_calls / 14, 9, 5", NULL},
    {START EVENT("{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":"
                 "\"\"}}") EVENT(
         "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}")
         TEXT("x") STOP("max_tokens"),
     "x / / length / 14, 9, 5", NULL},
    {START STOP("refusal"), " / / refusal / 14, 9, 5", NULL},
    {START EVENT("{\"type\":\"something_new\",\"content\":7}") TEXT("y") STOP("pause_turn"),
     "y / / pause_turn / 14, 9, 5", NULL},
    {EVENT("{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"whole\"},{\"type\":\"tool_use\",\"id\":"
           "\"t\",\"name\":\"f\",\"input\":{\"b\":2}}],"
           "\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}"),
     "whole / t f {\"b\":2}; / tool_calls / 1, 2, 0", NULL},
    {START TEXT("half"), NULL, "incomplete"},
    {START EVENT("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"), NULL,
     "Overloaded"},
    {EVENT("{\"type\":7}"), NULL, "what it sent is no answer"},
    {EVENT("nonsense"), NULL, "what it sent is no answer"},
};

static int take(void *userdata, const char *data, size_t len, rouse_error *err)
{
    return messages_add(userdata, data, len, err);
}

/* Fed in two pieces, cut behind `cut` bytes. */
static int feed(struct answer *a, const char *stream, size_t cut, rouse_error *err)
{
    struct sse s;
    sse_init(&s, take, a);
    int code = sse_feed(&s, stream, cut, err);
    if (code == 0)
        code = sse_feed(&s, stream + cut, strlen(stream) - cut, err);
    sse_done(&s);
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
    buf_addf(&out, "/ %s / %d, %d, %d", reply->finish_reason, (int)reply->input_tokens, (int)reply->output_tokens,
             (int)reply->cached_tokens);
    rouse_model_reply_free(reply);
    return buf_take(&out, NULL);
}

static void test_streams_cut_anywhere(void **state)
{
    (void)state;
    struct answer *a = malloc(sizeof *a);
    assert_non_null(a);
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t cut = 0; cut <= strlen(rows[i].stream); cut++) {
            answer_init(a, NULL);
            if (rows[i].error) {
                assert_refused(feed(a, rows[i].stream, cut, &err), ROUSE_EREMOTE, rows[i].error);
            } else {
                assert_works(feed(a, rows[i].stream, cut, &err));
                char *text = describe(a);
                assert_string_equal(text, rows[i].expected);
                free(text);
            }
            answer_done(a);
        }
    }
    free(a);
}

/* A stream that ends anywhere before its last event is none. */
static void test_streams_that_end_early(void **state)
{
    (void)state;
    const char *stream = rows[1].stream;
    size_t last = (size_t)(strstr(stream, "event: x\ndata: {\"type\":\"message_delta\"") - stream);
    struct answer *a = malloc(sizeof *a);
    assert_non_null(a);
    for (size_t len = 0; len <= last; len++) {
        struct sse s;
        answer_init(a, NULL);
        sse_init(&s, take, a);
        assert_works(sse_feed(&s, stream, len, &err));
        assert_false(answer_is_complete(a));
        sse_done(&s);
        answer_done(a);
    }
    free(a);
}

static void test_transient(void **state)
{
    static const struct {
        const char *json;
        bool transient;
    } errors[] = {
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}", true},
        {"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"}}", true},
        {"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"m\"}}", false},
        {"{\"type\":\"error\"}", false},
    };
    (void)state;
    struct answer *a = malloc(sizeof *a);
    assert_non_null(a);
    for (size_t i = 0; i < COUNT(errors); i++) {
        answer_init(a, NULL);
        assert_int_equal(messages_add(a, errors[i].json, strlen(errors[i].json), NULL), ROUSE_EREMOTE);
        assert_int_equal(a->transient, errors[i].transient);
        answer_done(a);
    }
    free(a);
}

#define USER(text) "{\"id\":\"u\",\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}"
#define SAYS(text) "{\"id\":\"a\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}"
#define CALLS(id, arguments)                                                                                           \
    "{\"id\":\"a\",\"role\":\"assistant\",\"content\":[],\"tool_calls\":[{\"id\":\"" id                                \
    "\",\"name\":\"f\",\"arguments\":" arguments "}]}"
#define ANSWERS(id)                                                                                                    \
    "{\"id\":\"t\",\"role\":\"tool\",\"content\":[{\"type\":\"text\",\"text\":\"r\"}],\"tool_call_id\":\"" id "\"}"
#define MARK ",\"cache_control\":{\"type\":\"ephemeral\"}"

static const struct {
    const char *messages[5], *tail, *expected;
} bodies[] = {
    {{USER("hi")}, NULL, "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"" MARK "}]}"},
    {{USER("hi"), USER("you")},
     "<view>",
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"},{\"type\":\"text\",\"text\":\"you\"" MARK
     "},{\"type\":\"text\",\"text\":\"<view>\"}]}"},
    {{USER("hi"), CALLS("c:1", "{\"a\":1}"), ANSWERS("c:1"), USER("event")},
     NULL,
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},"
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c_1\",\"name\":\"f\",\"input\":{\"a\":1}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c_1\",\"content\":\"r\"},{\"type\":"
     "\"text\",\"text\":\"event\"" MARK "}]}"},
    {{USER("hi"), CALLS("c", "\"{broken\""), ANSWERS("c")},
     "<view>",
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},"
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{"
     "\"unreadable\":\"{broken\"}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\",\"content\":\"r\"" MARK
     "},{\"type\":\"text\",\"text\":\"<view>\"}]}"},
    {{SAYS("hello"), USER(" ")},
     NULL,
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"(The conversation goes on.)\"}]},"
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"hello\"}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"(Go on.)\"}]}"},
};

static void test_body(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        const rouse_tool_schema tools[] = {{"f", "does f", "{\"type\":\"object\"}"}};
        rouse_model_request request = {
            .system = "be good", .messages = bodies[i].messages, .tail = bodies[i].tail, .tools = tools, .n_tools = 1};
        struct buf out = BUF_INIT(0), expected = BUF_INIT(0);
        while (request.n_messages < COUNT(bodies[i].messages) && bodies[i].messages[request.n_messages])
            request.n_messages++;
        assert_works(messages_write("m", 100, &request, &out, &err));
        buf_addf(&expected,
                 "{\"model\":\"m\",\"max_tokens\":100,\"stream\":true,\"system\":[{\"type\":\"text\",\"text\":\"be "
                 "good\"" MARK "}],"
                 "\"tools\":[{\"name\":\"f\",\"description\":\"does "
                 "f\",\"input_schema\":{\"type\":\"object\"}}],\"messages\":[%s]}",
                 bodies[i].expected);
        assert_string_equal(buf_text(&out), buf_text(&expected));
        buf_done(&out);
        buf_done(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_cut_anywhere),
        cmocka_unit_test(test_streams_that_end_early),
        cmocka_unit_test(test_transient),
        cmocka_unit_test(test_body),
    };
    return check_run(tests, NULL, NULL);
}
