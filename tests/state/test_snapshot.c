#include "support/check.h"

#include <pthread.h>

#include "state/set.h"
#include "support/toy.h"

static uint64_t last_seq;

static void add(struct state_set *set, const rouse_key *key, const char *entry, const char *text)
{
    char json[64];
    void *value;
    snprintf(json, sizeof json, "\"%s\"", text);
    assert_works(key->decode(entry, json, strlen(json), &value, &err));
    struct state_slot *slot = state_set_slot(set, key);
    assert_non_null(slot);
    struct cell *cell = cell_new(key, value);
    if (!entry) {
        state_set_scalar(slot, cell);
        cell_unref(cell);
        return;
    }
    const struct ptree_item *old = ptree_find(&slot->by_name, entry);
    struct ptree_item *item = ptree_item_new(entry, old ? old->seq : ++last_seq, cell);
    assert_int_equal(state_set_reserve(set, 1), 0);
    state_set_put(set, slot, item);
    ptree_item_unref(item);
}

static void take_out(struct state_set *set, const rouse_key *key, const char *entry)
{
    struct state_slot *slot = state_set_slot(set, key);
    const struct ptree_item *item = ptree_find(&slot->by_name, entry);
    assert_non_null(item);
    assert_int_equal(state_set_reserve(set, 1), 0);
    state_set_remove(set, slot, item->seq, entry);
}

/* The entries of toy_map in order, with their values: "a=1 b=2", in a static buffer. */
static const char *shown(const rouse_snapshot *s)
{
    static char text[1024];
    text[0] = '\0';
    for (size_t i = 0; i < rouse_snapshot_count(s, &toy_map); i++) {
        const char *entry;
        const char *value = rouse_snapshot_at(s, &toy_map, i, &entry);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%s", i ? " " : "", entry, value);
    }
    return text;
}

static void test_empty(void **state)
{
    (void)state;
    struct state_set set = {0};
    rouse_snapshot *s = state_set_snapshot(7, &set, NULL, NULL, NULL);
    assert_int_equal(rouse_snapshot_revision(s), 7);
    assert_null(rouse_snapshot_get(s, &toy_scalar, NULL));
    assert_null(rouse_snapshot_get(s, &toy_map, "a"));
    assert_int_equal(rouse_snapshot_count(s, &toy_map), 0);
    assert_null(rouse_snapshot_at(s, &toy_map, 0, NULL));
    rouse_snapshot_unref(s);
    rouse_snapshot_unref(NULL);
    state_set_done(&set);
}

static void test_values(void **state)
{
    (void)state;
    static const char *const names[] = {"z", "a", "m", "b"};
    struct state_set set = {0};
    add(&set, &toy_scalar, NULL, "one");
    for (size_t i = 0; i < COUNT(names); i++)
        add(&set, &toy_map, names[i], names[i]);
    add(&set, &toy_map, "a", "again"); /* replaces, keeps its place */
    rouse_snapshot *s = state_set_snapshot(1, &set, NULL, NULL, NULL);
    assert_string_equal(rouse_snapshot_get(s, &toy_scalar, NULL), "one");
    assert_null(rouse_snapshot_get(s, &toy_scalar, "x"));
    assert_int_equal(rouse_snapshot_count(s, &toy_scalar), 1);
    assert_null(rouse_snapshot_get(s, &toy_map, NULL));
    assert_null(rouse_snapshot_get(s, &toy_other, NULL));
    assert_string_equal(rouse_snapshot_get(s, &toy_map, "a"), "again");
    assert_null(rouse_snapshot_get(s, &toy_map, "zz"));
    assert_string_equal(shown(s), "z=z a=again m=m b=b");
    assert_null(rouse_snapshot_at(s, &toy_map, COUNT(names), NULL));
    rouse_snapshot_unref(s);
    state_set_done(&set);
    assert_int_equal(toy_values, 0);
}

/* Changes that come after a snapshot never show in it, and it outlives what it was taken of. */
static void test_frozen(void **state)
{
    (void)state;
    struct state_set thread = {0}, run = {0};
    add(&thread, &toy_scalar, NULL, "old");
    add(&thread, &toy_map, "a", "1");
    add(&thread, &toy_map, "b", "2");
    add(&run, &toy_other, NULL, "r");
    rouse_snapshot *before = state_set_snapshot(1, &thread, &run, NULL, NULL);
    add(&thread, &toy_scalar, NULL, "new");
    add(&thread, &toy_map, "c", "3");
    add(&thread, &toy_map, "a", "9");
    take_out(&thread, &toy_map, "b");
    rouse_snapshot *after = state_set_snapshot(2, &thread, NULL, NULL, NULL);
    state_set_clear(state_set_slot(&thread, &toy_map));
    state_set_done(&thread);
    state_set_done(&run);
    assert_string_equal(shown(before), "a=1 b=2");
    assert_string_equal(rouse_snapshot_get(before, &toy_scalar, NULL), "old");
    assert_string_equal(rouse_snapshot_get(before, &toy_other, NULL), "r");
    assert_string_equal(shown(after), "a=9 c=3");
    assert_string_equal(rouse_snapshot_get(after, &toy_scalar, NULL), "new");
    assert_null(rouse_snapshot_get(after, &toy_other, NULL));
    rouse_snapshot_unref(before);
    rouse_snapshot_unref(after);
    assert_int_equal(toy_values, 0);
}

static void test_many(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    struct state_set set = {0};
    char name[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "bg_%d", i);
        add(&set, &toy_map, name, name);
    }
    rouse_snapshot *s = state_set_snapshot(1, &set, NULL, NULL, NULL);
    state_set_done(&set);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "bg_%d", i);
        assert_string_equal(rouse_snapshot_get(s, &toy_map, name), name);
        assert_string_equal(rouse_snapshot_at(s, &toy_map, (size_t)i, NULL), name);
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

/* Readers hold, read and drop snapshots while this thread goes on changing what they were taken of. */
static void test_readers_in_threads(void **state)
{
    (void)state;
    enum { ROUNDS = 3000 };
    pthread_t threads[4];
    struct state_set set = {0};
    char name[16];
    add(&set, &toy_map, "a", "1");
    for (size_t i = 0; i < COUNT(threads); i++) {
        rouse_snapshot *s = state_set_snapshot(1, &set, NULL, NULL, NULL);
        assert_int_equal(pthread_create(&threads[i], NULL, reader, s), 0);
        for (int n = 0; n < ROUNDS; n++) {
            snprintf(name, sizeof name, "n%d", n % 100);
            add(&set, &toy_map, name, "x");
            add(&set, &toy_map, "a", name);
            if (n % 3 == 2)
                take_out(&set, &toy_map, name);
            rouse_snapshot_unref(state_set_snapshot(1, &set, NULL, NULL, NULL));
        }
    }
    state_set_done(&set);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_readers_in_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
