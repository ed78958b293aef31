/* The tools as a model meets them: called through the loop, judged by what the model reads. */
#include <fcntl.h>
#include <unistd.h>

#include "agent/stage.h"
#include "base/buf.h"

#include "json/jtext.h"
#include "tools/env.h"

/* A script whose one reply calls all the tools. Returns free. */
static char *script_of(const char *const *tools)
{
    struct buf script = BUF_INIT(0);
    buf_adds(&script, "{\"turns\":[{\"tools\":[");
    for (size_t i = 0; tools[i]; i++)
        buf_addf(&script, "%s%s", i > 0 ? "," : "", tools[i]);
    buf_adds(&script, "]},{\"say\":\"done\"}]}");
    return buf_take(&script, NULL);
}

/* Plays it, and what the model then reads. */
static const char *call_all(struct stage *s, const char *const *tools)
{
    char *script = script_of(tools);
    rouse_agent_result *r = NULL;
    stage_script(s, script);
    free(script);
    assert_works(stage_try(s, "go", &r, &err));
    rouse_agent_result_free(r);
    return stage_seen(s);
}

#define call(stage, ...) call_all(stage, (const char *const[]){__VA_ARGS__, NULL})
#define TOOL(name, arguments) "{\"name\":\"" name "\",\"arguments\":" arguments "}"

/* ---- arguments ---- */

