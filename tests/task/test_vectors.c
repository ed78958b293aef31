/* The seed's codecs, reducers and conversions, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/jtext.h"
#include "state/apply.h"
#include "state/document.h"
#include "support/json_same.h"
#include "support/shelf.h"
#include "task/event.h"
#include "task/keys.h"
#include "task/manager.h"
#include "task/record.h"
#include "task/vectors.h"

/* ---- each type: JSON in, JSON out. *ret_text Returns free ---- */

typedef int (*codec)(const char *json, size_t len, char **ret_text, rouse_error *err);

static int finish(int code, struct buf *out, char **ret_text, rouse_error *err)
{
    char *text = code < 0 ? NULL : buf_take(out, err);
    buf_done(out);
    if (code < 0)
        return code;
    *ret_text = text;
    return text ? 0 : ROUSE_ENOMEM;
}

static int meta_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    rouse_task *task;
    int code = rouse_task_decode(json, len, &task, err);
    if (code < 0)
        return code;
    *ret_text = rouse_task_encode(task, err);
    rouse_task_free(task);
    return *ret_text ? 0 : ROUSE_EDATA;
}

static int summary_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    rouse_task *task;
    struct buf out = BUF_INIT(0);
    int code = record_decode_summary(json, len, &task, err);
    if (code < 0)
        return code;
    code = record_add(&out, task, RECORD_SUMMARY, err);
    rouse_task_free(task);
    return finish(code, &out, ret_text, err);
}

static int lineage_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    struct arena arena = {0};
    struct buf out = BUF_INIT(0);
    rouse_lineage lineage;
    int code = lineage_decode(json, len, &arena, &lineage, err);
    if (code == 0)
        lineage_add(&out, &lineage);
    arena_done(&arena);
    return finish(code, &out, ret_text, err);
}

static int status_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    rouse_status status;
    int code = status_decode(json, len, &status, err);
    if (code == 0)
        buf_addf(&out, "\"%s\"", rouse_status_text(status));
    return finish(code, &out, ret_text, err);
}

static int event_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    struct arena arena = {0};
    struct buf out = BUF_INIT(0);
    struct event event;
    int code = event_decode(json, len, &arena, &event, err);
    if (code == 0)
        event_add(&out, &event);
    arena_done(&arena);
    return finish(code, &out, ret_text, err);
}

static int view_entry_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    struct arena arena = {0};
    struct buf out = BUF_INIT(0);
    rouse_view_entry entry = {0};
    int code = view_entry_decode(json, len, &arena, &entry, err);
    if (code == 0) {
        buf_addc(&out, '{');
        record_add_text(&out, "task_type", entry.task_type);
        record_add_text(&out, "description", entry.description);
        record_add_text(&out, "status", rouse_status_text(entry.status));
        buf_addc(&out, '}');
    }
    arena_done(&arena);
    return finish(code, &out, ret_text, err);
}

static int value_codec(const rouse_key *key, const char *json, size_t len, char **ret_text, rouse_error *err)
{
    struct shelf shelf = {.key = key};
    struct buf copy = BUF_INIT(0);
    buf_add(&copy, json, len);
    int code = shelf_load(&shelf, buf_text(&copy), err);
    if (code == 0)
        *ret_text = shelf_text(&shelf);
    shelf_done(&shelf);
    buf_done(&copy);
    return code;
}

static int view_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    return value_codec(&rouse_view_key, json, len, ret_text, err);
}

static int snapshot_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    return value_codec(&rouse_task_state_key, json, len, ret_text, err);
}

static void add_task(struct buf *out, const rouse_task *task)
{
    record_add(out, task, RECORD_STORED, NULL);
}

static int state_update_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    void *update;
    int code = rouse_task_state_key.decode_update(json, len, &update, err);
    if (code < 0)
        return code;
    const rouse_task_update *u = update;
    buf_adds(&out, u->replace ? "{\"ReplaceAll\":{\"tasks\":{" : "{\"Upsert\":");
    for (size_t i = 0; i < u->count; i++) {
        if (u->replace)
            buf_addf(&out, "%s\"%s\":", i > 0 ? "," : "", u->tasks[i]->task_id);
        add_task(&out, u->tasks[i]);
    }
    buf_adds(&out, u->replace ? "}}}" : "}");
    rouse_task_state_key.release_update(update);
    return finish(0, &out, ret_text, err);
}

