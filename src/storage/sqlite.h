/* What the files of the SQLite backend share. */
#ifndef STORAGE_SQLITE_H
#define STORAGE_SQLITE_H

#include <sqlite3.h>

#include "state/set.h"
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
    LIST_BY_QUEUE = 256,
    LIST_FILTERS = 512
};

/* The counters of a store: their ids in the table place. */
enum sqlite_counter {
    COUNTER_TASK = 1, /* the next task's number */
    COUNTER_EVENT,    /* the last event's id */
    COUNTER_EPOCH,    /* the last lease's epoch */
    COUNTER_KEEP,     /* the retention: so many, 0 = no limit */
    COUNTER_OLDER,    /* and so old, in milliseconds */
    COUNTER_FINISHED, /* entries that are not live */
    SQLITE_COUNTERS
};

#define SQLITE_SLOTS 256 /* places remembered by one handle */
#define SQLITE_WAYS 4    /* so many of them are looked at for one */

struct sqlite_slot { /* one of them */
    char *names;     /* thread, run, key, one behind the other; NULL: none */
    uint64_t id, value, late;
    bool value_known; /* and late */
};

#define SQLITE_SEEN 16 /* places whose snapshots are kept up to date */

struct sqlite_seen { /* what the live values of one (thread, run) are, sqlite_snapshot.c */
    char *names;     /* thread and run, one behind the other; NULL: none */
    struct state_set set;
    bool whole;          /* the set is what the store held at: */
    unsigned version;    /* of the data */
    unsigned generation; /* of the keys */
    uint64_t revision, imports;
    uint64_t asked; /* when a snapshot was last taken; counts up */
};

struct sqlite_store {
    sqlite3 *db;
    char *directory;
    char shown[STORAGE_SHOWN]; /* the directory in messages */
    const rouse_platform *platform;
    uint64_t boot;    /* which start of the machine this is */
    bool writing;     /* in a write transaction: only then are values that are remembered true */
    bool grouped;     /* between group_begin and group_end */
    bool broken;      /* a sync failed: what was acknowledged may be lost, so nothing more is accepted */
    unsigned version; /* of the data, when values were remembered */
    uint64_t counters[SQLITE_COUNTERS];
    bool counter_known[SQLITE_COUNTERS];
    struct sqlite_slot slots[SQLITE_SLOTS];
    struct sqlite_wal *wal; /* NULL: nothing is gathered */
    int64_t live;     /* change of the number of live entries in the place that is written to, still to be written */
    bool moved;       /* which of its entries are live changed, be it by making some */
    bool late;        /* this commit left late entries, which tell its revision */
    struct sqlite_seen seen[SQLITE_SEEN];
    uint64_t asked; /* snapshots taken; 0: nothing is seen */
    struct sqlite_pending *pending, **pending_end; /* what this transaction changes of what is seen */
    int64_t finished; /* change of that counter that is still to be written */
    uint64_t last_seq; /* of the entries this commit made; 0: none */
    uint64_t task_floor; /* what the counter of tasks is still to be raised to; 0: it is as it should be */
    bool task_write;     /* it must be in its row, since others may go that tell it */
    bool ended;       /* this commit wrote an entry that is not live */
    sqlite3_stmt *statements[SQL_COUNT];
    sqlite3_stmt *lists[LIST_FILTERS];
};

/* ---- statements ---- */

/* Prepares (once) and binds. types: one letter per parameter: t text or NULL, b text and its size_t length, u uint64_t, i int, - NULL.
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

/* Copies the log into the database when it has grown; a sync that fails then breaks the store as any other does. */
void sqlite_wal_checkpoints(struct sqlite_store *s);
/* Gathers what is written to the log; the buffer must be dropped with every transaction that is undone. */
void sqlite_wal_gather(struct sqlite_store *s);
void sqlite_wal_drop(struct sqlite_store *s);
void sqlite_wal_free(struct sqlite_store *s); /* after the database was closed */

/* ---- parts of a writing transaction ---- */

struct sqlite_scope { /* where values go */
    const char *thread, *run; /* run: "" when there is none */
    uint64_t revision;
    uint64_t fresh_from; /* nothing has the number of a task from this one on */
};

