#include "support/check.h"

#include "base/limits.h"
#include "state/apply.h"
#include "support/shelf.h"
#include "task/keys.h"

static const rouse_task running = {.task_id = "bg_1", .owner_thread_id = "t", .task_type = "x", .description = "d"};

static rouse_task with_status(rouse_status status)
{
    rouse_task task = running;
    task.status = status;
    return task;
}

/* Takes update. */
static int apply(struct shelf *shelf, void *update, rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    int code = rouse_batch_add(batch, shelf->key, update, err);
    if (code == 0)
        code = shelf_apply(shelf, batch, err);
    rouse_batch_free(batch);
    return code;
}

static void assert_text(const struct shelf *shelf, const char *expected)
{
    char *text = shelf_text(shelf);
    assert_string_equal(text, expected);
    free(text);
}

/* From each status to each: only a running task can be changed. */
static void test_terminal_is_final(void **state)
{
    (void)state;
    for (int from = ROUSE_RUNNING; from <= ROUSE_CANCELLED; from++) {
        for (int to = ROUSE_RUNNING; to <= ROUSE_CANCELLED; to++) {
            struct shelf shelf = {.key = &rouse_task_state_key};
            rouse_task first = with_status((rouse_status)from), second = with_status((rouse_status)to);
            char message[64];
            assert_works(apply(&shelf, rouse_task_upsert(&first), &err));
            snprintf(message, sizeof message, "task already %s", rouse_status_text((rouse_status)from));
            if (from == ROUSE_RUNNING)
                assert_works(apply(&shelf, rouse_task_upsert(&second), &err));
            else
                assert_refused(apply(&shelf, rouse_task_upsert(&second), &err), ROUSE_ECONFLICT, message);
            const rouse_task *all[] = {&second};
            assert_works(apply(&shelf, rouse_task_replace_all(all, 1), &err));
            assert_int_equal(shelf.count, 1);
            assert_non_null(strstr(shelf.rows[0].json, rouse_status_text((rouse_status)to)));
            shelf_done(&shelf);
        }
    }
}

/* Also within one batch. */
static void test_one_batch(void **state)
{
    (void)state;
    struct shelf shelf = {.key = &rouse_task_state_key};
    rouse_task ended = with_status(ROUSE_FAILED);
    rouse_batch *batch = rouse_batch_new();
    assert_works(rouse_batch_add(batch, shelf.key, rouse_task_upsert(&ended), &err));
    assert_works(rouse_batch_add(batch, shelf.key, rouse_task_upsert(&running), &err));
    assert_refused(shelf_apply(&shelf, batch, &err), ROUSE_ECONFLICT, "task already failed");
    assert_int_equal(shelf.count, 0);
    rouse_batch_free(batch);
}

static void test_order(void **state)
{
    (void)state;
    static const char *const ids[] = {"bg_9", "a", "bg_10"};
    struct shelf shelf = {.key = &rouse_task_state_key};
    rouse_task tasks[COUNT(ids)];
    const rouse_task *all[COUNT(ids) + 1];
    for (size_t i = 0; i < COUNT(ids); i++) {
        tasks[i] = running;
        tasks[i].task_id = ids[i];
        all[i] = &tasks[i];
        assert_works(apply(&shelf, rouse_task_upsert(&tasks[i]), &err));
    }
    all[COUNT(ids)] = &tasks[0]; /* of two with one id the last counts */
    for (size_t round = 0; round < 2; round++) {
        assert_int_equal(shelf.count, COUNT(ids));
        for (size_t i = 0; i < COUNT(ids); i++)
            assert_string_equal(shelf.rows[i].entry, ids[i]);
        assert_works(apply(&shelf, rouse_task_replace_all(all, COUNT(all)), &err));
    }
    assert_works(apply(&shelf, rouse_task_replace_all(NULL, 0), &err));
    assert_text(&shelf, "{\"tasks\":{}}");
    shelf_done(&shelf);
}

static void defect_32_what_may_not_get_in(void **state)
{
    (void)state;
    char *large = malloc(LIMIT_RESULT + 2);
    char deep[2 * (LIMIT_RESULT_DEPTH + 1) + 1];
    assert_non_null(large);
    memset(large, ' ', LIMIT_RESULT + 1);
    large[LIMIT_RESULT + 1] = '\0';
    memset(deep, '[', LIMIT_RESULT_DEPTH + 1);
    memset(deep + LIMIT_RESULT_DEPTH + 1, ']', LIMIT_RESULT_DEPTH + 1);
    deep[sizeof deep - 1] = '\0';
    const struct {
        const char *id, *result;
        int code;
        const char *message;
    } rows[] = {
        {"bg_1", "{", ROUSE_EDATA, "result of task 'bg_1'"},
        {"bg_1", large, ROUSE_ELIMIT, "larger than"},
        {"bg_1", deep, ROUSE_ELIMIT, "deeper than 122 levels"},
        {"", NULL, ROUSE_EINVAL, "needs a name"},
        {"bg_18446744073709551615", NULL, ROUSE_EDATA, "'bg_18446744073709551615' is too large"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shelf shelf = {.key = &rouse_task_state_key};
        rouse_task task = running;
        const rouse_task *all[] = {&task};
        task.task_id = rows[i].id;
        task.result = rows[i].result;
        assert_refused(apply(&shelf, rouse_task_upsert(&task), &err), rows[i].code, rows[i].message);
        assert_refused(apply(&shelf, rouse_task_replace_all(all, 1), &err), rows[i].code, rows[i].message);
        assert_int_equal(shelf.count, 0);
        shelf_done(&shelf);
    }
    free(large);
}

static void test_decode_names_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *json, *message;
    } rows[] = {
        {"k",
         "{\"task_id\":\"real\",\"task_type\":\"\",\"description\":\"\",\"status\":\"failed\",\"created_at_ms\":1}",
         "entry 'k' holds the record of task 'real'"},
        {"k", "{}", "entry 'k': missing field `task_id`"},
        {"bg_18446744073709551615",
         "{\"task_id\":\"bg_18446744073709551615\",\"task_type\":\"\",\"description\":\"\",\"status\":\"failed\","
         "\"created_at_ms\":1}",
         "'bg_18446744073709551615' is too large"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *value = NULL;
        assert_refused(rouse_task_state_key.decode(rows[i].entry, rows[i].json, strlen(rows[i].json), &value, &err),
                       ROUSE_EDATA, rows[i].message);
        assert_null(value);
    }
}

