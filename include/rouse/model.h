/* rouse/model.h: what a language model is to rouse: one call that turns a request into a reply, streaming its text.
 *
 * A model is a struct of functions, so that a program can bring its own. rouse brings two: `scripted`, which plays a file
 * and needs no network, and `openai`, which speaks to any server with an OpenAI-compatible /chat/completions.
 *
 * Invariants
 *   - A model keeps no conversation: each request holds all of it.
 *   - A reply is whole or it is an error: a stream that was cut gives no reply, whatever was streamed before.
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
    void *userdata;
} rouse_model_sink;

typedef struct rouse_model_reply {
    const char *text;             /* "" when there is only a tool call */
    const rouse_tool_call *calls; /* in the model's order */
    size_t n_calls;
    const char *finish_reason; /* "stop", "tool_calls", "length", … */
    uint64_t input_tokens;     /* 0 when the model does not say */
    uint64_t output_tokens;
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
    const char *api_key;             /* default $OPENAI_API_KEY; none is allowed, servers on loopback often need none */
    const char *base_url;            /* default $OPENAI_BASE_URL, else the public endpoint */
    uint64_t connect_timeout_ms;     /* default 10000 */
    uint64_t silence_timeout_ms;     /* how long a started answer may say nothing; default 120000 */
} rouse_model_options;

/* Opens "scripted:FILE" or "openai:MODEL"; a plain MODEL is an openai one; NULL or "" is $OPENAI_MODEL.
 * Returns rouse_model_free. ROUSE_EINVAL (no model named, bad URL), ROUSE_ENOTFOUND and ROUSE_EDATA (the script, with its
 * line), ROUSE_EUNSUPPORTED (no libcurl), ROUSE_ENOMEM. The options are copied. */
ROUSE_API int rouse_model_open(const char *selector, const rouse_model_options *options, rouse_model **ret_model,
                               rouse_error *err);
ROUSE_API void rouse_model_free(rouse_model *model); /* takes NULL */

#ifdef __cplusplus
}
#endif
#endif
