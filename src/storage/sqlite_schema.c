/* The schema, and the way to it from every earlier one.
 *
 * application_id says whose database it is, user_version which of the steps below it has been through. Steps are never
 * changed once released; a new version is a new step. Looking and stepping happen in one write transaction, so any number of
 * processes may open a new or an old store at once.
 *
 * What a commit costs is the number of pages it changes. So all that changes with nearly every commit is in one small table,
 * `place`, and a row that is live is in as few indexes as the questions allow.
 *
 * Invariants of the tables
 *   - place holds a number for (thread, run, key), and the number that stands for the three elsewhere. Rows are never removed
 *     nor given another meaning. thread '': a counter of the store, with a fixed id (sqlite.h). key '': the thread's revision.
 *     Otherwise where values are: 1 says that the map has a value, be it empty. run is '' for THREAD-scoped keys.
 *     live is the number of live entries there with a seq up to upto. Those beyond are late: tasks that were just made, found by
 *     entry_live, at most LIMIT_LATE of them. The thread's revision is its value, or the highest revision of a late entry of
 *     its places with run ''. So a commit that only starts a task need not write here; whatever else changes which entries of a
 *     place are live counts the late ones (upto rises), and writes the revision.
 *   - entry.seq is the order of creation. Replacing a value keeps its row, so it keeps its place. entry '' is a scalar.
 *     That of most tasks tells their id (sqlite_own_seq), and then the row is not in entry_place: at most one row has an id in a
 *     place, so whoever inserts knows that neither way leads to one.
 *   - name, parent, origin, queue, priority, waiting, ended_ms are what the key's index function said; ended_ms is NULL while live,
 *     due_ms when it is not live or never due.
 *   - holder, boot and until_ms are a claim's; until_ms NULL is without end. They mean nothing once waiting is 0.
 *   - counter 'task' is above every bg_<n> that any entry of a map has, or ever had, and its own seq above every seq. The newest row
 *     may tell (sqlite_task_above), and then it need not be written: so before a row is removed it is;
 *     'event' is the highest id of the inbox, ever;
 *     'epoch' of all leases; 'finished' is the number of entries that are not live; 'imports' counts them, having no fixed id.
 *   - inbox.acked_ms is NULL until the event is part of the conversation; topic is a rouse_topic, NULL for the others. */
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

static const char version_2[] =
    "CREATE TABLE place("
    "  id INTEGER PRIMARY KEY, thread TEXT NOT NULL, run TEXT NOT NULL, key TEXT NOT NULL, value INTEGER NOT NULL) STRICT;"
    "INSERT INTO place(id, thread, run, key, value) SELECT 1, '', '', 'task', value FROM counter WHERE name = 'task';"
    "INSERT INTO place(id, thread, run, key, value) VALUES"
    "  (2, '', '', 'event', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'inbox'), 0)),"
    "  (3, '', '', 'epoch', 0), (4, '', '', 'keep', 0), (5, '', '', 'older_ms', 0),"
    "  (6, '', '', 'finished', (SELECT count(*) FROM entry WHERE live = 0 AND entry <> ''));"
    "INSERT INTO place(thread, run, key, value) SELECT id, '', '', revision FROM thread;"
    "INSERT INTO place(thread, run, key, value)"
    "  SELECT thread, run, key, max(entry = '' AND json = '') FROM entry GROUP BY thread, run, key;"
    "CREATE UNIQUE INDEX place_of ON place(thread, run, key);"
    "DROP INDEX entry_place; DROP INDEX entry_thread; DROP INDEX entry_live; DROP INDEX entry_live_key;"
    "DROP INDEX entry_live_name; DROP INDEX entry_name; DROP INDEX entry_parent; DROP INDEX entry_origin;"
    "ALTER TABLE entry RENAME TO entry_1;"
    "CREATE TABLE entry("
    "  seq INTEGER PRIMARY KEY, place INTEGER NOT NULL, entry TEXT NOT NULL, live INTEGER NOT NULL, revision INTEGER NOT NULL,"
    "  name TEXT, parent TEXT, origin TEXT, ended_ms INTEGER, queue TEXT, priority INTEGER NOT NULL, waiting INTEGER NOT NULL,"
    "  holder TEXT, boot INTEGER, until_ms INTEGER, json TEXT NOT NULL) STRICT;"
    /* The end of a task is in its record; the step is the only place that looks into one. */
    "INSERT INTO entry(seq, place, entry, live, revision, name, parent, origin, ended_ms, priority, waiting, json)"
    "  SELECT e.seq, p.id, e.entry, e.live, e.revision, e.name, e.parent, e.origin, CASE WHEN e.live THEN NULL"
    "    WHEN json_valid(e.json) THEN coalesce(CAST(e.json ->> '$.updated_at_ms' AS INTEGER), 0) ELSE 0 END, 0, 0, e.json"
    "  FROM entry_1 e JOIN place p ON p.thread = e.thread AND p.run = e.run AND p.key = e.key"
    "  WHERE e.entry <> '' OR e.json <> '' ORDER BY e.seq;"
    "DROP TABLE entry_1; DROP TABLE thread; DROP TABLE counter;"
    "CREATE UNIQUE INDEX entry_place ON entry(entry, place);"
    "CREATE INDEX entry_live ON entry(place) WHERE live = 1;"
    "CREATE INDEX entry_finished ON entry(place) WHERE live = 0;"
    "CREATE INDEX entry_ended ON entry(ended_ms) WHERE live = 0;"
    "CREATE UNIQUE INDEX entry_live_name ON entry(place, name) WHERE live = 1 AND name IS NOT NULL;"
    "CREATE INDEX entry_name ON entry(name, place) WHERE name IS NOT NULL;"
    "CREATE INDEX entry_parent ON entry(parent) WHERE parent IS NOT NULL;"
    "CREATE INDEX entry_origin ON entry(origin) WHERE origin IS NOT NULL;"
    "CREATE INDEX entry_queue ON entry(queue, waiting, priority DESC) WHERE live = 1 AND queue IS NOT NULL;"
    "CREATE INDEX entry_claimed ON entry(queue) WHERE live = 1 AND waiting = 1 AND holder IS NOT NULL;"
    "DROP INDEX inbox_waiting; DROP INDEX inbox_thread;"
    "ALTER TABLE inbox RENAME TO inbox_1;"
    "CREATE TABLE inbox("
    "  id INTEGER PRIMARY KEY, thread TEXT NOT NULL, task_id TEXT NOT NULL, json TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL, acked_ms INTEGER) STRICT;"
    "INSERT INTO inbox(id, thread, task_id, json, created_ms, acked_ms)"
    "  SELECT id, thread, task_id, json, created_ms, acked_ms FROM inbox_1 ORDER BY id;"
    "DROP TABLE inbox_1;"
    "CREATE INDEX inbox_waiting ON inbox(thread) WHERE acked_ms IS NULL;"
    "CREATE INDEX inbox_read ON inbox(thread) WHERE acked_ms IS NOT NULL;"
    "CREATE INDEX inbox_task ON inbox(task_id) WHERE task_id <> '';"
    "CREATE TABLE lease("
    "  name TEXT PRIMARY KEY NOT NULL, holder TEXT NOT NULL, epoch INTEGER NOT NULL, boot INTEGER NOT NULL,"
    "  until_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

