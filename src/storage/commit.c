/* Commits of several threads of one handle go together: whoever finds nobody at it leads, and takes along all that are waiting
 * by then, as one transaction of the backend; each is told its own outcome. While the leader waits for the disk the next group
 * gathers, so the more threads commit at once, the more of them share one sync.
 *
 * The leader runs the riders' callbacks. It holds store->lock meanwhile, so a callback that calls the store is told, whoever's it
 * is. Riders live on the stacks of their threads, which sleep until `done`. */
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "storage/storage.h"

struct storage_rider {
    rouse_commit *commit;
    rouse_error *err;
    int code;
    bool done; /* like next, under queue_lock */
    struct storage_outcome outcome;
    const struct storage_hook *hooks; /* those there were when it was committed */
    size_t n_hooks;
    const struct storage_prune_hook *prune_hooks;
    pthread_cond_t turn; /* it is done, or it is to lead */
    struct storage_rider *next;
};

/* Walks only the hooks that were there when the commit was made; the link behind the last of them may be being written. */
static void call_hooks(const struct storage_rider *r)
{
    const struct storage_hook *hook = r->hooks;
    for (size_t i = 0; i < r->n_hooks; i++) {
        hook->call(r->commit->thread, r->outcome.before, r->outcome.after, r->outcome.operations, r->outcome.snapshot,
                   hook->userdata);
        if (i + 1 < r->n_hooks)
            hook = hook->next;
    }
}

static void tell_gone(const struct storage_rider *r)
{
    for (const struct storage_gone *at = r->outcome.gone; at; at = at->next) {
        for (const struct storage_prune_hook *hook = r->prune_hooks; hook; hook = hook->next) {
            rouse_prune_hook call = hook->call;
            if (call)
                call(at->thread, at->entry, hook->userdata);
        }
    }
    storage_gone_free(r->outcome.gone);
}

/* ---- under store->lock ---- */

/* The snapshot for the hooks: that of this commit, or none. The commit is made; it no longer fails. */
static void show(rouse_store *store, struct storage_rider *r)
{
    struct storage_outcome *o = &r->outcome;
    const char *run = r->commit->run ? r->commit->run : "";
    if (!o->snapshot && store->ops->snapshot(store->backend, &store->keys, r->commit->thread, run, &o->snapshot, NULL) < 0)
        o->snapshot = NULL;
    if (o->snapshot && rouse_snapshot_revision(o->snapshot) != o->after) { /* another process was faster */
        rouse_snapshot_unref(o->snapshot);
        o->snapshot = NULL;
    }
}

static void commit_one(rouse_store *store, struct storage_rider *r)
{
    r->hooks = store->hooks;
    r->n_hooks = store->n_hooks;
    r->prune_hooks = store->prune_hooks;
    r->outcome.shows = r->n_hooks > 0;
    r->code = store->ops->commit(store->backend, &store->keys, r->commit, &r->outcome, r->err);
    if (r->code == 0 && r->n_hooks > 0 && r->outcome.operations > 0)
        show(store, r);
}

/* All that have not failed by themselves fail together. */
static void fail_all(struct storage_rider *group, int code, const rouse_error *why)
{
    for (struct storage_rider *r = group; r; r = r->next) {
        if (r->code < 0)
            continue;
        storage_gone_free(r->outcome.gone);
        r->code = code;
        if (r->err)
            *r->err = *why;
    }
}

static void commit_group(rouse_store *store, struct storage_rider *group)
{
    rouse_error why = {0};
    if (!group->next || store->n_hooks > 0) { /* a hook is shown what each commit left, so they cannot be one */
        for (struct storage_rider *r = group; r; r = r->next)
            commit_one(store, r);
        return;
    }
    int code = store->ops->group_begin(store->backend, &why);
    for (struct storage_rider *r = group; r && code == 0; r = r->next)
        commit_one(store, r);
    if (code == 0)
        code = store->ops->group_end(store->backend, &why);
    if (code < 0)
        fail_all(group, code, &why);
}

/* ---- the queue ---- */

/* Takes the first of those who wait off the queue. */
static struct storage_rider *take_group(rouse_store *store)
{
    pthread_mutex_lock(&store->queue_lock);
    struct storage_rider *group = store->queue, *last = group;
    for (size_t n = 1; n < LIMIT_GROUP && last->next; n++)
        last = last->next;
    store->queue = last->next;
    if (!store->queue)
        store->queue_end = &store->queue;
    last->next = NULL;
    pthread_mutex_unlock(&store->queue_lock);
    return group;
}

static bool any_wrote(const struct storage_rider *group)
{
    bool wrote = false;
    for (const struct storage_rider *r = group; r; r = r->next)
        wrote |= r->code == 0 && r->outcome.wrote;
    return wrote;
}

/* Once done is set and the lock is free, a rider may be gone. */
static void dismiss(struct storage_rider *group)
{
    for (struct storage_rider *r = group, *next; r; r = next) {
        next = r->next;
        r->done = true;
        pthread_cond_signal(&r->turn);
    }
}

/* Commits groups until the one that me is in was among them. Called, and returns, with queue_lock. */
static void lead(rouse_store *store, const struct storage_rider *me)
{
    store->led = true;
    while (!me->done) {
        pthread_mutex_unlock(&store->queue_lock);
        store_take_lock(store);
        struct storage_rider *group = take_group(store);
        commit_group(store, group);
        store_leave(store);
        if (any_wrote(group))
            store_ring(store);
        pthread_mutex_lock(&store->queue_lock);
        dismiss(group);
    }
    store->led = false;
    if (store->queue)
        pthread_cond_signal(&store->queue->turn);
}

static void ride(rouse_store *store, struct storage_rider *me)
{
    pthread_cond_init(&me->turn, NULL);
    pthread_mutex_lock(&store->queue_lock);
    *store->queue_end = me;
    store->queue_end = &me->next;
    while (!me->done && store->led)
        pthread_cond_wait(&me->turn, &store->queue_lock);
    if (!me->done)
        lead(store, me);
    pthread_mutex_unlock(&store->queue_lock);
    pthread_cond_destroy(&me->turn);
}

size_t store_waiting(rouse_store *store)
{
    size_t waiting = 0;
    pthread_mutex_lock(&store->queue_lock);
    for (const struct storage_rider *r = store->queue; r; r = r->next)
        waiting++;
    pthread_mutex_unlock(&store->queue_lock);
    return waiting;
}

static void go_alone(rouse_store *store, struct storage_rider *me)
{
    me->code = store_enter(store, me->err);
    if (me->code < 0)
        return;
    commit_one(store, me);
    store_leave(store);
    if (any_wrote(me))
        store_ring(store);
}

int rouse_store_commit(rouse_store *store, rouse_commit *commit, uint64_t *ret_revision, rouse_error *err)
{
    struct storage_rider me = {.commit = commit, .err = err};
    int code = commit ? store_may_enter(store, err) : rouse_fail(err, ROUSE_EINVAL, "no commit");
    if (code < 0)
        return code;
    if (store->read_only)
        return rouse_fail(err, ROUSE_EINVAL, "the store was opened for reading only");
    if (store->ops->group_begin)
        ride(store, &me);
    else
        go_alone(store, &me);
    if (me.code < 0)
        return me.code;
    tell_gone(&me);
    if (me.outcome.operations > 0)
        call_hooks(&me);
    rouse_snapshot_unref(me.outcome.snapshot);
    if (ret_revision)
        *ret_revision = me.outcome.after;
    return 0;
}
