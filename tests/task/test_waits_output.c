/* Waits that call back, for what tasks print and for how far they are. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rouse/work.h"
#include "support/check.h"
#include "support/scene.h"

#define MORE_THAN_INSTANCES 300 /* of inotify that a user may have, by default 128 */

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
    rouse_status status; /* of the first of the list */
    uint64_t done;       /* its progress */
    char line[64];       /* what was found, of any of them */
    uint64_t offset;
};

static void hear(int code, const rouse_task_list *list, void *userdata)
{
    struct heard *h = userdata;
    const rouse_task *first = rouse_task_list_at(list, 0);
    h->calls++;
    h->code = code;
    h->status = first->status;
    h->done = first->ext.plan ? first->ext.plan->progress.done : 0;
    for (size_t i = 0; i < rouse_task_list_count(list); i++) {
        const rouse_found *found = rouse_task_list_found(list, i);
        if (!found)
            continue;
        snprintf(h->line, sizeof h->line, "%s", found->line);
        h->offset = found->offset;
    }
}

static void dispatch(struct scene *s, int timeout_ms, bool wanted)
{
    struct pollfd p = {.events = POLLIN};
    assert_int_equal(rouse_manager_fd(s->manager, &p.fd, NULL), 0);
    int n = poll(&p, 1, timeout_ms);
    assert_true(n == 1 || !wanted);
    assert_true(rouse_manager_dispatch(s->manager, NULL) >= 0);
}

static void loop(struct scene *s, const size_t *calls, size_t wanted)
{
    while (*calls < wanted)
        dispatch(s, 60000, true);
    assert_int_equal(*calls, wanted);
}

static void settle(struct scene *s)
{
    struct pollfd p = {.events = POLLIN};
    assert_int_equal(rouse_manager_fd(s->manager, &p.fd, NULL), 0);
    while (poll(&p, 1, 150) > 0)
        assert_true(rouse_manager_dispatch(s->manager, NULL) >= 0);
}

static rouse_waiting *begin(struct scene *s, rouse_wait wait, struct heard *h)
{
    rouse_waiting *waiting;
    wait.thread = "t";
    assert_works(rouse_waiting_new(s->manager, &wait, hear, h, &waiting, &err));
    return waiting;
}

static void say(const char *fifo)
{
    FILE *f = fopen(fifo, "w");
    assert_non_null(f);
    fputs("go\n", f);
    fclose(f);
}

static rouse_task *start_printer(struct scene *s, const char *name, const char *fifo, const char *then)
{
    char line[512];
    snprintf(line, sizeof line, "echo before; read x < %s; %s", fifo, then);
    return scene_start(s, name, line);
}

static void test_a_line_matches(void **state)
{
    struct scene *s = *state;
    struct heard one = {0}, same = {0}, earlier = {0}, ended = {0};
    char *fifo = scene_fifo(s, "go");
    const char *id = "it";
    rouse_task *task = start_printer(s, id, fifo, "echo port 80; exec sleep 600");
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "port [0-9]+"}, &one);
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "^port"}, &same);
    rouse_waiting *dropped = begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "80"}, &ended);
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "before"}, &earlier);
    loop(s, &earlier.calls, 1);
    assert_string_equal(earlier.line, "before");
    assert_int_equal(one.calls, 0);
    rouse_waiting_free(dropped);
    say(fifo);
    loop(s, &one.calls, 1);
    loop(s, &same.calls, 1);
    assert_int_equal(one.code, 0);
    assert_int_equal(one.status, ROUSE_RUNNING);
    assert_string_equal(one.line, "port 80");
    assert_int_equal(one.offset, 7);
    assert_string_equal(same.line, "port 80");
    settle(s);
    assert_int_equal(ended.calls, 0);
    rouse_task_free(task);
    free(fifo);
}

static void test_a_prompt_and_an_end_match(void **state)
{
    struct scene *s = *state;
    struct heard prompt = {0}, last = {0}, never = {0};
    char *fifo = scene_fifo(s, "go");
    const char *id = "it";
    char line[600];
    snprintf(line, sizeof line, "printf 'sure? '; read x < %s; printf bye", fifo);
    rouse_task *task = scene_start(s, id, line);
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "sure"}, &prompt);
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "bye$"}, &last);
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "nothing"}, &never);
    loop(s, &prompt.calls, 1);
    assert_int_equal(never.calls + last.calls, 0);
    say(fifo);
    loop(s, &last.calls, 1);
    loop(s, &never.calls, 1);
    assert_string_equal(last.line, "sure? bye");
    assert_int_equal(never.code, 0);
    assert_int_equal(never.status, ROUSE_COMPLETED);
    assert_string_equal(never.line, "");
    rouse_task_free(task);
    free(fifo);
}