static const char version_3[] =
    "ALTER TABLE place ADD COLUMN live INTEGER NOT NULL DEFAULT 0;"
    "UPDATE place SET live = (SELECT count(*) FROM entry e WHERE e.place = place.id AND e.live = 1);"
    "ALTER TABLE entry ADD COLUMN due_ms INTEGER;"
    "UPDATE entry SET due_ms = CASE WHEN json ->> '$.ext.stage' = 'waiting_input' THEN 1"
    "  ELSE CAST(json ->> '$.ext.deadline_ms' AS INTEGER) END WHERE live = 1 AND json_valid(json);"
    "CREATE INDEX entry_due ON entry(place, due_ms, seq DESC) WHERE live = 1 AND due_ms IS NOT NULL;"
    "ALTER TABLE inbox ADD COLUMN topic INTEGER;"
    "UPDATE inbox SET topic = CASE WHEN json ->> '$.kind' = 'failed' THEN 1"
    "  WHEN json ->> '$.event_type' = 'agent_message' THEN 2 END WHERE acked_ms IS NULL AND json_valid(json);"
    "CREATE INDEX inbox_topic ON inbox(topic, thread) WHERE acked_ms IS NULL AND topic IS NOT NULL;"
    "CREATE INDEX inbox_topic_any ON inbox(topic) WHERE acked_ms IS NULL AND topic IS NOT NULL;";

static const char version_4[] = "INSERT INTO place(thread, run, key, value) VALUES('', '', 'imports', 0);";

/* Of the task whose number tells its id no page of this index is written, see sqlite_own_seq. */
static const char version_5[] =
    "DROP INDEX entry_place;"
    "CREATE UNIQUE INDEX entry_place ON entry(entry, place) WHERE " SQL_UNTOLD("") ";";

static const char version_6[] =
    "ALTER TABLE place ADD COLUMN upto INTEGER NOT NULL DEFAULT 0;"
    "UPDATE place SET upto = coalesce((SELECT max(seq) FROM entry), 0);";

struct step { /* brings version i to i + 1, i being its place in the table */
    const char *sql;
    const char *and_then; /* the header, set in the same transaction */
};

static const struct step steps[] = {
    {version_1, "PRAGMA application_id = 0x726f7573; PRAGMA user_version = 1;"},
    {version_2, "PRAGMA user_version = 2;"},
    {version_3, "PRAGMA user_version = 3;"},
    {version_4, "PRAGMA user_version = 4;"},
    {version_5, "PRAGMA user_version = 5;"},
    {version_6, "PRAGMA user_version = 6;"},
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
