/* Starting the command. Nothing of the supervisor reaches it: every descriptor here is close-on-exec.
 *
 * The child shares the supervisor's memory until it has become the command, and the supervisor sleeps meanwhile: copying
 * even this small a process costs more than all else that starting takes. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "proc/confine.h"
#include "shim/shim.h"

struct birth {
    const struct shim *shim;
    pid_t supervisor;
    struct ends ends;
    int errnum;        /* why the child could not become the command */
    const char *reason;
};

static int become_command(void *userdata)
{
    struct birth *b = userdata;
    const struct words *asked = &b->shim->asked;
    sigset_t none;
    sigemptyset(&none);
    setsid();
    /* A supervisor that died before the prctl would leave the command unseen: then it must not begin. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != b->supervisor)
        _exit(126);
    if (b->ends.input >= 0)
        dup2(b->ends.input, STDIN_FILENO);
    dup2(b->ends.output, STDOUT_FILENO);
    dup2(b->ends.output, STDERR_FILENO);
    if (b->ends.terminal)
        ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    umask(asked->umask ? (mode_t)strtoul(asked->umask, NULL, 8) : b->shim->umask);
    sigprocmask(SIG_SETMASK, &none, NULL);
    b->reason = confine(asked);
    if (!b->reason)
        execve(asked->file, (char *const *)(uintptr_t)asked->command, environ);
    b->errnum = errno;
    _exit(127);
}

/* 0 or errno. */
static int open_ends(struct shim *s, struct ends *e)
{
    int errnum = ends_open(&s->asked, e);
    s->output.pipe = e->own_output;
    s->input.fd = e->own_input;
    s->input.terminal = e->terminal ? e->output : -1;
    s->input.reading = (struct reading){.proc = s->proc, .terminal = e->terminal};
    if (e->input >= 0)
        fstat(e->input, &s->input.reading.is);
    return errnum;
}

int command_start(struct shim *s)
{
    struct birth b = {.shim = s, .supervisor = getpid()};
    char stack[32 << 10] __attribute__((aligned(16)));
    int errnum = open_ends(s, &b.ends);
    if (errnum != 0)
        return -errnum;
    pid_t child = clone(become_command, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &b);
    if (child < 0)
        b.errnum = errno;
    else if (b.errnum == 0)
        s->leader = child;
    else
        waitpid(child, NULL, 0);
    if (b.reason)
        snprintf(s->exit.reason, sizeof s->exit.reason, "%s", b.reason);
    ends_leave(&b.ends);
    input_stir(s);
    return b.errnum;
}
