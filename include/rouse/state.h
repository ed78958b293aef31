/* rouse/state.h: keys, reducers, batches, snapshots. The state model of the seed (COMPAT sections 1 to 4).
 *
 * Invariants
 *   - A value changes only through its key's reducer, in a commit (rouse/store.h). A commit applies its whole batch or
 *     nothing.
 *   - A value that was handed over is immutable from then on. Snapshots share values; they never see a later commit.
 *   - A key's descriptor is static: it is never copied, and must outlive every store, batch and snapshot that names it.
 *
 * Threads: a batch belongs to one thread at a time. A snapshot may be read, referenced and released from any thread.
 */
#ifndef ROUSE_STATE_H
#define ROUSE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rouse/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rouse_batch rouse_batch;
typedef struct rouse_snapshot rouse_snapshot;
typedef struct rouse_edit rouse_edit;

/* RUN: starts empty in every run. THREAD: carried over to later runs of the same thread. (COMPAT B18) */
typedef enum rouse_scope { ROUSE_SCOPE_RUN = 0, ROUSE_SCOPE_THREAD } rouse_scope;
/* What a parallel merge does with a key that both sides touched. (COMPAT B22) */
typedef enum rouse_merge { ROUSE_MERGE_EXCLUSIVE = 0, ROUSE_MERGE_COMMUTATIVE } rouse_merge;
/* SCALAR: one value. MAP: entries by name, in order of creation, each stored by itself. */
typedef enum rouse_shape { ROUSE_SHAPE_SCALAR = 0, ROUSE_SHAPE_MAP } rouse_shape;

/* What a store keeps beside a map's entry, so that it can be found without reading the others. Zero = nothing. */
typedef struct rouse_index {
    bool live;          /* part of what a resume loads; entries that are not live are only read when asked for */
    const char *name;   /* unique among the live entries of a thread, or NULL. Borrows the value's memory */
    const char *parent; /* another entry's name, or NULL. Borrows the value's memory */
    const char *run;    /* the run it came from, or NULL. Borrows the value's memory */
    const char *queue;  /* live entries: the queue that it counts for (rouse_store_claim), or NULL. Borrows as above */
    int64_t priority;   /* with a queue: the highest is claimed first */
    bool waiting;       /* live and with a queue: not begun, so it can be claimed */
    uint64_t ended_ms;  /* not live: when it ended, Unix time in milliseconds; 0 = long ago */
    uint64_t due_ms;    /* live: when it is to be looked at first (rouse_store_overview), Unix time; 0 = never */
} rouse_index;

typedef struct rouse_key {
    const char *name; /* unique, 1 to 128 bytes */
    rouse_shape shape;
    rouse_scope scope;
    rouse_merge merge;
    bool transient;         /* true: never exported (the seed's persistent = false) */
    bool retain;            /* true: kept when the plugin that brought it is uninstalled */
    const char *map_member; /* MAP: the one member the entries are wrapped in as JSON ("tasks"), or NULL for none */

    /* Turns the old value and an update into the new one, through the rouse_edit_… calls. Pure: no effects outside edit.
     * Called while the store is locked; must not call the store. Returns 0 or a ROUSE_E… (then the whole commit fails and
     * nothing changed). update is Borrowed for the call. */
    int (*reduce)(rouse_edit *edit, const void *update, rouse_error *err);
    /* One value (a scalar's, or one entry of a map) as JSON text. Returns malloc'ed text, or NULL with err. */
    char *(*encode)(const void *value, rouse_error *err);
    /* The reverse. entry is the map's entry name (NULL for a scalar), which the value may have to agree with. */
    int (*decode)(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err);
    void (*release)(void *value);                            /* frees a value; takes NULL */
    void (*index)(const void *value, rouse_index *fill);     /* MAP only; may be NULL */
    /* An update as JSON, for callers that have no C types (COMPAT section 5's actions). May be NULL: not offered. */
    int (*decode_update)(const char *json, size_t len, void **ret_update, rouse_error *err);
    void (*release_update)(void *update);                    /* frees an update; takes NULL; may be NULL */
    /* SCALAR: the whole value of MAP keys is made by the library. The default a first update starts from is the
     * reducer's business: rouse_edit_get gives NULL for an absent value. (COMPAT B5) */
} rouse_key;

/* ---- inside a reducer ---- */

/* The current value of entry (NULL for a scalar) into *ret_value: Borrowed until the next put, remove or clear, NULL when
 * there is none. ROUSE_ENOMEM, ROUSE_EIO, ROUSE_EDATA when it cannot be read. */
