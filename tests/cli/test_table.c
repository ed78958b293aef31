#include "support/check.h"

#include <locale.h>

#include "cli/table.h"

static const char *const heading[] = {"ID", "NAME", "DESCRIPTION"};

static const char *const cells[][3] = {
    {"bg_1", "build", "make -j8"},
    {"bg_10", "-", "a description that is longer than what is left of the line"},
    {"bg_2", "日本", "two\nlines, \x1b[31mred\ttab"},
};

/* What table_print writes at this width, into out. */
static void print_at(size_t width, char *out, size_t size)
{
    struct table table = {.heading = heading, .columns = 3};
    FILE *stream = fmemopen(out, size, "w");
    for (size_t i = 0; i < COUNT(cells); i++)
        assert_works(table_add(&table, cells[i], &err));
    table_print(&table, width, stream);
    table_done(&table);
    fclose(stream);
}

static void test_for_people(void **state)
{
    char out[1024] = "";
    (void)state;
    print_at(40, out, sizeof out);
    assert_string_equal(out, "ID     NAME   DESCRIPTION\n"
                             "bg_1   build  make -j8\n"
                             "bg_10  -      a description that is lon…\n"
                             "bg_2   日本   two?lines, ?[31mred?tab\n");
}

static void test_for_programs(void **state)
{
    char out[1024] = "";
    (void)state;
    print_at(0, out, sizeof out);
    assert_string_equal(out, "bg_1\tbuild\tmake -j8\n"
                             "bg_10\t-\ta description that is longer than what is left of the line\n"
                             "bg_2\t日本\ttwo?lines, ?[31mred?tab\n");
}

/* No width loses a row or takes part of a character. */
static void test_any_width(void **state)
{
    (void)state;
    for (size_t width = 1; width < 100; width++) {
        char out[1024] = "";
        print_at(width, out, sizeof out);
        size_t lines = 0;
        for (const char *c = out; *c; c++)
            lines += *c == '\n';
        assert_int_equal(lines, 4);
        assert_non_null(strstr(out, "日本"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_for_people),
        cmocka_unit_test(test_for_programs),
        cmocka_unit_test(test_any_width),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return check_run(tests, NULL, NULL);
}
