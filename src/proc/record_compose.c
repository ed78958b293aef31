/* Writing the exit record, which rouse-shim does: the C library is all that is used. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc/protocol.h"
#include "proc/record.h"

const struct record_member record_members[RECORD_MEMBERS] = {
#define MEMBER(kind, name) {#name, kind, offsetof(struct record, exit.name), sizeof((struct record *)0)->exit.name}
    MEMBER(RECORD_INT, exec_errno),
    MEMBER(RECORD_INT, exit_code),
    MEMBER(RECORD_INT, signal),
    MEMBER(RECORD_BOOL, core),
    MEMBER(RECORD_TEXT, ended_by),
    MEMBER(RECORD_TEXT, reason),
    MEMBER(RECORD_U64, started_at_ms),
    MEMBER(RECORD_U64, ended_at_ms),
    MEMBER(RECORD_U64, killed),
    MEMBER(RECORD_U64, user_us),
    MEMBER(RECORD_U64, system_us),
    MEMBER(RECORD_U64, max_rss_kib),
    MEMBER(RECORD_BOOL, cancelled),
#undef MEMBER
    {"output", RECORD_U64, offsetof(struct record, output), sizeof(uint64_t)},
    {"lost", RECORD_U64, offsetof(struct record, lost), sizeof(uint64_t)},
};

/* Each member is bounded and few, so all of them fit; what did not would fail the checksum, never overrun. */
static size_t add(char *text, size_t len, const char *format, ...) __attribute__((format(printf, 3, 4)));
static size_t add(char *text, size_t len, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + len, LIMIT_EXIT_RECORD - len, format, args);
    va_end(args);
    return n > 0 && (size_t)n < LIMIT_EXIT_RECORD - len ? len + (size_t)n : len;
}

static size_t add_quoted(char *text, size_t len, const char *word)
{
    len = add(text, len, "\"");
    for (; *word; word++) {
        unsigned char byte = (unsigned char)*word;
        bool escaped = byte == '"' || byte == '\\';
        len = add(text, len, byte < 0x20 || byte == 0x7f ? "\\u%04x" : escaped ? "\\%c" : "%c", byte);
    }
    return add(text, len, "\"");
}

size_t record_compose(const struct record *record, char text[LIMIT_EXIT_RECORD])
{
    size_t len = add(text, 0, "{\"version\":1");
    for (size_t i = 0; i < RECORD_MEMBERS; i++) {
        const struct record_member *m = &record_members[i];
        const void *at = (const char *)record + m->offset;
        len = add(text, len, ",\"%s\":", m->name);
        if (m->kind == RECORD_TEXT)
            len = add_quoted(text, len, at);
        else if (m->kind == RECORD_BOOL)
            len = add(text, len, *(const bool *)at ? "true" : "false");
        else if (m->kind == RECORD_INT)
            len = add(text, len, "%d", *(const int *)at);
        else
            len = add(text, len, "%llu", (unsigned long long)*(const uint64_t *)at);
    }
    uint32_t check = shim_checksum(text, len);
    return add(text, len, SHIM_EXIT_CHECK "%u}\n", (unsigned)check);
}

int record_reserve(int fd)
{
    bool done = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LIMIT_EXIT_RECORD) == 0;
    return done || errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno;
}

int record_put(int fd, const struct record *record, bool sync)
{
    char text[LIMIT_EXIT_RECORD];
    size_t len = record_compose(record, text);
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, text + at, len - at);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (size_t)n : 0;
    }
    if (sync)
        fsync(fd);
    return 0;
}

uint64_t record_clock_ms(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t microseconds(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

void record_note(struct proc_exit *exit, int status, const struct rusage *usage)
{
    exit->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    exit->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    exit->core = WIFSIGNALED(status) && WCOREDUMP(status);
    exit->user_us = microseconds(usage->ru_utime);
    exit->system_us = microseconds(usage->ru_stime);
    exit->max_rss_kib = (uint64_t)usage->ru_maxrss;
    exit->ended_at_ms = record_clock_ms();
}
