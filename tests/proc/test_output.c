/* Output: which bytes are kept, at which offsets, and how the ready pattern sees them. */
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "support.h"

#define SEGMENT ((uint64_t)LIMIT_OUTPUT_SEGMENT)
#define HEAD ((uint64_t)LIMIT_OUTPUT_HEAD)

/* Every byte the reader gives must be the one that was written at its offset. Returns how many there are. */
static uint64_t check_bytes(struct place *p, const char *id)
{
    static char bytes[200000];
    uint64_t offset = 0, count = 0;
    for (;;) {
        int n = proc_output_read(p->tasks, id, &offset, bytes, sizeof bytes, NULL);
        assert_true(n >= 0);
        if (n == 0)
            return count;
        for (int i = 0; i < n; i++) {
            if (bytes[i] != (char)('a' + (offset + (uint64_t)i) % 26))
                fail_msg("wrong byte at %llu", (unsigned long long)(offset + (uint64_t)i));
        }
        offset += (uint64_t)n;
        count += (uint64_t)n;
    }
}

static void test_what_is_kept(void **state)
{
    struct place *p = *state;
    static const uint64_t sizes[] = {
        0,
        1,
        65536,
        HEAD - 1,
        HEAD,
        HEAD + 1,
        HEAD + SEGMENT,
        HEAD + SEGMENT + 1,
        HEAD + 9 * SEGMENT,
        HEAD + 9 * SEGMENT + 1,
        40000000,
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char count[24];
        struct proc_output output;
        snprintf(count, sizeof count, "%llu", (unsigned long long)sizes[i]);
        struct proc_start start = start_of(ACTOR("write", count));
        assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
        end_of(p, "bg_1");
        assert_int_equal(proc_output_size(p->tasks, "bg_1", &output, NULL), 0);
        assert_int_equal(output.size, sizes[i]);
        assert_int_equal(output.kept + output.dropped, output.size);
        if (sizes[i] <= HEAD + 9 * SEGMENT)
            assert_int_equal(output.dropped, 0);
        else
            assert_true(output.kept >= HEAD + LIMIT_OUTPUT_SEGMENTS * SEGMENT &&
                        output.kept <= HEAD + (LIMIT_OUTPUT_SEGMENTS + 1) * SEGMENT);
        assert_int_equal(check_bytes(p, "bg_1"), output.kept);
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

static void test_reading_from_the_middle(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(ACTOR("write", "40000000"));
    struct proc_output output;
    char bytes[100];
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    end_of(p, "bg_1");
    assert_int_equal(proc_output_size(p->tasks, "bg_1", &output, NULL), 0);
    uint64_t tail = HEAD + output.dropped;
    const struct row {
        uint64_t from, got_from;
        int n;
    } rows[] = {
        {0, 0, 100},
        {HEAD - 50, HEAD - 50, 50}, /* up to the gap */
        {HEAD, tail, 100},
        {tail - 1, tail, 100},
        {tail + SEGMENT - 50, tail + SEGMENT - 50, 100}, /* across two pieces */
        {40000000 - 10, 40000000 - 10, 10},
        {40000000, 40000000, 0},
        {UINT64_MAX, UINT64_MAX, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t offset = rows[i].from;
        assert_int_equal(proc_output_read(p->tasks, "bg_1", &offset, bytes, sizeof bytes, NULL), rows[i].n);
        assert_int_equal(offset, rows[i].got_from);
    }
}

/* A file that cannot grow (as on a full disk) costs bytes, never the task; those that are there keep their offsets. */
static void test_what_cannot_be_written_is_counted(void **state)
{
    struct place *p = *state;
    struct rlimit old, small = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    struct proc_output output;
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    struct proc_start start = start_of(ACTOR("write", "3000000", "exit", "4"));
    int code = start_task(p, "bg_1", &start, NULL, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(code, 0);
    assert_int_equal(end_of(p, "bg_1").exit_code, 4);
    assert_int_equal(proc_output_size(p->tasks, "bg_1", &output, NULL), 0);
    assert_int_equal(output.size, 3000000);
    assert_true(output.dropped > 0 && output.kept > 100000);
    assert_int_equal(check_bytes(p, "bg_1"), output.kept);
}

static void test_strange_files_are_no_output(void **state)
{
    struct place *p = *state;
    static const char *const names[] = {"out.",  "out.x",    "out.01", "out.1x", "out.-1", "out.99999999999999999999",
                                        "outer", "out.5.tmp"};
    struct proc_start start = start_of(ACTOR("say", "hello"));
    struct proc_output output;
    char name[64];
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    end_of(p, "bg_1");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "bg_1/%s", names[i]);
        int fd = openat(p->tasks, name, O_CREAT | O_WRONLY, 0600);
        assert_int_equal(write(fd, "lies", 4), 4);
        close(fd);
    }
    assert_int_equal(symlinkat("/etc/passwd", p->tasks, "bg_1/out.7"), 0);
    assert_int_equal(proc_output_size(p->tasks, "bg_1", &output, NULL), 0);
    assert_int_equal(output.size, 6);
    assert_int_equal(output.kept, 6);
    assert_string_equal(output_of(p, "bg_1"), "hello\n");
}

static void test_no_such_task(void **state)
{
    struct place *p = *state;
    struct proc_output output = {.size = 7};
    uint64_t offset = 3;
    char byte;
    assert_int_equal(proc_output_size(p->tasks, "bg_9", &output, NULL), ROUSE_ENOTFOUND);
    assert_int_equal(output.size, 7);
    assert_int_equal(proc_output_read(p->tasks, "bg_9", &offset, &byte, 1, NULL), ROUSE_ENOTFOUND);
    assert_int_equal(offset, 3);
    assert_false(look_at(p, "bg_9").ready);
}

static void test_ready_pattern(void **state)
{
    struct place *p = *state;
    static char long_line[LIMIT_LINE + 200];
    memset(long_line, 'x', sizeof long_line - 1);
    memcpy(long_line + sizeof long_line - 10, "listening", 9);
    static const struct row {
        const char *pattern;
        const char *words[8];
        bool ready;
    } rows[] = {
        {"^up$", {"say", "up"}, true},
        {"^up$", {"say", "not up", "say", "up"}, true},
        {"^up$", {"say", "upper"}, false},
        {"listening on .*:[0-9]+", {"say", "now listening on [::]:8080"}, true},
        {"a.b", {"say", "a", "say", "b"}, false}, /* no match across lines */
        {"^abc$", {"write", "3"}, true},          /* a last line without its end */
        {"^$", {"say", ""}, true},
        {"^$", {"exit", "0"}, false},             /* no line at all */
        {"listening", {"say", long_line}, false}, /* beyond what of a line is looked at */
        {"^x+$", {"say", long_line, "say", "up"}, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *argv[10] = {getenv("ROUSE_TEST_ACTOR")};
        memcpy(argv + 1, rows[i].words, sizeof rows[i].words);
        struct proc_start start = start_of(argv);
        start.ready_when = rows[i].pattern;
        assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
        end_of(p, "bg_1");
        if (look_at(p, "bg_1").ready != rows[i].ready)
            fail_msg("row %zu", i);
        assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
    }
}

/* By the supervisor, whose C library is another one. */
static void check_taken(struct place *p, const char *pattern)
{
    struct proc_start start = start_of(ACTOR("exit", "0"));
    rouse_error err = {0};
    start.ready_when = pattern;
    if (start_task(p, "bg_1", &start, NULL, &err) != 0)
        fail_msg("'%s': %s", pattern, err.message);
    end_of(p, "bg_1");
    assert_int_equal(proc_remove(p->tasks, "bg_1", NULL), 0);
}

static void test_check_pattern(void **state)
{
    static char too_long[LIMIT_PATTERN + 2];
    memset(too_long, 'a', sizeof too_long - 1);
    static const struct row {
        const char *pattern;
        int code;
    } rows[] = {
        {"", 0},
        {"^(ready|up) [0-9]{2,4}$", 0},
        {"a{100}b{100}", 0},
        {"\\{9999999\\}", 0},
        {"a{255}", 0},
        {"a{256}", ROUSE_EINVAL},
        {"a{1,256}", ROUSE_EINVAL},
        {"(", ROUSE_EINVAL},
        {"[z-a]", ROUSE_EINVAL},
        {"a{2,1}", ROUSE_EINVAL},
        {"(.)\\1", ROUSE_EINVAL},
        {"((a{200}){200}){200}", ROUSE_EINVAL},
        {"((a{1,200}){1,200}){1,200}", ROUSE_EINVAL},
        {"a{99999999999999999999}", ROUSE_EINVAL},
        {"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", 0},
        {"[0-9]{4}-[0-9]{2}-[0-9]{2}T([0-9]{2}:){2}[0-9]{2}(\\.[0-9]{1,9})?Z?", 0},
        {"a{255}b{255}", 0},
        {"a{255}b{255}ccc", ROUSE_EINVAL},
        {"[]a{9}]{200}\\{999}", 0},
        {"(a{1,22}){1,22}b", 0},
        {"(a{1,100}){1,100}b", ROUSE_EINVAL}, /* ten seconds and 400 MB for one line */
        {"(((a{0,7}){0,8}){0,9})*b", ROUSE_EINVAL}, /* and these never came back */
        {"((((a?){0,4}){0,4}){0,4})*b", ROUSE_EINVAL},
        {"(((a*)*){0,20}){0,20}b", ROUSE_EINVAL},
        {"(([ab]b(.|a)*)*(((.)?|(.)*))+){19}x", ROUSE_EINVAL},
        {"((((b|(a*)+(.)?)*)*|((b*)+*)+)){0,25}$", ROUSE_EINVAL},
        {"((a*)*)*b", 0},
        {"(x+x+)+y", 0},
        {"(a?){255}b", 0},
        {too_long, ROUSE_EINVAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rouse_error err = {0};
        if (rows[i].code == 0)
            check_taken(*state, rows[i].pattern);
        if (proc_check_pattern(rows[i].pattern, &err) != rows[i].code || err.code != rows[i].code)
            fail_msg("'%s': %d %s", rows[i].pattern, err.code, err.message);
    }
}

/* The worst that is taken, on lines that almost match: a hang is a failure. */
static void test_hostile_patterns(void **state)
{
    static const char *const patterns[] = {"(a*)*b", "(a|aa)+$", "(x+x+)+y", "((((((((a*)*)*)*)*)*)*)*)*b", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)x",
                                           "(a?){255}b", "(a{1,22}){1,22}b", "(x(a{0,20}|b*)){1,20}c", "(((a{1,7}){1,8}){1,9})+b",
                                           "^(([a-z])+.)+[A-Z]([a-z])+$", "(a|b|ab)*c(a|b|ab)*d"};
    char line[LIMIT_LINE + 1] = "";
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        regex_t compiled;
        assert_int_equal(proc_check_pattern(patterns[i], NULL), 0);
        assert_int_equal(regcomp(&compiled, patterns[i], REG_EXTENDED | REG_NOSUB), 0);
        for (int mixed = 0; mixed < 2; mixed++) {
            for (size_t k = 0; k < LIMIT_LINE; k++)
                line[k] = mixed ? "abx"[k * k % 3] : 'a';
            regexec(&compiled, line, 0, NULL, 0);
        }
        regfree(&compiled);
    }
}

/* A reader that never comes does not hold the command up, and one that reads while pieces are dropped sees only truth. */
static void test_reading_while_it_is_written(void **state)
{
    struct place *p = *state;
    struct proc_start start = start_of(ACTOR("write", "60000000"));
    assert_int_equal(start_task(p, "bg_1", &start, NULL, NULL), 0);
    while (probe(p, "bg_1") == PROC_ALIVE)
        check_bytes(p, "bg_1");
    end_of(p, "bg_1");
    assert_true(check_bytes(p, "bg_1") > HEAD);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_kept),
        TEST(test_reading_from_the_middle),
        TEST(test_what_cannot_be_written_is_counted),
        TEST(test_strange_files_are_no_output),
        TEST(test_no_such_task),
        TEST(test_ready_pattern),
        TEST(test_check_pattern),
        TEST(test_hostile_patterns),
        TEST(test_reading_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
