/* The real loop, real tasks and the models of both dialects against a mock server that was written by others (tests/npm). */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

#define KEY "sk-test-0123456789"

extern char **environ;

struct mock {
    pid_t pid;
    int input; /* it serves until this is closed */
    char url[64];
};

static int mock_open(struct mock *m)
{
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    char *argv[] = {"node", getenv("ROUSE_MOCK"), getenv("ROUSE_FIXTURES"), "--key", KEY, NULL};
    int port = 0;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    int failed = posix_spawnp(&m->pid, "node", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    m->input = in[1];
    FILE *f = fdopen(out[0], "r");
    failed = failed || !f || fscanf(f, "port %d", &port) != 1;
    if (f)
        fclose(f);
    snprintf(m->url, sizeof m->url, "http://127.0.0.1:%d", port);
    return failed ? -1 : 0;
}

static struct mock mock;

static int set_up(void **state)
{
    (void)state;
    setenv("no_proxy", "*", 1);
    return mock_open(&mock);
}

static int tear_down(void **state)
{
    (void)state;
    close(mock.input);
    return waitpid(mock.pid, NULL, 0) == mock.pid ? 0 : -1;
}

static const struct {
    const char *model, *path; /* behind the server's address */
} dialects[] = {{"openai:gpt-mock", "/v1"}, {"anthropic:claude-mock", ""}};

static void open_stage(struct stage *s, size_t dialect, const char *key)
{
    char url[96];
    snprintf(url, sizeof url, "%s%s", mock.url, dialects[dialect].path);
    const rouse_model_options options = {.api_key = key, .base_url = url, .attempts = 1};
    stage_init(s, "{\"turns\":[]}");
    rouse_model_free(s->model.inner);
    assert_works(rouse_model_open(dialects[dialect].model, &options, &s->model.inner, &err));
    assert_int_equal(chdir(s->scene.dir), 0);
}

static void close_stage(struct stage *s)
{
    assert_int_equal(chdir("/"), 0);
    stage_done(s);
}

static void open_gate(struct stage *s)
{
    (void)s;
    stage_release("gate");
}

/* Tool calls arrive in pieces, the same call id comes twice, a task is waited for and another is slept for. */
static void tell_story(size_t dialect)
{
    struct stage s;
    open_stage(&s, dialect, KEY);
    free(scene_fifo(&s.scene, "gate"));
    s.options.wait = true;
    s.on_waiting = open_gate;
    rouse_agent_result *r = stage_run(&s, "build it", "done", "natural");
    assert_string_equal(r->response, "Both ended: m\xc3\xa4"
                                     "de it, opened.");
    assert_int_equal(r->steps, 4);
    assert_int_equal(stage_count(s.log, "call spawn_task"), 2);
    assert_int_equal(stage_count(s.log, "failed "), 0);
    stage_check(&s);
    rouse_agent_result_free(r);
    close_stage(&s);
}

static void test_story(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dialects); i++)
        tell_story(i);
}

static const struct {
    const char *key, *prompt, *error;
} rows[] = {
    {KEY, "cut me", "cut off before its end|transfer closed|connection"},
    {KEY, "too fast", "refused: HTTP 429: slow down"},
    {KEY, "nobody expects this", "refused: HTTP 503"},
    {"sk-wrong-key", "build it", "refused: HTTP 401"},
};

static bool has_one_of(const char *text, const char *choices)
{
    char copy[128];
    snprintf(copy, sizeof copy, "%s", choices);
    for (char *save = NULL, *one = strtok_r(copy, "|", &save); one; one = strtok_r(NULL, "|", &save))
        if (strcasestr(text, one))
            return true;
    return false;
}

static void test_failures(void **state)
{
    (void)state;
    for (size_t n = 0; n < COUNT(rows) * COUNT(dialects); n++) {
        size_t i = n / COUNT(dialects);
        struct stage s;
        rouse_agent_result *r = NULL;
        rouse_error why = {0};
        open_stage(&s, n % COUNT(dialects), rows[i].key);
        assert_int_equal(stage_try(&s, rows[i].prompt, &r, &why), ROUSE_EREMOTE);
        if (!has_one_of(why.message, rows[i].error))
            fail_msg("'%s' gave '%s'", rows[i].prompt, why.message);
        assert_null(strstr(why.message, rows[i].key));
        char *transcript = stage_transcript(&s);
        assert_null(strstr(transcript, "assistant:"));
        free(transcript);
        close_stage(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_failures),
    };
    if (!getenv("ROUSE_MOCK") || access(getenv("ROUSE_MOCK_MODULES"), F_OK) != 0) {
        puts("1..0 # SKIP the mock server is not installed: tools/setup.sh mock");
        return 0;
    }
    return check_run(tests, set_up, tear_down);
}
