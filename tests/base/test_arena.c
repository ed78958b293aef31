#include "support/check.h"

#include "base/arena.h"

static void test_aligned_and_apart(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 16, 17, 1000, 1023, 1024, 1025, 100000, 3};
    struct arena a = {0};
    unsigned char *blocks[COUNT(sizes)];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        blocks[i] = arena_alloc(&a, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(blocks[i][k], i);
    }
    arena_done(&a);
    assert_null(a.chunks);
    arena_done(&a);
}

static void test_text(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_string_equal(arena_text(&a, "hello", 4), "hell");
    assert_string_equal(arena_text(&a, NULL, 0), "");
    arena_done(&a);
}

static void test_impossible_size(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 64));
    assert_null(arena_text(&a, "", SIZE_MAX));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned_and_apart),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_impossible_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