static int view_update_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    void *update;
    int code = rouse_view_key.decode_update(json, len, &update, err);
    if (code < 0)
        return code;
    const rouse_view_update *u = update;
    char *view = u->view ? rouse_view_key.encode(u->view, err) : NULL;
    if (view)
        buf_addf(&out, "{\"Replace\":%s}", view);
    else
        buf_adds(&out, "\"Clear\"");
    free(view);
    rouse_view_key.release_update(update);
    return finish(0, &out, ret_text, err);
}

static int add_extension(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    struct buf *out = userdata;
    (void)err;
    buf_adds(out, out->data[out->len - 1] == '{' ? "" : ",");
    jtext_add_string(out, name, strlen(name));
    buf_addc(out, ':');
    jtext_add_raw(out, json.at, json.len);
    return 0;
}

static int document_codec(const char *json, size_t len, char **ret_text, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    struct document document;
    int code = document_parse(json, len, &document, err);
    if (code == 0) {
        buf_addf(&out, "{\"revision\":%llu,\"extensions\":{", (unsigned long long)document.revision);
        code = document_keys(&document, add_extension, &out, err);
        buf_adds(&out, "}}");
    }
    return finish(code, &out, ret_text, err);
}

static codec codec_of(const char *type)
{
    static const struct {
        const char *type;
        codec codec;
    } rows[] = {
        {"PersistedTaskMeta", meta_codec},
        {"TaskSummary", summary_codec},
        {"TaskParentContext", lineage_codec},
        {"TaskStatus", status_codec},
        {"TaskEvent", event_codec},
        {"TaskViewEntry", view_entry_codec},
        {"BackgroundTaskView", view_codec},
        {"BackgroundTaskStateSnapshot", snapshot_codec},
        {"BackgroundTaskStateAction", state_update_codec},
        {"BackgroundTaskViewAction", view_update_codec},
        {"PersistedState", document_codec},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (type && strcmp(rows[i].type, type) == 0)
            return rows[i].codec;
    }
    return NULL;
}

/* ---- deliberate differences ---- */

/* A refusal that is one of ours on purpose. */
static const char *refusal(const char *input, const char *message)
{
    bool array = strstr(message, "expected an object") || strstr(message, "must be an object, not an array") ||
                 strstr(message, "named after what it does");
    if (strstr(message, "must be a string, not an object") && strstr(input, "null"))
        return "status-object";
    if (array && strchr(input, '['))
        return "positional";
    if (strstr(message, "holds the record of task"))
        return "miskeyed";
    return strstr(message, "is too large") ? "id-number" : NULL;
}

static void check_same(struct outcome *o, const char *what, const char *ours, const char *theirs)
{
    struct json_same plain = {0}, lax = {.null_result_is_none = true};
    if (!o->same || json_same(&plain, ours, theirs))
        return;
    outcome_differs(o, json_same(&lax, ours, theirs) ? "null-result" : NULL, "%s: %.200s instead of %.200s", what, ours,
                    theirs);
}

static void check_text(const json_t *row, const char *input, size_t len, struct outcome *o)
{
    rouse_error err = {0};
    char *text = NULL;
    codec decode = codec_of(row_text(row, "type"));
    bool ok = json_is_true(json_object_get(row, "decode_ok"));
    if (!decode) {
        outcome_differs(o, NULL, "unknown type");
        return;
    }
    int code = decode(input, len, &text, &err);
    if (ok && code < 0)
        outcome_differs(o, refusal(input, err.message), "refused: %s", err.message);
    else if (!ok && code == 0)
        outcome_differs(o, NULL, "accepted, but must be refused: %s", row_text(row, "error"));
    else if (!ok && (err.code != code || !err.message[0]))
        outcome_differs(o, NULL, "refused without saying why");
    else if (ok)
        check_same(o, "encoded", text, row_text(row, "canonical"));
    free(text);
}

