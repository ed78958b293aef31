/* Starting the command. Nothing of the supervisor reaches it: every descriptor here is close-on-exec. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/text.h"

struct refusal { /* what the child says when it cannot become the command; its end of the pipe closes when it did */
    int errnum;
    bool cwd;
};

static _Noreturn void refuse(int report, bool cwd)
{
    struct refusal refusal = {.errnum = errno, .cwd = cwd};
    ssize_t n = write(report, &refusal, sizeof refusal);
    _exit(n < 0 ? 126 : 127);
}

static _Noreturn void become_command(const struct shim *s, pid_t supervisor, int output, int report)
{
    sigset_t none;
    sigemptyset(&none);
    setsid();
    /* A supervisor that died before the prctl would leave the command unseen: then it must not begin. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != supervisor)
        _exit(126);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    umask(s->umask);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (s->cwd && chdir(s->cwd) < 0)
        refuse(report, true);
    execvp(s->command[0], s->command);
    refuse(report, false);
}

static int await_exec(struct shim *s, pid_t child, int report)
{
    struct refusal refusal = {0};
    ssize_t n;
    do
        n = read(report, &refusal, sizeof refusal);
    while (n < 0 && errno == EINTR);
    if (n == 0) {
        s->leader = child;
        return 0;
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (refusal.cwd)
        text_set(s->ending.reason, sizeof s->ending.reason, "cannot enter the working directory");
    return n == (ssize_t)sizeof refusal ? refusal.errnum : EIO;
}

int command_start(struct shim *s)
{
    int output[2], report[2];
    pid_t supervisor = getpid();
    if (pipe2(output, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid_t child = fork();
    if (child == 0)
        become_command(s, supervisor, output[1], report[1]);
    int result = child < 0 ? errno : 0;
    close(output[1]);
    close(report[1]);
    if (child > 0)
        result = await_exec(s, child, report[0]);
    close(report[0]);
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    s->output.pipe = output[0];
    return result;
}
