/* The parts that writing transactions are made of: values, revisions, task numbers. */
#include "storage/sqlite.h"

#include <stdlib.h>
#include <string.h>

int sqlite_revision(struct sqlite_store *s, const char *thread, uint64_t *ret_revision, rouse_error *err)
{
    struct sqlite_place place = {0};
    int code = sqlite_find_place(s, thread, "", "", &place, err);
    if (code < 0)
        return code;
    *ret_revision = place.value;
    return 0;
}

int sqlite_set_revision(struct sqlite_store *s, const char *thread, uint64_t revision, rouse_error *err)
{
    struct sqlite_place place;
    int code = sqlite_make_place(s, thread, "", "", &place, err);
    return code < 0 ? code : sqlite_set_place(s, thread, "", "", &place, revision, err);
}

int sqlite_take_numbers(struct sqlite_store *s, uint64_t count, uint64_t *ret_first, rouse_error *err)
{
    uint64_t first;
    int code = sqlite_counter(s, COUNTER_TASK, &first, err);
    if (code < 0)
        return code;
    if (first > UINT64_MAX - count)
        return rouse_fail(err, ROUSE_ELIMIT, "no task number is left in store '%s'", s->shown);
    code = sqlite_set_counter(s, COUNTER_TASK, first + count, err);
    if (code == 0)
        *ret_first = first;
    return code;
}

/* Keeps the counter above every id that a map holds, however it came there. */
static int raise_counter(struct sqlite_store *s, const char *entry, rouse_error *err)
{
    uint64_t number;
    uint64_t next;
    if (!storage_task_number(entry, &number))
        return 0;
    if (number == UINT64_MAX)
        return rouse_fail(err, ROUSE_ELIMIT, "'%s' would leave no number for another task", entry);
    int code = sqlite_counter(s, COUNTER_TASK, &next, err);
    if (code == 0 && number >= next && number >= s->task_floor)
        s->task_floor = number + 1;
    return code;
}

/* ---- values ---- */

struct row { /* what is written of one value */
    uint64_t place;
    const char *entry;
    uint64_t revision;
    rouse_index index;
    char *json;
};

#define ROW_COLUMNS 13 /* parameters of ENTRY_PUT and, at first, of ENTRY_SET */

static int bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

/* Binds the row to the parameters behind at; what SQLite said. */
static int bind_values(sqlite3_stmt *statement, int at, const struct row *row)
{
    const rouse_index *i = &row->index;
    bool queued = i->live && i->queue, due = i->live && i->due_ms > 0 && i->due_ms <= INT64_MAX;
    int result = sqlite3_bind_int64(statement, at + 1, (sqlite3_int64)row->place);
    result |= bind_text(statement, at + 2, row->entry);
    result |= sqlite3_bind_int(statement, at + 3, i->live);
    result |= sqlite3_bind_int64(statement, at + 4, (sqlite3_int64)row->revision);
    result |= bind_text(statement, at + 5, i->name);
    result |= bind_text(statement, at + 6, i->parent);
    result |= bind_text(statement, at + 7, i->run);
    result |= i->live ? sqlite3_bind_null(statement, at + 8) : sqlite3_bind_int64(statement, at + 8, (sqlite3_int64)i->ended_ms);
    result |= bind_text(statement, at + 9, queued ? i->queue : NULL);
    result |= sqlite3_bind_int64(statement, at + 10, i->priority);
    result |= sqlite3_bind_int(statement, at + 11, queued && i->waiting);
    result |= bind_text(statement, at + 12, row->json);
    result |= due ? sqlite3_bind_int64(statement, at + 13, (sqlite3_int64)i->due_ms) : sqlite3_bind_null(statement, at + 13);
    return result;
}

static int bind_row(struct sqlite_store *s, enum sqlite_statement which, const struct row *row, sqlite3_stmt **ret_statement,
                    rouse_error *err)
{
    int code = sqlite_bind(s, which, ret_statement, err, "");
    if (code < 0)
        return code;
    return bind_values(*ret_statement, 0, row) == SQLITE_OK ? 0 : sqlite_fail(s, sqlite3_extended_errcode(s->db), err);
}

/* The row's own place is taken care of by the caller, so what is not unique is the name. */
static int step_row(struct sqlite_store *s, sqlite3_stmt *statement, const struct row *row, rouse_error *err)
{
    int code = sqlite_step(s, statement, err);
    if (code < 0 && sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_UNIQUE)
        return storage_fail_name(row->index.name ? row->index.name : "", err);
    return code;
}

