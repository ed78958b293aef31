/* The schema, and the way to it from every earlier one.
 *
 * application_id says whose database it is, user_version which of the steps below it has been through. Steps are never
 * changed once released; a new version is a new step. Looking and stepping happen in one write transaction, so any number of
 * processes may open a new or an old store at once.
 *
 * Invariants of the tables
 *   - entry.seq is the order of creation. Replacing a value keeps its row, so it keeps its place.
 *   - A row of a map with entry '' is a mark: the map has a value, be it empty. Marks are not live and have no JSON.
 *   - run is '' for THREAD-scoped keys. name, parent and origin are what the key's index function said.
 *   - counter 'task' is above every bg_<n> that any entry of a map has, or ever had.
 *   - inbox.acked_ms is NULL until the event is part of the conversation. */
#include "storage/sqlite.h"

#define APPLICATION_ID 0x726f7573 /* "rous" */

static const char version_1[] =
    "CREATE TABLE thread(id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE entry("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, thread TEXT NOT NULL, run TEXT NOT NULL, key TEXT NOT NULL,"
    "  entry TEXT NOT NULL, json TEXT NOT NULL, revision INTEGER NOT NULL, live INTEGER NOT NULL,"
    "  name TEXT, parent TEXT, origin TEXT) STRICT;"
    "CREATE UNIQUE INDEX entry_place ON entry(key, entry, thread, run);"
    "CREATE INDEX entry_thread ON entry(thread, run, key);"
    "CREATE INDEX entry_live ON entry(thread, run, key) WHERE live = 1;"
    "CREATE INDEX entry_live_key ON entry(key) WHERE live = 1;"
    "CREATE UNIQUE INDEX entry_live_name ON entry(thread, run, key, name) WHERE live = 1 AND name IS NOT NULL;"
    "CREATE INDEX entry_name ON entry(key, name, thread) WHERE name IS NOT NULL;"
    "CREATE INDEX entry_parent ON entry(key, parent) WHERE parent IS NOT NULL;"
    "CREATE INDEX entry_origin ON entry(key, origin) WHERE origin IS NOT NULL;"
    "CREATE TABLE inbox("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, thread TEXT NOT NULL, task_id TEXT NOT NULL, json TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL, acked_ms INTEGER) STRICT;"
    "CREATE INDEX inbox_waiting ON inbox(thread) WHERE acked_ms IS NULL;"
    "CREATE INDEX inbox_thread ON inbox(thread);"
    "CREATE TABLE message("
    "  thread TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, run TEXT NOT NULL, role TEXT NOT NULL,"
    "  json TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX message_place ON message(thread, seq);"
    "CREATE UNIQUE INDEX message_id ON message(thread, id);"
    "CREATE TABLE run("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, thread TEXT NOT NULL, status TEXT NOT NULL,"
    "  reason TEXT, json TEXT NOT NULL, updated_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX run_thread ON run(thread);"
    "CREATE TABLE counter(name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO counter(name, value) VALUES('task', 0);";

struct step { /* brings version i to i + 1, i being its place in the table */
    const char *sql;
    const char *and_then; /* the header, set in the same transaction */
};

static const struct step steps[] = {
    {version_1, "PRAGMA application_id = 0x726f7573; PRAGMA user_version = 1;"},
};

int sqlite_newest_version(void)
{
    return (int)(sizeof steps / sizeof *steps);
}

static int read_int(struct sqlite_store *s, const char *sql, int *ret_value, rouse_error *err)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
    if (result != SQLITE_OK)
        return sqlite_fail(s, result, err);
    int code = sqlite_step(s, statement, err);
    if (code == 1)
        *ret_value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return code < 0 ? code : 0;
}

struct header {
    int application, version, objects;
};

static int read_header(struct sqlite_store *s, struct header *fill, rouse_error *err)
{
    int code = read_int(s, "PRAGMA application_id", &fill->application, err);
    if (code == 0)
        code = read_int(s, "PRAGMA user_version", &fill->version, err);
    return code < 0 ? code : read_int(s, "SELECT count(*) FROM sqlite_schema", &fill->objects, err);
}

/* In one transaction: a store that another process is making just now must not look half made. */
static int read_header_at_once(struct sqlite_store *s, struct header *fill, rouse_error *err)
{
    if (!sqlite3_get_autocommit(s->db))
        return read_header(s, fill, err);
    int code = sqlite_begin_read(s, err);
    return code < 0 ? code : sqlite_end(s, read_header(s, fill, err), err);
}

int sqlite_schema_version(struct sqlite_store *s, int *ret_version, rouse_error *err)
{
    struct header is = {0};
    int code = read_header_at_once(s, &is, err);
    if (code < 0)
        return code;
    bool fresh = is.application == 0 && is.version == 0 && is.objects == 0;
    if (!fresh && (is.application != APPLICATION_ID || is.version < 1))
        return rouse_fail(err, ROUSE_ESTORE, "'%s/rouse.db' is a database of another program; name another store", s->shown);
    if (is.version > sqlite_newest_version())
        return rouse_fail(err, ROUSE_ESTORE, "store '%s' is of version %d, this rouse knows up to %d; use a newer rouse",
                          s->shown, is.version, sqlite_newest_version());
    *ret_version = is.version;
    return 0;
}

int sqlite_check_schema(struct sqlite_store *s, rouse_error *err)
{
    int version = 0;
    int code = sqlite_schema_version(s, &version, err);
    if (code < 0)
        return code;
    if (version == 0)
        return rouse_fail(err, ROUSE_ENOTFOUND, "no store in '%s'", s->shown);
    if (version < sqlite_newest_version())
        return rouse_fail(err, ROUSE_ESTORE, "store '%s' is of version %d and must be opened for writing once, to bring it to %d",
                          s->shown, version, sqlite_newest_version());
    return 0;
}

static int take_steps(struct sqlite_store *s, rouse_error *err)
{
    int version = 0;
    int code = sqlite_schema_version(s, &version, err); /* another process may have been here meanwhile */
    for (; code == 0 && version < sqlite_newest_version(); version++) {
        int result = sqlite3_exec(s->db, steps[version].sql, NULL, NULL, NULL);
        if (result == SQLITE_OK)
            result = sqlite3_exec(s->db, steps[version].and_then, NULL, NULL, NULL);
        if (result != SQLITE_OK)
            code = sqlite_fail(s, result, err);
    }
    return code;
}

int sqlite_migrate(struct sqlite_store *s, rouse_error *err)
{
    int version = 0;
    int code = sqlite_schema_version(s, &version, err);
    if (code < 0 || version == sqlite_newest_version())
        return code;
    code = sqlite_begin_write(s, err);
    return code < 0 ? code : sqlite_end(s, take_steps(s, err), err);
}
