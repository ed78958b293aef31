/* The parts that writing transactions are made of: values, revisions, task numbers. */
#include "storage/sqlite.h"

#include <stdlib.h>
#include <string.h>

int sqlite_revision(struct sqlite_store *s, const char *thread, uint64_t *ret_revision, rouse_error *err)
{
    uint64_t revision = 0;
    int code = sqlite_number(s, SQL_THREAD_GET, &revision, err, "t", thread);
    if (code < 0)
        return code;
    *ret_revision = revision;
    return 0;
}

int sqlite_set_revision(struct sqlite_store *s, const char *thread, uint64_t revision, rouse_error *err)
{
    return sqlite_run(s, SQL_THREAD_SET, err, "tu", thread, revision);
}

int sqlite_take_number(struct sqlite_store *s, uint64_t *ret_number, rouse_error *err)
{
    uint64_t number = UINT64_MAX;
    int code = sqlite_number(s, SQL_COUNTER_GET, &number, err, "");
    if (code < 0)
        return code;
    if (number == UINT64_MAX)
        return rouse_fail(err, ROUSE_ELIMIT, "no task number is left in store '%s'", s->shown);
    code = sqlite_run(s, SQL_COUNTER_SET, err, "u", number + 1);
    if (code == 0)
        *ret_number = number;
    return code;
}

/* Keeps the counter above every id that a map holds, however it came there. */
static int raise_counter(struct sqlite_store *s, const char *entry, rouse_error *err)
{
    uint64_t number;
    if (!storage_task_number(entry, &number))
        return 0;
    if (number == UINT64_MAX)
        return rouse_fail(err, ROUSE_ELIMIT, "'%s' would leave no number for another task", entry);
    uint64_t next = 0;
    int code = sqlite_number(s, SQL_COUNTER_GET, &next, err, "");
    if (code < 0 || number < next)
        return code < 0 ? code : 0;
    return sqlite_run(s, SQL_COUNTER_SET, err, "u", number + 1);
}

static int put_json(struct sqlite_store *s, const struct sqlite_place *place, const struct state_change *change,
                    const char *json, rouse_error *err)
{
    const rouse_key *key = change->key;
    const char *run = key->scope == ROUSE_SCOPE_RUN ? place->run : "";
    const char *entry = change->entry ? change->entry : "";
    rouse_index index = storage_index(key, change->cell->value);
    sqlite3_stmt *statement;
    int code = sqlite_bind(s, SQL_ENTRY_PUT, &statement, err, "ttttbuittt", place->thread, run, key->name, entry, json,
                           strlen(json), place->revision, index.live ? 1 : 0, index.name, index.parent, index.run);
    if (code < 0)
        return code;
    code = sqlite_step(s, statement, err);
    /* The row's own place is taken care of by the statement, so what is not unique is the name. */
    if (code < 0 && sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_UNIQUE)
        return storage_fail_name(index.name ? index.name : "", err);
    return code;
}

static int put(struct sqlite_store *s, const struct sqlite_place *place, const struct state_change *change, rouse_error *err)
{
    int code = change->entry ? raise_counter(s, change->entry, err) : 0;
    if (code < 0)
        return code;
    char *json;
    code = storage_encode(change->key, change->entry, change->cell->value, &json, err);
    if (code < 0)
        return code;
    code = put_json(s, place, change, json, err);
    free(json);
    return code;
}

static int write_change(struct sqlite_store *s, const struct sqlite_place *place, const struct state_change *change,
                        rouse_error *err)
{
    const char *run = change->key->scope == ROUSE_SCOPE_RUN ? place->run : "";
    const char *name = change->key->name;
    const char *entry = change->entry ? change->entry : "";
    switch (change->action) {
    case STATE_PUT:
        return put(s, place, change, err);
    case STATE_REMOVE:
        return sqlite_run(s, SQL_ENTRY_REMOVE, err, "tttt", name, entry, place->thread, run);
    case STATE_CLEAR:
        return sqlite_run(s, SQL_ENTRY_CLEAR, err, "ttt", place->thread, run, name);
    }
    return rouse_fail(err, ROUSE_EINVAL, "no such change");
}

int sqlite_write_changes(struct sqlite_store *s, const struct sqlite_place *place, const struct state_change *items,
                         size_t count, rouse_error *err)
{
    int code = 0;
    for (size_t i = 0; i < count && code == 0; i++)
        code = write_change(s, place, &items[i], err);
    return code;
}

int sqlite_mark_map(struct sqlite_store *s, const struct sqlite_place *place, const rouse_key *key, rouse_error *err)
{
    if (key->shape != ROUSE_SHAPE_MAP)
        return 0;
    const char *run = key->scope == ROUSE_SCOPE_RUN ? place->run : "";
    return sqlite_run(s, SQL_ENTRY_MARK, err, "tttu", place->thread, run, key->name, place->revision);
}
