/* rouse/agent.h: an agent on a thread: the run loop, its phases, plugins, tools, and the background plugin.
 *
 * Invariants
 *   - The conversation and the run are in the store, never only in memory: every transition is one commit, so a process
 *     that is killed anywhere is continued by the next rouse_agent_run on the thread.
 *   - An inbox event and the message made from it are one commit: each event is told once, over any crash.
 *   - A tool call whose result was not stored when the process died is called again when the tool is `repeatable`, and is
 *     otherwise answered with an error that says so. No tool with effects runs twice unseen.
 *   - One process writes a thread at a time. The second one's commit is refused: ROUSE_ECONFLICT
 *     `another process is writing thread '{thread}'`.
 *
 * A run (COMPAT sections 14, 15): created → running → waiting ⇄ running → done. It waits (`awaiting_tasks`) when the model
 * has nothing more to say while background tasks of the thread are running; done says why: `natural`, `cancelled`,
 * `stopped:max_rounds`, `error`.
 *
 * A step: StepStart, BeforeInference, one model call, AfterInference, then for each tool call ToolGate, BeforeToolExecute,
 * the tool, AfterToolExecute; StepEnd. RunStart and RunEnd surround the steps of one rouse_agent_run.
 *
 * Threads: an agent belongs to one thread at a time; all callbacks come on it.
 */
#ifndef ROUSE_AGENT_H
#define ROUSE_AGENT_H

#include "rouse/model.h"
#include "rouse/task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rouse_phase {
    ROUSE_RUN_START = 0,
    ROUSE_STEP_START,
    ROUSE_BEFORE_INFERENCE,
    ROUSE_AFTER_INFERENCE,
    ROUSE_TOOL_GATE,
    ROUSE_BEFORE_TOOL_EXECUTE,
    ROUSE_AFTER_TOOL_EXECUTE,
    ROUSE_STEP_END, /* also looked at, without a step, whenever the run considers ending: pending work is decided here */
    ROUSE_RUN_END
} rouse_phase;
ROUSE_API const char *rouse_phase_text(rouse_phase phase); /* "RunStart", … ; never NULL */
#define ROUSE_PHASE_BIT(phase) (1u << (phase))

/* ---- tools ---- */

typedef struct rouse_call { /* what a tool is given; Borrowed for the call */
    rouse_manager *manager;
    const char *thread; /* the caller's; tools must not touch another thread's tasks */
    const char *run;
    const char *call_id; /* unique in the thread */
    bool again;          /* a process that was killed may have made this very call already */
    const char *agent_id;
    const char *task_id;    /* the task this agent is, or NULL */
    const char *const *env; /* the agent's, NULL-terminated, or NULL */
    const char *const
        *sub_agent;           /* the command that starts a sub-agent, prompt to be added; NULL-terminated, or NULL */
    rouse_snapshot *snapshot; /* frozen at the call */
    bool (*interrupted)(void *userdata);
    void *interrupted_userdata;
    int wake_fd;        /* 0 = none; readable when interrupted */
    void *userdata;     /* the tool's */
    rouse_batch *batch; /* Filled: updates committed together with the result */
    bool end_run;       /* Filled: true ends the run as cancelled once the result is stored */
} rouse_call;

typedef struct rouse_tool { /* static: must outlive every agent that has it */
    const char *name;
    const char *description;
    const char *parameters; /* JSON Schema of an object */
    /* Calling it again with the same call_id has no second effect: said of tools that only look, and of those that find by
     * call_id what they did before. */
    bool repeatable;
    /* arguments: a JSON object. *ret_result (free): JSON or plain text for the model. An error does not end the run: the
     * model reads `Invalid arguments: …` (EINVAL, EDATA), `Not found: …`, `Denied: …`, `Internal error: …` (ENOMEM),
     * else `Execution failed: …` (COMPAT B110). */
    int (*call)(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err);
    void *userdata;
} rouse_tool;

/* ---- plugins ---- */

/* What a hook sees and gives. A hook returns data and has no effects of its own, for it may be run again: on a revision
 * conflict, and when it touches an exclusive key that another hook of the phase touched as well. */
typedef struct rouse_hook {
    rouse_phase phase;
    rouse_manager *manager;
    const char *thread;
    const char *run;
    const rouse_snapshot *snapshot; /* frozen at the start of the phase */
    const rouse_tool_call *call;    /* ToolGate, Before- and AfterToolExecute; else NULL */
    const char *result;             /* AfterToolExecute: what the model will read; else NULL */
    rouse_batch *batch;             /* Filled: updates, committed by the loop */
} rouse_hook;
/* BeforeInference: puts text behind the request. It is not stored. Left out when it is what this plugin put there last in
 * this rouse_agent_run, unless always. ROUSE_EINVAL in another phase, ROUSE_ELIMIT, ROUSE_ENOMEM. */
ROUSE_API int rouse_hook_inject(rouse_hook *hook, const char *text, bool always, rouse_error *err);
/* ToolGate: the call is not made; the model reads `Denied: {reason}`. ROUSE_EINVAL in another phase, ROUSE_ENOMEM. */
ROUSE_API int rouse_hook_deny(rouse_hook *hook, const char *reason, rouse_error *err);

typedef struct rouse_plugin { /* static: must outlive every agent that has it */
    const char *name;
    const rouse_key *const *keys; /* registered with the store, unless they are already */
    size_t n_keys;
    const rouse_tool *const *tools;
    size_t n_tools;
    unsigned phases; /* ROUSE_PHASE_BITs in which hook is called */
    int (*hook)(rouse_hook *hook, void *userdata, rouse_error *err);
    void *userdata;
} rouse_plugin;

