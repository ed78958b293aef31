/* Anthropic's /v1/messages: the body of a request, and what the server sends. */
#ifndef MODEL_MESSAGES_H
#define MODEL_MESSAGES_H

#include "model/answer.h"

/* max_tokens 0: 8192. The conversation up to the tail is marked for the server's cache. */
int messages_write(const char *model, uint64_t max_tokens, const rouse_model_request *request, struct buf *out, rouse_error *err);
/* One event's data, or a whole message. As answer_add. */
int messages_add(struct answer *a, const char *data, size_t len, rouse_error *err);

#endif
