/* Leases, and forgetting what is over. A prune looks at every finished entry of the key; the limits that keep themselves look
 * at the oldest few, where the order of creation stands for that of ending. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "storage/memory.h"

/* ---- leases ---- */

static struct memory_lease *find_lease(const struct memory_store *s, const char *name)
{
    struct memory_lease *lease = s->leases;
    while (lease && strcmp(lease->name, name) != 0)
        lease = lease->next;
    return lease;
}

int memory_lease(void *backend, const char *name, const char *holder, uint64_t ttl_ms, uint64_t *ret_epoch, rouse_error *err)
{
    struct memory_store *s = backend;
    struct memory_lease *old = find_lease(s, name);
    uint64_t now = memory_mono_ms(s);
    bool held = old && old->until_ms > now, mine = held && strcmp(old->holder, holder) == 0;
    if (held && !mine)
        return storage_fail_leased(name, old->holder, err);
    if (mine) {
        old->until_ms = memory_later(now, ttl_ms);
        *ret_epoch = old->epoch;
        return 0;
    }
    size_t name_size = strlen(name) + 1, holder_size = strlen(holder) + 1;
    struct memory_lease *lease = malloc(sizeof *lease + name_size + holder_size);
    if (!lease)
        return rouse_fail_memory(err);
    if (old)
        memory_lease_drop(s, old);
    *lease = (struct memory_lease){.next = s->leases, .epoch = ++s->epoch, .until_ms = memory_later(now, ttl_ms)};
    memcpy(lease->name, name, name_size);
    lease->holder = memcpy(lease->name + name_size, holder, holder_size);
    s->leases = lease;
    *ret_epoch = lease->epoch;
    return 0;
}

void memory_lease_drop(struct memory_store *s, struct memory_lease *lease)
{
    struct memory_lease **at = &s->leases;
    while (*at != lease)
        at = &(*at)->next;
    *at = lease->next;
    free(lease);
}

int memory_lease_release(void *backend, const char *name, uint64_t epoch, rouse_error *err)
{
    struct memory_lease *lease = find_lease(backend, name);
    if (!lease || lease->epoch != epoch)
        return rouse_fail(err, ROUSE_ENOTFOUND, "lease '%s' is not held in epoch %llu", name, (unsigned long long)epoch);
    memory_lease_drop(backend, lease);
    return 0;
}

/* A lease that ran out and that nobody took since still fences: nobody else can have written in the meantime. */
int memory_check_fence(const struct memory_store *s, const rouse_fence *fence, rouse_error *err)
{
    const struct memory_lease *lease = fence->lease ? find_lease(s, fence->lease) : NULL;
    if (!fence->lease || (lease && lease->epoch == fence->epoch))
        return 0;
    return storage_fail_fence(fence, err);
}

/* ---- what to remove ---- */

struct finished {
    struct memory_entry *entry;
    uint64_t ended_ms;
};

static int by_ending(const void *a, const void *b)
{
    const struct finished *x = a, *y = b;
    if (x->ended_ms != y->ended_ms)
        return x->ended_ms < y->ended_ms ? -1 : 1;
    return x->entry->seq < y->entry->seq ? -1 : 1;
}

static bool is_unread(const struct memory_store *s, const struct memory_entry *e)
{
    size_t probe = 0;
    const struct memory_event *v = memory_event_of(s, e, &probe);
    while (v && v->event.acknowledged)
        v = memory_event_of(s, e, &probe);
    return v != NULL;
}

static void remove_entry(struct memory_store *s, struct memory_entry *e)
{
    struct memory_event *event;
    size_t probe = 0;
    while ((event = memory_event_of(s, e, &probe)) != NULL) {
        memory_event_forget(s, event);
        probe = 0;
    }
    memory_unlink_entry(s, e);
}

