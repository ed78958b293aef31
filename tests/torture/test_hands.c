/* Eight processes use one store through the manager: they start, name, ensure, end, cancel, wait, send, forget, and are killed with
 * SIGKILL in the middle. Afterwards: no id was given twice, no two that run have a name in common, each that ended has one terminal
 * event, which is the last about it, no other has one, everything acknowledged is there; all that is left can be ended; and no
 * process and no directory of a task is left that no record tells of.
 *
 * What each process does and when it is killed is the seed's: ROUSE_TEST_SEED, TORTURE_SEED. TORTURE_SECONDS: for so long. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/check.h"
#include "../support/scene.h"
#include "seed.h"

#define HANDS 8
#define SHORT_KILLS 24
#define MOST_TASKS 2000000

enum { STARTED = 1, ENDED = 2, SEEN = 4, TERMINAL = 8, TOLD = 16 };

static struct {
    struct scene scene;
    struct hand {
        pid_t pid;
        FILE *said;
    } hands[HANDS];
    unsigned char *tasks; /* by number */
    uint64_t seed, highest, n_said;
} all;

static uint64_t number_of(const char *id)
{
    uint64_t number = strncmp(id, "bg_", 3) == 0 ? strtoull(id + 3, NULL, 10) : MOST_TASKS;
    if (number >= MOST_TASKS)
        fail_msg("a task '%s'", id);
    all.highest = number > all.highest ? number : all.highest;
    return number;
}

/* ---- the processes ---- */

