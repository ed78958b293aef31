/* Becoming a supervisor, the loop, the record, handing over. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <sys/prctl.h>

#include "proc/feed.h"
#include "proc/record.h"
#include "proc/tree.h"
#include "proc/signals.h"
#include "proc/starter.h"
#include "shim/shim.h"

uint64_t shim_now_ms(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void shim_ring(const struct shim *s)
{
    if (s->asked.bell)
        utimensat(AT_FDCWD, s->asked.bell, NULL, AT_SYMLINK_NOFOLLOW);
}

void shim_show(struct shim *s, const char *file, bool there, const char *news)
{
    if (there)
        close(openat(SHIM_FD_DIR, file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    else
        unlinkat(SHIM_FD_DIR, file, 0);
    shim_ring(s);
    listeners_tell(&s->listeners, news, WANTS_NEWS | WANTS_END);
}

void shim_point(const struct shim *s, const char *point)
{
    if (s->asked.die_at && strcmp(s->asked.die_at, point) == 0)
        kill(getpid(), SIGKILL);
}

/* ---- becoming a supervisor ---- */

static _Noreturn void fail(int errnum)
{
    starter_tell(SHIM_FAILED, (uint64_t)errnum);
    _exit(1);
}

static void become_supervisor(struct shim *s)
{
    setsid();
    s->signals = signals_block();
    s->umask = umask(077);
    s->proc = openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->signals < 0 || s->proc < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        fail(errno);
}

static void prepare(struct shim *s)
{
    s->input.fd = s->input.terminal = -1;
    int errnum = output_open(s);
    errnum = errnum ? errnum : record_reserve(SHIM_FD_LOCK);
    errnum = errnum ? errnum : listeners_open(&s->listeners, SHIM_FD_DIR);
    if (errnum != 0)
        fail(errnum);
    s->exit.started_at_ms = s->exit.ended_at_ms = record_clock_ms();
    s->begun = s->last_output = shim_now_ms();
    uint64_t most = SHIM_NEVER - s->begun, timeout = s->asked.timeout_ms;
    s->deadline = timeout > 0 && timeout < most ? s->begun + timeout : SHIM_NEVER;
}

/* ---- the loop ---- */

enum { ON_SIGNALS, ON_OUTPUT, ON_INPUT, ON_OWNER, ON_LINE, ON_CTL, ON_LISTENERS };

static int sleep_time(uint64_t until)
{
    uint64_t now = shim_now_ms();
    if (until == SHIM_NEVER)
        return -1;
    uint64_t left = until > now ? until - now : 0;
    return left > 3600000 ? 3600000 : (int)left;
}