/* Oldest first: in one thread those created first, over all those that ended first. */
static int gather_finished(const struct memory_shelf *shelf, const struct memory_kind *kind, struct finished **ret_items,
                           size_t *ret_count, rouse_error *err)
{
    size_t all = shelf ? shelf->count : kind->count, count = 0;
    struct finished *items = calloc(all + 1, sizeof *items);
    if (!items)
        return rouse_fail_memory(err);
    for (struct memory_entry *e = shelf ? shelf->oldest : kind->oldest; e; e = shelf ? e->newer : e->every_newer) {
        if (!e->live)
            items[count++] = (struct finished){e, storage_index(e->cell->key, e->cell->value).ended_ms};
    }
    if (!shelf && count > 1)
        qsort(items, count, sizeof *items, by_ending);
    *ret_items = items;
    *ret_count = count;
    return 0;
}

/* Keeps, in items, what goes. */
static size_t choose(const struct memory_store *s, const rouse_prune *p, struct finished *items, size_t count)
{
    uint64_t now = s->platform->now_ms(s->platform->userdata);
    uint64_t before = p->older_ms > 0 && p->older_ms < now ? now - p->older_ms : 0;
    size_t beyond = p->keep > 0 && count > p->keep ? count - (size_t)p->keep : 0, chosen = 0;
    for (size_t i = 0; i < count && chosen < p->limit; i++) {
        bool goes = p->all || i < beyond || items[i].ended_ms < before;
        if (goes && (p->unread || !is_unread(s, items[i].entry)))
            items[chosen++] = items[i];
    }
    return chosen;
}

int memory_prune(void *backend, const char *key, const rouse_prune *prune, storage_row_sink *sink, void *userdata,
                 rouse_error *err)
{
    struct memory_store *s = backend;
    const struct memory_kind *kind = memory_find_kind(s, key);
    const struct memory_place *place = prune->thread ? memory_find_place(s, prune->thread, "") : NULL;
    const struct memory_shelf *shelf = place ? memory_find_shelf(place, key) : NULL;
    struct finished *items = NULL;
    size_t count = 0;
    if (!kind || (prune->thread && !shelf))
        return 0;
    int code = gather_finished(shelf, kind, &items, &count, err);
    if (code < 0)
        return code;
    count = choose(s, prune, items, count);
    for (size_t i = 0; i < count && code == 0; i++)
        code = memory_give(items[i].entry, sink, userdata, err);
    for (size_t i = 0; i < count && code == 0 && !prune->dry; i++)
        remove_entry(s, items[i].entry);
    free(items);
    return code;
}

/* ---- the store's own limits ---- */

int memory_set_retention(void *backend, uint64_t keep, uint64_t older_ms, rouse_error *err)
{
    struct memory_store *s = backend;
    (void)err;
    s->keep = keep;
    s->older_ms = older_ms;
    return 0;
}

int memory_retention(void *backend, uint64_t *ret_keep, uint64_t *ret_older_ms, rouse_error *err)
{
    const struct memory_store *s = backend;
    (void)err;
    *ret_keep = s->keep;
    *ret_older_ms = s->older_ms;
    return 0;
}

/* Without memory to tell of it, an entry stays until the next time. */
void memory_keep_limits(struct memory_store *s, uint64_t now_ms, struct storage_gone **gone)
{
    uint64_t before = s->older_ms > 0 && s->older_ms < now_ms ? now_ms - s->older_ms : 0;
    size_t finished = 0;
    if (s->keep == 0 && s->older_ms == 0)
        return;
    for (const struct memory_kind *kind = s->kinds; kind; kind = kind->next)
        finished += kind->count - ptree_count(&kind->live);
    size_t beyond = s->keep > 0 && finished > s->keep ? finished - (size_t)s->keep : 0, removed = 0, looked = 0;
    for (struct memory_kind *kind = s->kinds; kind; kind = kind->next) {
        for (struct memory_entry *e = kind->oldest, *next; e && looked < LIMIT_KEEPING_LOOK && removed < LIMIT_KEEPING; e = next) {
            next = e->every_newer;
            looked++;
            if (e->live || *e->shelf->place->run || is_unread(s, e))
                continue;
            if (removed >= beyond && storage_index(e->cell->key, e->cell->value).ended_ms >= before)
                break;
            if (storage_gone_add(gone, e->shelf->place->thread, e->name, NULL) < 0)
                return;
            remove_entry(s, e);
            removed++;
        }
    }
}
