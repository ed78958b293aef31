/* Every fixed statement of the SQLite backend, each prepared once per handle. Those of sqlite_list are built in sqlite_list.c,
 * the schema is in sqlite_schema.c. X(name, text) */
#ifndef STORAGE_SQLITE_STATEMENTS_H
#define STORAGE_SQLITE_STATEMENTS_H

#define SQL_LIVE "SELECT ?2, '', ?3, e.entry, e.json FROM entry e "
/* How many entries of place p are late, see sqlite_schema.c. */
#define SQL_LATE                                                                                                       \
    "(SELECT count(*) FROM entry l INDEXED BY entry_live WHERE l.place = p.id AND l.live = 1 AND l.seq > p.upto)"
#define SQL_LATE_REVISION(thread)                                                                                      \
    "SELECT max(l.revision) FROM place q CROSS JOIN entry l INDEXED BY entry_live"                                     \
    " ON l.place = q.id AND l.live = 1 AND l.seq > q.upto WHERE q.thread = " thread " AND q.run = ''"
#define SQLITE_ROWS 10 /* of ENTRY_PUT_ROWS */
#define SQL_INSERT                                                                                                     \
    "INSERT INTO entry(place, entry, live, revision, name, parent, origin, ended_ms, queue, priority, waiting, json,"  \
    " due_ms, seq) VALUES"
#define SQL_ROW "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
/* Does the number of entry e not tell its id? Word for word what the index entry_place is limited to, see sqlite_own_seq. */
#define SQL_UNTOLD(e) "(" e "seq & 65535 <> 0 OR " e "entry <> 'bg_' || (" e "seq - 1099511627776 >> 16))"
/* The entry ?1 of place ?2, whose own number would be ?3. */
#define SQL_SEQ_OF_PLACE                                                                                               \
    "SELECT seq FROM entry WHERE seq = ?3 AND entry = ?1 AND place = ?2 UNION ALL SELECT seq FROM entry"               \
    " INDEXED BY entry_place WHERE entry = ?1 AND place = ?2 AND " SQL_UNTOLD("") " LIMIT 1"
/* The numbers that entries with this id may have, in any place. */
#define SQL_SEQS_OF_ENTRY(entry, own)                                                                                  \
    "SELECT " own " UNION ALL SELECT o.seq FROM entry o INDEXED BY entry_place WHERE o.entry = " entry " AND "         \
    SQL_UNTOLD("o.")
#define SQL_SET                                                                                                        \
    "UPDATE entry SET live = ?3, revision = ?4, name = ?5, parent = ?6, origin = ?7, ended_ms = ?8, queue = ?9,"       \
    " priority = ?10, waiting = ?11, json = ?12, due_ms = ?13, holder = CASE WHEN ?11 THEN holder END,"                \
    " until_ms = CASE WHEN ?11 THEN until_ms END WHERE entry = ?2 AND place = ?1 AND live = ?14 AND "
#define SQL_EVENT "SELECT id, thread, task_id, json, created_ms, acked_ms FROM inbox "
/* Has nobody an event of entry e, of place p, still to read? */
#define SQL_READ_BY_ALL                                                                                                \
    "NOT EXISTS (SELECT 1 FROM inbox i INDEXED BY inbox_task WHERE i.task_id = e.entry AND i.task_id <> ''"            \
    " AND i.thread = p.thread AND i.acked_ms IS NULL)"
#define SQL_CLAIMED "(e.holder IS NOT NULL AND (e.until_ms IS NULL OR (e.boot = ?2 AND e.until_ms > ?3)))"

