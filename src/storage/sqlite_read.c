/* Reads. What consists of several statements runs in one read transaction, so it shows one moment. */
#include "storage/sqlite.h"

int sqlite_give_row(sqlite3_stmt *statement, storage_row_sink *sink, void *userdata, rouse_error *err)
{
    struct storage_row row = {0};
    int code = sqlite_read(statement, err, "ttttb", &row.thread, &row.run, &row.key, &row.entry, &row.json, &row.len);
    return code < 0 ? code : sink(userdata, &row, err);
}

int sqlite_give_rows(struct sqlite_store *s, sqlite3_stmt *statement, storage_row_sink *sink, void *userdata, rouse_error *err)
{
    int code;
    while ((code = sqlite_step(s, statement, err)) == 1) {
        code = sqlite_give_row(statement, sink, userdata, err);
        if (code < 0)
            break;
    }
    sqlite3_reset(statement);
    return code;
}

int sqlite_give_entry(struct sqlite_store *s, uint64_t seq, storage_row_sink *sink, void *userdata, rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, SQL_ENTRY_ROW, &statement, err, "u", seq);
    return code < 0 ? code : sqlite_give_rows(s, statement, sink, userdata, err);
}

int sqlite_gather(struct sqlite_store *s, sqlite3_stmt *statement, struct sqlite_seqs *seqs, rouse_error *err)
{
    int code;
    while ((code = sqlite_step(s, statement, err)) == 1) {
        void *items = seqs->items;
        code = storage_grow(&items, &seqs->cap, seqs->count, sizeof *seqs->items, err);
        seqs->items = items;
        if (code < 0)
            break;
        seqs->items[seqs->count++] = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    return code;
}

/* ---- values ---- */

static int give_scope(struct sqlite_store *s, const char *thread, const char *run, storage_row_sink *sink, void *userdata,
                      rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, SQL_ENTRY_VALUES, &statement, err, "tt", thread, run);
    return code < 0 ? code : sqlite_give_rows(s, statement, sink, userdata, err);
}

int sqlite_values(void *backend, const char *thread, const char *run, uint64_t *ret_revision, storage_row_sink *sink,
                  void *userdata, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_read(s, err);
    if (code < 0)
        return code;
    code = sqlite_revision(s, thread, ret_revision, err);
    if (code == 0)
        code = give_scope(s, thread, "", sink, userdata, err);
    if (code == 0 && *run)
        code = give_scope(s, thread, run, sink, userdata, err);
    return sqlite_end(s, code, err);
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

static int give_events(struct sqlite_store *s, sqlite3_stmt *statement, storage_event_sink *sink, void *userdata, rouse_error *err)
{
    int code;
    while ((code = sqlite_step(s, statement, err)) == 1) {
        code = give_event(statement, sink, userdata, err);
        if (code < 0)
            break;
    }
    sqlite3_reset(statement);
    return code;
}

int sqlite_inbox(void *backend, const char *thread, uint64_t after, bool all, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err)
{
    struct sqlite_store *s = backend;
    enum sqlite_statement which = all ? SQL_INBOX_ALL : SQL_INBOX_WAITING;
    if (!thread)
        which = all ? SQL_INBOX_ALL_ANY : after ? SQL_INBOX_WAITING_LATER : SQL_INBOX_WAITING_ANY;
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, which, &statement, err, "tuu", thread, clamp(after), (uint64_t)limit);
    return code < 0 ? code : give_events(s, statement, sink, userdata, err);
}

int sqlite_topic(void *backend, const char *thread, rouse_topic topic, uint64_t after, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err)
{
    struct sqlite_store *s = backend;
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, thread ? SQL_INBOX_TOPIC : SQL_INBOX_TOPIC_ANY, &statement, err, "tuui", thread, clamp(after),
                           (uint64_t)limit, (int)topic);
    return code < 0 ? code : give_events(s, statement, sink, userdata, err);
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