static void begin(struct hand *h)
{
    int out[2];
    char seed[32];
    snprintf(seed, sizeof seed, "%" PRIu64, seed_next(&all.seed));
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    h->pid = fork();
    assert_true(h->pid >= 0);
    if (h->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl(getenv("HAND"), "hand", all.scene.path, seed, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    h->said = fdopen(out[0], "r");
    assert_non_null(h->said);
}

/* One acknowledgement; false at the end of the output, also when the last line is cut. */
static bool hear(struct hand *h)
{
    char line[64];
    if (!fgets(line, sizeof line, h->said) || !strchr(line, '\n'))
        return false;
    line[strcspn(line, "\n")] = '\0';
    uint64_t number = number_of(line + 2);
    unsigned char what = line[0] == 's' ? STARTED : ENDED;
    if (line[0] != 'c' && all.tasks[number] & what)
        fail_msg("%s was %s twice", line + 2, what == STARTED ? "started" : "ended");
    all.tasks[number] |= what;
    all.n_said++;
    return true;
}

static void finish(struct hand *h)
{
    int status = 0;
    kill(h->pid, SIGKILL);
    while (hear(h))
        ;
    while (waitpid(h->pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    fclose(h->said);
    *h = (struct hand){0};
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("a process ended by itself, with status %d", status);
}

static void kill_one(void)
{
    struct hand *h = &all.hands[seed_next(&all.seed) % HANDS];
    for (uint64_t left = seed_next(&all.seed) % 20; left > 0 && hear(h); left--)
        ;
    finish(h);
    begin(h);
}

/* ---- looking ---- */

struct names {
    char seen[16][80]; /* "thread name" of what runs */
    size_t count;
};

static void look_at_task(const rouse_task *task, struct names *names)
{
    uint64_t number = number_of(task->task_id);
    bool terminal = rouse_status_is_terminal(task->status);
    if (all.tasks[number] & SEEN)
        fail_msg("%s is there twice", task->task_id);
    if ((all.tasks[number] & ENDED) && !terminal)
        fail_msg("%s runs, though its end was acknowledged", task->task_id);
    all.tasks[number] |= terminal ? SEEN | TERMINAL : SEEN;
    if (terminal || !task->name)
        return;
    char name[80];
    snprintf(name, sizeof name, "%s %s", task->owner_thread_id, task->name);
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->seen[i], name) == 0)
            fail_msg("two that run are '%s'", name);
    }
    assert_true(names->count < COUNT(names->seen));
    memcpy(names->seen[names->count++], name, sizeof name);
}

static void look_at_tasks(void)
{
    char before[32] = "";
    struct names names = {.count = 0};
    for (size_t got = 1; got > 0;) {
        rouse_task_list *list = NULL;
        const rouse_task_filter filter = {.before = *before ? before : NULL};
        assert_works(rouse_task_list_get(all.scene.manager, &filter, &list, &err));
        got = rouse_task_list_count(list);
        for (size_t i = 0; i < got; i++)
            look_at_task(rouse_task_list_at(list, i), &names);
        if (got > 0)
            snprintf(before, sizeof before, "%s", rouse_task_list_at(list, got - 1)->task_id);
        rouse_task_list_free(list);
    }
}

static void look_at_events(void)
{
    uint64_t after = 0;
    for (size_t got = 1; got > 0;) {
        rouse_events *events = NULL;
        assert_works(rouse_store_inbox(all.scene.store, NULL, after, true, 0, &events, &err));
        got = rouse_events_count(events);
        for (size_t i = 0; i < got; i++) {
            const rouse_event *event = rouse_events_at(events, i);
            bool custom = strstr(event->json, "\"kind\":\"custom\"") != NULL, letter = strchr(event->thread, '/') != NULL;
            after = event->id;
            if (letter)
                continue;
            uint64_t number = number_of(event->task_id);
            if (all.tasks[number] & TOLD)
                fail_msg("after the end of %s: %s", event->task_id, event->json);
            if (!custom && !(all.tasks[number] & TERMINAL))
                fail_msg("%s runs, and is said to have ended", event->task_id);
            all.tasks[number] |= custom ? 0 : TOLD;
        }
        rouse_events_free(events);
    }
}

static void assert_acknowledged(void)
{
    for (uint64_t i = 0; i <= all.highest; i++) {
        unsigned char t = all.tasks[i];
        if (((t & STARTED) && !(t & SEEN)) || ((t & TERMINAL) && !(t & TOLD)))
            fail_msg("bg_%" PRIu64 ":%s%s%s%s%s", i, t & STARTED ? " acknowledged" : "", t & ENDED ? " end acknowledged" : "",
                     t & SEEN ? " there" : "", t & TERMINAL ? " ended" : "", t & TOLD ? " told" : "");
        all.tasks[i] &= STARTED | ENDED;
    }
}

/* A directory that no row has is left by a start that was killed: the start that gets its number replaces it, and whoever
 * forgets tasks takes away what is below that. */
static void assert_no_directories(void)
{
    char path[128];
    rouse_task *next = scene_start(&all.scene, NULL, "exit 0");
    rouse_task_free(scene_wait(&all.scene, next->task_id));
    rouse_task_free(scene_check_ended(&all.scene, next->task_id, ROUSE_COMPLETED));
    number_of(next->task_id);
    rouse_task_free(next);
    const rouse_prune everything = {.all = true, .unread = true};
    int pruned = 1;
    while (pruned > 0)
        assert_works(pruned = rouse_task_prune(all.scene.manager, &everything, NULL, NULL, &err));
    snprintf(path, sizeof path, "%s/tasks", all.scene.path);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    for (struct dirent *e; (e = readdir(tasks));) {
        if (strncmp(e->d_name, "bg_", 3) == 0)
            fail_msg("the directory of '%s' is left; the highest number is %" PRIu64, e->d_name, all.highest);
    }
    closedir(tasks);
}

static void hear_check(int level, const char *text, void *userdata)
{
    (void)userdata;
    if (level > 1)
        print_error("the check says: %s\n", text);
}

static void look(void)
{
    const rouse_cancel now = {.has_grace = true};
    scene_open(&all.scene);
    assert_works(rouse_task_recover(all.scene.manager, NULL, &err));
    look_at_tasks();
    look_at_events();
    assert_acknowledged();
    assert_works(rouse_task_cancel_all(all.scene.manager, "t", &now, NULL, &err)); /* nothing is stuck */
    assert_works(rouse_task_cancel_all(all.scene.manager, "u", &now, NULL, &err));
    assert_int_equal(rouse_task_has_running(all.scene.manager, "t", NULL), 0);
    assert_int_equal(rouse_task_has_running(all.scene.manager, "u", NULL), 0);
    look_at_tasks();
    look_at_events();
    assert_acknowledged();
    assert_int_equal(scene_processes(&all.scene), 0);
    int level = 2;
    assert_works(level = rouse_store_check(all.scene.store, hear_check, NULL, &err));
    assert_true(level < 2);
    assert_no_directories();
    memset(all.tasks, 0, all.highest + 1);
    scene_close(&all.scene);
}

static uint64_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static void test_hands_are_killed(void **state)
{
    (void)state;
    const char *limit = getenv("TORTURE_SECONDS"), *seed = getenv("TORTURE_SEED");
    seed = getenv("ROUSE_TEST_SEED") ? getenv("ROUSE_TEST_SEED") : seed;
    all.seed = seed ? strtoull(seed, NULL, 10) : 1;
    print_message("# seed %" PRIu64 "\n", all.seed);
    uint64_t first = seconds(), rounds = 0;
    do {
        for (size_t i = 0; i < HANDS; i++)
            begin(&all.hands[i]);
        for (int i = 0; i < SHORT_KILLS; i++)
            kill_one();
        for (size_t i = 0; i < HANDS; i++)
            finish(&all.hands[i]);
        look();
    } while (rounds++, limit && seconds() - first < strtoull(limit, NULL, 10));
    assert_true(all.n_said > 0);
    print_message("# %" PRIu64 " kills, %" PRIu64 " starts and ends acknowledged\n", rounds * SHORT_KILLS, all.n_said);
}

static int set_up(void **state)
{
    (void)state;
    all.tasks = calloc(MOST_TASKS, 1);
    scene_init(&all.scene);
    scene_close(&all.scene);
    return all.tasks ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < HANDS; i++) {
        if (all.hands[i].pid > 0) {
            kill(all.hands[i].pid, SIGKILL);
            waitpid(all.hands[i].pid, NULL, 0);
            fclose(all.hands[i].said);
        }
    }
    free(all.tasks);
    scene_done(&all.scene);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hands_are_killed, set_up, tear_down),
    };
    return check_run(tests, NULL, NULL);
}