ROUSE_API int rouse_edit_get(rouse_edit *edit, const char *entry, const void **ret_value, rouse_error *err);
/* Sets entry (NULL for a scalar) to value. Takes value, also on failure. A new entry comes last in the map's order, an
 * existing one keeps its place. ROUSE_ENOMEM, ROUSE_EINVAL for an empty name or one over 256 bytes. */
ROUSE_API int rouse_edit_put(rouse_edit *edit, const char *entry, void *value, rouse_error *err);
/* Removes entry (NULL for a scalar); no error when there is none. ROUSE_ENOMEM. */
ROUSE_API int rouse_edit_remove(rouse_edit *edit, const char *entry, rouse_error *err);
/* Removes every entry. ROUSE_ENOMEM. */
ROUSE_API int rouse_edit_clear(rouse_edit *edit, rouse_error *err);

/* ---- batches (COMPAT B4 to B9, B21, B22) ---- */

ROUSE_API rouse_batch *rouse_batch_new(void); /* Returns rouse_batch_free; NULL when out of memory */
ROUSE_API void rouse_batch_free(rouse_batch *batch);
/* Appends (key, update). Takes update, also on failure. ROUSE_ENOMEM. */
ROUSE_API int rouse_batch_add(rouse_batch *batch, const rouse_key *key, void *update, rouse_error *err);
/* The same with the update as JSON. ROUSE_EDATA, ROUSE_EUNSUPPORTED when the key has no decode_update. */
ROUSE_API int rouse_batch_add_json(rouse_batch *batch, const rouse_key *key, const char *json, size_t len,
                                   rouse_error *err);
/* The commit fails with ROUSE_ECONFLICT, `revision conflict: expected {e}, actual {a}`, when the thread's revision is
 * another one by then. Without a base the last writer wins. */
ROUSE_API void rouse_batch_set_base(rouse_batch *batch, uint64_t revision);
ROUSE_API size_t rouse_batch_count(const rouse_batch *batch); /* number of updates */
/* Moves right's updates behind left's. Bases: equal or one missing is kept, else ROUSE_ECONFLICT
 * `patch base revision mismatch: {l} vs {r}`, and neither changed. right is empty afterwards. */
ROUSE_API int rouse_batch_extend(rouse_batch *left, rouse_batch *right, rouse_error *err);
/* The same for work that ran in parallel: a key touched by both must be COMMUTATIVE, else ROUSE_ECONFLICT
 * `parallel merge conflict on exclusive key: {key}`, and neither changed. */
ROUSE_API int rouse_batch_merge(rouse_batch *left, rouse_batch *right, rouse_error *err);

/* ---- snapshots ----
 * The state of a thread at one revision: never changes, never blocks a commit. Counted: the last unref frees it. */
ROUSE_API rouse_snapshot *rouse_snapshot_ref(rouse_snapshot *snapshot);
ROUSE_API void rouse_snapshot_unref(rouse_snapshot *snapshot); /* takes NULL */
ROUSE_API uint64_t rouse_snapshot_revision(const rouse_snapshot *snapshot);
/* The value of entry (NULL for a scalar), or NULL: Borrowed until the snapshot's last unref. Of a map only live entries
 * are in a snapshot; the others are read with rouse_store_list and rouse_store_find. */
ROUSE_API const void *rouse_snapshot_get(const rouse_snapshot *snapshot, const rouse_key *key, const char *entry);
ROUSE_API size_t rouse_snapshot_count(const rouse_snapshot *snapshot, const rouse_key *key);
/* The i-th entry of a map in order of creation, 0 <= i < count; *ret_entry (may be NULL) is its name. Borrowed as above. */
ROUSE_API const void *rouse_snapshot_at(const rouse_snapshot *snapshot, const rouse_key *key, size_t i,
                                        const char **ret_entry);

/* The value as JSON text, as it would be exported (of a map: of one entry). *ret_json Returns free. ROUSE_ENOTFOUND when
 * there is none, ROUSE_ENOMEM. */
ROUSE_API int rouse_snapshot_json(const rouse_snapshot *snapshot, const rouse_key *key, const char *entry, char **ret_json,
                                  rouse_error *err);

