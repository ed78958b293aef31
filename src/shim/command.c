/* Starting the command. Nothing of the supervisor reaches it: every descriptor here is close-on-exec.
 *
 * The child shares the supervisor's memory until it has become the command, and the supervisor sleeps meanwhile: copying
 * even this small a process costs more than all else that starting takes. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "shim/shim.h"

static char stack[64 << 10] __attribute__((aligned(16)));

struct birth {
    const struct shim *shim;
    pid_t supervisor;
    int input, output; /* the command's ends; input -1: nothing to read */
    int errnum;        /* why the child could not become the command */
    const char *reason;
};

static bool set_limits(const struct shim *s)
{
    const struct rlimit cpu = {s->cpu_seconds, s->cpu_seconds}, memory = {s->memory_bytes, s->memory_bytes};
    const struct rlimit files = {s->files, s->files};
    return (s->cpu_seconds == 0 || setrlimit(RLIMIT_CPU, &cpu) == 0) &&
           (s->memory_bytes == 0 || setrlimit(RLIMIT_AS, &memory) == 0) &&
           (s->files == 0 || setrlimit(RLIMIT_NOFILE, &files) == 0);
}

static const char *set_up(const struct shim *s)
{
    if (s->cwd && chdir(s->cwd) < 0)
        return "cannot enter the working directory";
    errno = 0;
    if (s->nice && nice((int)strtol(s->nice, NULL, 10)) == -1 && errno != 0)
        return "cannot set the niceness";
    if (!set_limits(s))
        return "cannot set the limits";
    return NULL;
}

static int become_command(void *userdata)
{
    struct birth *b = userdata;
    const struct shim *s = b->shim;
    sigset_t none;
    sigemptyset(&none);
    setsid();
    /* A supervisor that died before the prctl would leave the command unseen: then it must not begin. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != b->supervisor)
        _exit(126);
    if (b->input >= 0)
        dup2(b->input, STDIN_FILENO);
    dup2(b->output, STDOUT_FILENO);
    dup2(b->output, STDERR_FILENO);
    if (b->input == b->output)
        ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    umask(s->mask ? (mode_t)strtoul(s->mask, NULL, 8) : s->umask);
    sigprocmask(SIG_SETMASK, &none, NULL);
    b->reason = set_up(s);
    if (!b->reason)
        execve(s->file, s->command, environ);
    b->errnum = errno;
    _exit(127);
}

/* One descriptor for both ends of what passes. 0 or errno. */
static int open_terminal(struct shim *s, struct birth *b)
{
    int unlock = 0;
    struct winsize size = {.ws_row = (unsigned short)(s->rows ? s->rows : 24),
                           .ws_col = (unsigned short)(s->columns ? s->columns : 80)};
    int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || ioctl(fd, TIOCSPTLCK, &unlock) < 0 ||
        (b->output = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        return errno;
    ioctl(fd, TIOCSWINSZ, &size);
    b->input = s->input.terminal = b->output;
    s->input.fd = s->output.pipe = fd;
    return 0;
}

static int open_pipes(struct shim *s, struct birth *b)
{
    int pipe[2];
    if (s->input_kind && strcmp(s->input_kind, "tty") == 0)
        return open_terminal(s, b);
    if (pipe2(pipe, O_CLOEXEC) < 0)
        return errno;
    s->output.pipe = pipe[0];
    b->output = pipe[1];
    fcntl(pipe[0], F_SETFL, O_NONBLOCK);
    if (!s->input_kind)
        return 0;
    if (pipe2(pipe, O_CLOEXEC) < 0)
        return errno;
    b->input = pipe[0];
    s->input.fd = pipe[1];
    fcntl(pipe[1], F_SETFL, O_NONBLOCK);
    return 0;
}

int command_start(struct shim *s)
{
    struct birth b = {.shim = s, .supervisor = getpid(), .input = -1};
    int errnum = open_pipes(s, &b);
    if (errnum != 0)
        return -errnum;
    if (b.input >= 0)
        fstat(b.input, &s->input.is);
    pid_t child = clone(become_command, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &b);
    if (child < 0)
        b.errnum = errno;
    else if (b.errnum == 0)
        s->leader = child;
    else
        waitpid(child, NULL, 0);
    if (b.reason)
        snprintf(s->exit.reason, sizeof s->exit.reason, "%s", b.reason);
    if (b.output != s->input.terminal)
        close(b.output);
    if (b.input >= 0 && b.input != s->input.terminal)
        close(b.input);
    input_stir(s);
    return b.errnum;
}
