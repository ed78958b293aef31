/* The n-th call that the manager makes of the store fails, for every n, once and from then on, in each public call of the manager.
 * The call then says so, or has done its work; afterwards no task is stuck, and each that ended is told of once. */
#include "../support/check.h"
#include "../support/fail_store.h"
#include "operations.h"

#define MOST 1000 /* calls of one operation; more means that it never gets through */

void operations_no_more_failures(void)
{
    fail_store_stop();
}

static void break_calls(struct set *s, const struct operation *op, bool always)
{
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        char context[128];
        rouse_error err = {0};
        snprintf(context, sizeof context, "%s, call %lu%s", op->label, n, always ? " and all behind it" : "");
        if (n == MOST)
            fail_msg("%s never gets through", context);
        fail_store_at(n, always);
        int code = op->run(s, &err);
        failed = fail_store_stop();
        if (code < 0 && (!failed || code != ROUSE_EIO || err.code != ROUSE_EIO || !strstr(err.message, FAIL_STORE_TEXT)))
            fail_msg("%s: %d: %s", context, code, err.message);
        operations_settle(s, context);
    }
}

static void break_all(struct set *s, const struct operation *all)
{
    for (const struct operation *op = all; op->label; op++) {
        break_calls(s, op, false);
        break_calls(s, op, true);
    }
}

static void test_calls(void **state)
{
    break_all(*state, operations);
}

static void test_work_calls(void **state)
{
    break_all(*state, work_operations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_calls, operations_set_up, operations_tear_down),
        cmocka_unit_test_setup_teardown(test_work_calls, operations_set_up, operations_tear_down),
    };
    return check_run(tests, NULL, NULL);
}
