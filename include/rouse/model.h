/* rouse/model.h: what a language model is to rouse: one call that turns a request into a reply, streaming its text.
 *
 * A model is a struct of functions, so that a program can bring its own. rouse brings three: `scripted`, which plays a file
 * and needs no network; `openai`, which speaks to any server with an OpenAI-compatible /chat/completions; and `anthropic`,
 * which speaks to a server of Anthropic's /v1/messages. Several in one are asked in turn until one answers.
 *
 * Invariants
 *   - A model keeps no conversation: each request holds all of it.
 *   - A reply is whole or it is an error: a stream that was cut gives no reply, whatever was streamed before. So a model that
 *     asks its server once more never makes a tool run twice.
 *
 * Threads: a model serves one call at a time. Callbacks come on the calling thread, during the call, never after it.
 */
#ifndef ROUSE_MODEL_H
#define ROUSE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rouse/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rouse_tool_call { /* what a model asks for */
    const char *id;              /* the model's own; "" when it gave none */
    const char *name;
    const char *arguments; /* as the model wrote them: meant to be a JSON object, not checked */
} rouse_tool_call;

typedef struct rouse_tool_schema { /* what a model is told about a tool */
    const char *name;
    const char *description;
    const char *parameters; /* JSON Schema of an object, as JSON text */
} rouse_tool_schema;

typedef struct rouse_model_request { /* everything Borrowed for the call */
    const char *system;              /* or NULL */
    const char *const *messages;     /* the conversation, each message as JSON (COMPAT B87), oldest first */
    size_t n_messages;
    const char *tail; /* machine-made text that goes behind everything else, or NULL. Not part of the
                                        conversation: a cached prefix stays valid */
    const rouse_tool_schema *tools;
    size_t n_tools;
} rouse_model_request;

typedef struct rouse_model_sink {                               /* zero means nobody listens */
    void (*text)(const char *text, size_t len, void *userdata); /* the next piece of the answer, UTF-8 */
    bool (*interrupted)(void *userdata);                        /* true: give up soon, with ROUSE_EINTERRUPTED */
    /* The server did not answer, or broke off; it, or another model, is asked once more in so many ms. The pieces of text that
     * came so far are void. why: one line for people. */
    void (*again)(const char *why, uint64_t in_ms, void *userdata);
    void *userdata;
} rouse_model_sink;

typedef struct rouse_model_reply {
    const char *text;             /* "" when there is only a tool call */
    const rouse_tool_call *calls; /* in the model's order */
    size_t n_calls;
    const char *finish_reason; /* "stop", "tool_calls", "length", … */
    uint64_t input_tokens;     /* with those that came from a cache; 0 when the model does not say */
    uint64_t output_tokens;
    uint64_t cached_tokens;    /* how many of input_tokens the server had in its cache */
} rouse_model_reply;
/* A deep copy with one owner, for those who write a model. Returns rouse_model_reply_free; NULL when out of memory. */
ROUSE_API rouse_model_reply *rouse_model_reply_copy(const rouse_model_reply *reply);
ROUSE_API void rouse_model_reply_free(rouse_model_reply *reply); /* takes NULL */

typedef struct rouse_model rouse_model;
struct rouse_model {
    const char *name; /* for people; Borrowed until free */
    /* *ret_reply Returns rouse_model_reply_free. ROUSE_EREMOTE (unreachable, refused, cut, nonsense; a script that was not
     * met), ROUSE_ELIMIT, ROUSE_EINTERRUPTED, ROUSE_ENOMEM. */
    int (*complete)(rouse_model *model, const rouse_model_request *request, const rouse_model_sink *sink,
                    rouse_model_reply **ret_reply, rouse_error *err);
    void (*free)(rouse_model *model);
};

typedef struct rouse_model_options { /* zero means default */
    /* Default $OPENAI_API_KEY or $ANTHROPIC_API_KEY; else the first line of the file that the same name with _FILE behind it
     * names; else of rouse/openai.key or rouse/anthropic.key in $XDG_CONFIG_HOME or ~/.config. A file that others may read is
     * refused. None is allowed: servers on loopback often need none. Never shown, never stored. */
    const char *api_key;
    const char *base_url;        /* default $OPENAI_BASE_URL or $ANTHROPIC_BASE_URL, else the public endpoint */
    const char *ca_file;         /* PEM; default $SSL_CERT_FILE, else what the system trusts. Proxies: $https_proxy, $no_proxy */
    uint64_t connect_timeout_ms; /* default 10000 */
    uint64_t silence_timeout_ms; /* how long a started answer may say nothing; default 120000 */
    uint64_t max_output_tokens;  /* default: the server's; 8192 where one must be named */
    /* How often a server is asked that breaks off, or answers 408, 425, 429 or 5xx; default 4, at most 100. One that cannot be
     * reached the first time is not asked again: that is mostly a wrong address. The
     * pause before the second time (default 1000 ms) doubles each time up to 30 s, and is longer when the server asks for it
     * (Retry-After); one that asks for more than two minutes is not asked again. */
    unsigned attempts;
    uint64_t retry_ms;
} rouse_model_options;

/* Opens "scripted:FILE", "openai:MODEL" or "anthropic:MODEL"; a plain MODEL is an openai one; NULL or "" is $OPENAI_MODEL.
 * "M,N,…", where each begins with one of these words: N is asked when M gives ROUSE_EREMOTE, and so on.
 * Returns rouse_model_free. ROUSE_EINVAL (no model named, bad URL, a key that no header can hold or a file that others may
 * read), ROUSE_ENOTFOUND and ROUSE_EDATA (the script, with its line; the key's file), ROUSE_EUNSUPPORTED (no libcurl),
 * ROUSE_EIO, ROUSE_ELIMIT (more than 8 models), ROUSE_ENOMEM. The options are copied. */
ROUSE_API int rouse_model_open(const char *selector, const rouse_model_options *options, rouse_model **ret_model,
                               rouse_error *err);
ROUSE_API void rouse_model_free(rouse_model *model); /* takes NULL */

#ifdef __cplusplus
}
#endif
#endif
