/* A message of a conversation, as it is stored and as a model reads it (COMPAT B87):
 * {"id","role","content":[{"type":"text","text"}],"tool_calls":[{"id","name","arguments"}],"tool_call_id","visibility",
 * "metadata"}. Machine-made messages are internal and say {"origin":"machine"}. */
#ifndef AGENT_MESSAGE_H
#define AGENT_MESSAGE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "rouse/model.h"

struct message { /* a decoded one; its strings are the arena's */
    const char *id;
    const char *role;
    const char *text;             /* its text blocks, joined by line feeds */
    const rouse_tool_call *calls; /* arguments as the model wrote them */
    size_t n_calls;
    const char *tool_call_id; /* or NULL */
    bool machine;             /* written when encoding; not needed when reading */
};

/* ROUSE_EDATA with the member's name, ROUSE_ENOMEM. */
int message_decode(const char *json, size_t len, struct arena *arena, struct message *fill, rouse_error *err);
/* Returns free; NULL with err. Arguments that are a JSON object are stored as one, all others as the string they are. */
char *message_encode(const struct message *message, rouse_error *err);

#endif
