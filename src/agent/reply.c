#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "rouse/model.h"

struct reply {
    rouse_model_reply shown; /* first: what callers hold */
    struct arena arena;
};

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    const char *copy = arena_text(arena, text, strlen(text));
    *failed = *failed || !copy;
    return copy;
}

rouse_model_reply *rouse_model_reply_copy(const rouse_model_reply *reply)
{
    bool failed = false;
    struct reply *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    rouse_tool_call *calls = arena_alloc(&copy->arena, (reply->n_calls + 1) * sizeof *calls);
    copy->shown = *reply;
    copy->shown.calls = calls;
    copy->shown.text = keep(&copy->arena, reply->text ? reply->text : "", &failed);
    copy->shown.finish_reason = keep(&copy->arena, reply->finish_reason ? reply->finish_reason : "", &failed);
    for (size_t i = 0; calls && i < reply->n_calls; i++) {
        calls[i].id = keep(&copy->arena, reply->calls[i].id, &failed);
        calls[i].name = keep(&copy->arena, reply->calls[i].name, &failed);
        calls[i].arguments = keep(&copy->arena, reply->calls[i].arguments, &failed);
    }
    if (!calls || failed) {
        rouse_model_reply_free(&copy->shown);
        return NULL;
    }
    return &copy->shown;
}

void rouse_model_reply_free(rouse_model_reply *reply)
{
    struct reply *owner = (struct reply *)(void *)reply;
    if (!owner)
        return;
    arena_done(&owner->arena);
    free(owner);
}

void rouse_model_free(rouse_model *model)
{
    if (model)
        model->free(model);
}