static void test_silence(void **state)
{
    struct scene *s = *state;
    struct heard idle = {0}, late = {0};
    const char *id = "it";
    rouse_task *task = scene_start(s, id, "i=0; while [ $i -lt 20 ]; do echo $i; sleep 0.01; i=$((i+1)); done; exec sleep 600");
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_IDLE, .idle_ms = 100}, &idle);
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_IDLE, .idle_ms = 600000, .has_timeout = true, .timeout_ms = 30},
          &late);
    loop(s, &late.calls, 1);
    assert_int_equal(late.code, ROUSE_ETIMEOUT);
    loop(s, &idle.calls, 1);
    assert_int_equal(idle.code, 0);
    assert_int_equal(idle.status, ROUSE_RUNNING);
    char printed[256] = "";
    uint64_t offset = 0;
    int n = rouse_task_read(s->manager, task->task_id, &offset, printed, sizeof printed - 1, NULL);
    assert_true(n > 0);
    assert_non_null(strstr(printed, "\n19\n"));
    rouse_task_free(task);
}

static void test_progress(void **state)
{
    struct scene *s = *state;
    struct heard half = {0}, whole = {0};
    const char *id = "it";
    rouse_task *task;
    assert_works(rouse_task_start(s->manager, &(rouse_task_spec){.thread = "t", .name = id, .kind = ROUSE_KIND_EXTERNAL}, &task, &err));
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_PROGRESS, .progress_done = 5}, &half);
    begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_PROGRESS, .progress_done = 11}, &whole);
    assert_works(rouse_task_progress(s->manager, "t", id, &(rouse_progress){.done = 4, .total = 10}, &err));
    settle(s);
    assert_int_equal(half.calls, 0);
    assert_works(rouse_task_progress(s->manager, "t", id, &(rouse_progress){.done = 6, .total = 10}, &err));
    loop(s, &half.calls, 1);
    assert_int_equal(half.done, 6);
    assert_int_equal(whole.calls, 0);
    assert_works(rouse_task_complete(s->manager, "t", id, NULL, &err)); /* it gets no further */
    loop(s, &whole.calls, 1);
    assert_int_equal(whole.status, ROUSE_COMPLETED);
    rouse_task_free(task);
}

static void test_any_of_several(void **state)
{
    struct scene *s = *state;
    struct heard any = {0}, all = {0};
    char *first = scene_fifo(s, "first"), *second = scene_fifo(s, "second");
    const char *ids[] = {"a", "b"};
    rouse_task *a = start_printer(s, "a", first, "echo here; exec sleep 600");
    rouse_task *b = start_printer(s, "b", second, "echo here; exec sleep 600");
    const rouse_wait wait = {.ids = ids, .count = 2, .until = ROUSE_UNTIL_MATCH, .match = "here"};
    begin(s, wait, &all);
    rouse_wait for_any = wait;
    for_any.any = true;
    begin(s, for_any, &any);
    say(second);
    loop(s, &any.calls, 1);
    assert_string_equal(any.line, "here");
    settle(s);
    assert_int_equal(all.calls, 0);
    say(first);
    loop(s, &all.calls, 1);
    rouse_task_free(a);
    rouse_task_free(b);
    free(first);
    free(second);
}

static void test_more_than_instances(void **state)
{
    struct scene *s = *state;
    struct heard *heard = calloc(MORE_THAN_INSTANCES, sizeof *heard);
    char *fifo = scene_fifo(s, "go");
    const char *id = "it";
    rouse_task *task = start_printer(s, id, fifo, "echo here; exec sleep 600");
    for (size_t i = 0; i < MORE_THAN_INSTANCES; i++)
        begin(s, (rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "here"}, &heard[i]);
    say(fifo);
    for (size_t i = 0; i < MORE_THAN_INSTANCES; i++)
        loop(s, &heard[i].calls, 1);
    rouse_task_free(task);
    free(heard);
    free(fifo);
}

static void test_refused(void **state)
{
    struct scene *s = *state;
    struct heard h = {0};
    rouse_task *task = scene_start(s, "it", "sleep 600");
    const char *id = "it";
    rouse_wait wait = {.thread = "t", .ids = &id, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = "("};
    assert_refused(rouse_waiting_new(s->manager, &wait, hear, &h, NULL, &err), ROUSE_EINVAL, "");
    wait.match = NULL;
    assert_refused(rouse_waiting_new(s->manager, &wait, hear, &h, NULL, &err), ROUSE_EINVAL, "no pattern to wait for");
    settle(s);
    assert_int_equal(h.calls, 0);
    rouse_task_free(task);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_a_line_matches),
        SCENE_TEST(test_a_prompt_and_an_end_match),
        SCENE_TEST(test_silence),
        SCENE_TEST(test_progress),
        SCENE_TEST(test_any_of_several),
        SCENE_TEST(test_more_than_instances),
        SCENE_TEST(test_refused),
    };
    return check_run(tests, NULL, NULL);
}
