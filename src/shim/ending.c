/* When and how the tree is ended. There is one way, whoever asks: a signal, a time to go by itself, then KILL in rounds
 * until nobody is left. The first cause is the one that is recorded. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "proc/record.h"
#include "proc/tree.h"
#include "shim/shim.h"

#define FIRST_ROUND_MS 2 /* between rounds of KILL when nothing ended; doubles up to the last */
#define LAST_ROUND_MS 64

static void reap(struct shim *s)
{
    for (;;) {
        int status;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        s->ending.childless = pid < 0 && errno == ECHILD;
        if (pid <= 0)
            return;
        s->ending.tree_changed = true;
        bool counted = tree_forget(pid);
        if (pid == s->leader) {
            s->leader = 0;
            record_note(&s->exit, status, &usage);
        } else if (!counted && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && s->ending.phase == PHASE_KILLING) {
            s->exit.killed++; /* caught through its group before it was seen */
        }
    }
}

/* With wait_tree the task goes on without its command. */
static bool is_on(const struct shim *s)
{
    return s->leader != 0 || s->asked.wait_tree;
}

void ending_ask(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms)
{
    struct ending *e = &s->ending;
    uint64_t now = shim_now_ms();
    uint64_t kill_at = grace_ms < SHIM_NEVER - now ? now + grace_ms : SHIM_NEVER;
    if (e->phase > PHASE_ASKED)
        return;
    if (e->phase == PHASE_RUNNING || kill_at < e->kill_at)
        e->kill_at = kill_at;
    if (e->phase == PHASE_RUNNING && is_on(s)) {
        snprintf(s->exit.ended_by, sizeof s->exit.ended_by, "%s", by);
        snprintf(s->exit.reason, sizeof s->exit.reason, "%s", reason);
    }
    e->phase = PHASE_ASKED;
    e->tree_changed = true;
    tree_signal(s->proc, s->leader, signal, &s->exit.killed);
}

bool ending_cancel(struct shim *s, const char *by, const char *reason, int signal, uint64_t grace_ms)
{
    bool late = s->exit.cancelled;
    reap(s); /* a command that has ended by now ended by itself */
    if (s->ending.phase == PHASE_RUNNING && is_on(s))
        s->exit.cancelled = true;
    ending_ask(s, by, reason, signal, grace_ms);
    return !late;
}

/* Nobody but other tasks' supervisors. Looks twice, since one look can miss a process that changes its parent. */
static bool is_empty(struct shim *s)
{
    if (s->ending.childless)
        return true;
    if (!s->ending.tree_changed)
        return false;
    s->ending.tree_changed = false;
    return !tree_is_there(s->proc) && !tree_is_there(s->proc);
}

static void kill_round(struct shim *s, uint64_t now)
{
    struct ending *e = &s->ending;
    if (!e->tree_changed && now < e->next_round)
        return;
    e->pause = e->tree_changed ? FIRST_ROUND_MS : e->pause * 2;
    e->pause = e->pause > LAST_ROUND_MS ? LAST_ROUND_MS : e->pause;
    e->next_round = now + e->pause;
    e->tree_changed = !tree_signal(s->proc, s->leader, SIGKILL, &s->exit.killed); /* nobody there: is_empty is to look again */
    if (!e->told_stuck && now - e->killing_since >= LIMIT_STUCK_MS) {
        e->told_stuck = true;
        shim_show(s, SHIM_STUCK, true, SHIM_SAY_STUCK);
    }
}

static void watch_clocks(struct shim *s, uint64_t now)
{
    if (now >= s->deadline)
        ending_ask(s, "deadline", "", SIGTERM, s->asked.grace_ms);
    else if (s->asked.idle_timeout_ms > 0 && now - s->last_output >= s->asked.idle_timeout_ms)
        ending_ask(s, "idle", "", SIGTERM, s->asked.grace_ms);
}

void ending_step(struct shim *s)
{
    struct ending *e = &s->ending;
    uint64_t now = shim_now_ms();
    reap(s);
    if (s->leader == 0 && is_empty(s)) {
        e->phase = PHASE_GONE;
        if (s->asked.wait_tree)
            s->exit.ended_at_ms = record_clock_ms();
        return;
    }
    if (e->phase == PHASE_RUNNING && is_on(s))
        watch_clocks(s, now);
    else if (e->phase == PHASE_RUNNING)
        ending_ask(s, "", "", SIGTERM, LIMIT_GRACE_LEFTOVER_MS);
    if (e->phase == PHASE_ASKED && now >= e->kill_at) {
        e->phase = PHASE_KILLING;
        e->killing_since = now;
        e->tree_changed = true;
    }
    if (e->phase == PHASE_KILLING)
        kill_round(s, now);
}

uint64_t ending_next(const struct shim *s)
{
    const struct ending *e = &s->ending;
    uint64_t next = SHIM_NEVER;
    if (e->phase == PHASE_RUNNING) {
        next = s->input.look_at < s->deadline ? s->input.look_at : s->deadline;
        if (s->asked.idle_timeout_ms > 0 && s->last_output + s->asked.idle_timeout_ms < next)
            next = s->last_output + s->asked.idle_timeout_ms;
    } else if (e->phase == PHASE_ASKED) {
        next = e->kill_at;
    } else if (e->phase == PHASE_KILLING) {
        next = e->next_round;
    }
    return next;
}
