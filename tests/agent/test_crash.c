/* kill -9 of the agent before and after each of its commits, then another process goes on: the conversation is the undisturbed
 * one, each ending is told once, no tool has run twice. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

/* ---- a commit that kills: linked in place of the store's (-Wl,--wrap) ---- */

static int commits_left = -1; /* until the process is killed; -1 = never */
static bool kill_before;

int __real_rouse_store_commit(rouse_store *store, rouse_commit *commit, uint64_t *ret_revision, rouse_error *err);
int __wrap_rouse_store_commit(rouse_store *store, rouse_commit *commit, uint64_t *ret_revision, rouse_error *err);

int __wrap_rouse_store_commit(rouse_store *store, rouse_commit *commit, uint64_t *ret_revision, rouse_error *err)
{
    bool last = commits_left == 1;
    commits_left -= commits_left > 0;
    if (last && kill_before)
        raise(SIGKILL);
    int code = __real_rouse_store_commit(store, commit, ret_revision, err);
    if (last)
        raise(SIGKILL);
    return code;
}

/* ---- the story ---- */

/* a and b run one after the other inside one turn; c is slept for, and ends when the agent has said that it waits. */
static const char story[] =
    "{\"turns\":["
    "{\"expect\":[\"do it\"],\"say\":\"I start a, then b.\",\"tools\":["
    "{\"name\":\"spawn_task\",\"arguments\":{\"name\":\"a\",\"command\":\"echo alpha >> made\"}},"
    "{\"name\":\"wait_tasks\",\"arguments\":{\"tasks\":[\"a\"]}},"
    "{\"name\":\"spawn_task\",\"arguments\":{\"name\":\"b\",\"command\":\"echo beta >> made; exit 4\"}},"
    "{\"name\":\"wait_tasks\",\"arguments\":{\"tasks\":[\"b\"]}}]},"
    "{\"expect\":[\" task_id=\\\"bg_0\\\">\",\" task_id=\\\"bg_1\\\">\"],\"say\":\"Both are over. One "
    "more.\",\"tools\":["
    "{\"name\":\"spawn_task\",\"arguments\":{\"name\":\"c\",\"command\":\"read x < gate; echo gamma >> made\"}}]},"
    "{\"say\":\"I sleep.\"},"
    "{\"expect\":[\" task_id=\\\"bg_2\\\">\"],\"say\":\"All three are over.\"}]}";

/* Nothing to resume: the first process died before its first commit, or the last one behind its last. */
static bool has_begun(struct stage *s)
{
    char *transcript = stage_transcript(s);
    bool begun = transcript[0] != '\0';
    free(transcript);
    return begun;
}

