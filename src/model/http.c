/* libcurl is loaded when the first model needs it, not linked: with what it brings along it would cost every start of the
 * command about ten milliseconds, and most starts never talk to a model. It is not unloaded again, for the libraries under it
 * leave exit handlers behind. */
#include "model/http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

struct http {
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    void (*easy_cleanup)(CURL *);
    const char *(*easy_strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
};

struct transfer {
    const struct http *http;
    const struct http_post *post;
    CURL *easy;
    rouse_error *err;
    size_t size;
    int stopped; /* what data, or an interrupt, said */
};

/* ISO C has no conversion between the two kinds of pointers. */
static bool find(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);
    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

int http_open(struct http **ret_http, rouse_error *err)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return rouse_fail_memory(err);
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library || !find(library, "curl_easy_init", &h->easy_init) ||
        !find(library, "curl_easy_setopt", &h->easy_setopt) || !find(library, "curl_easy_perform", &h->easy_perform) ||
        !find(library, "curl_easy_getinfo", &h->easy_getinfo) ||
        !find(library, "curl_easy_cleanup", &h->easy_cleanup) ||
        !find(library, "curl_easy_strerror", &h->easy_strerror) ||
        !find(library, "curl_slist_append", &h->slist_append) ||
        !find(library, "curl_slist_free_all", &h->slist_free_all)) {
        free(h);
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "libcurl.so.4 cannot be loaded; install libcurl4 to talk to models");
    }
    *ret_http = h;
    return 0;
}

void http_close(struct http *http)
{
    free(http);
}

static size_t on_data(char *bytes, size_t size, size_t count, void *userdata)
{
    struct transfer *t = userdata;
    long status = 0;
    size_t len = size * count;
    t->http->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->size += len;
    if (t->size > LIMIT_HTTP_BODY)
        t->stopped = rouse_fail(t->err, ROUSE_EREMOTE, "the answer is larger than %u bytes", LIMIT_HTTP_BODY);
    else
        t->stopped = t->post->data(t->post->userdata, status, bytes, len, t->err);
    return t->stopped < 0 ? 0 : len;
}

static int on_progress(void *userdata, curl_off_t dl_total, curl_off_t dl_now, curl_off_t ul_total, curl_off_t ul_now)
{
    struct transfer *t = userdata;
    (void)dl_total, (void)dl_now, (void)ul_total, (void)ul_now;
    if (!t->post->interrupted || !t->post->interrupted(t->post->userdata))
        return 0;
    t->stopped = rouse_fail(t->err, ROUSE_EINTERRUPTED, "interrupted");
    return 1;
}

/* Adds the lines; on failure frees the list and returns NULL. */
static struct curl_slist *add_lines(const struct http *h, struct curl_slist *list, const char *const *lines)
{
    for (; lines && *lines; lines++) {
        struct curl_slist *more = h->slist_append(list, *lines);
        if (!more) {
            h->slist_free_all(list);
            return NULL;
        }
        list = more;
    }
    return list;
}

static struct curl_slist *make_headers(const struct http *h, const char *const *headers)
{
    static const char *const lines[] = {"Content-Type: application/json", "Accept: text/event-stream, application/json",
                                        "Expect:", NULL};
    struct curl_slist *list = add_lines(h, NULL, lines);
    return list ? add_lines(h, list, headers) : NULL;
}

static void set_options(struct transfer *t, struct curl_slist *headers, char *why)
{
    const struct http_post *p = t->post;
    CURLcode (*set)(CURL *, CURLoption, ...) = t->http->easy_setopt;
    uint64_t silence_s = (p->silence_ms + 999) / 1000;
    set(t->easy, CURLOPT_URL, p->url);
    set(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(t->easy, CURLOPT_FOLLOWLOCATION, 0L); /* the key goes where it was meant to go, nowhere else */
    set(t->easy, CURLOPT_HTTPHEADER, headers);
    set(t->easy, CURLOPT_POST, 1L);
    set(t->easy, CURLOPT_POSTFIELDS, p->body);
    set(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->len);
    set(t->easy, CURLOPT_NOSIGNAL, 1L);
    if (p->ca_file)
        set(t->easy, CURLOPT_CAINFO, p->ca_file);
    set(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)p->connect_ms);
    set(t->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(t->easy, CURLOPT_LOW_SPEED_TIME, (long)silence_s);
    set(t->easy, CURLOPT_WRITEFUNCTION, on_data);
    set(t->easy, CURLOPT_WRITEDATA, t);
    set(t->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    set(t->easy, CURLOPT_XFERINFODATA, t);
    set(t->easy, CURLOPT_NOPROGRESS, 0L);
    set(t->easy, CURLOPT_ERRORBUFFER, why);
    set(t->easy, CURLOPT_USERAGENT, "rouse/" ROUSE_VERSION);
}

int http_post(struct http *http, const struct http_post *post, struct http_answer *ret_answer, rouse_error *err)
{
    char why[CURL_ERROR_SIZE] = "";
    curl_off_t wait_s = 0;
    *ret_answer = (struct http_answer){0};
    struct transfer t = {.http = http, .post = post, .err = err, .easy = http->easy_init()};
    struct curl_slist *headers = t.easy ? make_headers(http, post->headers) : NULL;
    int code = headers ? 0 : rouse_fail_memory(err);
    if (code == 0) {
        set_options(&t, headers, why);
        CURLcode result = http->easy_perform(t.easy);
        http->easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &ret_answer->status);
        ret_answer->unreachable =
            result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY;
        if (http->easy_getinfo(t.easy, CURLINFO_RETRY_AFTER, &wait_s) == CURLE_OK && wait_s > 0)
            ret_answer->retry_after_ms = (uint64_t)wait_s * 1000;
        if (t.stopped < 0)
            code = t.stopped;
        else if (result == CURLE_OUT_OF_MEMORY)
            code = rouse_fail_memory(err);
        else if (result != CURLE_OK)
            code = rouse_fail(err, ROUSE_EREMOTE, "%s", why[0] ? why : http->easy_strerror(result));
    }
    http->slist_free_all(headers);
    if (t.easy)
        http->easy_cleanup(t.easy);
    return code;
}
