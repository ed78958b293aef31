#include "support/check.h"

#include "support/json_same.h"
#include "task/record.h"

#define LEAST                                                                                                          \
    "\"task_id\":\"bg_0\",\"task_type\":\"t\",\"description\":\"d\",\"status\":\"running\",\"created_at_ms\":1"

static rouse_task *decode(const char *json)
{
    rouse_task *task = NULL;
    assert_works(rouse_task_decode(json, strlen(json), &task, &err));
    return task;
}

static void test_status(void **state)
{
    (void)state;
    static const char *const texts[] = {"running", "completed", "failed", "cancelled"};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(rouse_status_text((rouse_status)i), texts[i]);
        assert_int_equal(rouse_status_is_terminal((rouse_status)i), i != 0);
    }
    assert_string_equal(rouse_status_text((rouse_status)9), "unknown");
}

static void test_least(void **state)
{
    (void)state;
    rouse_task *task = decode("{" LEAST "}");
    assert_string_equal(task->owner_thread_id, "");
    assert_null(task->name);
    assert_null(task->error);
    assert_null(task->result);
    assert_false(task->has_completed_at || task->has_ext);
    assert_true(lineage_is_empty(&task->parent));
    char *text = rouse_task_encode(task, NULL);
    assert_string_equal(text,
                        "{\"task_id\":\"bg_0\",\"owner_thread_id\":\"\",\"task_type\":\"t\",\"description\":\"d\","
                        "\"status\":\"running\",\"created_at_ms\":1,\"parent_context\":{}}");
    free(text);
    rouse_task_free(task);
    rouse_task_free(NULL);
}

/* Everything there is, in the order in which it is written. */
static const char full[] =
    "{\"task_id\":\"bg_7\",\"owner_thread_id\":\"th\",\"task_type\":\"shell\",\"name\":\"n\",\"description\":\"d "
    "\\u0000\\n\\\"\",\"status\":\"failed\","
    "\"error\":\"e\",\"result\":{\"z\": "
    "18446744073709551616,\"a\":[1.0e2]},\"created_at_ms\":18446744073709551615,\"completed_at_ms\":0,"
    "\"parent_context\":{\"task_id\":\"bg_1\",\"run_id\":\"r\",\"call_id\":\"\",\"agent_id\":\"a\"},"
    "\"ext\":{\"kind\":\"process\",\"argv\":[\"sh\",\"-c\",\"a "
    "\\\"b\\\"\"],\"cwd\":\"/\",\"pid\":123,\"exit_code\":0,\"signal\":15,"
    "\"ended_by\":\"user\",\"reason\":\"why\",\"deadline_ms\":5,\"ready_when\":\"^ok\",\"ready\":true,\"session\":true,"
    "\"output\":{\"size\":3,\"kept\":2,\"dropped\":1},\"killed\":4}}";

static void test_full(void **state)
{
    (void)state;
    rouse_task *task = decode(full);
    char *text = rouse_task_encode(task, NULL);
    assert_string_equal(text, full);
    free(text);
    assert_string_equal(task->description, "d \xc0\x80\n\"");
    assert_true(task->has_completed_at && task->completed_at_ms == 0 && task->created_at_ms == UINT64_MAX);
    assert_string_equal(task->ext.argv[2], "a \"b\"");
    assert_null(task->ext.argv[3]);
    rouse_task_free(task);
}

static void test_copy(void **state)
{
    (void)state;
    rouse_task *task = decode(full);
    rouse_task *copy = rouse_task_copy(task);
    rouse_task_free(task);
    char *text = rouse_task_encode(copy, NULL);
    assert_string_equal(text, full);
    free(text);
    rouse_task_free(copy);
    /* Also of a record that no call Returned. */
    static const char *words[] = {"true", NULL};
    rouse_task own = {
        .task_id = "x", .task_type = "t", .description = "", .has_ext = true, .ext = {.argv = words, .exit_code = -1}};
    copy = rouse_task_copy(&own);
    text = rouse_task_encode(copy, NULL);
    assert_string_equal(
        text,
        "{\"task_id\":\"x\",\"owner_thread_id\":\"\",\"task_type\":\"t\",\"description\":\"\",\"status\":\"running\","
        "\"created_at_ms\":0,\"parent_context\":{},\"ext\":{\"argv\":[\"true\"]}}");
    free(text);
    rouse_task_free(copy);
}