/* Restores the thread's tasks at RunStart, shows them to the model, keeps `__runtime.pending_work`, and brings the tools
 * spawn_task, list_tasks, read_output, wait_tasks and cancel_task. */
ROUSE_API extern const rouse_plugin rouse_background_plugin;

/* The keys the loop itself writes, RUN scope: `__runtime.run_lifecycle` and `__runtime.pending_work`. */
typedef struct rouse_lifecycle { /* COMPAT B124 */
    const char *run_id;
    const char *status;        /* "created", "running", "waiting", "done" */
    const char *status_reason; /* or NULL */
    uint64_t updated_at;       /* ms */
    uint64_t step_count;
} rouse_lifecycle;
ROUSE_API extern const rouse_key rouse_lifecycle_key;     /* SCALAR; the value is a rouse_lifecycle */
ROUSE_API extern const rouse_key rouse_pending_work_key;  /* SCALAR; the value is a bool */
ROUSE_API void *rouse_pending_work_set(bool has_pending); /* an update; NULL = no memory */

/* ---- the agent ---- */

typedef enum rouse_agent_event_kind {
    ROUSE_AGENT_TEXT,        /* text, len: the next piece of the answer */
    ROUSE_AGENT_TOOL_CALL,   /* call: about to be made */
    ROUSE_AGENT_TOOL_RESULT, /* call, text, len: what the model will read; failed: it is an error */
    ROUSE_AGENT_INBOX,       /* text, len: an event that has just become a message */
    ROUSE_AGENT_INJECTED,    /* text, len: what plugins put behind this request */
    ROUSE_AGENT_STEP_END,    /* the model has spoken and its tools have run */
    ROUSE_AGENT_WAITING,     /* about to sleep until background work ends */
    ROUSE_AGENT_AGAIN        /* text, len: why the model is asked once more; the pieces of its answer that came are void */
} rouse_agent_event_kind;

typedef struct rouse_agent_event { /* Borrowed for the callback */
    rouse_agent_event_kind kind;
    const char *text;
    size_t len;
    const rouse_tool_call *call;
    bool failed;
} rouse_agent_event;

typedef struct rouse_agent rouse_agent;

typedef struct rouse_agent_options {    /* zero means default; everything Borrowed until rouse_agent_free */
    rouse_manager *manager;             /* required; its store is the agent's */
    const char *thread;                 /* required */
    rouse_model *model;                 /* required */
    const char *system;                 /* default: a short text about background tasks; "" = none */
    const rouse_plugin *const *plugins; /* usually { &rouse_background_plugin } */
    size_t n_plugins;
    unsigned max_rounds;    /* model calls in one rouse_agent_run; default 100 */
    bool wait;              /* background work pending at the end: sleep and go on; default: return, run waiting */
    const char *agent_id;   /* default "default" */
    const char *task_id;    /* the task this agent is ($ROUSE_TASK), or NULL */
    const char *const *env; /* for tools that start commands, NULL-terminated; secrets are left out by them */
    const char *const *sub_agent; /* for spawn_task with a prompt: e.g. {"rouse","agent","--model",M,"--",NULL} */
    void (*event)(const rouse_agent_event *event, void *userdata);
    /* Asked between the steps of everything slow. True while asleep for background work: the run is stored as waiting and
     * can be resumed. True at any other time: the run ends as cancelled; its tasks go on. */
    bool (*interrupted)(void *userdata);
    void *userdata;
    int wake_fd; /* 0 = none; becomes readable when interrupted would say true, so that no sleep misses it */
} rouse_agent_options;

/* Registers the keys. Two plugins with one tool name: ROUSE_ECONFLICT `tool already registered: {name}`. ROUSE_EINVAL,
 * ROUSE_ENOMEM. Returns rouse_agent_free. */
ROUSE_API int rouse_agent_new(const rouse_agent_options *options, rouse_agent **ret_agent, rouse_error *err);
ROUSE_API void rouse_agent_free(rouse_agent *agent); /* takes NULL */

typedef struct rouse_agent_result {
    const char *run_id;
    const char *status;        /* "done" or "waiting" */
    const char *status_reason; /* "natural", "cancelled", "stopped:max_rounds", "awaiting_tasks" */
    const char *response;      /* the last text of the model in this run; "" when it said nothing */
    uint64_t steps;            /* of the run, over all its processes */
    uint64_t input_tokens, output_tokens;
} rouse_agent_result;
ROUSE_API void rouse_agent_result_free(rouse_agent_result *result); /* takes NULL */

/* Runs the agent until its run is done or waiting.
 * prompt: the user's message. It continues the thread's run when that one is waiting or was cut off by a crash, with the
 *   same run id and step count; otherwise it starts a new run.
 * NULL: resumes. Continues such a run; when the last one is done, starts a new one from unread inbox events, or
 *   ROUSE_ENOTFOUND `nothing to resume in thread '{thread}'`.
 * An agent that is a task (task_id) and cancels itself is ended by its supervisor, this process included, once its run is
 *   stored as done: then this does not return.
 * Errors: ROUSE_EREMOTE from the model and whatever a hook returns end the run as `error` (a later prompt starts a new one
 * on the same conversation); ROUSE_ECONFLICT (see above), errors of the store and ROUSE_ENOMEM leave it as a crash would,
 * to be resumed. *ret_result Returns rouse_agent_result_free. */
ROUSE_API int rouse_agent_run(rouse_agent *agent, const char *prompt, rouse_agent_result **ret_result,
                              rouse_error *err);

#ifdef __cplusplus
}
#endif
#endif
