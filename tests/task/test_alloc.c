/* Lack of memory: the n-th allocation fails, for every n until none is left to fail. Each scenario then gives ROUSE_ENOMEM and
 * nothing else, and leaks nothing (a sanitizer's business). */
#include "support/check.h"

#include "base/lookup.h"
#include "json/value.h"
#include "state/apply.h"
#include "state/document.h"
#include "state/set.h"
#include "support/fail_alloc.h"
#include "support/shelf.h"
#include "task/event.h"
#include "task/keys.h"
#include "task/record.h"

#define MOST 10000 /* allocations in one scenario; more means that it never gets through */

static const char record[] =
    "{\"task_id\":\"bg_7\",\"owner_thread_id\":\"th\",\"task_type\":\"shell\",\"name\":\"n\",\"description\":\"d\","
    "\"status\":\"running\","
    "\"error\":\"e\",\"result\":{\"z\":1},\"created_at_ms\":1,\"completed_at_ms\":2,\"parent_context\":{\"run_id\":"
    "\"r\"},"
    "\"ext\":{\"kind\":\"process\",\"argv\":[\"sh\",\"-c\"],\"cwd\":\"/\",\"reason\":\"why\"}}";
static const char view[] = "{\"tasks\":{\"a\":{\"task_type\":\"t\",\"description\":\"d\",\"status\":\"failed\"}}}";

static rouse_task *task; /* record, decoded while there is memory */

/* 0 for a text, which it frees. */
static int take_text(char *text, rouse_error *err)
{
    if (!text)
        return err->code;
    free(text);
    return 0;
}

static int decode_record(rouse_error *err)
{
    rouse_task *decoded = NULL;
    int code = rouse_task_decode(record, sizeof record - 1, &decoded, err);
    assert_int_equal(decoded != NULL, code == 0);
    rouse_task_free(decoded);
    return code;
}

static int encode_record(rouse_error *err)
{
    return take_text(rouse_task_encode(task, err), err);
}

static int show_record(rouse_error *err)
{
    return take_text(rouse_task_json(task, err), err);
}

static int copy_record(rouse_error *err)
{
    rouse_task *copy = rouse_task_copy(task);
    rouse_task_free(copy);
    return copy ? 0 : rouse_fail_memory(err);
}

static int events(rouse_error *err)
{
    struct arena arena = {0};
    struct buf out = BUF_INIT(0), message = BUF_INIT(0);
    struct event event;
    event_add_completed(&out, "bg_1", "[1,2,3]");
    int code = buf_check(&out, err);
    if (code == 0)
        code = event_decode(out.data, out.len, &arena, &event, err);
    if (code == 0)
        code = event_add_message(&message, out.data, out.len, err);
    arena_done(&arena);
    buf_done(&out);
    buf_done(&message);
    return code;
}

static int value(const rouse_key *key, const char *json, rouse_error *err)
{
    void *decoded = NULL;
    int code = key->decode(NULL, json, strlen(json), &decoded, err);
    assert_int_equal(decoded != NULL, code == 0);
    if (code == 0)
        code = take_text(key->encode(decoded, err), err);
    key->release(decoded);
    return code;
}

static int state_value(rouse_error *err)
{
    return value(&rouse_task_state_key, record, err);
}

static int view_value(rouse_error *err)
{
    return value(&rouse_view_key, view, err);
}

/* Updates as JSON and as structs, into one batch, merged with another, applied, written. */
static int fill_batch(rouse_batch *batch, rouse_error *err)
{
    char upsert[1024], replace[1024];
    const rouse_task *all[] = {task, task};
    snprintf(upsert, sizeof upsert, "{\"Upsert\":%s}", record);
    snprintf(replace, sizeof replace, "{\"ReplaceAll\":{\"tasks\":{\"bg_7\":%s}}}", record);
    int code = rouse_batch_add_json(batch, &rouse_task_state_key, upsert, strlen(upsert), err);
    if (code == 0)
        code = rouse_batch_add_json(batch, &rouse_task_state_key, replace, strlen(replace), err);
    if (code == 0)
        code = rouse_batch_add(batch, &rouse_task_state_key, rouse_task_replace_all(all, 2), err);
    return code == 0 ? rouse_batch_add(batch, &rouse_task_state_key, rouse_task_upsert(task), err) : code;
}

static int fill_view_batch(rouse_batch *batch, rouse_error *err)
{
    static const rouse_view_entry entry = {.task_id = "a", .task_type = "t", .description = "d"};
    char replace[1024];
    snprintf(replace, sizeof replace, "{\"Replace\":%s}", view);
    int code = rouse_batch_add_json(batch, &rouse_view_key, replace, strlen(replace), err);
    if (code == 0)
        code = rouse_batch_add(batch, &rouse_view_key, rouse_view_clear(), err);
    return code == 0 ? rouse_batch_add(batch, &rouse_view_key, rouse_view_replace(&entry, 1), err) : code;
}

