/* Messages between agents: who may write to whom, what arrives, what is never told twice, what nobody read. */
#include <stdlib.h>
#include <string.h>

#include "support/check.h"
#include "support/scene.h"

static struct scene scene;

static int set_up(void **state)
{
    *state = &scene;
    scene_init(&scene);
    return 0;
}

static int tear_down(void **state)
{
    scene_done(*state);
    return 0;
}

/* A process that stands for an agent: it runs until it is cancelled. */
static void start(struct scene *s, const char *thread, const char *name, bool sub_agent, char id[32])
{
    const char *argv[] = {"sleep", "600", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    rouse_task *task = NULL;
    const rouse_task_spec spec = {.thread = thread, .name = name, .argv = argv, .env = env, .sub_agent = sub_agent};
    assert_works(rouse_task_start(s->manager, &spec, &task, &err));
    snprintf(id, 32, "%s", task->task_id);
    rouse_task_free(task);
}

static void end(struct scene *s, const char *id)
{
    const rouse_cancel now = {.has_grace = true};
    assert_works(rouse_task_cancel(s->manager, id, &now, NULL, &err));
}

/* The texts of the messages in a thread's inbox, as "a b ". */
static const char *messages(struct scene *s, const char *thread)
{
    static char text[4096];
    rouse_events *events = NULL;
    text[0] = '\0';
    assert_works(rouse_store_inbox(s->store, thread, 0, false, 0, &events, &err));
    for (size_t i = 0; i < rouse_events_count(events); i++) {
        const char *json = rouse_events_at(events, i)->json;
        const char *content = strstr(json, "\"content\":\"");
        if (!content)
            continue;
        content += strlen("\"content\":\"");
        size_t len = strcspn(content, "\"");
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s ", (int)len, content);
    }
    rouse_events_free(events);
    return text;
}

/* t has the sub-agents anna and otto and the command make; anna has the sub-agent nina; u has the sub-agent stranger. */
struct family {
    char anna[32], otto[32], nina[32], make[32], stranger[32];
    char anna_thread[64], otto_thread[64], nina_thread[128], stranger_thread[64];
};

static void family_make(struct scene *s, struct family *f)
{
    start(s, "t", "anna", true, f->anna);
    start(s, "t", "otto", true, f->otto);
    start(s, "t", "make", false, f->make);
    snprintf(f->anna_thread, sizeof f->anna_thread, "t/%s", f->anna);
    snprintf(f->otto_thread, sizeof f->otto_thread, "t/%s", f->otto);
    start(s, f->anna_thread, "nina", true, f->nina);
    snprintf(f->nina_thread, sizeof f->nina_thread, "%s/%s", f->anna_thread, f->nina);
    start(s, "u", "stranger", true, f->stranger);
    snprintf(f->stranger_thread, sizeof f->stranger_thread, "u/%s", f->stranger);
}

static void defect_23_who_reaches_whom(void **state)
{
    struct scene *s = *state;
    struct family f;
    family_make(s, &f);
    const struct {
        const char *from, *child, *agent;
        bool parent;
        const char *arrives; /* in which inbox */
        const char *error, *detail;
    } rows[] = {
        {.from = "t", .child = "anna", .arrives = f.anna_thread},
        {.from = "t", .child = f.otto, .arrives = f.otto_thread},
        {.from = f.anna_thread, .child = "nina", .arrives = f.nina_thread},
        {.from = f.anna_thread, .parent = true, .arrives = "t"},
        {.from = f.nina_thread, .parent = true, .arrives = f.anna_thread},
        {.from = f.anna_thread, .agent = f.otto_thread, .arrives = f.otto_thread},
        {.from = f.nina_thread, .agent = "t", .arrives = "t"},
        {.from = "t", .agent = f.nina_thread, .arrives = f.nina_thread},
        {.from = "t", .parent = true, .error = "recipient_unavailable", .detail = "this agent has no parent"},
        {.from = "t/bg_999", .parent = true, .error = "recipient_unavailable", .detail = "this agent has no parent"},
        {.from = "t", .child = "nobody", .error = "recipient_not_found", .detail = "task not found"},
        {.from = "t", .child = "bg_999", .error = "recipient_not_found", .detail = "task not found"},
        {.from = "t", .child = f.nina, .error = "permission_denied", .detail = "caller does not own this task"},
        {.from = "t", .child = f.stranger, .error = "permission_denied", .detail = "caller does not own this task"},
        {.from = "t", .child = "make", .error = "recipient_unavailable", .detail = "task has no inbox (not a sub-agent)"},
        {.from = "t", .agent = "u", .error = "permission_denied", .detail = "the thread is of another tree of agents"},
        {.from = f.otto_thread, .agent = f.stranger_thread, .error = "permission_denied",
         .detail = "the thread is of another tree of agents"},
        /* A thread that only looks like a sub-agent's of t is a tree of its own. */
        {.from = "t/bg_999", .agent = "t", .error = "permission_denied", .detail = "the thread is of another tree of agents"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[16];
        snprintf(text, sizeof text, "m%zu", i);
        const rouse_send send = {.thread = rows[i].from, .child = rows[i].child, .parent = rows[i].parent,
                                 .agent_thread = rows[i].agent, .text = text};
        rouse_receipt receipt;
        assert_works(rouse_task_send(s->manager, &send, &receipt, &err));
        if (rows[i].error) {
            assert_string_equal(receipt.error, rows[i].error);
            assert_string_equal(receipt.detail, rows[i].detail);
            assert_string_equal(receipt.message_id, "");
        } else {
            assert_null(receipt.error);
            assert_int_equal(strlen(receipt.message_id), 36);
            assert_non_null(strstr(messages(s, rows[i].arrives), text));
        }
    }
    assert_string_equal(messages(s, "u"), "");
    assert_string_equal(messages(s, f.stranger_thread), "");
}

static void test_what_arrives(void **state)
{
    struct scene *s = *state;
    struct family f;
    rouse_events *events = NULL;
    rouse_receipt receipt;
    char want[256];
    family_make(s, &f);
    assert_works(rouse_task_send(s->manager, &(rouse_send){.thread = "t", .child = "anna", .text = "", .from = "chief"}, &receipt,
                                 &err));
    assert_works(rouse_store_inbox(s->store, f.anna_thread, 0, false, 0, &events, &err));
    assert_int_equal(rouse_events_count(events), 1);
    snprintf(want, sizeof want,
             "{\"event_type\":\"agent_message\",\"kind\":\"custom\",\"payload\":{\"content\":\"\",\"from\":\"chief\","
             "\"message_id\":\"%s\"},\"task_id\":\"%s\"}",
             receipt.message_id, f.anna);
    assert_string_equal(rouse_events_at(events, 0)->json, want);
    assert_string_equal(messages(s, f.otto_thread), "");
    rouse_events_free(events);
}

static void test_bad_messages(void **state)
{
    struct scene *s = *state;
    static char long_text[(64 << 10) + 2], long_name[300];
    memset(long_text, 'x', sizeof long_text - 1);
    memset(long_name, 'x', sizeof long_name - 1);
    const struct {
        rouse_send send;
        int code;
    } rows[] = {
        {{.child = "a", .text = "x"}, ROUSE_EINVAL},
        {{.thread = "t", .child = "a"}, ROUSE_EINVAL},
        {{.thread = "t", .text = "x"}, ROUSE_EINVAL},
        {{.thread = "t", .text = "x", .child = "a", .parent = true}, ROUSE_EINVAL},
        {{.thread = "t", .text = "\xff", .child = "a"}, ROUSE_EINVAL},
        {{.thread = "t", .text = "x", .child = "a", .from = "\xff"}, ROUSE_EINVAL},
        {{.thread = "t", .text = "x", .child = "a", .from = long_name}, ROUSE_ELIMIT},
        {{.thread = "t", .text = "x", .child = "a", .key = ""}, ROUSE_EINVAL},
        {{.thread = "t", .text = "x", .child = "a", .key = long_name}, ROUSE_EINVAL},
        {{.thread = "t", .text = long_text, .child = "a"}, ROUSE_ELIMIT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_receipt receipt = {.message_id = "untouched"};
        assert_refused(rouse_task_send(s->manager, &rows[i].send, &receipt, &err), rows[i].code, "");
        assert_string_equal(receipt.message_id, "untouched");
    }
    assert_int_equal(scene_events(s, NULL, NULL), 0);
}

static void test_sent_again_is_told_once(void **state)
{
    struct scene *s = *state;
    struct family f;
    rouse_receipt first, again, other;
    family_make(s, &f);
    const rouse_send send = {.thread = "t", .child = "anna", .text = "once", .key = "call-1"};
    assert_works(rouse_task_send(s->manager, &send, &first, &err));
    scene_close(s); /* the answer was lost, and so was the sender */
    scene_open(s);
    assert_works(rouse_task_send(s->manager, &send, &again, &err));
    assert_string_equal(again.message_id, first.message_id);
    assert_string_equal(messages(s, f.anna_thread), "once ");
    assert_works(rouse_task_send(s->manager, &(rouse_send){.thread = "t", .child = "otto", .text = "once", .key = "call-1"}, &other,
                                 &err));
    assert_string_not_equal(other.message_id, first.message_id);
}

static const char *recover_letters(struct scene *s, const char *thread, enum rouse_recover action)
{
    static char text[2048];
    char *json = NULL;
    assert_works(rouse_message_recover(s->manager, thread, action, &json, &err));
    snprintf(text, sizeof text, "%s", json);
    free(json);
    return text;
}

static void test_dead_letters(void **state)
{
    struct scene *s = *state;
    struct family f;
    char heir[32], heir_thread[64], want[512];
    rouse_receipt receipt;
    family_make(s, &f);
    assert_string_equal(recover_letters(s, NULL, ROUSE_RECOVER_LIST), "{\"action\":\"list\",\"count\":0,\"messages\":[]}");
    assert_works(rouse_task_send(s->manager, &(rouse_send){.thread = "t", .child = "anna", .text = "late"}, &receipt, &err));
    assert_works(rouse_task_send(s->manager, &(rouse_send){.thread = "t", .child = "otto", .text = "fine"}, &(rouse_receipt){0}, &err));
    assert_string_equal(recover_letters(s, NULL, ROUSE_RECOVER_LIST), "{\"action\":\"list\",\"count\":0,\"messages\":[]}");
    end(s, f.anna);
    rouse_receipt late;
    assert_works(rouse_task_send(s->manager, &(rouse_send){.thread = "t", .child = f.anna, .text = "later"}, &late, &err));
    assert_string_equal(late.error, "recipient_unavailable");
    assert_string_equal(late.detail, "task already cancelled");
    snprintf(want, sizeof want,
             "{\"action\":\"list\",\"count\":1,\"messages\":[{\"message_id\":\"%s\",\"recipient_thread_id\":\"%s\","
             "\"recipient_agent_id\":null,\"error\":\"task already cancelled\"}]}",
             receipt.message_id, f.anna_thread);
    assert_string_equal(recover_letters(s, "t", ROUSE_RECOVER_LIST), want);
    assert_string_equal(recover_letters(s, "u", ROUSE_RECOVER_CLEAR), "{\"action\":\"clear\",\"count\":0}");
    /* Nobody has the name: it stays. */
    assert_string_equal(recover_letters(s, "t", ROUSE_RECOVER_REPLAY), "{\"action\":\"replay\",\"count\":0}");
    start(s, "t", "anna", true, heir);
    snprintf(heir_thread, sizeof heir_thread, "t/%s", heir);
    assert_string_equal(recover_letters(s, "t", ROUSE_RECOVER_REPLAY), "{\"action\":\"replay\",\"count\":1}");
    assert_string_equal(messages(s, heir_thread), "late ");
    assert_string_equal(messages(s, f.anna_thread), "");
    assert_string_equal(recover_letters(s, "t", ROUSE_RECOVER_REPLAY), "{\"action\":\"replay\",\"count\":0}");
    end(s, heir);
    assert_string_equal(recover_letters(s, "t", ROUSE_RECOVER_CLEAR), "{\"action\":\"clear\",\"count\":1}");
    assert_string_equal(recover_letters(s, "t", ROUSE_RECOVER_LIST), "{\"action\":\"list\",\"count\":0,\"messages\":[]}");
    assert_string_equal(messages(s, f.otto_thread), "fine ");
}

static void test_a_full_inbox(void **state)
{
    struct scene *s = *state;
    struct family f;
    rouse_receipt receipt;
    family_make(s, &f);
    rouse_post posts[1000];
    for (size_t i = 0; i < COUNT(posts); i++)
        posts[i] = (rouse_post){.thread = f.anna_thread, .task_id = "",
                                .json = "{\"kind\":\"custom\",\"task_id\":\"\",\"event_type\":\"x\",\"payload\":0}"};
    rouse_commit commit = {.thread = f.anna_thread, .posts = posts, .n_posts = COUNT(posts)};
    assert_works(rouse_store_commit(s->store, &commit, NULL, &err));
    assert_works(rouse_task_send(s->manager, &(rouse_send){.thread = "t", .child = "anna", .text = "x"}, &receipt, &err));
    assert_string_equal(receipt.error, "recipient_unavailable");
    assert_string_equal(receipt.detail, "its inbox is full of unread events");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defect_23_who_reaches_whom, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_arrives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sent_again_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead_letters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_inbox, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
