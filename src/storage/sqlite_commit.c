/* A commit: one write transaction, in the order that storage.h gives. */
#include "storage/sqlite.h"

#include <string.h>

#include "base/limits.h"

struct committing {
    struct sqlite_store *s;
    const struct storage_keys *keys;
    rouse_commit *commit;
    uint64_t now_ms;
    uint64_t fresh_from; /* the first task number that was not given out when the commit began */
    struct sqlite_pending **noted; /* the end of what was noted before this commit */
    bool wrote;
};

static int prepare(struct committing *c, rouse_error *err)
{
    int code = sqlite_counter(c->s, COUNTER_TASK, &c->fresh_from, err);
    if (code < 0 || !c->commit->prepare)
        return code;
    uint64_t first, count = c->commit->n_numbers ? c->commit->n_numbers : 1;
    if (count > LIMIT_NUMBERS)
        return rouse_fail(err, ROUSE_ELIMIT, "a commit takes at most %d task numbers", LIMIT_NUMBERS);
    code = sqlite_take_numbers(c->s, count, &first, err);
    if (code < 0)
        return code;
    c->wrote = true;
    code = c->commit->prepare(c->commit->userdata, first, c->commit, err);
    return code < 0 ? code : 0;
}

/* ---- values ---- */

static int read_entry(struct committing *c, const rouse_key *key, const char *entry, uint64_t place, struct cell **ret_cell,
                      rouse_error *err)
{
    sqlite3_stmt *statement;
    uint64_t own = entry ? sqlite_own_seq(entry) : 0;
    int code = own ? sqlite_bind(c->s, SQL_ENTRY_GET_OWN, &statement, err, "tuu", entry, place, own) : 0;
    if (code == 0 && own)
        code = sqlite_step(c->s, statement, err);
    if (code == 0)
        code = sqlite_bind(c->s, SQL_ENTRY_GET, &statement, err, "tu", entry ? entry : "", place);
    if (code == 0)
        code = sqlite_step(c->s, statement, err);
    if (code != 1)
        return code;
    const char *json = NULL;
    size_t len = 0;
    code = sqlite_read(statement, err, "b", &json, &len);
    if (code == 0)
        code = storage_decode(key, entry, json ? json : "", len, ret_cell, err);
    sqlite3_reset(statement);
    return code;
}

/* state_source.get: reads one row at most, so the cost of an update does not depend on how many entries there are. No entry has
 * a number that had not been given out. */
static int read_stored(void *userdata, const rouse_key *key, const char *entry, struct cell **ret_cell, rouse_error *err)
{
    struct committing *c = userdata;
    const char *run = key->scope == ROUSE_SCOPE_RUN ? c->commit->run : "";
    struct cell *cell = NULL;
    uint64_t number, place = 0;
    int code = 0;
    if (!entry || !storage_task_number(entry, &number) || number < c->fresh_from)
        code = sqlite_place_id(c->s, c->commit->thread, run, key->name, &place, err);
    if (code == 1)
        code = read_entry(c, key, entry, place, &cell, err);
    if (code == 0)
        *ret_cell = cell;
    return code;
}

static int write_batch(struct committing *c, const struct sqlite_scope *scope, rouse_error *err)
{
    const rouse_batch *batch = c->commit->batch;
    struct state_source source = {.get = read_stored, .userdata = c};
    struct state_changes changes;
    int code = state_apply(batch, &source, &changes, err);
    if (code < 0)
        return code;
    code = sqlite_write_changes(c->s, scope, changes.items, changes.count, err);
    state_changes_done(&changes);
    for (size_t i = 0; i < rouse_batch_count(batch) && code == 0; i++)
        code = batch_is_clear_at(batch, i) ? 0 : sqlite_mark_map(c->s, scope, batch_key_at(batch, i), err);
    return code;
}

