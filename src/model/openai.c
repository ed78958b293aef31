/* A model behind an OpenAI-compatible server. Each way it can fail is one clear line that names the model and the place, and
 * never the key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "model/answer.h"
#include "model/chat.h"
#include "model/http.h"
#include "model/model.h"
#include "model/sse.h"

#define PUBLIC_URL "https://api.openai.com/v1"
#define LONGEST_ERROR (64u << 10)

struct openai {
    rouse_model shown; /* first */
    struct http *http;
    struct arena arena; /* owns the texts */
    const char *key;    /* or NULL */
    const char *url;
    const char *place; /* the base URL without user and password, for people */
    uint64_t connect_ms, silence_ms;
};

enum form { FORM_UNKNOWN, FORM_STREAM, FORM_WHOLE, FORM_ERROR };

struct call { /* one request and its answer */
    enum form form;
    struct sse sse;
    struct buf body; /* of FORM_WHOLE and FORM_ERROR */
    struct answer answer;
    const rouse_model_sink *sink;
};

static int on_event(void *userdata, const char *data, size_t len, rouse_error *err)
{
    return answer_add(userdata, data, len, err);
}

/* The first byte tells a stream from a whole completion: not every server streams when asked to. */
static enum form form_of(long status, const char *bytes, size_t len)
{
    if (status >= 300)
        return FORM_ERROR;
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r\n", bytes[i]))
            return bytes[i] == '{' ? FORM_WHOLE : FORM_STREAM;
    return FORM_UNKNOWN;
}

static int on_data(void *userdata, long status, const char *bytes, size_t len, rouse_error *err)
{
    struct call *c = userdata;
    if (c->form == FORM_UNKNOWN)
        c->form = form_of(status, bytes, len);
    if (c->form == FORM_STREAM)
        return sse_feed(&c->sse, bytes, len, err);
    if (c->form == FORM_ERROR && c->body.len + len > LONGEST_ERROR)
        return 0;
    if (c->form != FORM_UNKNOWN)
        buf_add(&c->body, bytes, len);
    return buf_check(&c->body, err);
}

static bool on_progress(void *userdata)
{
    const struct call *c = userdata;
    return c->sink->interrupted && c->sink->interrupted(c->sink->userdata);
}

/* Servers repeat what they were sent: the key must not come out with it. */
static void hide_key(char *text, const char *key)
{
    size_t len = key ? strlen(key) : 0;
    for (char *at = text; len > 0 && (at = strstr(at, key)); at += len)
        memset(at, '*', len);
    size_t end = strlen(text);
    for (size_t n = len < end ? len : end; n > 3; n--) /* one that was cut off with the text */
        if (memcmp(text + end - n, key, n) == 0) {
            memset(text + end - n, '*', n);
            return;
        }
}

static int refuse(const struct openai *o, const struct call *c, long status, rouse_error *err)
{
    char why[160];
    answer_error_text(buf_text(&c->body), c->body.len, why, sizeof why);
    hide_key(why, o->key);
    return rouse_fail(err, ROUSE_EREMOTE, "model '%.60s' at '%.80s' refused: HTTP %ld: %s", o->shown.name, o->place,
                      status, why);
}

static int finish(const struct openai *o, struct call *c, int code, long status, rouse_model_reply **ret_reply,
                  rouse_error *err)
{
    if (code == ROUSE_EINTERRUPTED || code == ROUSE_ENOMEM)
        return code;
    if (status >= 300)
        return refuse(o, c, status, err);
    if (code == 0 && c->form == FORM_WHOLE)
        code = answer_add(&c->answer, buf_text(&c->body), c->body.len, err);
    if (code == ROUSE_EREMOTE && c->form == FORM_STREAM && answer_is_complete(&c->answer))
        code = 0; /* the connection broke behind the last word */
    if (code == 0 && !answer_is_complete(&c->answer))
        code = rouse_fail(err, ROUSE_EREMOTE, "its answer was cut off before its end");
    if (code == 0)
        return answer_reply(&c->answer, ret_reply, err);
    if (err)
        hide_key(err->message, o->key);
    return rouse_fail_context(err, code, "model '%.60s' at '%.80s'", o->shown.name, o->place);
}

