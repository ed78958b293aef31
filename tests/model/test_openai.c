/* The openai model against a small server in this very program. */
#include "server.h"

#include "rouse/model.h"

#define KEY "sk-secret-0123456789"

struct listener { /* of the model */
    struct buf text;
    bool interrupt;
};

static void on_text(const char *text, size_t len, void *userdata)
{
    buf_add(&((struct listener *)userdata)->text, text, len);
}

static bool is_interrupted(void *userdata)
{
    return ((struct listener *)userdata)->interrupt;
}

static int ask(const char *url, struct listener *listener, rouse_model_reply **ret_reply, rouse_error *why)
{
    static const char *const messages[] = {"{\"role\":\"user\",\"content\":\"hi\"}"};
    const rouse_model_request request = {.messages = messages, .n_messages = 1};
    const rouse_model_options options = {.api_key = KEY, .base_url = url, .attempts = 1};
    const rouse_model_sink sink = {.text = on_text, .interrupted = is_interrupted, .userdata = listener};
    rouse_model *model = NULL;
    assert_works(rouse_model_open("openai:tiny", &options, &model, &err));
    int code = model->complete(model, &request, &sink, ret_reply, why);
    rouse_model_free(model);
    return code;
}

#define OK "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define SAY(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define STOP "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"

static const struct {
    const char *answer, *text, *error;
} rows[] = {
    {OK SAY("Hel") SAY("lo") STOP "data: [DONE]\n\n", "Hello", NULL},
    {OK SAY("no end mark") "data: [DONE]\n\n", "no end mark", NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" SAY("broken behind the last word") STOP,
     "broken behind the last word", NULL},
    {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
     "{\"choices\":[{\"message\":{\"content\":\"whole\"},\"finish_reason\":\"stop\"}]}",
     "whole", NULL},
    {OK SAY("half a sen"), NULL, "its answer was cut off before its end"},
    {OK SAY("half") "data: {\"choices\":[{\"del", NULL, "its answer was cut off before its end"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" SAY("half"), NULL, "model 'tiny' at 'http://127.0.0.1:"},
    {OK, NULL, "its answer was cut off before its end"},
    {OK "data: {\"choices\":[{\"delta\"\n\n", NULL, "what it sent is no answer: JSON ends too early"},
    {OK "<html>hello</html>\n\n", NULL, "its answer was cut off before its end"},
    {OK "{\"choices\":[", NULL, "what it sent is no answer"},
    {OK "data: {\"error\":{\"message\":\"overloaded\"}}\n\n", NULL, "overloaded"},
    {"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n{\"error\":{\"message\":\"wrong key " KEY "!\"}}", NULL,
     "refused: HTTP 401: wrong key ********************!"},
    {"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", NULL, "refused: HTTP 404: no reason given"},
    {"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\n{\"error\":\"slow\\u001b[31m down\"}", NULL,
     "refused: HTTP 429: slow?[31m down"},
    {"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n<h1>oops</h1>", NULL, "refused: HTTP 500: <h1>oops</h1>"},
    {"HTTP/1.1 302 Found\r\nLocation: http://example.invalid/\r\nConnection: close\r\n\r\n", NULL, "refused: HTTP 302"},
    {"", NULL, "model 'tiny' at 'http://127.0.0.1:"},
    {"SSH-2.0-OpenSSH\r\n", NULL, "model 'tiny' at 'http://127.0.0.1:"},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server server;
        struct listener listener = {.text = BUF_INIT(0)};
        rouse_model_reply *reply = NULL;
        rouse_error why = {0};
        server_open(&server, &rows[i].answer, 1);
        int code = ask(server.url, &listener, &reply, &why);
        if (rows[i].error) {
            if (code != ROUSE_EREMOTE || !strstr(why.message, rows[i].error))
                fail_msg("row %zu: %d '%s'", i, code, why.message);
            assert_null(strstr(why.message, KEY));
            assert_null(strstr(why.message, "pass"));
            assert_null(reply);
        } else {
            if (code < 0)
                fail_msg("row %zu: %d '%s'", i, code, why.message);
            assert_string_equal(reply->text, rows[i].text);
            if (strncmp(rows[i].answer, OK, strlen(OK)) == 0)
                assert_string_equal(buf_text(&listener.text), rows[i].text);
        }
        rouse_model_reply_free(reply);
        buf_done(&listener.text);
        server_done(&server);
    }
}

static void test_request(void **state)
{
    (void)state;
    struct server server;
    struct listener listener = {.text = BUF_INIT(0)};
    rouse_model_reply *reply = NULL;
    server_open(&server, (const char *const[]){OK STOP}, 1);
    assert_works(ask(server.url, &listener, &reply, &err));
    server_join(&server);
    const char *request = buf_text(&server.request);
    assert_int_equal(strncmp(request, "POST /v1/chat/completions HTTP/1.1\r\n", 36), 0);
    assert_non_null(strstr(request, "Authorization: Bearer " KEY "\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"));
    rouse_model_reply_free(reply);
    buf_done(&listener.text);
    server_done(&server);
}

/* A server that never answers is left when the caller wants to go. */
static void test_interrupted(void **state)
{
    (void)state;
    struct server server;
    struct listener listener = {.text = BUF_INIT(0), .interrupt = true};
    rouse_model_reply *reply = NULL;
    server_open(&server, (const char *const[]){NULL}, 1);
    assert_refused(ask(server.url, &listener, &reply, &err), ROUSE_EINTERRUPTED, "interrupted");
    server_done(&server);
}

static void test_unreachable(void **state)
{
    (void)state;
    struct server server;
    struct listener listener = {.text = BUF_INIT(0)};
    rouse_model_reply *reply = NULL;
    char url[64];
    server_open(&server, (const char *const[]){""}, 1);
    memcpy(url, server.url, sizeof url);
    server_done(&server); /* nobody listens there any more */
    assert_refused(ask(url, &listener, &reply, &err), ROUSE_EREMOTE, "model 'tiny' at 'http://127.0.0.1:");
}

int main(void)
{
    setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_unreachable),
    };
    return check_run(tests, NULL, NULL);
}
