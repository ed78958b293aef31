/* Every fixed statement of the SQLite backend, each prepared once per handle. Those of sqlite_list are built in sqlite_read.c,
 * the schema is in sqlite_schema.c. X(name, text) */
#ifndef STORAGE_SQLITE_STATEMENTS_H
#define STORAGE_SQLITE_STATEMENTS_H

#define SQLITE_STATEMENTS(X)                                                                                           \
    X(BEGIN_READ, "BEGIN")                                                                                             \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                                                  \
    X(COMMIT, "COMMIT")                                                                                                \
    X(ROLLBACK, "ROLLBACK")                                                                                            \
    X(COUNTER_GET, "SELECT value FROM counter WHERE name = 'task'")                                                    \
    X(COUNTER_SET, "UPDATE counter SET value = ?1 WHERE name = 'task'")                                                \
    X(THREAD_GET, "SELECT revision FROM thread WHERE id = ?1")                                                         \
    X(THREAD_SET, "INSERT INTO thread(id, revision) VALUES(?1, ?2) ON CONFLICT(id) DO UPDATE SET revision = ?2")       \
    X(ENTRY_GET, "SELECT json FROM entry WHERE key = ?1 AND entry = ?2 AND thread = ?3 AND run = ?4")                  \
    X(ENTRY_PUT,                                                                                                       \
      "INSERT INTO entry(thread, run, key, entry, json, revision, live, name, parent, origin)"                         \
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT(key, entry, thread, run) DO UPDATE SET"            \
      " json = ?5, revision = ?6, live = ?7, name = ?8, parent = ?9, origin = ?10")                                    \
    X(ENTRY_MARK,                                                                                                      \
      "INSERT INTO entry(thread, run, key, entry, json, revision, live) VALUES(?1, ?2, ?3, '', '', ?4, 0)"             \
      " ON CONFLICT(key, entry, thread, run) DO NOTHING")                                                              \
    X(ENTRY_REMOVE, "DELETE FROM entry WHERE key = ?1 AND entry = ?2 AND thread = ?3 AND run = ?4")                    \
    X(ENTRY_CLEAR, "DELETE FROM entry WHERE thread = ?1 AND run = ?2 AND key = ?3")                                    \
    X(ENTRY_CLEAR_ALL, "DELETE FROM entry WHERE thread = ?1 AND run = ?2")                                             \
    X(ENTRY_VALUES,                                                                                                    \
      "SELECT thread, run, key, entry, json FROM entry WHERE thread = ?1 AND run = ?2 ORDER BY key, seq")              \
    X(ENTRY_LIVE_VALUES,                                                                                               \
      "SELECT thread, run, key, entry, json FROM entry WHERE thread = ?1 AND run = ?2 AND live = 1"                    \
      " ORDER BY key, seq")                                                                                            \
    X(ENTRY_SEQ, "SELECT min(seq) FROM entry WHERE key = ?1 AND entry = ?2 AND run = ''")                              \
    X(ENTRY_SEQ_OF_THREAD, "SELECT seq FROM entry WHERE key = ?1 AND entry = ?2 AND thread = ?3 AND run = ''")         \
    X(ENTRY_IDS, "SELECT entry FROM entry WHERE entry >= 'bg_' AND entry < 'bg`'")                                     \
    X(INBOX_PUT, "INSERT INTO inbox(thread, task_id, json, created_ms) VALUES(?1, ?2, ?3, ?4)")                        \
    X(INBOX_ACK, "UPDATE inbox SET acked_ms = ?1 WHERE id = ?2 AND thread = ?3 AND acked_ms IS NULL")                  \
    X(INBOX_WAITING,                                                                                                   \
      "SELECT id, thread, task_id, json, created_ms, acked_ms FROM inbox INDEXED BY inbox_waiting"                     \
      " WHERE thread = ?1 AND id > ?2 AND acked_ms IS NULL ORDER BY id LIMIT ?3")                                      \
    X(INBOX_WAITING_ANY,                                                                                               \
      "SELECT id, thread, task_id, json, created_ms, acked_ms FROM inbox INDEXED BY inbox_waiting"                     \
      " WHERE id > ?2 AND acked_ms IS NULL ORDER BY id LIMIT ?3")                                                      \
    X(INBOX_ALL,                                                                                                       \
      "SELECT id, thread, task_id, json, created_ms, acked_ms FROM inbox"                                              \
      " WHERE thread = ?1 AND id > ?2 ORDER BY id LIMIT ?3")                                                           \
    X(INBOX_ALL_ANY,                                                                                                   \
      "SELECT id, thread, task_id, json, created_ms, acked_ms FROM inbox WHERE id > ?2 ORDER BY id LIMIT ?3")          \
    X(MESSAGE_LAST, "SELECT max(seq) FROM message WHERE thread = ?1")                                                  \
    X(MESSAGE_PUT, "INSERT INTO message(thread, seq, id, run, role, json) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")             \
    X(MESSAGE_LIST,                                                                                                    \
      "SELECT seq, id, run, role, json FROM message WHERE thread = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")             \
    X(RUN_PUT,                                                                                                         \
      "INSERT INTO run(id, thread, status, reason, json, updated_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"                   \
      " ON CONFLICT(id) DO UPDATE SET status = ?3, reason = ?4, json = ?5, updated_ms = ?6 WHERE thread = ?2")         \
    X(RUN_LAST,                                                                                                        \
      "SELECT id, status, reason, json, updated_ms FROM run WHERE thread = ?1 ORDER BY seq DESC LIMIT 1")

#define SQLITE_STATEMENT_NAME(name, text) SQL_##name,
enum sqlite_statement { SQLITE_STATEMENTS(SQLITE_STATEMENT_NAME) SQL_COUNT };
#undef SQLITE_STATEMENT_NAME

#endif
