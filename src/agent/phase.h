/* Running the hooks of a phase (COMPAT B24, B25, DEFECTS 19, 20): all see one snapshot, what they give is merged and committed
 * once. Hooks that touch the same exclusive key are run again one after another, each on what the one before left; so is a
 * hook whose own base revision moved. The seed refuses such an overlap before inference; here only phases whose updates join the
 * commit of a message do, where there is no commit of their own to try again. */
#ifndef AGENT_PHASE_H
#define AGENT_PHASE_H

#include "agent/run.h"

/* Runs the phase and commits its updates together with t (t->batch must be NULL); nothing is committed when both are empty. */
int phase_commit(struct run *r, rouse_phase phase, const struct transition *t, rouse_error *err);
/* Runs the phase and moves its updates behind into's. Two hooks on one exclusive key, or a base revision, are an error here.
 * call and result as in rouse_hook; ret_denied (may be NULL): Returns the reason (free) when a hook denied the call. */
int phase_collect(struct run *r, rouse_phase phase, const rouse_tool_call *call, const char *result, rouse_batch *into,
                  char **ret_denied, rouse_error *err);
/* What BeforeInference left for this request, and remembers it. */
int phase_take_injected(struct run *r, struct buf *out, rouse_error *err);

#endif