static void test_index(void **state)
{
    (void)state;
    for (int status = ROUSE_RUNNING; status <= ROUSE_CANCELLED; status++) {
        rouse_task task = with_status((rouse_status)status);
        rouse_index index = {.name = "stale", .parent = "stale", .run = "stale"};
        rouse_task_state_key.index(&task, &index);
        assert_true(index.live == (status == ROUSE_RUNNING) && !index.name && !index.parent && !index.run);
        task.name = "n";
        task.parent = (rouse_lineage){.task_id = "p", .run_id = "r"};
        rouse_task_state_key.index(&task, &index);
        assert_string_equal(index.name, "n");
        assert_string_equal(index.parent, "p");
        assert_string_equal(index.run, "r");
    }
}

static void test_descriptors(void **state)
{
    (void)state;
    assert_string_equal(rouse_task_state_key.name, "background_task_state");
    assert_string_equal(rouse_view_key.name, "background_tasks");
    assert_string_equal(rouse_task_state_key.map_member, "tasks");
    assert_int_equal(rouse_task_state_key.scope, ROUSE_SCOPE_THREAD);
    assert_int_equal(rouse_view_key.scope, ROUSE_SCOPE_RUN);
    assert_int_equal(rouse_task_state_key.merge, ROUSE_MERGE_EXCLUSIVE);
    assert_int_equal(rouse_view_key.merge, ROUSE_MERGE_EXCLUSIVE);
    assert_false(rouse_task_state_key.transient || rouse_view_key.transient);
}

static void test_view(void **state)
{
    (void)state;
    static const rouse_view_entry entries[] = {
        {"bg_2", "x", "second \"", ROUSE_RUNNING},
        {"bg_1", "y", "first", ROUSE_CANCELLED},
    };
    struct shelf shelf = {.key = &rouse_view_key};
    assert_works(apply(&shelf, rouse_view_clear(), &err));
    assert_text(&shelf, "{\"tasks\":{}}"); /* from absent, as from the type's default */
    assert_works(apply(&shelf, rouse_view_replace(entries, 2), &err));
    assert_text(&shelf,
                "{\"tasks\":{\"bg_2\":{\"task_type\":\"x\",\"description\":\"second \\\"\",\"status\":\"running\"},"
                "\"bg_1\":{\"task_type\":\"y\",\"description\":\"first\",\"status\":\"cancelled\"}}}");
    assert_works(apply(&shelf, rouse_view_replace(entries, 1), &err));
    assert_text(&shelf,
                "{\"tasks\":{\"bg_2\":{\"task_type\":\"x\",\"description\":\"second \\\"\",\"status\":\"running\"}}}");
    assert_works(apply(&shelf, rouse_view_replace(NULL, 0), &err));
    assert_text(&shelf, "{\"tasks\":{}}");
    shelf_done(&shelf);
}

static void test_view_decode(void **state)
{
    (void)state;
#define ENTRY(status) "{\"task_type\":\"t\",\"description\":\"d\",\"status\":\"" status "\"}"
    static const char json[] =
        "{\"tasks\":{\"b\":" ENTRY("running") ",\"a\":" ENTRY("failed") ",\"b\":" ENTRY("completed") "}}";
    void *value = NULL;
    assert_works(rouse_view_key.decode(NULL, json, sizeof json - 1, &value, &err));
    const rouse_view *view = value;
    assert_int_equal(view->count, 2);
    assert_string_equal(view->entries[0].task_id, "b");
    assert_int_equal(view->entries[0].status, ROUSE_COMPLETED);
    assert_string_equal(view->entries[1].task_id, "a");
    rouse_view_key.release(value);
    static const char bad[] = "{\"tasks\":{\"b\":{}}}";
    assert_refused(rouse_view_key.decode(NULL, bad, sizeof bad - 1, &value, &err), ROUSE_EDATA,
                   "entry 'b': missing field `task_type`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal_is_final),
        cmocka_unit_test(test_one_batch),
        cmocka_unit_test(test_order),
        cmocka_unit_test(defect_32_what_may_not_get_in),
        cmocka_unit_test(test_decode_names_the_key),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_view_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