static void check_codec(const json_t *row, struct outcome *o)
{
    const json_t *input = json_object_get(row, "input");
    check_text(row, json_string_value(input), json_string_length(input), o);
}

static void check_bytes(const json_t *row, struct outcome *o)
{
    const char *hex = row_text(row, "input_hex");
    char bytes[4096];
    size_t len = 0;
    unsigned byte;
    for (; sscanf(hex + 2 * len, "%2x", &byte) == 1 && len < sizeof bytes - 1; len++)
        bytes[len] = (char)byte;
    bytes[len] = '\0';
    check_text(row, bytes, len, o);
}

/* ---- reducers ---- */

/* Terminal is final here: an Upsert of a task that has ended is refused, and changes nothing. So what the value must be is
 * worked out beside it, on a tree of the tasks. */
static bool apply_action(struct shelf *shelf, const char *action, rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    char *before = shelf_text(shelf);
    bool ok = rouse_batch_add_json(batch, shelf->key, action, strlen(action), err) == 0 &&
              shelf_apply(shelf, batch, err) == 0;
    char *after = shelf_text(shelf);
    if (!ok && strcmp(before, after) != 0)
        fail_msg("a refused update changed the value");
    free(before);
    free(after);
    rouse_batch_free(batch);
    return ok;
}

/* False when the update must be refused. */
static bool model_apply(json_t **model, const char *action)
{
    json_t *update = json_loads(action, JSON_DECODE_ANY, NULL);
    json_t *record = json_object_get(update, "Upsert");
    json_t *all = json_object_get(json_object_get(update, "ReplaceAll"), "tasks");
    const char *id = row_text(record, "task_id");
    const char *status = id ? row_text(json_object_get(*model, id), "status") : NULL;
    bool allowed = !status || strcmp(status, "running") == 0;
    if (allowed && id)
        json_object_set(*model, id, record);
    if (all) {
        json_decref(*model);
        *model = json_incref(all);
    }
    json_decref(update);
    return allowed;
}

static void check_model(const json_t *model, const struct shelf *shelf, struct outcome *o)
{
    struct json_same how = {0};
    rouse_error err = {0};
    char *tasks = json_dumps(model, JSON_COMPACT), *theirs = NULL, *ours = shelf_text(shelf);
    struct buf document = BUF_INIT(0);
    buf_addf(&document, "{\"tasks\":%s}", tasks);
    if (snapshot_codec(buf_text(&document), document.len, &theirs, &err) < 0 || !json_same(&how, ours, theirs))
        outcome_differs(o, NULL, "value: %.200s instead of %.200s", ours, theirs ? theirs : err.message);
    buf_done(&document);
    free(tasks);
    free(theirs);
    free(ours);
}

static void check_state_reducer(const json_t *row, struct shelf *shelf, struct outcome *o)
{
    const json_t *action, *counts = json_object_get(row, "task_count_after_each");
    json_t *initial = json_loads(row_text(row, "initial"), 0, NULL);
    json_t *model = json_incref(json_object_get(initial, "tasks"));
    struct outcome fatal = {.same = true};
    size_t i;
    json_array_foreach(json_object_get(row, "actions"), i, action)
    {
        rouse_error err = {0};
        const char *text = json_string_value(action);
        bool allowed = model_apply(&model, text), ok = apply_action(shelf, text, &err);
        if (!allowed && !ok && strstr(err.message, "task already"))
            outcome_differs(o, "terminal-final", "update %zu: %s", i, err.message);
        else if (!allowed || !ok)
            outcome_differs(&fatal, ok ? NULL : refusal(text, err.message), "update %zu: %s", i,
                            ok ? "accepted" : err.message);
        if (counts && o->same && fatal.same && (size_t)json_integer_value(json_array_get(counts, i)) != shelf->count)
            outcome_differs(&fatal, NULL, "after update %zu: %zu tasks", i, shelf->count);
    }
    if (fatal.same)
        check_model(model, shelf, &fatal);
    if (!fatal.same)
        *o = fatal;
    json_decref(initial);
    json_decref(model);
}

