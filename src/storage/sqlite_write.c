/* The parts that writing transactions are made of: values, revisions, task numbers. */
#include "storage/sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

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

int sqlite_know_revision(struct sqlite_store *s, const char *thread, uint64_t revision, rouse_error *err)
{
    struct sqlite_place place;
    int code = sqlite_make_place(s, thread, "", "", &place, err);
    if (code < 0)
        return code;
    place.value = revision;
    sqlite_know_place(s, thread, "", "", &place);
    return 0;
}

int sqlite_take_numbers(struct sqlite_store *s, uint64_t count, uint64_t *ret_first, rouse_error *err)
{
    uint64_t first;
    int code = sqlite_counter(s, COUNTER_TASK, &first, err);
    if (code < 0)
        return code;
    if (first > UINT64_MAX - count)
        return rouse_fail(err, ROUSE_ELIMIT, "no task number is left in store '%s'", s->shown);
    s->task_floor = first + count;
    *ret_first = first;
    return 0;
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
    if (code == 0 && number >= next && number >= s->task_floor) /* the counter's row is written at the end */
        s->task_floor = number + 1;
    return code;
}

/* ---- values ---- */

#define OWN_BASE (UINT64_C(1) << 40) /* beyond every seq of the first versions */
#define OWN_SHIFT 16                 /* both also in SQL_UNTOLD */

uint64_t sqlite_own_seq(const char *entry)
{
    uint64_t number;
    return storage_task_number(entry, &number) && number < UINT32_MAX / 2 ? OWN_BASE + (number << OWN_SHIFT) : 0;
}

uint64_t sqlite_task_above(uint64_t seq)
{
    return seq < OWN_BASE ? 0 : ((seq - OWN_BASE) >> OWN_SHIFT) + 1;
}

int sqlite_hold_counter(struct sqlite_store *s, rouse_error *err)
{
    uint64_t next;
    int code = sqlite_counter(s, COUNTER_TASK, &next, err);
    if (code == 0 && next > s->task_floor)
        s->task_floor = next;
    s->task_write = true;
    return code;
}

struct row { /* what is written of one value */
    uint64_t seq; /* 0: the next that is free */
    uint64_t place;
    const char *entry;
    uint64_t revision;
    rouse_index index;
    char *json;
};

#define ROW_COLUMNS 14 /* parameters of ENTRY_PUT and, but for the last, of ENTRY_SET */

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
    result |= row->seq ? sqlite3_bind_int64(statement, at + 14, (sqlite3_int64)row->seq) : sqlite3_bind_null(statement, at + 14);
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

/* Replaces the row with this seq, or, with 0, that which its seq does not tell. 1, 0 when there is none, or an error. */
static int set_row(struct sqlite_store *s, const struct row *row, uint64_t own, bool was_live, rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = bind_row(s, own ? SQL_ENTRY_SET_OWN : SQL_ENTRY_SET, row, &statement, err);
    if (code < 0)
        return code;
    sqlite3_bind_int(statement, 14, was_live);
    if (own)
        sqlite3_bind_int64(statement, 15, (sqlite3_int64)own);
    code = step_row(s, statement, row, err);
    if (code < 0 || sqlite3_changes(s->db) == 0)
        return code;
    s->finished += was_live - row->index.live;
    s->live += row->index.live - was_live;
    s->moved |= row->index.live != was_live;
    return 1;
}

/* The same, wherever it is, and whether it is live or not. */
static int replace_row(struct sqlite_store *s, const struct row *row, rouse_error *err)
{
    uint64_t own = sqlite_own_seq(row->entry);
    int code = own ? set_row(s, row, own, true, err) : 0;
    if (code == 0 && own)
        code = set_row(s, row, own, false, err);
    if (code == 0)
        code = set_row(s, row, 0, true, err);
    return code == 0 ? set_row(s, row, 0, false, err) : code;
}

/* A row was made. Seqs of tasks to come must stay above those of all that there is. */
static void count_row(struct sqlite_store *s, const struct row *row)
{
    uint64_t seq = row->seq ? row->seq : (uint64_t)sqlite3_last_insert_rowid(s->db);
    if (seq > s->last_seq)
        s->last_seq = seq;
    s->moved = true;
    if (row->index.live)
        s->live++;
    else
        s->finished++;
}

/* 1 when there is a new row. */
static int put_row(struct sqlite_store *s, const struct row *row, bool fresh, rouse_error *err)
{
    int code = fresh ? 0 : replace_row(s, row, err);
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
    bool unnumbered; /* one of these has no seq yet */
    uint64_t own;    /* live entries that were made with their own seq */
    bool others;     /* and something else was done to the place */
};

