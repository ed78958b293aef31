#include <unistd.h>

#include "base/buf.h"
#include "support/check.h"

#include "rouse/model.h"

static char path[] = "/tmp/rouse-script.XXXXXX";
static char selector[64];

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    snprintf(selector, sizeof selector, "scripted:%s", path);
    return fd < 0 || close(fd) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_script(const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void collect(const char *text, size_t len, void *userdata)
{
    buf_addc(userdata, '|');
    buf_add(userdata, text, len);
}

#define USER "{\"role\":\"user\",\"content\":\"port 80 then port 81; say \\\"hi\\\"\\nline two\"}"

/* The reply to USER as "text / name arguments; …", or the error. */
static const struct {
    const char *script, *expected, *error;
} rows[] = {
    {"{\"turns\":[{\"say\":\"hello\"}]}", "hello / ", NULL},
    {"{\"turns\":[{}]}", " / ", NULL},
    {"{\"turns\":[{\"expect\":[\"port 80\",\"line two\",\"TAIL\",\"SYSTEM\"],\"refuse\":[\"port "
     "82\"],\"say\":\"ok\"}]}",
     "ok / ", NULL},
    {"{\"turns\":[{\"expect\":[\"port 82\"]}]}", NULL, "turn 1: not seen in the prompt: 'port 82'"},
    {"{\"turns\":[{\"refuse\":[\"port 81\"]}]}", NULL, "turn 1: must not be in the prompt: 'port 81'"},
    {"{\"turns\":[{\"capture\":{\"p\":\"port ([0-9]+)\"},\"say\":\"{{p}} and {{p}}\"}]}", "81 and 81 / ", NULL},
    {"{\"turns\":[{\"capture\":{\"p\":\"^line (.*)$\"},\"say\":\"{{p}}\"}]}", "two / ", NULL},
    {"{\"turns\":[{\"capture\":{\"q\":\"say (.*)$\"},\"tools\":[{\"name\":\"f\",\"arguments\":{\"x\":\"<{{q}}>\"}}]}]}",
     " / f {\"x\":\"<\\\"hi\\\">\"}; ", NULL},
    {"{\"turns\":[{\"capture\":{\"p\":\"ports ([0-9]+)\"}}]}", NULL,
     "turn 1: nothing to capture as 'p': 'ports ([0-9]+)'"},
    {"{\"turns\":[{\"say\":\"{{p}}\"}]}", NULL, "turn 1: nothing was captured for '{{p}}'"},
    {"{\"turns\":[]}", NULL, "has no turn 1: it ends with turn 0"},
};

static int ask(const char *const *messages, size_t n, rouse_model_reply **ret_reply, struct buf *streamed,
               rouse_error *why)
{
    rouse_model *model = NULL;
    const rouse_model_request request = {.system = "SYSTEM", .messages = messages, .n_messages = n, .tail = "TAIL"};
    const rouse_model_sink sink = {.text = collect, .userdata = streamed};
    assert_works(rouse_model_open(selector, NULL, &model, &err));
    int code = model->complete(model, &request, &sink, ret_reply, why);
    rouse_model_free(model);
    return code;
}

static void test_replies(void **state)
{
    (void)state;
    const char *const messages[] = {USER};
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_model_reply *reply = NULL;
        struct buf streamed = BUF_INIT(0), out = BUF_INIT(0);
        write_script(rows[i].script);
        if (rows[i].error) {
            assert_refused(ask(messages, 1, &reply, &streamed, &err), ROUSE_EREMOTE, rows[i].error);
            assert_int_equal(streamed.len, 0);
        } else {
            assert_works(ask(messages, 1, &reply, &streamed, &err));
            buf_addf(&out, "%s / ", reply->text);
            for (size_t c = 0; c < reply->n_calls; c++)
                buf_addf(&out, "%s %s; ", reply->calls[c].name, reply->calls[c].arguments);
            assert_string_equal(buf_text(&out), rows[i].expected);
            assert_string_equal(reply->finish_reason, reply->n_calls > 0 ? "tool_calls" : "stop");
        }
        rouse_model_reply_free(reply);
        buf_done(&streamed);
        buf_done(&out);
    }
}

