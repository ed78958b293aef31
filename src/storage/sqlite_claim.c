/* Queues and leases. Both count in the platform's monotonic clock, which starts anew with the machine: so each time is kept
 * together with the start it belongs to, and one of an earlier start has run out. */
#include "storage/sqlite.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mono_ms(const struct sqlite_store *s)
{
    return s->platform->mono_ms(s->platform->userdata);
}

/* ---- queues ---- */

/* How many more may be held; counts no further than needed. */
static int room_in_queue(struct sqlite_store *s, const char *key, const rouse_claim *claim, uint64_t now, uint64_t *ret_room,
                         rouse_error *err)
{
    uint64_t held = 0, claimed = 0;
    uint64_t most = claim->max_held < INT64_MAX ? claim->max_held : INT64_MAX;
    if (claim->max_held == 0) {
        *ret_room = claim->limit;
        return 0;
    }
    int code = sqlite_number(s, SQL_QUEUE_HELD, &held, err, "t--ut", claim->queue, most, key);
    if (code >= 0)
        code = sqlite_number(s, SQL_QUEUE_CLAIMED, &claimed, err, "tuuut", claim->queue, s->boot, now, most, key);
    if (code < 0)
        return code;
    uint64_t room = held + claimed < most ? most - held - claimed : 0;
    *ret_room = room < claim->limit ? room : claim->limit;
    return 0;
}

static int claim_one(struct sqlite_store *s, const rouse_claim *claim, uint64_t seq, uint64_t now, storage_row_sink *sink,
                     void *userdata, rouse_error *err)
{
    int code = claim->lease_ms ? sqlite_run(s, SQL_QUEUE_CLAIM, err, "utuu", seq, claim->holder, s->boot,
                                            claim->lease_ms < INT64_MAX - now ? now + claim->lease_ms : INT64_MAX)
                               : sqlite_run(s, SQL_QUEUE_CLAIM, err, "utu-", seq, claim->holder, s->boot);
    return code < 0 ? code : sqlite_give_entry(s, seq, sink, userdata, err);
}

static int claim_all(struct sqlite_store *s, const char *key, const rouse_claim *claim, storage_row_sink *sink, void *userdata,
                     rouse_error *err)
{
    uint64_t now = mono_ms(s), room;
    struct sqlite_seqs next = {0};
    sqlite3_stmt *statement;
    int code = room_in_queue(s, key, claim, now, &room, err);
    if (code == 0 && room > 0)
        code = sqlite_bind(s, SQL_QUEUE_NEXT, &statement, err, "tuuutt", claim->queue, s->boot, now, room, key, claim->thread);
    if (code == 0 && room > 0)
        code = sqlite_gather(s, statement, &next, err);
    for (size_t i = 0; i < next.count && code == 0; i++)
        code = claim_one(s, claim, next.items[i], now, sink, userdata, err);
    free(next.items);
    return code;
}

int sqlite_claim(void *backend, const char *key, const rouse_claim *claim, storage_row_sink *sink, void *userdata,
                 rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_write(s, err);
    return code < 0 ? code : sqlite_end(s, claim_all(s, key, claim, sink, userdata, err), err);
}

static int unclaim(struct sqlite_store *s, const char *key, const char *thread, const char *entry, const char *holder,
                   rouse_error *err)
{
    struct sqlite_place place;
    int code = sqlite_find_place(s, thread, "", key, &place, err);
    if (code == 1)
        code = sqlite_run(s, SQL_QUEUE_UNCLAIM, err, "tuutuu", entry, place.id, sqlite_own_seq(entry), holder, s->boot, mono_ms(s));
    else if (code == 0)
        code = ROUSE_ENOTFOUND;
    if (code == ROUSE_ENOTFOUND || (code == 0 && sqlite3_changes(s->db) == 0))
        return rouse_fail(err, ROUSE_ENOTFOUND, "'%s' has no claim on '%s'", holder, entry);
    return code;
}

int sqlite_unclaim(void *backend, const char *key, const char *thread, const char *entry, const char *holder, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_write(s, err);
    return code < 0 ? code : sqlite_end(s, unclaim(s, key, thread, entry, holder, err), err);
}

/* ---- leases ---- */

/* 0: it can be had, *ret_epoch is 0 or that of the same holder, who only renews. */
static int look_at_lease(struct sqlite_store *s, const char *name, const char *holder, uint64_t now, uint64_t *ret_epoch,
                         rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, SQL_LEASE_GET, &statement, err, "tuu", name, s->boot, now);
    if (code == 0)
        code = sqlite_step(s, statement, err);
    if (code != 1)
        return code;
    const char *other = NULL;
    uint64_t epoch = 0, held = 0;
    code = sqlite_read(statement, err, "tuu", &other, &epoch, &held);
    if (code == 0 && held && strcmp(other, holder) != 0)
        code = storage_fail_leased(name, other, err);
    else if (code == 0 && held)
        *ret_epoch = epoch;
    sqlite3_reset(statement);
    return code;
}

static int take_lease(struct sqlite_store *s, const char *name, const char *holder, uint64_t ttl_ms, uint64_t *ret_epoch,
                      rouse_error *err)
{
    uint64_t now = mono_ms(s), epoch = 0;
    int code = look_at_lease(s, name, holder, now, &epoch, err);
    if (code == 0 && epoch == 0) {
        code = sqlite_counter(s, COUNTER_EPOCH, &epoch, err);
        if (code == 0)
            code = sqlite_set_counter(s, COUNTER_EPOCH, ++epoch, err);
    }
    if (code == 0)
        code = sqlite_run(s, SQL_LEASE_PUT, err, "ttuuu", name, holder, epoch, s->boot,
                          ttl_ms < INT64_MAX - now ? now + ttl_ms : INT64_MAX);
    if (code == 0)
        *ret_epoch = epoch;
    return code;
}

int sqlite_lease(void *backend, const char *name, const char *holder, uint64_t ttl_ms, uint64_t *ret_epoch, rouse_error *err)
{
    struct sqlite_store *s = backend;
    uint64_t epoch = 0;
    int code = sqlite_begin_write(s, err);
    if (code == 0)
        code = sqlite_end(s, take_lease(s, name, holder, ttl_ms, &epoch, err), err);
    if (code == 0)
        *ret_epoch = epoch;
    return code;
}

static int drop_lease(struct sqlite_store *s, const char *name, uint64_t epoch, rouse_error *err)
{
    int code = sqlite_run(s, SQL_LEASE_DROP, err, "tu", name, epoch);
    if (code == 0 && sqlite3_changes(s->db) == 0)
        return rouse_fail(err, ROUSE_ENOTFOUND, "lease '%s' is not held in epoch %llu", name, (unsigned long long)epoch);
    return code;
}

int sqlite_lease_release(void *backend, const char *name, uint64_t epoch, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_write(s, err);
    return code < 0 ? code : sqlite_end(s, drop_lease(s, name, epoch, err), err);
}

/* A lease that ran out and that nobody took since still fences: nobody else can have written in the meantime. */
int sqlite_check_fence(struct sqlite_store *s, const rouse_fence *fence, rouse_error *err)
{
    uint64_t one;
    int code = sqlite_number(s, SQL_LEASE_FENCE, &one, err, "tu", fence->lease, fence->epoch);
    if (code == 0)
        return storage_fail_fence(fence, err);
    return code < 0 ? code : 0;
}