/* null is a result, and not the same as none. */
static void test_results(void **state)
{
    (void)state;
    static const struct {
        const char *given, *result, *written;
    } rows[] = {
        {"null", "null", "null"},
        {"  1.50 ", "1.50", "1.50"},
        {"123456789012345678901234567890", "123456789012345678901234567890", "123456789012345678901234567890"},
        {"{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":1,\"a\":2,\"b\":3}"},
        {"\"\\u0041\\/\"", "\"\\u0041\\/\"", "\"\\u0041\\/\""},
        {"[1,\n2]", "[1,\n2]", "[1, 2]"}, /* a record is one line */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char json[400], expected[400];
        snprintf(json, sizeof json, "{" LEAST ",\"result\":%s}", rows[i].given);
        rouse_task *task = decode(json);
        assert_string_equal(task->result, rows[i].result);
        char *text = rouse_task_encode(task, NULL);
        snprintf(expected, sizeof expected, "\"status\":\"running\",\"result\":%s,\"created_at_ms\":1",
                 rows[i].written);
        assert_non_null(strstr(text, expected));
        free(text);
        rouse_task_free(task);
    }
}

static void test_ext_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *ext;
        const char *encoded; /* NULL: refused */
    } rows[] = {
        {"null", ""},
        {"{}", ",\"ext\":{}"},
        {"{\"of_tomorrow\":3}", ",\"ext\":{}"},
        {"{\"attempt\":3,\"after\":[\"bg_1\"],\"queue\":null}", ",\"ext\":{\"after\":[\"bg_1\"],\"attempt\":3}"},
        {"{\"stage\":\"queued\",\"queue\":\"q\",\"in_queue\":true,\"priority\":-3,\"queue_limit\":2}",
         ",\"ext\":{\"stage\":\"queued\",\"queue\":\"q\",\"in_queue\":true,\"priority\":-3,\"queue_limit\":2}"},
        {"{\"progress\":{\"done\":1,\"message\":\"m\"},\"input\":[1.50],\"function\":\"f\",\"labels\":[\"a=b\"]}",
         ",\"ext\":{\"function\":\"f\",\"input\":[1.50],\"progress\":{\"done\":1,\"total\":0,\"message\":\"m\"},\"labels\":[\"a=b\"]}"},
        {"{\"after\":[\"a\"],\"after_if\":\"failed\",\"dependents\":[\"b\",\"c\"]}",
         ",\"ext\":{\"after\":[\"a\"],\"after_if\":\"failed\",\"dependents\":[\"b\",\"c\"]}"},
        {"{\"after_if\":\"perhaps\"}", NULL},
        {"{\"attempt\":-1}", NULL},
        {"{\"kind\":null,\"argv\":null,\"output\":null,\"exit_code\":null}", ",\"ext\":{}"},
        {"{\"stage\":\"running\",\"ready\":false,\"killed\":0,\"exit_code\":-1}", ",\"ext\":{}"},
        {"{\"argv\":[]}", ",\"ext\":{\"argv\":[]}"},
        {"{\"output\":{}}", ",\"ext\":{\"output\":{\"size\":0,\"kept\":0,\"dropped\":0}}"},
        {"[]", NULL},
        {"\"x\"", NULL},
        {"{\"pid\":\"1\"}", NULL},
        {"{\"argv\":[1]}", NULL},
        {"{\"exit_code\":1.5}", NULL},
        {"{\"ready\":1}", NULL},
        {"{\"output\":[]}", NULL},
        {"{\"kind\":\"a\",\"kind\":\"a\"}", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char json[400], expected[400];
        rouse_task *task = NULL;
        snprintf(json, sizeof json, "{" LEAST ",\"ext\":%s}", rows[i].ext);
        if (!rows[i].encoded) {
            assert_refused(rouse_task_decode(json, strlen(json), &task, &err), ROUSE_EDATA, "`");
            assert_null(task);
            continue;
        }
        task = decode(json);
        char *text = rouse_task_encode(task, NULL);
        snprintf(expected, sizeof expected, "\"parent_context\":{}%s}", rows[i].encoded);
        assert_non_null(strstr(text, expected));
        free(text);
        rouse_task_free(task);
    }
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"{}", "missing field `task_id`"},
        {"{\"task_id\":\"a\"}", "missing field `task_type`"},
        {"{\"task_id\":7}", "`task_id` must be a string, not 7"},
        {"{\"status\":\"Running\"}", "`status` has an unknown value \"Running\""},
        {"{" LEAST ",\"parent_context\":{\"run_id\":1}}", "in `parent_context`: `run_id` must be a string, not 1"},
        {"{" LEAST ",\"ext\":{\"output\":{\"size\":-1}}}", "in `ext`: in `output`: `size` must be"},
        {"{" LEAST ",\"task_id\":\"b\"}", "duplicate field `task_id`"},
        {"{" LEAST "} {}", "something follows"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_task *task = NULL;
        assert_refused(rouse_task_decode(rows[i].json, strlen(rows[i].json), &task, &err), ROUSE_EDATA,
                       rows[i].message);
        assert_null(task);
    }
}

