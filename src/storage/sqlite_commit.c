/* A commit: one write transaction, in the order that storage.h gives. */
#include "storage/sqlite.h"

#include <stdlib.h>
#include <string.h>

struct committing {
    struct sqlite_store *s;
    const struct storage_keys *keys;
    rouse_commit *commit;
    uint64_t now_ms;
    bool wrote;
};

static int prepare(struct committing *c, rouse_error *err)
{
    if (!c->commit->prepare)
        return 0;
    uint64_t number;
    int code = sqlite_take_number(c->s, &number, err);
    if (code < 0)
        return code;
    c->wrote = true;
    code = c->commit->prepare(c->commit->userdata, number, c->commit, err);
    return code < 0 ? code : 0;
}

/* ---- values ---- */

/* state_source.get: reads one row, so the cost of an update does not depend on how many entries there are. */
static int read_stored(void *userdata, const rouse_key *key, const char *entry, struct cell **ret_cell, rouse_error *err)
{
    struct committing *c = userdata;
    const char *run = key->scope == ROUSE_SCOPE_RUN ? c->commit->run : "";
    sqlite3_stmt *statement;
    int code = sqlite_bind(c->s, SQL_ENTRY_GET, &statement, err, "tttt", key->name, entry ? entry : "", c->commit->thread,
                           run);
    if (code == 0)
        code = sqlite_step(c->s, statement, err);
    if (code < 0)
        return code;
    struct cell *cell = NULL;
    if (code == 1) {
        const char *json = NULL;
        size_t len = 0;
        code = sqlite_read(statement, err, "b", &json, &len);
        if (code == 0)
            code = storage_decode(key, entry, json ? json : "", len, &cell, err);
        sqlite3_reset(statement);
    }
    if (code == 0)
        *ret_cell = cell;
    return code;
}

static int write_batch(struct committing *c, const struct sqlite_place *place, rouse_error *err)
{
    const rouse_batch *batch = c->commit->batch;
    struct state_source source = {.get = read_stored, .userdata = c};
    struct state_changes changes;
    int code = state_apply(batch, &source, &changes, err);
    if (code < 0)
        return code;
    code = sqlite_write_changes(c->s, place, changes.items, changes.count, err);
    state_changes_done(&changes);
    for (size_t i = 0; i < rouse_batch_count(batch) && code == 0; i++)
        code = batch_is_clear_at(batch, i) ? 0 : sqlite_mark_map(c->s, place, batch_key_at(batch, i), err);
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
    struct sqlite_place place = {commit->thread, commit->run ? commit->run : "", revision + 1};
    if (code == 0)
        code = write_batch(c, &place, err);
    if (code == 0)
        code = sqlite_set_revision(c->s, commit->thread, revision + 1, err);
    outcome->after = revision + 1;
    outcome->operations = rouse_batch_count(commit->batch);
    c->wrote = true;
    return code;
}

/* ---- what goes with it ---- */

static int write_posts(struct committing *c, rouse_error *err)
{
    int code = 0;
    for (size_t i = 0; i < c->commit->n_posts && code == 0; i++) {
        const rouse_post *post = &c->commit->posts[i];
        code = sqlite_run(c->s, SQL_INBOX_PUT, err, "tttu", post->thread, post->task_id, post->json, c->now_ms);
        c->wrote = true;
    }
    return code;
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

static int write_run(struct committing *c, rouse_error *err)
{
    const rouse_run *run = c->commit->run_record;
    if (!run)
        return 0;
    int code = sqlite_run(c->s, SQL_RUN_PUT, err, "tttttu", run->id, c->commit->thread, run->status, run->status_reason,
                          run->json ? run->json : "{}", c->now_ms);
    if (code == 0 && sqlite3_changes(c->s->db) != 1)
        return rouse_fail(err, ROUSE_ECONFLICT, "run '%s' is of another thread", run->id);
    c->wrote = true;
    return code;
}

static int commit_all(struct committing *c, struct storage_outcome *outcome, rouse_error *err)
{
    int code = prepare(c, err);
    if (code == 0)
        code = storage_check_commit(c->keys, c->commit, err);
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
    outcome->wrote = c->wrote;
    return code;
}

int sqlite_commit(void *backend, const struct storage_keys *keys, rouse_commit *commit, struct storage_outcome *ret_outcome,
                  rouse_error *err)
{
    struct sqlite_store *s = backend;
    struct committing c = {.s = s, .keys = keys, .commit = commit};
    c.now_ms = s->platform->now_ms(s->platform->userdata);
    struct storage_outcome outcome = {0};
    int code = sqlite_begin_write(s, err);
    if (code < 0)
        return code;
    code = sqlite_end(s, commit_all(&c, &outcome, err), err);
    if (code == 0)
        *ret_outcome = outcome;
    return code;
}