static int write_state(struct committing *c, struct storage_outcome *outcome, rouse_error *err)
{
    const rouse_commit *commit = c->commit;
    uint64_t revision;
    int code = sqlite_revision(c->s, commit->thread, &revision, err);
    if (code < 0)
        return code;
    outcome->before = outcome->after = revision;
    if (!commit->batch || batch_is_empty(commit->batch))
        return commit->batch ? storage_check_base(commit->batch, revision, err) : 0;
    code = storage_check_base(commit->batch, revision, err);
    if (code == 0 && revision == UINT64_MAX)
        code = rouse_fail(err, ROUSE_ELIMIT, "thread '%s' has no revision left", commit->thread);
    struct sqlite_scope scope = {commit->thread, commit->run ? commit->run : "", revision + 1, c->fresh_from};
    if (code == 0)
        code = write_batch(c, &scope, err);
    if (code == 0)
        code = c->s->late ? sqlite_know_revision(c->s, commit->thread, revision + 1, err)
                          : sqlite_set_revision(c->s, commit->thread, revision + 1, err);
    outcome->after = revision + 1;
    outcome->operations = rouse_batch_count(commit->batch);
    c->wrote = true;
    return code;
}

/* ---- what goes with it ---- */

static int write_posts(struct committing *c, rouse_error *err)
{
    uint64_t last = 0;
    size_t count = c->commit->n_posts;
    int code = count > 0 ? sqlite_counter(c->s, COUNTER_EVENT, &last, err) : 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        const rouse_post *post = &c->commit->posts[i];
        code = sqlite_run(c->s, SQL_INBOX_PUT, err, "utttui", last + 1 + i, post->thread, post->task_id, post->json, c->now_ms,
                          (int)post->topic);
    }
    c->wrote |= count > 0;
    return code == 0 && count > 0 ? sqlite_set_counter(c->s, COUNTER_EVENT, last + count, err) : code;
}

static int write_message(struct committing *c, const rouse_message *m, uint64_t seq, rouse_error *err)
{
    int code = sqlite_run(c->s, SQL_MESSAGE_PUT, err, "tutttt", c->commit->thread, seq, m->id, m->run ? m->run : "", m->role,
                          m->json);
    if (code < 0 && sqlite3_extended_errcode(c->s->db) == SQLITE_CONSTRAINT_UNIQUE)
        return rouse_fail(err, ROUSE_ECONFLICT, "message '%s' is in thread '%s' already", m->id, c->commit->thread);
    return code;
}

static int write_messages(struct committing *c, rouse_error *err)
{
    const rouse_commit *commit = c->commit;
    if (commit->n_messages == 0 && !commit->check_messages)
        return 0;
    uint64_t last = 0;
    int code = sqlite_number(c->s, SQL_MESSAGE_LAST, &last, err, "t", commit->thread);
    if (code < 0)
        return code;
    if (commit->check_messages && last != commit->messages_after)
        return rouse_fail(err, ROUSE_ECONFLICT, "thread '%s' has %llu messages, expected %llu: read them and try again",
                          commit->thread, (unsigned long long)last, (unsigned long long)commit->messages_after);
    code = 0;
    for (size_t i = 0; i < commit->n_messages && code == 0; i++) {
        code = write_message(c, &commit->messages[i], last + 1 + i, err);
        c->wrote = true;
    }
    return code;
}

static int write_acks(struct committing *c, rouse_error *err)
{
    const rouse_commit *commit = c->commit;
    int code = 0;
    for (size_t i = 0; i < commit->n_acks && code == 0; i++) {
        code = sqlite_run(c->s, SQL_INBOX_ACK, err, "uut", c->now_ms, commit->acks[i], commit->thread);
        if (code == 0 && sqlite3_changes(c->s->db) != 1)
            return rouse_fail(err, ROUSE_ECONFLICT, "event %llu is not waiting in the inbox of thread '%s'",
                              (unsigned long long)commit->acks[i], commit->thread);
        c->wrote = true;
    }
    return code;
}

/* A run goes forward only, and stays in its thread. */
static int check_run(struct committing *c, const rouse_run *run, rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite_bind(c->s, SQL_RUN_GET, &statement, err, "t", run->id);
    if (code == 0)
        code = sqlite_step(c->s, statement, err);
    if (code != 1)
        return code;
    const char *thread = NULL, *status = NULL;
    code = sqlite_read(statement, err, "tt", &thread, &status);
    if (code == 0 && strcmp(thread, c->commit->thread) != 0)
        code = rouse_fail(err, ROUSE_ECONFLICT, "run '%s' is of another thread", run->id);
    else if (code == 0 && !storage_run_may_become(status, run->status))
        code = storage_fail_run(run, status, err);
    sqlite3_reset(statement);
    return code;
}

