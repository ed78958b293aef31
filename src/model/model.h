/* Inside the model room: the makers that rouse_model_open chooses from. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "rouse/model.h"

/* file: a path. */
int scripted_open(const char *file, rouse_model **ret_model, rouse_error *err);
/* name: the model's, as the server knows it. */
int openai_open(const char *name, const rouse_model_options *options, rouse_model **ret_model, rouse_error *err);

#endif
