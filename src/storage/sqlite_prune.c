/* Forgetting entries that are over, asked for or by the store's own limits. An entry goes together with its events. */
#include "storage/sqlite.h"

#include <stdlib.h>

#include "base/limits.h"

/* ---- what to remove ---- */

struct cut { /* everything that ended before, in order of (ended_ms, seq) or, in one thread, of seq */
    uint64_t ended_ms, seq;
};

/* The oldest entry that stays, when so many stay. */
static int keep_cut(struct sqlite_store *s, const char *key, const rouse_prune *prune, struct cut *cut, rouse_error *err)
{
    enum sqlite_statement which = prune->thread ? SQL_PRUNE_KEEP_THREAD : SQL_PRUNE_KEEP_ANY;
    uint64_t seq = 0, ended_ms = 0;
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, which, &statement, err, "ttu", prune->thread, key,
                           prune->keep - 1 < INT64_MAX ? prune->keep - 1 : INT64_MAX);
    if (code == 0)
        code = sqlite_step(s, statement, err);
    if (code != 1)
        return code;
    code = sqlite_read(statement, err, prune->thread ? "u" : "uu", &seq, &ended_ms);
    sqlite3_reset(statement);
    if (prune->thread)
        cut->seq = seq;
    else if (ended_ms >= cut->ended_ms)
        *cut = (struct cut){ended_ms, seq};
    return code;
}

static int find_cut(struct sqlite_store *s, const char *key, const rouse_prune *prune, struct cut *ret_cut, rouse_error *err)
{
    uint64_t now = s->platform->now_ms(s->platform->userdata);
    struct cut cut = {0, 0};
    if (prune->older_ms > 0 && prune->older_ms < now)
        cut.ended_ms = now - prune->older_ms;
    int code = prune->keep > 0 && !prune->all ? keep_cut(s, key, prune, &cut, err) : 0;
    *ret_cut = prune->all ? (struct cut){INT64_MAX, INT64_MAX} : cut;
    return code;
}

/* ---- removing ---- */

struct removing {
    struct sqlite_store *s;
    struct storage_gone **gone;
    storage_row_sink *sink;
    void *userdata;
    bool dry;
};

static int remove_row(void *userdata, const struct storage_row *row, rouse_error *err)
{
    struct removing *r = userdata;
    int code = r->sink ? r->sink(r->userdata, row, err) : storage_gone_add(r->gone, row->thread, row->entry, err);
    if (code < 0 || r->dry)
        return code;
    return sqlite_run(r->s, SQL_PRUNE_EVENTS, err, "tt", row->entry, row->thread);
}

static int remove_all(struct removing *r, const struct sqlite_seqs *seqs, rouse_error *err)
{
    int code = seqs->count > 0 && !r->dry ? sqlite_hold_counter(r->s, err) : 0;
    for (size_t i = 0; i < seqs->count && code == 0; i++) {
        code = sqlite_give_entry(r->s, seqs->items[i], remove_row, r, err);
        if (code == 0 && !r->dry)
            code = sqlite_run(r->s, SQL_PRUNE_ENTRY, err, "u", seqs->items[i]);
        r->s->finished -= !r->dry;
    }
    return code;
}

static int prune_all(struct sqlite_store *s, const char *key, const rouse_prune *prune, storage_row_sink *sink, void *userdata,
                     rouse_error *err)
{
    struct removing r = {.s = s, .sink = sink, .userdata = userdata, .dry = prune->dry};
    struct sqlite_seqs seqs = {0};
    sqlite3_stmt *statement;
    struct cut cut;
    int code = find_cut(s, key, prune, &cut, err);
    if (code == 0)
        code = sqlite_bind(s, prune->thread ? SQL_PRUNE_THREAD : SQL_PRUNE_ANY, &statement, err, "ttuuiu", prune->thread, key,
                           cut.ended_ms, cut.seq, prune->unread ? 1 : 0, (uint64_t)prune->limit);
    if (code == 0)
        code = sqlite_gather(s, statement, &seqs, err);
    if (code == 0)
        code = remove_all(&r, &seqs, err);
    if (code == 0)
        code = sqlite_settle(s, err);
    free(seqs.items);
    return code;
}

int sqlite_prune(void *backend, const char *key, const rouse_prune *prune, storage_row_sink *sink, void *userdata,
                 rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = prune->dry ? sqlite_begin_read(s, err) : sqlite_begin_write(s, err);
    if (code < 0)
        return code;
    code = prune_all(s, key, prune, sink, userdata, err);
    if (prune->dry)
        s->finished = 0;
    return sqlite_end(s, code, err);
}

/* ---- the store's own limits ---- */

/* Of the oldest few that nobody has still to read about, those beyond the limits. */
static int gather_beyond(struct sqlite_store *s, uint64_t beyond, uint64_t ended_before, struct sqlite_seqs *seqs,
                         rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, SQL_KEEP_OLDEST, &statement, err, "ii", LIMIT_KEEPING_LOOK, LIMIT_KEEPING);
    while (code == 0 && (code = sqlite_step(s, statement, err)) == 1) {
        uint64_t seq = (uint64_t)sqlite3_column_int64(statement, 0);
        uint64_t ended_ms = (uint64_t)sqlite3_column_int64(statement, 1);
        void *items = seqs->items;
        if (seqs->count >= beyond && ended_ms >= ended_before)
            break;
        code = storage_grow(&items, &seqs->cap, seqs->count, sizeof *seqs->items, err);
        seqs->items = items;
        if (code == 0)
            seqs->items[seqs->count++] = seq;
    }
    if (statement)
        sqlite3_reset(statement);
    return code < 0 ? code : 0;
}

int sqlite_keep_limits(struct sqlite_store *s, uint64_t now_ms, struct storage_gone **gone, rouse_error *err)
{
    struct removing r = {.s = s, .gone = gone};
    struct sqlite_seqs seqs = {0};
    uint64_t keep, older_ms, finished;
    int code = sqlite_counter(s, COUNTER_KEEP, &keep, err);
    if (code == 0)
        code = sqlite_counter(s, COUNTER_OLDER, &older_ms, err);
    if (code < 0 || (keep == 0 && older_ms == 0))
        return code;
    code = sqlite_counter(s, COUNTER_FINISHED, &finished, err);
    uint64_t beyond = keep > 0 && finished > keep ? finished - keep : 0;
    if (code == 0)
        code = gather_beyond(s, beyond, older_ms > 0 && older_ms < now_ms ? now_ms - older_ms : 0, &seqs, err);
    if (code == 0)
        code = remove_all(&r, &seqs, err);
    if (code == 0)
        code = sqlite_settle(s, err);
    free(seqs.items);
    return code;
}

static int set_limits(struct sqlite_store *s, uint64_t keep, uint64_t older_ms, rouse_error *err)
{
    int code = sqlite_set_counter(s, COUNTER_KEEP, keep, err);
    return code < 0 ? code : sqlite_set_counter(s, COUNTER_OLDER, older_ms, err);
}

int sqlite_set_retention(void *backend, uint64_t keep, uint64_t older_ms, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_write(s, err);
    return code < 0 ? code : sqlite_end(s, set_limits(s, keep, older_ms, err), err);
}

int sqlite_retention(void *backend, uint64_t *ret_keep, uint64_t *ret_older_ms, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_read(s, err);
    if (code < 0)
        return code;
    code = sqlite_counter(s, COUNTER_KEEP, ret_keep, err);
    if (code == 0)
        code = sqlite_counter(s, COUNTER_OLDER, ret_older_ms, err);
    return sqlite_end(s, code, err);
}