/* Replaces a row that is, or is not, live. 1, 0 when there is none, or an error. */
static int set_row(struct sqlite_store *s, const struct row *row, bool was_live, rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = bind_row(s, SQL_ENTRY_SET, row, &statement, err);
    if (code < 0)
        return code;
    sqlite3_bind_int(statement, 14, was_live);
    code = step_row(s, statement, row, err);
    if (code < 0 || sqlite3_changes(s->db) == 0)
        return code;
    s->finished += was_live - row->index.live;
    s->live += row->index.live - was_live;
    return 1;
}

static void count_row(struct sqlite_store *s, const struct row *row)
{
    if (row->index.live)
        s->live++;
    else
        s->finished++;
}

/* 1 when there is a new row. */
static int put_row(struct sqlite_store *s, const struct row *row, bool fresh, rouse_error *err)
{
    int code = fresh ? 0 : set_row(s, row, true, err);
    if (code == 0 && !fresh)
        code = set_row(s, row, false, err);
    if (code != 0)
        return code < 0 ? code : 0;
    sqlite3_stmt *statement;
    code = bind_row(s, SQL_ENTRY_PUT, row, &statement, err);
    if (code == 0)
        code = step_row(s, statement, row, err);
    if (code < 0)
        return code;
    count_row(s, row);
    return 1;
}

/* New rows by one statement: half of what a row costs is beginning and ending the statement. 1, or 0 when one of them is refused:
 * then none is there, and each must be put by itself, so that the right one is named. */
static int put_rows(struct sqlite_store *s, const struct row rows[SQLITE_ROWS], rouse_error *err)
{
    sqlite3_stmt *statement;
    int result = SQLITE_OK;
    int code = sqlite_bind(s, SQL_ENTRY_PUT_ROWS, &statement, err, "");
    for (int i = 0; i < SQLITE_ROWS && code == 0; i++)
        result |= bind_values(statement, i * ROW_COLUMNS, &rows[i]);
    if (code == 0)
        code = result == SQLITE_OK ? sqlite_step(s, statement, NULL) : sqlite_fail(s, sqlite3_extended_errcode(s->db), err);
    if (code < 0 && result == SQLITE_OK)
        return (sqlite3_errcode(s->db) & 0xff) == SQLITE_CONSTRAINT ? 0 : sqlite_fail(s, sqlite3_extended_errcode(s->db), err);
    for (int i = 0; i < SQLITE_ROWS && code == 0; i++)
        count_row(s, &rows[i]);
    return code < 0 ? code : 1;
}

/* ---- changes ---- */

struct writing {
    struct sqlite_store *s;
    const struct sqlite_scope *scope;
    const rouse_key *key; /* whose place this is: */
    struct sqlite_place place;
    struct sqlite_seen *seen; /* who looks at it; may be NULL */
    bool cleared; /* the place holds nothing that was there before */
    struct row rows[SQLITE_ROWS]; /* new ones, to be written together; their json is ours */
    size_t n_rows;
};

static void drop_rows(struct writing *w)
{
    while (w->n_rows > 0)
        free(w->rows[--w->n_rows].json);
}

static int write_rows(struct writing *w, rouse_error *err)
{
    int code = w->n_rows == SQLITE_ROWS ? put_rows(w->s, w->rows, err) : 0;
    for (size_t i = 0; i < w->n_rows && code == 0; i++) {
        int put = put_row(w->s, &w->rows[i], true, err);
        code = put < 0 ? put : 0;
    }
    drop_rows(w);
    return code < 0 ? code : 0;
}

static const char *run_of(const struct writing *w)
{
    return w->key->scope == ROUSE_SCOPE_RUN ? w->scope->run : "";
}

/* The place is left: how many of its entries are live is brought up to date. */
static int leave_place(struct writing *w, rouse_error *err)
{
    int code = write_rows(w, err);
    int64_t change = w->s->live;
    w->s->live = 0;
    return code == 0 && change ? sqlite_run(w->s, SQL_PLACE_ADD_LIVE, err, "uu", w->place.id, (uint64_t)change) : code;
}

static int go_to(struct writing *w, const rouse_key *key, rouse_error *err)
{
    if (w->key == key)
        return 0;
    int code = leave_place(w, err);
    if (code < 0)
        return code;
    w->key = key;
    w->cleared = false;
    w->seen = sqlite_seen_to_keep(w->s, w->scope->thread, run_of(w));
    return sqlite_make_place(w->s, w->scope->thread, run_of(w), key->name, &w->place, err);
}

/* No map ever held an id whose number had not been given out when the transaction began. */
static bool is_fresh(const struct writing *w, const char *entry)
{
    uint64_t number;
    return w->cleared || (storage_task_number(entry, &number) && number >= w->scope->fresh_from);
}

