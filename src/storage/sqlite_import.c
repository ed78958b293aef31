/* Taking in a document: one write transaction. */
#include "storage/sqlite.h"

static int drop_all(struct sqlite_store *s, const struct storage_document *document, rouse_error *err)
{
    int code = sqlite_run(s, SQL_ENTRY_CLEAR_ALL, err, "tt", document->thread, "");
    if (code == 0 && *document->run)
        code = sqlite_run(s, SQL_ENTRY_CLEAR_ALL, err, "tt", document->thread, document->run);
    return code;
}

static int import_all(struct sqlite_store *s, const struct storage_document *document, rouse_error *err)
{
    uint64_t revision = document->revision;
    int code = document->replace ? drop_all(s, document, err) : sqlite_revision(s, document->thread, &revision, err);
    struct sqlite_place place = {document->thread, document->run, revision};
    if (code == 0)
        code = sqlite_write_changes(s, &place, document->items, document->count, err);
    for (size_t i = 0; i < document->count && code == 0; i++) {
        if (document->items[i].action == STATE_CLEAR)
            code = sqlite_mark_map(s, &place, document->items[i].key, err);
    }
    return code < 0 || !document->replace ? code : sqlite_set_revision(s, document->thread, revision, err);
}

int sqlite_import(void *backend, const struct storage_document *document, rouse_error *err)
{
    struct sqlite_store *s = backend;
    int code = sqlite_begin_write(s, err);
    return code < 0 ? code : sqlite_end(s, import_all(s, document, err), err);
}
