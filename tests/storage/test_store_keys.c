/* Conformance: plugins that bring keys and take them away, and keys whose values are JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- keys as JSON ---- */

/* An update {"set":…}, "remove", "clear", "keep", or anything else, which fails with the code in *userdata. The entry is "e", of a
 * scalar none. */
static int json_reduce(rouse_edit *edit, const char *update, size_t len, void *userdata, rouse_error *err)
{
    const int *how = userdata;
    const char *entry = how[0] == ROUSE_SHAPE_MAP ? "e" : NULL;
    const char *old;
    size_t old_len;
    int code = rouse_edit_json(edit, entry, &old, &old_len, err);
    if (code < 0)
        return code;
    if (strcmp(update, "\"remove\"") == 0)
        return rouse_edit_remove(edit, entry, err);
    if (strcmp(update, "\"clear\"") == 0)
        return rouse_edit_clear(edit, err);
    if (strcmp(update, "\"keep\"") == 0)
        return old ? rouse_edit_put_json(edit, entry, old, old_len, err) : ROUSE_ENOTFOUND;
    if (strcmp(update, "\"bad\"") == 0)
        return rouse_edit_put_json(edit, entry, "{", 1, err);
    if (strcmp(update, "\"fail\"") == 0)
        return how[1];
    return rouse_edit_put_json(edit, entry, update, len, err);
}

static int update_json(struct fixture *f, const rouse_key *key, const char *json)
{
    empty_batch(f);
    int code = rouse_batch_add_json(f->batch, key, json, strlen(json), &f->err);
    return code < 0 ? code : commit(f, "t");
}

static void assert_value(struct fixture *f, const rouse_key *key, const char *entry, const char *want)
{
    rouse_snapshot *snapshot = NULL;
    char *json = NULL;
    assert_fine(rouse_store_snapshot(f->store, "t", "run-1", &snapshot, &f->err), &f->err);
    int code = rouse_snapshot_json(snapshot, key, entry, &json, &f->err);
    if (want) {
        assert_fine(code, &f->err);
        assert_string_equal(json, want);
    } else {
        assert_failed(code, &f->err, ROUSE_ENOTFOUND, NULL);
    }
    free(json);
    rouse_snapshot_unref(snapshot);
}

struct json_row {
    const char *update;
    int code; /* of the commit, with the reducer told to fail with ROUSE_ELIMIT */
    const char *value;
};

static void test_values_as_json(void **state)
{
    static const struct json_row rows[] = {
        {"\"keep\"", ROUSE_ENOTFOUND, NULL},
        {"{\"b\":18446744073709551615,\"a\":1e400}", ROUSE_EDATA, NULL},
        {"{\"b\":18446744073709551615,\"a\":1.10}", 0, "{\"b\":18446744073709551615,\"a\":1.10}"},
        {"\"keep\"", 0, "{\"b\":18446744073709551615,\"a\":1.10}"},
        {"{", ROUSE_EDATA, "{\"b\":18446744073709551615,\"a\":1.10}"},
        {"\"bad\"", ROUSE_EDATA, "{\"b\":18446744073709551615,\"a\":1.10}"},
        {"\"fail\"", ROUSE_ELIMIT, "{\"b\":18446744073709551615,\"a\":1.10}"},
        {"null", 0, "null"},
        {"\"remove\"", 0, NULL},
        {"[]", 0, "[]"},
    };
    struct fixture *f = *state;
    for (int shape = ROUSE_SHAPE_SCALAR; shape <= ROUSE_SHAPE_MAP; shape++) {
        int how[2] = {shape, ROUSE_ELIMIT};
        rouse_json_key_options options = {.name = shape ? "json_map" : "json", .shape = (rouse_shape)shape, .reduce = json_reduce,
                                          .scope = shape ? ROUSE_SCOPE_THREAD : ROUSE_SCOPE_RUN, .userdata = how};
        rouse_key *key = NULL;
        assert_fine(rouse_json_key_new(&options, &key, &f->err), &f->err);
        assert_fine(rouse_store_register(f->store, key, &f->err), &f->err);
        for (size_t i = 0; i < COUNT(rows); i++) {
            int code = update_json(f, key, rows[i].update);
            if (code != rows[i].code)
                fail_msg("%s gave %d: %s", rows[i].update, code, f->err.message);
            assert_value(f, key, shape ? "e" : NULL, rows[i].value);
        }
        empty_batch(f);
        rouse_store_close(f->store); /* before the key goes */
        f->store = NULL;
        rouse_json_key_free(key);
        reopen(f);
    }
}

