/* Inside the storage room: what its files share, and the interface that a backend fills in. See README.md. */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/forkmark.h"
#include "rouse/store.h"
#include "state/apply.h"

/* ---- the keys that one handle knows ---- */

struct storage_keys {
    const rouse_key **items;
    size_t count, cap;
    unsigned generation; /* counts up when one comes or goes */
};

const rouse_key *storage_find_key(const struct storage_keys *keys, const char *name);
/* Is this very descriptor known? keys: a struct storage_keys. */
bool storage_knows_key(const void *keys, const rouse_key *key);
/* ROUSE_EINVAL: a key without a name or one of its functions. ROUSE_ECONFLICT: its name is taken. */
int storage_check_key(const rouse_key *key, rouse_error *err);
int storage_add_key(struct storage_keys *keys, const rouse_key *key, rouse_error *err);

/* ---- the interface of a backend ---- */

struct storage_row { /* one stored value; all Borrowed for the call */
    const char *thread;
    const char *run; /* "" for THREAD scope */
    const char *key;
    const char *entry; /* "" for a scalar, and for the mark that says "this map has a value, be it empty" */
    const char *json; /* the value as text, or NULL when the backend keeps values: then */
    size_t len;
    struct cell *cell; /* the value itself, Borrowed. Marks have neither */
};

/* Readers hand rows to a sink, inside their read transaction. An error of the sink ends the read and is returned. A sink
 * must not call the backend. */
typedef int storage_row_sink(void *userdata, const struct storage_row *row, rouse_error *err);
typedef int storage_event_sink(void *userdata, const rouse_event *event, rouse_error *err);
typedef int storage_message_sink(void *userdata, const rouse_message *message, rouse_error *err);
typedef int storage_run_sink(void *userdata, const rouse_run *run, rouse_error *err);
typedef void storage_report(int level, const char *text, void *userdata);

struct storage_gone { /* an entry that a commit removed to keep the store's limits */
    struct storage_gone *next;
    const char *entry; /* in the same memory, as is: */
    char thread[];
};

struct storage_outcome { /* of a commit */
    uint64_t before, after;
    size_t operations;
    bool wrote; /* false: there was nothing to write, nobody need be told */
    bool shows; /* in: somebody wants the thread's and run's snapshot as this commit leaves it */
    rouse_snapshot *snapshot; /* Taken by the caller; NULL: the backend's snapshot, called next, is it */
    struct storage_gone *gone; /* Taken by the caller: storage_gone_free */
};

struct storage_document { /* a decoded import; all Borrowed */
    const char *thread;
    const char *run;      /* "" when RUN-scoped values are not taken */
    bool replace;         /* everything the thread (and the run) had goes, and the revision becomes: */
    uint64_t revision;
    const struct state_change *items; /* one STATE_CLEAR per key, followed by its STATE_PUTs */
    size_t count;
};

/* Each function is one whole transaction: on an error nothing changed. The caller serialises the calls of one handle; other
 * handles, threads and processes may be at the same store at the same time. Arguments were validated by the caller, except
 * what a commit's prepare fills in (storage_check_commit). */
