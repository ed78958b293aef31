/* Lack of memory in what agent.h and model.h offer: the n-th allocation fails, for every n until none is left to fail. Each call then
 * gives ROUSE_ENOMEM, or has done its work, and leaks nothing (a sanitizer's business). A run that ended so is resumed when there
 * is memory again, and then the conversation is whole. */
#include "base/error.h"
#include "support/fail_alloc.h"

#include "stage.h"

#define MOST 20000 /* allocations in one scenario; more means that it never gets through */

static struct stage stage;
static bool lacking; /* an allocation failed */

static int op_open_model(rouse_error *err)
{
    char selector[160];
    rouse_model *model = NULL;
    snprintf(selector, sizeof selector, "scripted:%s/script.json", stage.scene.dir);
    int code = rouse_model_open(selector, NULL, &model, err);
    assert_int_equal(model != NULL, code == 0);
    rouse_model_free(model);
    return code;
}

static int op_complete(rouse_error *err)
{
    static const char *const messages[] = {"{\"role\":\"user\",\"content\":\"go\"}"};
    static const rouse_tool_schema tool = {"list_tasks", "lists", "{\"type\":\"object\"}"};
    const rouse_model_request request = {
        .system = "be brief", .messages = messages, .n_messages = 1, .tail = "tail", .tools = &tool, .n_tools = 1};
    rouse_model_reply *reply = NULL;
    int code = stage.model.inner->complete(stage.model.inner, &request, &(rouse_model_sink){0}, &reply, err);
    rouse_model_reply_free(reply);
    return code;
}

static int op_copy_reply(rouse_error *err)
{
    static const rouse_tool_call calls[] = {{"1", "a", "{}"}, {"2", "b", "{\"x\":1}"}};
    static const rouse_model_reply reply = {.text = "text", .calls = calls, .n_calls = 2, .finish_reason = "stop"};
    rouse_model_reply *copy = rouse_model_reply_copy(&reply);
    rouse_model_reply_free(copy);
    return copy ? 0 : rouse_fail_memory(err);
}

static int op_pending_work(rouse_error *err)
{
    void *update = rouse_pending_work_set(true);
    if (!update)
        return rouse_fail_memory(err);
    rouse_pending_work_key.release_update(update);
    return 0;
}

static int op_new_agent(rouse_error *err)
{
    rouse_agent *agent = NULL;
    int code = rouse_agent_new(&stage.options, &agent, err);
    assert_int_equal(agent != NULL, code == 0);
    rouse_agent_free(agent);
    return code;
}

/* Injects, denies one of two tools, and sets a value. */
static int hook(rouse_hook *h, void *userdata, rouse_error *err)
{
    (void)userdata;
    if (h->phase == ROUSE_BEFORE_INFERENCE)
        return rouse_hook_inject(h, "injected", true, err);
    return strcmp(h->call->name, "read_output") == 0 ? rouse_hook_deny(h, "not now", err) : 0;
}

/* There is memory again: the run goes on from where it was left, which may be before its beginning or behind its end. */
static void end_run(void)
{
    rouse_agent_result *result = NULL;
    rouse_run *run = NULL;
    rouse_error err = {0};
    int code = stage_try(&stage, NULL, &result, &err);
    if (code == ROUSE_ENOTFOUND && rouse_store_last_run(stage.scene.store, stage.options.thread, &run, &err) == ROUSE_ENOTFOUND)
        code = stage_try(&stage, "go", &result, &err);
    if (run)
        assert_string_equal(run->status, "done");
    else if (code < 0)
        fail_msg("%s: %s", stage.options.thread, err.message);
    else
        assert_string_equal(result->status_reason, "natural");
    rouse_run_free(run);
    rouse_agent_result_free(result);
}

/* Each on a thread of its own, so that each plays the script from its first turn. */
static int op_run(rouse_error *err)
{
    static unsigned long number;
    static char thread[32];
    rouse_agent_result *result = NULL;
    rouse_agent *agent = NULL;
    snprintf(thread, sizeof thread, "run-%lu", number++);
    stage.options.thread = thread;
    int code = rouse_agent_new(&stage.options, &agent, err);
    if (code == 0)
        code = rouse_agent_run(agent, "go", &result, err);
    rouse_agent_free(agent);
    assert_int_equal(result != NULL, code == 0);
    rouse_agent_result_free(result);
    if (code < 0) {
        lacking = fail_alloc_stop();
        end_run();
    }
    stage.options.thread = "t";
    return code;
}

static const struct operation {
    const char *label;
    int (*run)(rouse_error *err);
} operations[] = {
    {"open a model", op_open_model}, {"complete", op_complete},   {"copy a reply", op_copy_reply},
    {"pending work", op_pending_work}, {"new agent", op_new_agent}, {"run", op_run},
};

static void starve(const struct operation *op, enum fail_alloc how)
{
    unsigned long n = 1;
    do {
        assert_true(n < MOST);
        rouse_error why = {0};
        lacking = false;
        fail_alloc_at(n, how);
        int code = op->run(&why);
        lacking |= fail_alloc_stop();
        if (code < 0 && (!lacking || code != ROUSE_ENOMEM || why.code != ROUSE_ENOMEM))
            fail_msg("%s, allocation %lu: %d: %s", op->label, n, code, why.message);
        n++;
    } while (lacking);
    assert_true(n > 2); /* something did fail */
}

static void test_starved(void **state)
{
    const struct operation *op = *state;
    starve(op, FAIL_ONCE);
    starve(op, FAIL_FROM_THEN_ON);
}

static int set_up(void **state)
{
    static const rouse_plugin hooks = {
        .name = "hooks",
        .phases = ROUSE_PHASE_BIT(ROUSE_BEFORE_INFERENCE) | ROUSE_PHASE_BIT(ROUSE_TOOL_GATE),
        .hook = hook,
    };
    static const rouse_plugin *const plugins[] = {&rouse_background_plugin, &hooks};
    (void)state;
    stage_init(&stage, "{\"turns\":[{\"say\":\"I look\",\"tools\":[{\"name\":\"list_tasks\"},{\"name\":\"read_output\","
                       "\"arguments\":{\"task\":\"x\"}}]},{\"say\":\"done\"}]}");
    stage.options.model = stage.model.inner;
    stage.options.manager = stage.scene.manager;
    stage.options.event = NULL;
    stage.options.plugins = plugins;
    stage.options.n_plugins = 2;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stage_done(&stage);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[sizeof operations / sizeof *operations];
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        tests[i] = (struct CMUnitTest){operations[i].label, test_starved, set_up, tear_down, (void *)(uintptr_t)&operations[i]};
    return check_run(tests, NULL, NULL);
}
