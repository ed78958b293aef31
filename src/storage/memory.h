/* What the files of the memory backend share. It is the reference model of a store: everything in plain structures, each query
 * by an index of its own.
 *
 *   place   a thread, or a run of one: its set of live values for snapshots, its shelves; a thread's inbox and conversation
 *   shelf   one key's value in one place; a map's entries in order of creation
 *   kind    one key over all places: every entry in order of creation, the live ones as a tree
 *   entry   one entry of a map, found by (shelf, name) and by (kind, name)
 *   group   the entries of a shelf that share an indexed name, parent or run; found by (shelf, text) and by (kind, text)
 *   queue   the live entries of a kind that name it; found by (kind, text)
 *
 * All of it is reached under the store's lock only. What leaves it is counted: cells and snapshots. */
#ifndef STORAGE_MEMORY_H
#define STORAGE_MEMORY_H

#include "state/set.h"
#include "storage/memory_table.h"
#include "storage/storage.h"

struct memory_entry;
struct memory_group;

enum memory_index { MEMORY_NAME, MEMORY_PARENT, MEMORY_RUN, MEMORY_INDEXES };

struct memory_member { /* an entry's being in a group; linked from newest to oldest, by seq */
    struct memory_group *group;
    struct memory_entry *entry;
    struct memory_member *newer, *older;
    struct memory_member *next; /* of the same entry */
};

struct memory_group {
    struct memory_shelf *shelf;
    enum memory_index which;
    struct memory_member *newest, *oldest;
    size_t members; /* also those of a commit that is not through yet; without any it is freed */
    size_t count, live;
    struct memory_entry *holder; /* MEMORY_NAME: the live entry of that name */
    char text[];
};

struct memory_entry {
    struct memory_shelf *shelf;
    struct cell *cell;
    uint64_t seq;
    struct memory_entry *newer, *older;         /* in the shelf */
    struct memory_entry *every_newer, *every_older; /* in the kind */
    struct memory_member *members;
    struct memory_due *due;       /* or NULL */
    struct memory_queued *queued; /* or NULL */
    bool live;
    bool fresh;   /* made by the commit that is going on: in no list yet */
    bool leaving; /* removed by it: still in all lists */
    char name[];
};

struct memory_rank { /* an entry's place in a tree: by rank, then by `then`; a treap */
    struct memory_rank *left, *right;
    struct memory_entry *entry;
    uint64_t rank, then;
};

struct memory_due { /* in the shelf's tree: by time, then the newest first */
    struct memory_rank rank;
};

struct memory_claim { /* it may have run out */
    uint64_t until_ms; /* monotonic */
    char holder[];
};

struct memory_queue {
    struct memory_kind *kind;
    struct memory_rank *waiting; /* by priority, then the oldest first; those that are claimed too */
    struct memory_queued *claimed;
    size_t members; /* also those of a commit that is not through yet; without any it is freed */
    size_t begun;   /* live, and not waiting */
    char name[];
};

struct memory_queued { /* a live entry's being in a queue */
    struct memory_rank rank; /* when it waits */
    struct memory_queue *queue;
    bool waiting;
    struct memory_claim *claim; /* or NULL; linked to the other claimed ones of the queue */
    struct memory_queued *next, *before;
};

struct memory_lease {
    struct memory_lease *next;
    uint64_t epoch, until_ms;
    const char *holder; /* in name's memory */
    char name[];
};

struct memory_kind {
    struct memory_kind *next;
    uint64_t salt;
    struct ptree live; /* by seq */
    struct ptree_pool pool;
    struct memory_entry *newest, *oldest;
    size_t count;
    char name[]; /* the key's */
};

struct memory_shelf {
    struct memory_shelf *next; /* of the place, in order of the key's name */
    struct memory_place *place;
    struct memory_kind *kind;
    const rouse_key *key;
    size_t slot; /* in the place's set */
    uint64_t salt;
    bool present;  /* a map: it has a value, be it empty */
    bool clearing; /* cleared by the commit that is going on: what is in the lists is gone */
    struct memory_entry *newest, *oldest;
    struct memory_entry *last; /* what was found or made last, or NULL: mostly the one that is asked for again */
    size_t count;
    struct memory_rank *due;
};

#define MEMORY_TOPICS (ROUSE_TOPIC_MESSAGE + 1)

struct memory_topic { /* an unread event's being of a topic */
    struct memory_event *event;
    rouse_topic which;
    struct memory_topic *newer, *older;             /* of the thread */
    struct memory_topic *every_newer, *every_older; /* of the store */
};

struct memory_topics { /* oldest first */
    struct memory_topic *oldest, *newest;
};

struct memory_event { /* found by id, and by (place, task) */
    rouse_event event;          /* texts lie behind it */
    struct memory_place *place;
    struct memory_event *older, *newer;           /* of the thread */
    struct memory_event *every_older, *every_newer; /* of the store */
    struct memory_event *acked_next, *acked_before; /* in order of acknowledgement */
    struct memory_topic *topic;                   /* NULL: of none, or it was read */
    bool acking;                                  /* by the commit that is going on */
};

