#include "state/document.h"

#include "json/jfields.h"

static const struct jfield document_rows[] = {
    {"revision", JFIELD_U64, JFIELD_REQUIRED, offsetof(struct document, revision), 0, NULL, NULL},
    {"extensions", JFIELD_SLICE, JFIELD_REQUIRED, offsetof(struct document, extensions), 0, NULL, NULL},
};
static const struct jfields document_fields = {.rows = document_rows, .count = 2};

static int want_object(struct jslice value, const char *name, rouse_error *err)
{
    enum jtype type = jtext_type(value);
    if (type != JTYPE_OBJECT)
        return rouse_fail(err, ROUSE_EDATA, "`%s` must be an object, not %s", name, jtext_type_name(type));
    return 0;
}

int document_parse(const char *json, size_t len, struct document *fill, rouse_error *err)
{
    struct document parsed = {0};
    int code = jfields_decode(&document_fields, json, len, NULL, &parsed, err);
    if (code == 0)
        code = want_object(parsed.extensions, "extensions", err);
    if (code == 0)
        *fill = parsed;
    return code;
}

static int visit_members(struct jslice object, document_visit visit, void *userdata, rouse_error *err)
{
    struct jtext t;
    struct jslice key, value;
    struct buf name = BUF_INIT(0);
    int code = jtext_open(&t, object.at, object.len, JTYPE_OBJECT, err);
    while (code >= 0 && (code = jtext_member(&t, &key, err)) > 0) {
        code = jtext_value(&t, &value, err);
        buf_reset(&name);
        if (code == 0 && !buf_reserve(&name, key.len))
            code = buf_check(&name, err);
        if (code < 0)
            break;
        jtext_unescape(key, name.data);
        code = visit(userdata, name.data, value, err);
    }
    buf_done(&name);
    return code;
}

int document_keys(const struct document *document, document_visit visit, void *userdata, rouse_error *err)
{
    return visit_members(document->extensions, visit, userdata, err);
}

int document_entries(const char *member, const char *json, size_t len, document_visit visit, void *userdata,
                     rouse_error *err)
{
    struct jslice entries = {0};
    struct jfield row = {member, JFIELD_SLICE, JFIELD_REQUIRED, 0, 0, NULL, NULL};
    struct jfields fields = {.rows = &row, .count = 1};
    int code = member ? jfields_decode(&fields, json, len, NULL, &entries, err) : jtext_check(json, len, &entries, err);
    if (code == 0)
        code = want_object(entries, member ? member : "value", err);
    return code < 0 ? code : visit_members(entries, visit, userdata, err);
}