/* What is shown says the stage too; what is stored does not, for it is found out when the record is read. */
static void test_shown(void **state)
{
    (void)state;
    rouse_task *task = decode("{" LEAST ",\"name\":\"n\",\"ext\":{\"kind\":\"process\",\"stage\":\"running\"}}");
    char *shown = rouse_task_json(task, NULL), *stored = rouse_task_encode(task, NULL);
    assert_non_null(strstr(shown, "\"name\":\"n\""));
    assert_non_null(strstr(shown, "\"ext\":{\"kind\":\"process\",\"stage\":\"running\"}"));
    assert_non_null(strstr(stored, "\"ext\":{\"kind\":\"process\"}"));
    free(shown);
    free(stored);
    rouse_task_free(task);
}

static void defect_27_bad_results_are_not_written(void **state)
{
    (void)state;
    static const struct {
        const char *result;
        int code;
    } rows[] = {{"", ROUSE_EDATA}, {"{", ROUSE_EDATA}, {"1 2", ROUSE_EDATA}, {"\"\xff\"", ROUSE_EDATA}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_task task = {.task_id = "bg_3", .task_type = "t", .description = "d", .result = rows[i].result};
        rouse_error err = {0};
        assert_null(rouse_task_encode(&task, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.message, "result of task 'bg_3'"));
    }
    /* As deep as can be read back within a record, and one more. */
    char deep[2 * 127 + 1];
    for (size_t levels = 126; levels <= 127; levels++) {
        memset(deep, '[', levels);
        memset(deep + levels, ']', levels);
        deep[2 * levels] = '\0';
        rouse_task task = {.task_id = "bg_3", .task_type = "t", .description = "d", .result = deep}, *back = NULL;
        char *text = rouse_task_encode(&task, NULL);
        assert_int_equal(text != NULL, levels == 126);
        if (text)
            assert_works(rouse_task_decode(text, strlen(text), &back, &err));
        rouse_task_free(back);
        free(text);
    }
}

static void test_ids(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool ok;
    } rows[] = {
        {"bg_0", true},
        {"bg_007", true},
        {"bg_x", true},
        {"bg_", true},
        {"job", true},
        {"", true},
        {"bg_1x", true},
        {"bg_9223372036854775806", true},
        {"bg_9223372036854775807", false},
        {"bg_18446744073709551615", false},
        {"bg_18446744073709551616", false},
        {"bg_+18446744073709551615", false},
        {"bg_99999999999999999999999999", false},
        {"bg_18446744073709551615x", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].ok)
            assert_works(record_check_id(rows[i].id, &err));
        else
            assert_refused(record_check_id(rows[i].id, &err), ROUSE_EDATA, rows[i].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_ext_of_others),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_shown),
        cmocka_unit_test(defect_27_bad_results_are_not_written),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
