/* A manager whose supervisors stay: no task tells the difference, few supervisors are started, and none is left. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/scene.h"

#define SAY_SUPERVISOR "exec sh -c 'echo $PPID'"

static void open_with_spares(struct scene *s, unsigned spares)
{
    const rouse_manager_options options = {.spare_supervisors = spares};
    rouse_manager_free(s->manager);
    s->manager = NULL;
    assert_works(rouse_manager_new(s->store, &options, &s->manager, &err));
}

static int set_up(void **state)
{
    static struct scene scene;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    scene_init(&scene);
    *state = &scene;
    return 0;
}

/* Supervisors are this process's children when their own are gone; all go once nobody may have another task for them. */
static int tear_down(void **state)
{
    struct scene *s = *state;
    scene_done(s);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    return errno == ECHILD ? 0 : -1;
}

/* The pid that the command of a task named as its parent. */
static long supervisor_of(const rouse_task *task)
{
    const char *at = task->result ? strstr(task->result, "\"output_tail\":\"") : NULL;
    assert_non_null(at);
    return strtol(at + strlen("\"output_tail\":\""), NULL, 10);
}

static long run_one(struct scene *s)
{
    rouse_task *task = scene_start(s, NULL, SAY_SUPERVISOR);
    rouse_task_free(scene_wait(s, task->task_id));
    rouse_task *ended = scene_check_ended(s, task->task_id, ROUSE_COMPLETED);
    long pid = supervisor_of(ended);
    rouse_task_free(ended);
    rouse_task_free(task);
    return pid;
}

static void test_one_supervisor_for_many(void **state)
{
    struct scene *s = *state;
    open_with_spares(s, 2);
    enum { N = 20 };
    long first = run_one(s);
    int others = 0;
    for (int i = 1; i < N; i++)
        others += run_one(s) != first;
    assert_true(others < N / 2); /* one that comes free too late, as on a busy machine, is passed over */
}

static void test_none_is_the_default(void **state)
{
    struct scene *s = *state;
    long first = run_one(s);
    assert_int_not_equal(run_one(s), first);
}

static void *run_some(void *data)
{
    for (int i = 0; i < 8; i++)
        run_one(data);
    return NULL;
}

static void test_threads(void **state)
{
    enum { N = 6 };
    pthread_t threads[N];
    open_with_spares(*state, 3);
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_some, *state), 0);
    for (int i = 0; i < N; i++)
        pthread_join(threads[i], NULL);
}

