#include "vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512
#define MOST_FILES 32

const char *const vfs_call_names[VFS_CALLS] = {"open", "read",   "write",  "truncate",       "sync",           "size",
                                               "lock", "delete", "access", "map of the shm", "lock of the shm"};

/* ---- the disk as a power cut would leave it ---- */

struct bytes {
    unsigned char *at;
    size_t len;
};

struct change {
    bool truncate;
    size_t offset, len; /* of a truncation: offset is the new length */
    unsigned char *data;
};

struct disk_file {
    char *path;
    struct bytes durable, before; /* before: of an earlier file of this name, whose end is not durable yet */
    bool there, has_before;
    struct change *changes;
    size_t count, cap;
};

static struct {
    sqlite3_vfs *real;
    struct vfs_fault fault;
    bool armed, failed;
    unsigned long left;
    bool recording, cut;
    unsigned long changes, cut_left;
    struct disk_file files[MOST_FILES];
    size_t n_files;
    uint64_t random;
} vfs;

static void *must(void *at)
{
    if (!at)
        abort();
    return at;
}

static void set_size(struct bytes *b, size_t len)
{
    if (len > b->len) {
        b->at = must(realloc(b->at, len));
        memset(b->at + b->len, 0, len - b->len);
    }
    b->len = len;
}

static void put_bytes(struct bytes *b, size_t offset, const unsigned char *data, size_t len)
{
    if (b->len < offset + len)
        set_size(b, offset + len);
    memcpy(b->at + offset, data, len);
}

static void drop_changes(struct disk_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->changes[i].data);
    f->count = 0;
}

static void drop_bytes(struct bytes *b)
{
    free(b->at);
    *b = (struct bytes){0};
}

static struct disk_file *disk_find(const char *path)
{
    for (size_t i = 0; i < vfs.n_files; i++) {
        if (strcmp(vfs.files[i].path, path) == 0)
            return &vfs.files[i];
    }
    if (vfs.n_files == MOST_FILES)
        abort();
    struct disk_file *f = &vfs.files[vfs.n_files++];
    *f = (struct disk_file){.path = must(strdup(path))};
    return f;
}

static struct change *disk_change(struct disk_file *f)
{
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->changes = must(realloc(f->changes, f->cap * sizeof *f->changes));
    }
    f->changes[f->count] = (struct change){0};
    return &f->changes[f->count++];
}

static void disk_opened(const char *path)
{
    if (!vfs.recording)
        return;
    struct disk_file *f = disk_find(path);
    if (f->there)
        return;
    f->there = true;
    FILE *file = fopen(path, "rb"); /* what was there before the recording is durable */
    if (!file)
        return;
    unsigned char block[4096];
    size_t got;
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        put_bytes(&f->durable, f->durable.len, block, got);
    fclose(file);
}

static void disk_deleted(const char *path)
{
    struct disk_file *f = disk_find(path);
    if (!f->there)
        return;
    drop_changes(f);
    drop_bytes(&f->before);
    f->before = f->durable;
    f->has_before = true;
    f->durable = (struct bytes){0};
    f->there = false;
}

static void apply(struct bytes *to, const struct change *c)
{
    if (c->truncate)
        set_size(to, c->offset);
    else
        put_bytes(to, c->offset, c->data, c->len);
}

static void disk_synced(struct disk_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        apply(&f->durable, &f->changes[i]);
    drop_changes(f);
    drop_bytes(&f->before);
    f->has_before = false;
}

/* From here on no deleted file comes back. */
static void directory_synced(void)
{
    for (size_t i = 0; i < vfs.n_files; i++) {
        drop_bytes(&vfs.files[i].before);
        vfs.files[i].has_before = false;
    }
}

static void tear(struct bytes *to, const struct change *c, uint64_t *seed)
{
    size_t done = 0;
    while (done < c->len) {
        size_t end = (c->offset + done) / SECTOR * SECTOR + SECTOR - c->offset;
        size_t piece = (end < c->len ? end : c->len) - done;
        if (seed_next(seed) & 1024)
            put_bytes(to, c->offset + done, c->data + done, piece);
        done += piece;
    }
}

static void settle(struct disk_file *f, uint64_t *seed)
{
    uint64_t mood = seed_next(seed) % 4; /* some disks lose all of it, some nothing */
    for (size_t i = 0; i < f->count; i++) {
        uint64_t fate = mood == 0 ? 0 : mood == 1 ? 1 : seed_next(seed) >> 32 & 3;
        if (fate == 2 && !f->changes[i].truncate)
            tear(&f->durable, &f->changes[i], seed);
        else if (fate == 1 || fate == 2)
            apply(&f->durable, &f->changes[i]);
    }
}

