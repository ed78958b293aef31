/* rouse run: starts a command as a task; without -d, stays and shows what it prints. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/feed.h"
#include "cli/follow.h"
#include "cli/run.h"
#include "cli/sleeper.h"
#include "cli/task_text.h"
#include "cli/terminal.h"

#define AGAIN_MS 1000      /* a second Ctrl-C within this cancels */
#define INTERRUPTED_STATUS (128 + SIGINT)

extern char **environ;

const struct option_row run_rows[] = {
    {"detach", 'd', FLAG(struct run_options, detach), NULL, "print the id and return at once"},
    {"name", 'n', TEXT(struct run_options, name), "N", "a name to use instead of the id, as long as it runs"},
    {"description", 0, TEXT(struct run_options, description), "D", "what it is for; default: the command line"},
    {"command", 'c', TEXT(struct run_options, line), "STRING", "run STRING in a shell (/bin/sh -c)"},
    {"timeout", 0, DURATION(struct run_options, timeout), "DUR", "end it after this long"},
    {"idle-timeout", 0, DURATION(struct run_options, idle_timeout), "DUR", "end it when it printed nothing for so long"},
    {"ready-when", 0, TEXT(struct run_options, ready_when), "RE", "it is ready once a line of output matches RE (extended)"},
    {"session", 0, FLAG(struct run_options, session), NULL, "end it when this rouse ends"},
    {"env", 'e', TEXTS(struct run_options, env), "K=V", "set a variable for it; may be repeated"},
    {"cwd", 0, TEXT(struct run_options, cwd), "DIR", "where to run it; default: here"},
    PLAN_ROWS(struct run_options, plan),
    PROCESS_ROWS(struct run_options, process),
    ROW_THREAD,
    ROW_STORE,
    {"json", 0, FLAG(struct common, json), NULL, "print its record: at once with -d, else when it ended"},
    ROW_END,
};

/* ---- what to start ---- */

static bool sets_same(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return strncmp(a, b, n) == 0 && b[n] == '=';
}

static bool is_overridden(const char *variable, const struct texts *given, size_t from)
{
    for (size_t i = from; i < given->count; i++) {
        if (sets_same(given->items[i], variable))
            return true;
    }
    return false;
}

/* Ours, with the given ones instead of or behind them; of two for one variable the last counts. Borrows all of them. */
static int make_environment(const struct cli *cli, const struct texts *given, const char ***ret_env, rouse_error *err)
{
    size_t n = 0;
    size_t used = 0;
    while (environ[n])
        n++;
    for (size_t i = 0; i < given->count; i++) {
        const char *equals = strchr(given->items[i], '=');
        if (!equals || equals == given->items[i])
            return cli_misuse(cli, err, "--env: '%.80s' sets nothing, write NAME=VALUE", given->items[i]);
    }
    const char **env = calloc(n + given->count + 1, sizeof *env);
    if (!env)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (!is_overridden(environ[i], given, 0))
            env[used++] = environ[i];
    }
    for (size_t i = 0; i < given->count; i++) {
        if (!is_overridden(given->items[i], given, i + 1))
            env[used++] = given->items[i];
    }
    *ret_env = env;
    return 0;
}

/* The directory, absolute so that the record means the same to everybody. "" when it cannot be written down and was not
 * asked for: the task then simply runs here. */
static int find_directory(const struct run_options *o, char out[PATH_MAX], rouse_error *err)
{
    if (!realpath(o->cwd ? o->cwd : ".", out)) {
        if (o->cwd)
            return rouse_fail_errno(err, ROUSE_EINVAL, errno, "cannot use --cwd '%.120s'", o->cwd);
        out[0] = '\0';
    } else if (o->cwd && access(out, X_OK) != 0) {
        return rouse_fail_errno(err, ROUSE_EINVAL, errno, "cannot use --cwd '%.120s'", o->cwd);
    } else if (!o->cwd && !utf8_is_valid(out, strlen(out))) {
        out[0] = '\0';
    }
    return 0;
}

/* What was asked for, in the library's words, and what of it is ours to free. */
struct asked {
    struct process_asked process;
    struct plan_asked plan;
    const char **env;
};

static int ask(struct cli *cli, const struct run_options *o, struct asked *fill, rouse_task_spec *spec, rouse_error *err)
{
    int code = process_options_read(cli, &o->process, &fill->process, err);
    if (code == 0)
        code = plan_options_read(cli, &o->plan, &fill->plan, spec, err);
    if (code == 0)
        code = make_environment(cli, &o->env, &fill->env, err);
    spec->process = &fill->process.process;
    spec->env = fill->env;
    return code;
}

static void asked_done(struct asked *asked)
{
    process_options_free(&asked->process);
    plan_options_free(&asked->plan);
    free(asked->env);
}

