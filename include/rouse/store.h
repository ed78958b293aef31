/* rouse/store.h: the store, which is the truth. Whole transactions only: each call below is one, applied whole or not at
 * all, also when the process is killed in the middle.
 *
 * Life cycle: rouse_store_open, rouse_store_register for every key, then commits and reads, rouse_store_close.
 * Threads: one store handle may be used from many threads at once; calls are serialised inside. Several processes may
 * have the same store open. A handle must not be used in a child after fork.
 */
#ifndef ROUSE_STORE_H
#define ROUSE_STORE_H

#include "rouse/platform.h"
#include "rouse/state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rouse_store rouse_store;

typedef enum rouse_durability {
    ROUSE_DURABLE_PROCESS = 0, /* a commit survives any crash of processes */
    ROUSE_DURABLE_POWER        /* and a power cut */
} rouse_durability;

typedef struct rouse_store_options { /* zero means default */
    const rouse_platform *platform;  /* Borrowed until close */
    rouse_durability durability;
    uint64_t busy_timeout_ms; /* how long to wait for other writers; default 10000 */
    bool must_exist;          /* do not create: ROUSE_ENOTFOUND */
    bool read_only;
} rouse_store_options;

/* Opens (and creates, mode 0700) the store. where: a directory, or "sqlite:PATH" of one, or NULL for $ROUSE_STORE, else
 * $XDG_STATE_HOME/rouse, else ~/.local/state/rouse. Returns rouse_store_close.
 * "memory:" is a new, empty store in this process's memory that only this handle reaches and that ends with it; it keeps
 * the last 1000 acknowledged events, and names a key's descriptor for as long as it holds a value of it.
 * ROUSE_ESTORE (not a store, corrupt, of a newer version, no rights, not a directory), ROUSE_EBUSY, ROUSE_ENOTFOUND,
 * ROUSE_EUNSUPPORTED (postgres://), ROUSE_EINVAL, ROUSE_ENOMEM. */
ROUSE_API int rouse_store_open(const char *where, const rouse_store_options *options, rouse_store **ret_store,
                               rouse_error *err);
ROUSE_API void rouse_store_close(rouse_store *store); /* takes NULL */
ROUSE_API const char *rouse_store_path(const rouse_store *store); /* absolute directory, "" of a store in memory;
                                                                    Borrowed until close */
ROUSE_API rouse_durability rouse_store_durability(const rouse_store *store); /* as it was opened with */
ROUSE_API const rouse_platform *rouse_store_platform(const rouse_store *store); /* never NULL; Borrowed until close */

/* Makes a key known. ROUSE_ECONFLICT `key already registered: {key}`, ROUSE_ENOMEM. */
ROUSE_API int rouse_store_register(rouse_store *store, const rouse_key *key, rouse_error *err);
/* The registered key of that name, or NULL. */
ROUSE_API const rouse_key *rouse_store_key(rouse_store *store, const char *name);

/* Registers the keys of a plugin, all or none (COMPAT B13). name is copied; the keys must outlive the store.
 * ROUSE_ECONFLICT `plugin already installed: {name}` or `key already registered: {key}`, ROUSE_EINVAL, ROUSE_ENOMEM. */
ROUSE_API int rouse_store_install(rouse_store *store, const char *name, const rouse_key *const *keys, size_t n_keys,
                                  rouse_error *err);
/* Takes them away again (COMPAT B15): first one commit on the thread removes the values of the plugin's keys, RUN-scoped ones of
 * run, except those of keys marked retain; it counts as one revision and is told to hooks. Then the handle forgets the keys.
 * thread NULL: no values are removed; run NULL: no RUN-scoped ones. Other threads keep theirs: a handle without the key does not
 * see them. ROUSE_ENOTFOUND `plugin not installed: {name}`, and the errors of a commit: then it is still installed. */
ROUSE_API int rouse_store_uninstall(rouse_store *store, const char *name, const char *thread, const char *run,
                                    rouse_error *err);

/* ---- one commit: state, events, conversation, together ---- */

