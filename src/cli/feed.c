#include "cli/feed.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/terminal.h"

#define DETACH_KEY 0x1d /* Ctrl-] */

struct feed {
    char *store_path, *id;
    int detach, resized; /* eventfd; signalfd of SIGWINCH, -1 = no terminal */
    bool raw;
    struct terminal_state terminal;
    rouse_store *store;
    rouse_manager *manager;
};

static int open_own(struct feed *f, rouse_error *err)
{
    const rouse_store_options how = {.must_exist = true};
    const rouse_manager_options options = {.no_recovery = true};
    int code = rouse_store_open(f->store_path, &how, &f->store, err);
    return code == 0 ? rouse_manager_new(f->store, &options, &f->manager, err) : code;
}

static void resize(const struct feed *f)
{
    struct signalfd_siginfo info;
    unsigned rows, columns;
    while (read(f->resized, &info, sizeof info) > 0)
        ;
    if (terminal_size(&rows, &columns))
        rouse_task_resize(f->manager, f->id, rows, columns, NULL);
}

/* False when there is no more to hand over. */
static bool hand_over(const struct feed *f)
{
    char block[4096];
    ssize_t n = read(STDIN_FILENO, block, sizeof block);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    const char *key = f->raw ? memchr(block, DETACH_KEY, (size_t)n) : NULL;
    size_t len = key ? (size_t)(key - block) : (size_t)n;
    rouse_error err;
    int code = rouse_task_write(f->manager, NULL, f->id, block, len, n == 0, UINT64_MAX, NULL, &err);
    if (key)
        eventfd_write(f->detach, 1);
    return code == 0 && n > 0 && !key;
}

static void *run(void *userdata)
{
    const struct feed *f = userdata;
    struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = f->resized, .events = POLLIN}};
    while (p[0].fd >= 0) {
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents)
            resize(f);
        if (p[0].revents && !hand_over(f))
            p[0].fd = -1;
    }
    return NULL;
}

/* Blocked in every thread, so that only the descriptor gets it. */
static int watch_size(struct feed *f, rouse_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    f->resized = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return f->resized < 0 ? rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch the size of the terminal") : 0;
}

static int start_thread(struct feed *f, rouse_error *err)
{
    pthread_t thread;
    int code = pthread_create(&thread, NULL, run, f);
    if (code != 0)
        return rouse_fail_errno(err, ROUSE_EIO, code, "cannot start a thread");
    pthread_detach(thread);
    return 0;
}

static int begin(struct feed *f, bool has_tty, rouse_error *err)
{
    f->detach = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->detach < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch standard input");
    int code = open_own(f, err);
    if (code == 0 && has_tty && isatty(STDIN_FILENO)) {
        code = terminal_make_raw(&f->terminal, NULL, err);
        f->raw = code == 0;
        if (code == 0)
            code = watch_size(f, err);
    }
    return code == 0 ? start_thread(f, err) : code;
}

/* Not for one whose thread runs. */
static void discard(struct feed *f)
{
    feed_end(f);
    rouse_manager_free(f->manager);
    rouse_store_close(f->store);
    fd_close(&f->detach);
    fd_close(&f->resized);
    free(f->store_path);
    free(f->id);
    free(f);
}

/* A thread that sleeps in a read cannot be called back; what it uses is there until the program ends. */
static struct feed *volatile feeding;

int feed_begin(struct cli *cli, const rouse_task *task, struct feed **ret_feed, rouse_error *err)
{
    struct feed *f = calloc(1, sizeof *f);
    if (!f)
        return rouse_fail_memory(err);
    f->detach = f->resized = -1;
    f->store_path = strdup(rouse_store_path(cli->store));
    f->id = strdup(task->task_id);
    bool has_tty = task->ext.reads && strcmp(task->ext.reads, "tty") == 0;
    int code = f->store_path && f->id ? begin(f, has_tty, err) : rouse_fail_memory(err);
    if (code < 0) {
        discard(f);
        return code;
    }
    *ret_feed = feeding = f;
    return 0;
}

int feed_detach_fd(const struct feed *feed)
{
    return feed->detach;
}

bool feed_is_raw(const struct feed *feed)
{
    return feed && feed->raw;
}

void feed_end(struct feed *feed)
{
    if (feed && feed->raw)
        terminal_restore(&feed->terminal);
    if (feed)
        feed->raw = false;
}