static int start(struct cli *cli, const struct run_options *o, rouse_task **ret_task, rouse_error *err)
{
    const char *shell[] = {"/bin/sh", "-c", o->line, NULL};
    struct asked asked = {0};
    char cwd[PATH_MAX];
    int code = find_directory(o, cwd, err);
    if (code < 0)
        return code;
    rouse_task_spec spec = {
        .thread = cli->thread,
        .argv = o->line ? shell : (const char *const *)cli->operands,
        .cwd = cwd[0] ? cwd : NULL,
        .name = o->name,
        .description = o->description ? o->description : o->line,
        .parent = {.task_id = cli_own_task(cli)},
        .timeout_ms = o->timeout.ms,
        .idle_timeout_ms = o->idle_timeout.ms,
        .ready_when = o->ready_when,
        .session = o->session,
    };
    code = ask(cli, o, &asked, &spec, err);
    if (code == 0)
        code = cli->command == &cmd_ensure ? rouse_task_ensure(cli->manager, &spec, ret_task, err)
                                           : rouse_task_start(cli->manager, &spec, ret_task, err);
    asked_done(&asked);
    return code < 0 ? code : 0;
}

/* ---- in the foreground ---- */

static int write_through(const char *bytes, size_t len, void *userdata, rouse_error *err)
{
    (void)userdata;
    if (fd_write_all(STDOUT_FILENO, bytes, len) == 0)
        return 0;
    return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot write the output; the task goes on");
}

static int write_nothing(const char *bytes, size_t len, void *userdata, rouse_error *err)
{
    (void)bytes, (void)len, (void)userdata, (void)err;
    return 0;
}

/* The status to exit with; on stderr, what an exit status does not tell. */
static int report_end(const rouse_task *task, bool json, rouse_error *err)
{
    struct buf line = BUF_INIT(0);
    bool silent = task->status == ROUSE_COMPLETED || (task->has_ext && task->ext.exit_code > 0 && task->ext.ended_by &&
                                                      strcmp(task->ext.ended_by, "self") == 0);
    task_add_label(&line, task);
    buf_adds(&line, " ");
    task_add_outcome(&line, task);
    if (!silent)
        terminal_say(buf_text(&line));
    buf_done(&line);
    int code = json ? task_print_json(task, err) : 0;
    return code < 0 ? code : task_exit_status(task);
}

static int cancel(struct cli *cli, const char *id, bool json, rouse_error *err)
{
    rouse_task *task;
    const rouse_cancel how = {.reason = "Ctrl-C", .tree = true};
    sigset_t set;
    fprintf(stderr, "rouse: cancelling %s\n", id);
    /* One more Ctrl-C ends this program; the supervisor goes on with what it was asked. */
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    int code = rouse_task_cancel(cli->manager, id, &how, NULL, err);
    if (code == 0)
        code = rouse_task_get(cli->manager, NULL, id, &task, err);
    if (code < 0)
        return code;
    code = report_end(task, json, err);
    rouse_task_free(task);
    return code;
}

/* The first Ctrl-C. What lives no longer than this program cannot be left running. */
static int detach(struct cli *cli, const rouse_task *task, bool json, int signals, rouse_error *err)
{
    const char *id = task->task_id;
    signals_take(signals, 0);
    if (task->ext.session)
        return cancel(cli, id, json, err);
    fprintf(stderr, "rouse: %s goes on; rouse logs -f %s follows it, rouse cancel %s ends it (so does Ctrl-C again, now)\n", id,
            id, id);
    return signals_take(signals, AGAIN_MS) ? cancel(cli, id, json, err) : INTERRUPTED_STATUS;
}

/* Readable when the task is to be left: Ctrl-C, or the key of a terminal that hands Ctrl-C over. */
static int open_interrupt(int signals, const struct feed *feed, int *ret_fd, rouse_error *err)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, signals, &event) != 0 ||
        (feed && epoll_ctl(fd, EPOLL_CTL_ADD, feed_detach_fd(feed), &event) != 0)) {
        int code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch for Ctrl-C");
        fd_close(&fd);
        return code;
    }
    *ret_fd = fd;
    return 0;
}

static int begin_feed(struct cli *cli, const rouse_task *started, struct feed **ret_feed, rouse_error *err)
{
    int code = started->ext.reads ? feed_begin(cli, started, ret_feed, err) : 0;
    if (code == 0 && feed_is_raw(*ret_feed))
        fprintf(stderr, "rouse: %s has the terminal; Ctrl-] leaves it\r\n", started->task_id);
    return code;
}