struct memory_message { /* found by (place, id) */
    struct memory_place *place;
    rouse_message message; /* texts lie behind it */
};

struct memory_run { /* found by id */
    struct memory_place *place;
    uint64_t seq;
    rouse_run run; /* texts lie behind it */
};

struct memory_place { /* found by (thread, run) */
    uint64_t salt;
    uint64_t revision; /* of a thread */
    struct state_set set;
    struct memory_shelf *shelves;
    struct memory_event *oldest_event, *newest_event;
    struct memory_topics topics[MEMORY_TOPICS];
    struct memory_message **messages; /* the one of seq n is at n - 1 */
    size_t n_messages, cap_messages;
    struct memory_run *last_run;
    const char *run; /* "" for a thread; in thread's memory */
    char thread[];
};

struct memory_bell;

struct memory_store {
    const rouse_platform *platform;
    uint64_t seed; /* of hashes: nobody can prepare names that collide */
    uint64_t salts, seq, number, event_id;
    struct memory_table places, entries, entries_any, groups, groups_any, events, task_events, messages, runs, queues;
    struct memory_kind *kinds;
    struct memory_place *last_place; /* places stay */
    struct memory_event *oldest_event, *newest_event;
    struct memory_topics topics[MEMORY_TOPICS];
    struct memory_event *first_acked, *last_acked;
    size_t n_acked;
    struct memory_bell *bells;
    struct memory_lease *leases;
    uint64_t epoch;
    uint64_t keep, older_ms; /* the retention */
    bool ended;              /* an entry ended in the commit that is going on */
};

/* ---- finding and making: memory_store.c. NULL when out of memory, or from find_ when there is none ---- */

struct memory_place *memory_find_place(const struct memory_store *s, const char *thread, const char *run);
struct memory_place *memory_want_place(struct memory_store *s, const char *thread, const char *run);
struct memory_shelf *memory_find_shelf(const struct memory_place *place, const char *key);
struct memory_shelf *memory_want_shelf(struct memory_store *s, struct memory_place *place, const rouse_key *key);
struct memory_kind *memory_find_kind(const struct memory_store *s, const char *key);
struct state_slot *memory_slot(const struct memory_shelf *shelf);
/* A fresh entry before one that is leaving. */
struct memory_entry *memory_find_entry(const struct memory_store *s, struct memory_shelf *shelf, const char *name);
struct memory_group *memory_find_group(const struct memory_store *s, const struct memory_shelf *shelf, enum memory_index which,
                                       const char *text);
uint64_t memory_here_hash(const struct memory_store *s, const struct memory_shelf *shelf, unsigned what, const char *text);
uint64_t memory_any_hash(const struct memory_store *s, const struct memory_kind *kind, unsigned what, const char *text);
void memory_close(void *backend);

/* ---- entries and their groups: memory_index.c ---- */

/* A fresh one: found by its name, in no list. */
struct memory_entry *memory_entry_new(struct memory_store *s, struct memory_shelf *shelf, const char *name);
void memory_entry_free(struct memory_store *s, struct memory_entry *entry); /* of one that is in no list */
/* The members that an index asks for, in no group's list yet. false when out of memory. */
bool memory_members_new(struct memory_store *s, struct memory_entry *entry, const rouse_index *index,
                        struct memory_member **ret_members);
void memory_members_free(struct memory_store *s, struct memory_member *members); /* of such */
struct memory_group *memory_group_of(const struct memory_member *members, enum memory_index which); /* or NULL */
/* None of these fails. The place's set is left to the caller, but for the kind's tree of live entries. */
void memory_link_entry(struct memory_store *s, struct memory_entry *entry);
void memory_unlink_entry(struct memory_store *s, struct memory_entry *entry);
void memory_set_members(struct memory_store *s, struct memory_entry *entry, struct memory_member *members); /* Takes */
void memory_set_live(struct memory_entry *entry, bool live);

/* ---- what comes first: memory_first.c. None of them fails ---- */

void memory_rank_insert(struct memory_rank **root, struct memory_rank *node);
void memory_rank_remove(struct memory_rank **root, const struct memory_rank *node); /* it must be there */

/* Takes due, which may be NULL, in the place of what the entry has. */
void memory_set_due(struct memory_entry *entry, struct memory_due *due);
/* Takes topic, of an event that is in its lists and that nobody has read. */
void memory_set_topic(struct memory_store *s, struct memory_event *event, rouse_topic which, struct memory_topic *topic);
void memory_drop_topic(struct memory_store *s, struct memory_event *event);
int memory_overview(void *backend, const char *key, const char *thread, const rouse_ends *ends, rouse_overview *fill,
                    rouse_error *err);
int memory_topic(void *backend, const char *thread, rouse_topic topic, uint64_t after, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err);