static int put(struct writing *w, const struct state_change *change, rouse_error *err)
{
    const char *entry = change->entry ? change->entry : "";
    int code = change->entry ? raise_counter(w->s, entry, err) : 0;
    if (code < 0)
        return code;
    char *json;
    code = storage_encode(change->key, change->entry, change->cell->value, &json, err);
    if (code < 0)
        return code;
    rouse_index index = storage_index(change->key, change->cell->value);
    w->s->ended |= !index.live;
    struct row row = {w->place.id, entry, w->scope->revision, index, json};
    bool fresh = is_fresh(w, entry);
    if (fresh && !w->seen) { /* who looks wants its seq */
        w->rows[w->n_rows++] = row;
        return w->n_rows == SQLITE_ROWS ? write_rows(w, err) : 0;
    }
    code = write_rows(w, err); /* those were created before */
    if (code == 0)
        code = put_row(w->s, &row, fresh, err);
    free(json);
    if (code < 0)
        return code;
    uint64_t seq = code == 1 ? (uint64_t)sqlite3_last_insert_rowid(w->s->db) : 0;
    sqlite_seen_note(w->s, w->seen, change, index.live, seq, w->scope->revision);
    return 0;
}

static int remove_entry(struct writing *w, const char *entry, rouse_error *err)
{
    for (int live = 1; live >= 0; live--) {
        int code = sqlite_run(w->s, SQL_ENTRY_REMOVE, err, "tui", entry, w->place.id, live);
        if (code < 0)
            return code;
        *(live ? &w->s->live : &w->s->finished) -= sqlite3_changes(w->s->db);
    }
    return 0;
}

static int clear(struct writing *w, rouse_error *err)
{
    int code = sqlite_run(w->s, SQL_ENTRY_CLEAR_LIVE, err, "u", w->place.id);
    if (code == 0)
        w->s->live -= sqlite3_changes(w->s->db);
    if (code == 0)
        code = sqlite_run(w->s, SQL_ENTRY_CLEAR_FINISHED, err, "u", w->place.id);
    if (code == 0)
        w->s->finished -= sqlite3_changes(w->s->db);
    w->cleared = true;
    if (code == 0 && w->place.value == 1)
        code = sqlite_set_place(w->s, w->scope->thread, run_of(w), w->key->name, &w->place, 0, err);
    w->place.value = 0;
    return code;
}

static int write_change(struct writing *w, const struct state_change *change, rouse_error *err)
{
    int code = go_to(w, change->key, err);
    if (code < 0)
        return code;
    if (change->action != STATE_PUT) {
        code = write_rows(w, err);
        sqlite_seen_note(w->s, w->seen, change, false, 0, w->scope->revision);
    }
    if (code < 0)
        return code;
    switch (change->action) {
    case STATE_PUT:
        return put(w, change, err);
    case STATE_REMOVE:
        return remove_entry(w, change->entry ? change->entry : "", err);
    case STATE_CLEAR:
        return clear(w, err);
    }
    return rouse_fail(err, ROUSE_EINVAL, "no such change");
}

int sqlite_write_changes(struct sqlite_store *s, const struct sqlite_scope *scope, const struct state_change *items,
                         size_t count, rouse_error *err)
{
    struct writing w = {.s = s, .scope = scope};
    int code = 0;
    s->live = 0; /* what a failed commit left */
    for (size_t i = 0; i < count && code == 0; i++)
        code = write_change(&w, &items[i], err);
    if (code == 0)
        code = leave_place(&w, err);
    drop_rows(&w);
    return code;
}

int sqlite_mark_map(struct sqlite_store *s, const struct sqlite_scope *scope, const rouse_key *key, rouse_error *err)
{
    if (key->shape != ROUSE_SHAPE_MAP)
        return 0;
    const char *run = key->scope == ROUSE_SCOPE_RUN ? scope->run : "";
    struct sqlite_place place;
    int code = sqlite_make_place(s, scope->thread, run, key->name, &place, err);
    if (code < 0 || place.value == 1)
        return code;
    return sqlite_set_place(s, scope->thread, run, key->name, &place, 1, err);
}

int sqlite_settle(struct sqlite_store *s, rouse_error *err)
{
    uint64_t finished;
    int code = s->task_floor ? sqlite_set_counter(s, COUNTER_TASK, s->task_floor, err) : 0;
    s->task_floor = 0;
    if (code < 0 || s->finished == 0)
        return code;
    code = sqlite_counter(s, COUNTER_FINISHED, &finished, err);
    if (code == 0)
        code = sqlite_set_counter(s, COUNTER_FINISHED, finished + (uint64_t)s->finished, err);
    s->finished = 0;
    return code;
}
