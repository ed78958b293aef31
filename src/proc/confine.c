#include "proc/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool set_limits(const struct words *asked)
{
    const struct rlimit cpu = {asked->cpu_seconds, asked->cpu_seconds}, memory = {asked->memory_bytes, asked->memory_bytes};
    const struct rlimit files = {asked->files, asked->files};
    return (asked->cpu_seconds == 0 || setrlimit(RLIMIT_CPU, &cpu) == 0) &&
           (asked->memory_bytes == 0 || setrlimit(RLIMIT_AS, &memory) == 0) &&
           (asked->files == 0 || setrlimit(RLIMIT_NOFILE, &files) == 0);
}

const char *confine(const struct words *asked)
{
    if (asked->cwd && chdir(asked->cwd) < 0)
        return "cannot enter the working directory";
    errno = 0;
    if (asked->nice && nice((int)strtol(asked->nice, NULL, 10)) == -1 && errno != 0)
        return "cannot set the niceness";
    if (!set_limits(asked))
        return "cannot set the limits";
    return NULL;
}

bool ends_resize(int terminal, unsigned rows, unsigned columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return ioctl(terminal, TIOCSWINSZ, &size) == 0;
}

static int open_terminal(const struct words *asked, struct ends *fill)
{
    int unlock = 0, command = -1;
    int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || ioctl(fd, TIOCSPTLCK, &unlock) < 0 || (command = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        return errno;
    ends_resize(fd, asked->rows ? (unsigned)asked->rows : 24, asked->columns ? (unsigned)asked->columns : 80);
    *fill = (struct ends){.terminal = true, .input = command, .output = command, .own_input = fd, .own_output = fd};
    return 0;
}

static int open_pipe(int *ret_own, int *ret_command, bool reads)
{
    int pipe[2];
    if (pipe2(pipe, O_CLOEXEC) < 0)
        return errno;
    *ret_own = pipe[!reads];
    *ret_command = pipe[reads];
    fcntl(*ret_own, F_SETFL, O_NONBLOCK);
    return 0;
}

int ends_open(const struct words *asked, struct ends *fill)
{
    *fill = (struct ends){.input = -1, .own_input = -1};
    if (asked->input && strcmp(asked->input, "tty") == 0)
        return open_terminal(asked, fill);
    int errnum = open_pipe(&fill->own_output, &fill->output, true);
    return errnum == 0 && asked->input ? open_pipe(&fill->own_input, &fill->input, false) : errnum;
}

void ends_leave(const struct ends *ends)
{
    if (ends->terminal)
        return;
    close(ends->output);
    if (ends->input >= 0)
        close(ends->input);
}
