/* What every test includes: cmocka with the headers it needs, and checks of calls that report through a rouse_error. */
#ifndef SUPPORT_CHECK_H
#define SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rouse/error.h"

/* call is an expression that uses &err. */
#define assert_works(call)                                                                                             \
    do {                                                                                                               \
        rouse_error err = {0};                                                                                         \
        int code_ = (call);                                                                                            \
        if (code_ < 0)                                                                                                 \
            fail_msg("%s: %d %s", #call, code_, err.message);                                                          \
    } while (0)

/* It fails with this code, err agrees, and the message holds text. */
#define assert_refused(call, expected, text)                                                                           \
    do {                                                                                                               \
        rouse_error err = {0};                                                                                         \
        int code_ = (call);                                                                                            \
        if (code_ != (expected) || err.code != (expected) || !strstr(err.message, text))                               \
            fail_msg("%s: %d (%d) '%s' instead of %d '%s'", #call, code_, err.code, err.message, (int)(expected),      \
                     text);                                                                                            \
    } while (0)

/* Runs the tests of one program, or of them only those whose names match $ROUSE_TEST (a pattern with * and ?). */
#define check_run(tests, set_up, tear_down)                                                                            \
    (getenv("ROUSE_TEST") ? cmocka_set_test_filter(getenv("ROUSE_TEST")) : (void)0,                                    \
     cmocka_run_group_tests(tests, set_up, tear_down))

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

#endif
