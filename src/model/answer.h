/* What a model's server sends, put together; and what a /chat/completions server writes: a stream of chunks, or one whole
 * completion. messages.h is the other dialect. */
#ifndef MODEL_ANSWER_H
#define MODEL_ANSWER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "json/jtext.h"
#include "rouse/model.h"

struct answer_call { /* a tool call, as far as it has come */
    struct buf id, name, arguments;
    uint64_t block; /* of the message, in the dialect that counts them */
};

struct answer {
    struct buf text;
    struct answer_call calls[LIMIT_TOOL_CALLS];
    size_t n_calls;
    char finish_reason[32]; /* "" = not told yet */
    bool done;              /* the server said that nothing more comes */
    bool transient;         /* it told an error that may be gone the next time */
    uint64_t input_tokens, output_tokens, cached_tokens;
    const rouse_model_sink *sink;
};

void answer_init(struct answer *a, const rouse_model_sink *sink);
void answer_done(struct answer *a);
/* One event's data: a chunk, or [DONE]. Streams its text. ROUSE_EREMOTE (nonsense, or an error the server reports),
 * ROUSE_ELIMIT, ROUSE_ENOMEM. */
int answer_add(struct answer *a, const char *data, size_t len, rouse_error *err);
/* Pieces, for whoever reads them: text that is streamed, the next call, more of its arguments (a string that holds JSON, or the
 * JSON itself). What is absent or null adds nothing. */
int answer_add_text(struct answer *a, struct jslice text, struct arena *arena, rouse_error *err);
int answer_next_call(struct answer *a, const char *id, const char *name, struct answer_call **ret_call, rouse_error *err);
int answer_add_arguments(struct answer_call *call, struct jslice arguments, struct arena *arena, rouse_error *err);
/* An error document that came in the place of an answer: ROUSE_EREMOTE. */
int answer_refuse(struct answer *a, const char *data, size_t len, rouse_error *err);
/* What decoding returned, with ROUSE_EDATA told as ROUSE_EREMOTE. */
int answer_told(int code, rouse_error *err);
/* Has the model said all? */
bool answer_is_complete(const struct answer *a);
int answer_reply(const struct answer *a, rouse_model_reply **ret_reply, rouse_error *err);
/* The message of an error document, or its beginning when it is none, cut to fit. */
void answer_error_text(const char *body, size_t len, char *out, size_t size);

#endif
