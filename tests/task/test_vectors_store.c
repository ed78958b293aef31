/* What the seed's store and its restore do, row by row, on a store of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rouse/task.h"
#include "support/json_same.h"
#include "task/manager.h"
#include "task/vectors.h"

#define THREAD "T"
#define RUN "run-1"

/* ---- a store for each row ---- */

struct place {
    char dir[64];
    rouse_store *store;
    rouse_manager *manager;
};

static void open_place(struct place *p)
{
    rouse_error err = {0};
    rouse_manager_options options = {.rouse = ""};
    memcpy(p->dir, "/tmp/rouse-vectors-XXXXXX", sizeof "/tmp/rouse-vectors-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    if (rouse_store_open(p->dir, NULL, &p->store, &err) < 0)
        fail_msg("store: %s", err.message);
    if (rouse_manager_new(p->store, &options, &p->manager, &err) < 0)
        fail_msg("manager: %s", err.message);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

static void close_place(struct place *p)
{
    rouse_manager_free(p->manager);
    rouse_store_close(p->store);
    assert_int_equal(nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static uint64_t revision_of(struct place *p)
{
    rouse_snapshot *snapshot;
    assert_int_equal(rouse_store_snapshot(p->store, THREAD, NULL, &snapshot, NULL), 0);
    uint64_t revision = rouse_snapshot_revision(snapshot);
    rouse_snapshot_unref(snapshot);
    return revision;
}

static uint64_t number(const json_t *row, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(row, name));
}

/* ---- store.json ---- */

static void check_export(struct place *p, const json_t *row, struct outcome *o)
{
    rouse_error err = {0};
    struct json_same how = {0};
    char *text = NULL;
    const char *theirs = row_text(row, "export_canonical");
    if (rouse_store_export(p->store, THREAD, RUN, &text, &err) < 0)
        outcome_differs(o, NULL, "export: %s", err.message);
    else if (!json_same(&how, text, theirs))
        outcome_differs(o, NULL, "export: %.250s instead of %.250s", text, theirs);
    free(text);
}

static int commit_updates(struct place *p, const json_t *updates, uint64_t *ret_revision, rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    const json_t *update;
    int code = 0;
    size_t i;
    json_array_foreach(updates, i, update)
    {
        const char *text = json_string_value(update);
        if (code == 0)
            code = rouse_batch_add_json(batch, &rouse_task_state_key, text, strlen(text), err);
    }
    rouse_commit commit = {.thread = THREAD, .batch = batch};
    if (code == 0)
        code = rouse_store_commit(p->store, &commit, ret_revision, err);
    rouse_batch_free(batch);
    return code;
}

static void check_batches(struct place *p, const json_t *row, struct outcome *o)
{
    const json_t *updates, *revisions = json_object_get(row, "revisions");
    size_t i;
    json_array_foreach(json_object_get(row, "batches"), i, updates)
    {
        rouse_error err = {0};
        uint64_t revision = 0;
        if (commit_updates(p, updates, &revision, &err) < 0)
            outcome_differs(o, NULL, "batch %zu: %s", i, err.message);
        else if (revision != (uint64_t)json_integer_value(json_array_get(revisions, i)))
            outcome_differs(o, NULL, "batch %zu: revision %llu", i, (unsigned long long)revision);
    }
    check_export(p, row, o);
}

static void check_base(struct place *p, const json_t *row, struct outcome *o)
{
    static const rouse_task task = {.task_id = "a", .owner_thread_id = THREAD, .task_type = "t", .description = "d"};
    rouse_error err = {0};
    rouse_batch *batch = rouse_batch_new();
    rouse_commit commit = {.thread = THREAD, .batch = batch};
    assert_int_equal(rouse_batch_add(batch, &rouse_task_state_key, rouse_task_upsert(&task), NULL), 0);
    rouse_batch_set_base(batch, number(row, "base_revision"));
    if (rouse_store_commit(p->store, &commit, NULL, &err) != ROUSE_ECONFLICT ||
        strcmp(err.message, row_text(row, "error")) != 0)
        outcome_differs(o, NULL, "error: '%s'", err.message);
    if (revision_of(p) != number(row, "revision_after"))
        outcome_differs(o, NULL, "revision moved");
    rouse_batch_free(batch);
}

static void check_import(struct place *p, const json_t *row, struct outcome *o)
{
    static const char prefix[] = "failed to decode key background_task_state: ";
    rouse_error err = {0};
    const char *input = row_text(row, "input");
    rouse_import_options options = {
        .unknown = strcmp(row_text(row, "policy"), "Skip") == 0 ? ROUSE_UNKNOWN_SKIP : ROUSE_UNKNOWN_ERROR,
        .thread_only = strcmp(row_text(row, "op"), "restore_thread_scoped") == 0,
        .run = RUN,
    };
    int code = rouse_store_import(p->store, THREAD, input, strlen(input), &options, &err);
    if ((code == 0) != json_is_true(json_object_get(row, "ok")))
        outcome_differs(o, NULL, "import: %s", code < 0 ? err.message : "accepted");
    else if (code < 0 && strncmp(err.message, prefix, sizeof prefix - 1) != 0)
        outcome_differs(o, NULL, "error: '%s'", err.message); /* behind it our wording may differ */
    if (revision_of(p) != number(row, "revision_after"))
        outcome_differs(o, NULL, "revision %llu", (unsigned long long)revision_of(p));
    check_export(p, row, o);
}

static void check_store(const json_t *row, struct outcome *o)
{
    const char *op = row_text(row, "op");
    struct place p;
    open_place(&p);
    if (strcmp(op, "commit_batches") == 0)
        check_batches(&p, row, o);
    else if (strcmp(op, "commit") == 0)
        check_base(&p, row, o);
    else if (strncmp(op, "restore_", 8) == 0)
        check_import(&p, row, o);
    else
        outcome_differs(o, NULL, "unknown op '%s'", op);
    close_place(&p);
}

/* ---- restore_for_thread.json ----
 *
 * Here a thread's tasks are restored by taking in the document that was exported, and recovery then ends what claims to run
 * and does not. Deliberate differences, which the check expects: owners stay as they are found (an unknown one may
 * stay unknown), an orphan has a completion time and one event; and revisions count otherwise, since there is no copy to bring
 * in. */

static int restore(struct place *p, const char *value, rouse_error *err)
{
    struct buf document = BUF_INIT(0);
    rouse_import_options options = {.thread_only = true};
    buf_addf(&document, "{\"revision\":0,\"extensions\":{\"background_task_state\":%s}}", value);
    int code = rouse_store_import(p->store, THREAD, buf_text(&document), document.len, &options, err);
    buf_done(&document);
    return code;
}

static int take_number(void *userdata, uint64_t task_number, rouse_commit *commit, rouse_error *err)
{
    (void)commit, (void)err;
    *(uint64_t *)userdata = task_number;
    return 0;
}

static void check_next_id(struct place *p, const json_t *row, struct outcome *o)
{
    uint64_t next = 0;
    char id[64];
    rouse_error err = {0};
    rouse_commit commit = {.thread = THREAD, .prepare = take_number, .userdata = &next};
    if (rouse_store_commit(p->store, &commit, NULL, &err) < 0)
        fail_msg("number: %s", err.message);
    snprintf(id, sizeof id, "bg_%llu", (unsigned long long)next);
    if (o->same && strcmp(id, row_text(row, "next_spawned_id")) != 0)
        outcome_differs(o, NULL, "next id is %s", id);
}

static size_t events_of(struct place *p, const char *id)
{
    rouse_events *events;
    size_t count = 0;
    assert_int_equal(rouse_store_inbox(p->store, NULL, 0, true, 0, &events, NULL), 0);
    for (size_t i = 0; i < rouse_events_count(events); i++)
        count += strcmp(rouse_events_at(events, i)->task_id, id) == 0;
    rouse_events_free(events);
    return count;
}

/* What the row says of one task, with the deliberate differences put in. */
static void check_task(struct place *p, const json_t *input, json_t *expected, struct outcome *o)
{
    const char *id = row_text(expected, "task_id"), *error = row_text(expected, "error");
    const char *owner = row_text(input, "owner_thread_id");
    bool orphan = error && strcmp(error, TASK_ORPHAN_TEXT) == 0;
    rouse_error err = {0};
    rouse_task *task = NULL;
    if (rouse_task_get(p->manager, THREAD, id, &task, &err) < 0) {
        outcome_differs(o, NULL, "%s", err.message);
        return;
    }
    if (owner && owner[0])
        json_object_set_new(expected, "owner_thread_id", json_string(owner));
    else if (task->owner_thread_id[0] == '\0')
        json_object_set_new(expected, "owner_thread_id", json_string(""));
    if (orphan)
        json_object_set_new(expected, "completed_at_ms", json_integer((json_int_t)task->completed_at_ms));
    if (orphan && (!task->has_completed_at || task->completed_at_ms < 1000))
        outcome_differs(o, NULL, "%s: no completion time", id);
    if (events_of(p, id) != orphan)
        outcome_differs(o, NULL, "%s: %zu events", id, events_of(p, id));
    struct json_same how = {0};
    char *ours = rouse_task_encode(task, NULL), *theirs = json_dumps(expected, JSON_COMPACT);
    if (!json_same(&how, ours, theirs))
        outcome_differs(o, NULL, "%.250s instead of %.250s", ours, theirs);
    free(ours);
    free(theirs);
    rouse_task_free(task);
}

static void check_tasks(struct place *p, const json_t *row, const json_t *inputs, struct outcome *o)
{
    json_t *after = json_loads(row_text(row, "store_after_canonical"), 0, NULL), *expected;
    const char *id;
    json_object_foreach(json_object_get(after, "tasks"), id, expected)
        check_task(p, json_object_get(inputs, id), expected, o);
    json_decref(after);
}

static void check_restore(const json_t *row, struct outcome *o)
{
    rouse_error err = {0};
    json_t *before = json_loads(row_text(row, "store_before"), 0, NULL);
    json_t *snapshot = json_loads(row_text(row, "snapshot"), 0, NULL);
    json_t *inputs = json_object_get(snapshot, "tasks");
    struct place p;
    open_place(&p);
    if (json_object_size(json_object_get(before, "tasks")) > 0)
        outcome_differs(o, "one-truth", "nothing is restored beside records that are there");
    else if (restore(&p, row_text(row, "snapshot"), &err) < 0)
        outcome_differs(o,
                        strstr(err.message, "holds the record") ? "miskeyed"
                        : strstr(err.message, "too large")      ? "id-number"
                                                                : NULL,
                        "refused: %s", err.message);
    else if (rouse_task_recover(p.manager, THREAD, &err) < 0)
        outcome_differs(o, NULL, "recover: %s", err.message);
    else
        check_tasks(&p, row, inputs, o);
    if (o->same)
        check_next_id(&p, row, o);
    close_place(&p);
    json_decref(before);
    json_decref(snapshot);
}

static void test_store(void **state)
{
    (void)state;
    vectors_run("store", check_store);
}

static void test_restore(void **state)
{
    (void)state;
    vectors_run("restore_for_thread", check_restore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
