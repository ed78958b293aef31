/* Lack of memory in what tests/storage and tests/task do not have: the n-th allocation fails, of ours or of SQLite's, for every n.
 * A call then fails with ROUSE_ENOMEM and has changed nothing that a reader can see, or it has done its work; nothing leaks (a
 * sanitizer's business). Tasks are started for real: whatever was not allocated, none is left that nobody knows of. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/check.h"
#include "../support/fail_alloc.h"
#include "operations.h"

#define MOST 20000 /* allocations in one operation; more means that it never gets through */

static sqlite3_mem_methods real_memory;

static void *sqlite_malloc(int size)
{
    return fail_alloc_now() ? NULL : real_memory.xMalloc(size);
}

static void *sqlite_realloc(void *at, int size)
{
    return fail_alloc_now() ? NULL : real_memory.xRealloc(at, size);
}

/* Must come before SQLite's first use. */
static int install(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    sqlite3_mem_methods failing = real_memory;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    return sqlite3_initialize() == SQLITE_OK ? 0 : -1;
}

void operations_no_more_failures(void)
{
    fail_alloc_stop();
}

static void starve(struct set *s, const struct operation *op, enum fail_alloc how, bool work)
{
    static bool failed;
    unsigned long n = 1;
    do {
        assert_true(n < MOST);
        rouse_error err = {0};
        fail_alloc_at(n, how);
        int code = op->run(s, &err);
        failed = fail_alloc_stop();
        if (code < 0 && (!failed || code != ROUSE_ENOMEM || err.code != ROUSE_ENOMEM))
            fail_msg("%s, allocation %lu: %d: %s", op->label, n, code, err.message);
        if (work)
            operations_settle(s, op->label);
        n++;
    } while (failed);
    assert_true(n > 2); /* something did fail */
}

static void starve_all(struct set *s, const struct operation *all, bool work)
{
    for (const struct operation *op = all; op->label; op++) {
        starve(s, op, FAIL_ONCE, work);
        if (!op->once)
            starve(s, op, FAIL_FROM_THEN_ON, work);
    }
}

static size_t count_running(struct set *s)
{
    rouse_task_list *list = NULL;
    assert_works(rouse_task_list_get(s->scene.manager, &(rouse_task_filter){.running_only = true}, &list, &err));
    size_t count = rouse_task_list_count(list);
    rouse_task_list_free(list);
    return count;
}

static void test_starved(void **state)
{
    struct set *s = *state;
    starve_all(s, operations, false);
    assert_works(rouse_task_recover(s->scene.manager, NULL, &err));
    assert_int_equal(count_running(s), 1);
}

static void test_starved_work(void **state)
{
    struct set *s = *state;
    starve_all(s, work_operations, true);
    assert_int_equal(count_running(s), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_starved, operations_set_up, operations_tear_down),
        cmocka_unit_test_setup_teardown(test_starved_work, operations_set_up, operations_tear_down),
    };
    return check_run(tests, install, NULL);
}
