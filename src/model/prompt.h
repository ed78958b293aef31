/* A request as one text, the way a person would read it: what a script's expectations are held against. */
#ifndef MODEL_PROMPT_H
#define MODEL_PROMPT_H

#include "base/buf.h"
#include "rouse/model.h"

/* System, messages (with tool calls and results), tail; separated by line feeds. *ret_turn: assistant messages so far. */
int prompt_render(const rouse_model_request *request, struct buf *out, size_t *ret_turn, rouse_error *err);

#endif
