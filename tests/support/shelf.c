#include "support/shelf.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "json/jtext.h"
#include "state/apply.h"
#include "state/document.h"

static struct shelf_row *find(const struct shelf *s, const char *entry)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!entry || strcmp(s->rows[i].entry, entry) == 0)
            return &s->rows[i];
    }
    return NULL;
}

/* Takes json. */
static int put(struct shelf *s, const char *entry, char *json, rouse_error *err)
{
    struct shelf_row *row = find(s, entry);
    if (row) {
        free(row->json);
        row->json = json;
        return 0;
    }
    struct shelf_row *rows = realloc(s->rows, (s->count + 1) * sizeof *rows);
    char *name = entry ? strdup(entry) : NULL;
    if (rows)
        s->rows = rows;
    if (!rows || (entry && !name)) {
        free(json);
        free(name);
        return rouse_fail_memory(err);
    }
    rows[s->count++] = (struct shelf_row){.entry = name, .json = json};
    return 0;
}

static void remove_row(struct shelf *s, const char *entry)
{
    struct shelf_row *row = find(s, entry);
    if (!row)
        return;
    free(row->entry);
    free(row->json);
    size_t after = s->count - 1 - (size_t)(row - s->rows);
    memmove(row, row + 1, after * sizeof *row);
    s->count--;
}

static int load_entry(void *userdata, const char *name, struct jslice json, rouse_error *err)
{
    struct shelf *s = userdata;
    void *value;
    int code = s->key->decode(name, json.at, json.len, &value, err);
    if (code < 0)
        return code;
    char *text = s->key->encode(value, err);
    s->key->release(value);
    return text ? put(s, name, text, err) : ROUSE_ENOMEM;
}

int shelf_load(struct shelf *shelf, const char *json, rouse_error *err)
{
    if (shelf->key->shape == ROUSE_SHAPE_SCALAR)
        return load_entry(shelf, NULL, (struct jslice){.at = json, .len = strlen(json)}, err);
    return document_entries(shelf->key->map_member, json, strlen(json), load_entry, shelf, err);
}

static int get(void *userdata, const rouse_key *key, const char *entry, struct cell **ret_cell, rouse_error *err)
{
    const struct shelf_row *row = find(userdata, entry);
    void *value = NULL;
    int code = row ? key->decode(entry, row->json, strlen(row->json), &value, err) : 0;
    if (code < 0)
        return code;
    *ret_cell = row ? cell_new(key, value) : NULL;
    return row && !*ret_cell ? rouse_fail_memory(err) : 0;
}

static int write_change(struct shelf *s, const struct state_change *change, char **text, rouse_error *err)
{
    char *json = *text;
    *text = NULL;
    if (change->action == STATE_PUT)
        return put(s, change->entry, json, err);
    if (change->action == STATE_REMOVE)
        remove_row(s, change->entry);
    while (change->action == STATE_CLEAR && s->count > 0)
        remove_row(s, s->rows[0].entry);
    return 0;
}

int shelf_apply(struct shelf *shelf, const rouse_batch *batch, rouse_error *err)
{
    struct state_source source = {.get = get, .userdata = shelf};
    struct state_changes changes;
    int code = state_apply(batch, &source, &changes, err);
    if (code < 0)
        return code;
    char **texts = calloc(changes.count + 1, sizeof *texts);
    if (!texts)
        code = rouse_fail_memory(err);
    for (size_t i = 0; i < changes.count && code == 0; i++) {
        if (changes.items[i].action == STATE_PUT) {
            texts[i] = shelf->key->encode(changes.items[i].cell->value, err);
            code = texts[i] ? 0 : err ? err->code : ROUSE_ENOMEM;
        }
    }
    for (size_t i = 0; i < changes.count && code == 0; i++)
        code = write_change(shelf, &changes.items[i], &texts[i], err);
    for (size_t i = 0; texts && i < changes.count; i++)
        free(texts[i]);
    free(texts);
    state_changes_done(&changes);
    return code;
}

char *shelf_text(const struct shelf *shelf)
{
    struct buf out = BUF_INIT(0);
    bool scalar = shelf->key->shape == ROUSE_SHAPE_SCALAR;
    if (scalar)
        buf_adds(&out, shelf->count > 0 ? shelf->rows[0].json : "null");
    else
        buf_addf(&out, "{\"%s\":{", shelf->key->map_member);
    for (size_t i = 0; !scalar && i < shelf->count; i++) {
        if (i > 0)
            buf_addc(&out, ',');
        jtext_add_string(&out, shelf->rows[i].entry, strlen(shelf->rows[i].entry));
        buf_addf(&out, ":%s", shelf->rows[i].json);
    }
    buf_adds(&out, scalar ? "" : "}}");
    char *text = buf_take(&out, NULL);
    buf_done(&out);
    return text;
}

void shelf_done(struct shelf *shelf)
{
    while (shelf->count > 0)
        remove_row(shelf, shelf->rows[0].entry);
    free(shelf->rows);
    shelf->rows = NULL;
}
