#include "agent/phase.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "state/apply.h"

#define PHASE_TRIES 16

struct frame {       /* one hook's call */
    rouse_hook hook; /* first: what the hook holds */
    struct injection *injection;
    char *denied;
};

struct about { /* what a phase is about */
    rouse_phase phase;
    const rouse_tool_call *call;
    const char *result;
    char *denied; /* by the first that did */
};

const char *rouse_phase_text(rouse_phase phase)
{
    static const char *const names[] = {"RunStart",         "StepStart", "BeforeInference",
                                        "AfterInference",   "ToolGate",  "BeforeToolExecute",
                                        "AfterToolExecute", "StepEnd",   "RunEnd"};
    return (size_t)phase < sizeof names / sizeof *names ? names[phase] : "unknown";
}

int rouse_hook_inject(rouse_hook *hook, const char *text, bool always, rouse_error *err)
{
    struct frame *f = (struct frame *)(void *)hook;
    if (hook->phase != ROUSE_BEFORE_INFERENCE)
        return rouse_fail(err, ROUSE_EINVAL, "text can be injected in BeforeInference only");
    if (strlen(text) > LIMIT_INJECTED)
        return rouse_fail(err, ROUSE_ELIMIT, "injected text is larger than %u bytes", LIMIT_INJECTED);
    char *copy = strdup(text);
    if (!copy)
        return rouse_fail_memory(err);
    free(f->injection->next);
    f->injection->next = copy;
    f->injection->always = always;
    return 0;
}

int rouse_hook_deny(rouse_hook *hook, const char *reason, rouse_error *err)
{
    struct frame *f = (struct frame *)(void *)hook;
    if (hook->phase != ROUSE_TOOL_GATE)
        return rouse_fail(err, ROUSE_EINVAL, "a call can be denied in ToolGate only");
    char *copy = strdup(reason);
    if (!copy)
        return rouse_fail_memory(err);
    free(f->denied);
    f->denied = copy;
    return 0;
}

/* One plugin's hook into a fresh *ret_batch. */
static int call_hook(struct run *r, size_t plugin, struct about *about, rouse_snapshot *snapshot,
                     rouse_batch **ret_batch, rouse_error *err)
{
    const rouse_plugin *p = r->agent->options.plugins[plugin];
    struct frame f = {.hook = {.phase = about->phase,
                               .manager = r->agent->options.manager,
                               .thread = r->agent->options.thread,
                               .run = r->id,
                               .snapshot = snapshot,
                               .call = about->call,
                               .result = about->result,
                               .batch = rouse_batch_new()},
                      .injection = &r->injections[plugin]};
    if (!f.hook.batch)
        return rouse_fail_memory(err);
    free(f.injection->next);
    f.injection->next = NULL;
    int code = p->hook(&f.hook, p->userdata, err);
    if (code < 0) {
        code = rouse_fail_context(err, code, "phase error: %s, plugin '%s'", rouse_phase_text(about->phase), p->name);
        rouse_batch_free(f.hook.batch);
        free(f.denied);
        return code;
    }
    if (!about->denied)
        about->denied = f.denied;
    else
        free(f.denied);
    *ret_batch = f.hook.batch;
    return 0;
}

/* Runs every hook of the phase on one snapshot and merges into `into`. Plugins whose updates clash with an earlier one's are
 * marked in clashed, or are an error when it is NULL. */
static int gather(struct run *r, struct about *about, rouse_batch *into, bool *clashed, rouse_error *err)
{
    rouse_snapshot *snapshot = NULL;
    int code = rouse_store_snapshot(r->agent->store, r->agent->options.thread, r->id, &snapshot, err);
    for (size_t i = 0; code >= 0 && i < r->agent->options.n_plugins; i++) {
        rouse_batch *batch = NULL;
        if (!(r->agent->options.plugins[i]->phases & ROUSE_PHASE_BIT(about->phase)))
            continue;
        code = call_hook(r, i, about, snapshot, &batch, err);
        if (code < 0)
            break;
        code = rouse_batch_merge(into, batch, clashed ? NULL : err);
        if (code == ROUSE_ECONFLICT && clashed) {
            clashed[i] = true;
            code = 0;
        }
        rouse_batch_free(batch);
    }
    rouse_snapshot_unref(snapshot);
    return code < 0 ? code : 0;
}

static bool has_hooks(const struct run *r, rouse_phase phase)
{
    for (size_t i = 0; i < r->agent->options.n_plugins; i++)
        if (r->agent->options.plugins[i]->phases & ROUSE_PHASE_BIT(phase))
            return true;
    return false;
}

