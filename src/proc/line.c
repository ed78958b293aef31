#include "proc/line.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/limits.h"
#include "proc/proc.h"
#include "proc/protocol.h"

static size_t count(const char *const *words)
{
    size_t n = 0;
    while (words[n])
        n++;
    return n;
}

static void add(struct buf *out, const char *const *words)
{
    for (; *words; words++)
        buf_add(out, *words, strlen(*words) + 1);
}

static bool send_with(int line, const struct buf *text, const int *fds)
{
    size_t size = (fds[SHIM_NEXT_OWNER] < 0 ? SHIM_NEXT_OWNER : SHIM_NEXT_FDS) * sizeof *fds;
    char room[CMSG_SPACE(SHIM_NEXT_FDS * sizeof(int))] __attribute__((aligned(16))) = {0};
    struct iovec bytes = {text->data, text->len};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size)};
    memcpy(CMSG_DATA(c), fds, size);
    ssize_t n;
    do
        n = sendmsg(line, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

bool line_give(int line, const char *const *words, const char *const *variables, const int *fds)
{
    struct buf text = BUF_INIT(LIMIT_NEXT);
    size_t n_words = count(words), n_variables = count(variables);
    buf_addf(&text, SHIM_ASK_NEXT "%zu %zu", n_words, n_variables);
    buf_addc(&text, '\0');
    add(&text, words);
    add(&text, variables);
    bool given = n_words + n_variables <= LIMIT_NEXT_WORDS && !text.failed && send_with(line, &text, fds);
    buf_done(&text);
    return given;
}

bool proc_stay(int line)
{
    return send(line, SHIM_ASK_STAY, strlen(SHIM_ASK_STAY), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

int proc_is_free(int line, int patience_ms)
{
    char message[16];
    struct pollfd p = {.fd = line, .events = POLLIN};
    if (patience_ms > 0 && poll(&p, 1, patience_ms) <= 0)
        return 0;
    ssize_t n = recv(line, message, sizeof message, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n == (ssize_t)strlen(SHIM_SAY_FREE) && memcmp(message, SHIM_SAY_FREE, (size_t)n) == 0 ? 1 : -1;
}
