/* One POST, its answer in pieces. The only file that knows libcurl is http.c. */
#ifndef MODEL_HTTP_H
#define MODEL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct http;

/* Loads libcurl. Returns http_close. ROUSE_EUNSUPPORTED, ROUSE_ENOMEM. */
int http_open(struct http **ret_http, rouse_error *err);
void http_close(struct http *http); /* takes NULL */

struct http_post {
    const char *url;
    const char *const *headers; /* NULL-terminated lines; may hold a secret, and are never shown */
    const char *ca_file;        /* who may vouch for the server, PEM; NULL = those the system trusts */
    const char *body;           /* JSON */
    size_t len;
    uint64_t connect_ms, silence_ms;
    /* A piece of the answer and its status. Negative ends the transfer, and http_post returns it. */
    int (*data)(void *userdata, long status, const char *bytes, size_t len, rouse_error *err);
    bool (*interrupted)(void *userdata);
    void *userdata;
};

struct http_answer {
    long status;             /* 0 when there was none */
    bool unreachable;        /* nobody was there to be asked */
    uint64_t retry_after_ms; /* what the server asks to wait, 0 = it does not say */
};

/* *ret_answer: also set on failure. Proxies are those of the environment. ROUSE_EREMOTE with the cause in a few words,
 * ROUSE_EINTERRUPTED, what data returned, ROUSE_ENOMEM. */
int http_post(struct http *http, const struct http_post *post, struct http_answer *ret_answer, rouse_error *err);

#endif