static void write_out(const char *directory, const struct disk_file *f, const struct bytes *b)
{
    char path[1024];
    const char *slash = strrchr(f->path, '/');
    snprintf(path, sizeof path, "%s/%s", directory, slash ? slash + 1 : f->path);
    FILE *file = must(fopen(path, "wb"));
    if (b->len && fwrite(b->at, 1, b->len, file) != b->len)
        abort();
    if (fclose(file) != 0)
        abort();
}

static void forget(void)
{
    for (size_t i = 0; i < vfs.n_files; i++) {
        struct disk_file *f = &vfs.files[i];
        drop_changes(f);
        drop_bytes(&f->durable);
        drop_bytes(&f->before);
        free(f->changes);
        free(f->path);
    }
    vfs.n_files = 0;
    vfs.recording = vfs.cut = false;
    vfs.changes = vfs.cut_left = 0;
}

void vfs_rebuild(const char *directory, uint64_t seed)
{
    for (size_t i = 0; i < vfs.n_files; i++) {
        struct disk_file *f = &vfs.files[i];
        settle(f, &seed);
        if (f->has_before && seed_next(&seed) & 4096)
            write_out(directory, f, &f->before);
        else if (f->there)
            write_out(directory, f, &f->durable);
    }
    forget();
}

void vfs_record(void)
{
    forget();
    vfs.recording = true;
    vfs.random = 1;
}

void vfs_cut_at(unsigned long n)
{
    vfs.cut_left = n;
}

bool vfs_is_cut(void)
{
    return vfs.cut;
}

unsigned long vfs_changes(void)
{
    return vfs.changes;
}

/* ---- faults ---- */

void vfs_fail_at(unsigned long n, const struct vfs_fault *fault)
{
    vfs.fault = *fault;
    vfs.armed = true;
    vfs.failed = false;
    vfs.left = n - 1;
}

bool vfs_stop(void)
{
    vfs.armed = false;
    return vfs.failed;
}

/* SQLITE_OK, or what the call returns instead of being made. */
static int fault_now(enum vfs_call call)
{
    if (vfs.cut)
        return SQLITE_IOERR;
    if (!vfs.armed || vfs.fault.call != call || (vfs.failed && !vfs.fault.always))
        return SQLITE_OK;
    if (vfs.left > 0) {
        vfs.left--;
        return SQLITE_OK;
    }
    vfs.failed = true;
    return vfs.fault.result;
}

/* Counts a change. True: the power goes, and the change is not made any more. */
static bool power_goes(void)
{
    vfs.changes++;
    if (!vfs.recording || vfs.cut_left == 0 || --vfs.cut_left > 0)
        return false;
    return vfs.cut = true;
}

/* ---- files ---- */

struct vfs_file {
    sqlite3_file base;
    sqlite3_file *real;
    const char *path; /* SQLite keeps it until the file is closed; NULL: a temporary one */
    bool new_log;     /* a journal or log that is new: the real VFS syncs the directory with its first sync */
};

static struct vfs_file *of(sqlite3_file *file)
{
    return (struct vfs_file *)(void *)file;
}

#define REAL(file) (of(file)->real->pMethods)

static int file_close(sqlite3_file *file)
{
    return of(file)->real->pMethods ? REAL(file)->xClose(of(file)->real) : SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *into, int len, sqlite3_int64 offset)
{
    int fault = fault_now(VFS_READ);
    return fault ? fault : REAL(file)->xRead(of(file)->real, into, len, offset);
}

