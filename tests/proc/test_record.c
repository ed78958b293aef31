/* The exit record's parser: what the supervisor writes is read; whatever else is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/protocol.h"
#include "proc/record.h"
#include "support.h"

#define BODY                                                                                                           \
    "{\"version\":1,\"exec_errno\":2,\"exit_code\":-1,\"signal\":15,\"core\":true,\"ended_by\":\"user\","              \
    "\"reason\":\"a \\\"b\\\" \\\\ \\u000a c\",\"started_at_ms\":1,\"ended_at_ms\":18446744073709551615,\"killed\":3," \
    "\"user_us\":4,\"system_us\":5,\"max_rss_kib\":6,\"cancelled\":true,\"output\":7,\"lost\":8"

/* body with its right checksum. */
static bool parse(const char *body, struct record *fill)
{
    char text[8192];
    int n = snprintf(text, sizeof text, "%s,\"check\":%u}\n", body, (unsigned)shim_checksum(body, strlen(body)));
    return record_parse(text, (size_t)n, fill);
}

static void test_a_whole_one(void **state)
{
    (void)state;
    struct record record;
    assert_true(parse(BODY, &record));
    assert_int_equal(record.exit.exec_errno, 2);
    assert_int_equal(record.exit.exit_code, -1);
    assert_int_equal(record.exit.signal, 15);
    assert_true(record.exit.core);
    assert_string_equal(record.exit.ended_by, "user");
    assert_string_equal(record.exit.reason, "a \"b\" \\ ? c");
    assert_int_equal(record.exit.ended_at_ms, UINT64_MAX);
    assert_int_equal(record.exit.max_rss_kib, 6);
    assert_true(record.exit.cancelled);
    assert_int_equal(record.output, 7);
    assert_int_equal(record.lost, 8);
}

static void test_unknown_members_are_passed_over(void **state)
{
    (void)state;
    struct record record;
    assert_true(parse(BODY ",\"later\":1,\"and\":\"x\",\"too\":false,\"minus\":-4", &record));
}

static void test_malformed(void **state)
{
    static const char *const bodies[] = {
        "{",
        "{}",
        "",
        "[1",
        BODY ",\"killed\":3",
        BODY ",\"x\":",
        BODY ",\"x\":null",
        BODY ",\"x\":{}",
        BODY ",\"x\":1.5",
        BODY ",\"x\":\"\\n\"",
        BODY ",\"x\":\"\\u00",
        BODY ",\"x\":\"open",
        BODY ",\"x\" :1",
        BODY ",",
        BODY "}",
        "{\"version\":1",
        BODY ",\"x\":18446744073709551616",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct record record;
        if (parse(bodies[i], &record))
            fail_msg("accepted: %s", bodies[i]);
    }
}

/* Any bit, and any end that is missing. */
static void test_changed(void **state)
{
    char text[1024], changed[1024];
    struct record record;
    (void)state;
    size_t len =
        (size_t)snprintf(text, sizeof text, "%s,\"check\":%u}\n", BODY, (unsigned)shim_checksum(BODY, strlen(BODY)));
    assert_true(record_parse(text, len, &record));
    for (size_t i = 0; i < len; i++) {
        assert_false(record_parse(text, i, &record));
        for (int bit = 0; bit < 8; bit++) {
            memcpy(changed, text, len);
            changed[i] = (char)(changed[i] ^ (1 << bit));
            if (record_parse(changed, len, &record))
                fail_msg("bit %d of byte %zu", bit, i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_one),
        cmocka_unit_test(test_unknown_members_are_passed_over),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