static void drop_rows(struct writing *w)
{
    while (w->n_rows > 0)
        free(w->rows[--w->n_rows].json);
    w->unnumbered = false;
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

/* What was made may be late: until the place is written for another reason, or there are too many. */
static bool may_be_late(const struct writing *w)
{
    return w->own > 0 && !w->others && w->place.late + w->own <= LIMIT_LATE && !*run_of(w) && w->scope->revision <= INT64_MAX;
}

/* The place is left: how many of its entries are live is brought up to date. */
static int leave_place(struct writing *w, rouse_error *err)
{
    struct sqlite_store *s = w->s;
    int code = write_rows(w, err);
    if (code < 0 || !s->moved)
        return code;
    if (may_be_late(w)) {
        w->place.late += w->own;
        s->late = true;
    } else {
        code = sqlite_run(s, SQL_PLACE_ADD_LIVE, err, "uu", w->place.id, (uint64_t)s->live + w->place.late);
        w->place.late = 0;
    }
    s->live = 0;
    s->moved = false;
    if (code == 0)
        sqlite_know_place(s, w->scope->thread, run_of(w), w->key->name, &w->place);
    return code;
}

static int go_to(struct writing *w, const rouse_key *key, rouse_error *err)
{
    if (w->key == key)
        return 0;
    int code = leave_place(w, err);
    if (code < 0)
        return code;
    w->key = key;
    w->cleared = w->others = false;
    w->own = 0;
    w->seen = sqlite_seen_to_keep(w->s, w->scope->thread, run_of(w));
    return sqlite_make_place(w->s, w->scope->thread, run_of(w), key->name, &w->place, err);
}

/* No map ever held an id whose number had not been given out when the transaction began. */
static bool is_fresh(const struct writing *w, const char *entry)
{
    uint64_t number;
    return w->cleared || (storage_task_number(entry, &number) && number >= w->scope->fresh_from);
}

/* Of an entry whose number was just given out; 0 when it is not, or does not come after all others. */
static int take_own_seq(struct writing *w, const char *entry, uint64_t *ret_seq, rouse_error *err)
{
    uint64_t number, own = sqlite_own_seq(entry);
    if (!own || !storage_task_number(entry, &number) || number < w->scope->fresh_from)
        own = 0;
    int code = own && w->unnumbered ? write_rows(w, err) : 0;
    *ret_seq = own > w->s->last_seq ? own : 0;
    if (*ret_seq)
        w->s->last_seq = own;
    return code;
}

static int put(struct writing *w, const struct state_change *change, rouse_error *err)
{
    const char *entry = change->entry ? change->entry : "";
    int code = change->entry ? raise_counter(w->s, entry, err) : 0;
    if (code < 0)
        return code;
    uint64_t own = 0;
    code = take_own_seq(w, entry, &own, err);
    if (code < 0)
        return code;
    char *json;
    code = storage_encode(change->key, change->entry, change->cell->value, &json, err);
    if (code < 0)
        return code;
    rouse_index index = storage_index(change->key, change->cell->value);
    w->s->ended |= !index.live;
    w->own += own && index.live;
    w->others |= !own || !index.live;
    struct row row = {own, w->place.id, entry, w->scope->revision, index, json};
    bool fresh = is_fresh(w, entry);
    if (fresh && !w->seen) { /* who looks wants its seq */
        w->rows[w->n_rows++] = row;
        w->unnumbered |= !own;
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
    uint64_t own = sqlite_own_seq(entry);
    int code = sqlite_hold_counter(w->s, err);
    for (int live = 1; live >= 0 && code == 0; live--) {
        int64_t *count = live ? &w->s->live : &w->s->finished;
        code = own ? sqlite_run(w->s, SQL_ENTRY_REMOVE_OWN, err, "tuiu", entry, w->place.id, live, own) : 0;
        if (code == 0 && own)
            *count -= sqlite3_changes(w->s->db);
        if (code == 0)
            code = sqlite_run(w->s, SQL_ENTRY_REMOVE, err, "tui", entry, w->place.id, live);
        if (code == 0)
            *count -= sqlite3_changes(w->s->db);
    }
    return code;
}

static int clear(struct writing *w, rouse_error *err)
{
    int code = sqlite_hold_counter(w->s, err);
    if (code == 0)
        code = sqlite_run(w->s, SQL_ENTRY_CLEAR_LIVE, err, "u", w->place.id);
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
        w->others = w->s->moved = true;
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
    s->moved = s->late = false;
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

/* What was made may tell the counter already; then it is only remembered. */
static int settle_task(struct sqlite_store *s, rouse_error *err)
{
    uint64_t next, told = sqlite_task_above(s->last_seq);
    uint64_t floor = told > s->task_floor ? told : s->task_floor;
    if (floor == 0 && !s->task_write)
        return 0;
    int code = sqlite_counter(s, COUNTER_TASK, &next, err);
    if (code < 0)
        return code;
    bool raised = floor > next;
    next = raised ? floor : next;
    if (s->task_write || (raised && next > told))
        return sqlite_set_counter(s, COUNTER_TASK, next, err);
    s->counters[COUNTER_TASK] = next;
    return 0;
}

int sqlite_settle(struct sqlite_store *s, rouse_error *err)
{
    uint64_t finished;
    int code = settle_task(s, err);
    s->last_seq = 0;
    s->task_floor = 0;
    s->task_write = false;
    if (code < 0 || s->finished == 0)
        return code;
    code = sqlite_counter(s, COUNTER_FINISHED, &finished, err);
    if (code == 0)
        code = sqlite_set_counter(s, COUNTER_FINISHED, finished + (uint64_t)s->finished, err);
    s->finished = 0;
    return code;
}
