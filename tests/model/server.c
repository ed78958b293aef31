#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* Reads the head and as much of a body as it says. */
static void read_request(int fd, struct buf *out)
{
    char piece[4096];
    size_t from = out->len;
    for (;;) {
        const char *begin = buf_text(out) + from;
        const char *head = strstr(begin, "\r\n\r\n"), *length = strstr(begin, "Content-Length: ");
        if (head && length && out->len - from >= (size_t)(head + 4 - begin) + strtoul(length + 16, NULL, 10))
            return;
        ssize_t n = read(fd, piece, sizeof piece);
        if (n <= 0)
            return;
        buf_add(out, piece, (size_t)n);
    }
}

static void *serve(void *userdata)
{
    struct server *s = userdata;
    char c;
    for (size_t i = 0; i < s->count; i++) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        s->asked++;
        read_request(fd, &s->request);
        if (s->answers[i])
            fd_write_all(fd, s->answers[i], strlen(s->answers[i]));
        while (!s->answers[i] && read(fd, &c, 1) > 0)
            ;
        close(fd);
    }
    return NULL;
}

void server_open(struct server *s, const char *const *answers, size_t count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    *s = (struct server){.count = count, .request = BUF_INIT(0)};
    assert_true(count <= SERVER_ANSWERS);
    memcpy(s->answers, answers, count * sizeof *answers);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->listener, SERVER_ANSWERS), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &size), 0);
    snprintf(s->url, sizeof s->url, "http://user:pass@127.0.0.1:%d/v1/", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void server_join(struct server *s)
{
    if (!s->joined)
        pthread_join(s->thread, NULL);
    s->joined = true;
}

void server_done(struct server *s)
{
    shutdown(s->listener, SHUT_RDWR); /* ends an accept that nobody came to */
    server_join(s);
    close(s->listener);
    buf_done(&s->request);
}
