/* Options, becoming a supervisor, the loop, the record, handing over. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "proc/record.h"
#include "shim/shim.h"

static uint64_t clock_ms(clockid_t id)
{
    struct timespec t = {0};
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t shim_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

uint64_t shim_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

void shim_ring(const struct shim *s)
{
    if (s->bell)
        utimensat(AT_FDCWD, s->bell, NULL, AT_SYMLINK_NOFOLLOW);
}

void shim_point(const struct shim *s, const char *point)
{
    if (s->die_at && strcmp(s->die_at, point) == 0)
        kill(getpid(), SIGKILL);
}

/* ---- options: rouse-shim [--option value]… -- command… ---- */

static const struct option {
    const char *name;
    enum { TEXT, NUMBER, FLAG } kind;
    size_t at;
} options[] = {
    {"--id", TEXT, offsetof(struct shim, id)},
    {"--exec", TEXT, offsetof(struct shim, file)}, /* the command's program, found */
    {"--cwd", TEXT, offsetof(struct shim, cwd)},
    {"--bell", TEXT, offsetof(struct shim, bell)},
    {"--ready-when", TEXT, offsetof(struct shim, ready_when)},
    {"--die-at", TEXT, offsetof(struct shim, die_at)},
    {"--input", TEXT, offsetof(struct shim, input_kind)}, /* pipe or tty */
    {"--umask", TEXT, offsetof(struct shim, mask)},
    {"--nice", TEXT, offsetof(struct shim, nice)},
    {"--timeout", NUMBER, offsetof(struct shim, timeout_ms)},
    {"--idle-timeout", NUMBER, offsetof(struct shim, idle_timeout_ms)},
    {"--grace", NUMBER, offsetof(struct shim, grace_ms)},
    {"--rows", NUMBER, offsetof(struct shim, rows)},
    {"--columns", NUMBER, offsetof(struct shim, columns)},
    {"--cpu", NUMBER, offsetof(struct shim, cpu_seconds)},
    {"--memory", NUMBER, offsetof(struct shim, memory_bytes)},
    {"--files", NUMBER, offsetof(struct shim, files)},
    {"--head", NUMBER, offsetof(struct shim, head)},
    {"--tail", NUMBER, offsetof(struct shim, tail)},
    {"--session", FLAG, offsetof(struct shim, session)},
    {"--wait-tree", FLAG, offsetof(struct shim, wait_tree)},
    {"--durable", FLAG, offsetof(struct shim, durable)},
};

static bool take_number(uint64_t *fill, const char *value)
{
    char *end = NULL;
    errno = 0;
    *fill = value ? strtoull(value, &end, 10) : 0;
    return end && end > value && *end == '\0' && errno == 0;
}

/* How many words it took, 0 when it is no option. */
static int take_option(struct shim *s, const char *option, const char *value)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        void *at = (char *)s + options[i].at;
        if (strcmp(option, options[i].name) != 0)
            continue;
        if (options[i].kind == FLAG)
            *(bool *)at = true;
        else if (options[i].kind == TEXT)
            *(const char **)at = value;
        else if (!take_number(at, value))
            return 0;
        return options[i].kind == FLAG ? 1 : value ? 2 : 0;
    }
    return 0;
}

/* --reaper N word1 … wordN: moved down by one, which makes room for the NULL behind them. 0 when it is not like that. */
static int take_reaper(struct shim *s, int argc, char **argv)
{
    uint64_t n;
    if (argc < 1 || !take_number(&n, argv[0]) || n < 1 || n >= (uint64_t)argc)
        return 0;
    memmove(argv, argv + 1, n * sizeof *argv);
    argv[n] = NULL;
    s->reaper = argv;
    return (int)n + 2;
}

static bool take_options(struct shim *s, int argc, char **argv)
{
    int i = 1;
    while (i < argc && strcmp(argv[i], "--") != 0) {
        bool reaper = strcmp(argv[i], "--reaper") == 0;
        int words = reaper ? take_reaper(s, argc - i - 1, argv + i + 1) : take_option(s, argv[i], argv[i + 1]);
        if (words == 0)
            return false;
        i += words;
    }
    s->command = argv + i + 1;
    return i + 1 < argc && s->file;
}

