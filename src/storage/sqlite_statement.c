/* Prepared statements, transactions, and what an error of SQLite means to a caller. */
#include "storage/sqlite.h"

#include <errno.h>
#include <stdarg.h>

#define SQLITE_STATEMENT_TEXT(name, text) [SQL_##name] = text,
static const char *const texts[SQL_COUNT] = {SQLITE_STATEMENTS(SQLITE_STATEMENT_TEXT)};

static int fail_io(struct sqlite_store *s, rouse_error *err)
{
    int reason = sqlite3_system_errno(s->db);
    if (reason == ENOSPC || reason == EDQUOT)
        return rouse_fail(err, ROUSE_EIO, "disk full: store '%s' cannot grow; free some space and try again", s->shown);
    if (reason != 0)
        return rouse_fail_errno(err, ROUSE_EIO, reason, "cannot read or write store '%s'", s->shown);
    return rouse_fail(err, ROUSE_EIO, "cannot read or write store '%s': %s", s->shown, sqlite3_errmsg(s->db));
}

int sqlite_fail(struct sqlite_store *s, int result, rouse_error *err)
{
    switch (result & 0xff) {
    case SQLITE_NOMEM:
        return rouse_fail_memory(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* too many were at it at once to even begin */
        return rouse_fail(err, ROUSE_EBUSY, "store '%s' is busy: another process is writing; try again", s->shown);
    case SQLITE_FULL:
        return rouse_fail(err, ROUSE_EIO, "disk full: store '%s' cannot grow; free some space and try again", s->shown);
    case SQLITE_IOERR:
        s->broken |= result == SQLITE_IOERR_FSYNC || result == SQLITE_IOERR_DIR_FSYNC;
        return result == SQLITE_IOERR_NOMEM ? rouse_fail_memory(err) : fail_io(s, err);
    case SQLITE_CORRUPT:
        return rouse_fail(err, ROUSE_ESTORE, "store '%s' is damaged: move it away, or bring back a copy of it", s->shown);
    case SQLITE_NOTADB:
        return rouse_fail(err, ROUSE_ESTORE, "'%s/rouse.db' is not a database: move it away, or name another store",
                          s->shown);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return rouse_fail(err, ROUSE_ESTORE, "store '%s' cannot be written: check its owner and permissions", s->shown);
    case SQLITE_CANTOPEN:
        return rouse_fail(err, ROUSE_ESTORE, "store '%s' cannot be opened: check its owner and permissions", s->shown);
    case SQLITE_TOOBIG:
        return rouse_fail(err, ROUSE_ELIMIT, "a value is too large for store '%s'", s->shown);
    default:
        return rouse_fail(err, ROUSE_ESTORE, "store '%s': %s", s->shown, sqlite3_errmsg(s->db));
    }
}

static int bind_one(sqlite3_stmt *statement, int at, char type, va_list *args)
{
    if (type == 'u')
        return sqlite3_bind_int64(statement, at, (sqlite3_int64)va_arg(*args, uint64_t));
    if (type == 'i')
        return sqlite3_bind_int(statement, at, va_arg(*args, int));
    if (type == '-')
        return sqlite3_bind_null(statement, at);
    const char *text = va_arg(*args, const char *);
    if (type == 'b')
        return sqlite3_bind_text64(statement, at, text, va_arg(*args, size_t), SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

static int bind_all(struct sqlite_store *s, enum sqlite_statement which, sqlite3_stmt **ret_statement, rouse_error *err,
                    const char *types, va_list *args)
{
    sqlite3_stmt **kept = &s->statements[which];
    int result = SQLITE_OK;
    if (!*kept)
        result = sqlite3_prepare_v3(s->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
    for (int i = 0; result == SQLITE_OK && types[i]; i++)
        result = bind_one(*kept, i + 1, types[i], args);
    if (result != SQLITE_OK)
        return sqlite_fail(s, result, err);
    *ret_statement = *kept;
    return 0;
}

int sqlite_bind(struct sqlite_store *s, enum sqlite_statement which, sqlite3_stmt **ret_statement, rouse_error *err,
                const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int code = bind_all(s, which, ret_statement, err, types, &args);
    va_end(args);
    return code;
}

int sqlite_step(struct sqlite_store *s, sqlite3_stmt *statement, rouse_error *err)
{
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        return 1;
    int code = result == SQLITE_DONE ? 0 : sqlite_fail(s, result, err);
    sqlite3_reset(statement);
    return code;
}

int sqlite_run(struct sqlite_store *s, enum sqlite_statement which, rouse_error *err, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *statement;
    int code = bind_all(s, which, &statement, err, types, &args);
    va_end(args);
    return code < 0 ? code : sqlite_step(s, statement, err);
}

int sqlite_number(struct sqlite_store *s, enum sqlite_statement which, uint64_t *ret_number, rouse_error *err,
                  const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *statement;
    int code = bind_all(s, which, &statement, err, types, &args);
    va_end(args);
    if (code == 0)
        code = sqlite_step(s, statement, err);
    if (code != 1)
        return code;
    bool there = sqlite3_column_type(statement, 0) != SQLITE_NULL;
    if (there)
        *ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return there;
}

/* A text that is there but cannot be given to us is lack of memory; it must not pass for "". */
static int read_text(sqlite3_stmt *statement, int column, const char **ret_text, rouse_error *err)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    if (!text && sqlite3_column_type(statement, column) != SQLITE_NULL)
        return rouse_fail_memory(err);
    *ret_text = text;
    return 0;
}

int sqlite_read(sqlite3_stmt *statement, rouse_error *err, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int code = 0;
    for (int i = 0; code == 0 && types[i]; i++) {
        if (types[i] == 'u') {
            *va_arg(args, uint64_t *) = (uint64_t)sqlite3_column_int64(statement, i);
            continue;
        }
        code = read_text(statement, i, va_arg(args, const char **), err);
        if (code == 0 && types[i] == 'b')
            *va_arg(args, size_t *) = (size_t)sqlite3_column_bytes(statement, i);
    }
    va_end(args);
    return code;
}

int sqlite_prepare_transactions(struct sqlite_store *s, rouse_error *err)
{
    static const enum sqlite_statement needed[] = {SQL_BEGIN_READ, SQL_BEGIN_WRITE, SQL_COMMIT,   SQL_ROLLBACK,
                                                   SQL_SAVE,       SQL_SAVE_KEEP,   SQL_SAVE_UNDO};
    sqlite3_stmt *statement;
    int code = 0;
    for (size_t i = 0; i < sizeof needed / sizeof *needed && code == 0; i++)
        code = sqlite_bind(s, needed[i], &statement, err, "");
    return code;
}

/* Some failures have rolled back already, and then ROLLBACK would be an error. */
static void roll_back(struct sqlite_store *s)
{
    sqlite_wal_drop(s);
    if (!sqlite3_get_autocommit(s->db))
        sqlite_run(s, SQL_ROLLBACK, NULL, "");
    sqlite_wal_drop(s);
    if (s->writing)
        sqlite_forget(s);
    sqlite_pending_undo(s, &s->pending);
    s->writing = false;
    s->finished = 0;
    s->task_floor = s->last_seq = 0;
    s->task_write = false;
}

static int begin(struct sqlite_store *s, enum sqlite_statement which, rouse_error *err)
{
    roll_back(s); /* what an earlier rollback could not undo */
    return sqlite_run(s, which, err, "");
}

int sqlite_begin_write(struct sqlite_store *s, rouse_error *err)
{
    if (s->broken)
        return rouse_fail(err, ROUSE_EIO, "store '%s' could not be synced: close it, look after the disk, open it again", s->shown);
    int code = begin(s, SQL_BEGIN_WRITE, err);
    if (code == 0)
        sqlite_remember_after_begin(s);
    return code;
}

int sqlite_begin_read(struct sqlite_store *s, rouse_error *err)
{
    return begin(s, SQL_BEGIN_READ, err);
}

int sqlite_end(struct sqlite_store *s, int code, rouse_error *err)
{
    if (code == 0)
        code = sqlite_run(s, SQL_COMMIT, err, "");
    if (code < 0)
        roll_back(s);
    else if (s->writing)
        sqlite_remember_after_commit(s);
    return code;
}
