#include "support/check.h"

#include "state/apply.h"
#include "support/toy.h"

/* A batch from words: s, o, m, c are an update of the scalar, the other, the map and the commutative key; b<n> a base. */
static rouse_batch *batch_of(const char *words)
{
    rouse_batch *batch = rouse_batch_new();
    assert_non_null(batch);
    for (; *words; words++) {
        const rouse_key *key = *words == 's'   ? &toy_scalar
                               : *words == 'o' ? &toy_other
                               : *words == 'm' ? &toy_map
                                               : &toy_sum;
        if (*words == 'b')
            rouse_batch_set_base(batch, (uint64_t)(*++words - '0'));
        else
            assert_works(rouse_batch_add(batch, key, toy_update("=x"), &err));
    }
    return batch;
}

/* What batch_of would have been given for it. */
static const char *words_of(const rouse_batch *batch, char *out)
{
    size_t at = 0;
    uint64_t base;
    for (size_t i = 0; i < rouse_batch_count(batch); i++) {
        const rouse_key *key = batch_key_at(batch, i);
        out[at++] = key == &toy_scalar ? 's' : key == &toy_other ? 'o' : key == &toy_map ? 'm' : 'c';
    }
    if (batch_base(batch, &base)) {
        out[at++] = 'b';
        out[at++] = (char)('0' + base);
    }
    out[at] = '\0';
    return out;
}

static const struct row {
    const char *left, *right, *extended, *merged; /* NULL: refused */
    const char *message;                          /* of the merge, when refused */
} rows[] = {
    {"", "", "", "", NULL},
    {"s", "", "s", "s", NULL},
    {"", "s", "s", "s", NULL},
    {"s", "o", "so", "so", NULL},
    {"so", "mc", "somc", "somc", NULL},
    {"ss", "oo", "ssoo", "ssoo", NULL},
    {"c", "c", "cc", "cc", NULL},
    {"cs", "co", "csco", "csco", NULL},
    {"s", "s", "ss", NULL, "parallel merge conflict on exclusive key: toy.scalar"},
    {"som", "cm", "somcm", NULL, "parallel merge conflict on exclusive key: toy.map"},
    {"cs", "cs", "cscs", NULL, "parallel merge conflict on exclusive key: toy.scalar"},
    {"om", "cmso", "omcmso", NULL, "parallel merge conflict on exclusive key: toy.map"},
    {"sb3", "o", "sob3", "sob3", NULL},
    {"s", "ob3", "sob3", "sob3", NULL},
    {"sb3", "ob3", "sob3", "sob3", NULL},
    {"sb3", "ob4", NULL, NULL, "patch base revision mismatch: 3 vs 4"},
    {"b0", "b1", NULL, NULL, "patch base revision mismatch: 0 vs 1"},
};

static void check_row(const struct row *row, bool merge)
{
    rouse_batch *left = batch_of(row->left), *right = batch_of(row->right);
    const char *expected = merge ? row->merged : row->extended;
    rouse_error err = {0};
    char words[64];
    int code = merge ? rouse_batch_merge(left, right, &err) : rouse_batch_extend(left, right, &err);
    if (expected) {
        assert_int_equal(code, 0);
        assert_string_equal(words_of(left, words), expected);
        assert_string_equal(words_of(right, words), "");
    } else {
        assert_int_equal(code, ROUSE_ECONFLICT);
        assert_string_equal(err.message, row->message);
        assert_string_equal(words_of(left, words), row->left);
        assert_string_equal(words_of(right, words), row->right);
    }
    rouse_batch_free(left);
    rouse_batch_free(right);
    assert_int_equal(toy_updates, 0);
}

static void test_extend(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_row(&rows[i], false);
}

static void test_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_row(&rows[i], true);
}

static void test_json_updates(void **state)
{
    (void)state;
    rouse_batch *batch = rouse_batch_new();
    assert_true(batch_is_empty(batch));
    assert_works(rouse_batch_add_json(batch, &toy_scalar, "\"=x\"", 4, &err));
    assert_refused(rouse_batch_add_json(batch, &toy_scalar, "5", 1, &err), ROUSE_EDATA, "not a string");
    assert_refused(rouse_batch_add_json(batch, &toy_map, "\"=x\"", 4, &err), ROUSE_EUNSUPPORTED, "'toy.map'");
    assert_refused(rouse_batch_add(batch, &toy_map, NULL, &err), ROUSE_ENOMEM, "memory");
    assert_int_equal(rouse_batch_count(batch), 1);
    assert_false(batch_is_empty(batch));
    rouse_batch_free(batch);
    rouse_batch_free(NULL);
    assert_int_equal(toy_updates, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extend),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_json_updates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
