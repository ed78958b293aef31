#include "support/check.h"

#include "base/error.h"
#include "state/document.h"

static int note(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    (void)err;
    buf_addf(userdata, "%s=%.*s;", name, (int)json.len, json.at);
    return strcmp(name, "stop") == 0 ? rouse_fail(err, ROUSE_ECONFLICT, "told to stop") : 0;
}

static void test_documents(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        uint64_t revision;
        const char *keys;
    } rows[] = {
        {"{\"revision\":0,\"extensions\":{}}", 0, ""},
        {"{\"extensions\":{\"a\": [1] ,\"\\u0062\":null},\"revision\":18446744073709551615,\"x\":1}", UINT64_MAX,
         "a=[1];b=null;"},
        {"{\"revision\":1,\"extensions\":{\"k\":1,\"k\":2}}", 1, "k=1;k=2;"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct document d;
        struct buf out = BUF_INIT(0);
        assert_works(document_parse(rows[i].json, strlen(rows[i].json), &d, &err));
        assert_true(d.revision == rows[i].revision);
        assert_works(document_keys(&d, note, &out, &err));
        assert_string_equal(buf_text(&out), rows[i].keys);
        buf_done(&out);
    }
}

static void test_refused_documents(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"", "ends too early"},
        {"{}", "missing field `revision`"},
        {"{\"revision\":1}", "missing field `extensions`"},
        {"{\"revision\":1,\"extensions\":[]}", "`extensions` must be an object, not an array"},
        {"{\"revision\":1,\"extensions\":null}", "`extensions` must be an object, not null"},
        {"{\"revision\":-1,\"extensions\":{}}", "`revision`"},
        {"{\"revision\":1,\"extensions\":{},\"revision\":1}", "duplicate field `revision`"},
        {"{\"revision\":1,\"extensions\":{\"k\":1e999}}", "out of range"},
        {"[1,{}]", "expected an object"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct document d = {.revision = 77};
        assert_refused(document_parse(rows[i].json, strlen(rows[i].json), &d, &err), ROUSE_EDATA, rows[i].message);
        assert_int_equal(d.revision, 77);
    }
}

static void test_entries(void **state)
{
    (void)state;
    static const struct {
        const char *member, *json;
        int code;
        const char *expected; /* entries, or the message */
    } rows[] = {
        {"tasks", "{\"tasks\":{\"z\":1,\"a\":{\"x\":2}},\"y\":3}", 0, "z=1;a={\"x\":2};"},
        {"tasks", "{\"tasks\":{}}", 0, ""},
        {NULL, " {\"z\":1} ", 0, "z=1;"},
        {"tasks", "{}", ROUSE_EDATA, "missing field `tasks`"},
        {"tasks", "{\"tasks\":[]}", ROUSE_EDATA, "`tasks` must be an object"},
        {"tasks", "{\"tasks\":{},\"tasks\":{}}", ROUSE_EDATA, "duplicate field `tasks`"},
        {NULL, "5", ROUSE_EDATA, "must be an object"},
        {"tasks", "{\"tasks\":{\"a\":1,\"stop\":2,\"b\":3}}", ROUSE_ECONFLICT, "told to stop"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(0);
        size_t len = strlen(rows[i].json);
        if (rows[i].code == 0) {
            assert_works(document_entries(rows[i].member, rows[i].json, len, note, &out, &err));
            assert_string_equal(buf_text(&out), rows[i].expected);
        } else {
            assert_refused(document_entries(rows[i].member, rows[i].json, len, note, &out, &err), rows[i].code,
                           rows[i].expected);
        }
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_refused_documents),
        cmocka_unit_test(test_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
