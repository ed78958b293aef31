/* kill -9 of the four processes that a task's life hangs on (runtime, supervisor, command, reaper), each at every step of its own, and
 * all combinations of two. Afterwards: one terminal record, one event, the true status wherever it was recorded and no made-up one, no
 * process, no descriptor left. A step is a seam in the program (enum manager_step, --die-at), so nothing depends on luck.
 *
 * Each run takes a part of the combinations, which part is the seed's: ROUSE_TEST_SEED, TORTURE_SEED. With TORTURE_SECONDS all of them,
 * then any number at once, at random, 1,000 times and for so long. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/check.h"
#include "../support/scene.h"
#include "seed.h"
#include "task/manager.h"

#define SHORT_PART 5 /* a short run takes one combination of so many */

enum actor { RUNTIME, SUPERVISOR, REAPER, COMMAND, ACTORS };

#define RUNTIME_STEPS (STEP_COMMITTED + 1)
static const char *const points[] = {"spawned",       "detached",       "before-command", "command-started", "reported", "output",
                                     "before-record", "record-written", "record-renamed", "told",            "before-reaper"};
static const enum manager_step reaper_steps[] = {STEP_SEEN, STEP_COMMITTED};
/* Every command leaves something behind, which must not be left. */
static const char *const deaths[] = {"sleep 1000 & kill -9 $$", "sleep 1000 & echo up; kill -9 $$"};
static const char alive[] = "setsid sleep 1000 & echo up; exit 7";

static const unsigned steps_of[ACTORS] = {RUNTIME_STEPS, COUNT(points), COUNT(reaper_steps), COUNT(deaths)};

struct doom {
    unsigned at[ACTORS]; /* steps_of: never */
};

static const char *real_shim;

/* ---- one life ---- */

static enum manager_step deadly_step;

static void die_at(enum manager_step step)
{
    if (step == deadly_step)
        raise(SIGKILL);
}

static void act(const struct scene *s, const struct doom *d)
{
    struct scene own = *s;
    char shim[600], point[64], reaper[64];
    unsigned at = d->at[SUPERVISOR], how = d->at[COMMAND], reaps = d->at[REAPER];
    snprintf(shim, sizeof shim, "ROUSE_TEST_SHIM=%s", real_shim);
    snprintf(point, sizeof point, "ROUSE_TEST_POINT=%s", at < COUNT(points) ? points[at] : "never");
    snprintf(reaper, sizeof reaper, "ROUSE_TEST_REAPER_STEP=%d", reaps < COUNT(reaper_steps) ? (int)reaper_steps[reaps] : -1);
    const char *const argv[] = {"sh", "-c", how < COUNT(deaths) ? deaths[how] : alive, NULL};
    const char *const env[] = {"PATH=/usr/bin:/bin", shim, point, reaper, NULL};
    const rouse_task_spec spec = {.thread = "t", .argv = argv, .env = env};
    rouse_task *task = NULL;
    scene_open(&own);
    deadly_step = (enum manager_step)d->at[RUNTIME];
    own.manager->at_step = die_at;
    assert_works(rouse_task_start(own.manager, &spec, &task, &err));
    rouse_task_free(scene_wait(&own, task->task_id));
    rouse_task_free(task);
    scene_close(&own);
    _exit(0);
}

/* ---- afterwards ---- */

static bool was_recorded(const struct doom *d)
{
    bool started = d->at[RUNTIME] >= STEP_SUPERVISOR;
    return started && (d->at[SUPERVISOR] == COUNT(points) || d->at[SUPERVISOR] >= 8); /* record-renamed */
}

static void check_record(const struct doom *d, const rouse_task *task, const char *what)
{
    bool killed = d->at[COMMAND] < COUNT(deaths), known = task->ext.exit_code != -1 || task->ext.signal != 0;
    bool is_true = killed ? task->ext.signal == SIGKILL && task->ext.exit_code == -1 : task->ext.exit_code == 7 && task->ext.signal == 0;
    if (known && !is_true)
        fail_msg("%s: a status that nobody gave: %d, signal %d", what, task->ext.exit_code, task->ext.signal);
    if (was_recorded(d) && !known)
        fail_msg("%s: the status was recorded, and is not known: %s", what, task->error);
    if (!known && strcmp(task->ext.ended_by, "runtime") != 0)
        fail_msg("%s: ended by '%s', with no status", what, task->ext.ended_by);
}

static void settle(void)
{
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
}

static size_t count_running(struct scene *s, bool wait)
{
    rouse_task_list *list = NULL;
    assert_works(rouse_task_list_get(s->manager, &(rouse_task_filter){.running_only = true}, &list, &err));
    size_t n = rouse_task_list_count(list);
    for (size_t i = 0; wait && i < n; i++)
        rouse_task_free(scene_wait(s, rouse_task_list_at(list, i)->task_id));
    rouse_task_list_free(list);
    return n;
}