static void turn(struct shim *s, uint64_t until)
{
    struct pollfd p[ON_LISTENERS + LIMIT_LISTENERS];
    int count = ON_LISTENERS;
    p[ON_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    p[ON_OUTPUT] = (struct pollfd){.fd = s->output.pipe, .events = POLLIN};
    p[ON_INPUT] = (struct pollfd){.fd = input_has_more(s) ? s->input.fd : -1, .events = POLLOUT};
    p[ON_OWNER] = (struct pollfd){.fd = s->owner, .events = POLLIN};
    p[ON_LINE] = (struct pollfd){.fd = starter_line(), .events = POLLIN};
    p[ON_CTL] = (struct pollfd){.fd = s->listeners.ctl, .events = POLLIN};
    for (int i = 0; i < s->listeners.places; i++) /* poll refuses more entries than there may be descriptors */
        p[count++] = (struct pollfd){.fd = s->listeners.at[i].fd, .events = POLLIN};
    if (poll(p, (nfds_t)count, sleep_time(until)) <= 0)
        return;
    if (p[ON_SIGNALS].revents)
        signals_read(s->signals);
    if (p[ON_OUTPUT].revents)
        output_read(s);
    if (p[ON_INPUT].revents && input_has_more(s))
        input_give(s);
    for (int i = 0; i < s->listeners.places; i++) {
        if (p[ON_LISTENERS + i].revents && s->listeners.at[i].fd >= 0)
            control_serve(s, &s->listeners.at[i]);
    }
    if (p[ON_CTL].revents)
        listeners_accept(&s->listeners);
    if (p[ON_OWNER].revents) {
        close(s->owner);
        s->owner = -1;
        ending_ask(s, "parent", "", SIGTERM, s->asked.grace_ms);
    }
    if (p[ON_LINE].revents && starter_asks_to_stay() && s->ending.phase == PHASE_GONE)
        s->taken = s->stays = true;
}

static void supervise(struct shim *s)
{
    for (;;) {
        ending_step(s);
        if (s->ending.phase == PHASE_GONE)
            break;
        turn(s, ending_next(s));
        input_look(s);
    }
    output_finish(s);
}

/* ---- handing over ---- */

/* The lock's file becomes the record: there is never both, and who finds neither a record nor a lock looks again. 0 or errno. */
static int write_record(struct shim *s)
{
    const struct record record = {.exit = s->exit, .output = s->output.pieces.size, .lost = s->output.pieces.lost};
    shim_point(s, "before-record");
    int errnum = record_put(SHIM_FD_LOCK, &record, s->asked.durable);
    if (errnum != 0)
        return errnum;
    shim_point(s, "record-written");
    if (renameat(SHIM_FD_DIR, SHIM_LOCK, SHIM_FD_DIR, SHIM_EXIT) < 0)
        return errno;
    if (s->asked.durable)
        fsync(SHIM_FD_DIR);
    shim_point(s, "record-renamed");
    return 0;
}

static void exec_reaper(struct shim *s)
{
    shim_point(s, "before-reaper");
    unsetenv("ROUSE_TASK");
    unsetenv("ROUSE_TASK_TOKEN");
    umask(s->umask);
    signals_restore();
    execvp(s->asked.reaper[0], (char *const *)(uintptr_t)s->asked.reaper);
}

/* Somebody took the ending in without ever listening: it had come before. */
static bool is_settled(const struct shim *s)
{
    struct stat is;
    return s->taken || (fstat(SHIM_FD_LOCK, &is) == 0 && (is.st_mode & 0777) == SHIM_SETTLED_MODE);
}

/* Whoever starts a short command and then waits for it comes to listen when it may be over already: a moment's patience costs
 * nothing, a reaper costs more than all the rest. */
static void listen_for_starter(struct shim *s)
{
    uint64_t until = s->begun + LIMIT_HEARD_MS;
    while (!listeners_want(&s->listeners, WANTS_NEWS) && !is_settled(s) && shim_now_ms() < until)
        turn(s, until);
}

/* The ending is on disk. A runtime that watches takes it into the store; if none does, the reaper is executed for it; if
 * that is not possible either, whoever looks next finds the record. */
static void hand_over(struct shim *s)
{
    shim_ring(s);
    listeners_tell(&s->listeners, SHIM_SAY_ENDED, WANTS_NEWS | WANTS_END);
    shim_point(s, "told");
    listen_for_starter(s);
    uint64_t until = shim_now_ms() + LIMIT_TAKEN_MS;
    while (!s->taken && listeners_want(&s->listeners, WANTS_NEWS) && shim_now_ms() < until)
        turn(s, until);
    if (s->asked.reaper && !is_settled(s))
        exec_reaper(s);
}

static void see_through(struct shim *s)
{
    prepare(s);
    shim_point(s, "before-command");
    s->exit.exec_errno = command_start(s);
    if (s->exit.exec_errno < 0)
        fail(-s->exit.exec_errno);
    shim_point(s, "command-started");
    if (s->exit.exec_errno == 0) {
        starter_tell(SHIM_STARTED, (uint64_t)s->leader);
        shim_point(s, "reported");
        supervise(s);
    } else {
        s->exit.exit_code = -1;
    }
    s->ending.phase = PHASE_GONE;
    if (!s->exit.ended_by[0])
        snprintf(s->exit.ended_by, sizeof s->exit.ended_by, "self");
    if (write_record(s) != 0)
        _exit(1);
    if (s->exit.exec_errno != 0)
        starter_tell(SHIM_RECORDED, (uint64_t)s->exit.exec_errno);
    hand_over(s);
}

/* Everything of the last task is let go; its starter may have another. */
static bool take_next(struct shim *s)
{
    listeners_close(&s->listeners);
    close(s->input.fd);
    close(s->owner);
    feed_drop();
    tree_forget_all();
    *s = (struct shim){.proc = s->proc, .signals = s->signals, .umask = s->umask};
    return starter_next(&s->asked, &s->owner);
}

/* With a child left, which is another task's supervisor, it goes as any other does: the child is its new parent's to wait for. */
static int run(void *userdata)
{
    struct shim *s = userdata;
    shim_point(s, "detached");
    become_supervisor(s);
    do
        see_through(s);
    while (s->stays && s->ending.childless && take_next(s));
    _exit(0);
}

int main(int argc, char **argv)
{
    static struct shim shim;
    static char stack[256 << 10] __attribute__((aligned(16)));
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        dprintf(STDOUT_FILENO, "rouse-shim " ROUSE_VERSION "\n");
        return 0;
    }
    starter_find(argv);
    if (!words_read(&shim.asked, argc, argv) || !starter_take(&shim.asked, &shim.owner)) {
        dprintf(STDERR_FILENO, "rouse-shim: is started by rouse, not by hand\n");
        return 2;
    }
    shim_point(&shim, "spawned");
    /* The starter waits for its own child, so that none stays behind as a zombie, and the supervisor belongs to nobody. The
     * second process takes the first one's memory over instead of copying it, and needs only a stack of its own. */
    if (clone(run, stack + sizeof stack, CLONE_VM | SIGCHLD, &shim) < 0)
        fail(errno);
    _exit(0);
}