struct storage_backend {
    const char *name;
    void (*close)(void *backend);
    /* When both are set, commits between them are one transaction: one that fails leaves no trace, and all fail when
     * group_end does. NULL: commits are not grouped. */
    int (*group_begin)(void *backend, rouse_error *err);
    int (*group_end)(void *backend, rouse_error *err);
    /* In this order: numbers and prepare; storage_check_commit; the fence; the base revision; the batch's reducers over what
     * is stored at that moment, whoever stored it; values, events, messages, acknowledgements, the run's record; the
     * revision; then, when an entry ended, up to LIMIT_KEEPING entries beyond the retention go. */
    int (*commit)(void *backend, const struct storage_keys *keys, rouse_commit *commit, struct storage_outcome *ret_outcome,
                  rouse_error *err);
    int (*import)(void *backend, const struct storage_document *document, rouse_error *err);
    /* Values of the thread and, unless it is "", of the run, in order of (scope, key, creation), and the revision that they
     * belong to, which is set before the first row is handed over. */
    int (*values)(void *backend, const char *thread, const char *run, uint64_t *ret_revision, storage_row_sink *sink,
                  void *userdata, rouse_error *err);
    /* What is live of these values, as a snapshot. */
    int (*snapshot)(void *backend, const struct storage_keys *keys, const char *thread, const char *run,
                    rouse_snapshot **ret_snapshot, rouse_error *err);
    int (*list)(void *backend, const char *key, const rouse_query *query, storage_row_sink *sink, void *userdata,
                rouse_error *err);
    /* As rouse_store_overview says; adds to the three lists of fill, which are there. */
    int (*overview)(void *backend, const char *key, const char *thread, const rouse_ends *ends, rouse_overview *fill,
                    rouse_error *err);
    int (*topic)(void *backend, const char *thread, rouse_topic topic, uint64_t after, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err);
    int (*inbox)(void *backend, const char *thread, uint64_t after, bool all, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err);
    int (*messages)(void *backend, const char *thread, uint64_t after, size_t limit, storage_message_sink *sink,
                    void *userdata, rouse_error *err);
    /* Calls the sink once, or not at all when the thread has no run. */
    int (*last_run)(void *backend, const char *thread, storage_run_sink *sink, void *userdata, rouse_error *err);
    /* As rouse_store_claim and its fellows say; arguments are valid and defaults filled in. Rows go to the sink inside the
     * transaction: when it fails, nothing was claimed or removed. NULL, all of them or none: not offered. */
    int (*claim)(void *backend, const char *key, const rouse_claim *claim, storage_row_sink *sink, void *userdata,
                 rouse_error *err);
    int (*unclaim)(void *backend, const char *key, const char *thread, const char *entry, const char *holder,
                   rouse_error *err);
    int (*lease)(void *backend, const char *name, const char *holder, uint64_t ttl_ms, uint64_t *ret_epoch, rouse_error *err);
    int (*lease_release)(void *backend, const char *name, uint64_t epoch, rouse_error *err);
    int (*prune)(void *backend, const char *key, const rouse_prune *prune, storage_row_sink *sink, void *userdata,
                 rouse_error *err);
    int (*set_retention)(void *backend, uint64_t keep, uint64_t older_ms, rouse_error *err);
    int (*retention)(void *backend, uint64_t *ret_keep, uint64_t *ret_older_ms, rouse_error *err);
    int (*check)(void *backend, storage_report *report, void *userdata, rouse_error *err); /* the highest level */
    /* As rouse_store_bell_open; the backend rings by itself. NULL: the bell is the file in the store's directory. */
    int (*bell_open)(void *backend, int *ret_fd, rouse_error *err);
};

/* Opens the store in directory. Sets *ret_backend and *ret_operations. */
int sqlite_open(const char *directory, const rouse_store_options *options, const struct storage_backend **ret_operations,
                void **ret_backend, rouse_error *err);

/* Opens a new store, which nobody else can reach. Sets *ret_backend and *ret_operations. */
int memory_open(const rouse_store_options *options, const struct storage_backend **ret_operations, void **ret_backend,
                rouse_error *err);

/* ---- what every backend needs ---- */

/* Everything about a commit that can be told without looking at the store; called after prepare. ROUSE_EINVAL, also
 * `unknown key: {key}`; ROUSE_ELIMIT. */
int storage_check_commit(const struct storage_keys *keys, const rouse_commit *commit, rouse_error *err);
/* ROUSE_ECONFLICT when the batch has another base. */
int storage_check_base(const rouse_batch *batch, uint64_t revision, rouse_error *err);
/* The number in "bg_<n>". */
bool storage_task_number(const char *entry, uint64_t *ret_number);
/* The key of a stored row: NULL when it is not known here, or has another scope than it was stored with. */
const rouse_key *storage_row_key(const struct storage_keys *keys, const struct storage_row *row);
/* The row's value. *ret_cell is a reference that the caller drops. */
int storage_row_cell(const rouse_key *key, const struct storage_row *row, struct cell **ret_cell, rouse_error *err);
/* What beside the JSON is stored of a value. Of a key without index, everything is live. */
rouse_index storage_index(const rouse_key *key, const void *value);
/* The value as text, held against LIMIT_JSON. *ret_json Returns free. */
int storage_encode(const rouse_key *key, const char *entry, const void *value, char **ret_json, rouse_error *err);
/* The reverse; errors name key and entry. entry NULL for a scalar. *ret_cell is a reference that the caller drops. */
int storage_decode(const rouse_key *key, const char *entry, const char *json, size_t len, struct cell **ret_cell,
                   rouse_error *err);
