/* Reads. What consists of several statements runs in one read transaction, so it shows one moment. */
#include "storage/sqlite.h"

#include "base/buf.h"
#include "base/limits.h"

static int give_row(sqlite3_stmt *statement, storage_row_sink *sink, void *userdata, rouse_error *err)
{
    struct storage_row row = {0};
    int code = sqlite_read(statement, err, "ttttb", &row.thread, &row.run, &row.key, &row.entry, &row.json, &row.len);
    return code < 0 ? code : sink(userdata, &row, err);
}

/* Steps through all rows; the statement is reset whatever happens. */
static int give_rows(struct sqlite_store *s, sqlite3_stmt *statement, storage_row_sink *sink, void *userdata,
                     rouse_error *err)
{
    int code;
    while ((code = sqlite_step(s, statement, err)) == 1) {
        code = give_row(statement, sink, userdata, err);
        if (code < 0)
            break;
    }
    sqlite3_reset(statement);
    return code;
}

/* ---- values ---- */

static int give_scope(struct sqlite_store *s, const char *thread, const char *run, bool live_only, storage_row_sink *sink,
                      void *userdata, rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, live_only ? SQL_ENTRY_LIVE_VALUES : SQL_ENTRY_VALUES, &statement, err, "tt", thread, run);
    return code < 0 ? code : give_rows(s, statement, sink, userdata, err);
}

int sqlite_values(void *backend, const char *thread, const char *run, bool live_only, uint64_t *ret_revision,
                  storage_row_sink *sink, void *userdata, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_read(s, err);
    if (code < 0)
        return code;
    code = sqlite_revision(s, thread, ret_revision, err);
    if (code == 0)
        code = give_scope(s, thread, "", live_only, sink, userdata, err);
    if (code == 0 && *run)
        code = give_scope(s, thread, run, live_only, sink, userdata, err);
    return sqlite_end(s, code, err);
}

/* ---- list ---- */

struct filter {
    enum sqlite_filter bit;
    const char *condition; /* with the parameter's number, so that binding does not depend on which others are there */
};

static const struct filter filters[] = {
    {LIST_BY_THREAD, " AND thread = ?2"}, {LIST_BY_ENTRY, " AND entry = ?3"},     {LIST_BY_NAME, " AND name = ?4"},
    {LIST_BY_PARENT, " AND parent = ?5"}, {LIST_BY_RUN, " AND origin = ?6"},      {LIST_BY_BEFORE, " AND seq < ?7"},
    {LIST_BY_LIVE, " AND live = 1"},      {LIST_BY_FINISHED, " AND live = 0"},
};

/* A name, a parent or a run narrows more than anything else; "+" keeps the planner from taking the index of live entries. */
static const char *live_condition(unsigned mask)
{
    return mask & (LIST_BY_NAME | LIST_BY_PARENT | LIST_BY_RUN | LIST_BY_ENTRY) ? " AND +live = 1" : " AND live = 1";
}

static void build_list(struct buf *sql, unsigned mask)
{
    /* Everything of a key, newest first: walk the table backwards rather than sort all of it. */
    bool everything = !(mask & ~(unsigned)(LIST_BY_FINISHED | LIST_BY_BEFORE));
    buf_addf(sql, "SELECT thread, '', key, entry, json FROM entry WHERE %skey = ?1 AND run = '' AND entry <> ''",
             everything ? "+" : "");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        if (mask & filters[i].bit)
            buf_adds(sql, filters[i].bit == LIST_BY_LIVE ? live_condition(mask) : filters[i].condition);
    }
    buf_adds(sql, " ORDER BY seq DESC LIMIT ?8");
}

static unsigned query_mask(const rouse_query *q)
{
    unsigned mask = 0;
    mask |= q->thread ? LIST_BY_THREAD : 0u;
    mask |= q->entry ? LIST_BY_ENTRY : 0u;
    mask |= q->name ? LIST_BY_NAME : 0u;
    mask |= q->parent ? LIST_BY_PARENT : 0u;
    mask |= q->run ? LIST_BY_RUN : 0u;
    mask |= q->live_only ? LIST_BY_LIVE : 0u;
    mask |= q->finished_only ? LIST_BY_FINISHED : 0u;
    mask |= q->before ? LIST_BY_BEFORE : 0u;
    return mask;
}