/* What an event is about, where unread ones of a kind must be found without reading all others (rouse_store_topic). */
typedef enum rouse_topic { ROUSE_TOPIC_OTHER = 0, ROUSE_TOPIC_FAILURE, ROUSE_TOPIC_MESSAGE } rouse_topic;

typedef struct rouse_post {  /* an event for a thread's inbox */
    const char *thread;      /* the owner's */
    const char *task_id;     /* "" when it is about none */
    const char *json;        /* the event (COMPAT B79) */
    rouse_topic topic;
} rouse_post;

typedef struct rouse_message { /* one message of a conversation */
    const char *id;            /* UUIDv7; appending an id that is there already is ROUSE_ECONFLICT */
    const char *run;           /* run id, or "" */
    const char *role;          /* "user", "assistant", "tool", "system" */
    const char *json;          /* the whole message (COMPAT B87) */
    uint64_t seq;              /* set when read: position in the thread, from 1. Ignored when appended */
} rouse_message;

typedef struct rouse_run { /* a run's record */
    const char *id;
    const char *status;        /* "created", "running", "waiting", "done" (COMPAT B124, B125) */
    const char *status_reason; /* "awaiting_tasks", "natural", … or NULL */
    const char *json;          /* the rest, as the writer likes it; an object */
    uint64_t updated_at_ms;    /* set by the store */
} rouse_run;

typedef struct rouse_fence { /* zero means none */
    const char *lease;       /* the commit is refused unless this lease is held */
    uint64_t epoch;          /* in this epoch (rouse_store_lease) */
} rouse_fence;

typedef struct rouse_commit rouse_commit;
struct rouse_commit {          /* zero means none */
    const char *thread;        /* required: 1 to 256 bytes of UTF-8 without control characters */
    const char *run;           /* required when the batch touches a RUN-scoped key */
    rouse_batch *batch;        /* Borrowed; an empty one bumps no revision */
    const rouse_post *posts;
    size_t n_posts;
    const rouse_message *messages; /* appended to the thread's conversation */
    size_t n_messages;
    bool check_messages;       /* with it: ROUSE_ECONFLICT unless the last message's seq is messages_after */
    uint64_t messages_after;
    const uint64_t *acks;      /* ids of inbox events that are now part of the conversation; unknown: ROUSE_ECONFLICT */
    size_t n_acks;
    const rouse_run *run_record;
    /* When set, the store allocates n_numbers consecutive numbers that no task of it ever had, and calls this with the
     * first inside the transaction before anything else is applied: it may fill in the other members. Memory it hands
     * over must live until the commit returns. Its error fails the commit; the numbers are then used up or not. Must not
     * call the store. When several threads commit at once, one of them may call it for another, which waits meanwhile. */
    int (*prepare)(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err);
    void *userdata;
    uint64_t n_numbers; /* 0 = 1; at most 10000 */
    rouse_fence fence;  /* a stale owner cannot write: ROUSE_ECONFLICT */
};

/* Applies all of it in one transaction and rings the bell. *ret_revision (may be NULL): the thread's revision afterwards,
 * exactly one more than before when the batch was not empty.
 * ROUSE_ECONFLICT (base revision, name in use `a running task named '{name}' already exists`, message, ack), ROUSE_EINVAL
 * `unknown key: {key}`, whatever a reducer returns, ROUSE_EBUSY, ROUSE_ESTORE, ROUSE_EIO (disk full), ROUSE_ENOMEM. On
 * every error nothing changed. */
ROUSE_API int rouse_store_commit(rouse_store *store, rouse_commit *commit, uint64_t *ret_revision, rouse_error *err);

/* Called after each successful, non-empty commit made through this handle, in order of registration, on the committing
 * thread with no lock held. before, after: the thread's revision; operations: the updates of the batch; snapshot: of the thread, and
 * of the commit's run when it has one, exactly as this commit left it, whatever others have committed since: Borrowed until the
 * hook returns (rouse_snapshot_ref to keep it), NULL when there was no memory for it or another process committed to the thread
 * before it could be read. While there are hooks, commits of several threads are not grouped, and a commit costs one reference for
 * each key more. (COMPAT B11) ROUSE_ENOMEM. */
