/* When and how the tree is ended. There is one way, whoever asks: a signal, a time to go by itself, then KILL in rounds
 * until nobody is left. The first cause is the one that is recorded. */
#include <signal.h>

#include "shim/shim.h"
#include "shim/text.h"

#define FIRST_ROUND_MS 2 /* between rounds of KILL when nothing ended; doubles up to the last */
#define LAST_ROUND_MS 64

void ending_ask(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms)
{
    struct ending *e = &s->ending;
    uint64_t now = shim_now_ms();
    uint64_t kill_at = grace_ms < SHIM_NEVER - now ? now + grace_ms : SHIM_NEVER;
    if (e->phase > PHASE_ASKED)
        return;
    if (e->phase == PHASE_RUNNING || kill_at < e->kill_at)
        e->kill_at = kill_at;
    if (e->phase == PHASE_RUNNING && s->leader != 0) {
        text_set(e->by, sizeof e->by, by);
        text_set(e->reason, sizeof e->reason, reason);
    }
    e->phase = PHASE_ASKED;
    s->tree_changed = true;
    tree_signal(s, signal);
}

void ending_cancel(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms)
{
    tree_reap(s); /* a command that has ended by now ended by itself */
    if (s->ending.phase == PHASE_RUNNING && s->leader != 0)
        s->ending.cancelled = true;
    ending_ask(s, by, reason, signal, grace_ms);
}

/* Nobody but other tasks' supervisors. Looks twice, since one look can miss a process that changes its parent. */
static bool is_empty(struct shim *s)
{
    if (s->childless)
        return true;
    if (!s->tree_changed)
        return false;
    s->tree_changed = false;
    return !tree_is_there(s) && !tree_is_there(s);
}

static void kill_round(struct shim *s, uint64_t now)
{
    struct ending *e = &s->ending;
    if (!s->tree_changed && now < e->next_round)
        return;
    e->pause = s->tree_changed ? FIRST_ROUND_MS : e->pause * 2;
    e->pause = e->pause > LAST_ROUND_MS ? LAST_ROUND_MS : e->pause;
    e->next_round = now + e->pause;
    s->tree_changed = !tree_signal(s, SIGKILL); /* with nobody there, is_empty is to look again */
    if (!e->told_stuck && now - e->killing_since >= LIMIT_STUCK_MS) {
        e->told_stuck = true;
        control_tell(s, SHIM_SAY_STUCK, false, true);
    }
}

static void watch_clocks(struct shim *s, uint64_t now)
{
    if (now >= s->deadline)
        ending_ask(s, "deadline", "", SIGTERM, s->grace_ms);
    else if (s->idle_timeout_ms > 0 && now - s->last_output >= s->idle_timeout_ms)
        ending_ask(s, "idle", "", SIGTERM, s->grace_ms);
}

void ending_step(struct shim *s)
{
    struct ending *e = &s->ending;
    uint64_t now = shim_now_ms();
    tree_reap(s);
    if (s->leader == 0 && is_empty(s)) {
        e->phase = PHASE_GONE;
        return;
    }
    if (e->phase == PHASE_RUNNING && s->leader != 0)
        watch_clocks(s, now);
    else if (e->phase == PHASE_RUNNING)
        ending_ask(s, "", "", SIGTERM, LIMIT_GRACE_LEFTOVER_MS);
    if (e->phase == PHASE_ASKED && now >= e->kill_at) {
        e->phase = PHASE_KILLING;
        e->killing_since = now;
        s->tree_changed = true;
    }
    if (e->phase == PHASE_KILLING)
        kill_round(s, now);
}

uint64_t ending_next(const struct shim *s)
{
    const struct ending *e = &s->ending;
    uint64_t next = SHIM_NEVER;
    if (e->phase == PHASE_RUNNING) {
        next = s->deadline;
        if (s->idle_timeout_ms > 0 && s->last_output + s->idle_timeout_ms < next)
            next = s->last_output + s->idle_timeout_ms;
    } else if (e->phase == PHASE_ASKED) {
        next = e->kill_at;
    } else if (e->phase == PHASE_KILLING) {
        next = e->next_round;
    }
    return next;
}
