#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "cli/cli.h"

bool terminal_is(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

size_t terminal_columns(void)
{
    struct winsize size;
    const char *given = cli_getenv("COLUMNS");
    long columns = 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    if (columns <= 0 && given)
        columns = strtol(given, NULL, 10);
    return columns > 0 && columns < 10000 ? (size_t)columns : 80;
}

bool terminal_has_style(FILE *stream)
{
    const char *kind = cli_getenv("TERM");
    return terminal_is(stream) && !cli_getenv("NO_COLOR") && kind && strcmp(kind, "dumb") != 0;
}

const char *terminal_dim(FILE *stream)
{
    return terminal_has_style(stream) ? "\x1b[2m" : "";
}

const char *terminal_plain(FILE *stream)
{
    return terminal_has_style(stream) ? "\x1b[0m" : "";
}

void terminal_write(struct terminal_filter *filter, FILE *stream, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool held = filter->after_c2;
        filter->after_c2 = false;
        if (held && c >= 0x80 && c < 0xa0) {
            fputc('?', stream);
            continue;
        }
        if (held)
            fputc(0xc2, stream);
        if (c == 0xc2)
            filter->after_c2 = true;
        else
            fputc((c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, stream);
    }
}

void terminal_say(const char *text)
{
    char plain[LIMIT_ERROR_TEXT + 512];
    utf8_copy_printable(plain, sizeof plain, text);
    fflush(stdout);
    fprintf(stderr, "rouse: %s\n", plain);
}

bool terminal_size(unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
    return size.ws_row > 0 && size.ws_col > 0;
}

/* In a process of its own, of which nothing is left when this program ends well: waits until nobody holds the other end. */
static void guard(const struct terminal_state *state, int held)
{
    char byte;
    sigset_t all;
    sigfillset(&all); /* also SIGTTOU: it may be in the background by then */
    sigprocmask(SIG_BLOCK, &all, NULL);
    dup2(held, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    if (!state->farewell)
        close(STDOUT_FILENO); /* its reader waits for nobody but the program */
    while (read(STDERR_FILENO, &byte, 1) < 0 && errno == EINTR)
        ;
    tcsetattr(STDIN_FILENO, TCSANOW, &state->before);
    if (state->farewell)
        fd_write_all(STDOUT_FILENO, state->farewell, strlen(state->farewell));
    _exit(0);
}

int terminal_make_raw(struct terminal_state *state, const char *farewell, rouse_error *err)
{
    int ends[2];
    struct termios raw;
    state->farewell = farewell;
    if (tcgetattr(STDIN_FILENO, &state->before) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot use the terminal");
    fflush(NULL);
    state->guardian = fork();
    if (state->guardian == 0) {
        close(ends[1]);
        guard(state, ends[0]);
    }
    if (state->guardian > 0)
        setpgid(state->guardian, state->guardian); /* nobody else's kill reaches it, from before the terminal is raw */
    close(ends[0]);
    state->guard = ends[1];
    if (state->guardian < 0) {
        close(ends[1]);
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot guard the terminal");
    }
    raw = state->before;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    return 0;
}

void terminal_restore(struct terminal_state *state)
{
    tcsetattr(STDIN_FILENO, TCSADRAIN, &state->before);
    close(state->guard);
    while (waitpid(state->guardian, NULL, 0) < 0 && errno == EINTR)
        ;
}

int signals_watch(const int *wanted, size_t count, int *ret_fd, rouse_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) {
        struct sigaction now;
        /* Blocked signals reach a signalfd even when they are ignored, as a shell makes them for `cmd &`. */
        if (sigaction(wanted[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&set, wanted[i]);
    }
    int fd = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
    if (fd < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch for signals");
    *ret_fd = fd;
    return 0;
}

int signals_open(bool with_term, int *ret_fd, rouse_error *err)
{
    const int wanted[] = {SIGINT, SIGTERM};
    return signals_watch(wanted, with_term ? 2 : 1, ret_fd, err);
}

bool signals_came(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

bool signals_take(int fd, int timeout_ms)
{
    struct signalfd_siginfo info;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) > 0 && read(fd, &info, sizeof info) == (ssize_t)sizeof info;
}
