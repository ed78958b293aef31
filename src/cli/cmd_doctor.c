/* rouse doctor: looks for what would keep tasks from working, and says what to do about it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "json/jtext.h"
#include "task/manager.h"

#define FEW_FILES 256
#define FEW_PROCESSES 200
#define SHIM_PATIENCE_MS 5000

struct doctor_options {
    struct common common;
};

static const struct option_row rows[] = {ROW_STORE, ROW_JSON, ROW_END};

enum { FINE, WARNING, BROKEN };

struct doctor {
    struct cli *cli;
    struct buf json;
    int worst;
};

static void tell(int level, const char *text, void *userdata)
{
    static const char *const marks[] = {"ok  ", "warn", "FAIL"};
    static const char *const names[] = {"ok", "warning", "error"};
    struct doctor *d = userdata;
    char plain[1024];
    level = level < FINE ? FINE : level > BROKEN ? BROKEN : level;
    d->worst = level > d->worst ? level : d->worst;
    utf8_copy_printable(plain, sizeof plain, text);
    if (!d->cli->common.json) {
        printf("%s  %s\n", marks[level], plain);
        return;
    }
    buf_adds(&d->json, d->json.len > 0 ? ",\n " : "");
    buf_addf(&d->json, "{\"level\":\"%s\"", names[level]);
    jtext_add_name(&d->json, "text");
    jtext_add_string(&d->json, plain, strlen(plain));
    buf_addc(&d->json, '}');
}

static void tellf(struct doctor *d, int level, const char *format, ...) ROUSE_PRINTF(3, 4);
static void tellf(struct doctor *d, int level, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell(level, text, d);
}

/* ---- the system ---- */

static void check_kernel(struct doctor *d)
{
    struct utsname name;
    unsigned major = 0, minor = 0;
    if (uname(&name) != 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
        tellf(d, WARNING, "the kernel does not tell its version");
    else if (major < 5 || (major == 5 && minor < 10))
        tellf(d, BROKEN, "kernel %s is too old; rouse needs Linux 5.10 or newer", name.release);
    else
        tellf(d, FINE, "kernel %s", name.release);
    long pidfd = syscall(SYS_pidfd_open, getpid(), 0);
    if (pidfd >= 0)
        close((int)pidfd);
    tellf(d, pidfd >= 0 ? FINE : WARNING, pidfd >= 0 ? "pidfd is there" : "pidfd_open is refused here; a sandbox may forbid it");
}

static void check_limit(struct doctor *d, int which, rlim_t few, const char *what, const char *flag)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)which, &limit) != 0)
        return;
    if (limit.rlim_cur == RLIM_INFINITY)
        tellf(d, FINE, "limit of %s: none", what);
    else
        tellf(d, limit.rlim_cur < few ? WARNING : FINE, "limit of %s: %llu%s%s", what, (unsigned long long)limit.rlim_cur,
              limit.rlim_cur < few ? "; raise it with: ulimit " : "", limit.rlim_cur < few ? flag : "");
}

/* ---- the supervisor ---- */

/* What `shim --version` prints, without the line break; false when it cannot be run or takes too long. */
static bool ask_version(const char *shim, char *out, size_t size)
{
    extern char **environ;
    char *argv[] = {(char *)shim, "--version", NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t pid = 0;
    ssize_t n = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    bool started = posix_spawn(&pid, shim, &actions, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    if (started && poll(&p, 1, SHIM_PATIENCE_MS) > 0)
        n = read(ends[0], out, size - 1);
    close(ends[0]);
    if (started && n < 0)
        kill(pid, SIGKILL);
    if (started)
        waitpid(pid, NULL, 0);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return n > 0;
}

static void check_shim(struct doctor *d)
{
    char version[128];
    const char *shim = d->cli->manager ? d->cli->manager->shim : NULL;
    if (!d->cli->manager)
        return;
    if (!shim)
        tellf(d, BROKEN, "rouse-shim is not found, so nothing can be started; install it beside rouse, or set ROUSE_SHIM");
    else if (access(shim, X_OK) != 0)
        tellf(d, BROKEN, "'%s' cannot be run; check that it is there and executable, or set ROUSE_SHIM", shim);
    else if (!ask_version(shim, version, sizeof version) || strncmp(version, "rouse-shim ", strlen("rouse-shim ")) != 0)
        tellf(d, BROKEN, "'%s' is no rouse-shim; install rouse again, or set ROUSE_SHIM", shim);
    else if (strcmp(version, "rouse-shim " ROUSE_VERSION) != 0)
        tellf(d, WARNING, "'%s' is '%s', not 'rouse-shim " ROUSE_VERSION "'; install rouse again", shim, version);
    else
        tellf(d, FINE, "supervisor '%s'", shim);
    if (!d->cli->manager->rouse)
        tellf(d, WARNING, "the supervisor will not find rouse to record endings; set ROUSE_PROGRAM. They are recorded by the next "
                          "rouse command instead");
}

/* ---- the store ---- */

static void check_store(struct doctor *d)
{
    rouse_error err = {0};
    int code = cli_open(d->cli, true, &err);
    if (code == 0)
        code = rouse_store_check(d->cli->store, tell, d, &err);
    if (code < 0)
        tellf(d, BROKEN, "%s", err.message);
}

static int conclude(struct doctor *d, rouse_error *err)
{
    int code = buf_check(&d->json, err);
    if (code == 0 && d->cli->common.json)
        printf("{\"ok\":%s,\"findings\":[%s]}\n", d->worst < BROKEN ? "true" : "false", buf_text(&d->json));
    else if (code == 0 && terminal_is(stdout))
        puts(d->worst == FINE ? "all is well" : d->worst == WARNING ? "it works; see the warnings" : "it does not work; see FAIL");
    buf_done(&d->json);
    return code < 0 ? code : d->worst == BROKEN;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    struct doctor d = {.cli = cli, .json = BUF_INIT(0)};
    (void)options;
    tellf(&d, FINE, "rouse " ROUSE_VERSION);
    check_kernel(&d);
    check_limit(&d, RLIMIT_NOFILE, FEW_FILES, "open files", "-n 1024");
    check_limit(&d, RLIMIT_NPROC, FEW_PROCESSES, "processes", "-u 4096");
    check_store(&d);
    check_shim(&d);
    return conclude(&d, err);
}

const struct command cmd_doctor = {
    .name = "doctor",
    .usage = (const char *const[]){"[OPTION…]", NULL},
    .summary = "check the store, the supervisor and the system",
    .text = "Says what to fix. Exits with 1 when something keeps tasks from working.",
    .options = rows,
    .options_size = sizeof(struct doctor_options),
    .run = run,
};
