/* What the files of the SQLite backend share. */
#ifndef STORAGE_SQLITE_H
#define STORAGE_SQLITE_H

#include <sqlite3.h>

#include "storage/sqlite_statements.h"
#include "storage/storage.h"

/* One bit per filter of a rouse_query that changes the statement: each combination is prepared once, when first used. */
enum sqlite_filter {
    LIST_BY_THREAD = 1,
    LIST_BY_ENTRY = 2,
    LIST_BY_NAME = 4,
    LIST_BY_PARENT = 8,
    LIST_BY_RUN = 16,
    LIST_BY_LIVE = 32,
    LIST_BY_FINISHED = 64,
    LIST_BY_BEFORE = 128,
    LIST_FILTERS = 256
};

struct sqlite_store {
    sqlite3 *db;
    char *directory;
    char shown[STORAGE_SHOWN]; /* the directory in messages */
    const rouse_platform *platform;
    sqlite3_stmt *statements[SQL_COUNT];
    sqlite3_stmt *lists[LIST_FILTERS];
};

/* ---- statements ---- */

/* Prepares (once) and binds. types: one letter per parameter: t text or NULL, b text and its size_t length, u uint64_t, i int.
 * Texts must live until the statement is reset. *ret_statement is Borrowed. */
int sqlite_bind(struct sqlite_store *s, enum sqlite_statement which, sqlite3_stmt **ret_statement, rouse_error *err,
                const char *types, ...);
/* 1: a row; 0: done; or an error. The last two reset the statement. */
int sqlite_step(struct sqlite_store *s, sqlite3_stmt *statement, rouse_error *err);
/* Binds and runs a statement that gives no rows. */
int sqlite_run(struct sqlite_store *s, enum sqlite_statement which, rouse_error *err, const char *types, ...);
/* Runs a statement that gives one number; 1 when there was a row, 0 when not. */
int sqlite_number(struct sqlite_store *s, enum sqlite_statement which, uint64_t *ret_number, rouse_error *err,
                  const char *types, ...);
/* Reads the columns of a row. types: t const char ** (NULL for NULL), b const char ** and size_t *, u uint64_t *. Texts are
 * Borrowed until the next step or reset. Numbers are unsigned in the interface and signed in the file: the same 64 bits. */
int sqlite_read(sqlite3_stmt *statement, rouse_error *err, const char *types, ...);
/* Raises what the connection last complained about. */
int sqlite_fail(struct sqlite_store *s, int result, rouse_error *err);

/* ---- transactions ---- */

/* So that ending a transaction never needs memory. */
int sqlite_prepare_transactions(struct sqlite_store *s, rouse_error *err);
int sqlite_begin_write(struct sqlite_store *s, rouse_error *err);
int sqlite_begin_read(struct sqlite_store *s, rouse_error *err);
/* With code 0 commits, else rolls back. Returns code, or the commit's failure: then it is rolled back as well. */
int sqlite_end(struct sqlite_store *s, int code, rouse_error *err);

/* ---- parts of a writing transaction ---- */

struct sqlite_place { /* where values go */
    const char *thread, *run; /* run: "" when there is none */
    uint64_t revision;
};

/* The thread's revision, 0 when it is not there. */
int sqlite_revision(struct sqlite_store *s, const char *thread, uint64_t *ret_revision, rouse_error *err);
int sqlite_set_revision(struct sqlite_store *s, const char *thread, uint64_t revision, rouse_error *err);
int sqlite_write_changes(struct sqlite_store *s, const struct sqlite_place *place, const struct state_change *items,
                         size_t count, rouse_error *err);
/* Says that a map has a value, be it empty. */
int sqlite_mark_map(struct sqlite_store *s, const struct sqlite_place *place, const rouse_key *key, rouse_error *err);
/* Gives out the next task number. ROUSE_ELIMIT when there is none left. */
int sqlite_take_number(struct sqlite_store *s, uint64_t *ret_number, rouse_error *err);

/* ---- schema ---- */

/* Brings the database up to the newest version, from nothing if need be; several processes may do so at once.
 * ROUSE_ESTORE when it is newer, or somebody else's. */
int sqlite_migrate(struct sqlite_store *s, rouse_error *err);
/* The same without writing: ROUSE_ENOTFOUND when there is no schema yet, ROUSE_ESTORE also when it is older. */
int sqlite_check_schema(struct sqlite_store *s, rouse_error *err);
int sqlite_schema_version(struct sqlite_store *s, int *ret_version, rouse_error *err);
int sqlite_newest_version(void);

/* ---- the operations ---- */

int sqlite_commit(void *backend, const struct storage_keys *keys, rouse_commit *commit, struct storage_outcome *ret_outcome,
                  rouse_error *err);
int sqlite_import(void *backend, const struct storage_document *document, rouse_error *err);
int sqlite_values(void *backend, const char *thread, const char *run, bool live_only, uint64_t *ret_revision,
                  storage_row_sink *sink, void *userdata, rouse_error *err);
int sqlite_list(void *backend, const char *key, const rouse_query *query, storage_row_sink *sink, void *userdata,
                rouse_error *err);
int sqlite_inbox(void *backend, const char *thread, uint64_t after, bool all, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err);
int sqlite_messages(void *backend, const char *thread, uint64_t after, size_t limit, storage_message_sink *sink,
                    void *userdata, rouse_error *err);
int sqlite_last_run(void *backend, const char *thread, storage_run_sink *sink, void *userdata, rouse_error *err);
int sqlite_check(void *backend, storage_report *report, void *userdata, rouse_error *err);

#endif
