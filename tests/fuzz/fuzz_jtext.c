/* JSON text: both readers agree on its form, strings survive being read and written, the tree is printed as it was read. */
#include "fuzz.h"
#include "json/jtext.h"
#include "json/value.h"

static void string_survives(struct jslice value)
{
    char *text = malloc(value.len + 1), *again = malloc(value.len * 6 + 3);
    struct buf out = BUF_INIT(0);
    must(text && again);
    size_t len = jtext_unescape(value, text);
    must(len < value.len && text[len] == '\0' && strlen(text) == len);
    jtext_add_string(&out, text, len);
    must(buf_check(&out, NULL) == 0);
    must(jtext_check(buf_text(&out), out.len, NULL, NULL) == 0);
    must(jtext_unescape((struct jslice){buf_text(&out), out.len}, again) == len && strcmp(text, again) == 0);
    buf_done(&out);
    free(text);
    free(again);
}

/* Each value of an object or array stands inside it, and is whole by itself. */
static void walk(struct jslice value)
{
    enum jtype type = jtext_type(value);
    struct jtext t;
    struct jslice key, item;
    uint64_t u;
    int64_t i;
    if (type == JTYPE_STRING)
        string_survives(value);
    if (jtext_u64(value, &u) && jtext_i64(value, &i))
        must(i >= 0 && (uint64_t)i == u);
    if (type != JTYPE_OBJECT && type != JTYPE_ARRAY)
        return;
    must(jtext_open(&t, value.at, value.len, type, NULL) >= 0);
    for (;;) {
        int code = type == JTYPE_OBJECT ? jtext_member(&t, &key, NULL) : jtext_item(&t, &item, NULL);
        must(code >= 0);
        if (code == 0)
            break;
        if (type == JTYPE_OBJECT) {
            must(jtext_value(&t, &item, NULL) >= 0);
            string_survives(key);
        }
        must(item.at >= value.at && item.at + item.len <= value.at + value.len);
        must(jtext_check(item.at, item.len, NULL, NULL) == 0);
        walk(item);
    }
    must(jtext_end(&t, NULL) == 0);
}

static char *tree(const char *json, size_t len, rouse_error *err)
{
    json_t *value = NULL;
    int code = json_value_parse(json, len, &value, err);
    if (code < 0)
        return NULL;
    must(jtext_check(json, len, NULL, NULL) == 0);
    char *text = json_value_text(value, err);
    must(text != NULL);
    json_decref(value);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rouse_error err = {0};
    struct jslice value;
    int code = jtext_check((const char *)data, size, &value, &err);
    if (code < 0)
        must_say_why(code, &err);
    else
        walk(value);
    must_be_stable(tree, data, size);
    return 0;
}