static void test_json_codes_of_a_reducer(void **state)
{
    static const struct {
        int given, want;
    } rows[] = {{ROUSE_ECONFLICT, ROUSE_ECONFLICT}, {ROUSE_ENOMEM, ROUSE_ENOMEM}, {-99, ROUSE_EINVAL}, {7, ROUSE_EINVAL}};
    struct fixture *f = *state;
    int how[2] = {ROUSE_SHAPE_SCALAR, 0};
    rouse_json_key_options options = {.name = "json", .scope = ROUSE_SCOPE_THREAD, .reduce = json_reduce, .userdata = how};
    rouse_key *key = NULL;
    assert_failed(rouse_json_key_new(&(rouse_json_key_options){.name = "json"}, &key, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_json_key_new(&(rouse_json_key_options){.reduce = json_reduce}, &key, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_null(key);
    assert_fine(rouse_json_key_new(&options, &key, &f->err), &f->err);
    assert_fine(rouse_store_register(f->store, key, &f->err), &f->err);
    for (size_t i = 0; i < COUNT(rows); i++) {
        how[1] = rows[i].given;
        assert_int_equal(update_json(f, key, "\"fail\""), rows[i].want);
        assert_true(f->err.message[0] != '\0');
    }
    empty_batch(f);
    rouse_store_close(f->store);
    f->store = NULL;
    rouse_json_key_free(key);
    rouse_json_key_free(NULL);
    reopen(f);
}

/* ---- plugins ---- */

/* Copies of keys that the fixture has, under names of their own. */
struct plugin {
    rouse_key list, total, kept, of_run;
    const rouse_key *keys[4];
};

static void plugin_make(struct plugin *p)
{
    *p = (struct plugin){plain_key, count_key, count_key, run_key, {&p->list, &p->total, &p->kept, &p->of_run}};
    p->list.name = "p_list";
    p->total.name = "p_total";
    p->kept.name = "p_kept";
    p->kept.retain = true;
    p->of_run.name = "p_run";
}

static void fill(struct fixture *f, const struct plugin *p)
{
    empty_batch(f);
    add(f, &p->list, item_put("a", &running));
    add(f, &p->total, count_add(1));
    add(f, &p->kept, count_add(2));
    add(f, &p->of_run, count_add(3));
    assert_fine(commit(f, "t"), &f->err);
    empty_batch(f);
}

static void test_install_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    static struct plugin p; /* keys outlive the store */
    plugin_make(&p);
    const rouse_key *twice[] = {&p.list, &p.total, &p.list};
    const rouse_key *taken[] = {&p.list, &items_key};
    const rouse_key *broken[] = {&p.list, &(rouse_key){.name = "broken"}};
    assert_failed(rouse_store_install(f->store, "p", twice, 3, &f->err), &f->err, ROUSE_ECONFLICT,
                  "key already registered: p_list");
    assert_failed(rouse_store_install(f->store, "p", taken, 2, &f->err), &f->err, ROUSE_ECONFLICT,
                  "key already registered: items");
    assert_failed(rouse_store_install(f->store, "p", broken, 2, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_failed(rouse_store_install(f->store, "", p.keys, 4, &f->err), &f->err, ROUSE_EINVAL, NULL);
    assert_null(rouse_store_key(f->store, "p_list"));
    assert_fine(rouse_store_install(f->store, "p", p.keys, 4, &f->err), &f->err);
    assert_ptr_equal(rouse_store_key(f->store, "p_run"), &p.of_run);
    assert_failed(rouse_store_install(f->store, "p", NULL, 0, &f->err), &f->err, ROUSE_ECONFLICT, "plugin already installed: p");
    assert_failed(rouse_store_uninstall(f->store, "q", "t", NULL, &f->err), &f->err, ROUSE_ENOTFOUND, "plugin not installed: q");
    assert_fine(rouse_store_install(f->store, "q", NULL, 0, &f->err), &f->err);
    assert_fine(rouse_store_uninstall(f->store, "q", "t", NULL, &f->err), &f->err);
    assert_int_equal(read_revision(f->store, "t"), 0);
}

static void test_uninstall_clears_in_one_revision(void **state)
{
    struct fixture *f = *state;
    static struct plugin p; /* keys outlive the store */
    plugin_make(&p);
    assert_fine(rouse_store_install(f->store, "p", p.keys, 4, &f->err), &f->err);
    fill(f, &p);
    assert_fine(put_item(f->store, "t", "bg_0", &ended, &f->err), &f->err);
    assert_fine(rouse_store_uninstall(f->store, "p", "t", "run-1", &f->err), &f->err);
    assert_int_equal(read_revision(f->store, "t"), 3);
    assert_null(rouse_store_key(f->store, "p_list"));
    add(f, &p.total, count_add(1));
    assert_failed(commit(f, "t"), &f->err, ROUSE_EINVAL, "unknown key: p_total");
    /* Only what is retained, and what is not the plugin's, is there when it comes back: not even an empty map. */
    assert_fine(rouse_store_install(f->store, "p", p.keys, 4, &f->err), &f->err);
    assert_export(f, "t", "run-1",
                  "{\"revision\":3,\"extensions\":{\"items\":{\"tasks\":{\"bg_0\":{\"live\":false,\"name\":\"\",\"parent\":\"\","
                  "\"run\":\"\",\"text\":\"e\"}}},\"p_kept\":2}}");
    fill(f, &p);
    char *json = export(f, "t", "run-1");
    assert_non_null(strstr(json, "\"p_total\":1"));
    assert_non_null(strstr(json, "\"p_kept\":4"));
    free(json);
}

static void test_uninstall_leaves_others(void **state)
{
    struct fixture *f = *state;
    static struct plugin p; /* keys outlive the store */
    plugin_make(&p);
    assert_fine(rouse_store_install(f->store, "p", p.keys, 4, &f->err), &f->err);
    fill(f, &p);
    assert_fine(rouse_store_uninstall(f->store, "p", NULL, NULL, &f->err), &f->err);
    assert_int_equal(read_revision(f->store, "t"), 1);
    assert_fine(rouse_store_install(f->store, "p", p.keys, 4, &f->err), &f->err);
    assert_fine(rouse_store_uninstall(f->store, "p", "u", NULL, &f->err), &f->err);
    assert_fine(rouse_store_install(f->store, "p", p.keys, 4, &f->err), &f->err);
    assert_fine(rouse_store_uninstall(f->store, "p", "t", NULL, &f->err), &f->err); /* the run's values stay */
    assert_fine(rouse_store_install(f->store, "p", p.keys, 4, &f->err), &f->err);
    assert_export(f, "t", "run-1", "{\"revision\":2,\"extensions\":{\"p_kept\":2,\"p_run\":3}}");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CONFORMANCE_TEST(test_values_as_json),
        CONFORMANCE_TEST(test_json_codes_of_a_reducer),
        CONFORMANCE_TEST(test_install_is_all_or_nothing),
        CONFORMANCE_TEST(test_uninstall_clears_in_one_revision),
        CONFORMANCE_TEST(test_uninstall_leaves_others),
    };
    return conformance_run("store_keys", tests, sizeof tests / sizeof *tests);
}