static int apply(const rouse_key *key, int (*fill)(rouse_batch *batch, rouse_error *err), rouse_error *err)
{
    struct shelf shelf = {.key = key};
    rouse_batch *batch = rouse_batch_new(), *other = rouse_batch_new();
    int code = batch && other ? fill(batch, err) : rouse_fail_memory(err);
    if (code == 0)
        code = rouse_batch_merge(other, batch, err);
    for (int round = 0; round < 2 && code == 0; round++) /* the second reads what the first wrote */
        code = shelf_apply(&shelf, other, err);
    rouse_batch_free(batch);
    rouse_batch_free(other);
    shelf_done(&shelf);
    return code;
}

static int apply_state(rouse_error *err)
{
    return apply(&rouse_task_state_key, fill_batch, err);
}

static int apply_view(rouse_error *err)
{
    return apply(&rouse_view_key, fill_view_batch, err);
}

static int add_entry(struct state_set *set, int i, rouse_error *err)
{
    char name[16];
    rouse_task *copy = rouse_task_copy(task);
    struct cell *cell = copy ? cell_new(&rouse_task_state_key, copy) : NULL;
    struct state_slot *slot = state_set_slot(set, &rouse_task_state_key);
    snprintf(name, sizeof name, "bg_%d", i);
    struct ptree_item *item = cell ? ptree_item_new(name, (uint64_t)i, cell) : NULL;
    int code = item && slot && state_set_reserve(set, 1) == 0 ? 0 : rouse_fail_memory(err);
    if (code == 0)
        state_set_put(set, slot, item);
    ptree_item_unref(item);
    return code;
}

static int snapshots(rouse_error *err)
{
    struct state_set set = {0};
    int code = 0;
    for (int i = 0; i < 20 && code == 0; i++) {
        code = add_entry(&set, i, err);
        rouse_snapshot *s = code == 0 ? state_set_snapshot(1, &set, NULL, NULL, NULL) : NULL;
        if (code == 0 && !s)
            code = rouse_fail_memory(err);
        rouse_snapshot_unref(s);
    }
    state_set_done(&set);
    return code;
}

static int visit(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    (void)userdata, (void)name, (void)json, (void)err;
    return 0;
}

static int documents(rouse_error *err)
{
    static const char json[] = "{\"revision\":1,\"extensions\":{\"a\":{},\"b\":[]}}";
    struct document document;
    int code = document_parse(json, sizeof json - 1, &document, err);
    return code == 0 ? document_keys(&document, visit, NULL, err) : code;
}

static int trees(rouse_error *err)
{
    json_t *tree = NULL;
    char *text = NULL;
    int code = json_value_parse(record, sizeof record - 1, &tree, err);
    if (code == 0)
        text = json_value_text(tree, err);
    if (text && strcmp(text, record) != 0)
        fail_msg("%s", text);
    json_decref(tree);
    return code == 0 ? take_text(text, err) : code;
}

static const struct scenario {
    const char *name;
    int (*run)(rouse_error *err);
} scenarios[] = {
    {"decode_record", decode_record},
    {"encode_record", encode_record},
    {"show_record", show_record},
    {"copy_record", copy_record},
    {"events", events},
    {"state_value", state_value},
    {"view_value", view_value},
    {"apply_state", apply_state},
    {"apply_view", apply_view},
    {"snapshots", snapshots},
    {"documents", documents},
    {"trees", trees},
};

static void run_scenario(const struct scenario *s, enum fail_alloc how)
{
    for (unsigned long n = 1; n <= MOST; n++) {
        rouse_error err = {0};
        fail_alloc_at(n, how);
        int code = s->run(&err);
        if (!fail_alloc_stop()) {
            if (code != 0)
                fail_msg("%s fails with all memory there: %s", s->name, err.message);
            if (n == 1)
                fail_msg("%s allocates nothing", s->name);
            return;
        }
        if (code != ROUSE_ENOMEM || err.code != ROUSE_ENOMEM)
            fail_msg("%s, allocation %lu: %d (%d) %s", s->name, n, code, err.code, err.message);
    }
    fail_msg("%s never gets through", s->name);
}

static void test_fail_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scenarios); i++)
        run_scenario(&scenarios[i], FAIL_ONCE);
}

static void test_fail_from_then_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scenarios); i++)
        run_scenario(&scenarios[i], FAIL_FROM_THEN_ON);
}

static int set_up(void **state)
{
    (void)state;
    json_set_alloc_funcs(malloc, free);
    return rouse_task_decode(record, sizeof record - 1, &task, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    rouse_task_free(task);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail_once),
        cmocka_unit_test(test_fail_from_then_on),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
