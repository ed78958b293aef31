/* What the starter writes is what the supervisor reads. */
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "proc/words.h"

static const struct words whole = {
    .id = "bg_1", .file = "/bin/true", .cwd = "/", .bell = "/b", .ready_when = "--", .input = "tty", .umask = "000", .nice = "-5",
    .timeout_ms = 1, .idle_timeout_ms = 2, .grace_ms = UINT64_MAX, .rows = 3, .columns = 4, .cpu_seconds = 5, .memory_bytes = 6,
    .files = 7, .head = 8, .tail = 9, .session = true, .wait_tree = true, .durable = true,
    .reaper = (const char *const[]){"rouse", "--", "--id", NULL},
    .command = (const char *const[]){"true", "--reaper", "", NULL},
};

static int write_words(const struct words *words, char *argv[WORDS_MAX + 8])
{
    static char numbers[WORDS_NUMBERS][24];
    const char *written[WORDS_MAX + 8] = {0};
    size_t n = words_write(words, written, numbers);
    memset(argv, 0, (WORDS_MAX + 8) * sizeof *argv);
    for (size_t i = 0; i < n; i++)
        assert_non_null(argv[i] = strdup(written[i]));
    return (int)n;
}

/* Not those in argv: reading moves them. */
static void free_words(char *const *copy, int n)
{
    for (int i = 0; i < n; i++)
        free(copy[i]);
}

static void check_list(const char *const *list, const char *const *expected)
{
    for (; *expected; expected++)
        assert_string_equal(*list++, *expected);
    assert_null(*list);
}

static void check_equal(const struct words *a, const struct words *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->file, b->file);
    assert_string_equal(a->cwd, b->cwd);
    assert_string_equal(a->bell, b->bell);
    assert_string_equal(a->ready_when, b->ready_when);
    assert_string_equal(a->input, b->input);
    assert_string_equal(a->umask, b->umask);
    assert_string_equal(a->nice, b->nice);
    size_t numbers = offsetof(struct words, reaper) - offsetof(struct words, timeout_ms);
    assert_memory_equal(&a->timeout_ms, &b->timeout_ms, numbers - sizeof(uint64_t));
    assert_true(a->session && a->wait_tree && a->durable);
    check_list(a->reaper, b->reaper);
    check_list(a->command, b->command);
}

static void test_there_and_back(void **state)
{
    (void)state;
    char *argv[WORDS_MAX + 8], *copy[WORDS_MAX + 8];
    struct words read = {0};
    int n = write_words(&whole, argv);
    memcpy(copy, argv, sizeof copy);
    assert_true(words_read(&read, n, argv));
    check_equal(&read, &whole);
    free_words(copy, n);
}

/* Each beginning of the words: without a command, or in the middle of an option. */
static void test_cut_off(void **state)
{
    (void)state;
    char *argv[WORDS_MAX + 8], *copy[WORDS_MAX + 8];
    int n = write_words(&whole, argv);
    memcpy(copy, argv, sizeof copy);
    for (int cut = 0; cut < n - 3; cut++) {
        struct words read = {0};
        memcpy(argv, copy, sizeof copy);
        argv[cut] = NULL;
        assert_false(words_read(&read, cut, argv));
    }
    free_words(copy, n);
}

static void test_refused(void **state)
{
    (void)state;
    const char *const rows[][6] = {
        {"rouse-shim", "--exec", "/x", "--timeout", "1x", "--"}, {"rouse-shim", "--exec", "/x", "--timeout", "", "--"},
        {"rouse-shim", "--exec", "/x", "--what", "1", "--"},     {"rouse-shim", "--exec", "/x", "--reaper", "0", "--"},
        {"rouse-shim", "--exec", "/x", "--reaper", "9", "--"},   {"rouse-shim", "--id", "/x", "--cwd", "1", "--"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *argv[8] = {0};
        struct words read = {0};
        for (int k = 0; k < 6; k++)
            argv[k] = (char *)(uintptr_t)rows[i][k];
        argv[6] = (char[]){"true"};
        if (words_read(&read, 7, argv))
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
