/* A thread's conversation in memory: what was read from the store, plus what this process appended since. */
#ifndef AGENT_HISTORY_H
#define AGENT_HISTORY_H

#include "agent/message.h"
#include "rouse/store.h"

struct history_item {
    struct message message;
    const char *json;
    const char *run;
};

struct history { /* all zero = empty */
    struct arena arena;
    struct history_item *items;
    size_t count, cap;
    uint64_t last_seq;
};

int history_load(struct history *h, rouse_store *store, const char *thread, rouse_error *err);
/* Behind the others, with the next seq. Copies. */
int history_append(struct history *h, const char *json, const char *run, rouse_error *err);
void history_done(struct history *h);

/* The run's last assistant message, or NULL. */
const struct history_item *history_last_reply(const struct history *h, const char *run);
/* How many assistant messages the run has. */
uint64_t history_replies(const struct history *h, const char *run);
/* The text of the run's last assistant message that has one; "" when there is none. */
const char *history_response(const struct history *h, const char *run);
/* Is there a tool message for this call behind item? */
bool history_is_answered(const struct history *h, const struct history_item *item, const char *call_id);
/* Does any assistant message of the thread hold a call of this id? */
bool history_has_call(const struct history *h, const char *call_id);

/* The conversation as a model may read it: calls without an answer and answers without a call are left out (COMPAT B140; the
 * loop answers the calls of a run that was cut off, so this only concerns conversations that others wrote). The array and
 * what is new in it are the arena's. */
int history_request(const struct history *h, struct arena *arena, const char *const **ret_messages, size_t *ret_count,
                    rouse_error *err);

#endif