/* ---- typed wrappers ----
 * ROUSE_KEY_TYPED(prefix, key, value_type, update_type), once per key, in the header that declares it. Each wrapper is the
 * call named after it with the key filled in and its types checked: what is not of the key's types does not compile (a
 * pointer to another type is a diagnostic that every C compiler owes; an error with -Werror, -pedantic-errors, or in C++).
 *
 *   prefix_add(batch, update, err)              rouse_batch_add; Takes update
 *   prefix_get(snapshot, entry)                 rouse_snapshot_get; entry NULL for a scalar
 *   prefix_at(snapshot, i, ret_entry)           rouse_snapshot_at
 *   prefix_edit_get(edit, entry, ret_value, err)   in the reducer: rouse_edit_get
 *   prefix_edit_put(edit, entry, value, err)       in the reducer: rouse_edit_put; Takes value */
#define ROUSE_KEY_TYPED(prefix, key, value_type, update_type)                                                           \
    ROUSE_MAYBE_UNUSED static inline int prefix##_add(rouse_batch *batch, update_type *update, rouse_error *err) \
    {                                                                                                                  \
        return rouse_batch_add(batch, &(key), update, err);                                                            \
    }                                                                                                                  \
    ROUSE_MAYBE_UNUSED static inline const value_type *prefix##_get(const rouse_snapshot *snapshot, const char *entry) \
    {                                                                                                                  \
        return (const value_type *)rouse_snapshot_get(snapshot, &(key), entry);                                        \
    }                                                                                                                  \
    ROUSE_MAYBE_UNUSED static inline const value_type *prefix##_at(const rouse_snapshot *snapshot, size_t i, const char **ret_entry) \
    {                                                                                                                  \
        return (const value_type *)rouse_snapshot_at(snapshot, &(key), i, ret_entry);                                  \
    }                                                                                                                  \
    ROUSE_MAYBE_UNUSED static inline int prefix##_edit_get(rouse_edit *edit, const char *entry, const value_type **ret_value, \
                                        rouse_error *err)                                                              \
    {                                                                                                                  \
        const void *value;                                                                                             \
        int code = rouse_edit_get(edit, entry, &value, err);                                                           \
        if (code == 0)                                                                                                 \
            *ret_value = (const value_type *)value;                                                                    \
        return code;                                                                                                   \
    }                                                                                                                  \
    ROUSE_MAYBE_UNUSED static inline int prefix##_edit_put(rouse_edit *edit, const char *entry, value_type *value, rouse_error *err) \
    {                                                                                                                  \
        return rouse_edit_put(edit, entry, value, err);                                                                \
    }                                                                                                                  \
    ROUSE_MAYBE_UNUSED static inline int prefix##_add(rouse_batch *batch, update_type *update, rouse_error *err)

/* ---- keys for programs in other languages ----
 * A key whose values and updates are JSON text, with one callback as its reducer. Updates are added with
 * rouse_batch_add_json, values read with rouse_snapshot_json. Entries of its maps are all live. */
typedef struct rouse_json_key_options { /* zero means default; texts are copied */
    const char *name;                   /* required: 1 to 128 bytes */
    rouse_shape shape;
    rouse_scope scope;
    rouse_merge merge;
    bool transient, retain;
    const char *map_member;
    /* Required. Turns what is there and the update into what is there afterwards, through rouse_edit_json, rouse_edit_put_json,
     * rouse_edit_remove and rouse_edit_clear; update is Borrowed for the call. 0, or a ROUSE_E… (another number counts as
     * ROUSE_EINVAL), and then nothing changed; the message is err's, if it left one there. As pure as any reducer. */
    int (*reduce)(rouse_edit *edit, const char *update, size_t len, void *userdata, rouse_error *err);
    void *userdata;
} rouse_json_key_options;
/* *ret_key Returns rouse_json_key_free. ROUSE_EINVAL, ROUSE_ENOMEM. */
ROUSE_API int rouse_json_key_new(const rouse_json_key_options *options, rouse_key **ret_key, rouse_error *err);
/* Only once no store, batch or snapshot names it. Takes NULL. */
ROUSE_API void rouse_json_key_free(rouse_key *key);
/* In such a key's reducer: the current value of entry (NULL for a scalar), Borrowed as by rouse_edit_get; NULL and 0 when there
 * is none. ROUSE_EUNSUPPORTED for a key that rouse_json_key_new did not make; the errors of rouse_edit_get. */
ROUSE_API int rouse_edit_json(rouse_edit *edit, const char *entry, const char **ret_json, size_t *ret_len, rouse_error *err);
/* Sets entry to the value that json says, for any key: copied. ROUSE_EDATA when it is not one; the errors of
 * rouse_edit_put. */
ROUSE_API int rouse_edit_put_json(rouse_edit *edit, const char *entry, const char *json, size_t len, rouse_error *err);

#ifdef __cplusplus
}
#endif
#endif
