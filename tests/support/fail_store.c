#include "fail_store.h"

#include "base/error.h"
#include "rouse/store.h"

static struct {
    bool on, failed, always;
    unsigned long left; /* calls before the one that fails */
} failing;

void fail_store_at(unsigned long n, bool always)
{
    failing.on = true;
    failing.failed = false;
    failing.always = always;
    failing.left = n - 1;
}

bool fail_store_stop(void)
{
    failing.on = false;
    return failing.failed;
}

static bool must_fail(void)
{
    if (!failing.on || (failing.failed && !failing.always))
        return false;
    if (failing.left > 0) {
        failing.left--;
        return false;
    }
    failing.failed = true;
    return true;
}

/* The linker's names for the real function and for the one that is called in its place. */
#define WRAP(name, parameters, arguments)                                                                                            \
    int __real_rouse_store_##name parameters;                                                                                        \
    int __wrap_rouse_store_##name parameters;                                                                                        \
    int __wrap_rouse_store_##name parameters                                                                                         \
    {                                                                                                                                \
        return must_fail() ? rouse_fail(err, ROUSE_EIO, FAIL_STORE_TEXT) : __real_rouse_store_##name arguments;                      \
    }

WRAP(commit, (rouse_store * s, rouse_commit *c, uint64_t *revision, rouse_error *err), (s, c, revision, err))
WRAP(snapshot, (rouse_store * s, const char *thread, const char *run, rouse_snapshot **ret, rouse_error *err), (s, thread, run, ret, err))
WRAP(list, (rouse_store * s, const rouse_key *key, const rouse_query *query, rouse_rows **ret, rouse_error *err),
     (s, key, query, ret, err))
WRAP(inbox, (rouse_store * s, const char *thread, uint64_t after, bool all, size_t limit, rouse_events **ret, rouse_error *err),
     (s, thread, after, all, limit, ret, err))
WRAP(messages, (rouse_store * s, const char *thread, uint64_t after, size_t limit, rouse_messages **ret, rouse_error *err),
     (s, thread, after, limit, ret, err))
WRAP(last_run, (rouse_store * s, const char *thread, rouse_run **ret, rouse_error *err), (s, thread, ret, err))
WRAP(claim, (rouse_store * s, const rouse_key *key, const rouse_claim *claim, rouse_rows **ret, rouse_error *err),
     (s, key, claim, ret, err))
WRAP(unclaim, (rouse_store * s, const rouse_key *key, const char *thread, const char *entry, const char *holder, rouse_error *err),
     (s, key, thread, entry, holder, err))
WRAP(prune, (rouse_store * s, const rouse_key *key, const rouse_prune *prune, rouse_rows **ret, rouse_error *err),
     (s, key, prune, ret, err))