static int list_statement(struct sqlite_store *s, unsigned mask, sqlite3_stmt **ret_statement, rouse_error *err)
{
    sqlite3_stmt **kept = &s->lists[mask];
    int code = 0;
    if (!*kept) {
        struct buf sql = BUF_INIT(0);
        build_list(&sql, mask);
        code = buf_check(&sql, err);
        if (code == 0) {
            int result = sqlite3_prepare_v3(s->db, buf_text(&sql), -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
            code = result == SQLITE_OK ? 0 : sqlite_fail(s, result, err);
        }
        buf_done(&sql);
    }
    if (code == 0)
        *ret_statement = *kept;
    return code;
}

/* Where a page begins. An id that two threads both imported stands for the older one: a page may then leave rows out, but
 * paging comes to an end. */
static int before_seq(struct sqlite_store *s, const char *key, const rouse_query *q, uint64_t *ret_seq, rouse_error *err)
{
    int code = q->thread ? sqlite_number(s, SQL_ENTRY_SEQ_OF_THREAD, ret_seq, err, "ttt", key, q->before, q->thread)
                         : sqlite_number(s, SQL_ENTRY_SEQ, ret_seq, err, "tt", key, q->before);
    if (code == 0)
        return rouse_fail(err, ROUSE_ENOTFOUND, "no '%s' to list from", q->before);
    return code < 0 ? code : 0;
}

static int bind_list(struct sqlite_store *s, sqlite3_stmt *statement, unsigned mask, const char *key, const rouse_query *q,
                     uint64_t before, rouse_error *err)
{
    size_t limit = q->limit && q->limit < LIMIT_LIST ? q->limit : LIMIT_LIST;
    const char *const texts[] = {key, q->thread, q->entry, q->name, q->parent, q->run};
    int result = SQLITE_OK;
    for (int i = 0; i < 6 && result == SQLITE_OK; i++) {
        if (texts[i])
            result = sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
    }
    if (result == SQLITE_OK && (mask & LIST_BY_BEFORE))
        result = sqlite3_bind_int64(statement, 7, (sqlite3_int64)before);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int64(statement, 8, (sqlite3_int64)limit);
    return result == SQLITE_OK ? 0 : sqlite_fail(s, result, err);
}

static int list_all(struct sqlite_store *s, const char *key, const rouse_query *query, storage_row_sink *sink,
                    void *userdata, rouse_error *err)
{
    unsigned mask = query_mask(query);
    uint64_t before = 0;
    sqlite3_stmt *statement = NULL;
    int code = query->before ? before_seq(s, key, query, &before, err) : 0;
    if (code == 0)
        code = list_statement(s, mask, &statement, err);
    if (code == 0)
        code = bind_list(s, statement, mask, key, query, before, err);
    return code < 0 ? code : give_rows(s, statement, sink, userdata, err);
}

int sqlite_list(void *backend, const char *key, const rouse_query *query, storage_row_sink *sink, void *userdata,
                rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_read(s, err);
    return code < 0 ? code : sqlite_end(s, list_all(s, key, query, sink, userdata, err), err);
}

/* ---- inbox and conversation ---- */

static int give_event(sqlite3_stmt *statement, storage_event_sink *sink, void *userdata, rouse_error *err)
{
    rouse_event event = {0};
    int code = sqlite_read(statement, err, "utttu", &event.id, &event.thread, &event.task_id, &event.json,
                           &event.created_at_ms);
    event.acknowledged = sqlite3_column_type(statement, 5) != SQLITE_NULL;
    return code < 0 ? code : sink(userdata, &event, err);
}

/* Ids are signed in the file; no id is ever beyond that. */
static uint64_t clamp(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : value;
}

int sqlite_inbox(void *backend, const char *thread, uint64_t after, bool all, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err)
{
    struct sqlite_store *s = backend;
    enum sqlite_statement which = all ? SQL_INBOX_ALL : SQL_INBOX_WAITING;
    if (!thread)
        which = all ? SQL_INBOX_ALL_ANY : SQL_INBOX_WAITING_ANY;
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, which, &statement, err, "tuu", thread, clamp(after), (uint64_t)limit);
    if (code < 0)
        return code;
    while ((code = sqlite_step(s, statement, err)) == 1) {
        code = give_event(statement, sink, userdata, err);
        if (code < 0)
            break;
    }
    sqlite3_reset(statement);
    return code;
}

static int give_message(sqlite3_stmt *statement, storage_message_sink *sink, void *userdata, rouse_error *err)
{
    rouse_message message = {0};
    int code = sqlite_read(statement, err, "utttt", &message.seq, &message.id, &message.run, &message.role, &message.json);
    return code < 0 ? code : sink(userdata, &message, err);
}

int sqlite_messages(void *backend, const char *thread, uint64_t after, size_t limit, storage_message_sink *sink,
                    void *userdata, rouse_error *err)
{
    struct sqlite_store *s = backend;
    sqlite3_stmt *statement;
    uint64_t most = limit ? clamp(limit) : UINT64_MAX; /* a negative limit is none */
    int code = sqlite_bind(s, SQL_MESSAGE_LIST, &statement, err, "tuu", thread, clamp(after), most);
    if (code < 0)
        return code;
    while ((code = sqlite_step(s, statement, err)) == 1) {
        code = give_message(statement, sink, userdata, err);
        if (code < 0)
            break;
    }
    sqlite3_reset(statement);
    return code;
}

int sqlite_last_run(void *backend, const char *thread, storage_run_sink *sink, void *userdata, rouse_error *err)
{
    struct sqlite_store *s = backend;
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, SQL_RUN_LAST, &statement, err, "t", thread);
    if (code == 0)
        code = sqlite_step(s, statement, err);
    if (code != 1)
        return code;
    rouse_run run = {0};
    code = sqlite_read(statement, err, "ttttu", &run.id, &run.status, &run.status_reason, &run.json, &run.updated_at_ms);
    if (code == 0)
        code = sink(userdata, &run, err);
    sqlite3_reset(statement);
    return code;
}
