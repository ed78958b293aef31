/* The body of a /chat/completions request. */
#ifndef MODEL_CHAT_H
#define MODEL_CHAT_H

#include "base/buf.h"
#include "rouse/model.h"

int chat_write(const char *model, uint64_t max_tokens, const rouse_model_request *request, struct buf *out, rouse_error *err);

#endif
