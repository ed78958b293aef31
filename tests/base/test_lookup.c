#include "support/check.h"

#include "base/lookup.h"

static size_t find(const struct lookup *t, uint64_t hash, size_t *ret_hits)
{
    size_t probe = 0, at = 0, last = SIZE_MAX;
    *ret_hits = 0;
    while (lookup_next(t, hash, &probe, &at)) {
        last = at;
        ++*ret_hits;
    }
    return last;
}

static void test_many_names(void **state)
{
    (void)state;
    struct lookup t = {0};
    size_t hits;
    char name[32];
    for (size_t i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "bg_%zu", i);
        assert_int_equal(lookup_reserve(&t), 0);
        lookup_add(&t, lookup_hash(name), i);
    }
    for (size_t i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "bg_%zu", i);
        assert_int_equal(find(&t, lookup_hash(name), &hits), i);
        assert_int_equal(hits, 1);
    }
    find(&t, lookup_hash("bg_5000"), &hits);
    assert_int_equal(hits, 0);
    lookup_done(&t);
    find(&t, lookup_hash("bg_1"), &hits);
    assert_int_equal(hits, 0);
}

static void test_one_hash_many_positions(void **state)
{
    (void)state;
    struct lookup t = {0};
    size_t hits;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(lookup_reserve(&t), 0);
        lookup_add(&t, 42, i);
    }
    find(&t, 42, &hits);
    assert_int_equal(hits, 100);
    find(&t, 42 + 4096, &hits); /* the same place, another hash */
    assert_int_equal(hits, 0);
    lookup_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_one_hash_many_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
