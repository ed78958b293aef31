/* Starting a supervisor: its words, its environment, its descriptors; then waiting for the one line in which it says that
 * it has taken over. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "proc/line.h"
#include "proc/proc.h"
#include "proc/protocol.h"
#include "proc/record.h"
#include "proc/words.h"

struct launch {
    const char **argv, **env;
    const char **wrapped; /* the command in its sandbox, which argv borrows, or NULL */
    char numbers[WORDS_NUMBERS][24]; /* as well */
    char id[64], token[128]; /* variables that env borrows */
    char umask[16], nice[16], program[PATH_MAX];
    int dir, lock, report_in, report_out, owner;
};

static size_t count_words(const char *const *words)
{
    size_t n = 0;
    while (words && words[n])
        n++;
    return n;
}

static size_t add_words(const char **argv, size_t n, const char *const *words)
{
    for (; words && *words; words++)
        argv[n++] = *words;
    return n;
}

/* bwrap's words before the command's: the system as it is but not to be written to, devices, processes and /tmp of its own. NULL
 * without memory. */
static const char **wrap_command(const struct proc_start *s)
{
    static const char *const fixed[] = {"bwrap",  "--ro-bind", "/",       "/",    "--dev",             "/dev",
                                        "--proc", "/proc",     "--tmpfs", "/tmp", "--die-with-parent", NULL};
    size_t writable = count_words(s->sandbox->writable), n = 0;
    const char **argv = calloc(sizeof fixed / sizeof *fixed + 3 * writable + 5 + count_words(s->argv), sizeof *argv);
    if (!argv)
        return NULL;
    n = add_words(argv, n, fixed);
    for (size_t i = 0; i < writable; i++)
        n = add_words(argv, n, (const char *[]){"--bind", s->sandbox->writable[i], s->sandbox->writable[i], NULL});
    if (s->sandbox->no_network)
        argv[n++] = "--unshare-net";
    if (s->cwd)
        n = add_words(argv, n, (const char *[]){"--chdir", s->cwd, NULL});
    argv[n++] = "--";
    add_words(argv, n, s->argv);
    return argv;
}

static int make_words(struct launch *l, const struct proc_start *s)
{
    static const char *const inputs[] = {[PROC_INPUT_PIPE] = "pipe", [PROC_INPUT_TTY] = "tty"};
    const struct words words = {
        .id = s->id,
        .file = l->program,
        .cwd = s->sandbox ? NULL : s->cwd,
        .bell = s->bell,
        .ready_when = s->ready_when,
        .input = inputs[s->input],
        .umask = s->has_umask ? l->umask : NULL,
        .nice = s->nice != 0 ? l->nice : NULL,
        .timeout_ms = s->timeout_ms,
        .idle_timeout_ms = s->idle_timeout_ms,
        .grace_ms = s->grace_ms,
        .rows = s->rows,
        .columns = s->columns,
        .cpu_seconds = s->cpu_seconds,
        .memory_bytes = s->memory_bytes,
        .files = s->files,
        .head = s->head_bytes,
        .tail = s->tail_bytes,
        .session = s->session,
        .wait_tree = s->wait_tree,
        .durable = s->durable,
        .stay = s->line != NULL,
        .reaper = s->reaper && s->reaper[0] ? s->reaper : NULL,
        .command = s->sandbox ? l->wrapped : s->argv,
    };
    snprintf(l->umask, sizeof l->umask, "%03o", (unsigned)(s->umask & 0777));
    snprintf(l->nice, sizeof l->nice, "%d", s->nice);
    l->argv = calloc(WORDS_MAX + count_words(words.reaper) + count_words(words.command), sizeof *l->argv);
    if (l->argv)
        words_write(&words, l->argv, l->numbers);
    return l->argv ? 0 : -1;
}

/* ---- finding the program ---- */

static const char *variable(const char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; env && *env; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    }
    return NULL;
}

static bool is_executable(int cwd, const char *path, bool *denied)
{
    struct stat is;
    if (fstatat(cwd, path, &is, 0) < 0) {
        *denied = *denied || errno == EACCES;
        return false;
    }
    bool executable = S_ISREG(is.st_mode) && faccessat(cwd, path, X_OK, AT_EACCESS) == 0;
    *denied = *denied || !executable;
    return executable;
}

/* As execvp looks, along the PATH of the command's own environment, seen from its working directory; but what is no program is
 * not given to a shell: nobody asked for one. fill becomes what to execute: where there is nothing to be found, a path for
 * which the kernel gives the reason. */
