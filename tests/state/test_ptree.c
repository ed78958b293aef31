/* The tree against a plain array that does the same, with old versions held all along. */
#include "support/check.h"

#include "state/ptree.h"
#include "support/toy.h"

enum { NAMES = 300, STEPS = 20000, HELD = 7 };

struct model { /* entries in order of creation */
    struct {
        uint64_t seq;
        int name;
        char text[12];
    } items[NAMES];
    size_t count;
};

struct version {
    struct model model;
    struct ptree by_seq, by_name;
};

static uint64_t random_state = 42;

static unsigned next_random(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(random_state >> 33) % below;
}

static const char *name_of(int name)
{
    static char text[16];
    snprintf(text, sizeof text, "n%d", name);
    return text;
}

static struct cell *cell_of(const char *text)
{
    char json[32];
    void *value;
    snprintf(json, sizeof json, "\"%s\"", text);
    assert_works(toy_map.decode(NULL, json, strlen(json), &value, &err));
    return cell_new(&toy_map, value);
}

static size_t find(const struct model *m, int name)
{
    size_t i = 0;
    while (i < m->count && m->items[i].name != name)
        i++;
    return i;
}

static void put(struct version *v, int name, uint64_t seq, struct ptree_pool *pool)
{
    struct model *m = &v->model;
    size_t at = find(m, name);
    if (at == m->count) {
        m->items[at].seq = seq;
        m->items[at].name = name;
        m->count++;
    }
    snprintf(m->items[at].text, sizeof m->items[at].text, "%u", next_random(100000));
    struct ptree_item *item = ptree_item_new(name_of(name), m->items[at].seq, cell_of(m->items[at].text));
    assert_int_equal(ptree_pool_reserve(pool, ptree_need(&v->by_seq, 1) + ptree_need(&v->by_name, 1)), 0);
    ptree_put(&v->by_seq, item, pool);
    ptree_put(&v->by_name, item, pool);
    ptree_item_unref(item);
}

static void take_out(struct version *v, int name, struct ptree_pool *pool)
{
    struct model *m = &v->model;
    size_t at = find(m, name);
    if (at == m->count)
        return;
    assert_int_equal(ptree_pool_reserve(pool, ptree_need(&v->by_seq, 1) + ptree_need(&v->by_name, 1)), 0);
    ptree_remove(&v->by_seq, m->items[at].seq, name_of(name), pool);
    ptree_remove(&v->by_name, m->items[at].seq, name_of(name), pool);
    memmove(&m->items[at], &m->items[at + 1], (m->count - at - 1) * sizeof m->items[0]);
    m->count--;
}

static void assert_same(const struct version *v)
{
    const struct model *m = &v->model;
    assert_true(ptree_is_sound(&v->by_seq) && ptree_is_sound(&v->by_name));
    assert_int_equal(ptree_count(&v->by_seq), m->count);
    assert_int_equal(ptree_count(&v->by_name), m->count);
    for (size_t i = 0; i < m->count; i++) {
        const struct ptree_item *at = ptree_at(&v->by_seq, i);
        const struct ptree_item *found = ptree_find(&v->by_name, name_of(m->items[i].name));
        assert_ptr_equal(at, found);
        assert_string_equal(found->cell->value, m->items[i].text);
        assert_int_equal(ptree_before(&v->by_seq, m->items[i].seq), i);
    }
    assert_null(ptree_at(&v->by_seq, m->count));
    assert_null(ptree_find(&v->by_name, "none"));
}

static void forget(struct version *v)
{
    ptree_clear(&v->by_seq);
    ptree_clear(&v->by_name);
}

static void test_against_model(void **state)
{
    (void)state;
    static struct version now, held[HELD];
    struct ptree_pool pool = {0};
    now.by_name.order = PTREE_BY_NAME;
    for (unsigned i = 0; i < STEPS; i++) {
        int name = (int)next_random(NAMES);
        /* Grows, then shrinks, again and again. */
        if (next_random(10) < (i / 2000 % 2 ? 3u : 7u))
            put(&now, name, i, &pool);
        else
            take_out(&now, name, &pool);
        if (next_random(5) == 0) {
            struct version *v = &held[next_random(HELD)];
            forget(v);
            *v = (struct version){now.model, ptree_share(&now.by_seq), ptree_share(&now.by_name)};
        }
        ptree_pool_trim(&pool);
        if (i % 500 == 0)
            assert_same(&now);
        for (size_t h = 0; i % 500 == 0 && h < HELD; h++)
            assert_same(&held[h]);
    }
    forget(&now);
    for (size_t h = 0; h < HELD; h++) {
        assert_same(&held[h]);
        forget(&held[h]);
    }
    ptree_pool_done(&pool);
    assert_int_equal(toy_values, 0);
}

/* What is reserved is enough, also when everything is shared and thousands change at once. */
static void test_need(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 10, 1000, 5000};
    static const size_t changes[] = {1, 2, 50, 3000};
    for (size_t i = 0; i < COUNT(sizes) * COUNT(changes); i++) {
        size_t size = sizes[i / COUNT(changes)], more = changes[i % COUNT(changes)];
        struct ptree tree = {.order = PTREE_BY_SEQ}, held = {0};
        struct ptree_pool pool = {0};
        for (size_t n = 0; n < size + more; n++) {
            if (n == size) {
                assert_int_equal(ptree_need(&tree, more), more); /* nothing is shared: the new nodes only */
                held = ptree_share(&tree);
                ptree_pool_done(&pool);
                assert_int_equal(ptree_pool_reserve(&pool, ptree_need(&tree, more)), 0);
            }
            if (n < size)
                assert_int_equal(ptree_pool_reserve(&pool, ptree_need(&tree, 1)), 0);
            bool removes = n >= size && n % 2 && ptree_count(&tree) > 0;
            struct ptree_item *item = ptree_item_new("x", n * 7919 % 1000003, cell_of("v"));
            if (removes)
                ptree_remove(&tree, ptree_at(&tree, n * 31 % ptree_count(&tree))->seq, NULL, &pool);
            else
                ptree_put(&tree, item, &pool);
            ptree_item_unref(item);
        }
        assert_true(ptree_is_sound(&tree) && ptree_is_sound(&held));
        assert_int_equal(ptree_count(&held), size);
        ptree_clear(&held);
        ptree_clear(&tree);
        ptree_pool_done(&pool);
    }
    assert_int_equal(toy_values, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
