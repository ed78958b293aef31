/* The log: fewer system calls for a commit, and checkpoints.
 *
 * Gathering. SQLite writes each page of a transaction to its log in two calls, header and page, and where
 * a call costs as much as what it does, these are most of a small commit. So the log file's methods are put behind a buffer
 * that gathers writes which follow each other, until the frame that commits is complete.
 *
 * Invariants
 *   - Between transactions the buffer is empty: what commits is written before SQLite is told that it is, and what is undone is
 *     dropped. Frames must not be written late, when another process may be writing in their place.
 *   - Whatever else is done to the file comes after what was gathered.
 *
 * Only with durability `process`: with `power`, SQLite may cut a frame in two around a sync, and the sync costs a hundred times
 * more anyway. */
#include "storage/sqlite.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_HEADER 24
#define CHECKPOINT_FRAMES 4000 /* 16 MB: a checkpoint syncs twice, which costs as much as many commits */
#define GATHER_SIZE (128u << 10)

struct sqlite_wal {
    sqlite3_io_methods methods; /* first: the file's pMethods, so it leads here */
    const sqlite3_io_methods *base;
    sqlite3_file *file; /* NULL once it is closed */
    sqlite3_int64 offset; /* of what is gathered */
    size_t len;
    bool commits; /* the frame being written ends a transaction */
    unsigned char data[GATHER_SIZE];
};

static struct sqlite_wal *wal_of(sqlite3_file *file)
{
    return (struct sqlite_wal *)(uintptr_t)file->pMethods;
}

static int flush(struct sqlite_wal *w)
{
    size_t len = w->len;
    w->len = 0;
    return len == 0 ? SQLITE_OK : w->base->xWrite(w->file, w->data, (int)len, w->offset);
}

static int wal_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    struct sqlite_wal *w = wal_of(file);
    size_t size = (size_t)len;
    int result = SQLITE_OK;
    if (len == FRAME_HEADER) { /* bytes 4 to 7: the size of the database after a commit, else 0 */
        static const unsigned char none[4];
        w->commits = memcmp((const unsigned char *)data + 4, none, sizeof none) != 0;
    }
    if (offset != w->offset + (sqlite3_int64)w->len || size > GATHER_SIZE - w->len)
        result = flush(w);
    if (result != SQLITE_OK || size > GATHER_SIZE)
        return result != SQLITE_OK ? result : w->base->xWrite(file, data, len, offset);
    if (w->len == 0)
        w->offset = offset;
    memcpy(w->data + w->len, data, size);
    w->len += size;
    return w->commits && len != FRAME_HEADER ? flush(w) : SQLITE_OK;
}

static int wal_read(sqlite3_file *file, void *fill, int len, sqlite3_int64 offset)
{
    struct sqlite_wal *w = wal_of(file);
    int result = flush(w);
    return result == SQLITE_OK ? w->base->xRead(file, fill, len, offset) : result;
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct sqlite_wal *w = wal_of(file);
    int result = flush(w);
    return result == SQLITE_OK ? w->base->xTruncate(file, size) : result;
}

static int wal_sync(sqlite3_file *file, int flags)
{
    struct sqlite_wal *w = wal_of(file);
    int result = flush(w);
    return result == SQLITE_OK ? w->base->xSync(file, flags) : result;
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    struct sqlite_wal *w = wal_of(file);
    int result = flush(w);
    return result == SQLITE_OK ? w->base->xFileSize(file, ret_size) : result;
}

static int wal_close(sqlite3_file *file)
{
    struct sqlite_wal *w = wal_of(file);
    w->len = 0;
    w->file = NULL;
    file->pMethods = w->base;
    return w->base->xClose(file);
}

/* Without memory for it, or when the log is not open yet, SQLite goes on as it is. */
void sqlite_wal_gather(struct sqlite_store *s)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK || !file || !file->pMethods)
        return;
    struct sqlite_wal *w = malloc(sizeof *w);
    if (!w)
        return;
    w->base = file->pMethods;
    w->methods = *w->base;
    w->methods.xClose = wal_close;
    w->methods.xRead = wal_read;
    w->methods.xWrite = wal_write;
    w->methods.xTruncate = wal_truncate;
    w->methods.xSync = wal_sync;
    w->methods.xFileSize = wal_size;
    w->file = file;
    w->offset = 0;
    w->len = 0;
    w->commits = false;
    file->pMethods = &w->methods;
    s->wal = w;
}

void sqlite_wal_drop(struct sqlite_store *s)
{
    if (s->wal)
        s->wal->len = 0;
}

void sqlite_wal_free(struct sqlite_store *s)
{
    free(s->wal); /* the file was closed with the database */
    s->wal = NULL;
}

/* SQLite's own checkpoints after a commit say nothing when they fail. One that could not write is tried again with the next commit,
 * the log being whole; one that could not sync may have lost what was acknowledged before. The commit itself has been made. */
static int after_commit(void *userdata, sqlite3 *db, const char *name, int frames)
{
    struct sqlite_store *s = userdata;
    if (frames < CHECKPOINT_FRAMES || sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
        return SQLITE_OK;
    int why = sqlite3_extended_errcode(db);
    s->broken |= why == SQLITE_IOERR_FSYNC || why == SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
}

void sqlite_wal_checkpoints(struct sqlite_store *s)
{
    sqlite3_wal_hook(s->db, after_commit, s);
}
