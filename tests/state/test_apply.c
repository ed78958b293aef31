#include "support/check.h"

#include "base/buf.h"
#include "state/apply.h"
#include "support/toy.h"

/* The source of every row: the scalar is "old", the map has a and b. */
static int get(void *userdata, const rouse_key *key, const char *entry, struct cell **ret_cell, rouse_error *err)
{
    ++*(int *)userdata;
    const char *text = key == &toy_scalar        ? "\"old\""
                       : !entry                  ? NULL
                       : strcmp(entry, "a") == 0 ? "\"1\""
                       : strcmp(entry, "b") == 0 ? "\"2\""
                                                 : NULL;
    if (entry && strcmp(entry, "broken") == 0)
        return rouse_fail(err, ROUSE_EDATA, "entry '%s' cannot be read", entry);
    void *value = NULL;
    int code = text ? key->decode(entry, text, strlen(text), &value, err) : 0;
    if (code == 0)
        *ret_cell = text ? cell_new(key, value) : NULL;
    return code;
}

/* ">name=text" for a put, "<name" for a removal, "0" for a clear, in order; keys apart by "|". */
static void write_changes(const struct state_changes *changes, struct buf *out)
{
    const rouse_key *key = NULL;
    for (size_t i = 0; i < changes->count; i++) {
        const struct state_change *c = &changes->items[i];
        if (key && key != c->key)
            buf_adds(out, "| ");
        key = c->key;
        const char *entry = c->entry ? c->entry : "";
        if (c->action == STATE_PUT)
            buf_addf(out, ">%s=%s ", entry, (const char *)c->cell->value);
        else
            buf_addf(out, c->action == STATE_REMOVE ? "<%s " : "0%s ", entry);
    }
}

static void test_net_effect(void **state)
{
    (void)state;
    static const struct {
        const char *scalar, *map, *more; /* updates, in this order; NULL: none. more: of the map again */
        const char *changes;
    } rows[] = {
        {NULL, "+c=3", NULL, ">c=3 "},
        {NULL, "+c=3 +c=4", "+c=5", ">c=5 "},
        {NULL, "?a=1 ?b=2 ?c", NULL, ""},
        {NULL, "+a=9 ?a=9", NULL, ">a=9 "},
        {NULL, "?a=1 +a=9 ?a=9", "?a=9", ">a=9 "},
        {NULL, "-a ?a", "?a", "<a "},
        {NULL, "-c", NULL, "<c "},
        {NULL, "+z=1 +c=2 +d=3", "+c=4", ">z=1 >c=4 >d=3 "},
        {NULL, "-a +a=9 ?a=9", NULL, "<a >a=9 "}, /* it comes last now */
        {NULL, "+c=3 -c +d=4 +c=5", NULL, ">d=4 <c >c=5 "},
        {NULL, "0 ?a ?b", NULL, "0 "},
        {NULL, "0 +b=7 +a=8", NULL, "0 >b=7 >a=8 "},
        {NULL, "+c=3 ?a=1 0 ?c", "+d=1", "0 >d=1 "},
        {NULL, "0 +a=1 -a", NULL, "0 "},
        {NULL, "-a 0 +a=1", NULL, "0 >a=1 "},
        {NULL, "0 +a=1 0 +b=2", NULL, "0 >b=2 "},
        {"?=old =new ?=new", NULL, NULL, ">=new "},
        {"-", NULL, NULL, "< "},
        {"=new", "+c=3", "-a", ">=new | <a >c=3 "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int reads = 0;
        struct state_source source = {.get = get, .userdata = &reads};
        struct state_changes changes;
        struct buf out = BUF_INIT(0);
        rouse_batch *batch = rouse_batch_new();
        if (rows[i].scalar)
            assert_works(rouse_batch_add(batch, &toy_scalar, toy_update(rows[i].scalar), &err));
        if (rows[i].map)
            assert_works(rouse_batch_add(batch, &toy_map, toy_update(rows[i].map), &err));
        if (rows[i].more)
            assert_works(rouse_batch_add(batch, &toy_map, toy_update(rows[i].more), &err));
        assert_works(state_apply(batch, &source, &changes, &err));
        write_changes(&changes, &out);
        assert_string_equal(buf_text(&out), rows[i].changes);
        buf_done(&out);
        state_changes_done(&changes);
        rouse_batch_free(batch);
        assert_int_equal(toy_values, 0);
    }
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *update;
        int code;
        const char *message;
    } rows[] = {
        {"+c=3 !", ROUSE_ECONFLICT, "told to fail"},
        {"?a=2", ROUSE_ECONFLICT, "it is '1'"},
        {"+c=1 ?broken", ROUSE_EDATA, "'broken' cannot be read"},
        {"+=1", ROUSE_EINVAL, "needs a name"},
        {"-", ROUSE_EINVAL, "needs a name"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int reads = 0;
        struct state_source source = {.get = get, .userdata = &reads};
        struct state_changes changes = {.count = 77};
        rouse_batch *batch = rouse_batch_new();
        assert_works(rouse_batch_add(batch, &toy_scalar, toy_update("=new"), &err));
        assert_works(rouse_batch_add(batch, &toy_map, toy_update(rows[i].update), &err));
        assert_refused(state_apply(batch, &source, &changes, &err), rows[i].code, rows[i].message);
        assert_int_equal(changes.count, 0);
        rouse_batch_free(batch);
        assert_int_equal(toy_values, 0);
    }
}

static void test_names(void **state)
{
    (void)state;
    int reads = 0;
    struct state_source source = {.get = get, .userdata = &reads};
    char update[400];
    static const size_t lengths[] = {256, 257};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct state_changes changes;
        rouse_batch *batch = rouse_batch_new();
        memset(update, 'n', sizeof update);
        memcpy(update + lengths[i] + 1, "=x", 3);
        update[0] = '+';
        assert_works(rouse_batch_add(batch, &toy_map, toy_update(update), &err));
        if (i == 0) {
            assert_works(state_apply(batch, &source, &changes, &err));
            state_changes_done(&changes);
        } else {
            assert_refused(state_apply(batch, &source, &changes, &err), ROUSE_EINVAL, "longer than 256 bytes");
        }
        rouse_batch_free(batch);
    }
    rouse_batch *batch = rouse_batch_new();
    struct state_changes changes;
    assert_works(rouse_batch_add(batch, &toy_scalar, toy_update("+name=x"), &err));
    assert_refused(state_apply(batch, &source, &changes, &err), ROUSE_EINVAL, "has no entries");
    rouse_batch_free(batch);
    assert_int_equal(toy_values, 0);
}

