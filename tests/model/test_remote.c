/* What a model's server does not answer is asked again, of it or of the next model; and where keys come from. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "server.h"

#include "rouse/model.h"

#define KEY "sk-secret-0123456789"

struct listener {
    struct buf text; /* what was streamed; "!" where it was declared void */
    size_t again;
    uint64_t longest_ms;
    bool interrupt; /* from the first pause on */
    bool interrupted;
};

static void on_text(const char *text, size_t len, void *userdata)
{
    buf_add(&((struct listener *)userdata)->text, text, len);
}

static void on_again(const char *why, uint64_t in_ms, void *userdata)
{
    struct listener *l = userdata;
    assert_null(strstr(why, KEY));
    assert_non_null(strstr(why, "model '"));
    buf_addc(&l->text, '!');
    l->again++;
    l->longest_ms = in_ms > l->longest_ms ? in_ms : l->longest_ms;
    l->interrupted = l->interrupt;
}

static bool is_interrupted(void *userdata)
{
    return ((struct listener *)userdata)->interrupted;
}

static int ask(const char *selector, const rouse_model_options *options, struct listener *listener,
               rouse_model_reply **ret_reply, rouse_error *why)
{
    static const char *const messages[] = {"{\"role\":\"user\",\"content\":\"hi\"}"};
    const rouse_model_request request = {.messages = messages, .n_messages = 1};
    const rouse_model_sink sink = {
        .text = on_text, .interrupted = is_interrupted, .again = on_again, .userdata = listener};
    rouse_model *model = NULL;
    assert_works(rouse_model_open(selector, options, &model, &err));
    int code = model->complete(model, &request, &sink, ret_reply, why);
    rouse_model_free(model);
    return code;
}

#define HEAD "Connection: close\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" HEAD
#define SAY(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define CALL                                                                                                           \
    "data: "                                                                                                           \
    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":"  \
    "\"{}\"}}]}}]}\n\n"
#define STOP "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define SLOW "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\n" HEAD "{\"error\":\"slow down\"}"
#define MUCH_LATER "HTTP/1.1 503 No\r\nRetry-After: 3600\r\n" HEAD "{\"error\":\"come back\"}"
#define BROKEN "HTTP/1.1 500 Oops\r\n" HEAD
#define WRONG "HTTP/1.1 400 Bad Request\r\n" HEAD "{\"error\":\"bad\"}"
#define OVERLOADED OK "data: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\"}}\n\n"

static const struct {
    const char *answers[6];
    unsigned attempts;
    const char *streamed, *error;
    size_t asked, calls;
} rows[] = {
    {{SLOW, OK SAY("hi") STOP}, 0, "!hi", NULL, 2, 0},
    {{BROKEN, SLOW, "", OK SAY("hi") STOP}, 0, "!!!hi", NULL, 4, 0},
    {{BROKEN, BROKEN, BROKEN, BROKEN, OK SAY("hi") STOP}, 0, "!!!", "refused: HTTP 500", 4, 0},
    {{OK SAY("half"), OK SAY("whole") STOP}, 0, "half!whole", NULL, 2, 0},
    {{OK CALL, OK CALL STOP}, 0, "!", NULL, 2, 1}, /* one call, though it was written twice */
    {{OVERLOADED, OK SAY("hi") STOP}, 0, "!hi", NULL, 2, 0},
    {{WRONG, OK SAY("hi") STOP}, 0, "", "refused: HTTP 400: bad", 1, 0},
    {{OK "data: nonsense\n\n", OK SAY("hi") STOP}, 0, "", "what it sent is no answer", 1, 0},
    {{SLOW, OK SAY("hi") STOP}, 1, "", "refused: HTTP 429: slow down", 1, 0},
    {{MUCH_LATER, OK SAY("hi") STOP}, 0, "", "refused: HTTP 503: come back", 1, 0},
};

