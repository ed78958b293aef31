/* A wall clock that is set back and forth by years between any two looks at it. Processes start, end, are waited for, time out and are
 * cancelled as ever; afterwards one terminal record and one event of each, and nobody left. */
#include <time.h>
#include <unistd.h>

#include "../support/check.h"
#include "../support/scene.h"
#include "base/platform.h"
#include "seed.h"

static uint64_t seed = 1, looks;

static uint64_t wander(void *userdata)
{
    static const uint64_t begin = 1700000000000, year = 365ull * 86400000;
    (void)userdata;
    looks++;
    return seed_next(&seed) % 8 == 0 ? 0 : begin + seed_next(&seed) % (60 * year) - 30 * year;
}

static uint64_t steady(void *userdata)
{
    const rouse_platform *platform = platform_or_default(NULL);
    (void)userdata;
    return platform->mono_ms(platform->userdata);
}

static int chance(void *userdata, unsigned char *fill, size_t size)
{
    const rouse_platform *platform = platform_or_default(NULL);
    (void)userdata;
    return platform->random(platform->userdata, fill, size);
}

static void open_wandering(struct scene *s)
{
    static const rouse_platform platform = {.now_ms = wander, .mono_ms = steady, .random = chance};
    scene_close(s);
    assert_works(rouse_store_open(s->path, &(rouse_store_options){.platform = &platform}, &s->store, &err));
    assert_works(rouse_manager_new(s->store, NULL, &s->manager, &err));
}

static void start(struct scene *s, const char *id, const char *line, uint64_t timeout_ms, uint64_t idle_ms)
{
    const char *const argv[] = {"sh", "-c", line, NULL}, *const env[] = {"PATH=/usr/bin:/bin", NULL};
    const rouse_task_spec spec = {
        .thread = "t", .argv = argv, .env = env, .timeout_ms = timeout_ms, .idle_timeout_ms = idle_ms};
    rouse_task *task = NULL;
    assert_works(rouse_task_start(s->manager, &spec, &task, &err));
    assert_string_equal(task->task_id, id);
    rouse_task_free(task);
}

static void ended(struct scene *s, const char *id, rouse_status status, const char *by)
{
    rouse_task_free(scene_wait(s, id));
    rouse_task *task = scene_check_ended(s, id, status);
    assert_string_equal(task->ext.ended_by, by);
    rouse_task_free(task);
}

static int wait_for(struct scene *s, const char *id, rouse_until until, uint64_t timeout_ms)
{
    const char *const ids[] = {id};
    const rouse_wait wait = {.thread = "t",
                             .ids = ids,
                             .count = 1,
                             .until = until,
                             .idle_ms = 50,
                             .match = until == ROUSE_UNTIL_MATCH ? "up" : NULL,
                             .has_timeout = true,
                             .timeout_ms = timeout_ms};
    rouse_task_list *list = NULL;
    int code = rouse_task_wait(s->manager, &wait, &list, NULL);
    rouse_task_list_free(list);
    return code;
}

static void one_round(struct scene *s)
{
    size_t count = 0;
    uint64_t begin = steady(NULL);
    start(s, "bg_0", "exit 7", 0, 0);
    start(s, "bg_1", "sleep 1000", 100, 0);
    start(s, "bg_2", "sleep 1000", 0, 100);
    start(s, "bg_3", "trap '' TERM; echo up; while :; do sleep 1000; done", 0, 0);
    start(s, "bg_4", "sleep 1000", 3600000, 3600000);
    ended(s, "bg_0", ROUSE_FAILED, "self");
    ended(s, "bg_1", ROUSE_FAILED, "deadline");
    ended(s, "bg_2", ROUSE_FAILED, "idle");
    assert_int_equal(wait_for(s, "bg_3", ROUSE_UNTIL_MATCH, 60000), 0);
    assert_int_equal(wait_for(s, "bg_3", ROUSE_UNTIL_IDLE, 60000), 0);
    assert_int_equal(wait_for(s, "bg_3", ROUSE_UNTIL_ENDED, 50), ROUSE_ETIMEOUT);
    const rouse_cancel soon = {.has_grace = true, .grace_ms = 50};
    assert_works(rouse_task_cancel(s->manager, "bg_3", &soon, &count, &err));
    assert_int_equal(count, 1);
    ended(s, "bg_3", ROUSE_CANCELLED, "user");
    assert_int_equal(wait_for(s, "bg_4", ROUSE_UNTIL_ENDED, 0), ROUSE_ETIMEOUT); /* its hour is not over */
    assert_works(rouse_task_cancel(s->manager, "bg_4", NULL, NULL, &err));
    ended(s, "bg_4", ROUSE_CANCELLED, "user");
    assert_true(steady(NULL) - begin < 120000);
}

static void test_set_back_and_forth(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct scene s;
        scene_init(&s);
        open_wandering(&s);
        one_round(&s);
        open_wandering(&s); /* nor does a recovery make more of them */
        assert_int_equal(scene_events(&s, NULL, NULL), 5);
        assert_int_equal(scene_processes(&s), 0);
        scene_done(&s);
    }
    assert_true(looks > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set_back_and_forth)};
    return check_run(tests, NULL, NULL);
}