static int write_run(struct committing *c, rouse_error *err)
{
    const rouse_run *run = c->commit->run_record;
    if (!run)
        return 0;
    c->wrote = true;
    int code = check_run(c, run, err);
    return code < 0 ? code
                    : sqlite_run(c->s, SQL_RUN_PUT, err, "tttttu", run->id, c->commit->thread, run->status,
                                 run->status_reason, run->json ? run->json : "{}", c->now_ms);
}

static int write_all(struct committing *c, struct storage_outcome *outcome, rouse_error *err)
{
    int code = prepare(c, err);
    if (code == 0)
        code = storage_check_commit(c->keys, c->commit, err);
    if (code == 0 && c->commit->fence.lease)
        code = sqlite_check_fence(c->s, &c->commit->fence, err);
    if (code == 0)
        code = write_state(c, outcome, err);
    if (code == 0)
        code = write_posts(c, err);
    if (code == 0)
        code = write_messages(c, err);
    if (code == 0)
        code = write_acks(c, err);
    if (code == 0)
        code = write_run(c, err);
    if (code == 0)
        code = sqlite_settle(c->s, err);
    if (code == 0 && c->s->ended)
        code = sqlite_keep_limits(c->s, c->now_ms, &outcome->gone, err);
    outcome->wrote = c->wrote;
    return code;
}

/* ---- alone and in a group ---- */

int sqlite_group_begin(void *backend, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_write(s, err);
    s->grouped = code == 0;
    return code;
}

int sqlite_group_end(void *backend, rouse_error *err)
{
    struct sqlite_store *s = backend;
    s->grouped = false;
    /* Some failures roll back everything; then those that came before them are gone as well. */
    if (sqlite3_get_autocommit(s->db))
        return sqlite_end(s, rouse_fail(err, ROUSE_EIO, "store '%s' had to undo what was written together; try again", s->shown), err);
    return sqlite_end(s, 0, err);
}

static int begin(struct sqlite_store *s, rouse_error *err)
{
    if (!s->grouped)
        return sqlite_begin_write(s, err);
    if (sqlite3_get_autocommit(s->db))
        return rouse_fail(err, ROUSE_EIO, "store '%s' had to undo what was written together; try again", s->shown);
    return sqlite_run(s, SQL_SAVE, err, "");
}

static int end(struct committing *c, int code, rouse_error *err)
{
    struct sqlite_store *s = c->s;
    if (!s->grouped)
        return sqlite_end(s, code, err);
    if (code == 0)
        return sqlite_run(s, SQL_SAVE_KEEP, err, "");
    if (!sqlite3_get_autocommit(s->db)) {
        sqlite_run(s, SQL_SAVE_UNDO, NULL, "");
        sqlite_run(s, SQL_SAVE_KEEP, NULL, "");
    }
    sqlite_pending_undo(s, c->noted);
    sqlite_forget(s);
    s->finished = 0;
    s->task_floor = s->last_seq = 0;
    s->task_write = false;
    return code;
}

int sqlite_commit(void *backend, const struct storage_keys *keys, rouse_commit *commit, struct storage_outcome *ret_outcome,
                  rouse_error *err)
{
    struct sqlite_store *s = backend;
    struct committing c = {.s = s, .keys = keys, .commit = commit};
    c.now_ms = s->platform->now_ms(s->platform->userdata);
    struct storage_outcome outcome = {0};
    int code = begin(s, err);
    if (code < 0)
        return code;
    s->ended = false;
    c.noted = s->pending_end;
    bool shows = ret_outcome->shows && !s->grouped;
    code = shows ? sqlite_see_before(s, keys, commit, err) : 0;
    code = end(&c, code < 0 ? code : write_all(&c, &outcome, err), err);
    if (code == 0 && shows && outcome.operations > 0)
        outcome.snapshot = sqlite_see_after(s, commit, outcome.after);
    if (code == 0)
        *ret_outcome = outcome;
    else
        storage_gone_free(outcome.gone);
    return code;
}
