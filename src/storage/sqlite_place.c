/* The table `place`: counters, revisions, and the numbers that stand for (thread, run, key).
 *
 * Rows are never removed, so what was read of their ids stays true. Their values are remembered only as long as nobody else
 * wrote: the data version, looked at once a write transaction has begun, tells. */
#include "storage/sqlite.h"

#include <stdlib.h>
#include <string.h>

unsigned sqlite_version(struct sqlite_store *s)
{
    unsigned version = 0;
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    return version;
}

static void forget_values(struct sqlite_store *s)
{
    memset(s->counter_known, 0, sizeof s->counter_known);
    for (size_t i = 0; i < SQLITE_SLOTS; i++)
        s->slots[i].value_known = false;
}

void sqlite_remember_after_begin(struct sqlite_store *s)
{
    unsigned version = sqlite_version(s);
    if (version != s->version)
        forget_values(s);
    s->version = version;
    s->writing = true;
}

void sqlite_remember_after_commit(struct sqlite_store *s)
{
    unsigned version = sqlite_version(s);
    sqlite_seen_keep_up(s, version);
    s->version = version;
    s->writing = false;
}

void sqlite_forget(struct sqlite_store *s)
{
    forget_values(s);
    for (size_t i = 0; i < SQLITE_SLOTS; i++) {
        free(s->slots[i].names);
        s->slots[i] = (struct sqlite_slot){0};
    }
}

/* ---- counters ---- */

/* 1, or 0 when there is none. */
static int read_counter(struct sqlite_store *s, enum sqlite_counter which, uint64_t *ret_value, rouse_error *err)
{
    if (which != COUNTER_TASK)
        return sqlite_number(s, SQL_NUMBER_GET, ret_value, err, "i", (int)which);
    sqlite3_stmt *statement;
    uint64_t value, newest;
    int code = sqlite_bind(s, SQL_NUMBER_OF_TASK, &statement, err, "i", (int)which);
    if (code == 0)
        code = sqlite_step(s, statement, err);
    if (code != 1)
        return code;
    sqlite_read(statement, err, "uu", &value, &newest);
    sqlite3_reset(statement);
    uint64_t told = sqlite_task_above(newest);
    *ret_value = told > value ? told : value;
    return 1;
}

int sqlite_counter(struct sqlite_store *s, enum sqlite_counter which, uint64_t *ret_value, rouse_error *err)
{
    if (!s->writing || !s->counter_known[which]) {
        uint64_t value = 0;
        int code = read_counter(s, which, &value, err);
        if (code == 0)
            return rouse_fail(err, ROUSE_ESTORE, "store '%s' is damaged: it has lost a counter; bring back a copy of it", s->shown);
        if (code < 0)
            return code;
        s->counters[which] = value;
        s->counter_known[which] = s->writing;
    }
    *ret_value = s->counters[which];
    return 0;
}

int sqlite_set_counter(struct sqlite_store *s, enum sqlite_counter which, uint64_t value, rouse_error *err)
{
    s->counter_known[which] = false;
    int code = sqlite_run(s, SQL_NUMBER_SET, err, "iu", (int)which, value);
    if (code == 0 && sqlite3_changes(s->db) != 1)
        return rouse_fail(err, ROUSE_ESTORE, "store '%s' is damaged: it has lost a counter; bring back a copy of it", s->shown);
    if (code == 0) {
        s->counters[which] = value;
        s->counter_known[which] = s->writing;
    }
    return code;
}

/* ---- places ---- */

/* The first of the few slots that the names may be in. */
static struct sqlite_slot *slots_of(struct sqlite_store *s, const char *thread, const char *run, const char *key)
{
    const char *const names[] = {thread, run, key};
    unsigned hash = 2166136261u;
    for (size_t i = 0; i < 3; i++) {
        for (const char *at = names[i]; *at; at++)
            hash = (hash ^ (unsigned char)*at) * 16777619u;
        hash = (hash ^ 0xff) * 16777619u;
    }
    return &s->slots[hash % (SQLITE_SLOTS / SQLITE_WAYS) * SQLITE_WAYS];
}

/* The names stand one behind the other. */
static bool slot_is(const struct sqlite_slot *slot, const char *thread, const char *run, const char *key)
{
    const char *at = slot->names;
    if (!at || strcmp(at, thread) != 0)
        return false;
    at += strlen(at) + 1;
    if (strcmp(at, run) != 0)
        return false;
    return strcmp(at + strlen(at) + 1, key) == 0;
}

