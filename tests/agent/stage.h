/* What tests of the run loop need: a scene, an agent on its thread "t" that plays a script, and a record of what the model saw
 * and of what the agent told. */
#ifndef AGENT_STAGE_H
#define AGENT_STAGE_H

#include "rouse/agent.h"
#include "support/check.h"
#include "support/scene.h"

#define STAGE_PROMPTS 64

struct watched {       /* a model that remembers each request as text, and asks another */
    rouse_model shown; /* first */
    rouse_model *inner;
    char *prompts[STAGE_PROMPTS];
    size_t n;
};

struct stage {
    struct scene scene;
    struct watched model;
    rouse_agent_options options; /* may be changed between runs */
    char *log;                   /* what the agent told: "text …", "call NAME", "result …", one a line */
    void (*on_waiting)(struct stage *stage);
    bool interrupted;
    void *data;
};

void stage_init(struct stage *s, const char *script);
/* Another script from the next run on; its turns are counted over the whole thread. */
void stage_script(struct stage *s, const char *script);
void stage_done(struct stage *s);
int stage_try(struct stage *s, const char *prompt, rouse_agent_result **ret_result, rouse_error *err);
/* Fails the test when it cannot, or when status and reason are others. Returns rouse_agent_result_free. */
rouse_agent_result *stage_run(struct stage *s, const char *prompt, const char *status, const char *reason);
/* The same, thrown away. */
void stage_play(struct stage *s, const char *prompt, const char *status, const char *reason);

/* What the model saw in its last request; "" before the first. */
const char *stage_seen(const struct stage *s);
/* The conversation as text, one message a line: "role: text | call NAME ARGUMENTS". Ids of calls and long numbers are #.
 * Returns free. */
char *stage_transcript(struct stage *s);
size_t stage_count(const char *text, const char *part); /* how often part stands in text */
/* Asserts what every conversation must be: each call is answered once, no event is told twice, none is unread. */
void stage_check(struct stage *s);
/* The lifecycle and pending work of a run, as they are in the store. */
void stage_check_state(struct stage *s, const char *run, const char *status, const char *reason, uint64_t steps,
                       bool pending);
/* Lets a command that reads the fifo go on. */
void stage_release(const char *fifo);

#endif