static const struct {
    const char *tools, *seen;
} errors[] = {
    {TOOL("fly_to_moon", "{}"), "tool 'fly_to_moon' not found"},
    {TOOL("list_tasks", "[1]"), "Invalid arguments: arguments must be an object, not an array"},
    {TOOL("list_tasks", "\"{\\\"all\\\":\""), "Invalid arguments: JSON ends too early"},
    {TOOL("list_tasks", "{\"all\":1}"), "Invalid arguments: `all` must be"},
    {TOOL("spawn_task", "{}"), "Invalid arguments: nothing to run"},
    {TOOL("spawn_task", "{\"command\":\"true\",\"argv\":[\"true\"]}"), "Invalid arguments: more than one thing to run"},
    {TOOL("spawn_task", "{\"prompt\":\"x\"}"), "Invalid arguments: 'prompt' is for type \"sub_agent\""},
    {TOOL("spawn_task", "{\"type\":\"daemon\",\"command\":\"true\"}"), "Invalid arguments: unknown type 'daemon'"},
    {TOOL("spawn_task", "{\"type\":\"sub_agent\",\"prompt\":\"x\"}"),
     "Execution failed: this agent cannot start sub-agents by prompt"},
    {TOOL("spawn_task", "{\"command\":\"true\",\"name\":\"self\"}"), "Invalid arguments: 'self' is a reserved name"},
    {TOOL("spawn_task", "{\"command\":\"true\",\"timeout_ms\":-1}"), "Invalid arguments: `timeout_ms` must be"},
    {TOOL("spawn_task", "{\"command\":\"true\",\"ready_when\":\"(\"}"), "Invalid arguments: "},
    {TOOL("spawn_task", "{\"command\":\"true\",\"stdin\":\"file\"}"), "Invalid arguments: `stdin`"},
    {TOOL("spawn_task", "{\"command\":\"true\",\"memory_bytes\":5}"), "Invalid arguments: 5 bytes of memory are too few"},
    {TOOL("spawn_task", "{\"command\":\"true\",\"idle_timeout_ms\":99999999999}"), "Invalid arguments: 'idle_timeout_ms' must be at most"},
    {TOOL("write_task", "{\"text\":\"x\"}"), "Invalid arguments: missing field `task`"},
    {TOOL("write_task", "{\"task\":\"x\"}"), "Invalid arguments: nothing to write"},
    {TOOL("write_task", "{\"task\":\"x\",\"text\":\"x\"}"), "Not found: no task 'x'"},
    {TOOL("wait_tasks", "{\"until\":\"match\"}"), "Invalid arguments: 'match' and until"},
    {TOOL("wait_tasks", "{\"match\":\"x\"}"), "Invalid arguments: 'match' and until"},
    {TOOL("wait_tasks", "{\"until\":\"match\",\"match\":\"(\"}"), "Invalid arguments: "},
    {TOOL("wait_tasks", "{\"until\":\"idle\"}"), "Invalid arguments: 'idle_ms' and until"},
    {TOOL("wait_tasks", "{\"until\":\"idle\",\"idle_ms\":600001}"), "Invalid arguments: 'idle_ms' must be at most 600000"},
    {TOOL("read_output", "{}"), "Invalid arguments: missing field `task`"},
    {TOOL("read_output", "{\"task\":\"bg_9\"}"), "Not found: no task 'bg_9'"},
    {TOOL("read_output", "{\"task\":\"x\",\"tail\":1,\"offset\":1}"),
     "Invalid arguments: give 'tail' or 'offset', not both"},
    {TOOL("read_output", "{\"task\":\"x\",\"max_bytes\":65537}"),
     "Invalid arguments: 'max_bytes' must be at most 65536"},
    {TOOL("wait_tasks", "{\"tasks\":[\"nobody\"]}"), "Not found: no task 'nobody'"},
    {TOOL("wait_tasks", "{\"timeout_ms\":600001}"), "Invalid arguments: 'timeout_ms' must be at most 600000"},
    {TOOL("wait_tasks", "{\"mode\":\"some\"}"), "Invalid arguments: `mode`"},
    {TOOL("wait_tasks", "{}"), "{\"timed_out\":false,\"tasks\":[]}"},
    {TOOL("cancel_task", "{}"), "Invalid arguments: missing 'target'"},
    {TOOL("cancel_task", "{\"target\":null}"), "Invalid arguments: missing 'target'"},
    {TOOL("cancel_task", "{\"target\":{}}"), "Invalid arguments: missing 'target.relation'"},
    {TOOL("cancel_task", "{\"target\":{\"relation\":\"child\"}}"), "Invalid arguments: child requires 'name'"},
    {TOOL("cancel_task", "{\"target\":{\"relation\":\"aunt\"}}"), "Invalid arguments: unknown relation 'aunt'"},
    {TOOL("cancel_task", "{\"target\":{\"relation\":\"child\",\"name\":\"ghost\"}}"),
     "{\"status\":\"failed\",\"root_task_id\":\"ghost\",\"cancelled_count\":0,\"error\":\"task_not_found\"}"},
    {TOOL("send_message", "{\"message\":\"x\"}"), "Invalid arguments: missing 'to'"},
    {TOOL("send_message", "{\"to\":{},\"message\":\"x\"}"), "Invalid arguments: missing 'to.relation'"},
    {TOOL("send_message", "{\"to\":{\"relation\":\"child\"},\"message\":\"x\"}"), "Invalid arguments: child requires 'name'"},
    {TOOL("send_message", "{\"to\":{\"relation\":\"agent\"},\"message\":\"x\"}"),
     "Invalid arguments: agent requires 'thread_id'"},
    {TOOL("send_message", "{\"to\":{\"relation\":\"aunt\"},\"message\":\"x\"}"), "Invalid arguments: unknown relation 'aunt'"},
    {TOOL("send_message", "{\"to\":{\"relation\":\"parent\"}}"), "Invalid arguments: missing 'message'"},
    {TOOL("send_message", "{\"to\":{\"relation\":\"parent\"},\"message\":\"x\"}"),
     "{\"message_id\":\"\",\"status\":\"failed\",\"error\":\"recipient_unavailable\"}"},
    {TOOL("send_message", "{\"to\":{\"relation\":\"child\",\"name\":\"ghost\"},\"message\":\"x\"}"),
     "{\"message_id\":\"\",\"status\":\"failed\",\"error\":\"recipient_not_found\"}"},
    {TOOL("send_message", "{\"to\":{\"relation\":\"agent\",\"thread_id\":\"other\",\"agent_id\":\"\"},\"message\":\"x\"}"),
     "{\"message_id\":\"\",\"status\":\"failed\",\"error\":\"permission_denied\"}"},
    {TOOL("recover_failed_messages", "{}"), "{\"action\":\"list\",\"count\":0,\"messages\":[]}"},
    {TOOL("recover_failed_messages", "{\"action\":\"replay\"}"), "{\"action\":\"replay\",\"count\":0}"},
    {TOOL("recover_failed_messages", "{\"action\":\"clear\"}"), "{\"action\":\"clear\",\"count\":0}"},
    {TOOL("recover_failed_messages", "{\"action\":\"burn\"}"), "Invalid arguments: unknown action 'burn'"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        struct stage s;
        stage_init(&s, "{\"turns\":[]}");
        s.options.system = "";
        const char *seen = call(&s, errors[i].tools);
        if (!strstr(seen, errors[i].seen))
            fail_msg("%s gave\n%s", errors[i].tools, seen);
        stage_done(&s);
    }
}