static bool find_program(const char *name, const char *const *env, const char *cwd, char fill[PATH_MAX])
{
    const char *path = variable(env, "PATH");
    bool denied = false;
    FD_AUTO int dir = cwd ? open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    snprintf(fill, PATH_MAX, "%s", name);
    if (strchr(name, '/') || (cwd && dir < 0))
        return true; /* or the working directory is the reason */
    for (const char *at = path ? path : "/bin:/usr/bin"; at; at = *at ? at + 1 : NULL) {
        size_t len = strcspn(at, ":");
        int n = snprintf(fill, PATH_MAX, "%.*s/%s", len > 0 ? (int)len : 1, len > 0 ? at : ".", name);
        if (n < PATH_MAX && is_executable(cwd ? dir : AT_FDCWD, fill, &denied))
            return true;
        at += len;
    }
    snprintf(fill, PATH_MAX, "%s", denied ? "/" : ""); /* EACCES, ENOENT */
    return false;
}

static bool names_task(const char *variable)
{
    return strncmp(variable, "ROUSE_TASK=", 11) == 0 || strncmp(variable, "ROUSE_TASK_TOKEN=", 17) == 0;
}

static int make_environment(struct launch *l, const struct proc_start *s)
{
    size_t used = 0, given = count_words(s->env);
    l->env = calloc(given + 3, sizeof *l->env);
    if (!l->env)
        return -1;
    for (size_t i = 0; i < given; i++) {
        if (!names_task(s->env[i]))
            l->env[used++] = s->env[i];
    }
    snprintf(l->id, sizeof l->id, "ROUSE_TASK=%s", s->id);
    snprintf(l->token, sizeof l->token, "ROUSE_TASK_TOKEN=%s", s->token);
    l->env[used++] = l->id;
    l->env[used] = l->token;
    return 0;
}

/* Above the descriptors they will become in the supervisor, so that no dup2 there closes another one's source. */
static int lift(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, SHIM_FD_END);
}

static int open_descriptors(struct launch *l, int dir, int lock, bool session, bool keep)
{
    int report[2];
    if ((keep ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) : pipe2(report, O_CLOEXEC)) < 0)
        return -1;
    l->report_in = report[0];
    l->report_out = lift(report[1]);
    l->dir = lift(dir);
    l->lock = lift(lock);
    close(report[1]);
    if (l->report_out < 0 || l->dir < 0 || l->lock < 0)
        return -1;
    if (session) {
        FD_AUTO int self = pidfd_open(getpid(), 0);
        l->owner = self < 0 ? -1 : lift(self);
        return l->owner < 0 ? -1 : 0;
    }
    return 0;
}

static void launch_done(struct launch *l)
{
    free(l->argv);
    free(l->wrapped);
    free(l->env);
    fd_close(&l->dir);
    fd_close(&l->lock);
    fd_close(&l->report_in);
    fd_close(&l->report_out);
    fd_close(&l->owner);
}

static int add_actions(posix_spawn_file_actions_t *actions, const struct launch *l)
{
    int e = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);
    e = e ? e : posix_spawn_file_actions_adddup2(actions, 0, 1);
    e = e ? e : posix_spawn_file_actions_adddup2(actions, 0, 2);
    e = e ? e : posix_spawn_file_actions_adddup2(actions, l->dir, SHIM_FD_DIR);
    e = e ? e : posix_spawn_file_actions_adddup2(actions, l->lock, SHIM_FD_LOCK);
    e = e ? e : posix_spawn_file_actions_adddup2(actions, l->report_out, SHIM_FD_REPORT);
    if (l->owner >= 0)
        e = e ? e : posix_spawn_file_actions_adddup2(actions, l->owner, SHIM_FD_OWNER);
    return e;
}

/* The supervisor begins with every signal blocked and none ignored, whatever the caller has done to its own. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, resettable;
    sigfillset(&all);
    sigfillset(&resettable);
    sigdelset(&resettable, SIGKILL);
    sigdelset(&resettable, SIGSTOP);
    int e = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    e = e ? e : posix_spawnattr_setsigmask(attributes, &all);
    return e ? e : posix_spawnattr_setsigdefault(attributes, &resettable);
}

/* 0 or errno. */
static int spawn(const struct launch *l, const char *shim, pid_t *ret_child)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int e = posix_spawn_file_actions_init(&actions);
    if (e)
        return e;
    e = posix_spawnattr_init(&attributes);
    if (e == 0) {
        e = add_actions(&actions, l);
        e = e ? e : set_attributes(&attributes);
        e = e ? e : posix_spawn(ret_child, shim, &actions, &attributes, (char *const *)l->argv, (char *const *)l->env);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return e;
}

/* The line, or "" when the supervisor went without one. False when it said nothing for too long. */
static bool read_line(int fd, char *fill, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && !memchr(fill, '\n', len)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, LIMIT_START_MS);
        if (ready == 0)
            return false;
        ssize_t n = ready < 0 ? -1 : read(fd, fill + len, size - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    fill[len] = '\0';
    return true;
}

