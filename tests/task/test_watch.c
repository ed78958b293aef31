/* Waiting for what tasks print: a line that matches, silence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "support/scene.h"
#include "base/limits.h"
#include "task/manager.h"

#define GENEROUS 60000

static int wait_match(struct scene *s, const char *pattern, uint64_t from, rouse_task_list **ret_list)
{
    const char *ids[] = {"bg_0"};
    const rouse_wait wait = {.ids = ids, .count = 1, .until = ROUSE_UNTIL_MATCH, .match = pattern, .match_from = from,
                             .has_timeout = true, .timeout_ms = GENEROUS};
    return rouse_task_wait(s->manager, &wait, ret_list, NULL);
}

/* What is printed, the pattern, and the line it finds; NULL: none, though the task goes on to its end. */
static const struct row {
    const char *prints, *pattern;
    uint64_t from;
    const char *line;
    uint64_t offset;
} rows[] = {
    {"printf 'one\\ntwo\\nthree\\n'", "^t", 0, "two", 4},
    {"printf 'one\\ntwo\\nthree\\n'", "^t", 5, "three", 8},
    {"printf 'no end'", "end$", 0, "no end", 0},
    {"printf '\\033[32mgreen\\033[0m\\n'", "^green$", 0, "green", 0},
    {"printf '10%%\\r55%%\\r100%%\\n'", "^100%$", 0, "100%", 0},
    {"printf '10%%\\r55%%\\r100%%\\n'", "^10%$", 0, NULL, 0},
    {"printf 'a\\0b\\377c\\n'", "b.*c$", 0, "ab\xef\xbf\xbd" "c", 0},
    {"printf 'one\\ntwo\\n'", "one.two", 0, NULL, 0},
    {"printf 'x\\n\\ny\\n'", "^$", 0, "", 2},
    {"head -c 300000 /dev/zero | tr '\\0' x; printf 'needle\\n'", "needle", 0, NULL, 0},
    {"head -c 300000 /dev/zero | tr '\\0' x; printf '\\nneedle\\n'", "needle", 0, "needle", 300001},
    {"i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done", "^2999$", 0, "2999", 13885},
};

static void check_row(struct scene *s, const struct row *row, bool has_ended)
{
    rouse_task_list *list = NULL;
    rouse_task_free(scene_start(s, NULL, row->prints));
    if (has_ended)
        rouse_task_free(scene_wait(s, "bg_0"));
    assert_int_equal(wait_match(s, row->pattern, row->from, &list), 0);
    const rouse_found *found = rouse_task_list_found(list, 0);
    assert_true((found != NULL) == (row->line != NULL));
    if (row->line) {
        assert_string_equal(found->line, row->line);
        assert_int_equal(found->offset, row->offset);
    } else {
        assert_true(rouse_status_is_terminal(rouse_task_list_at(list, 0)->status));
    }
    rouse_task_list_free(list);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        struct scene s;
        scene_init(&s);
        print_message("# row %zu: %s\n", i / 2, rows[i / 2].prints);
        check_row(&s, &rows[i / 2], i % 2 == 1);
        scene_done(&s);
    }
}

static void test_prompt_without_an_end_matches_while_it_waits(void **state)
{
    struct scene *s = *state;
    rouse_task_list *list = NULL;
    char *fifo = scene_fifo(s, "go");
    char line[256];
    snprintf(line, sizeof line, "printf 'first\\nPassword: '; read x < %s", fifo);
    rouse_task_free(scene_start(s, NULL, line));
    assert_int_equal(wait_match(s, "^Password: $", 0, &list), 0);
    assert_string_equal(rouse_task_list_found(list, 0)->line, "Password: ");
    assert_int_equal(rouse_task_list_at(list, 0)->status, ROUSE_RUNNING);
    rouse_task_list_free(list);
    free(fifo);
}

static void test_bad_patterns(void **state)
{
    struct scene *s = *state;
    rouse_task_free(scene_start(s, NULL, "true"));
    assert_int_equal(wait_match(s, "(", 0, NULL), ROUSE_EINVAL);
    assert_int_equal(wait_match(s, "(a*)\\1", 0, NULL), ROUSE_EINVAL);
    assert_int_equal(wait_match(s, NULL, 0, NULL), ROUSE_EINVAL);
}

static void test_any_of_several_matches(void **state)
{
    struct scene *s = *state;
    rouse_task_list *list = NULL;
    rouse_task_free(scene_start(s, NULL, "sleep 600"));
    rouse_task_free(scene_start(s, NULL, "echo here; sleep 600"));
    const char *ids[] = {"bg_0", "bg_1", "bg_1"};
    rouse_wait wait = {.ids = ids, .count = 3, .any = true, .until = ROUSE_UNTIL_MATCH, .match = "here", .has_timeout = true,
                       .timeout_ms = GENEROUS};
    assert_int_equal(rouse_task_wait(s->manager, &wait, &list, NULL), 0);
    assert_null(rouse_task_list_found(list, 0));
    rouse_task_list_free(list);
    list = NULL;
    wait.any = false;
    wait.timeout_ms = 50;
    assert_int_equal(rouse_task_wait(s->manager, &wait, &list, NULL), ROUSE_ETIMEOUT);
    assert_null(rouse_task_list_found(list, 0));
    assert_string_equal(rouse_task_list_found(list, 1)->line, "here");
    assert_string_equal(rouse_task_list_found(list, 2)->line, "here");
    rouse_task_list_free(list);
}

static void test_silence(void **state)
{
    struct scene *s = *state;
    rouse_task_list *list = NULL;
    char *fifo = scene_fifo(s, "go");
    char line[256];
    snprintf(line, sizeof line, "while :; do echo tick; done & cat %s; kill $!; wait; sleep 600", fifo);
    rouse_task_free(scene_start(s, NULL, line));
    rouse_task_free(scene_start(s, NULL, "echo once; sleep 600"));
    const char *ids[] = {"bg_0", "bg_1"};
    rouse_wait wait = {.ids = ids, .count = 2, .until = ROUSE_UNTIL_IDLE, .idle_ms = 300, .has_timeout = true, .timeout_ms = 900};
    assert_int_equal(rouse_task_wait(s->manager, &wait, NULL, NULL), ROUSE_ETIMEOUT);
    FILE *f = fopen(fifo, "we");
    assert_non_null(f);
    fclose(f);
    wait.timeout_ms = GENEROUS;
    assert_int_equal(rouse_task_wait(s->manager, &wait, &list, NULL), 0);
    assert_int_equal(rouse_task_list_at(list, 0)->status, ROUSE_RUNNING);
    rouse_task_list_free(list);
    free(fifo);
}

static int set_up(void **state)
{
    struct scene *s = malloc(sizeof *s);
    assert_non_null(s);
    scene_init(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene_done(*state);
    free(*state);
    return 0;
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        SCENE_TEST(test_prompt_without_an_end_matches_while_it_waits),
        SCENE_TEST(test_bad_patterns),
        SCENE_TEST(test_any_of_several_matches),
        SCENE_TEST(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