/* ---- starting ---- */

static void test_environment(void **state)
{
    (void)state;
    struct stage s;
    stage_init(&s, "{\"turns\":[]}");
    const char *seen = call(&s, TOOL("spawn_task", "{\"name\":\"env\",\"argv\":[\"env\"]}"), TOOL("wait_tasks", "{}"),
                            TOOL("read_output", "{\"task\":\"env\"}"));
    assert_non_null(strstr(seen, "PATH=/usr/bin:/bin"));
    assert_non_null(strstr(seen, "ROUSE_TASK=bg_0"));
    assert_null(strstr(seen, "hunter2"));
    stage_done(&s);
}

static const struct {
    const char *assignment;
    bool secret;
} names[] = {
    {"OPENAI_API_KEY=x", true}, {"github_token=x", true}, {"AWS_SECRET=x", true},  {"DB_PASSWORD=x", true},
    {"PASSWORD_FILE=x", true},  {"mypasswordx=1", true},  {"PATH=/bin", false},    {"KEYBOARD=us", false},
    {"MONKEY=x", false},        {"TOKENS=5", false},      {"NO_EQUALS_KEY", true}, {"X=A_KEY", false},
};

static void test_secrets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(env_is_secret(names[i].assignment), names[i].secret);
    const char *const env[] = {"OPENAI_API_KEY=k", "OTHER_KEY=o", "ROUSE_THREAD=t", "A=b", NULL};
    struct arena arena = {0};
    const char *const *kept = NULL;
    assert_works(env_for_task(env, false, &arena, &kept, &err));
    assert_string_equal(kept[0], "A=b");
    assert_null(kept[1]);
    assert_works(env_for_task(env, true, &arena, &kept, &err));
    assert_string_equal(kept[0], "OPENAI_API_KEY=k");
    assert_string_equal(kept[1], "A=b");
    assert_null(kept[2]);
    assert_works(env_for_task(NULL, true, &arena, &kept, &err));
    assert_null(kept[0]);
    arena_done(&arena);
}

static void test_sub_agent_by_prompt(void **state)
{
    (void)state;
    static const char *const command[] = {"/bin/echo", "agent", "--", NULL};
    struct stage s;
    rouse_task *task = NULL;
    stage_init(&s, "{\"turns\":[]}");
    s.options.sub_agent = command;
    const char *seen =
        call(&s, TOOL("spawn_task", "{\"name\":\"sub\",\"type\":\"sub_agent\",\"prompt\":\"look; rm -rf $HOME\"}"),
             TOOL("wait_tasks", "{}"), TOOL("read_output", "{\"task\":\"sub\"}"));
    assert_non_null(strstr(seen, "{\"text\":\"agent -- look; rm -rf $HOME\\n\""));
    assert_works(rouse_task_get(s.scene.manager, "t", "bg_0", &task, &err));
    assert_string_equal(task->task_type, "sub_agent");
    assert_string_equal(task->description, "look; rm -rf $HOME");
    rouse_task_free(task);
    stage_done(&s);
}

static void test_command_that_cannot_be_executed(void **state)
{
    (void)state;
    struct stage s;
    stage_init(&s, "{\"turns\":[]}");
    const char *seen = call(&s, TOOL("spawn_task", "{\"argv\":[\"/no/such/program\"]}"), TOOL("wait_tasks", "{}"));
    assert_non_null(strstr(seen, "\"status\":\"failed\""));
    assert_non_null(strstr(seen, "/no/such/program"));
    stage_done(&s);
}

/* ---- reading ---- */