/* Each entry is read once, and only when somebody asks: a commit costs what it touches. */
static void test_reads(void **state)
{
    (void)state;
    int reads = 0;
    struct state_source source = {.get = get, .userdata = &reads};
    struct state_changes changes;
    rouse_batch *batch = rouse_batch_new();
    assert_works(rouse_batch_add(batch, &toy_map, toy_update("?a=1 ?a=1 +c=3 ?c=3 +b=1"), &err));
    assert_works(rouse_batch_add(batch, &toy_map, toy_update("?a=1 ?b=1"), &err));
    assert_works(state_apply(batch, &source, &changes, &err));
    assert_int_equal(reads, 1);
    state_changes_done(&changes);
    rouse_batch_free(batch);
}

static void test_many_entries(void **state)
{
    (void)state;
    int reads = 0;
    struct state_source source = {.get = get, .userdata = &reads};
    struct state_changes changes;
    rouse_batch *batch = rouse_batch_new();
    char update[64];
    for (int i = 0; i < 20000; i++) {
        snprintf(update, sizeof update, "+n%d=%d ?n%d=%d", i, i, i / 2, i / 2);
        assert_works(rouse_batch_add(batch, &toy_map, toy_update(update), &err));
    }
    assert_works(state_apply(batch, &source, &changes, &err));
    assert_int_equal(changes.count, 20000);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(strtol(changes.items[i].entry + 1, NULL, 10), i);
    state_changes_done(&changes);
    rouse_batch_free(batch);
    assert_int_equal(toy_values, 0);
}

static void test_empty_batch(void **state)
{
    (void)state;
    struct state_source source = {.get = get};
    struct state_changes changes = {.count = 77};
    rouse_batch *batch = rouse_batch_new();
    assert_works(state_apply(batch, &source, &changes, &err));
    assert_int_equal(changes.count, 0);
    state_changes_done(&changes);
    rouse_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net_effect), cmocka_unit_test(test_failures),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_reads),      cmocka_unit_test(test_many_entries), cmocka_unit_test(test_empty_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
