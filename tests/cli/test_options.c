#include "support/check.h"

#include <signal.h>

#include "cli/cli.h"

struct fruit {
    struct common common;
    bool ripe, sweet;
    const char *kind;
    struct texts spots;
    struct duration age;
    struct number count;
    int signal;
};

static const struct option_row rows[] = {
    {"ripe", 'r', FLAG(struct fruit, ripe), NULL, ""},
    {"sweet", 's', FLAG(struct fruit, sweet), NULL, ""},
    {"kind", 'k', TEXT(struct fruit, kind), "K", ""},
    {"spot", 'S', TEXTS(struct fruit, spots), "S", ""},
    {"age", 0, DURATION(struct fruit, age), "DUR", ""},
    {"count", 'n', NUMBER(struct fruit, count), "N", ""},
    {"signal", 0, SIGNAL(struct fruit, signal), "S", ""},
    ROW_STORE,
    ROW_END,
};

static const struct command eat = {
    .name = "eat", .options = rows, .options_size = sizeof(struct fruit), .max_operands = 3, .operand = "fruit"};
static const struct command wrap = {.name = "wrap", .options = rows, .options_size = sizeof(struct fruit), .stops_at_operand = true,
                                    .min_operands = 1, .max_operands = SIZE_MAX, .operand = "command"};

#define WORDS 16

/* A line of words, parsed; what it gives. */
struct line {
    const char *words[WORDS];
};

static int parse(const struct command *command, const char *const *words, struct fruit *fruit, char **argv, size_t *count,
                 rouse_error *err)
{
    size_t n = 0;
    for (; words[n]; n++)
        argv[n] = (char *)(uintptr_t)words[n];
    argv[n] = NULL;
    *fruit = (struct fruit){0};
    return options_parse(command, argv, n, fruit, count, err);
}