struct sqlite_place { /* a row of the table place */
    uint64_t id;
    uint64_t value; /* a thread's revision: also if only late entries tell it */
    uint64_t late;  /* so many entries are late */
};

/* 1, or 0 when there is no such place. */
int sqlite_find_place(struct sqlite_store *s, const char *thread, const char *run, const char *key,
                      struct sqlite_place *ret_place, rouse_error *err);
/* The same where only the id is asked for: it is remembered across transactions. */
int sqlite_place_id(struct sqlite_store *s, const char *thread, const char *run, const char *key, uint64_t *ret_id, rouse_error *err);
int sqlite_make_place(struct sqlite_store *s, const char *thread, const char *run, const char *key,
                      struct sqlite_place *ret_place, rouse_error *err);
int sqlite_set_place(struct sqlite_store *s, const char *thread, const char *run, const char *key,
                     const struct sqlite_place *place, uint64_t value, rouse_error *err);
/* What is known of it otherwise. */
void sqlite_know_place(struct sqlite_store *s, const char *thread, const char *run, const char *key, const struct sqlite_place *place);
int sqlite_counter(struct sqlite_store *s, enum sqlite_counter which, uint64_t *ret_value, rouse_error *err);
int sqlite_set_counter(struct sqlite_store *s, enum sqlite_counter which, uint64_t value, rouse_error *err);
/* What is remembered, around a write transaction; sqlite_forget when it, or a part of it, was undone. */
void sqlite_remember_after_begin(struct sqlite_store *s);
void sqlite_remember_after_commit(struct sqlite_store *s);
void sqlite_forget(struct sqlite_store *s);

/* Of the data: changes with every commit, whoever makes it. True in a transaction that has read. */
unsigned sqlite_version(struct sqlite_store *s);

/* The thread's revision, 0 when it is not there. */
int sqlite_revision(struct sqlite_store *s, const char *thread, uint64_t *ret_revision, rouse_error *err);
int sqlite_set_revision(struct sqlite_store *s, const char *thread, uint64_t revision, rouse_error *err);
/* The same when late entries tell it: nothing is written. */
int sqlite_know_revision(struct sqlite_store *s, const char *thread, uint64_t revision, rouse_error *err);
int sqlite_write_changes(struct sqlite_store *s, const struct sqlite_scope *scope, const struct state_change *items,
                         size_t count, rouse_error *err);
/* Says that a map has a value, be it empty. */
int sqlite_mark_map(struct sqlite_store *s, const struct sqlite_scope *scope, const rouse_key *key, rouse_error *err);
/* The seq that an entry bg_<n> has when it was made with a number just given out, 0 when the id or the number is none for that:
 * 2^40 + n * 2^16. What else is made gets the next free seq, so between two tasks there is room for 65,535 others, and
 * when there are more, numbers of tasks are passed over. With it a task is found, and is the only one, without an index. */
uint64_t sqlite_own_seq(const char *entry);
/* The first number of a task that has its own seq above this one. */
uint64_t sqlite_task_above(uint64_t seq);
/* To be called before rows are removed. */
int sqlite_hold_counter(struct sqlite_store *s, rouse_error *err);
/* Gives out the next task numbers. ROUSE_ELIMIT when there are none left. */
int sqlite_take_numbers(struct sqlite_store *s, uint64_t count, uint64_t *ret_first, rouse_error *err);
/* Ends what one commit wrote: counters are brought up to date. */
int sqlite_settle(struct sqlite_store *s, rouse_error *err);
/* Is the lease held in this epoch? Else ROUSE_ECONFLICT. */
int sqlite_check_fence(struct sqlite_store *s, const rouse_fence *fence, rouse_error *err);
/* Removes a few entries that are beyond the store's limits, and adds them to *gone. */
int sqlite_keep_limits(struct sqlite_store *s, uint64_t now_ms, struct storage_gone **gone, rouse_error *err);
/* Hands the row to the sink. */
int sqlite_give_entry(struct sqlite_store *s, uint64_t seq, storage_row_sink *sink, void *userdata, rouse_error *err);
/* Steps through all rows; the statement is reset whatever happens. */
int sqlite_give_rows(struct sqlite_store *s, sqlite3_stmt *statement, storage_row_sink *sink, void *userdata, rouse_error *err);
int sqlite_give_row(sqlite3_stmt *statement, storage_row_sink *sink, void *userdata, rouse_error *err);

