/* Waits that call back: one descriptor, one call, any number of them. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rouse/work.h"
#include "support/check.h"
#include "support/scene.h"

#define MANY 10000

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    scene_init(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene_done(*state);
    free(*state);
    return 0;
}

struct heard {
    size_t calls;
    int code;
    rouse_task *first; /* of the list, as it was */
    rouse_waiting *other; /* ended in the callback */
};

static void hear(int code, const rouse_task_list *list, void *userdata)
{
    struct heard *h = userdata;
    h->calls++;
    h->code = code;
    rouse_task_free(h->first);
    h->first = list && rouse_task_list_count(list) > 0 ? rouse_task_copy(rouse_task_list_at(list, 0)) : NULL;
    rouse_waiting_free(h->other);
    h->other = NULL;
}

static void count(int code, const rouse_task_list *list, void *userdata)
{
    assert_int_equal(code, 0);
    assert_int_equal(rouse_task_list_at(list, 0)->status, ROUSE_COMPLETED);
    ++*(size_t *)userdata;
}

static int descriptor(struct scene *s)
{
    int fd;
    assert_int_equal(rouse_manager_fd(s->manager, &fd, NULL), 0);
    return fd;
}

/* Polls and dispatches until *calls is wanted. */
static void loop(struct scene *s, const size_t *calls, size_t wanted)
{
    struct pollfd p = {.fd = descriptor(s), .events = POLLIN};
    while (*calls < wanted) {
        assert_int_equal(poll(&p, 1, 60000), 1);
        assert_true(rouse_manager_dispatch(s->manager, NULL) >= 0);
    }
    assert_int_equal(*calls, wanted);
}

/* Until the descriptor is silent. */
static void settle(struct scene *s)
{
    struct pollfd p = {.fd = descriptor(s), .events = POLLIN};
    while (poll(&p, 1, 100) > 0)
        assert_true(rouse_manager_dispatch(s->manager, NULL) >= 0);
}

static rouse_waiting *wait_for(struct scene *s, const char *id, rouse_until until, struct heard *h)
{
    rouse_waiting *waiting = NULL;
    const rouse_wait wait = {.thread = "t", .ids = &id, .count = 1, .until = until};
    assert_int_equal(rouse_waiting_new(s->manager, &wait, hear, h, &waiting, NULL), 0);
    return waiting;
}

static void test_a_process_ends(void **state)
{
    struct scene *s = *state;
    struct heard h = {0};
    char *fifo = scene_fifo(s, "go");
    char line[512];
    snprintf(line, sizeof line, "read x < %s; exit 7", fifo);
    rouse_task *task = scene_start(s, "it", line);
    wait_for(s, "it", ROUSE_UNTIL_ENDED, &h);
    settle(s);
    assert_int_equal(h.calls, 0);
    FILE *f = fopen(fifo, "w");
    fputs("go\n", f);
    fclose(f);
    loop(s, &h.calls, 1);
    assert_int_equal(h.code, 0);
    assert_int_equal(h.first->status, ROUSE_FAILED);
    assert_int_equal(h.first->ext.exit_code, 7);
    rouse_task_free(h.first);
    rouse_task_free(task);
    free(fifo);
}

static void test_one_that_has_ended_is_told_by_dispatch(void **state)
{
    struct scene *s = *state;
    struct heard h = {0};
    rouse_task *task = scene_start(s, "it", "true");
    rouse_task_free(scene_wait(s, task->task_id));
    wait_for(s, task->task_id, ROUSE_UNTIL_ENDED, &h);
    assert_int_equal(h.calls, 0);
    loop(s, &h.calls, 1);
    assert_int_equal(h.first->status, ROUSE_COMPLETED);
    rouse_task_free(h.first);
    rouse_task_free(task);
}

