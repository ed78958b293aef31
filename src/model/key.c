/* Where a key comes from. It is read when a model is opened, kept in that model's memory, and goes nowhere but into a header. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"
#include "model/model.h"

static int check_key(const struct dialect *dialect, const char *key, rouse_error *err)
{
    for (; key && *key; key++)
        if (*key <= ' ' || *key > '~')
            return rouse_fail(err, ROUSE_EINVAL, "the API key holds a character that no header can; see %s",
                              dialect->key_variable);
    return 0;
}

/* Others on the machine must not be able to read it. */
static int check_mode(const char *file, rouse_error *err)
{
    struct stat st;
    if (stat(file, &st) < 0)
        return errno == ENOENT
                   ? ROUSE_ENOTFOUND
                   : rouse_fail_errno(err, ROUSE_EIO, errno, "cannot look at the key's file '%.200s'", file);
    if (!S_ISREG(st.st_mode))
        return rouse_fail(err, ROUSE_EINVAL, "the key's file '%.200s' is no file", file);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return rouse_fail(err, ROUSE_EINVAL, "others may read the key's file '%.200s': chmod 600 it", file);
    return 0;
}

/* Its first line. */
static int read_key(const char *file, struct arena *arena, const char **ret_key, rouse_error *err)
{
    struct buf text = BUF_INIT(0);
    int code = check_mode(file, err);
    if (code == 0)
        code = fd_read_file(AT_FDCWD, file, LIMIT_LINE, &text, err);
    if (code == 0) {
        size_t len = strcspn(buf_text(&text), "\r\n");
        char *key = arena_text(arena, buf_text(&text), len);
        code = key ? 0 : rouse_fail_memory(err);
        *ret_key = len > 0 ? key : NULL;
    }
    if (text.data)
        explicit_bzero(text.data, text.len);
    buf_done(&text);
    return code;
}

/* The file that is looked at unasked: it may be missing. */
static int read_own_file(const struct dialect *dialect, struct arena *arena, const char **ret_key, rouse_error *err)
{
    char file[LIMIT_LINE];
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int len = 0;
    if (config && config[0] == '/')
        len = snprintf(file, sizeof file, "%s/rouse/%s.key", config, dialect->name);
    else if (home && home[0] == '/')
        len = snprintf(file, sizeof file, "%s/.config/rouse/%s.key", home, dialect->name);
    if (len <= 0 || (size_t)len >= sizeof file)
        return 0;
    int code = read_key(file, arena, ret_key, err);
    return code == ROUSE_ENOTFOUND ? 0 : code;
}

int key_find(const struct dialect *dialect, const char *given, struct arena *arena, const char **ret_key,
             rouse_error *err)
{
    char variable[64];
    const char *key = given && given[0] ? given : getenv(dialect->key_variable);
    int code = 0;
    *ret_key = NULL;
    snprintf(variable, sizeof variable, "%s_FILE", dialect->key_variable);
    const char *file = getenv(variable);
    if (key && key[0]) {
        *ret_key = arena_text(arena, key, strlen(key));
        code = *ret_key ? 0 : rouse_fail_memory(err);
    } else if (file && file[0]) {
        code = read_key(file, arena, ret_key, err);
        if (code == ROUSE_ENOTFOUND)
            code = rouse_fail(err, code, "there is no file '%.200s', which %s names", file, variable);
    } else {
        code = read_own_file(dialect, arena, ret_key, err);
    }
    return code < 0 ? code : check_key(dialect, *ret_key, err);
}