typedef void (*rouse_commit_hook)(const char *thread, uint64_t before, uint64_t after, size_t operations,
                                  rouse_snapshot *snapshot, void *userdata);
ROUSE_API int rouse_store_on_commit(rouse_store *store, rouse_commit_hook hook, void *userdata, rouse_error *err);

/* ---- reading state ---- */

/* The thread's THREAD-scoped values and, when run is given, that run's RUN-scoped ones. A thread that never was gives an
 * empty snapshot of revision 0. Returns rouse_snapshot_unref. */
ROUSE_API int rouse_store_snapshot(rouse_store *store, const char *thread, const char *run, rouse_snapshot **ret_snapshot,
                                   rouse_error *err);

typedef struct rouse_query {  /* entries of one THREAD-scoped MAP key; zero means any */
    const char *thread;       /* NULL = every thread */
    const char *entry;        /* exactly this entry */
    const char *name;         /* with this indexed name */
    const char *parent;       /* with this indexed parent */
    const char *run;          /* with this indexed run */
    const char *queue;        /* live entries of this queue; with live_only */
    bool live_only;
    bool finished_only;
    const char *before;       /* only entries created before this one (a page's cursor) */
    size_t limit;             /* default and maximum 10000 */
} rouse_query;

typedef struct rouse_rows rouse_rows; /* the answer; owns everything it hands out */
/* Entries that match, newest first. Returns rouse_rows_free. ROUSE_ENOTFOUND when `before` names no entry. */
ROUSE_API int rouse_store_list(rouse_store *store, const rouse_key *key, const rouse_query *query, rouse_rows **ret_rows,
                               rouse_error *err);
ROUSE_API size_t rouse_rows_count(const rouse_rows *rows);
/* Borrowed until rouse_rows_free. *ret_thread and *ret_entry may be NULL. */
ROUSE_API const void *rouse_rows_at(const rouse_rows *rows, size_t i, const char **ret_thread, const char **ret_entry);
ROUSE_API void rouse_rows_free(rouse_rows *rows); /* takes NULL */

typedef struct rouse_ends {     /* how much of an overview is wanted, each at most 10000 */
    uint64_t due_by;            /* what is due at this time or earlier, and of that */
    size_t due, newest, oldest;
} rouse_ends;
typedef struct rouse_overview { /* of the live entries of a thread, at one instant */
    uint64_t live;              /* how many there are */
    rouse_rows *due;            /* what is due, in the order of that; of equal ones the newest first */
    rouse_rows *newest;         /* newest first */
    rouse_rows *oldest;         /* oldest first */
} rouse_overview;
/* The ends of what a list of the live entries would say; what it costs does not depend on how many there are. thread NULL: only live,
 * that of all threads, is told, at the cost of the number of threads; ends may be NULL. key: a THREAD-scoped MAP. Fills fill, to be
 * emptied with rouse_overview_done. The errors of rouse_store_list. */
ROUSE_API int rouse_store_overview(rouse_store *store, const rouse_key *key, const char *thread, const rouse_ends *ends,
                                   rouse_overview *fill, rouse_error *err);
ROUSE_API void rouse_overview_done(rouse_overview *overview);

/* {"revision":n,"extensions":{key:value}} of the thread: every registered key that is not transient and has a value,
 * RUN-scoped ones of run (NULL = none) included (COMPAT B28). *ret_json Returns free. */
ROUSE_API int rouse_store_export(rouse_store *store, const char *thread, const char *run, char **ret_json,
                                 rouse_error *err);

typedef enum rouse_unknown_keys { ROUSE_UNKNOWN_ERROR = 0, ROUSE_UNKNOWN_SKIP } rouse_unknown_keys;
typedef struct rouse_import_options {
    rouse_unknown_keys unknown;
    bool thread_only;  /* only THREAD-scoped keys, the revision stays (COMPAT B30, but all or nothing) */
    const char *run;   /* where RUN-scoped keys go; NULL = they are skipped */
} rouse_import_options;
/* Replaces the thread's values by the document's and, unless thread_only, takes its revision (COMPAT B29). All or nothing.
 * The store's task numbers are raised above every "bg_<n>" it holds. Fires no hooks. ROUSE_EDATA
 * `failed to decode key {key}: …`, ROUSE_EINVAL `unknown key: {key}`, ROUSE_ELIMIT. */
