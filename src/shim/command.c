/* Starting the command. Nothing of the supervisor reaches it: every descriptor here is close-on-exec.
 *
 * The child shares the supervisor's memory until it has become the command, and the supervisor sleeps meanwhile: copying
 * even this small a process costs more than all else that starting takes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/text.h"

static char stack[128 << 10] __attribute__((aligned(16)));

struct birth {
    const struct shim *shim;
    pid_t supervisor;
    int output;
    int errnum; /* why the child could not become the command */
    bool in_cwd;
};

/* As execvp, but what is no program is not given to a shell: nobody asked for one. Returns with errno. */
static void exec_found(char *const *command)
{
    char file[PATH_MAX];
    const char *path = getenv("PATH");
    size_t name_len = strlen(command[0]);
    bool denied = false;
    if (strchr(command[0], '/')) {
        execve(command[0], command, environ);
        return;
    }
    for (const char *at = path ? path : "/bin:/usr/bin"; at; at = *at ? at + 1 : NULL) {
        size_t len = strcspn(at, ":");
        if (len + name_len + 3 <= sizeof file) {
            size_t used = len > 0 ? len : 1; /* an empty place is the working directory */
            memcpy(file, len > 0 ? at : ".", used);
            file[used] = '/';
            memcpy(file + used + 1, command[0], name_len + 1);
            execve(file, command, environ);
            denied = denied || errno == EACCES;
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                return;
        }
        at += len;
    }
    errno = denied ? EACCES : ENOENT;
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
    dup2(b->output, STDOUT_FILENO);
    dup2(b->output, STDERR_FILENO);
    umask(s->umask);
    sigprocmask(SIG_SETMASK, &none, NULL);
    b->in_cwd = !s->cwd || chdir(s->cwd) == 0;
    if (b->in_cwd)
        exec_found(s->command);
    b->errnum = errno;
    _exit(127);
}

int command_start(struct shim *s)
{
    int output[2];
    if (pipe2(output, O_CLOEXEC) < 0)
        return -errno;
    struct birth b = {.shim = s, .supervisor = getpid(), .output = output[1], .in_cwd = true};
    pid_t child = clone(become_command, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &b);
    if (child < 0)
        b.errnum = errno;
    else if (b.errnum == 0)
        s->leader = child;
    else
        waitpid(child, NULL, 0);
    if (!b.in_cwd)
        text_set(s->ending.reason, sizeof s->ending.reason, "cannot enter the working directory");
    close(output[1]);
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    s->output.pipe = output[0];
    return b.errnum;
}