static void test_reading(void **state)
{
    (void)state;
    struct stage s;
    stage_init(&s, "{\"turns\":[]}");
    const char *seen =
        call(&s,
             TOOL("spawn_task",
                  "{\"name\":\"p\",\"command\":\"printf '\\\\033[1mone\\\\033[0m\\\\nold\\\\rtwo\\\\nthree\\\\n'\"}"),
             TOOL("wait_tasks", "{\"tasks\":[\"p\"]}"), TOOL("read_output", "{\"task\":\"p\"}"),
             TOOL("read_output", "{\"task\":\"bg_0\",\"tail\":1}"),
             TOOL("read_output", "{\"task\":\"p\",\"offset\":12,\"max_bytes\":8}"),
             TOOL("read_output", "{\"task\":\"p\",\"offset\":25}"));
    assert_non_null(strstr(seen, "{\"text\":\"one\\ntwo\\nthree\\n\",\"offset\":0,\"next_offset\":26,\"size\":26,"
                                 "\"dropped\":0,\"status\":\"completed\"}"));
    assert_non_null(strstr(seen, "{\"text\":\"three\\n\",\"offset\":20,\"next_offset\":26"));
    assert_non_null(strstr(seen, "{\"text\":\"two\\n\",\"offset\":12,\"next_offset\":20"));
    assert_non_null(strstr(seen, "{\"text\":\"\\n\",\"offset\":25,\"next_offset\":26"));
    stage_done(&s);
}

/* A flood is read in pieces that join without a gap. */
static void test_flood(void **state)
{
    (void)state;
    struct stage s;
    stage_init(&s, "{\"turns\":[]}");
    const char *seen = call(&s, TOOL("spawn_task", "{\"name\":\"p\",\"command\":\"seq 1 20000\"}"),
                            TOOL("wait_tasks", "{}"), TOOL("read_output", "{\"task\":\"p\"}"),
                            TOOL("read_output", "{\"task\":\"p\",\"offset\":0,\"max_bytes\":100}"));
    assert_non_null(strstr(seen, "\\n20000\\n\""));
    assert_null(strstr(seen, "\\n19900\\n19901"));
    assert_non_null(strstr(seen, "{\"text\":\"1\\n2\\n"));
    assert_non_null(strstr(seen, "\\n36\\n\",\"offset\":0,\"next_offset\":99,"));
    stage_done(&s);
}

/* ---- waiting and listing ---- */

static void test_waiting(void **state)
{
    (void)state;
    struct stage s;
    stage_init(&s, "{\"turns\":[]}");
    const char *seen =
        call(&s, TOOL("spawn_task", "{\"name\":\"slow\",\"command\":\"sleep 1000\"}"),
             TOOL("spawn_task", "{\"name\":\"quick\",\"command\":\"exit 7\"}"),
             TOOL("spawn_task", "{\"name\":\"server\",\"command\":\"echo up; sleep 1000\",\"ready_when\":\"^up\"}"),
             TOOL("wait_tasks", "{\"tasks\":[\"slow\",\"quick\"],\"mode\":\"any\"}"),
             TOOL("wait_tasks", "{\"tasks\":[\"server\"],\"until\":\"ready\"}"),
             TOOL("wait_tasks", "{\"tasks\":[\"slow\"],\"timeout_ms\":1}"), TOOL("list_tasks", "{\"all\":true}"));
    assert_non_null(strstr(seen, "\"error\":\"exit status 7\",\"exit_code\":7,\"ended_by\":\"self\""));
    assert_non_null(strstr(seen, "\"ready\":true"));
    assert_non_null(
        strstr(seen, "{\"timed_out\":true,\"tasks\":[{\"task_id\":\"bg_0\",\"name\":\"slow\",\"status\":\"running\""));
    const char *list = strstr(seen, "{\"tasks\":[{\"task_id\":\"bg_2\"");
    assert_non_null(list);
    assert_true(strstr(list, "\"bg_1\"") < strstr(list, "\"bg_0\""));
    stage_done(&s);
}