/* What a start that was killed before its commit left is in nobody's way. */
static void start_another(struct scene *s)
{
    const char *const argv[] = {"/bin/true", NULL};
    char shim[600];
    snprintf(shim, sizeof shim, "ROUSE_TEST_SHIM=%s", real_shim);
    const char *const env[] = {shim, "ROUSE_TEST_POINT=never", "ROUSE_TEST_REAPER_STEP=-1", NULL};
    const rouse_task_spec spec = {.thread = "t", .argv = argv, .env = env};
    rouse_task *task = NULL;
    assert_works(rouse_task_start(s->manager, &spec, &task, &err));
    rouse_task_free(scene_wait(s, task->task_id));
    assert_string_equal(task->task_id, "bg_0");
    rouse_task_free(task);
}

static void check_after(struct scene *s, const struct doom *d, const char *what)
{
    bool has_row = d->at[RUNTIME] >= STEP_ROW;
    scene_open(s);
    count_running(s, true);
    settle(); /* supervisors and reapers too: all are left to this process */
    assert_int_equal(count_running(s, false), 0);
    if (!has_row)
        start_another(s);
    rouse_task *task = scene_check_ended(s, "bg_0", has_row ? ROUSE_FAILED : ROUSE_COMPLETED);
    if (has_row)
        check_record(d, task, what);
    rouse_task_free(task);
    settle();
    assert_int_equal(scene_processes(s), 0);
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static void live(const struct doom *d)
{
    char what[128];
    struct scene s;
    int status = 0;
    unsigned before = count_descriptors();
    alarm(60); /* what is left behind would be waited for */
    snprintf(what, sizeof what, "runtime %u, supervisor %u, reaper %u, command %u", d->at[RUNTIME], d->at[SUPERVISOR], d->at[REAPER],
             d->at[COMMAND]);
    if (getenv("ROUSE_TEST_TRACE"))
        print_message("# %s\n", what);
    scene_init(&s);
    scene_close(&s);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        act(&s, d);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0)
        fail_msg("%s: the runtime ended with %x", what, (unsigned)status);
    check_after(&s, d, what);
    scene_done(&s);
    assert_int_equal(count_descriptors(), before);
}

/* ---- the combinations ---- */

static uint64_t seed;
static bool is_long;

static const struct doom nobody = {{RUNTIME_STEPS, COUNT(points), COUNT(reaper_steps), COUNT(deaths)}};

static void test_each_at_every_step(void **state)
{
    (void)state;
    live(&nobody);
    for (unsigned who = 0; who < ACTORS; who++) {
        for (unsigned at = 0; at < steps_of[who]; at++) {
            struct doom d = nobody;
            d.at[who] = at;
            live(&d);
        }
    }
}

static void pairs_of(unsigned one, unsigned other)
{
    for (unsigned i = 0; i < steps_of[one] * steps_of[other]; i++) {
        struct doom d = nobody;
        d.at[one] = i / steps_of[other];
        d.at[other] = i % steps_of[other];
        if (is_long || seed_next(&seed) % SHORT_PART == 0)
            live(&d);
    }
}

static void test_all_combinations_of_two(void **state)
{
    (void)state;
    for (unsigned one = 0; one < ACTORS; one++) {
        for (unsigned other = one + 1; other < ACTORS; other++)
            pairs_of(one, other);
    }
}

static void test_any_of_them_at_random(void **state)
{
    (void)state;
    const char *seconds = getenv("TORTURE_SECONDS");
    time_t until = seconds ? time(NULL) + strtol(seconds, NULL, 10) : 0;
    unsigned rounds = 0;
    for (; rounds < (is_long ? 1000 : 10) || time(NULL) < until; rounds++) {
        struct doom d = nobody;
        for (unsigned who = 0; who < ACTORS; who++)
            d.at[who] = (unsigned)(seed_next(&seed) % (steps_of[who] + 2)) % (steps_of[who] + 1);
        live(&d);
    }
    print_message("# %u lives, with kills at random\n", rounds);
}

static int set_up(void **state)
{
    (void)state;
    const char *given = getenv("ROUSE_TEST_SEED") ? getenv("ROUSE_TEST_SEED") : getenv("TORTURE_SEED");
    is_long = getenv("TORTURE_SECONDS") != NULL;
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("# seed %" PRIu64 "\n", seed);
    real_shim = strdup(getenv("ROUSE_SHIM"));
    return setenv("ROUSE_SHIM", getenv("ROUSE_TEST_STOPPER"), 1) || setenv("ROUSE_PROGRAM", getenv("DOOMED"), 1) ||
           prctl(PR_SET_CHILD_SUBREAPER, 1) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    free((char *)(uintptr_t)real_shim);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_at_every_step),
        cmocka_unit_test(test_all_combinations_of_two),
        cmocka_unit_test(test_any_of_them_at_random),
    };
    return check_run(tests, set_up, tear_down);
}