static void test_forms(void **state)
{
    static const struct line lines[] = {
        {{"a", "--ripe", "--kind", "pear", "--spot", "x", "--spot=y", "-n3", "--age", "1m", "--signal", "INT", "b"}},
        {{"-rk", "pear", "a", "-Sx", "b", "-S", "y", "--count=3", "--age=60", "--signal=2"}},
        {{"--signal", "SIGINT", "-kpear", "-r", "-S", "x", "-Sy", "-n", "3", "--age=60s", "--", "a", "b"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct fruit fruit;
        char *argv[WORDS + 2];
        size_t count = 0;
        assert_works(parse(&eat, lines[i].words, &fruit, argv, &count, &err));
        assert_true(fruit.ripe && !fruit.sweet);
        assert_string_equal(fruit.kind, "pear");
        assert_int_equal(fruit.spots.count, 2);
        assert_string_equal(fruit.spots.items[0], "x");
        assert_string_equal(fruit.spots.items[1], "y");
        assert_true(fruit.age.given && fruit.age.ms == 60000);
        assert_true(fruit.count.given && fruit.count.value == 3);
        assert_int_equal(fruit.signal, SIGINT);
        assert_int_equal(count, 2);
        assert_string_equal(argv[0], "a");
        assert_string_equal(argv[1], "b");
        assert_null(argv[2]);
        options_done(&eat, &fruit);
    }
}

static void test_operands_that_look_like_options(void **state)
{
    static const char *const dashes[] = {"-", "--", "--ripe", "--", NULL};
    struct fruit fruit;
    char *argv[WORDS + 1];
    size_t count = 0;
    (void)state;
    assert_works(parse(&eat, dashes, &fruit, argv, &count, &err));
    assert_int_equal(count, 3);
    assert_string_equal(argv[0], "-");
    assert_string_equal(argv[1], "--ripe");
    assert_string_equal(argv[2], "--");
    assert_false(fruit.ripe);
}

static void test_a_command_to_run_keeps_its_options(void **state)
{
    static const struct line lines[] = {{{"-r", "make", "-j8", "--ripe", "--", "x"}}, {{"-r", "--", "make", "-j8", "--ripe", "--", "x"}}};
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct fruit fruit;
        char *argv[WORDS + 1];
        size_t count = 0;
        assert_works(parse(&wrap, lines[i].words, &fruit, argv, &count, &err));
        assert_true(fruit.ripe);
        assert_int_equal(count, 5);
        assert_string_equal(argv[1], "-j8");
        assert_string_equal(argv[3], "--");
        assert_null(argv[5]);
    }
}

static void test_wrong_use(void **state)
{
    static const struct {
        struct line line;
        const char *message;
    } bad[] = {
        {{{"--rope"}}, "eat: unknown option '--rope' (did you mean '--ripe'?); see 'rouse eat --help'"},
        {{{"--xyzzy"}}, "eat: unknown option '--xyzzy'; see 'rouse eat --help'"},
        {{{"--xyzzy=secret"}}, "eat: unknown option '--xyzzy'; see"},
        {{{"-x"}}, "eat: unknown option '-x'; see"},
        {{{"-rx"}}, "eat: unknown option '-rx'; see"},
        {{{"--rip"}}, "(did you mean '--ripe'?)"},
        {{{"--kind"}}, "eat: option '--kind' needs a value, K; see"},
        {{{"-k"}}, "eat: option '--kind' needs a value"},
        {{{"--ripe=yes"}}, "eat: option '--ripe' takes no value; see"},
        {{{"--age", "soon"}}, "eat: --age: 'soon' is not a duration"},
        {{{"--count", "-1"}}, "eat: --count: '-1' is not a whole number"},
        {{{"--count="}}, "eat: --count: '' is not a whole number"},
        {{{"--signal", "FOO"}}, "eat: --signal: 'FOO' is not a signal"},
        {{{"a", "b", "c", "d"}}, "eat: 'd' is too much; see"},
        {{{"--spot", "x", "--rope"}}, "unknown option"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct fruit fruit;
        char *argv[WORDS + 1];
        size_t count = 42;
        assert_refused(parse(&eat, bad[i].line.words, &fruit, argv, &count, &err), ROUSE_EINVAL, bad[i].message);
        assert_int_equal(count, 42);
        options_done(&eat, &fruit);
    }
}

static void test_missing_operand(void **state)
{
    static const char *const none[] = {"--ripe", NULL};
    struct fruit fruit;
    char *argv[WORDS + 1];
    size_t count;
    (void)state;
    assert_refused(parse(&wrap, none, &fruit, argv, &count, &err), ROUSE_EINVAL, "wrap: no command given; see 'rouse wrap --help'");
}

static void test_help_wins(void **state)
{
    static const struct line lines[] = {{{"--help", "--xyzzy"}}, {{"-h"}}, {{"a", "b", "c", "--help", "d"}}};
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct fruit fruit;
        char *argv[WORDS + 1];
        size_t count = 0;
        assert_int_equal(parse(&eat, lines[i].words, &fruit, argv, &count, NULL), 1);
    }
}

static const char *word_at(const void *table, size_t i)
{
    return ((const char *const *)table)[i];
}

static void test_suggestions(void **state)
{
    static const char *const words[] = {"run", "ls", "show", "logs", "cancel", "export", NULL};
    static const struct {
        const char *word, *meant;
    } pairs[] = {{"rnu", "run"}, {"runn", "run"},       {"sl", "ls"},    {"lgos", "logs"},  {"cancle", "cancel"}, {"expotr", "export"},
                 {"x", NULL},    {"frobnicate", NULL}, {"", NULL},      {"list", NULL},    {"cnacle", "cancel"},
                 {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const char *meant = suggest(pairs[i].word, word_at, words);
        if (pairs[i].meant)
            assert_string_equal(meant ? meant : "(nothing)", pairs[i].meant);
        else
            assert_null(meant);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_operands_that_look_like_options),
        cmocka_unit_test(test_a_command_to_run_keeps_its_options),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_missing_operand),
        cmocka_unit_test(test_help_wins),
        cmocka_unit_test(test_suggestions),
    };
    return check_run(tests, NULL, NULL);
}
