/* Queues: who of the live entries waits, in which order, who is claimed, and how many have begun. A claim walks past those that
 * are claimed already and stops when it has enough. */
#include <stdlib.h>
#include <string.h>

#include "storage/memory.h"

/* The third kind of text that is looked up over all threads, behind the groups' and the entries' names. */
#define OF_QUEUE (MEMORY_INDEXES + 1)

uint64_t memory_mono_ms(const struct memory_store *s)
{
    return s->platform->mono_ms(s->platform->userdata);
}

uint64_t memory_later(uint64_t now, uint64_t ms)
{
    return ms < UINT64_MAX - now ? now + ms : UINT64_MAX;
}

int memory_give(const struct memory_entry *e, storage_row_sink *sink, void *userdata, rouse_error *err)
{
    struct storage_row row = {.thread = e->shelf->place->thread, .run = e->shelf->place->run, .key = e->shelf->kind->name,
                              .entry = e->name, .cell = e->cell};
    return sink(userdata, &row, err);
}

/* ---- being in a queue ---- */

static uint64_t queue_hash(const struct memory_store *s, const struct memory_kind *kind, const char *name)
{
    return memory_any_hash(s, kind, OF_QUEUE, name);
}

static struct memory_queue *find_queue(const struct memory_store *s, const struct memory_kind *kind, const char *name)
{
    uint64_t hash = queue_hash(s, kind, name);
    size_t probe = 0;
    struct memory_queue *queue = memory_table_next(&s->queues, hash, &probe);
    while (queue && (queue->kind != kind || strcmp(queue->name, name) != 0))
        queue = memory_table_next(&s->queues, hash, &probe);
    return queue;
}

static struct memory_queue *want_queue(struct memory_store *s, struct memory_kind *kind, const char *name)
{
    struct memory_queue *queue = find_queue(s, kind, name);
    size_t size = strlen(name) + 1;
    if (queue)
        return queue;
    queue = memory_table_reserve(&s->queues, 1) < 0 ? NULL : calloc(1, sizeof *queue + size);
    if (!queue)
        return NULL;
    queue->kind = kind;
    memcpy(queue->name, name, size);
    memory_table_add(&s->queues, queue_hash(s, kind, name), queue);
    return queue;
}

bool memory_queued_new(struct memory_store *s, struct memory_entry *entry, const rouse_index *index,
                       struct memory_queued **ret_queued)
{
    *ret_queued = NULL;
    if (!index->live || !index->queue)
        return true;
    struct memory_queued *queued = calloc(1, sizeof *queued);
    struct memory_queue *queue = queued ? want_queue(s, entry->shelf->kind, index->queue) : NULL;
    if (!queue) {
        free(queued);
        return false;
    }
    queue->members++;
    queued->queue = queue;
    queued->waiting = index->waiting;
    /* The highest priority first: as the smallest number. */
    queued->rank = (struct memory_rank){.entry = entry, .rank = (uint64_t)INT64_MAX - (uint64_t)index->priority, .then = entry->seq};
    *ret_queued = queued;
    return true;
}

void memory_queued_free(struct memory_store *s, struct memory_queued *queued)
{
    struct memory_queue *queue = queued ? queued->queue : NULL;
    if (queue && --queue->members == 0) {
        memory_table_remove(&s->queues, queue_hash(s, queue->kind, queue->name), queue);
        free(queue);
    }
    free(queued);
}

static void set_claim(struct memory_queued *queued, struct memory_claim *claim)
{
    struct memory_queue *queue = queued->queue;
    if (queued->claim && !claim) {
        *(queued->before ? &queued->before->next : &queue->claimed) = queued->next;
        if (queued->next)
            queued->next->before = queued->before;
    }
    if (claim && !queued->claim) {
        queued->before = NULL;
        queued->next = queue->claimed;
        if (queued->next)
            queued->next->before = queued;
        queue->claimed = queued;
    }
    queued->claim = claim;
}

void memory_set_queued(struct memory_store *s, struct memory_entry *entry, struct memory_queued *queued)
{
    struct memory_queued *old = entry->queued;
    struct memory_claim *claim = old ? old->claim : NULL;
    if (old) {
        set_claim(old, NULL);
        if (old->waiting)
            memory_rank_remove(&old->queue->waiting, &old->rank);
        else
            old->queue->begun--;
    }
    entry->queued = queued;
    if (queued && queued->waiting)
        memory_rank_insert(&queued->queue->waiting, &queued->rank);
    else if (queued)
        queued->queue->begun++;
    if (queued && queued->waiting && claim)
        set_claim(queued, claim);
    else
        free(claim);
    memory_queued_free(s, old);
}