/* A model answers what a command asks, and sees that it did. */
static void complaint_13_a_prompt_is_answered(void **state)
{
    (void)state;
    struct stage s;
    stage_init(&s, "{\"turns\":[]}");
    const char *seen =
        call(&s,
             TOOL("spawn_task",
                  "{\"name\":\"asks\",\"command\":\"printf 'sure? '; read a; echo got $a; cat; exit 7\",\"stdin\":\"tty\"}"),
             TOOL("wait_tasks", "{\"tasks\":[\"asks\"],\"until\":\"match\",\"match\":\"^sure\"}"),
             TOOL("wait_tasks", "{\"tasks\":[\"asks\"],\"until\":\"idle\",\"idle_ms\":300}"),
             TOOL("write_task", "{\"task\":\"asks\",\"text\":\"yes\"}"),
             TOOL("wait_tasks", "{\"tasks\":[\"asks\"],\"until\":\"match\",\"match\":\"got (yes)\",\"match_from\":6}"),
             TOOL("write_task", "{\"task\":\"asks\",\"text\":\"a part\",\"newline\":false}"),
             TOOL("write_task", "{\"task\":\"asks\",\"text\":\"\",\"eof\":true}"),
             TOOL("write_task", "{\"task\":\"asks\",\"eof\":true}"),
             TOOL("wait_tasks", "{\"tasks\":[\"asks\"]}"), TOOL("write_task", "{\"task\":\"asks\",\"text\":\"late\"}"));
    assert_non_null(strstr(seen, "\"matched_at\":0,\"matched\":\"sure? \""));
    assert_non_null(strstr(seen, "\"status\":\"running\",\"task_type\":\"shell\""));
    assert_non_null(strstr(seen, "{\"task_id\":\"bg_0\",\"written\":4}"));
    assert_non_null(strstr(seen, "\"matched\":\"got yes\""));
    assert_non_null(strstr(seen, "{\"task_id\":\"bg_0\",\"written\":6}"));
    assert_non_null(strstr(seen, "\"exit_code\":7"));
    assert_non_null(strstr(seen, "'bg_0' has ended: nobody reads its input"));
    stage_done(&s);
}

static void test_limits(void **state)
{
    (void)state;
    struct stage s;
    stage_init(&s, "{\"turns\":[]}");
    const char *seen =
        call(&s, TOOL("spawn_task", "{\"name\":\"a\",\"command\":\"ulimit -t; ulimit -v\",\"cpu_seconds\":77,\"memory_bytes\":536870912}"),
             TOOL("spawn_task", "{\"name\":\"b\",\"command\":\"sleep 1000\",\"idle_timeout_ms\":50}"), TOOL("wait_tasks", "{}"),
             TOOL("read_output", "{\"task\":\"a\"}"));
    assert_non_null(strstr(seen, "{\"text\":\"77\\n524288\\n\""));
    assert_non_null(strstr(seen, "\"ended_by\":\"idle\""));
    stage_done(&s);
}

/* ---- cancelling ---- */

static void test_cancel_child(void **state)
{
    (void)state;
    struct stage s;
    stage_init(&s, "{\"turns\":[]}");
    const char *seen = call(&s, TOOL("spawn_task", "{\"name\":\"p\",\"command\":\"sleep 1000\"}"),
                            TOOL("cancel_task", "{\"target\":{\"relation\":\"child\",\"name\":\"p\"}}"),
                            TOOL("cancel_task", "{\"target\":{\"relation\":\"child\",\"name\":\"p\"}}"),
                            TOOL("list_tasks", "{\"all\":true}"));
    assert_non_null(strstr(seen, "{\"status\":\"accepted\",\"root_task_id\":\"bg_0\",\"cancelled_count\":1}"));
    assert_non_null(strstr(
        seen, "{\"status\":\"failed\",\"root_task_id\":\"p\",\"cancelled_count\":0,\"error\":\"task_not_found\"}"));
    assert_non_null(strstr(seen, "\"reason\":\"cancelled by its agent\""));
    assert_non_null(strstr(seen, "<background-task-event kind=\"cancelled\" task_id=\"bg_0\">"));
    stage_done(&s);
}

/* The run and what it started end; what somebody else started in the thread goes on. */
static void test_cancel_self(void **state)
{
    (void)state;
    struct stage s;
    rouse_task *task = NULL;
    const char *const tools[] = {TOOL("spawn_task", "{\"name\":\"a\",\"command\":\"sleep 1000\"}"),
                                 TOOL("spawn_task", "{\"name\":\"b\",\"command\":\"sleep 1000\"}"),
                                 TOOL("cancel_task", "{\"target\":{\"relation\":\"self\"}}"), TOOL("list_tasks", "{}"),
                                 NULL};
    char *script = script_of(tools);
    stage_init(&s, script);
    free(script);
    rouse_task_free(scene_start(&s.scene, "mine", "sleep 1000"));
    rouse_agent_result *r = stage_run(&s, "go", "done", "cancelled");
    char receipt[160];
    snprintf(receipt, sizeof receipt, "result {\"status\":\"accepted\",\"root_task_id\":\"%s\",\"cancelled_count\":3}",
             r->run_id);
    assert_non_null(strstr(s.log, receipt));
    assert_int_equal(stage_count(s.log, "call list_tasks"), 0);
    assert_works(rouse_task_get(s.scene.manager, "t", "mine", &task, &err));
    assert_int_equal(task->status, ROUSE_RUNNING);
    rouse_task_free(task);
    assert_works(rouse_task_get(s.scene.manager, "t", "a", &task, &err));
    assert_int_equal(task->status, ROUSE_CANCELLED);
    rouse_task_free(task);
    rouse_agent_result_free(r);
    stage_done(&s);
}

