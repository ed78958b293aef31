/* A model behind a server. Each way it can fail is one clear line that names the model and the place, and never the key. What may
 * be over soon (a server that is overloaded, restarts, or breaks off) is tried again: a reply is whole or none, so nothing that a
 * model asks for is done twice by that. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/platform.h"
#include "model/answer.h"
#include "model/chat.h"
#include "model/http.h"
#include "model/messages.h"
#include "model/model.h"
#include "model/sse.h"

#define LONGEST_ERROR (64u << 10)
#define WATCH_MS 100 /* how late an interrupt ends a pause */

const struct dialect openai_dialect = {
    .name = "openai",
    .key_variable = "OPENAI_API_KEY",
    .url_variable = "OPENAI_BASE_URL",
    .public_url = "https://api.openai.com/v1",
    .path = "/chat/completions",
    .key_header = "Authorization: Bearer ",
    .write = chat_write,
    .add = answer_add,
};

const struct dialect anthropic_dialect = {
    .name = "anthropic",
    .key_variable = "ANTHROPIC_API_KEY",
    .url_variable = "ANTHROPIC_BASE_URL",
    .public_url = "https://api.anthropic.com",
    .path = "/v1/messages",
    .key_header = "x-api-key: ",
    .header = "anthropic-version: 2023-06-01",
    .write = messages_write,
    .add = messages_add,
};

struct remote {
    rouse_model shown; /* first */
    const struct dialect *dialect;
    struct http *http;
    struct arena arena; /* owns the texts */
    const char *key;    /* or NULL */
    const char *url;
    const char *place; /* the base URL without user and password, for people */
    const char *ca_file;
    const char *headers[3];
    uint64_t connect_ms, silence_ms, max_tokens, retry_ms;
    unsigned attempts;
};

enum form { FORM_UNKNOWN, FORM_STREAM, FORM_WHOLE, FORM_ERROR };

struct call { /* one request and its answer */
    enum form form;
    struct sse sse;
    struct buf body; /* of FORM_WHOLE and FORM_ERROR */
    struct answer answer;
    const struct remote *remote;
    const rouse_model_sink *sink;
    struct http_answer http;
    bool refused;   /* what came was no answer */
    bool broken;    /* the connection failed, but there was one */
    bool transient; /* it failed, and may not fail the next time */
};

