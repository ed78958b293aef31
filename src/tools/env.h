/* The environment that a command started by a model gets: the agent's own without what looks like a secret, and without
 * rouse's own variables, which a task gets anew. */
#ifndef TOOLS_ENV_H
#define TOOLS_ENV_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

/* *_KEY, *_TOKEN, *_SECRET, *PASSWORD*, in any case. */
bool env_is_secret(const char *assignment);
/* A NULL-terminated array in the arena that borrows the strings of env (may be NULL). keep_model_key: OPENAI_API_KEY stays, for
 * a sub-agent that talks to the same model. */
int env_for_task(const char *const *env, bool keep_model_key, struct arena *arena, const char *const **ret_env,
                 rouse_error *err);

#endif