static void test_attempts(void **state)
{
    struct scene *s = *state;
    const char *argv[] = {"sh", "-c", "exit 7", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    const rouse_task_spec spec = {.thread = "t", .argv = argv, .env = env, .retry = {.max_attempts = 5, .backoff_ms = 1}};
    rouse_task *task = NULL;
    open_with_spares(s, 2);
    assert_works(rouse_task_start(s->manager, &spec, &task, &err));
    rouse_task_free(scene_wait(s, task->task_id));
    rouse_task *ended = NULL;
    assert_works(rouse_task_get(s->manager, "t", task->task_id, &ended, &err));
    assert_int_equal(ended->status, ROUSE_FAILED);
    assert_int_equal(ended->ext.exit_code, 7);
    assert_int_equal(ended->ext.plan->attempt, 5);
    rouse_task_free(ended);
    rouse_task_free(task);
}

static void test_cancelled_and_not_to_be_run(void **state)
{
    struct scene *s = *state;
    open_with_spares(s, 2);
    for (int i = 0; i < 5; i++) {
        const rouse_task_spec wrong = {.thread = "t", .argv = (const char *const[]){"/no/such/program", NULL}};
        rouse_task *task = scene_start(s, NULL, "sleep 1000"), *failed = NULL;
        assert_works(rouse_task_start(s->manager, &wrong, &failed, &err));
        assert_works(rouse_task_cancel(s->manager, task->task_id, &(rouse_cancel){.has_grace = true}, NULL, &err));
        rouse_task_free(scene_check_ended(s, task->task_id, ROUSE_CANCELLED));
        rouse_task_free(scene_check_ended(s, failed->task_id, ROUSE_FAILED));
        rouse_task_free(task);
        rouse_task_free(failed);
        run_one(s);
    }
}

/* Those who took the endings in are others: what they leave of this manager's supervisors is in nobody's way. */
static void test_endings_taken_in_by_another(void **state)
{
    struct scene *s = *state, other = *s;
    open_with_spares(s, 1);
    scene_open(&other);
    for (int i = 0; i < 5; i++) {
        rouse_task *task = scene_start(s, NULL, SAY_SUPERVISOR);
        rouse_task_free(scene_wait(&other, task->task_id));
        rouse_task_free(scene_check_ended(s, task->task_id, ROUSE_COMPLETED));
        rouse_task_free(task);
    }
    scene_close(&other);
    run_one(s);
}

static void test_a_killed_runtime_leaves_none(void **state)
{
    struct scene *s = *state;
    pid_t runtime = fork();
    if (runtime == 0) {
        struct scene own = *s;
        scene_open(&own);
        open_with_spares(&own, 4);
        for (int i = 0; i < 4; i++)
            run_one(&own);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(runtime, NULL, 0), runtime);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    assert_int_equal(errno, ECHILD);
    run_one(s);
}

/* ---- kill -9 of anybody ---- */

/* Commands; those that end with 0 are the only ones that may be completed. */
static const char *const lines[] = {"exit 0", "exit 7", "echo a line; exit 3", "sleep 600 & exit 0", "sleep 0.01; exit 5", "kill -9 $$"};

static _Noreturn void start_for_ever(struct scene *s, unsigned seed)
{
    struct scene own = *s;
    scene_open(&own);
    open_with_spares(&own, 3);
    for (;;) {
        const char *argv[] = {"sh", "-c", lines[(unsigned)rand_r(&seed) % COUNT(lines)], NULL};
        const char *env[] = {"PATH=/usr/bin:/bin", NULL};
        const rouse_task_spec spec = {.thread = "t", .argv = argv, .env = env};
        rouse_task *task = NULL;
        rouse_task_list *list = NULL;
        if (rouse_task_start(own.manager, &spec, &task, NULL) < 0)
            continue;
        const char *ids[] = {task->task_id};
        const rouse_wait wait = {.thread = "t", .ids = ids, .count = 1, .has_timeout = true, .timeout_ms = 60000};
        if ((unsigned)rand_r(&seed) % 4 > 0 && rouse_task_wait(own.manager, &wait, &list, NULL) == 0)
            rouse_task_list_free(list);
        rouse_task_free(task);
    }
}

static pid_t parent_of(const char *pid)
{
    char path[300], text[512];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    return at ? (pid_t)strtol(at + 4, NULL, 10) : 0;
}

/* One of those below this process, at most three deep. */
static void kill_one(unsigned *seed)
{
    pid_t found[512];
    int count = 0;
    for (int depth = 0; depth < 3; depth++) {
        DIR *proc = opendir("/proc");
        for (struct dirent *e; proc && (e = readdir(proc));) {
            pid_t parent = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? parent_of(e->d_name) : 0;
            bool below = parent == getpid();
            for (int i = 0; i < count && !below; i++)
                below = found[i] == parent;
            if (below && parent > 0 && count < (int)COUNT(found))
                found[count++] = (pid_t)strtol(e->d_name, NULL, 10);
        }
        closedir(proc);
    }
    if (count > 0)
        kill(found[rand_r(seed) % count], SIGKILL);
}

static void reap_some(pid_t *runtime)
{
    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
        *runtime = pid == *runtime ? 0 : *runtime;
}

static void check_truth(struct scene *s)
{
    rouse_task_list *list = NULL;
    assert_works(rouse_task_list_get(s->manager, &(rouse_task_filter){.limit = 10000}, &list, &err));
    for (size_t i = 0; i < rouse_task_list_count(list); i++) {
        const rouse_task *task = rouse_task_list_at(list, i);
        assert_true(rouse_status_is_terminal(task->status));
        assert_int_equal(scene_events(s, NULL, task->task_id), 1);
        if (task->status == ROUSE_COMPLETED)
            assert_non_null(strstr(task->ext.argv[2], "exit 0"));
        else if (task->ext.exit_code >= 0)
            assert_non_null(strchr(task->ext.argv[2], '0' + task->ext.exit_code));
    }
    rouse_task_list_free(list);
}

static void test_kill_anybody(void **state)
{
    struct scene *s = *state;
    const char *rounds = getenv("ROUSE_ROUNDS");
    unsigned seed = (unsigned)getpid();
    pid_t runtime = 0;
    print_message("# seed %u\n", seed);
    for (long i = rounds ? strtol(rounds, NULL, 10) : 100; i > 0; i--) {
        if (runtime == 0 && (runtime = fork()) == 0)
            start_for_ever(s, seed + (unsigned)i);
        poll(NULL, 0, (int)((unsigned)rand_r(&seed) % 20));
        kill_one(&seed);
        reap_some(&runtime);
    }
    if (runtime > 0)
        kill(runtime, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) /* of whatever goes on nobody may be told; it ends by itself */
        continue;
    scene_close(s);
    scene_open(s);
    check_truth(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_one_supervisor_for_many),
        TEST(test_none_is_the_default),
        TEST(test_threads),
        TEST(test_attempts),
        TEST(test_cancelled_and_not_to_be_run),
        TEST(test_endings_taken_in_by_another),
        TEST(test_a_killed_runtime_leaves_none),
        TEST(test_kill_anybody),
    };
    return check_run(tests, NULL, NULL);
}