/* The turn is the number of assistant messages: nothing is remembered between calls. */
static void test_turns(void **state)
{
    (void)state;
    const char *const messages[] = {USER, "{\"role\":\"assistant\",\"content\":\"one\"}", USER,
                                    "{\"role\":\"assistant\",\"content\":\"two\"}"};
    struct buf streamed = BUF_INIT(0);
    rouse_model_reply *reply = NULL;
    write_script("{\"turns\":[{\"say\":\"one\"},{\"say\":\"two\"}]}");
    assert_works(ask(messages, 3, &reply, &streamed, &err));
    assert_string_equal(reply->text, "two");
    rouse_model_reply_free(reply);
    reply = NULL;
    assert_refused(ask(messages, 4, &reply, &streamed, &err), ROUSE_EREMOTE, "has no turn 3: it ends with turn 2");
    buf_done(&streamed);
}

/* In pieces that are characters, and together are the text. */
static void test_streaming(void **state)
{
    (void)state;
    const char *const messages[] = {USER};
    struct buf streamed = BUF_INIT(0), joined = BUF_INIT(0);
    rouse_model_reply *reply = NULL;
    write_script("{\"turns\":[{\"say\":\"\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac and some more words to be streamed\"}]}");
    assert_works(ask(messages, 1, &reply, &streamed, &err));
    for (size_t i = 0; i < streamed.len; i++)
        if (streamed.data[i] != '|')
            buf_addc(&joined, streamed.data[i]);
        else
            assert_true(((unsigned char)streamed.data[i + 1] & 0xc0) != 0x80);
    assert_string_equal(buf_text(&joined), reply->text);
    assert_true(streamed.len > joined.len + 2);
    rouse_model_reply_free(reply);
    buf_done(&streamed);
    buf_done(&joined);
}

static const struct {
    const char *text, *error;
} bad[] = {
    {"", "line 1: "},
    {"{\"turns\":[\n{\"say\":\"a\"},\n{\"say\":}\n]}", "line 3: malformed JSON"},
    {"{\"turns\":[\n{\"say\":\"a\"},\n\n{\"say\":7}\n]}", "line 4: turn 2: "},
    {"{\"turns\":[{\"expect\":\"x\"}]}", "line 1: turn 1: "},
    {"{\"turns\":[{\"capture\":{\"a\":\"(\"}}]}", "turn 1: capture 'a': "},
    {"{\"turns\":[{\"capture\":{\"a\":\"b\"}}]}", "capture 'a' must have one group, not 0"},
    {"{\"turns\":[{\"tools\":[{\"arguments\":{}}]}]}", "missing field `name`"},
    {"{\"turns\":{}}", "no array \"turns\""},
    {"{}", "no array \"turns\""},
    {"[]", "expected an object"},
};

static void test_bad_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        rouse_model *model = NULL;
        write_script(bad[i].text);
        assert_refused(rouse_model_open(selector, NULL, &model, &err), ROUSE_EDATA, bad[i].error);
        assert_null(model);
    }
    rouse_model *model = NULL;
    assert_refused(rouse_model_open("scripted:/nowhere/x.json", NULL, &model, &err), ROUSE_ENOTFOUND,
                   "/nowhere/x.json");
}

static void test_selectors(void **state)
{
    (void)state;
    rouse_model *model = NULL;
    unsetenv("OPENAI_MODEL");
    assert_refused(rouse_model_open(NULL, NULL, &model, &err), ROUSE_EINVAL, "no model named");
    assert_refused(rouse_model_open("openai:", NULL, &model, &err), ROUSE_EINVAL, "no model named");
    const rouse_model_options ftp = {.base_url = "ftp://x"};
    assert_refused(rouse_model_open("m", &ftp, &model, &err), ROUSE_EINVAL, "http://");
    const rouse_model_options key = {.api_key = "a\nb", .base_url = "http://127.0.0.1:1"};
    assert_refused(rouse_model_open("m", &key, &model, &err), ROUSE_EINVAL, "API key");
    assert_null(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),     cmocka_unit_test(test_turns),     cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_bad_scripts), cmocka_unit_test(test_selectors),
    };
    return check_run(tests, set_up, tear_down);
}
