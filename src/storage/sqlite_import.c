/* Taking in a document: one write transaction. */
#include "storage/sqlite.h"

static int drop(struct sqlite_store *s, const char *thread, const char *run, rouse_error *err)
{
    int code = sqlite_hold_counter(s, err);
    if (code == 0)
        code = sqlite_run(s, SQL_ENTRY_CLEAR_ALL_LIVE, err, "tt", thread, run);
    if (code == 0)
        code = sqlite_run(s, SQL_ENTRY_CLEAR_ALL_FINISHED, err, "tt", thread, run);
    if (code == 0)
        s->finished -= sqlite3_changes(s->db);
    if (code == 0)
        code = sqlite_run(s, SQL_PLACE_UNMARK, err, "tt", thread, run);
    sqlite_forget(s);
    return code;
}

static int drop_all(struct sqlite_store *s, const struct storage_document *document, rouse_error *err)
{
    int code = drop(s, document->thread, "", err);
    return code == 0 && *document->run ? drop(s, document->thread, document->run, err) : code;
}

/* The revision does not tell what an import changed. */
static int count_import(struct sqlite_store *s, const char *thread, rouse_error *err)
{
    struct sqlite_place imports;
    sqlite_seen_forget(s, thread);
    int code = sqlite_make_place(s, "", "", "imports", &imports, err);
    return code < 0 ? code : sqlite_set_place(s, "", "", "imports", &imports, imports.value + 1, err);
}

static int import_all(struct sqlite_store *s, const struct storage_document *document, rouse_error *err)
{
    uint64_t revision = document->revision;
    int code = count_import(s, document->thread, err);
    if (code == 0)
        code = document->replace ? drop_all(s, document, err) : sqlite_revision(s, document->thread, &revision, err);
    struct sqlite_scope scope = {document->thread, document->run, revision, UINT64_MAX};
    if (code == 0)
        code = sqlite_write_changes(s, &scope, document->items, document->count, err);
    for (size_t i = 0; i < document->count && code == 0; i++) {
        if (document->items[i].action == STATE_CLEAR)
            code = sqlite_mark_map(s, &scope, document->items[i].key, err);
    }
    if (code == 0)
        code = sqlite_settle(s, err);
    /* Late entries may have told it until now. */
    return code < 0 || (!document->replace && revision == 0) ? code : sqlite_set_revision(s, document->thread, revision, err);
}

int sqlite_import(void *backend, const struct storage_document *document, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_write(s, err);
    return code < 0 ? code : sqlite_end(s, import_all(s, document, err), err);
}