static void test_readiness(void **state)
{
    struct scene *s = *state;
    struct heard h = {0};
    const char *argv[] = {"sh", "-c", "echo up; exec sleep 600", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    rouse_task *task;
    const rouse_task_spec spec = {.thread = "t", .argv = argv, .env = env, .ready_when = "^up$"};
    assert_int_equal(rouse_task_start(s->manager, &spec, &task, NULL), 0);
    wait_for(s, task->task_id, ROUSE_UNTIL_READY, &h);
    loop(s, &h.calls, 1);
    assert_int_equal(h.first->status, ROUSE_RUNNING);
    assert_true(h.first->ext.ready);
    rouse_task_free(h.first);
    rouse_task_free(task);
}

static void test_timeout_and_any(void **state)
{
    struct scene *s = *state;
    struct heard late = {0}, any = {0};
    rouse_task *slow = scene_start(s, "slow", "sleep 600");
    rouse_task *quick = scene_start(s, "quick", "true");
    const char *ids[] = {"slow", "quick"};
    rouse_wait wait = {.thread = "t", .ids = ids, .count = 2, .any = true};
    assert_int_equal(rouse_waiting_new(s->manager, &wait, hear, &any, NULL, NULL), 0);
    loop(s, &any.calls, 1);
    assert_int_equal(any.code, 0);
    assert_string_equal(any.first->task_id, slow->task_id);
    wait = (rouse_wait){.thread = "t", .ids = ids, .count = 2, .has_timeout = true, .timeout_ms = 30};
    assert_int_equal(rouse_waiting_new(s->manager, &wait, hear, &late, NULL, NULL), 0);
    loop(s, &late.calls, 1);
    assert_int_equal(late.code, ROUSE_ETIMEOUT);
    assert_int_equal(late.first->status, ROUSE_RUNNING);
    rouse_task_free(any.first);
    rouse_task_free(late.first);
    rouse_task_free(slow);
    rouse_task_free(quick);
}

static void test_refused(void **state)
{
    struct scene *s = *state;
    struct heard h = {0};
    const char *id = "nobody";
    rouse_wait wait = {.thread = "t", .ids = &id, .count = 1};
    assert_int_equal(rouse_waiting_new(s->manager, &wait, hear, &h, NULL, NULL), ROUSE_ENOTFOUND);
    settle(s);
    assert_int_equal(h.calls, 0);
}

static void test_a_wait_that_was_ended_is_not_called(void **state)
{
    struct scene *s = *state;
    struct heard first = {0}, second = {0}, third = {0};
    rouse_task *task = scene_start(s, "it", "sleep 600");
    rouse_waiting_free(wait_for(s, "it", ROUSE_UNTIL_ENDED, &first));
    second.other = wait_for(s, "it", ROUSE_UNTIL_ENDED, &third); /* both are over at once; whichever comes first */
    third.other = wait_for(s, "it", ROUSE_UNTIL_ENDED, &second); /* ends the other */
    assert_int_equal(rouse_task_cancel(s->manager, "it", &(rouse_cancel){.thread = "t"}, NULL, NULL), 0);
    size_t calls = 0;
    struct pollfd p = {.fd = descriptor(s), .events = POLLIN};
    while (calls == 0) {
        assert_int_equal(poll(&p, 1, 60000), 1);
        assert_true(rouse_manager_dispatch(s->manager, NULL) >= 0);
        calls = second.calls + third.calls;
    }
    settle(s);
    assert_int_equal(first.calls, 0);
    assert_int_equal(second.calls + third.calls, 1);
    rouse_task_free(second.first);
    rouse_task_free(third.first);
    rouse_task_free(task);
}

static void test_a_killed_supervisor_is_noticed(void **state)
{
    struct scene *s = *state;
    struct heard h = {0};
    char *fifo = scene_fifo(s, "pid");
    char line[512], pid[32];
    snprintf(line, sizeof line, "echo $PPID > %s; exec sleep 600", fifo);
    rouse_task *task = scene_start(s, "it", line);
    scene_hear(fifo, pid, sizeof pid);
    wait_for(s, "it", ROUSE_UNTIL_ENDED, &h);
    settle(s);
    assert_int_equal(kill((pid_t)strtol(pid, NULL, 10), SIGKILL), 0);
    loop(s, &h.calls, 1);
    assert_int_equal(h.first->status, ROUSE_FAILED);
    assert_string_equal(h.first->ext.ended_by, "runtime");
    rouse_task_free(h.first);
    rouse_task_free(task);
    free(fifo);
}

static void test_a_tree(void **state)
{
    struct scene *s = *state;
    struct heard h = {0};
    rouse_task *root, *leaf;
    const rouse_task_spec spec = {.thread = "t", .name = "root", .kind = ROUSE_KIND_EXTERNAL};
    assert_int_equal(rouse_task_start(s->manager, &spec, &root, NULL), 0);
    const rouse_task_spec below = {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .parent = {.task_id = root->task_id}};
    assert_int_equal(rouse_task_start(s->manager, &below, &leaf, NULL), 0);
    const char *id = "root";
    const rouse_wait wait = {.thread = "t", .ids = &id, .count = 1, .tree = true};
    assert_int_equal(rouse_waiting_new(s->manager, &wait, hear, &h, NULL, NULL), 0);
    assert_int_equal(rouse_task_complete(s->manager, NULL, root->task_id, NULL, NULL), 0);
    settle(s);
    assert_int_equal(h.calls, 0);
    assert_int_equal(rouse_task_complete(s->manager, NULL, leaf->task_id, NULL, NULL), 0);
    loop(s, &h.calls, 1);
    rouse_task_free(h.first);
    rouse_task_free(root);
    rouse_task_free(leaf);
}

static void start_many(struct scene *s, rouse_task **tasks)
{
    const rouse_task_spec spec = {.thread = "t", .kind = ROUSE_KIND_FUNCTION, .description = "parked"};
    const rouse_task_spec *specs[1000];
    for (size_t i = 0; i < 1000; i++)
        specs[i] = &spec;
    for (size_t i = 0; i < MANY; i += 1000)
        assert_int_equal(rouse_task_start_many(s->manager, specs, 1000, tasks + i, NULL), 0);
}

static void end_many(struct scene *s, rouse_task **tasks)
{
    rouse_ending endings[1000];
    for (size_t i = 0; i < MANY; i += 1000) {
        for (size_t k = 0; k < 1000; k++)
            endings[k] = (rouse_ending){.id = tasks[i + k]->task_id};
        assert_int_equal(rouse_task_end_many(s->manager, "t", endings, 1000, NULL), 1000);
    }
}

static void test_ten_thousand(void **state)
{
    struct scene memory = {0}, *s = &memory;
    (void)state;
    assert_works(rouse_store_open("memory:", NULL, &memory.store, &err));
    assert_works(rouse_manager_new(memory.store, NULL, &memory.manager, &err));
    rouse_task **tasks = calloc(MANY, sizeof *tasks);
    size_t calls = 0;
    start_many(s, tasks);
    for (size_t i = 0; i < MANY; i++) {
        const char *id = tasks[i]->task_id;
        const rouse_wait wait = {.ids = &id, .count = 1};
        assert_int_equal(rouse_waiting_new(s->manager, &wait, count, &calls, NULL, NULL), 0);
    }
    settle(s);
    struct pollfd p = {.fd = descriptor(s), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 300), 0);
    assert_int_equal(calls, 0);
    end_many(s, tasks);
    loop(s, &calls, MANY);
    for (size_t i = 0; i < MANY; i++)
        rouse_task_free(tasks[i]);
    free(tasks);
    rouse_manager_free(memory.manager);
    rouse_store_close(memory.store);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_a_process_ends),
        SCENE_TEST(test_one_that_has_ended_is_told_by_dispatch),
        SCENE_TEST(test_readiness),
        SCENE_TEST(test_timeout_and_any),
        SCENE_TEST(test_refused),
        SCENE_TEST(test_a_wait_that_was_ended_is_not_called),
        SCENE_TEST(test_a_killed_supervisor_is_noticed),
        SCENE_TEST(test_a_tree),
        SCENE_TEST(test_ten_thousand),
    };
    return check_run(tests, NULL, NULL);
}