struct sqlite_seqs { /* rows of a statement, to be changed once it is through. Zero is empty */
    uint64_t *items;
    size_t count, cap;
};
/* Adds the first column of all rows, and resets the statement. */
int sqlite_gather(struct sqlite_store *s, sqlite3_stmt *statement, struct sqlite_seqs *seqs, rouse_error *err);

/* ---- what snapshots show ---- */

void sqlite_seen_done(struct sqlite_store *s);
void sqlite_seen_forget(struct sqlite_store *s, const char *thread); /* the next snapshots read everything */
/* Around a commit that somebody wants the snapshot of: inside the write transaction, and once it is through. The first fails as
 * reading does; the second gives NULL when it cannot be had. */
int sqlite_see_before(struct sqlite_store *s, const struct storage_keys *keys, const rouse_commit *commit, rouse_error *err);
rouse_snapshot *sqlite_see_after(struct sqlite_store *s, const rouse_commit *commit, uint64_t revision);
/* What a write transaction is to keep up to date; NULL when nobody looks at the place. */
struct sqlite_seen *sqlite_seen_to_keep(struct sqlite_store *s, const char *thread, const char *run);
/* Notes a change that was written. seq: of an entry that is new, else 0. seen may be NULL. */
void sqlite_seen_note(struct sqlite_store *s, struct sqlite_seen *seen, const struct state_change *change, bool live, uint64_t seq,
                      uint64_t revision);
void sqlite_pending_undo(struct sqlite_store *s, struct sqlite_pending **from); /* what was noted since then */
void sqlite_seen_keep_up(struct sqlite_store *s, unsigned version); /* it is committed, and gave the data this version */

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
int sqlite_values(void *backend, const char *thread, const char *run, uint64_t *ret_revision,
                  storage_row_sink *sink, void *userdata, rouse_error *err);
int sqlite_snapshot(void *backend, const struct storage_keys *keys, const char *thread, const char *run,
                    rouse_snapshot **ret_snapshot, rouse_error *err);
int sqlite_list(void *backend, const char *key, const rouse_query *query, storage_row_sink *sink, void *userdata,
                rouse_error *err);
int sqlite_overview(void *backend, const char *key, const char *thread, const rouse_ends *ends, rouse_overview *fill,
                    rouse_error *err);
int sqlite_topic(void *backend, const char *thread, rouse_topic topic, uint64_t after, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err);
int sqlite_inbox(void *backend, const char *thread, uint64_t after, bool all, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err);
int sqlite_messages(void *backend, const char *thread, uint64_t after, size_t limit, storage_message_sink *sink,
                    void *userdata, rouse_error *err);
int sqlite_last_run(void *backend, const char *thread, storage_run_sink *sink, void *userdata, rouse_error *err);
int sqlite_group_begin(void *backend, rouse_error *err);
int sqlite_group_end(void *backend, rouse_error *err);
int sqlite_claim(void *backend, const char *key, const rouse_claim *claim, storage_row_sink *sink, void *userdata,
                 rouse_error *err);
int sqlite_unclaim(void *backend, const char *key, const char *thread, const char *entry, const char *holder, rouse_error *err);
int sqlite_lease(void *backend, const char *name, const char *holder, uint64_t ttl_ms, uint64_t *ret_epoch, rouse_error *err);
int sqlite_lease_release(void *backend, const char *name, uint64_t epoch, rouse_error *err);
int sqlite_prune(void *backend, const char *key, const rouse_prune *prune, storage_row_sink *sink, void *userdata,
                 rouse_error *err);
int sqlite_set_retention(void *backend, uint64_t keep, uint64_t older_ms, rouse_error *err);
int sqlite_retention(void *backend, uint64_t *ret_keep, uint64_t *ret_older_ms, rouse_error *err);
int sqlite_check(void *backend, storage_report *report, void *userdata, rouse_error *err);

#endif