/* Errors that several backends and files raise with the same words. */
int storage_fail_name(const char *name, rouse_error *err);
int storage_fail_fence(const rouse_fence *fence, rouse_error *err);
int storage_fail_leased(const char *name, const char *holder, rouse_error *err);
int storage_fail_run(const rouse_run *run, const char *was, rouse_error *err);
/* May a run of status `was` become `next`? The same is always fine. (COMPAT B125) */
bool storage_run_may_become(const char *was, const char *next);
/* Prepends to *list. ROUSE_ENOMEM. */
int storage_gone_add(struct storage_gone **list, const char *thread, const char *entry, rouse_error *err);
void storage_gone_free(struct storage_gone *list); /* takes NULL */

/* The rows of one answer, and the sink that adds to them (userdata). NULL when out of memory. */
rouse_rows *storage_rows_new(const rouse_key *key);
int storage_rows_add(void *rows, const struct storage_row *row, rouse_error *err);

/* 1 to LIMIT_THREAD_NAME bytes of UTF-8 without control characters; what: "thread", "run". ROUSE_EINVAL. */
int storage_check_name(const char *what, const char *name, rouse_error *err);

/* ---- paths, the bell ---- */

/* How a store's directory is chosen; the only place. *ret_directory Returns free: absolute, without a slash at its end. */
int storage_locate(const char *where, char **ret_directory, rouse_error *err);
/* "<directory>/<name>". Returns free, NULL when out of memory. */
char *storage_path(const char *directory, const char *name);
/* The end of a path that is too long for a one-line message. Fills shown. */
#define STORAGE_SHOWN 112
void storage_show_path(const char *path, char shown[STORAGE_SHOWN]);
/* Makes directory/bell, mode 0600, when it is not there. ROUSE_ESTORE. */
int bell_make(const char *directory, rouse_error *err);
/* A descriptor of the bell, so that ringing need not look for it; -1 when there is none (close it with fd_close). */
int bell_hold(const char *directory);
/* Rings; never fails, since the bell is a hint only. What is held is used as long as it is the file with that name. */
void bell_ring(int held, const char *directory);

/* ---- the handle ---- */

struct storage_hook { /* only ever appended, so a reader who knows the count needs no lock to walk it */
    rouse_commit_hook call;
    void *userdata;
    struct storage_hook *next;
};

struct storage_plugin { /* what rouse_store_install brought */
    struct storage_plugin *next;
    size_t n_keys;
    const rouse_key **keys; /* in this block of memory, behind it the name */
    char *name;
};

struct storage_prune_hook {
    _Atomic(rouse_prune_hook) call; /* NULL: no more */
    void *userdata;
    struct storage_prune_hook *next;
};

struct storage_rider; /* commit.c */

struct rouse_store {
    struct forkmark process; /* a child after fork must not touch what it inherited */
    char *directory; /* "" of a store in memory */
    const rouse_platform *platform;
    int bell; /* held; -1: none */
    bool read_only;
    rouse_durability durability;
    pthread_mutex_t queue_lock; /* of the commits that wait for their turn: */
    struct storage_rider *queue, **queue_end;
    bool led;                /* somebody is committing for all of them */
    pthread_mutex_t lock;    /* everything below */
    atomic_uintptr_t owner;  /* the thread that has it, so that a callback that calls the store is told */
    struct storage_keys keys;
    struct storage_plugin *plugins;
    struct storage_hook *hooks, **last_hook;
    size_t n_hooks;
    struct storage_prune_hook *prune_hooks; /* only ever prepended: the head is read once, under the lock */
    const struct storage_backend *ops;
    void *backend;
};

/* Can this thread take the lock? ROUSE_EINVAL as below. */
int store_may_enter(rouse_store *store, rouse_error *err);
void store_take_lock(rouse_store *store); /* when it can */
/* Takes the lock. ROUSE_EINVAL in a child after fork, and when a reducer or another callback calls the store. */
int store_enter(rouse_store *store, rouse_error *err);
/* The same for a call that writes: ROUSE_EINVAL also when the store is for reading only. */
int store_enter_to_write(rouse_store *store, rouse_error *err);
/* The same for claims, leases and pruning: ROUSE_EUNSUPPORTED when the backend has none. */
int store_enter_to_keep(rouse_store *store, bool writes, rouse_error *err);
void store_leave(rouse_store *store);
/* Commits that wait for their turn; for tests. */
size_t store_waiting(rouse_store *store);
/* Tells waiters that something happened; without the lock. */
void store_ring(rouse_store *store);

/* Makes room for one more item behind count. ROUSE_ENOMEM, and *items is as it was. */
int storage_grow(void **items, size_t *cap, size_t count, size_t size, rouse_error *err);

#endif