static bool begins(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

static int await(const struct launch *l, const struct proc_start *s, int dir, pid_t *ret_command, rouse_error *err)
{
    char line[64];
    struct record record;
    bool answered = read_line(l->report_in, line, sizeof line);
    if (answered && begins(line, SHIM_STARTED)) {
        *ret_command = (pid_t)strtol(line + strlen(SHIM_STARTED), NULL, 10);
        return 0;
    }
    /* It may have died between its record and its word: the record counts. */
    if (answered && (begins(line, SHIM_RECORDED) || record_read(dir, &record, NULL) > 0)) {
        *ret_command = 0;
        return 0;
    }
    uint64_t killed;
    proc_sweep(s->token, NULL, &killed, NULL);
    if (answered && begins(line, SHIM_FAILED))
        return rouse_fail_errno(err, ROUSE_EIO, (int)strtol(line + strlen(SHIM_FAILED), NULL, 10),
                                "the supervisor of '%s' cannot start", s->id);
    return rouse_fail(err, ROUSE_EIO, "the supervisor of '%s' %s before it had started the command", s->id,
                      answered ? "ended" : "hung");
}

static int check(const struct proc_start *s, rouse_error *err)
{
    size_t hex = strspn(s->token, "0123456789abcdef");
    if (!s->argv || !s->argv[0])
        return rouse_fail(err, ROUSE_EINVAL, "no command");
    if (hex != 32 || s->token[hex] != '\0')
        return rouse_fail(err, ROUSE_EINVAL, "the token of '%s' is not 32 hex digits", s->id);
    if (strlen(s->id) > LIMIT_TASK_ID)
        return rouse_fail(err, ROUSE_EINVAL, "'%s' is no task id", s->id);
    if (s->nice < -20 || s->nice > 19 || s->rows > UINT16_MAX || s->columns > UINT16_MAX)
        return rouse_fail(err, ROUSE_EINVAL, "niceness or terminal size of '%s' out of range", s->id);
    return s->ready_when ? proc_check_pattern(s->ready_when, err) : 0;
}

/* ---- both ways ---- */

static int prepare(struct launch *l, const struct proc_start *s, rouse_error *err)
{
    int code = check(s, err);
    if (code < 0)
        return code;
    bool found = find_program(s->sandbox ? "bwrap" : s->argv[0], s->env, s->sandbox ? NULL : s->cwd, l->program);
    if (s->sandbox && !found)
        return rouse_fail(err, ROUSE_ENOTFOUND,
                          "no sandbox without bwrap, which is not in the PATH; install the package bubblewrap, or do without");
    l->wrapped = s->sandbox ? wrap_command(s) : NULL;
    if ((s->sandbox && !l->wrapped) || make_words(l, s) < 0 || make_environment(l, s) < 0)
        return rouse_fail_memory(err);
    return 0;
}

/* True when the free supervisor at the other end of the line has the task. */
static bool give(struct launch *l, int dir, int lock, const struct proc_start *s)
{
    if (!s->line || *s->line < 0)
        return false;
    FD_AUTO int line = *s->line;
    FD_AUTO int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    FD_AUTO int self = s->session ? pidfd_open(getpid(), 0) : -1;
    *s->line = -1;
    if (cwd < 0 || (s->session && self < 0) || !line_give(line, l->argv, l->env, (const int[]){dir, lock, cwd, self}))
        return false;
    l->report_in = line;
    line = -1;
    return true;
}

static int start_new(struct launch *l, int dir, int lock, const struct proc_start *s, pid_t *ret_child, rouse_error *err)
{
    if (open_descriptors(l, dir, lock, s->session, s->line) < 0)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "no descriptors for the supervisor of '%s'", s->id);
    int e = spawn(l, s->shim, ret_child);
    fd_close(&l->report_out);
    return e == 0 ? 0 : rouse_fail_errno(err, e == ENOMEM ? ROUSE_ENOMEM : ROUSE_EIO, e, "cannot start the supervisor '%s'", s->shim);
}

int proc_start(int dir, int lock, const struct proc_start *start, pid_t *ret_command, rouse_error *err)
{
    struct launch l = {.dir = -1, .lock = -1, .report_in = -1, .report_out = -1, .owner = -1};
    pid_t child = -1;
    int code = prepare(&l, start, err);
    if (code == 0 && !give(&l, dir, lock, start))
        code = start_new(&l, dir, lock, start, &child, err);
    if (code == 0)
        code = await(&l, start, dir, ret_command, err);
    /* Only the first stage, which has ended or is about to; the supervisor itself is nobody's child. */
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (start->line)
        fd_close(start->line);
    if (start->line && code == 0) {
        *start->line = l.report_in;
        l.report_in = -1;
    }
    launch_done(&l);
    return code;
}
