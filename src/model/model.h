/* Inside the model room: the makers that rouse_model_open chooses from. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/answer.h"
#include "rouse/model.h"

/* file: a path. */
int scripted_open(const char *file, rouse_model **ret_model, rouse_error *err);
/* What one kind of server speaks. */
struct dialect {
    const char *name;         /* before the colon of a selector */
    const char *key_variable; /* of the environment */
    const char *url_variable;
    const char *public_url, *path;
    const char *key_header; /* the key comes behind it */
    const char *header;     /* one more, or NULL */
    int (*write)(const char *model, uint64_t max_tokens, const rouse_model_request *request, struct buf *out, rouse_error *err);
    int (*add)(struct answer *a, const char *data, size_t len, rouse_error *err); /* as answer_add */
};
extern const struct dialect openai_dialect, anthropic_dialect;

/* name: the model's, as the server knows it. */
int remote_open(const struct dialect *dialect, const char *name, const rouse_model_options *options, rouse_model **ret_model,
                rouse_error *err);
/* The key of a dialect (rouse_model_options.api_key says where it comes from), in the arena; *ret_key NULL: none. */
int key_find(const struct dialect *dialect, const char *given, struct arena *arena, const char **ret_key, rouse_error *err);
/* Takes the models, of which there is at least one; on failure they are still the caller's. */
int fallback_open(rouse_model *const *models, size_t count, rouse_model **ret_model, rouse_error *err);

#endif