/* ---- becoming a supervisor ---- */

static void report(const char *word, uint64_t number)
{
    dprintf(SHIM_FD_REPORT, "%s%llu\n", word, (unsigned long long)number);
    close(SHIM_FD_REPORT);
}

static _Noreturn void fail(int errnum)
{
    report(SHIM_FAILED, (uint64_t)errnum);
    _exit(1);
}

static _Noreturn void refuse(void)
{
    dprintf(STDERR_FILENO, "rouse-shim: is started by rouse, not by hand\n");
    _exit(2);
}

static void close_what_is_not_ours(struct shim *s)
{
    int first_free = s->session ? SHIM_FD_END : SHIM_FD_OWNER;
    for (int fd = SHIM_FD_DIR; fd < first_free; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            refuse();
    }
    syscall(SYS_close_range, (unsigned)first_free, ~0u, 0);
    s->owner = s->session ? SHIM_FD_OWNER : -1;
}

/* No signal may end a supervisor: all are blocked, and only those of children are read. */
static void block_signals(struct shim *s)
{
    sigset_t all, children;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    s->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The record goes to where the lock is, on a block of its own, so that a disk that fills up cannot swallow the ending. */
static int reserve_record(void)
{
    bool done = fallocate(SHIM_FD_LOCK, FALLOC_FL_KEEP_SIZE, 0, LIMIT_EXIT_RECORD) == 0;
    return done || errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno;
}

static void become_supervisor(struct shim *s)
{
    int errnum;
    setsid();
    block_signals(s);
    s->umask = umask(077);
    s->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->input.fd = s->input.terminal = -1;
    if (s->signals < 0 || s->proc < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        fail(errno);
    if ((errnum = output_open(s)) != 0 || (errnum = reserve_record()) != 0 || (errnum = control_open(s)) != 0)
        fail(errnum);
}

/* ---- the loop ---- */

enum { ON_SIGNALS, ON_OUTPUT, ON_INPUT, ON_OWNER, ON_CTL, ON_LISTENERS };

static int sleep_time(uint64_t until)
{
    uint64_t now = shim_now_ms();
    if (until == SHIM_NEVER)
        return -1;
    uint64_t left = until > now ? until - now : 0;
    return left > 3600000 ? 3600000 : (int)left;
}

static void read_signals(struct shim *s)
{
    struct signalfd_siginfo info[4];
    ssize_t n = read(s->signals, info, sizeof info);
    (void)n; /* ending_step asks the kernel which children ended */
}

static void turn(struct shim *s, uint64_t until)
{
    struct pollfd p[ON_LISTENERS + LIMIT_LISTENERS];
    int count = ON_LISTENERS;
    p[ON_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    p[ON_OUTPUT] = (struct pollfd){.fd = s->output.pipe, .events = POLLIN};
    p[ON_INPUT] = (struct pollfd){.fd = input_has_more(s) ? s->input.fd : -1, .events = POLLOUT};
    p[ON_OWNER] = (struct pollfd){.fd = s->owner, .events = POLLIN};
    p[ON_CTL] = (struct pollfd){.fd = s->ctl, .events = POLLIN};
    for (int i = 0; i < s->places; i++) /* poll refuses more entries than there may be descriptors */
        p[count++] = (struct pollfd){.fd = s->listeners[i].fd, .events = POLLIN};
    if (poll(p, (nfds_t)count, sleep_time(until)) <= 0)
        return;
    if (p[ON_SIGNALS].revents)
        read_signals(s);
    if (p[ON_OUTPUT].revents)
        output_read(s);
    if (p[ON_INPUT].revents && input_has_more(s))
        input_give(s);
    for (int i = 0; i < s->places; i++) {
        if (p[ON_LISTENERS + i].revents && s->listeners[i].fd >= 0)
            control_serve(s, &s->listeners[i]);
    }
    if (p[ON_CTL].revents)
        control_accept(s);
    if (p[ON_OWNER].revents) {
        close(s->owner);
        s->owner = -1;
        ending_ask(s, "parent", "", SIGTERM, s->grace_ms);
    }
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
    char text[LIMIT_EXIT_RECORD];
    struct record record = {.exit = s->exit, .output = s->output.size, .lost = s->output.lost};
    size_t len = record_compose(&record, text);
    shim_point(s, "before-record");
    for (size_t at = 0; at < len;) {
        ssize_t n = write(SHIM_FD_LOCK, text + at, len - at);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (size_t)n : 0;
    }
    /* Where syncing fails the record is still true for as long as the machine runs. */
    if (s->durable)
        fsync(SHIM_FD_LOCK);
    shim_point(s, "record-written");
    if (renameat(SHIM_FD_DIR, SHIM_LOCK, SHIM_FD_DIR, SHIM_EXIT) < 0)
        return errno;
    if (s->durable)
        fsync(SHIM_FD_DIR);
    shim_point(s, "record-renamed");
    return 0;
}

/* Pending signals would end the reaper the moment they are unblocked: ignoring them throws them away. */
static void restore_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i <= SIGRTMAX; i++) {
        signal(i, SIG_IGN);
        signal(i, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void exec_reaper(struct shim *s)
{
    shim_point(s, "before-reaper");
    unsetenv("ROUSE_TASK");
    unsetenv("ROUSE_TASK_TOKEN");
    umask(s->umask);
    restore_signals();
    execvp(s->reaper[0], s->reaper);
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
    while (!control_is_watched(s) && !is_settled(s) && shim_now_ms() < until)
        turn(s, until);
}

/* The ending is on disk. A runtime that watches takes it into the store; if none does, the reaper is executed for it; if
 * that is not possible either, whoever looks next finds the record. */
static void hand_over(struct shim *s)
{
    shim_ring(s);
    control_tell(s, SHIM_SAY_ENDED, true, true);
    shim_point(s, "told");
    listen_for_starter(s);
    uint64_t until = shim_now_ms() + LIMIT_TAKEN_MS;
    while (!s->taken && control_is_watched(s) && shim_now_ms() < until)
        turn(s, until);
    if (s->reaper && !is_settled(s))
        exec_reaper(s);
}

static void start_clocks(struct shim *s)
{
    s->exit.started_at_ms = s->exit.ended_at_ms = shim_wall_ms();
    s->begun = s->last_output = shim_now_ms();
    s->deadline =
        s->timeout_ms > 0 && s->timeout_ms < SHIM_NEVER - s->last_output ? s->last_output + s->timeout_ms : SHIM_NEVER;
}

static int run(void *userdata)
{
    struct shim *s = userdata;
    shim_point(s, "detached");
    become_supervisor(s);
    start_clocks(s);
    shim_point(s, "before-command");
    s->exit.exec_errno = command_start(s);
    if (s->exit.exec_errno < 0)
        fail(-s->exit.exec_errno);
    shim_point(s, "command-started");
    if (s->exit.exec_errno == 0) {
        report(SHIM_STARTED, (uint64_t)s->leader);
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
        report(SHIM_RECORDED, (uint64_t)s->exit.exec_errno);
    hand_over(s);
    _exit(0);
}

/* The starter waits for its own child, so that none stays behind as a zombie, and the supervisor belongs to nobody. The
 * second process takes the first one's memory over instead of copying it, and needs only a stack of its own. */
static _Noreturn void leave_starter(struct shim *s)
{
    static char stack[256 << 10] __attribute__((aligned(16)));
    if (clone(run, stack + sizeof stack, CLONE_VM | SIGCHLD, s) < 0)
        fail(errno);
    _exit(0);
}

int main(int argc, char **argv)
{
    static struct shim shim;
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        dprintf(STDOUT_FILENO, "rouse-shim " ROUSE_VERSION "\n");
        return 0;
    }
    if (!take_options(&shim, argc, argv))
        refuse();
    close_what_is_not_ours(&shim);
    shim_point(&shim, "spawned");
    leave_starter(&shim);
}