static bool is_nothing(const struct transition *t)
{
    return (!t->batch || batch_is_empty(t->batch)) && t->n_messages == 0 && t->n_acks == 0 && !t->status && !t->step;
}

/* One try of the phase as a whole. */
static int try_all(struct run *r, struct about *about, struct transition t, bool *clashed, bool *ret_stale,
                   rouse_error *err)
{
    t.batch = rouse_batch_new();
    if (!t.batch)
        return rouse_fail_memory(err);
    memset(clashed, 0, r->agent->options.n_plugins * sizeof *clashed);
    int code = gather(r, about, t.batch, clashed, err);
    if (code == 0 && !is_nothing(&t)) {
        code = run_commit(r, &t, err);
        *ret_stale = run_is_stale(&t, code);
    }
    rouse_batch_free(t.batch);
    return code;
}

/* One try of a single hook on a snapshot of its own. */
static int try_alone(struct run *r, size_t plugin, struct about *about, bool *ret_stale, rouse_error *err)
{
    rouse_snapshot *snapshot = NULL;
    struct transition t = {0};
    int code = rouse_store_snapshot(r->agent->store, r->agent->options.thread, r->id, &snapshot, err);
    if (code == 0)
        code = call_hook(r, plugin, about, snapshot, &t.batch, err);
    if (code == 0 && !batch_is_empty(t.batch)) {
        code = run_commit(r, &t, err);
        *ret_stale = run_is_stale(&t, code);
    }
    rouse_batch_free(t.batch);
    rouse_snapshot_unref(snapshot);
    return code;
}

int phase_commit(struct run *r, rouse_phase phase, const struct transition *t, rouse_error *err)
{
    struct about about = {.phase = phase};
    const struct transition none = {0};
    bool stale = true;
    int code = ROUSE_ECONFLICT;
    t = t ? t : &none;
    if (!has_hooks(r, phase))
        return is_nothing(t) ? 0 : run_commit(r, t, err);
    bool *clashed = calloc(r->agent->options.n_plugins, sizeof *clashed);
    if (!clashed)
        return rouse_fail_memory(err);
    for (int i = 0; i < PHASE_TRIES && code == ROUSE_ECONFLICT && stale; i++) {
        stale = false;
        code = try_all(r, &about, *t, clashed, &stale, err);
    }
    for (size_t p = 0; code == 0 && p < r->agent->options.n_plugins; p++) {
        stale = clashed[p];
        code = stale ? ROUSE_ECONFLICT : 0;
        for (int i = 0; i < PHASE_TRIES && code == ROUSE_ECONFLICT && stale; i++) {
            stale = false;
            code = try_alone(r, p, &about, &stale, err);
        }
    }
    free(clashed);
    free(about.denied);
    return code;
}

int phase_collect(struct run *r, rouse_phase phase, const rouse_tool_call *call, const char *result, rouse_batch *into,
                  char **ret_denied, rouse_error *err)
{
    struct about about = {.phase = phase, .call = call, .result = result};
    uint64_t base;
    if (!has_hooks(r, phase))
        return 0;
    rouse_batch *batch = rouse_batch_new();
    if (!batch)
        return rouse_fail_memory(err);
    int code = gather(r, &about, batch, NULL, err);
    if (code == 0 && batch_base(batch, &base))
        code =
            rouse_fail(err, ROUSE_EINVAL, "phase error: %s: a hook set a base revision where its updates join others",
                       rouse_phase_text(phase));
    if (code == 0)
        code = rouse_batch_extend(into, batch, err);
    rouse_batch_free(batch);
    if (code == 0 && ret_denied && about.denied)
        *ret_denied = about.denied;
    else
        free(about.denied);
    return code;
}

int phase_take_injected(struct run *r, struct buf *out, rouse_error *err)
{
    for (size_t i = 0; i < r->agent->options.n_plugins; i++) {
        struct injection *in = &r->injections[i];
        if (!in->next)
            continue;
        bool same = in->last && strcmp(in->last, in->next) == 0;
        if (in->next[0] != '\0' && (in->always || !same)) {
            if (out->len > 0 && out->data[out->len - 1] != '\n')
                buf_addc(out, '\n');
            buf_adds(out, in->next);
        }
        free(in->last);
        in->last = in->next;
        in->next = NULL;
    }
    return buf_check(out, err);
}