static void test_asked_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server server;
        struct listener listener = {.text = BUF_INIT(0)};
        rouse_model_reply *reply = NULL;
        rouse_error why = {0};
        size_t count = 0;
        while (rows[i].answers[count])
            count++;
        server_open(&server, rows[i].answers, count);
        const rouse_model_options options = {
            .api_key = KEY, .base_url = server.url, .attempts = rows[i].attempts, .retry_ms = 1};
        int code = ask("openai:tiny", &options, &listener, &reply, &why);
        if (rows[i].error ? code != ROUSE_EREMOTE || !strstr(why.message, rows[i].error) : code < 0)
            fail_msg("row %zu: %d '%s'", i, code, why.message);
        assert_string_equal(buf_text(&listener.text), rows[i].streamed);
        if (reply)
            assert_int_equal(reply->n_calls, rows[i].calls);
        rouse_model_reply_free(reply);
        buf_done(&listener.text);
        size_t asked = server.asked;
        server_done(&server);
        assert_int_equal(asked, rows[i].asked);
    }
}

/* The server says when; an interrupt ends the pause. */
static void test_pause(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 429 No\r\nRetry-After: 100\r\n" HEAD, OK STOP};
    (void)state;
    struct server server;
    struct listener listener = {.text = BUF_INIT(0), .interrupt = true};
    rouse_model_reply *reply = NULL;
    server_open(&server, answers, 2);
    const rouse_model_options options = {.api_key = KEY, .base_url = server.url, .retry_ms = 1};
    assert_refused(ask("openai:tiny", &options, &listener, &reply, &err), ROUSE_EINTERRUPTED, "interrupted");
    assert_int_equal(listener.longest_ms, 100000);
    assert_int_equal(listener.again, 1);
    buf_done(&listener.text);
    server_done(&server);
}

static void test_next_model(void **state)
{
    static const char *const answers[] = {WRONG, OK SAY("from the second") STOP, WRONG, WRONG};
    (void)state;
    struct server server;
    struct listener listener = {.text = BUF_INIT(0)};
    rouse_model_reply *reply = NULL;
    server_open(&server, answers, 4);
    const rouse_model_options options = {.api_key = KEY, .base_url = server.url, .retry_ms = 1};
    assert_works(ask("openai:one,openai:two", &options, &listener, &reply, &err));
    assert_string_equal(buf_text(&listener.text), "!from the second");
    rouse_model_reply_free(reply);
    reply = NULL;
    assert_refused(ask("openai:one,openai:two", &options, &listener, &reply, &err), ROUSE_EREMOTE, "model 'two' at");
    server_join(&server);
    assert_non_null(strstr(buf_text(&server.request), "\"model\":\"one\""));
    assert_non_null(strstr(buf_text(&server.request), "\"model\":\"two\""));
    buf_done(&listener.text);
    server_done(&server);
    rouse_model *model = NULL;
    assert_refused(rouse_model_open("openai:a,openai:,openai:b", &options, &model, &err), ROUSE_EINVAL,
                   "use openai:MODEL");
    assert_refused(rouse_model_open("openai:1,openai:2,openai:3,openai:4,openai:5,openai:6,openai:7,openai:8,openai:9",
                                    &options, &model, &err),
                   ROUSE_ELIMIT, "more than 8 models");
}

static void test_anthropic_request(void **state)
{
    static const char *const answers[] = {
        OK "data: "
           "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n"
           "data: {\"type\":\"message_stop\"}\n\n"};
    (void)state;
    struct server server;
    struct listener listener = {.text = BUF_INIT(0)};
    rouse_model_reply *reply = NULL;
    server_open(&server, answers, 1);
    *strstr(server.url, "/v1/") = '\0';
    const rouse_model_options options = {.api_key = KEY, .base_url = server.url};
    assert_works(ask("anthropic:tiny", &options, &listener, &reply, &err));
    assert_string_equal(reply->text, "hello");
    server_join(&server);
    const char *request = buf_text(&server.request);
    assert_int_equal(strncmp(request, "POST /v1/messages HTTP/1.1\r\n", 28), 0);
    assert_non_null(strstr(request, "x-api-key: " KEY "\r\n"));
    assert_non_null(strstr(request, "anthropic-version: 2023-06-01\r\n"));
    assert_null(strstr(request, "Bearer"));
    rouse_model_reply_free(reply);
    buf_done(&listener.text);
    server_done(&server);
}