ROUSE_API int rouse_store_import(rouse_store *store, const char *thread, const char *json, size_t len,
                                 const rouse_import_options *options, rouse_error *err);

/* ---- inbox and conversation ---- */

typedef struct rouse_event {
    uint64_t id;  /* increasing in the store */
    const char *thread, *task_id, *json;
    uint64_t created_at_ms;
    bool acknowledged;
} rouse_event;
typedef struct rouse_events rouse_events;
/* Events of a thread (NULL = all) with id > after, oldest first; only those not acknowledged unless all. limit 0 = 10000. */
ROUSE_API int rouse_store_inbox(rouse_store *store, const char *thread, uint64_t after, bool all, size_t limit,
                                rouse_events **ret_events, rouse_error *err);
/* Events of one topic, not OTHER, that are not acknowledged: otherwise as rouse_store_inbox, at the cost of those given. */
ROUSE_API int rouse_store_topic(rouse_store *store, const char *thread, rouse_topic topic, uint64_t after, size_t limit,
                                rouse_events **ret_events, rouse_error *err);
ROUSE_API size_t rouse_events_count(const rouse_events *events);
ROUSE_API const rouse_event *rouse_events_at(const rouse_events *events, size_t i); /* Borrowed until free */
ROUSE_API void rouse_events_free(rouse_events *events);

typedef struct rouse_messages rouse_messages;
/* Messages of a thread with seq > after, in order. limit 0 = all. */
ROUSE_API int rouse_store_messages(rouse_store *store, const char *thread, uint64_t after, size_t limit,
                                   rouse_messages **ret_messages, rouse_error *err);
ROUSE_API size_t rouse_messages_count(const rouse_messages *messages);
ROUSE_API const rouse_message *rouse_messages_at(const rouse_messages *messages, size_t i); /* Borrowed until free */
ROUSE_API void rouse_messages_free(rouse_messages *messages);

/* The newest run of the thread. *ret_run Returns rouse_run_free. ROUSE_ENOTFOUND. */
ROUSE_API int rouse_store_last_run(rouse_store *store, const char *thread, rouse_run **ret_run, rouse_error *err);
ROUSE_API void rouse_run_free(rouse_run *run);

/* ---- queues ----
 * Entries whose index function names a queue belong to it, whatever their thread. An entry is *held* when it is live and
 * not waiting, or when it is claimed. A claim lasts until its lease runs out, the entry no longer waits, or it is
 * given back; no two processes ever hold a claim of the same entry. */

typedef struct rouse_claim { /* zero means default */
    const char *queue;       /* required: 1 to 256 bytes of UTF-8 without control characters */
    const char *thread;      /* only entries of this thread; NULL = any */
    const char *holder;      /* required: who claims, as the queue's name */
    uint64_t max_held;       /* entries of the queue, of all threads, that may be held at once; 0 = any number */
    uint64_t lease_ms;       /* 0 = until it no longer waits or is given back */
    size_t limit;            /* most to claim; default 1, maximum 10000 */
} rouse_claim;

/* Claims, in one transaction, the waiting entries that come first: highest priority, then oldest, as many as limit and
 * max_held allow. *ret_rows: those claimed, in that order, maybe none; Returns rouse_rows_free. Rings no bell: nothing that
 * is waited for has happened. ROUSE_EINVAL, ROUSE_EBUSY, ROUSE_ESTORE, ROUSE_EIO, ROUSE_ENOMEM. */
ROUSE_API int rouse_store_claim(rouse_store *store, const rouse_key *key, const rouse_claim *claim, rouse_rows **ret_rows,
                                rouse_error *err);
