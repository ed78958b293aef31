/* The exit record. Its file and its block on disk exist before the command does, so that a disk that has filled up in the
 * meantime cannot swallow the ending. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/text.h"

int record_prepare(struct shim *s)
{
    s->record = openat(SHIM_FD_DIR, SHIM_EXIT_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->record < 0)
        return errno;
    if (fallocate(s->record, FALLOC_FL_KEEP_SIZE, 0, LIMIT_EXIT_RECORD) < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return errno;
    return 0;
}

static void add_number(struct text *t, const char *name, uint64_t number)
{
    text_add(t, ",\"");
    text_add(t, name);
    text_add(t, "\":");
    text_add_u64(t, number);
}

static void add_flag(struct text *t, const char *name, bool flag)
{
    text_add(t, ",\"");
    text_add(t, name);
    text_add(t, flag ? "\":true" : "\":false");
}

static uint64_t micros(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static void compose(const struct shim *s, struct text *t)
{
    bool ran = s->exec_errno == 0;
    bool exited = ran && WIFEXITED(s->status);
    text_add(t, "{\"version\":1");
    add_number(t, "exec_errno", (uint64_t)s->exec_errno);
    if (exited)
        add_number(t, "exit_code", (uint64_t)WEXITSTATUS(s->status));
    else
        text_add(t, ",\"exit_code\":-1");
    add_number(t, "signal", ran && !exited ? (uint64_t)WTERMSIG(s->status) : 0);
    add_flag(t, "core", ran && !exited && WCOREDUMP(s->status));
    text_add(t, ",\"ended_by\":");
    text_add_json(t, s->ending.by[0] ? s->ending.by : "self");
    text_add(t, ",\"reason\":");
    text_add_json(t, s->ending.reason);
    add_number(t, "started_at_ms", s->started_at_ms);
    add_number(t, "ended_at_ms", s->ended_at_ms);
    add_number(t, "killed", s->ending.killed);
    add_number(t, "user_us", micros(s->usage.ru_utime));
    add_number(t, "system_us", micros(s->usage.ru_stime));
    add_number(t, "max_rss_kib", (uint64_t)s->usage.ru_maxrss);
    add_flag(t, "cancelled", s->ending.cancelled);
    add_number(t, "output", s->output.size);
    add_number(t, "lost", s->output.lost);
    uint32_t check = shim_checksum(t->at, t->len);
    text_add(t, SHIM_EXIT_CHECK);
    text_add_u64(t, check);
    text_add(t, "}\n");
}

int record_write(struct shim *s)
{
    char record[LIMIT_EXIT_RECORD];
    struct text text = {.at = record, .size = sizeof record};
    compose(s, &text);
    shim_point(s, "before-record");
    for (size_t at = 0; at < text.len;) {
        ssize_t n = write(s->record, record + at, text.len - at);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (size_t)n : 0;
    }
    /* Where syncing fails the record is still true for as long as the machine runs. */
    fsync(s->record);
    shim_point(s, "record-written");
    if (renameat(SHIM_FD_DIR, SHIM_EXIT_TMP, SHIM_FD_DIR, SHIM_EXIT) < 0)
        return errno;
    fsync(SHIM_FD_DIR);
    shim_point(s, "record-renamed");
    return 0;
}
