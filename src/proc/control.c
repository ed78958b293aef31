/* The runtime's side of ctl (words: protocol.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "proc/directory.h"
#include "proc/proc.h"
#include "proc/protocol.h"

int proc_connect(int parent, const char *id, int *ret_fd, rouse_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    FD_AUTO int dir = proc_open_directory(parent, id, err);
    if (dir < 0)
        return dir;
    /* Blocking, but never for long: a supervisor that was stopped accepts nobody. */
    const struct timeval patience = {.tv_sec = LIMIT_CONNECT_MS / 1000, .tv_usec = LIMIT_CONNECT_MS % 1000 * 1000};
    FD_AUTO int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "no socket");
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" SHIM_CTL, dir);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        bool nobody = errno == ENOENT || errno == ECONNREFUSED;
        int code = nobody ? ROUSE_ENOTFOUND : errno == EAGAIN ? ROUSE_EBUSY : ROUSE_EIO;
        return rouse_fail_errno(err, code, errno, "cannot reach the supervisor of '%s'", id);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int say(int fd, const char *message, rouse_error *err)
{
    ssize_t n;
    do
        n = send(fd, message, strlen(message), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? rouse_fail_errno(err, ROUSE_EREMOTE, errno, "cannot talk to a supervisor") : 0;
}

int proc_watch(int fd, rouse_error *err)
{
    return say(fd, SHIM_ASK_WATCH, err);
}

int proc_taken(int fd, rouse_error *err)
{
    return say(fd, SHIM_ASK_TAKEN, err);
}

int proc_cancel(int fd, int signal, uint64_t grace_ms, const char *by, const char *reason, rouse_error *err)
{
    char message[LIMIT_MESSAGE];
    char clean[sizeof((struct proc_exit *)0)->reason];
    size_t letters = strspn(by, "abcdefghijklmnopqrstuvwxyz");
    if (signal < 1 || letters == 0 || by[letters] != '\0' || letters >= sizeof((struct proc_exit *)0)->ended_by)
        return rouse_fail(err, ROUSE_EINVAL, "a cancel needs a signal and who asks");
    utf8_copy_printable(clean, sizeof clean, reason ? reason : "");
    snprintf(message, sizeof message, SHIM_ASK_CANCEL "%d %llu %s %s", signal, (unsigned long long)grace_ms, by, clean);
    return say(fd, message, err);
}

int proc_read_news(int fd, enum proc_news *ret_news, rouse_error *err)
{
    static const struct {
        const char *message;
        enum proc_news news;
    } known[] = {
        {SHIM_SAY_READY, PROC_NEWS_READY},
        {SHIM_SAY_ENDED, PROC_NEWS_ENDED},
        {SHIM_SAY_STUCK, PROC_NEWS_STUCK},
        {SHIM_SAY_WAITING, PROC_NEWS_WAITING},
        {SHIM_SAY_RESUMED, PROC_NEWS_RESUMED},
        {SHIM_SAY_ROOM, PROC_NEWS_ROOM},
        {SHIM_SAY_LATE, PROC_NEWS_LATE},
        {SHIM_SAY_BUSY, PROC_NEWS_HANGUP},
    };
    for (;;) {
        char message[LIMIT_MESSAGE + 1];
        ssize_t n = recv(fd, message, sizeof message - 1, MSG_DONTWAIT);
        /* A reset says that the supervisor went without reading all it was told; its news are still to come. */
        if (n < 0 && (errno == EINTR || errno == ECONNRESET))
            continue;
        if (n < 0 && errno != EAGAIN)
            return rouse_fail_errno(err, ROUSE_EREMOTE, errno, "cannot hear a supervisor");
        if (n <= 0) {
            *ret_news = n < 0 ? PROC_NEWS_NONE : PROC_NEWS_HANGUP;
            return 0;
        }
        message[n] = '\0';
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            if (strcmp(message, known[i].message) == 0) {
                *ret_news = known[i].news;
                return 0;
            }
        }
    }
}

/* ---- input ---- */

/* The answer to what was just asked; room that was made meanwhile is no longer news. */
static int hear_answer(int fd, size_t *ret_taken, rouse_error *err)
{
    for (;;) {
        char message[LIMIT_MESSAGE + 1];
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, LIMIT_CONNECT_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return rouse_fail(err, ROUSE_ETIMEOUT, "a supervisor does not answer; is it stopped?");
        ssize_t n = recv(fd, message, sizeof message - 1, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return rouse_fail(err, ROUSE_EREMOTE, "the supervisor has gone: the task has ended");
        message[n] = '\0';
        if (strcmp(message, SHIM_SAY_NO_INPUT) == 0)
            return rouse_fail(err, ROUSE_ECONFLICT, "the task takes no input: it was started without, or its input was ended");
        if (strncmp(message, SHIM_SAY_TOOK, strlen(SHIM_SAY_TOOK)) == 0) {
            *ret_taken = strtoull(message + strlen(SHIM_SAY_TOOK), NULL, 10);
            return 0;
        }
    }
}

static int ask(int fd, const void *message, size_t len, size_t *ret_taken, rouse_error *err)
{
    ssize_t n;
    do
        n = send(fd, message, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EPIPE)
        return rouse_fail_errno(err, ROUSE_EREMOTE, errno, "cannot talk to a supervisor");
    return hear_answer(fd, ret_taken, err);
}

int proc_write(int fd, const char *bytes, size_t len, size_t *ret_taken, rouse_error *err)
{
    static const size_t word = sizeof SHIM_ASK_WRITE - 1;
    char message[sizeof SHIM_ASK_WRITE - 1 + LIMIT_WRITE];
    size_t given = 0, taken = 0;
    memcpy(message, SHIM_ASK_WRITE, word);
    for (size_t size = 0; given < len && taken == size; given += taken) {
        size = len - given < LIMIT_WRITE ? len - given : LIMIT_WRITE;
        memcpy(message + word, bytes + given, size);
        int code = ask(fd, message, word + size, &taken, err);
        if (code < 0)
            return code;
        if (taken > size)
            return rouse_fail(err, ROUSE_EREMOTE, "a supervisor took more than it was given");
    }
    *ret_taken = given;
    return 0;
}

int proc_write_eof(int fd, rouse_error *err)
{
    size_t taken;
    return ask(fd, SHIM_ASK_EOF, strlen(SHIM_ASK_EOF), &taken, err);
}

int proc_resize(int fd, unsigned rows, unsigned columns, rouse_error *err)
{
    char message[LIMIT_MESSAGE];
    size_t taken;
    if (rows < 1 || rows > UINT16_MAX || columns < 1 || columns > UINT16_MAX)
        return rouse_fail(err, ROUSE_EINVAL, "a terminal has 1 to %d rows and columns", UINT16_MAX);
    snprintf(message, sizeof message, SHIM_ASK_RESIZE "%u %u", rows, columns);
    return ask(fd, message, strlen(message), &taken, err);
}
