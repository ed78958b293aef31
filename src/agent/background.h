/* The hooks and keys of the background plugin; src/tools adds the tools and makes the plugin of them. */
#ifndef AGENT_BACKGROUND_H
#define AGENT_BACKGROUND_H

#include "rouse/agent.h"

#define BACKGROUND_PHASES                                                                                              \
    (ROUSE_PHASE_BIT(ROUSE_RUN_START) | ROUSE_PHASE_BIT(ROUSE_BEFORE_INFERENCE) | ROUSE_PHASE_BIT(ROUSE_STEP_END) |    \
     ROUSE_PHASE_BIT(ROUSE_RUN_END))

extern const rouse_key *const background_keys[2];
int background_hook(rouse_hook *hook, void *userdata, rouse_error *err);

#endif