static int complete(rouse_model *model, const rouse_model_request *request, const rouse_model_sink *sink,
                    rouse_model_reply **ret_reply, rouse_error *err)
{
    struct openai *o = (struct openai *)(void *)model;
    const rouse_model_sink nobody = {0};
    struct buf body = BUF_INIT(LIMIT_TEXT);
    long status = 0;
    int code = chat_write(o->shown.name, request, &body, err);
    struct call *c = calloc(1, sizeof *c);
    if (code < 0 || !c) {
        buf_done(&body);
        free(c);
        return code < 0 ? code : rouse_fail_memory(err);
    }
    c->sink = sink ? sink : &nobody;
    c->body = BUF_INIT(LIMIT_HTTP_BODY);
    sse_init(&c->sse, on_event, &c->answer);
    answer_init(&c->answer, c->sink);
    const struct http_post post = {.url = o->url,
                                   .bearer = o->key,
                                   .body = buf_text(&body),
                                   .len = body.len,
                                   .connect_ms = o->connect_ms,
                                   .silence_ms = o->silence_ms,
                                   .data = on_data,
                                   .interrupted = on_progress,
                                   .userdata = c};
    code = http_post(o->http, &post, &status, err);
    code = finish(o, c, code, status, ret_reply, err);
    answer_done(&c->answer);
    sse_done(&c->sse);
    buf_done(&c->body);
    free(c);
    buf_done(&body);
    return code;
}

static void release(rouse_model *model)
{
    struct openai *o = (struct openai *)(void *)model;
    http_close(o->http);
    arena_done(&o->arena);
    free(o);
}

static const char *first_text(const char *given, const char *variable, const char *otherwise)
{
    const char *value = given && given[0] ? given : getenv(variable);
    return value && value[0] ? value : otherwise;
}

static int check_url(const char *base, rouse_error *err)
{
    if (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0)
        return rouse_fail(err, ROUSE_EINVAL, "the model's base URL must begin with http:// or https://");
    if (strpbrk(base, " \t\r\n"))
        return rouse_fail(err, ROUSE_EINVAL, "the model's base URL holds a blank");
    return 0;
}

static int check_key(const char *key, rouse_error *err)
{
    for (; key && *key; key++)
        if (*key <= ' ' || *key > '~')
            return rouse_fail(err, ROUSE_EINVAL,
                              "the API key holds a character that no header can; see OPENAI_API_KEY");
    return 0;
}

/* scheme://host… without what stands before an '@'. */
static const char *place_of(struct arena *arena, const char *base)
{
    const char *host = strstr(base, "://") + 3;
    size_t authority = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', authority);
    size_t scheme = (size_t)(host - base);
    const char *rest = at ? at + 1 : host;
    char *place = arena_alloc(arena, scheme + strlen(rest) + 1);
    if (place) {
        memcpy(place, base, scheme);
        memcpy(place + scheme, rest, strlen(rest) + 1);
    }
    return place;
}

static int fill(struct openai *o, const char *name, const char *base, const char *key, rouse_error *err)
{
    struct buf url = BUF_INIT(LIMIT_LINE);
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    buf_add(&url, base, len);
    buf_adds(&url, "/chat/completions");
    int code = buf_check(&url, err);
    if (code == 0) {
        o->shown.name = arena_text(&o->arena, name, strlen(name));
        o->url = arena_text(&o->arena, buf_text(&url), url.len);
        o->place = place_of(&o->arena, base);
        o->key = key ? arena_text(&o->arena, key, strlen(key)) : NULL;
        if (!o->shown.name || !o->url || !o->place || (key && !o->key))
            code = rouse_fail_memory(err);
    }
    buf_done(&url);
    return code;
}

int openai_open(const char *name, const rouse_model_options *options, rouse_model **ret_model, rouse_error *err)
{
    const char *base = first_text(options->base_url, "OPENAI_BASE_URL", PUBLIC_URL);
    const char *key = first_text(options->api_key, "OPENAI_API_KEY", NULL);
    int code = name[0] ? check_url(base, err) : rouse_fail(err, ROUSE_EINVAL, "no model named; use openai:MODEL");
    if (code == 0)
        code = check_key(key, err);
    if (code < 0)
        return code;
    struct openai *o = calloc(1, sizeof *o);
    if (!o)
        return rouse_fail_memory(err);
    o->shown.complete = complete;
    o->shown.free = release;
    o->connect_ms = options->connect_timeout_ms ? options->connect_timeout_ms : 10000;
    o->silence_ms = options->silence_timeout_ms ? options->silence_timeout_ms : 120000;
    code = fill(o, name, base, key, err);
    if (code == 0)
        code = http_open(&o->http, err);
    if (code < 0) {
        release(&o->shown);
        return code;
    }
    *ret_model = &o->shown;
    return 0;
}
