#include "proc/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "proc/protocol.h"

#define TOKEN "ROUSE_TASK_TOKEN="

static struct area {
    char *at;
    size_t size;
} shown_words, shown_environment;

static int line = -1;
static char text[LIMIT_NEXT];
static char *strings[LIMIT_NEXT_WORDS + 2]; /* words, NULL, variables, NULL */

/* The kernel lays them out one behind the other. */
static struct area area_of(char **all)
{
    struct area a = {.at = all[0]};
    for (; *all; all++)
        a.size = (size_t)(*all - a.at) + strlen(*all) + 1;
    return a;
}

void starter_find(char **argv)
{
    shown_words = area_of(argv);
    shown_environment = area_of(environ);
}

bool starter_take(const struct words *asked, int *ret_owner)
{
    int first_free = asked->session ? SHIM_FD_END : SHIM_FD_OWNER;
    for (int fd = SHIM_FD_DIR; fd < first_free; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return false;
    }
    syscall(SYS_close_range, (unsigned)first_free, ~0u, 0);
    *ret_owner = asked->session ? SHIM_FD_OWNER : -1;
    line = asked->stay ? SHIM_FD_REPORT : -1;
    return true;
}

void starter_tell(const char *word, uint64_t number)
{
    dprintf(SHIM_FD_REPORT, "%s%llu\n", word, (unsigned long long)number);
    if (line < 0)
        close(SHIM_FD_REPORT);
}

int starter_line(void)
{
    return line;
}

bool starter_asks_to_stay(void)
{
    char message[sizeof SHIM_ASK_STAY];
    ssize_t n = recv(line, message, sizeof message, MSG_DONTWAIT);
    if (n <= 0) {
        close(line);
        line = -1;
    }
    return n == sizeof SHIM_ASK_STAY - 1 && memcmp(message, SHIM_ASK_STAY, (size_t)n) == 0;
}

/* Whoever sweeps by a token must find this process by that of its task, and by no other. */
static void show(const struct area *a, const char *bytes, size_t len)
{
    if (a->size == 0)
        return;
    memset(a->at, 0, a->size);
    memcpy(a->at, bytes, len < a->size ? len : a->size - 1);
}

static void show_task(const char *words, size_t len)
{
    show(&shown_words, words, len);
    for (char **v = environ; *v; v++) {
        if (strncmp(*v, TOKEN, strlen(TOKEN)) == 0)
            show(&shown_environment, *v, strlen(*v) + 1);
    }
}

/* Standard input is /dev/null. */
static void let_go(void)
{
    dup3(STDIN_FILENO, SHIM_FD_DIR, O_CLOEXEC);
    dup3(STDIN_FILENO, SHIM_FD_LOCK, O_CLOEXEC);
    show(&shown_words, "rouse-shim", sizeof "rouse-shim");
    show(&shown_environment, "", 0);
}

static ssize_t receive(int fds[SHIM_NEXT_FDS], size_t *ret_count)
{
    char room[CMSG_SPACE(SHIM_NEXT_FDS * sizeof(int))] __attribute__((aligned(16)));
    struct iovec bytes = {text, sizeof text};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    ssize_t n;
    do
        n = recvmsg(line, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    *ret_count = c && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
    if (*ret_count > 0)
        memcpy(fds, CMSG_DATA(c), *ret_count * sizeof(int));
    return message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -1 : n;
}

/* Fills strings. 0 when the message is not whole. */
static size_t split(size_t len, unsigned words, unsigned variables)
{
    char *at = text + strlen(text) + 1, *end = text + len;
    size_t n = 0;
    if (words < 1 || words > LIMIT_NEXT_WORDS || variables > LIMIT_NEXT_WORDS - words || end[-1] != '\0')
        return 0;
    for (unsigned i = 0; i < words + variables; i++) {
        if (at >= end)
            return 0;
        strings[n++] = at;
        at += strlen(at) + 1;
        if (i + 1 == words)
            strings[n++] = NULL;
    }
    strings[n] = NULL;
    return n;
}

static bool place(const int fds[SHIM_NEXT_FDS], size_t count, bool session, int *ret_owner)
{
    if (count != (session ? SHIM_NEXT_FDS : SHIM_NEXT_OWNER))
        return false;
    *ret_owner = session ? fds[SHIM_NEXT_OWNER] : -1;
    bool placed = dup3(fds[SHIM_NEXT_DIR], SHIM_FD_DIR, O_CLOEXEC) >= 0 &&
                  dup3(fds[SHIM_NEXT_LOCK], SHIM_FD_LOCK, O_CLOEXEC) >= 0 && fchdir(fds[SHIM_NEXT_CWD]) == 0;
    for (size_t i = 0; i < SHIM_NEXT_OWNER; i++)
        close(fds[i]);
    return placed;
}

/* It may have lain here for as long as this process was stopped: a starter that has given up has said so in the store, and nothing
 * is begun for it any more. */
static bool is_wanted(void)
{
    struct pollfd p = {.fd = line};
    return poll(&p, 1, 0) == 0;
}

bool starter_next(struct words *fill, int *ret_owner)
{
    int fds[SHIM_NEXT_FDS];
    size_t count;
    unsigned words, variables;
    ssize_t n;
    let_go();
    if (send(line, SHIM_SAY_FREE, strlen(SHIM_SAY_FREE), MSG_NOSIGNAL) < 0)
        return false;
    do
        n = receive(fds, &count);
    while (n > 0 && count == 0); /* asked to stay once more */
    if (n <= 0 || text[n - 1] != '\0' || sscanf(text, SHIM_ASK_NEXT "%5u %5u", &words, &variables) != 2 ||
        split((size_t)n, words, variables) == 0)
        return false;
    environ = strings + words + 1;
    const char *behind = *environ ? *environ : text + n;
    show_task(strings[0], (size_t)(behind - strings[0]));
    return words_read(fill, (int)words, strings) && place(fds, count, fill->session, ret_owner) && is_wanted();
}