/* ---- keys ---- */

static const struct {
    const char *variable, *named, *own; /* the environment's; contents of the files, NULL = no file */
    mode_t mode;
    const char *sent, *error;
    int code;
} keys[] = {
    {"from-env", "from-named\n", "from-own\n", 0600, "Bearer from-env\r\n", NULL, 0},
    {NULL, "from-named\nmore\n", "from-own\n", 0600, "Bearer from-named\r\n", NULL, 0},
    {NULL, NULL, "from-own", 0400, "Bearer from-own\r\n", NULL, 0},
    {NULL, NULL, NULL, 0, NULL, NULL, 0},
    {NULL, "from-named", NULL, 0640, NULL, "chmod 600 it", ROUSE_EINVAL},
    {NULL, NULL, "from-own", 0604, NULL, "chmod 600 it", ROUSE_EINVAL},
    {NULL, "two words", NULL, 0600, NULL, "see OPENAI_API_KEY", ROUSE_EINVAL},
    {"two words", NULL, NULL, 0600, NULL, "see OPENAI_API_KEY", ROUSE_EINVAL},
};

static void put(const char *path, const char *text, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void test_keys(void **state)
{
    static const char *const answers[] = {OK STOP};
    char dir[] = "/tmp/rouse-keys-XXXXXX", own[64], named[64], rouse[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(rouse, sizeof rouse, "%s/rouse", dir);
    snprintf(own, sizeof own, "%s/rouse/openai.key", dir);
    snprintf(named, sizeof named, "%s/named", dir);
    assert_int_equal(mkdir(rouse, 0700), 0);
    setenv("XDG_CONFIG_HOME", dir, 1);
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct server server;
        struct listener listener = {.text = BUF_INIT(0)};
        rouse_model_reply *reply = NULL;
        rouse_model *model = NULL;
        unsetenv("OPENAI_API_KEY");
        unsetenv("OPENAI_API_KEY_FILE");
        unlink(own);
        if (keys[i].variable)
            setenv("OPENAI_API_KEY", keys[i].variable, 1);
        if (keys[i].named)
            setenv("OPENAI_API_KEY_FILE", named, 1), put(named, keys[i].named, keys[i].mode);
        if (keys[i].own)
            put(own, keys[i].own, keys[i].mode);
        server_open(&server, answers, 1);
        const rouse_model_options options = {.base_url = server.url};
        if (keys[i].error) {
            assert_refused(rouse_model_open("openai:tiny", &options, &model, &err), keys[i].code, keys[i].error);
        } else {
            assert_works(ask("openai:tiny", &options, &listener, &reply, &err));
            server_join(&server);
            bool sent = keys[i].sent ? strstr(buf_text(&server.request), keys[i].sent) != NULL
                                     : !strstr(buf_text(&server.request), "Bearer");
            if (!sent)
                fail_msg("row %zu: %s", i, buf_text(&server.request));
        }
        rouse_model_reply_free(reply);
        buf_done(&listener.text);
        server_done(&server);
    }
    setenv("OPENAI_API_KEY_FILE", "/nowhere/key", 1);
    unsetenv("OPENAI_API_KEY");
    rouse_model *model = NULL;
    assert_refused(rouse_model_open("openai:tiny", NULL, &model, &err), ROUSE_ENOTFOUND,
                   "which OPENAI_API_KEY_FILE names");
    unsetenv("OPENAI_API_KEY_FILE");
    unlink(own);
    unlink(named);
    rmdir(rouse);
    rmdir(dir);
}

int main(void)
{
    setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_again),       cmocka_unit_test(test_pause), cmocka_unit_test(test_next_model),
        cmocka_unit_test(test_anthropic_request), cmocka_unit_test(test_keys),
    };
    return check_run(tests, NULL, NULL);
}