static int on_event(void *userdata, const char *data, size_t len, rouse_error *err)
{
    struct call *c = userdata;
    return c->remote->dialect->add(&c->answer, data, len, err);
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
    if (c->form == FORM_STREAM) {
        int code = sse_feed(&c->sse, bytes, len, err);
        c->refused = code < 0;
        return code;
    }
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

static bool is_transient(long status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

static int refuse(const struct remote *o, struct call *c, long status, rouse_error *err)
{
    char why[160];
    c->transient = is_transient(status);
    answer_error_text(buf_text(&c->body), c->body.len, why, sizeof why);
    hide_key(why, o->key);
    return rouse_fail(err, ROUSE_EREMOTE, "model '%.60s' at '%.80s' refused: HTTP %ld: %s", o->shown.name, o->place,
                      status, why);
}

/* code: what the transfer returned. */
static int finish(const struct remote *o, struct call *c, int code, rouse_model_reply **ret_reply, rouse_error *err)
{
    if (code == ROUSE_EINTERRUPTED || code == ROUSE_ENOMEM)
        return code;
    if (c->http.status >= 300)
        return refuse(o, c, c->http.status, err);
    if (code == 0 && c->form == FORM_WHOLE)
        code = o->dialect->add(&c->answer, buf_text(&c->body), c->body.len, err);
    if (code == ROUSE_EREMOTE && c->form == FORM_STREAM && answer_is_complete(&c->answer))
        code = 0; /* the connection broke behind the last word */
    c->transient = c->answer.transient || c->broken;
    if (code == 0 && !answer_is_complete(&c->answer)) {
        code = rouse_fail(err, ROUSE_EREMOTE, "its answer was cut off before its end");
        c->transient = true;
    }
    if (code == 0)
        return answer_reply(&c->answer, ret_reply, err);
    if (err)
        hide_key(err->message, o->key);
    return rouse_fail_context(err, code, "model '%.60s' at '%.80s'", o->shown.name, o->place);
}

/* One request. was_there: the server was reached before, so that it is worth while when it is not now.
 * *ret_again: it failed, and it may be worth while to ask again, no sooner than in so many ms. */
static int ask(const struct remote *o, const struct buf *body, bool was_there, const rouse_model_sink *sink,
               rouse_model_reply **ret_reply, bool *ret_again, uint64_t *ret_after_ms, rouse_error *err)
{
    struct call *c = calloc(1, sizeof *c);
    if (!c)
        return rouse_fail_memory(err);
    c->remote = o;
    c->sink = sink;
    c->body = BUF_INIT(LIMIT_HTTP_BODY);
    sse_init(&c->sse, on_event, c);
    answer_init(&c->answer, sink);
    const struct http_post post = {.url = o->url,
                                   .headers = o->headers,
                                   .ca_file = o->ca_file,
                                   .body = buf_text(body),
                                   .len = body->len,
                                   .connect_ms = o->connect_ms,
                                   .silence_ms = o->silence_ms,
                                   .data = on_data,
                                   .interrupted = on_progress,
                                   .userdata = c};
    int code = http_post(o->http, &post, &c->http, err);
    c->broken = code == ROUSE_EREMOTE && !c->refused && (!c->http.unreachable || was_there);
    code = finish(o, c, code, ret_reply, err);
    *ret_again = code == ROUSE_EREMOTE && c->transient;
    *ret_after_ms = c->http.retry_after_ms;
    answer_done(&c->answer);
    sse_done(&c->sse);
    buf_done(&c->body);
    free(c);
    return code;
}

/* ---- asking again ---- */

/* Half of it up to one and a half: many that were refused at once do not come back at once. */
static uint64_t with_jitter(uint64_t ms)
{
    const rouse_platform *platform = platform_or_default(NULL);
    unsigned char random[4] = {128, 0, 0, 0};
    if (platform->random(platform->userdata, random, sizeof random) < 0)
        return ms;
    return ms / 2 + ms * (random[0] + 256u * random[1]) / 65536;
}

static int pause_for(uint64_t ms, const rouse_model_sink *sink, rouse_error *err)
{
    while (ms > 0) {
        if (sink->interrupted && sink->interrupted(sink->userdata))
            return rouse_fail(err, ROUSE_EINTERRUPTED, "interrupted");
        uint64_t part = ms < WATCH_MS ? ms : WATCH_MS;
        poll(NULL, 0, (int)part);
        ms -= part;
    }
    return 0;
}

/* The pause before the next attempt; false when the server asks for more than anybody would wait. */
static bool next_pause(const struct remote *o, unsigned attempt, uint64_t after_ms, uint64_t *ret_ms)
{
    uint64_t ms = o->retry_ms;
    for (unsigned i = 1; i < attempt && ms < LIMIT_RETRY_MS; i++)
        ms *= 2;
    ms = with_jitter(ms < LIMIT_RETRY_MS ? ms : LIMIT_RETRY_MS);
    *ret_ms = after_ms > ms ? after_ms : ms;
    return after_ms <= LIMIT_RETRY_AFTER_MS;
}

static int complete(rouse_model *model, const rouse_model_request *request, const rouse_model_sink *sink,
                    rouse_model_reply **ret_reply, rouse_error *err)
{
    const struct remote *o = (const struct remote *)(const void *)model;
    const rouse_model_sink nobody = {0};
    struct buf body = BUF_INIT(LIMIT_TEXT);
    sink = sink ? sink : &nobody;
    int code = o->dialect->write(o->shown.name, o->max_tokens, request, &body, err);
    for (unsigned attempt = 1; code == 0; attempt++) {
        rouse_error why = {0};
        uint64_t after_ms = 0, pause_ms = 0;
        bool again = false;
        code = ask(o, &body, attempt > 1, sink, ret_reply, &again, &after_ms, &why);
        again = again && attempt < o->attempts && next_pause(o, attempt, after_ms, &pause_ms);
        if (code < 0 && !again && err)
            *err = why;
        if (!again)
            break;
        if (sink->again)
            sink->again(why.message, pause_ms, sink->userdata);
        code = pause_for(pause_ms, sink, err);
    }
    buf_done(&body);
    return code;
}

static void release(rouse_model *model)
{
    struct remote *o = (struct remote *)(void *)model;
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

static const char *keep(struct remote *o, const char *first, const char *rest, bool *failed)
{
    size_t len = strlen(first), more = strlen(rest);
    char *text = arena_alloc(&o->arena, len + more + 1);
    *failed = *failed || !text;
    if (text) {
        memcpy(text, first, len);
        memcpy(text + len, rest, more + 1);
    }
    return text;
}

static int fill(struct remote *o, const char *name, const char *base, const rouse_model_options *options, rouse_error *err)
{
    const char *ca_file = first_text(options->ca_file, "SSL_CERT_FILE", NULL);
    bool failed = false;
    size_t len = strlen(base), n = 0;
    while (len > 0 && base[len - 1] == '/')
        len--;
    int code = key_find(o->dialect, options->api_key, &o->arena, &o->key, err);
    if (code < 0)
        return code;
    char *bare = arena_text(&o->arena, base, len);
    o->shown.name = keep(o, name, "", &failed);
    o->url = bare ? keep(o, bare, o->dialect->path, &failed) : NULL;
    o->place = place_of(&o->arena, base);
    o->ca_file = ca_file ? keep(o, ca_file, "", &failed) : NULL;
    if (o->key)
        o->headers[n++] = keep(o, o->dialect->key_header, o->key, &failed);
    if (o->dialect->header)
        o->headers[n++] = o->dialect->header;
    return failed || !o->url || !o->place ? rouse_fail_memory(err) : 0;
}

static uint64_t number_or(uint64_t given, uint64_t otherwise)
{
    return given > 0 ? given : otherwise;
}

int remote_open(const struct dialect *dialect, const char *name, const rouse_model_options *options, rouse_model **ret_model,
                rouse_error *err)
{
    const char *base = first_text(options->base_url, dialect->url_variable, dialect->public_url);
    int code = name[0] ? check_url(base, err)
                       : rouse_fail(err, ROUSE_EINVAL, "no model named; use %s:MODEL", dialect->name);
    if (code == 0 && options->attempts > LIMIT_MODEL_ATTEMPTS)
        code = rouse_fail(err, ROUSE_EINVAL, "a server is asked at most %d times", LIMIT_MODEL_ATTEMPTS);
    if (code < 0)
        return code;
    struct remote *o = calloc(1, sizeof *o);
    if (!o)
        return rouse_fail_memory(err);
    o->dialect = dialect;
    o->shown.complete = complete;
    o->shown.free = release;
    o->connect_ms = number_or(options->connect_timeout_ms, 10000);
    o->silence_ms = number_or(options->silence_timeout_ms, 120000);
    o->max_tokens = options->max_output_tokens;
    o->retry_ms = number_or(options->retry_ms, 1000);
    o->attempts = options->attempts ? options->attempts : 4;
    code = fill(o, name, base, options, err);
    if (code == 0)
        code = http_open(&o->http, err);
    if (code < 0) {
        release(&o->shown);
        return code;
    }
    *ret_model = &o->shown;
    return 0;
}