/* Runs the agent in a process that dies at the n-th commit (0 = lives). True when it died. */
static bool run_and_die(struct stage *s, int n, bool before)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        rouse_agent_result *result = NULL;
        rouse_error err = {0};
        scene_open(&s->scene);
        commits_left = n > 0 ? n : -1;
        kill_before = before;
        int code = stage_try(s, NULL, &result, &err);
        if (code == ROUSE_ENOTFOUND)
            code = has_begun(s) ? 0 : stage_try(s, "do it", &result, &err);
        if (code < 0)
            fprintf(stderr, "# %s, after\n%s", err.message, s->log);
        rouse_agent_result_free(result);
        _exit(code < 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

/* The test holds the gate open, so what is written stays there until c reads it. */
static int gate = -1;

static void open_gate(struct stage *s)
{
    (void)s;
    assert_int_equal(write(gate, "go\n", 3), 3);
}

static void open_story(struct stage *s)
{
    stage_init(s, story);
    s->options.wait = true;
    s->on_waiting = open_gate;
    assert_int_equal(chdir(s->scene.dir), 0);
    free(scene_fifo(&s->scene, "gate"));
    gate = open("gate", O_RDWR | O_CLOEXEC);
    assert_true(gate >= 0);
    scene_close(&s->scene);
    s->scene.nobody_reaps = true;
}

/* What the commands wrote: each line once says that nothing ran twice. */
static char *read_made(void)
{
    char text[256] = "";
    FILE *f = fopen("made", "re");
    if (f) {
        size_t n = fread(text, 1, sizeof text - 1, f);
        text[n] = '\0';
        fclose(f);
    }
    return strdup(text);
}

/* A task whose row was there but whose process was not started yet is truthfully lost; the story then ends another way. */
static bool has_lost_task(const char *transcript)
{
    return strstr(transcript, "task orphaned: runtime restarted while running") != NULL;
}

static char *close_story(struct stage *s, char **ret_made)
{
    scene_open(&s->scene);
    stage_check(s);
    char *transcript = stage_transcript(s);
    rouse_run *run = NULL;
    assert_works(rouse_store_last_run(s->scene.store, "t", &run, &err));
    assert_string_equal(run->status, "done");
    assert_string_equal(run->status_reason, "natural");
    if (!has_lost_task(transcript))
        stage_check_state(s, run->id, "done", "natural", 4, false);
    rouse_run_free(run);
    *ret_made = read_made();
    assert_int_equal(chdir("/"), 0);
    close(gate);
    stage_done(s);
    return transcript;
}

static void check_made(const char *made)
{
    static const char *const lines[] = {"alpha\n", "beta\n", "gamma\n"};
    for (size_t i = 0; i < COUNT(lines); i++)
        assert_true(stage_count(made, lines[i]) <= 1);
}

/* A spawn_task that a later process answers may find that its task has ended meanwhile: that part of the answer goes. */
static void forget_status(char *transcript)
{
    for (char *at = transcript; (at = strstr(at, "tool: {\"task_id\":"));) {
        char *from = strstr(at, ",\"status\"");
        char *end = strchr(at, '\n');
        assert_true(from && from < end);
        memmove(from, end, strlen(end) + 1);
        at = from;
    }
}

static char *undisturbed(void)
{
    struct stage s;
    char *made = NULL;
    open_story(&s);
    assert_false(run_and_die(&s, 0, false));
    char *transcript = close_story(&s, &made);
    assert_string_equal(made, "alpha\nbeta\ngamma\n");
    forget_status(transcript);
    free(made);
    return transcript;
}

static void check_outcome(struct stage *s, const char *expected, int n, bool before)
{
    char *made = NULL;
    char *transcript = close_story(s, &made);
    forget_status(transcript);
    check_made(made);
    if (!has_lost_task(transcript)) {
        assert_string_equal(made, "alpha\nbeta\ngamma\n");
        if (strcmp(transcript, expected) != 0)
            fprintf(stderr, "# killed %s commit %d:\n%s# instead of\n%s", before ? "before" : "after", n, transcript,
                    expected);
        assert_string_equal(transcript, expected);
    }
    free(transcript);
    free(made);
}

static void kill_everywhere(bool before)
{
    char *expected = undisturbed();
    bool died = true;
    int n = 0;
    while (died) {
        struct stage s;
        n++;
        assert_true(n < 100);
        open_story(&s);
        died = run_and_die(&s, n, before);
        if (died)
            assert_false(run_and_die(&s, 0, false));
        check_outcome(&s, expected, n, before);
    }
    assert_true(n > 12); /* it was killed at all of them */
    free(expected);
}

static void test_killed_before_each_commit(void **state)
{
    (void)state;
    kill_everywhere(true);
}

static void test_killed_after_each_commit(void **state)
{
    (void)state;
    kill_everywhere(false);
}

/* Every process lives for one commit only, and yet the run comes to its end. */
static void test_killed_after_every_commit(void **state)
{
    (void)state;
    struct stage s;
    char *expected = undisturbed();
    int lives = 0;
    open_story(&s);
    while (run_and_die(&s, 1, false))
        assert_true(++lives < 200);
    assert_true(lives > 12);
    check_outcome(&s, expected, 1, false);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_before_each_commit),
        cmocka_unit_test(test_killed_after_each_commit),
        cmocka_unit_test(test_killed_after_every_commit),
    };
    return check_run(tests, NULL, NULL);
}
