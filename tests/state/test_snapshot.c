#include "support/check.h"

#include <pthread.h>

#include "state/apply.h"
#include "support/toy.h"

static void add(rouse_snapshot *s, const rouse_key *key, const char *entry, const char *text)
{
    char json[64];
    void *value;
    snprintf(json, sizeof json, "\"%s\"", text);
    assert_works(key->decode(entry, json, strlen(json), &value, &err));
    assert_works(snapshot_add(s, key, entry, cell_new(key, value), &err));
}

static void test_empty(void **state)
{
    (void)state;
    rouse_snapshot *s = snapshot_new(7);
    assert_int_equal(rouse_snapshot_revision(s), 7);
    assert_null(rouse_snapshot_get(s, &toy_scalar, NULL));
    assert_null(rouse_snapshot_get(s, &toy_map, "a"));
    assert_int_equal(rouse_snapshot_count(s, &toy_map), 0);
    assert_null(rouse_snapshot_at(s, &toy_map, 0, NULL));
    rouse_snapshot_unref(s);
    rouse_snapshot_unref(NULL);
}

static void test_values(void **state)
{
    (void)state;
    static const char *const names[] = {"z", "a", "m", "b"};
    rouse_snapshot *s = snapshot_new(1);
    add(s, &toy_scalar, NULL, "one");
    for (size_t i = 0; i < COUNT(names); i++)
        add(s, &toy_map, names[i], names[i]);
    add(s, &toy_map, "a", "again"); /* replaces, keeps its place */
    assert_string_equal(rouse_snapshot_get(s, &toy_scalar, NULL), "one");
    assert_null(rouse_snapshot_get(s, &toy_scalar, "x"));
    assert_null(rouse_snapshot_get(s, &toy_map, NULL));
    assert_null(rouse_snapshot_get(s, &toy_other, NULL));
    assert_string_equal(rouse_snapshot_get(s, &toy_map, "a"), "again");
    assert_null(rouse_snapshot_get(s, &toy_map, "zz"));
    assert_int_equal(rouse_snapshot_count(s, &toy_map), COUNT(names));
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *entry = NULL;
        assert_non_null(rouse_snapshot_at(s, &toy_map, i, &entry));
        assert_string_equal(entry, names[i]);
    }
    assert_null(rouse_snapshot_at(s, &toy_map, COUNT(names), NULL));
    rouse_snapshot_unref(s);
    assert_int_equal(toy_values, 0);
}

static void test_many(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    rouse_snapshot *s = snapshot_new(1);
    char name[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "bg_%d", i);
        add(s, &toy_map, name, name);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "bg_%d", i);
        assert_string_equal(rouse_snapshot_get(s, &toy_map, name), name);
    }
    rouse_snapshot_unref(s);
    assert_int_equal(toy_values, 0);
}

static void *reader(void *snapshot)
{
    for (int i = 0; i < 10000; i++) {
        rouse_snapshot *s = rouse_snapshot_ref(snapshot);
        if (!rouse_snapshot_get(s, &toy_map, "a"))
            return NULL;
        rouse_snapshot_unref(s);
    }
    rouse_snapshot_unref(snapshot);
    return snapshot;
}

static void test_readers_in_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    rouse_snapshot *s = snapshot_new(1);
    add(s, &toy_map, "a", "1");
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, rouse_snapshot_ref(s)), 0);
    rouse_snapshot_unref(s);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    assert_int_equal(toy_values, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_readers_in_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