static int attend(struct cli *cli, const rouse_task *started, bool json, int signals, rouse_error *err)
{
    rouse_task *ended;
    struct feed *feed = NULL;
    FD_AUTO int interrupt = -1;
    int code = begin_feed(cli, started, &feed, err);
    if (code == 0)
        code = open_interrupt(signals, feed, &interrupt, err);
    struct follow follow = {
        .cli = cli, .id = started->task_id, .interrupt = interrupt, .write = json ? write_nothing : write_through,
        .shows_progress = !feed_is_raw(feed)};
    if (code == 0)
        code = follow_to_end(&follow, &ended, err);
    bool was_raw = feed_is_raw(feed);
    feed_end(feed);
    if (was_raw && code == ROUSE_EINTERRUPTED)
        fputc('\n', stderr);
    if (code == ROUSE_EINTERRUPTED)
        return detach(cli, started, json, signals, err);
    if (code < 0)
        return code;
    code = report_end(ended, json, err);
    rouse_task_free(ended);
    return code;
}

/* A command that could not be executed: its own error line, as a shell would say it. */
static int report_failed_start(const rouse_task *task, bool json, rouse_error *err)
{
    int code = json ? task_print_json(task, err) : 0;
    if (code < 0)
        return code;
    terminal_say(task->error);
    return task_exit_status(task);
}

int run_task(struct cli *cli, const struct run_options *o, int signals, rouse_error *err)
{
    rouse_task *task;
    int code = start(cli, o, &task, err);
    if (code < 0)
        return code;
    if (sleeper_is_needed(task))
        code = sleeper_start(cli, task, err);
    if (code < 0) {
        rouse_task_free(task);
        return code;
    }
    if (task->status == ROUSE_FAILED && task->error && task->ext.exit_code < 0 && task->ext.signal == 0)
        code = report_failed_start(task, o->common.json, err);
    else if (!o->detach && cli->command != &cmd_ensure)
        code = attend(cli, task, o->common.json, signals, err);
    else if (o->common.json)
        code = task_print_json(task, err);
    else
        puts(task->task_id);
    rouse_task_free(task);
    return code;
}

int run_check_options(const struct cli *cli, const struct run_options *o, rouse_error *err)
{
    if (o->line && cli->count > 0)
        return cli_misuse(cli, err, "give a command or -c STRING, not both");
    if (!o->line && cli->count == 0)
        return cli_misuse(cli, err, "no command given");
    if (o->session && o->detach)
        return cli_misuse(cli, err, "--session ends with this rouse, which -d ends at once");
    if ((o->timeout.given && o->timeout.ms == 0) || (o->idle_timeout.given && o->idle_timeout.ms == 0))
        return cli_misuse(cli, err, "a timeout of 0 leaves no time to run");
    if (plan_options_wait(&o->plan) && o->session)
        return cli_misuse(cli, err, "--session goes with none of --after, --in, --queue, --retries: another program may start it");
    if (plan_options_wait(&o->plan) && !o->detach && (o->process.tty || o->process.input))
        return cli_misuse(cli, err, "what begins later or again has input only with -d, from rouse write");
    return 0;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct run_options *o = options;
    FD_AUTO int signals = -1;
    int code = run_check_options(cli, o, err);
    if (code == 0)
        code = cli_open(cli, false, err);
    if (code == 0 && !o->detach)
        code = signals_open(false, &signals, err);
    return code == 0 ? run_task(cli, o, signals, err) : code;
}

const struct command cmd_run = {
    .name = "run",
    .usage = (const char *const[]){"[OPTION…] [--] CMD [ARG…]", "[OPTION…] -c STRING", NULL},
    .summary = "start a command as a task",
    .text = "The command runs under a supervisor of its own: it goes on when rouse, the terminal or the agent that started it is\n"
            "gone, its output is kept and its exit status is never lost. Without -d its output is shown until it ends, and rouse\n"
            "exits with its exit status. Ctrl-C leaves it running and says so; a second Ctrl-C within a second cancels it.\n"
            "It has no input unless --stdin or --tty gives it some. A terminal given with --tty gets every key, Ctrl-C too; Ctrl-]\n"
            "leaves it running.\n"
            "With --after, --in or --queue it begins later, also when this rouse is gone: what records the end of the task before it\n"
            "begins it, and for a time a `rouse reap` stays. When that is killed it begins late, with the next rouse command.\n"
            "DUR is 500ms, 2s, 5m, 1h, 1h30m; a plain number is seconds.",
    .options = run_rows,
    .options_size = sizeof(struct run_options),
    .examples = (const struct example[]){{"rouse run -- make -j8", "build, and leave with Ctrl-C while it goes on"},
                                         {"rouse run -d --name web --ready-when 'Serving' -- python3 -um http.server",
                                          "start a server; rouse wait --until ready web"},
                                         {"rouse run -d --timeout 10m -c 'make test | tee log'", "a shell line, with a deadline"},
                                         {"rouse run -d --after build --retries 2 -- ./deploy", "once build has ended well"},
                                         {NULL, NULL}},
    .stops_at_operand = true,
    .max_operands = SIZE_MAX,
    .operands_are = OPERANDS_PROGRAM,
    .run = run,
};
