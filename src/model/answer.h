/* What a /chat/completions server sends, put together: a stream of chunks, or one whole completion. */
#ifndef MODEL_ANSWER_H
#define MODEL_ANSWER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "rouse/model.h"

struct answer_call { /* a tool call, as far as it has come */
    struct buf id, name, arguments;
};

struct answer {
    struct buf text;
    struct answer_call calls[LIMIT_TOOL_CALLS];
    size_t n_calls;
    char finish_reason[32]; /* "" = not told yet */
    bool done;              /* [DONE] came */
    uint64_t input_tokens, output_tokens;
    const rouse_model_sink *sink;
};

void answer_init(struct answer *a, const rouse_model_sink *sink);
void answer_done(struct answer *a);
/* One event's data: a chunk, or [DONE]. Streams its text. ROUSE_EREMOTE (nonsense, or an error the server reports),
 * ROUSE_ELIMIT, ROUSE_ENOMEM. */
int answer_add(struct answer *a, const char *data, size_t len, rouse_error *err);
/* Has the model said all? */
bool answer_is_complete(const struct answer *a);
int answer_reply(const struct answer *a, rouse_model_reply **ret_reply, rouse_error *err);
/* The message of an error document, or its beginning when it is none, cut to fit. */
void answer_error_text(const char *body, size_t len, char *out, size_t size);

#endif