/* ---- what several of them need: memory_queue.c ---- */

uint64_t memory_mono_ms(const struct memory_store *s);
uint64_t memory_later(uint64_t now, uint64_t ms); /* no later than there is time */
int memory_give(const struct memory_entry *e, storage_row_sink *sink, void *userdata, rouse_error *err);

/* ---- the operations ---- */

int memory_commit(void *backend, const struct storage_keys *keys, rouse_commit *commit, struct storage_outcome *ret_outcome,
                  rouse_error *err);
int memory_import(void *backend, const struct storage_document *document, rouse_error *err);
int memory_values(void *backend, const char *thread, const char *run, uint64_t *ret_revision,
                  storage_row_sink *sink, void *userdata, rouse_error *err);
int memory_snapshot(void *backend, const struct storage_keys *keys, const char *thread, const char *run,
                    rouse_snapshot **ret_snapshot, rouse_error *err);
int memory_list(void *backend, const char *key, const rouse_query *query, storage_row_sink *sink, void *userdata,
                rouse_error *err);
int memory_inbox(void *backend, const char *thread, uint64_t after, bool all, size_t limit, storage_event_sink *sink,
                 void *userdata, rouse_error *err);
int memory_messages(void *backend, const char *thread, uint64_t after, size_t limit, storage_message_sink *sink,
                    void *userdata, rouse_error *err);
int memory_last_run(void *backend, const char *thread, storage_run_sink *sink, void *userdata, rouse_error *err);
int memory_check(void *backend, storage_report *report, void *userdata, rouse_error *err);
int memory_bell_open(void *backend, int *ret_fd, rouse_error *err);
void memory_bell_ring(struct memory_store *s);
void memory_bells_done(struct memory_store *s);

int memory_claim(void *backend, const char *key, const rouse_claim *claim, storage_row_sink *sink, void *userdata,
                 rouse_error *err);
int memory_unclaim(void *backend, const char *key, const char *thread, const char *entry, const char *holder, rouse_error *err);
int memory_lease(void *backend, const char *name, const char *holder, uint64_t ttl_ms, uint64_t *ret_epoch, rouse_error *err);
int memory_lease_release(void *backend, const char *name, uint64_t epoch, rouse_error *err);
/* The being in a queue that an index asks for, in no list yet; *ret_queued NULL for none. false when out of memory. */
bool memory_queued_new(struct memory_store *s, struct memory_entry *entry, const rouse_index *index,
                       struct memory_queued **ret_queued);
void memory_queued_free(struct memory_store *s, struct memory_queued *queued); /* of such; takes NULL */
/* Takes queued, which may be NULL, in the place of what the entry has. A claim stays while the entry waits. */
void memory_set_queued(struct memory_store *s, struct memory_entry *entry, struct memory_queued *queued);
void memory_lease_drop(struct memory_store *s, struct memory_lease *lease);
int memory_check_fence(const struct memory_store *s, const rouse_fence *fence, rouse_error *err);
int memory_prune(void *backend, const char *key, const rouse_prune *prune, storage_row_sink *sink, void *userdata,
                 rouse_error *err);
int memory_set_retention(void *backend, uint64_t keep, uint64_t older_ms, rouse_error *err);
int memory_retention(void *backend, uint64_t *ret_keep, uint64_t *ret_older_ms, rouse_error *err);
void memory_keep_limits(struct memory_store *s, uint64_t now_ms, struct storage_gone **gone);
/* The events of an entry in its thread's inbox, one at a time, as memory_table_next gives them. */
struct memory_event *memory_event_of(const struct memory_store *s, const struct memory_entry *entry, size_t *probe);
void memory_event_forget(struct memory_store *s, struct memory_event *event);

/* ---- a change of values that is all or nothing: memory_change.c ---- */

struct memory_put { /* what a change needs, made before anything is changed */
    struct memory_entry *entry;
    struct ptree_item *item; /* when it is live */
    struct memory_member *members;
    struct memory_due *due;
    struct memory_queued *queued;
    bool index_changed;
    bool made; /* the entry is fresh, and this is the put it was made for */
};

struct memory_holding { /* who held a name before */
    struct memory_group *group;
    struct memory_entry *holder;
};

struct memory_change {
    struct memory_store *store;
    struct memory_place *thread, *run; /* run may be NULL */
    const struct state_change *items;
    size_t count;
    struct memory_put *puts; /* one for each item */
    size_t staged;           /* of them */
    struct memory_holding *held;
    size_t n_held, cap_held;
    uint64_t number; /* the store's counter before */
    struct memory_put few[STATE_FEW];
};

/* Everything that can fail. On failure nothing has changed; on success memory_change_publish or memory_change_undo follows. */
int memory_change_stage(struct memory_change *change, rouse_error *err);
void memory_change_publish(struct memory_change *change);
void memory_change_undo(struct memory_change *change);
struct memory_place *memory_change_place(const struct memory_change *change, const rouse_key *key);

#endif
