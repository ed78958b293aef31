/* Inside the agent room: an agent, one rouse_agent_run of it, and the commits that move a run. */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include "agent/history.h"
#include "base/buf.h"
#include "base/error.h"
#include "rouse/agent.h"

struct rouse_agent {
    rouse_agent_options options;
    rouse_store *store;
    const rouse_platform *platform;
    const rouse_tool **tools; /* of all plugins, in their order */
    rouse_tool_schema *schemas;
    size_t n_tools;
};

struct injection { /* of one plugin */
    char *last;    /* what it put behind a request last, or NULL */
    char *next;    /* what it wants there now, or NULL */
    bool always;
};

struct run {
    rouse_agent *agent;
    struct history history;
    struct arena arena;
    const char *id;
    const char *status; /* "created" until its first commit */
    const char *reason;
    uint64_t steps, input_tokens, output_tokens;
    uint64_t started_at;          /* seconds */
    bool is_new;                  /* not in the store yet */
    struct injection *injections; /* one per plugin */
    unsigned rounds;              /* model calls of this process */
    bool pending_known;           /* __runtime.pending_work was decided after the last thing that could change it */
    bool cancelled;
    bool cancelled_self; /* by its own cancel_task */
    int lock;            /* held while this process writes the thread */
};

struct transition {                 /* one commit; zero means nothing of it */
    rouse_batch *batch;             /* borrowed; the loop's own updates are added to it */
    const struct message *messages; /* without ids */
    size_t n_messages;
    const uint64_t *acks;
    size_t n_acks;
    const char *status, *reason; /* static or the run's */
    bool step;
};

/* The thread's last run when it is not done, else a new one. Takes the thread's lock. On failure r is done. */
int run_open(struct run *r, rouse_agent *agent, rouse_error *err);
void run_close(struct run *r); /* takes an all-zero one */
/* ROUSE_ECONFLICT: another process is writing the thread, or the batch's base revision moved (see run_is_stale). */
int run_commit(struct run *r, const struct transition *t, rouse_error *err);
/* A commit of t failed with code: because of the base revision it named, so that it is worth another try? */
bool run_is_stale(const struct transition *t, int code);
/* Takes unread events in as messages, prompt (or NULL) behind them, each event with its acknowledgement in one commit, and
 * sets the run running. *ret_count: messages that came. */
int run_feed(struct run *r, const char *prompt, size_t *ret_count, rouse_error *err);
/* Unanswered calls get an answer that says so; RunEnd; done. */
int run_finish(struct run *r, const char *reason, rouse_error *err);

bool run_is_interrupted(const struct run *r);
uint64_t run_now(const struct run *r);
void run_tell(const struct run *r, const rouse_agent_event *event);
void run_tell_text(const struct run *r, rouse_agent_event_kind kind, const char *text);

/* One model call and its tools; ROUSE_EINTERRUPTED sets cancelled and is no error. */
int step_run(struct run *r, rouse_error *err);
/* The tools and the end of a step that a killed process left behind; nothing when there is none. */
int step_repair(struct run *r, rouse_error *err);
/* Calls the tool and stores its answer. again: it may have run before. */
int call_run(struct run *r, const rouse_tool_call *call, bool again, rouse_error *err);
/* Nothing left to say: 1 go round again, 0 the run is done or waiting. */
int rest_run(struct run *r, rouse_error *err);

#endif