static void check_reducer(const json_t *row, struct outcome *o)
{
    bool view = strcmp(row_text(row, "type"), "BackgroundTaskView") == 0;
    struct shelf shelf = {.key = view ? &rouse_view_key : &rouse_task_state_key};
    const json_t *action;
    rouse_error err = {0};
    size_t i;
    if (shelf_load(&shelf, row_text(row, "initial"), &err) < 0)
        outcome_differs(o, refusal("", err.message), "initial: %s", err.message);
    else if (!view)
        check_state_reducer(row, &shelf, o);
    json_array_foreach(json_object_get(row, "actions"), i, action)
    {
        if (view && !apply_action(&shelf, json_string_value(action), &err))
            outcome_differs(o, refusal("", err.message), "update %zu: %s", i, err.message);
    }
    char *text = shelf_text(&shelf);
    check_same(o, "value", text, row_text(row, "final_canonical"));
    free(text);
    shelf_done(&shelf);
}

/* ---- misc ---- */

static void check_owner(const json_t *row, const rouse_task *task, struct outcome *o)
{
    if (json_integer_value(json_object_get(row, "visible_in_list_T")) != (strcmp(task->owner_thread_id, "T") == 0) ||
        json_integer_value(json_object_get(row, "visible_in_list_empty")) != (task->owner_thread_id[0] == '\0'))
        outcome_differs(o, NULL, "owner is '%s'", task->owner_thread_id);
}

static void check_conversion(const json_t *row, struct outcome *o)
{
    rouse_task *task = NULL, *back = NULL;
    struct buf summary = BUF_INIT(0);
    const char *meta = row_text(row, "meta");
    assert_int_equal(rouse_task_decode(meta, strlen(meta), &task, NULL), 0);
    assert_int_equal(record_add(&summary, task, RECORD_SUMMARY, NULL), 0);
    check_same(o, "summary", buf_text(&summary), row_text(row, "summary"));
    check_owner(row, task, o);
    assert_int_equal(record_decode_summary(buf_text(&summary), summary.len, &back, NULL), 0);
    back->owner_thread_id = "Z";
    char *text = rouse_task_encode(back, NULL);
    check_same(o, "record", text, row_text(row, "from_summary_owner_Z"));
    free(text);
    rouse_task_free(task);
    rouse_task_free(back);
    buf_done(&summary);
}

static void check_event_bytes(const char *theirs, struct outcome *o)
{
    char *ours = NULL;
    rouse_error err = {0};
    if (event_codec(theirs, strlen(theirs), &ours, &err) < 0)
        outcome_differs(o, NULL, "event refused: %s", err.message);
    else if (strcmp(ours, theirs) != 0)
        outcome_differs(o, NULL, "event %s", ours);
    free(ours);
}

/* The terminal event made from the record is the one that was seen. */
static void check_terminal_event(const char *summary, const char *theirs, struct outcome *o)
{
    rouse_task *task = NULL;
    struct buf out = BUF_INIT(0);
    assert_int_equal(record_decode_summary(summary, strlen(summary), &task, NULL), 0);
    if (task->status == ROUSE_COMPLETED)
        event_add_completed(&out, task->task_id, task->result);
    else if (task->status == ROUSE_FAILED)
        event_add_failed(&out, task->task_id, task->error);
    else
        event_add_cancelled(&out, task->task_id);
    if (strcmp(buf_text(&out), theirs) != 0)
        outcome_differs(o, NULL, "terminal event %s", buf_text(&out));
    buf_done(&out);
    rouse_task_free(task);
}

static void check_live(const json_t *row, struct outcome *o)
{
    struct buf summary = BUF_INIT(0); /* times are masked in the row */
    for (const char *at = row_text(row, "summary_canonical"); *at;) {
        bool masked = strncmp(at, "\"<ms>\"", 6) == 0;
        buf_add(&summary, masked ? "5" : at, 1);
        at += masked ? 6 : 1;
    }
    char *text = NULL;
    assert_int_equal(summary_codec(buf_text(&summary), summary.len, &text, NULL), 0);
    check_same(o, "summary", text, buf_text(&summary));
    check_event_bytes(row_text(row, "emit_event"), o);
    check_event_bytes(row_text(row, "terminal_event"), o);
    check_terminal_event(buf_text(&summary), row_text(row, "terminal_event"), o);
    free(text);
    buf_done(&summary);
}

