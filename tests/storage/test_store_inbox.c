/* Conformance: inbox, conversation, runs. */
#include <stdio.h>
#include <string.h>

#include "conformance.h"

/* ---- inbox ---- */

/* "1:t:bg_0:{} 2:…", '+' behind acknowledged ones. */
static const char *inbox(struct fixture *f, const char *thread, uint64_t after, bool all, size_t limit)
{
    static char text[1024];
    rouse_events *events = NULL;
    assert_fine(rouse_store_inbox(f->store, thread, after, all, limit, &events, &f->err), &f->err);
    text[0] = '\0';
    for (size_t i = 0; i < rouse_events_count(events); i++) {
        const rouse_event *e = rouse_events_at(events, i);
        assert_true(e->created_at_ms > 0);
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%llu:%s:%s:%s%s", i ? " " : "", (unsigned long long)e->id, e->thread,
                 e->task_id, e->json, e->acknowledged ? "+" : "");
    }
    rouse_events_free(events);
    return text;
}

static int acknowledge(struct fixture *f, const char *thread, const uint64_t *ids, size_t count)
{
    rouse_commit c = {.thread = thread, .acks = ids, .n_acks = count};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

static void test_inbox(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(inbox(f, NULL, 0, true, 0), "");
    post(f, "t", "bg_0", "{\"a\":1}");
    post(f, "u", "bg_1", "{}");
    post(f, "t", "", "{}");
    assert_string_equal(inbox(f, "t", 0, false, 0), "1:t:bg_0:{\"a\":1} 3:t::{}");
    assert_string_equal(inbox(f, NULL, 0, false, 0), "1:t:bg_0:{\"a\":1} 2:u:bg_1:{} 3:t::{}");
    assert_string_equal(inbox(f, NULL, 1, false, 1), "2:u:bg_1:{}");
    assert_string_equal(inbox(f, "t", UINT64_MAX, true, 0), "");
    assert_fine(acknowledge(f, "t", (uint64_t[]){1}, 1), &f->err);
    assert_string_equal(inbox(f, "t", 0, false, 0), "3:t::{}");
    assert_string_equal(inbox(f, NULL, 0, false, 0), "2:u:bg_1:{} 3:t::{}");
    assert_string_equal(inbox(f, "t", 0, true, 0), "1:t:bg_0:{\"a\":1}+ 3:t::{}");
    assert_string_equal(inbox(f, NULL, 0, true, 2), "1:t:bg_0:{\"a\":1}+ 2:u:bg_1:{}");
    rouse_events_free(NULL);
}

static void test_acknowledge_once(void **state)
{
    struct fixture *f = *state;
    post(f, "t", "bg_0", "{}");
    post(f, "t", "bg_1", "{}");
    assert_failed(acknowledge(f, "t", (uint64_t[]){1, 9}, 2), &f->err, ROUSE_ECONFLICT, NULL); /* unknown */
    assert_failed(acknowledge(f, "t", (uint64_t[]){1, 1}, 2), &f->err, ROUSE_ECONFLICT, NULL); /* twice */
    assert_failed(acknowledge(f, "u", (uint64_t[]){1}, 1), &f->err, ROUSE_ECONFLICT, NULL);    /* another's */
    assert_string_equal(inbox(f, "t", 0, false, 0), "1:t:bg_0:{} 2:t:bg_1:{}");
    assert_fine(acknowledge(f, "t", (uint64_t[]){1, 2}, 2), &f->err);
    assert_failed(acknowledge(f, "t", (uint64_t[]){2}, 1), &f->err, ROUSE_ECONFLICT, NULL);
}

/* ---- conversation ---- */

static int say(struct fixture *f, const char *thread, const char *id, const char *json)
{
    rouse_message m = {.id = id, .run = NULL, .role = "user", .json = json};
    rouse_commit c = {.thread = thread, .messages = &m, .n_messages = 1};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

static const char *conversation(struct fixture *f, const char *thread, uint64_t after, size_t limit)
{
    static char text[1024];
    rouse_messages *messages = NULL;
    assert_fine(rouse_store_messages(f->store, thread, after, limit, &messages, &f->err), &f->err);
    text[0] = '\0';
    for (size_t i = 0; i < rouse_messages_count(messages); i++) {
        const rouse_message *m = rouse_messages_at(messages, i);
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%llu:%s:%s:%s:%s", i ? " " : "", (unsigned long long)m->seq, m->id, m->run,
                 m->role, m->json);
    }
    rouse_messages_free(messages);
    return text;
}

static void test_messages(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(conversation(f, "t", 0, 0), "");
    rouse_message two[] = {{.id = "m1", .run = "r", .role = "user", .json = "{\"x\":1}", .seq = 77},
                           {.id = "m2", .run = "r", .role = "assistant", .json = "{}"}};
    rouse_commit c = {.thread = "t", .messages = two, .n_messages = 2};
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    assert_fine(say(f, "u", "m1", "{}"), &f->err); /* ids are the thread's own */
    assert_fine(say(f, "t", "m3", "{}"), &f->err);
    assert_string_equal(conversation(f, "t", 0, 0), "1:m1:r:user:{\"x\":1} 2:m2:r:assistant:{} 3:m3::user:{}");
    assert_string_equal(conversation(f, "t", 1, 1), "2:m2:r:assistant:{}");
    assert_string_equal(conversation(f, "u", 0, 0), "1:m1::user:{}");
    assert_string_equal(conversation(f, "t", UINT64_MAX, 0), "");
    assert_failed(say(f, "t", "m2", "{}"), &f->err, ROUSE_ECONFLICT, NULL);
    assert_string_equal(conversation(f, "t", 2, 0), "3:m3::user:{}");
    rouse_messages_free(NULL);
}

static void test_check_messages(void **state)
{
    struct fixture *f = *state;
    rouse_message m = {.id = "m1", .role = "user", .json = "{}"};
    rouse_commit c = {.thread = "t", .messages = &m, .n_messages = 1, .check_messages = true, .messages_after = 1};
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    c.messages_after = 0;
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    m.id = "m2";
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    c.n_messages = 0; /* the check alone */
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    c.messages_after = 1;
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    assert_string_equal(conversation(f, "t", 0, 0), "1:m1::user:{}");
}

static void test_acknowledgement_and_message_are_one(void **state)
{
    struct fixture *f = *state;
    post(f, "t", "bg_0", "{}");
    assert_fine(say(f, "t", "m1", "{}"), &f->err);
    rouse_message again = {.id = "m1", .role = "user", .json = "{}"};
    uint64_t id = 1;
    rouse_commit c = {.thread = "t", .messages = &again, .n_messages = 1, .acks = &id, .n_acks = 1};
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    assert_string_equal(inbox(f, "t", 0, false, 0), "1:t:bg_0:{}");
    again.id = "m2";
    assert_fine(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err);
    assert_string_equal(inbox(f, "t", 0, false, 0), "");
    again.id = "m3"; /* somebody else's acknowledgement came first: no message either */
    assert_failed(rouse_store_commit(f->store, &c, NULL, &f->err), &f->err, ROUSE_ECONFLICT, NULL);
    assert_string_equal(conversation(f, "t", 1, 0), "2:m2::user:{}");
}

/* ---- runs ---- */

static int record_run(struct fixture *f, const char *thread, const char *id, const char *status, const char *reason)
{
    rouse_run run = {.id = id, .status = status, .status_reason = reason, .json = "{\"k\":1}"};
    rouse_commit c = {.thread = thread, .run_record = &run};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

static void assert_run(struct fixture *f, const char *thread, const char *id, const char *status, const char *reason)
{
    rouse_run *run = NULL;
    assert_fine(rouse_store_last_run(f->store, thread, &run, &f->err), &f->err);
    assert_string_equal(run->id, id);
    assert_string_equal(run->status, status);
    assert_string_equal(run->json, "{\"k\":1}");
    assert_true(run->updated_at_ms > 0);
    if (reason)
        assert_string_equal(run->status_reason, reason);
    else
        assert_null(run->status_reason);
    rouse_run_free(run);
}

static void test_runs(void **state)
{
    struct fixture *f = *state;
    rouse_run *none = NULL;
    assert_failed(rouse_store_last_run(f->store, "t", &none, &f->err), &f->err, ROUSE_ENOTFOUND, NULL);
    assert_null(none);
    assert_fine(record_run(f, "t", "r1", "running", NULL), &f->err);
    assert_run(f, "t", "r1", "running", NULL);
    assert_fine(record_run(f, "t", "r2", "waiting", "awaiting_tasks"), &f->err);
    assert_run(f, "t", "r2", "waiting", "awaiting_tasks");
    assert_fine(record_run(f, "t", "r1", "done", "natural"), &f->err); /* an older run's end makes it no newer */
    assert_run(f, "t", "r2", "waiting", "awaiting_tasks");
    assert_failed(record_run(f, "u", "r1", "running", NULL), &f->err, ROUSE_ECONFLICT, NULL);
    assert_failed(rouse_store_last_run(f->store, "u", &none, &f->err), &f->err, ROUSE_ENOTFOUND, NULL);
    rouse_run_free(NULL);
}

static void test_runs_go_forward(void **state)
{
    static const char *const statuses[] = {"created", "running", "waiting", "done"};
    static const char *const allowed[] = {"created running done", "running waiting done", "running waiting done", "done"};
    struct fixture *f = *state;
    char id[32];
    for (size_t from = 0; from < 4; from++) {
        for (size_t to = 0; to < 4; to++) {
            snprintf(id, sizeof id, "r-%zu-%zu", from, to);
            assert_fine(record_run(f, "t", id, statuses[from], NULL), &f->err);
            int code = record_run(f, "t", id, statuses[to], NULL);
            if (strstr(allowed[from], statuses[to]))
                assert_fine(code, &f->err);
            else
                assert_failed(code, &f->err, ROUSE_ECONFLICT, NULL);
        }
    }
    assert_failed(record_run(f, "t", "r", "paused", NULL), &f->err, ROUSE_EINVAL, NULL);
}

/* ---- the table ---- */

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_inbox),
    CONFORMANCE_TEST(test_acknowledge_once),
    CONFORMANCE_TEST(test_messages),
    CONFORMANCE_TEST(test_check_messages),
    CONFORMANCE_TEST(test_acknowledgement_and_message_are_one),
    CONFORMANCE_TEST(test_runs),
    CONFORMANCE_TEST(test_runs_go_forward),
};

int main(void)
{
    return conformance_run("storage/store_inbox", tests, sizeof tests / sizeof *tests);
}
