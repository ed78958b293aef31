/* Many tasks started in one transaction, where memory runs out at every single allocation: all of them are there and were given, or
 * none is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rouse/work.h"
#include "support/check.h"
#include "support/fail_alloc.h"

#define KINDS 4

struct place {
    rouse_store *store;
    rouse_manager *manager;
    size_t ran;
};

static int body(rouse_call *call, const char *input, void *userdata)
{
    struct place *p = userdata;
    (void)call, (void)input;
    p->ran++;
    return 0;
}

static void open_place(struct place *p)
{
    *p = (struct place){0};
    assert_works(rouse_store_open("memory:", NULL, &p->store, &err));
    assert_works(rouse_manager_new(p->store, NULL, &p->manager, &err));
    assert_works(rouse_function_register(p->manager, "known", body, p, &err));
}

static void close_place(struct place *p)
{
    rouse_manager_free(p->manager);
    rouse_store_close(p->store);
}

static void fill_specs(struct place *p, rouse_task_spec specs[KINDS], const rouse_task_spec *pointers[KINDS])
{
    static const char *const labels[] = {"a=b", NULL};
    specs[0] = (rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .run = body, .userdata = p, .labels = labels};
    specs[1] = (rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_FUNCTION, .function = "known", .input = "[1]", .name = "named"};
    specs[2] = (rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .queue = "q", .parent = {.run_id = "run"}};
    specs[3] = (rouse_task_spec){.thread = "t", .kind = ROUSE_KIND_TIMER, .when = {.in_ms = 1000000}, .timeout_ms = 5};
    for (size_t i = 0; i < KINDS; i++)
        pointers[i] = &specs[i];
}

static size_t stored(struct place *p)
{
    rouse_task_list *list;
    assert_works(rouse_task_list_get(p->manager, &(rouse_task_filter){.thread = "t"}, &list, &err));
    size_t n = rouse_task_list_count(list);
    rouse_task_list_free(list);
    return n;
}

/* True when memory was enough. */
static bool start_with_failure(unsigned long n, enum fail_alloc how, bool give)
{
    struct place p;
    rouse_task_spec specs[KINDS];
    const rouse_task_spec *pointers[KINDS];
    rouse_task *tasks[KINDS] = {0};
    open_place(&p);
    fill_specs(&p, specs, pointers);
    fail_alloc_at(n, how);
    int code = rouse_task_start_many(p.manager, pointers, KINDS, give ? tasks : NULL, NULL);
    bool failed = fail_alloc_stop();
    if (code != 0 && code != ROUSE_ENOMEM)
        fail_msg("allocation %lu: %d", n, code);
    assert_int_equal(stored(&p), code == 0 ? KINDS : 0);
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(tasks[i] != NULL, code == 0 && give);
        if (tasks[i])
            assert_int_equal(tasks[i]->status, ROUSE_RUNNING);
        rouse_task_free(tasks[i]);
    }
    for (int i = 0; i < 4; i++) /* what could not be done at once is done now */
        assert_true(rouse_manager_dispatch(p.manager, NULL) >= 0);
    assert_int_equal(p.ran, code == 0 ? 2 : 0);
    close_place(&p);
    return !failed;
}

static void test_all_or_none(void **state)
{
    (void)state;
    for (int give = 0; give < 2; give++) {
        for (int how = FAIL_ONCE; how <= FAIL_FROM_THEN_ON; how++) {
            unsigned long n = 1;
            while (!start_with_failure(n, (enum fail_alloc)how, give))
                n++;
            assert_true(n > 10);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_or_none)};
    return check_run(tests, NULL, NULL);
}
