#include "proc/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_block(void)
{
    sigset_t all, children;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

void signals_read(int fd)
{
    struct signalfd_siginfo info[4];
    ssize_t n = read(fd, info, sizeof info);
    (void)n; /* the kernel is asked which children ended */
}

void signals_restore(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i <= SIGRTMAX; i++) {
        signal(i, SIG_IGN);
        signal(i, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
}