#define SQLITE_STATEMENTS(X)                                                                                           \
    X(BEGIN_READ, "BEGIN")                                                                                             \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                                                  \
    X(COMMIT, "COMMIT")                                                                                                \
    X(ROLLBACK, "ROLLBACK")                                                                                            \
    X(SAVE, "SAVEPOINT rider")                                                                                         \
    X(SAVE_KEEP, "RELEASE rider")                                                                                      \
    X(SAVE_UNDO, "ROLLBACK TO rider")                                                                                  \
    X(NUMBER_GET, "SELECT value FROM place WHERE id = ?1")                                                             \
    X(NUMBER_OF_TASK, "SELECT value, (SELECT max(seq) FROM entry) FROM place WHERE id = ?1")                           \
    X(NUMBER_SET, "UPDATE place SET value = ?2 WHERE id = ?1")                                                         \
    X(PLACE_GET, "SELECT p.id, p.value, " SQL_LATE " FROM place p WHERE p.thread = ?1 AND p.run = ?2 AND p.key = ?3")  \
    X(PLACE_LATE_REVISION, SQL_LATE_REVISION("?1"))                                                                    \
    X(PLACE_PUT, "INSERT INTO place(thread, run, key, value) VALUES(?1, ?2, ?3, 0)")                                   \
    X(PLACE_UNMARK, "UPDATE place SET value = 0, live = 0 WHERE thread = ?1 AND run = ?2 AND key <> ''")                         \
    X(PLACE_LIVE, "SELECT p.live + " SQL_LATE " FROM place p WHERE p.id = ?1")                                         \
    X(PLACE_ADD_LIVE,                                                                                                  \
      "UPDATE place SET live = live + ?2, upto = coalesce((SELECT max(seq) FROM entry), 0) WHERE id = ?1")             \
    X(ENTRY_GET, "SELECT json FROM entry WHERE entry = ?1 AND place = ?2 AND " SQL_UNTOLD(""))                         \
    X(ENTRY_GET_OWN, "SELECT json FROM entry WHERE entry = ?1 AND place = ?2 AND seq = ?3")                            \
    X(ENTRY_PUT, SQL_INSERT "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)")                           \
    X(ENTRY_PUT_ROWS, SQL_INSERT SQL_ROW ", " SQL_ROW ", " SQL_ROW ", " SQL_ROW ", " SQL_ROW ", " SQL_ROW ", " SQL_ROW  \
      ", " SQL_ROW ", " SQL_ROW ", " SQL_ROW)                                                                          \
    X(ENTRY_SET, SQL_SET SQL_UNTOLD(""))                                                                               \
    X(ENTRY_SET_OWN, SQL_SET "seq = ?15")                                                                              \
    X(ENTRY_REMOVE, "DELETE FROM entry WHERE entry = ?1 AND place = ?2 AND live = ?3 AND " SQL_UNTOLD(""))             \
    X(ENTRY_REMOVE_OWN, "DELETE FROM entry WHERE entry = ?1 AND place = ?2 AND live = ?3 AND seq = ?4")                \
    X(ENTRY_CLEAR_LIVE, "DELETE FROM entry WHERE place = ?1 AND live = 1")                                             \
    X(ENTRY_CLEAR_FINISHED, "DELETE FROM entry WHERE place = ?1 AND live = 0")                                         \
    X(ENTRY_CLEAR_ALL_LIVE,                                                                                            \
      "DELETE FROM entry WHERE live = 1 AND place IN (SELECT id FROM place WHERE thread = ?1 AND run = ?2)")           \
    X(ENTRY_CLEAR_ALL_FINISHED,                                                                                        \
      "DELETE FROM entry WHERE live = 0 AND place IN (SELECT id FROM place WHERE thread = ?1 AND run = ?2)")           \
    X(ENTRY_VALUES,                                                                                                    \
      "SELECT p.thread, p.run, p.key, '', '', 0 AS seq FROM place p"                                                   \
      " WHERE p.thread = ?1 AND p.run = ?2 AND p.key <> '' AND p.value = 1"                                            \
      " UNION ALL SELECT p.thread, p.run, p.key, e.entry, e.json, e.seq FROM place p"                                  \
      " CROSS JOIN entry e INDEXED BY entry_live ON e.place = p.id AND e.live = 1"                                     \
      " WHERE p.thread = ?1 AND p.run = ?2 AND p.key <> ''"                                                            \
      " UNION ALL SELECT p.thread, p.run, p.key, e.entry, e.json, e.seq FROM place p"                                  \
      " CROSS JOIN entry e INDEXED BY entry_finished ON e.place = p.id AND e.live = 0"                                 \
      " WHERE p.thread = ?1 AND p.run = ?2 AND p.key <> '' ORDER BY p.key, seq")                                       \
    X(LIVE_COUNT, "SELECT coalesce(sum(p.live + " SQL_LATE "), 0) FROM place p WHERE p.key = ?1 AND p.run = ''")       \
    X(LIVE_DUE,                                                                                                        \
      SQL_LIVE "INDEXED BY entry_due WHERE e.place = ?1 AND e.live = 1 AND e.due_ms <= ?5"                             \
      " ORDER BY e.due_ms, e.seq DESC LIMIT ?4")                                                                       \
    X(LIVE_NEWEST, SQL_LIVE "INDEXED BY entry_live WHERE e.place = ?1 AND e.live = 1 ORDER BY e.seq DESC LIMIT ?4")    \
    X(LIVE_OLDEST, SQL_LIVE "INDEXED BY entry_live WHERE e.place = ?1 AND e.live = 1 ORDER BY e.seq LIMIT ?4")         \
    X(LIVE_MISCOUNTED,                                                                                                 \
      "SELECT count(*) FROM place p WHERE p.live <> (SELECT count(*) FROM entry e INDEXED BY entry_live"               \
      " WHERE e.place = p.id AND e.live = 1 AND e.seq <= p.upto)")                                                     \
    X(ENTRY_CHANGED,                                                                                                   \
      "SELECT p.thread, p.run, p.key, e.entry, CASE WHEN ?3 OR e.revision > ?4 THEN e.json END, e.seq FROM place p"    \
      " CROSS JOIN entry e INDEXED BY entry_live ON e.place = p.id AND e.live = 1"                                     \
      " WHERE p.thread = ?1 AND p.run = ?2 AND p.key <> '' ORDER BY p.key, e.seq")                                     \
    X(ENTRY_SEQ,                                                                                                       \
      "SELECT min(e.seq) FROM entry e NOT INDEXED CROSS JOIN place p ON p.id = e.place"                                \
      " WHERE e.seq IN (" SQL_SEQS_OF_ENTRY("?2", "?3") ") AND e.entry = ?2 AND p.key = ?1 AND p.run = ''")             \
    X(ENTRY_SEQ_OF_PLACE, SQL_SEQ_OF_PLACE)                                                                            \
    X(ENTRY_IDS, "SELECT entry FROM entry WHERE entry >= 'bg_' AND entry < 'bg`' AND " SQL_UNTOLD(""))                 \
    X(ENTRY_UNPLACED,                                                                                                  \
      "SELECT count(*) FROM entry e WHERE NOT EXISTS (SELECT 1 FROM place p WHERE p.id = e.place AND p.key <> '')")    \
    X(ENTRY_AHEAD,                                                                                                     \
      "SELECT count(*) FROM entry e CROSS JOIN place p ON p.id = e.place LEFT JOIN place t"                            \
      " ON t.thread = p.thread AND t.run = '' AND t.key = '' WHERE e.revision > coalesce(t.value, 0)"                  \
      " AND e.revision > coalesce((" SQL_LATE_REVISION("p.thread") "), 0)")                                            \
    X(ENTRY_SHAPES, "SELECT count(*) FROM entry WHERE live NOT IN (0, 1) OR (waiting AND NOT live)"                    \
                    " OR (live = 0) <> (ended_ms IS NOT NULL)")                                                        \
    X(ENTRY_FINISHED, "SELECT count(*) FROM entry INDEXED BY entry_ended WHERE live = 0")                              \
    X(INBOX_AHEAD, "SELECT max(id) FROM inbox")                                                                        \
    X(INBOX_TWICE,                                                                                                     \
      "SELECT task_id FROM inbox WHERE json ->> '$.kind' IN ('completed', 'failed', 'cancelled')"                      \
      " GROUP BY thread, task_id HAVING count(*) > 1 AND task_id <> '' LIMIT 1")                                       \
    X(QUEUE_HELD,                                                                                                      \
      "SELECT count(*) FROM (SELECT 1 FROM entry e INDEXED BY entry_queue CROSS JOIN place p ON p.id = e.place"        \
      " WHERE e.queue = ?1 AND e.live = 1 AND e.waiting = 0 AND p.key = ?5 LIMIT ?4)")                                 \
    X(QUEUE_CLAIMED,                                                                                                   \
      "SELECT count(*) FROM (SELECT 1 FROM entry e INDEXED BY entry_claimed CROSS JOIN place p ON p.id = e.place"      \
      " WHERE e.queue = ?1 AND e.live = 1 AND e.waiting = 1 AND " SQL_CLAIMED " AND p.key = ?5 LIMIT ?4)")             \
    X(QUEUE_NEXT,                                                                                                      \
      "SELECT e.seq FROM entry e INDEXED BY entry_queue CROSS JOIN place p ON p.id = e.place"                          \
      " WHERE e.queue = ?1 AND e.live = 1 AND e.waiting = 1 AND NOT " SQL_CLAIMED " AND p.key = ?5"                    \
      " AND (?6 IS NULL OR p.thread = ?6) ORDER BY e.priority DESC, e.seq LIMIT ?4")                                   \
    X(QUEUE_CLAIM, "UPDATE entry SET holder = ?2, boot = ?3, until_ms = ?4 WHERE seq = ?1")                            \
    X(QUEUE_UNCLAIM,                                                                                                   \
      "UPDATE entry SET holder = NULL, boot = NULL, until_ms = NULL WHERE seq = (" SQL_SEQ_OF_PLACE ") AND holder = ?4" \
      " AND live = 1 AND waiting = 1 AND (until_ms IS NULL OR (boot = ?5 AND until_ms > ?6))")                         \
    X(ENTRY_ROW,                                                                                                       \
      "SELECT p.thread, p.run, p.key, e.entry, e.json FROM entry e CROSS JOIN place p ON p.id = e.place"               \
      " WHERE e.seq = ?1")                                                                                             \
    X(LEASE_GET, "SELECT holder, epoch, boot = ?2 AND until_ms > ?3 FROM lease WHERE name = ?1")                       \
    X(LEASE_PUT,                                                                                                       \
      "INSERT INTO lease(name, holder, epoch, boot, until_ms) VALUES(?1, ?2, ?3, ?4, ?5)"                              \
      " ON CONFLICT(name) DO UPDATE SET holder = ?2, epoch = ?3, boot = ?4, until_ms = ?5")                            \
    X(LEASE_FENCE, "SELECT 1 FROM lease WHERE name = ?1 AND epoch = ?2")                                               \
    X(LEASE_DROP, "DELETE FROM lease WHERE name = ?1 AND epoch = ?2")                                                  \
    X(PRUNE_THREAD,                                                                                                    \
      "SELECT e.seq FROM place p CROSS JOIN entry e INDEXED BY entry_finished ON e.place = p.id AND e.live = 0"        \
      " WHERE p.thread = ?1 AND p.run = '' AND p.key = ?2 AND (e.ended_ms < ?3 OR e.seq < ?4)"                         \
      " AND (?5 OR " SQL_READ_BY_ALL ") ORDER BY e.seq LIMIT ?6")                                                      \
    X(PRUNE_ANY,                                                                                                       \
      "SELECT e.seq FROM entry e INDEXED BY entry_ended CROSS JOIN place p ON p.id = e.place"                          \
      " WHERE e.live = 0 AND p.run = '' AND p.key = ?2 AND (e.ended_ms, e.seq) < (?3, ?4)"                             \
      " AND (?5 OR " SQL_READ_BY_ALL ") ORDER BY e.ended_ms, e.seq LIMIT ?6")                                          \
    X(PRUNE_KEEP_THREAD,                                                                                               \
      "SELECT e.seq FROM place p CROSS JOIN entry e INDEXED BY entry_finished ON e.place = p.id AND e.live = 0"        \
      " WHERE p.thread = ?1 AND p.run = '' AND p.key = ?2 ORDER BY e.seq DESC LIMIT 1 OFFSET ?3")                      \
    X(PRUNE_KEEP_ANY,                                                                                                  \
      "SELECT e.seq, e.ended_ms FROM entry e INDEXED BY entry_ended CROSS JOIN place p ON p.id = e.place"              \
      " WHERE e.live = 0 AND p.run = '' AND p.key = ?2 ORDER BY e.ended_ms DESC, e.seq DESC LIMIT 1 OFFSET ?3")        \
    X(PRUNE_EVENTS, "DELETE FROM inbox WHERE task_id = ?1 AND task_id <> '' AND thread = ?2")                          \
    X(PRUNE_ENTRY, "DELETE FROM entry WHERE seq = ?1")                                                                 \
    X(KEEP_OLDEST,                                                                                                     \
      "SELECT e.seq, e.ended_ms FROM (SELECT seq, ended_ms, entry, place FROM entry INDEXED BY entry_ended"            \
      " WHERE live = 0 ORDER BY ended_ms, seq LIMIT ?1) e CROSS JOIN place p ON p.id = e.place WHERE " SQL_READ_BY_ALL \
      " LIMIT ?2")                                                                                                     \
    X(INBOX_PUT, "INSERT INTO inbox(id, thread, task_id, json, created_ms, topic) VALUES(?1, ?2, ?3, ?4, ?5, nullif(?6, 0))") \
    X(INBOX_ACK, "UPDATE inbox SET acked_ms = ?1 WHERE id = ?2 AND thread = ?3 AND acked_ms IS NULL")                  \
    X(INBOX_WAITING,                                                                                                   \
      SQL_EVENT "INDEXED BY inbox_waiting WHERE thread = ?1 AND id > ?2 AND acked_ms IS NULL ORDER BY id LIMIT ?3")    \
    X(INBOX_WAITING_ANY,                                                                                               \
      SQL_EVENT "INDEXED BY inbox_waiting WHERE id > ?2 AND acked_ms IS NULL ORDER BY id LIMIT ?3")                    \
    X(INBOX_WAITING_LATER, SQL_EVENT "NOT INDEXED WHERE id > ?2 AND acked_ms IS NULL ORDER BY id LIMIT ?3")             \
    X(INBOX_TOPIC,                                                                                                     \
      SQL_EVENT "INDEXED BY inbox_topic WHERE topic = ?4 AND thread = ?1 AND id > ?2 AND acked_ms IS NULL"             \
      " ORDER BY id LIMIT ?3")                                                                                         \
    X(INBOX_TOPIC_ANY,                                                                                                 \
      SQL_EVENT "INDEXED BY inbox_topic_any WHERE topic = ?4 AND id > ?2 AND acked_ms IS NULL ORDER BY id LIMIT ?3")   \
    X(INBOX_ALL,                                                                                                       \
      SQL_EVENT "INDEXED BY inbox_waiting WHERE thread = ?1 AND id > ?2 AND acked_ms IS NULL UNION ALL "               \
      SQL_EVENT "INDEXED BY inbox_read WHERE thread = ?1 AND id > ?2 AND acked_ms IS NOT NULL ORDER BY id LIMIT ?3")   \
    X(INBOX_ALL_ANY, SQL_EVENT "WHERE id > ?2 ORDER BY id LIMIT ?3")                                                   \
    X(MESSAGE_LAST, "SELECT max(seq) FROM message WHERE thread = ?1")                                                  \
    X(MESSAGE_PUT, "INSERT INTO message(thread, seq, id, run, role, json) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")             \
    X(MESSAGE_LIST,                                                                                                    \
      "SELECT seq, id, run, role, json FROM message WHERE thread = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")             \
    X(MESSAGE_GAPS,                                                                                                    \
      "SELECT thread FROM message GROUP BY thread HAVING min(seq) <> 1 OR max(seq) <> count(*) LIMIT 1")               \
    X(RUN_GET, "SELECT thread, status FROM run WHERE id = ?1")                                                         \
    X(RUN_PUT,                                                                                                         \
      "INSERT INTO run(id, thread, status, reason, json, updated_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"                   \
      " ON CONFLICT(id) DO UPDATE SET status = ?3, reason = ?4, json = ?5, updated_ms = ?6")                           \
    X(RUN_LAST,                                                                                                        \
      "SELECT id, status, reason, json, updated_ms FROM run WHERE thread = ?1 ORDER BY seq DESC LIMIT 1")

#define SQLITE_STATEMENT_NAME(name, text) SQL_##name,
enum sqlite_statement { SQLITE_STATEMENTS(SQLITE_STATEMENT_NAME) SQL_COUNT };
#undef SQLITE_STATEMENT_NAME

#endif