/* An agent that is a task cancels itself: its own record says so, and what it had started has ended. */
static void test_sub_agent_cancels_itself(void **state)
{
    (void)state;
    struct stage s;
    rouse_task *task = NULL;
    char path[128], start[512];
    const char *const own[] = {TOOL("spawn_task", "{\"command\":\"sleep 1000\"}"),
                               TOOL("cancel_task", "{\"target\":{\"relation\":\"self\"}}"), NULL};
    char *script = script_of(own);
    stage_init(&s, "{\"turns\":[]}");
    snprintf(path, sizeof path, "%s/self.json", s.scene.dir);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(script, f);
    fclose(f);
    free(script);
    snprintf(
        start, sizeof start,
        TOOL("spawn_task", "{\"type\":\"sub_agent\",\"argv\":[\"%s\",\"agent\",\"--model\",\"scripted:%s\",\"go\"]}"),
        getenv("ROUSE_PROGRAM"), path);
    call(&s, start, TOOL("wait_tasks", "{\"tasks\":[\"bg_0\"]}"));
    assert_works(rouse_task_get(s.scene.manager, "t", "bg_0", &task, &err));
    assert_string_equal(rouse_status_text(task->status), "cancelled");
    assert_string_equal(task->ext.ended_by, "agent");
    rouse_task_free(task);
    assert_works(rouse_task_get(s.scene.manager, "t/bg_0", "bg_1", &task, &err));
    assert_string_equal(rouse_status_text(task->status), "cancelled");
    assert_string_equal(task->parent.task_id, "bg_0");
    rouse_task_free(task);
    stage_done(&s);
}

/* ---- another thread's tasks ---- */

static void test_other_threads_are_out_of_reach(void **state)
{
    (void)state;
    struct stage s;
    rouse_task *task = NULL;
    stage_init(&s, "{\"turns\":[]}");
    s.options.system = "";
    rouse_task_free(scene_start(&s.scene, "mine", "echo private; sleep 1000"));
    s.options.thread = "other";
    const char *seen = call(&s, TOOL("list_tasks", "{\"all\":true}"), TOOL("read_output", "{\"task\":\"bg_0\"}"),
                            TOOL("read_output", "{\"task\":\"mine\"}"), TOOL("wait_tasks", "{\"tasks\":[\"bg_0\"]}"),
                            TOOL("cancel_task", "{\"target\":{\"relation\":\"child\",\"name\":\"bg_0\"}}"));
    assert_int_equal(stage_count(seen, "Not found: no task 'bg_0'"), 2);
    assert_int_equal(stage_count(seen, "Not found: no task 'mine'"), 1);
    assert_non_null(strstr(seen, "{\"tasks\":[],\"more\":false}"));
    assert_non_null(strstr(seen, "\"error\":\"task_not_found\""));
    assert_null(strstr(seen, "private"));
    assert_works(rouse_task_get(s.scene.manager, "t", "bg_0", &task, &err));
    assert_int_equal(task->status, ROUSE_RUNNING);
    rouse_task_free(task);
    stage_done(&s);
}

/* Every schema a model is given is JSON that the loop itself would take. */
static void defect_17_the_tools_are_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < rouse_background_plugin.n_tools; i++) {
        const rouse_tool *tool = rouse_background_plugin.tools[i];
        assert_works(jtext_check(tool->parameters, strlen(tool->parameters), NULL, &err));
        assert_true(strlen(tool->description) > 20);
        assert_true(tool->repeatable == (strcmp(tool->name, "write_task") != 0)); /* what was read cannot be unread */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_sub_agent_by_prompt),
        cmocka_unit_test(test_command_that_cannot_be_executed),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(complaint_13_a_prompt_is_answered),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cancel_child),
        cmocka_unit_test(test_cancel_self),
        cmocka_unit_test(test_sub_agent_cancels_itself),
        cmocka_unit_test(test_other_threads_are_out_of_reach),
        cmocka_unit_test(defect_17_the_tools_are_there),
    };
    return check_run(tests, NULL, NULL);
}