/* Gives a claim back and rings the bell. ROUSE_ENOTFOUND when holder has no claim on the entry (any more). */
ROUSE_API int rouse_store_unclaim(rouse_store *store, const rouse_key *key, const char *thread, const char *entry,
                                  const char *holder, rouse_error *err);

/* ---- leases ----
 * A lease has one holder at a time. Time is the platform's mono_ms, never the wall clock; what was held before the machine
 * started anew is no longer held. */

/* Takes the lease of that name, or renews it when holder has it, for ttl_ms (at least 1) from now. *ret_epoch: which holding
 * this is; greater than that of every earlier holding of any lease, the same while it is renewed in time.
 * ROUSE_ECONFLICT `lease '{name}' is held by '{holder}'`; names and holders: 1 to 256 bytes as a thread's. */
ROUSE_API int rouse_store_lease(rouse_store *store, const char *name, const char *holder, uint64_t ttl_ms,
                                uint64_t *ret_epoch, rouse_error *err);
/* Ends it before its time. ROUSE_ENOTFOUND when it is not held in this epoch (any more). */
ROUSE_API int rouse_store_lease_release(rouse_store *store, const char *name, uint64_t epoch, rouse_error *err);

/* ---- forgetting what is over ---- */

typedef struct rouse_prune {  /* what to remove: entries that are not live and that match one of all, older_ms, keep */
    const char *thread;       /* only of this thread; NULL = of every thread */
    bool all;                 /* every one */
    uint64_t older_ms;        /* those that ended longer ago than this; 0 = none */
    uint64_t keep;            /* those that are not among the newest so many (of the thread, or of all); 0 = none */
    bool unread;              /* also those with an event that nobody has acknowledged, which goes with them */
    size_t limit;             /* of one call; default and maximum 1000 */
    bool dry;                 /* only tell */
} rouse_prune;
/* Removes entries, oldest first, together with their events; without unread never one whose event waits to be acknowledged.
 * Live entries are never touched. Call again until it removes none. *ret_removed: Returns rouse_rows_free. Revisions and
 * task numbers stay as they are. ROUSE_EINVAL when nothing says what to remove. */
ROUSE_API int rouse_store_prune(rouse_store *store, const rouse_key *key, const rouse_prune *prune, rouse_rows **ret_removed,
                                rouse_error *err);

/* Limits that the store keeps by itself, whoever opens it: each commit that ends an entry removes up to 8 that are beyond the
 * newest keep of all, or that ended longer ago than older_ms; never one whose event waits to be acknowledged. 0 = no limit,
 * and so it is by default: a store forgets nothing unless told to. */
ROUSE_API int rouse_store_set_retention(rouse_store *store, uint64_t keep, uint64_t older_ms, rouse_error *err);
ROUSE_API int rouse_store_retention(rouse_store *store, uint64_t *ret_keep, uint64_t *ret_older_ms, rouse_error *err);

/* Called for each entry that a commit of this handle removed to keep those limits, on the committing thread, with no lock held.
 * hook NULL: those with this userdata are called no more. ROUSE_ENOMEM. */
typedef void (*rouse_prune_hook)(const char *thread, const char *entry, void *userdata);
ROUSE_API int rouse_store_on_prune(rouse_store *store, rouse_prune_hook hook, void *userdata, rouse_error *err);

/* ---- the bell ---- */

/* A descriptor that becomes readable after any commit by any process since it was opened or last cleared. A hint, never
 * the truth: look at the store again when it rings, and once after opening it. Returns fd (close); ROUSE_EIO. */
ROUSE_API int rouse_store_bell_open(rouse_store *store, int *ret_fd, rouse_error *err);
ROUSE_API void rouse_store_bell_clear(int fd); /* empties what rang so far; never blocks */

/* ---- health ---- */

/* Calls report for each finding (level 0 fine, 1 warning, 2 error; text Borrowed for the call). Returns the highest level,
 * or a ROUSE_E… when it could not look. */
ROUSE_API int rouse_store_check(rouse_store *store, void (*report)(int level, const char *text, void *userdata),
                                void *userdata, rouse_error *err);

#ifdef __cplusplus
}
#endif
#endif