static int file_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 offset)
{
    int fault = power_goes() ? SQLITE_IOERR : fault_now(VFS_WRITE);
    if (fault && (!vfs.fault.torn || vfs.cut))
        return fault;
    len = fault ? len / 2 : len;
    if (vfs.recording && of(file)->path) {
        struct change *c = disk_change(disk_find(of(file)->path));
        c->offset = (size_t)offset;
        c->len = (size_t)len;
        c->data = must(malloc(c->len + 1));
        memcpy(c->data, from, c->len);
    }
    int result = REAL(file)->xWrite(of(file)->real, from, len, offset);
    return fault ? fault : result;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int fault = power_goes() ? SQLITE_IOERR : fault_now(VFS_TRUNCATE);
    if (fault)
        return fault;
    if (vfs.recording && of(file)->path) {
        struct change *c = disk_change(disk_find(of(file)->path));
        c->truncate = true;
        c->offset = (size_t)size;
    }
    return REAL(file)->xTruncate(of(file)->real, size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    int fault = power_goes() ? SQLITE_IOERR : fault_now(VFS_SYNC);
    if (vfs.recording && of(file)->path && !vfs.cut) {
        struct disk_file *f = disk_find(of(file)->path);
        if (fault)
            drop_changes(f);
        else
            disk_synced(f);
        if (!fault && of(file)->new_log)
            directory_synced();
        of(file)->new_log = of(file)->new_log && fault;
    }
    return fault;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    int fault = fault_now(VFS_SIZE);
    return fault ? fault : REAL(file)->xFileSize(of(file)->real, ret_size);
}

static int file_lock(sqlite3_file *file, int level)
{
    int fault = fault_now(VFS_LOCK);
    return fault ? fault : REAL(file)->xLock(of(file)->real, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return REAL(file)->xUnlock(of(file)->real, level);
}

static int file_is_reserved(sqlite3_file *file, int *ret_reserved)
{
    return REAL(file)->xCheckReservedLock(of(file)->real, ret_reserved);
}

static int file_control(sqlite3_file *file, int op, void *argument)
{
    return REAL(file)->xFileControl(of(file)->real, op, argument);
}

static int file_sector(sqlite3_file *file)
{
    return REAL(file)->xSectorSize(of(file)->real);
}

/* None of the promises that the real file system makes (atomic or ordered writes): the weakest disk that SQLite knows. */
static int file_device(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static int shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_at)
{
    int fault = fault_now(VFS_SHM_MAP);
    return fault ? fault : REAL(file)->xShmMap(of(file)->real, page, size, extend, ret_at);
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    int fault = flags & SQLITE_SHM_LOCK ? fault_now(VFS_SHM_LOCK) : SQLITE_OK;
    return fault ? fault : REAL(file)->xShmLock(of(file)->real, offset, count, flags);
}

static void shm_barrier(sqlite3_file *file)
{
    REAL(file)->xShmBarrier(of(file)->real);
}

static int shm_unmap(sqlite3_file *file, int delete)
{
    return REAL(file)->xShmUnmap(of(file)->real, delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* nothing is read through a mapping, so that every read is a call */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_is_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)self;
    int fault = fault_now(VFS_OPEN);
    *of(file) = (struct vfs_file){.real = (sqlite3_file *)(void *)(of(file) + 1)};
    if (fault)
        return fault;
    bool log = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL);
    of(file)->new_log = log && vfs.recording && !disk_find(name)->there;
    if (name)
        disk_opened(name); /* before it comes into being */
    int result = vfs.real->xOpen(vfs.real, name, of(file)->real, flags, ret_flags);
    if (result != SQLITE_OK)
        return result;
    of(file)->base.pMethods = &methods;
    of(file)->path = name;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *self, const char *name, int sync)
{
    (void)self;
    int fault = power_goes() ? SQLITE_IOERR : fault_now(VFS_DELETE);
    if (fault)
        return fault;
    if (vfs.recording) {
        disk_deleted(name);
        if (sync)
            directory_synced();
    }
    return vfs.real->xDelete(vfs.real, name, 0);
}

static int vfs_access(sqlite3_vfs *self, const char *name, int flags, int *ret_there)
{
    (void)self;
    int fault = fault_now(VFS_ACCESS);
    return fault ? fault : vfs.real->xAccess(vfs.real, name, flags, ret_there);
}

static int vfs_full_path(sqlite3_vfs *self, const char *name, int size, char *fill)
{
    (void)self;
    return vfs.real->xFullPathname(vfs.real, name, size, fill);
}

static int vfs_random(sqlite3_vfs *self, int size, char *fill)
{
    (void)self;
    for (int i = 0; i < size; i++)
        fill[i] = (char)(seed_next(&vfs.random) >> 56);
    return size;
}

static int vfs_sleep(sqlite3_vfs *self, int us)
{
    (void)self;
    return us;
}

static int vfs_time(sqlite3_vfs *self, double *ret_day)
{
    (void)self;
    *ret_day = 2460000.5;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *self, int size, char *fill)
{
    (void)self;
    return vfs.real->xGetLastError ? vfs.real->xGetLastError(vfs.real, size, fill) : 0;
}

void vfs_install(void)
{
    static sqlite3_vfs shim = {
        .iVersion = 1,
        .zName = "torture",
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
    vfs.real = must(sqlite3_vfs_find(NULL));
    vfs.random = 1;
    shim.szOsFile = (int)sizeof(struct vfs_file) + vfs.real->szOsFile;
    shim.mxPathname = vfs.real->mxPathname;
    if (sqlite3_vfs_register(&shim, 1) != SQLITE_OK)
        abort();
}