/* ---- claiming ---- */

struct picking {
    const rouse_claim *claim;
    uint64_t now;
    struct memory_queued **items;
    struct memory_claim **claims; /* the new ones */
    size_t count, most;
};

static bool is_claimed(const struct memory_queued *queued, uint64_t now)
{
    return queued->claim && queued->claim->until_ms > now;
}

/* How many more may be held, at most `most`. */
static size_t room_in(const struct memory_queue *queue, const rouse_claim *claim, uint64_t now)
{
    uint64_t held = queue->begun;
    for (const struct memory_queued *q = queue->claimed; q; q = q->next)
        held += is_claimed(q, now) ? 1 : 0;
    if (claim->max_held == 0)
        return claim->limit;
    uint64_t room = held < claim->max_held ? claim->max_held - held : 0;
    return room < claim->limit ? (size_t)room : claim->limit;
}

/* As deep as the tree: some tens of steps for a million. */
static void pick(struct picking *p, const struct memory_rank *node)
{
    if (!node || p->count == p->most)
        return;
    pick(p, node->left);
    struct memory_queued *queued = node->entry->queued;
    bool fits = !p->claim->thread || strcmp(p->claim->thread, node->entry->shelf->place->thread) == 0;
    if (p->count < p->most && fits && !is_claimed(queued, p->now))
        p->items[p->count++] = queued;
    pick(p, node->right);
}

static int make_claims(struct picking *p, storage_row_sink *sink, void *userdata, rouse_error *err)
{
    size_t size = strlen(p->claim->holder) + 1;
    int code = 0;
    for (size_t i = 0; i < p->count && code == 0; i++) {
        struct memory_claim *claim = malloc(sizeof *claim + size);
        if (!claim)
            return rouse_fail_memory(err);
        claim->until_ms = p->claim->lease_ms ? memory_later(p->now, p->claim->lease_ms) : UINT64_MAX;
        memcpy(claim->holder, p->claim->holder, size);
        p->claims[i] = claim;
        code = memory_give(p->items[i]->rank.entry, sink, userdata, err);
    }
    return code;
}

static int claim_from(const struct memory_queue *queue, struct picking *p, storage_row_sink *sink, void *userdata,
                      rouse_error *err)
{
    p->items = calloc(p->most, sizeof *p->items);
    p->claims = calloc(p->most, sizeof *p->claims);
    int code = p->items && p->claims ? 0 : rouse_fail_memory(err);
    if (code == 0) {
        pick(p, queue->waiting);
        code = make_claims(p, sink, userdata, err);
    }
    for (size_t i = 0; i < p->count; i++) {
        struct memory_claim *other = code == 0 ? p->items[i]->claim : p->claims[i];
        if (code == 0)
            set_claim(p->items[i], p->claims[i]);
        free(other);
    }
    free(p->items);
    free(p->claims);
    return code;
}

int memory_claim(void *backend, const char *key, const rouse_claim *claim, storage_row_sink *sink, void *userdata,
                 rouse_error *err)
{
    const struct memory_store *s = backend;
    const struct memory_kind *kind = memory_find_kind(s, key);
    const struct memory_queue *queue = kind ? find_queue(s, kind, claim->queue) : NULL;
    struct picking p = {.claim = claim, .now = memory_mono_ms(s)};
    p.most = queue ? room_in(queue, claim, p.now) : 0;
    return p.most > 0 ? claim_from(queue, &p, sink, userdata, err) : 0;
}

int memory_unclaim(void *backend, const char *key, const char *thread, const char *entry, const char *holder, rouse_error *err)
{
    struct memory_store *s = backend;
    const struct memory_place *place = memory_find_place(s, thread, "");
    struct memory_shelf *shelf = place ? memory_find_shelf(place, key) : NULL;
    struct memory_entry *e = shelf ? memory_find_entry(s, shelf, entry) : NULL;
    struct memory_claim *claim = e && e->queued && is_claimed(e->queued, memory_mono_ms(s)) ? e->queued->claim : NULL;
    if (!claim || strcmp(claim->holder, holder) != 0)
        return rouse_fail(err, ROUSE_ENOTFOUND, "'%s' has no claim on '%s'", holder, entry);
    set_claim(e->queued, NULL);
    free(claim);
    memory_bell_ring(s);
    return 0;
}