static void check_name(const json_t *row, struct outcome *o)
{
    rouse_error err = {0};
    bool ok = task_check_name(row_text(row, "input"), &err) == 0;
    const char *error = row_text(row, "error");
    if (ok != json_is_true(json_object_get(row, "ok")))
        outcome_differs(o, strstr(err.message, "cannot be a name") ? "names" : NULL, "%s",
                        ok ? "accepted" : err.message);
    else if (error && strcmp(error, err.message) != 0)
        outcome_differs(o, NULL, "%s", err.message);
}

/* A sub-agent, or not, whose record and whose run are as the case has it, is written to. */
static void check_error_text(const json_t *row, struct outcome *o)
{
    const char *name = row_text(row, "name");
    bool cancelled = strcmp(name, "TaskTerminated(Cancelled)") == 0, closed = strcmp(name, "InboxClosed") == 0;
    const char *task_type = strcmp(name, "NoInbox") == 0 ? "shell" : "sub_agent";
    const rouse_task_spec spec = {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .task_type = task_type};
    const rouse_run over = {.id = "r", .status = "done", .status_reason = "natural", .json = "{}"};
    rouse_commit commit = {.thread = "t/bg_0", .run_record = &over};
    const rouse_send send = {.thread = "t", .child = "bg_0", .text = "x"};
    rouse_store *store = NULL;
    rouse_manager *manager = NULL;
    rouse_task *task = NULL;
    rouse_receipt receipt = {0};
    assert_int_equal(rouse_store_open("memory:", NULL, &store, NULL), 0);
    assert_int_equal(rouse_manager_new(store, NULL, &manager, NULL), 0);
    assert_int_equal(rouse_task_start(manager, &spec, &task, NULL), 0);
    if (cancelled)
        assert_int_equal(rouse_task_cancel(manager, task->task_id, &(rouse_cancel){0}, NULL, NULL), 0);
    if (closed)
        assert_int_equal(rouse_store_commit(store, &commit, NULL, NULL), 0);
    assert_int_equal(rouse_task_send(manager, &send, &receipt, NULL), 0);
    if (strcmp(receipt.detail, row_text(row, "text")) != 0 || strcmp(receipt.error, "recipient_unavailable") != 0)
        outcome_differs(o, NULL, "%s", receipt.detail);
    rouse_task_free(task);
    rouse_manager_free(manager);
    rouse_store_close(store);
}

static void check_misc(const json_t *row, struct outcome *o)
{
    const char *op = row_text(row, "op");
    if (strcmp(op, "meta_to_summary_and_back") == 0)
        check_conversion(row, o);
    else if (strcmp(op, "spawn_emit_finish") == 0)
        check_live(row, o);
    else if (strcmp(op, "spawn_name") == 0)
        check_name(row, o);
    else if (strcmp(op, "send_error_text") == 0)
        check_error_text(row, o);
    else if (strcmp(op, "spawn") == 0)
        outcome_differs(o, "needs-store", "a manager cannot be made without a store");
    else
        outcome_differs(o, NULL, "unknown op '%s'", op);
}

/* ---- one test a file ---- */

static void test_file(void **state)
{
    static const struct {
        const char *file;
        vector_check check;
    } rows[] = {{"invalid_utf8", check_bytes}, {"reducers", check_reducer}, {"misc", check_misc}};
    const char *file = *state;
    vector_check check = check_codec;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].file, file) == 0)
            check = rows[i].check;
    }
    vectors_run(file, check);
}

#define VECTORS(file)                                                                                                  \
    {                                                                                                                  \
        "vectors_" file, test_file, NULL, NULL, (void *)(uintptr_t)file                                                \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        VECTORS("actions"),         VECTORS("invalid_utf8"),        VECTORS("misc"),
        VECTORS("persisted_state"), VECTORS("persisted_task_meta"), VECTORS("reducers"),
        VECTORS("state_snapshot"),  VECTORS("task_event"),          VECTORS("task_parent_context"),
        VECTORS("task_status"),     VECTORS("task_summary"),        VECTORS("task_view"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
