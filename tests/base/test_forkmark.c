#include "support/check.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/forkmark.h"

/* What the function says in a child after fork. */
static bool child_says(const struct forkmark *mark)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(forkmark_is_child(mark) ? 1 : 0);
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status) == 1;
}

static void test_knows_a_child(void **state)
{
    (void)state;
    struct forkmark mark;
    assert_true(forkmark_init(&mark));
    assert_false(forkmark_is_child(&mark));
    assert_true(child_says(&mark));
    assert_false(forkmark_is_child(&mark)); /* what a child finds empty is the parent's as it was */
    forkmark_done(&mark);
    forkmark_done(&mark);
    forkmark_done(&(struct forkmark){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knows_a_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
