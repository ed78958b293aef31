/* Where a store is, and how its path is shown. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "storage/storage.h"

#define LONGEST (PATH_MAX - 64) /* leaves room for the names of the files inside */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The place nobody named: as the XDG base directory specification says, where a relative path does not count. */
static int add_default(struct buf *path, rouse_error *err)
{
    const char *state = variable("XDG_STATE_HOME");
    const char *home = variable("HOME");
    if (state && *state == '/') {
        buf_addf(path, "%s/rouse", state);
        return 0;
    }
    if (!home || *home != '/')
        return rouse_fail(err, ROUSE_EINVAL, "no place for a store: set ROUSE_STORE or HOME");
    buf_addf(path, "%s/.local/state/rouse", home);
    return 0;
}

static int add_named(struct buf *path, const char *where, rouse_error *err)
{
    if (strncmp(where, "postgres://", 11) == 0 || strncmp(where, "postgresql://", 13) == 0)
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "this rouse has no support for PostgreSQL; name a directory as the store");
    if (strcmp(where, "memory:") == 0)
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "a store in memory ends with its process; name a directory as the store");
    if (strncmp(where, "sqlite:", 7) == 0)
        where += 7;
    else if (strstr(where, "://"))
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "no such kind of store: '%.80s'; name a directory", where);
    if (*where == '\0')
        return rouse_fail(err, ROUSE_EINVAL, "the path of the store is empty; name a directory");
    if (*where != '/') {
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here))
            return rouse_fail(err, ROUSE_EIO, "the current directory is gone; name the store by its full path");
        buf_addf(path, "%s/", here);
    }
    buf_adds(path, where);
    return 0;
}

int storage_locate(const char *where, char **ret_directory, rouse_error *err)
{
    struct buf path = BUF_INIT(LONGEST);
    if (!where)
        where = variable("ROUSE_STORE");
    int code = where ? add_named(&path, where, err) : add_default(&path, err);
    if (code == 0 && path.failed == ROUSE_ELIMIT)
        code = rouse_fail(err, ROUSE_EINVAL, "the path of the store is longer than %d bytes; name another", LONGEST);
    while (code == 0 && path.len > 1 && path.data[path.len - 1] == '/')
        path.data[--path.len] = '\0';
    char *directory = code == 0 ? buf_take(&path, err) : NULL;
    buf_done(&path);
    if (!directory)
        return code < 0 ? code : ROUSE_ENOMEM;
    *ret_directory = directory;
    return 0;
}

char *storage_path(const char *directory, const char *name)
{
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", directory, name);
    return path;
}

void storage_show_path(const char *path, char shown[STORAGE_SHOWN])
{
    size_t len = strlen(path);
    bool cut = len >= STORAGE_SHOWN;
    snprintf(shown, STORAGE_SHOWN, "%s%s", cut ? "..." : "", cut ? path + len - (STORAGE_SHOWN - 4) : path);
}