/* NULL when the place is not remembered. */
static struct sqlite_slot *slot_of(struct sqlite_store *s, const char *thread, const char *run, const char *key)
{
    struct sqlite_slot *slots = slots_of(s, thread, run, key);
    for (size_t i = 0; i < SQLITE_WAYS; i++) {
        if (slot_is(&slots[i], thread, run, key))
            return &slots[i];
    }
    return NULL;
}

/* Takes the place of the one that came first. NULL when out of memory. */
static struct sqlite_slot *new_slot(struct sqlite_store *s, const char *thread, const char *run, const char *key)
{
    struct sqlite_slot *slots = slots_of(s, thread, run, key);
    size_t a = strlen(thread) + 1, b = strlen(run) + 1, c = strlen(key) + 1;
    char *names = malloc(a + b + c);
    if (!names)
        return NULL;
    memcpy(names, thread, a);
    memcpy(names + a, run, b);
    memcpy(names + a + b, key, c);
    free(slots[SQLITE_WAYS - 1].names);
    for (size_t i = SQLITE_WAYS - 1; i > 0; i--)
        slots[i] = slots[i - 1];
    slots[0] = (struct sqlite_slot){.names = names};
    return slots;
}

/* Without memory for it, it is looked up again the next time. */
void sqlite_know_place(struct sqlite_store *s, const char *thread, const char *run, const char *key, const struct sqlite_place *place)
{
    struct sqlite_slot *slot = slot_of(s, thread, run, key);
    if (!slot)
        slot = new_slot(s, thread, run, key);
    if (!slot)
        return;
    slot->id = place->id;
    slot->value = place->value;
    slot->late = place->late;
    slot->value_known = s->writing;
}

static int read_place(struct sqlite_store *s, const char *thread, const char *run, const char *key,
                      struct sqlite_place *ret_place, rouse_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, SQL_PLACE_GET, &statement, err, "ttt", thread, run, key);
    if (code == 0)
        code = sqlite_step(s, statement, err);
    if (code != 1)
        return code;
    sqlite_read(statement, err, "uuu", &ret_place->id, &ret_place->value, &ret_place->late);
    sqlite3_reset(statement);
    uint64_t late = 0;
    if (*thread && !*key)
        code = sqlite_number(s, SQL_PLACE_LATE_REVISION, &late, err, "t", thread);
    if (late > ret_place->value)
        ret_place->value = late;
    return code < 0 ? code : 1;
}

int sqlite_find_place(struct sqlite_store *s, const char *thread, const char *run, const char *key,
                      struct sqlite_place *ret_place, rouse_error *err)
{
    const struct sqlite_slot *slot = slot_of(s, thread, run, key);
    if (s->writing && slot && slot->value_known) {
        *ret_place = (struct sqlite_place){slot->id, slot->value, slot->late};
        return 1;
    }
    struct sqlite_place place;
    int code = read_place(s, thread, run, key, &place, err);
    if (code != 1)
        return code;
    sqlite_know_place(s, thread, run, key, &place);
    *ret_place = place;
    return 1;
}

int sqlite_place_id(struct sqlite_store *s, const char *thread, const char *run, const char *key, uint64_t *ret_id, rouse_error *err)
{
    const struct sqlite_slot *slot = slot_of(s, thread, run, key);
    struct sqlite_place place = {.id = slot ? slot->id : 0};
    int code = slot ? 1 : sqlite_find_place(s, thread, run, key, &place, err);
    if (code == 1)
        *ret_id = place.id;
    return code;
}

int sqlite_make_place(struct sqlite_store *s, const char *thread, const char *run, const char *key,
                      struct sqlite_place *ret_place, rouse_error *err)
{
    int code = sqlite_find_place(s, thread, run, key, ret_place, err);
    if (code != 0)
        return code < 0 ? code : 0;
    code = sqlite_run(s, SQL_PLACE_PUT, err, "ttt", thread, run, key);
    if (code < 0)
        return code;
    *ret_place = (struct sqlite_place){.id = (uint64_t)sqlite3_last_insert_rowid(s->db)};
    sqlite_know_place(s, thread, run, key, ret_place);
    return 0;
}

int sqlite_set_place(struct sqlite_store *s, const char *thread, const char *run, const char *key,
                     const struct sqlite_place *place, uint64_t value, rouse_error *err)
{
    struct sqlite_slot *slot = slot_of(s, thread, run, key);
    if (slot)
        slot->value_known = false;
    int code = sqlite_run(s, SQL_NUMBER_SET, err, "uu", place->id, value);
    if (code == 0 && slot) {
        slot->value = value;
        slot->value_known = s->writing;
    }
    return code;
}
