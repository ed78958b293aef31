/* Keys whose values are JSON text: what a program in another language needs no C types for. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "json/jtext.h"
#include "state/apply.h"

struct json_key {
    rouse_key key; /* first: the key handed out is its json_key */
    int (*reduce)(rouse_edit *edit, const char *update, size_t len, void *userdata, rouse_error *err);
    void *userdata;
    char texts[]; /* name, map_member */
};

struct json_text { /* a value or an update */
    size_t len;
    char text[];
};

/* As deep as a task's result may be, so that a document with it can be read back. */
static int keep(const char *json, size_t len, void **ret_text, rouse_error *err)
{
    if (len > LIMIT_RESULT)
        return rouse_fail(err, ROUSE_ELIMIT, "the JSON is larger than %u bytes", LIMIT_RESULT);
    int code = jtext_check_depth(json, len, LIMIT_RESULT_DEPTH, err);
    if (code < 0)
        return code;
    struct json_text *text = malloc(sizeof *text + len + 1);
    if (!text)
        return rouse_fail_memory(err);
    text->len = len;
    memcpy(text->text, json, len);
    text->text[len] = '\0';
    *ret_text = text;
    return 0;
}

static int decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    (void)entry;
    return keep(json, len, ret_value, err);
}

static char *encode(const void *value, rouse_error *err)
{
    char *json = strdup(((const struct json_text *)value)->text);
    if (!json)
        rouse_fail_memory(err);
    return json;
}

static int reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    const struct json_key *key = (const struct json_key *)edit_key(edit);
    const struct json_text *text = update;
    rouse_error why = {0};
    int code = key->reduce(edit, text->text, text->len, key->userdata, &why);
    if (code == 0)
        return 0;
    bool known = code < 0 && strcmp(rouse_error_text(code), rouse_error_text(1)) != 0;
    why.message[sizeof why.message - 1] = '\0';
    return rouse_fail(err, known ? code : ROUSE_EINVAL, "%s", why.message[0] ? why.message : "the key's reducer refused the update");
}

static bool is_json_key(const rouse_key *key)
{
    return key->reduce == reduce;
}

int rouse_json_key_new(const rouse_json_key_options *options, rouse_key **ret_key, rouse_error *err)
{
    if (!options || !options->name || !options->reduce)
        return rouse_fail(err, ROUSE_EINVAL, "a key needs a name and a reducer");
    size_t name = strlen(options->name) + 1;
    size_t member = options->map_member ? strlen(options->map_member) + 1 : 0;
    struct json_key *k = calloc(1, sizeof *k + name + member);
    if (!k)
        return rouse_fail_memory(err);
    memcpy(k->texts, options->name, name);
    if (member)
        memcpy(k->texts + name, options->map_member, member);
    k->reduce = options->reduce;
    k->userdata = options->userdata;
    k->key = (rouse_key){
        .name = k->texts,
        .shape = options->shape,
        .scope = options->scope,
        .merge = options->merge,
        .transient = options->transient,
        .retain = options->retain,
        .map_member = member ? k->texts + name : NULL,
        .reduce = reduce,
        .encode = encode,
        .decode = decode,
        .release = free,
        .decode_update = keep,
        .release_update = free,
    };
    *ret_key = &k->key;
    return 0;
}

void rouse_json_key_free(rouse_key *key)
{
    free(key); /* its json_key begins with it */
}

int rouse_edit_json(rouse_edit *edit, const char *entry, const char **ret_json, size_t *ret_len, rouse_error *err)
{
    const void *value;
    if (!is_json_key(edit_key(edit)))
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "the values of key '%s' are no JSON text", edit_key(edit)->name);
    int code = rouse_edit_get(edit, entry, &value, err);
    if (code < 0)
        return code;
    const struct json_text *text = value;
    *ret_json = text ? text->text : NULL;
    *ret_len = text ? text->len : 0;
    return 0;
}

int rouse_edit_put_json(rouse_edit *edit, const char *entry, const char *json, size_t len, rouse_error *err)
{
    void *value;
    int code = edit_key(edit)->decode(entry, json, len, &value, err);
    return code < 0 ? code : rouse_edit_put(edit, entry, value, err);
}

int rouse_snapshot_json(const rouse_snapshot *snapshot, const rouse_key *key, const char *entry, char **ret_json,
                        rouse_error *err)
{
    const void *value = rouse_snapshot_get(snapshot, key, entry);
    if (!value)
        return rouse_fail(err, ROUSE_ENOTFOUND, "key '%s' has no value%s%s", key->name, entry ? " for " : "", entry ? entry : "");
    rouse_error why = {0};
    char *json = key->encode(value, &why);
    if (!json)
        return rouse_fail(err, why.code < 0 ? why.code : ROUSE_ENOMEM, "key '%s': %s", key->name, why.message);
    *ret_json = json;
    return 0;
}
