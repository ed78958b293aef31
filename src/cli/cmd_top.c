/* rouse top: the tasks, live, on a terminal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/top.h"

#define DRAW_MS 100    /* between two drawings, unless a key asks for one */
#define LOOK_MS 1000   /* between two looks at the tasks that only output asks for */
#define READ_SHARE 4   /* reading the tasks takes at most one part in so many of the time */

extern char **environ;

struct top_options {
    struct common common;
    bool ended_too, all_threads;
};

static const struct option_row rows[] = {
    {"all", 'a', FLAG(struct top_options, ended_too), NULL, "those that ended, too"},
    ROW_THREAD,
    {"all-threads", 0, FLAG(struct top_options, all_threads), NULL, "of every thread"},
    ROW_STORE,
    ROW_END,
};

struct loop {
    struct top *top;
    int bell, signals;
    int told[2];             /* a pipe: what `rouse cancel` says */
    bool draw, read;         /* wanted, at the earliest at: */
    uint64_t draw_at, read_at;
    uint64_t age_at;         /* an age that is shown changes then */
    uint64_t last_read;
    int status;              /* to exit with; -1 = go on */
};

static uint64_t monotonic(const struct loop *l)
{
    const rouse_platform *platform = rouse_store_platform(l->top->cli->store);
    return platform->mono_ms(platform->userdata);
}

/* ---- cancelling: in a program of its own, since it sleeps until the processes are gone ---- */

static int spawn_cancel(struct loop *l, const char *const *argv)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;
    pid_t pid;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&how, &none);
    int code = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(&files, l->told[1], STDOUT_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(&files, l->told[1], STDERR_FILENO);
    if (code == 0)
        code = posix_spawn(&pid, "/proc/self/exe", &files, &how, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return code;
}

static void cancel(struct loop *l)
{
    struct top *top = l->top;
    const char *const argv[] = {"rouse", "cancel", "--store", rouse_store_path(top->cli->store), "--thread", top->cli->thread,
                                "--tree", "--reason", "rouse top", "--", top->subject, NULL};
    int code = spawn_cancel(l, argv);
    if (code == 0)
        snprintf(top->message, sizeof top->message, "cancelling %s", top->subject);
    else
        snprintf(top->message, sizeof top->message, "cannot start rouse cancel: %s", strerrordesc_np(code));
}

/* The last line that was said. */
static void take_told(struct loop *l)
{
    char block[4096];
    ssize_t n = read(l->told[0], block, sizeof block - 1);
    if (n <= 0)
        return;
    block[n] = '\0';
    for (char *next = block, *line; (line = strsep(&next, "\n"));) {
        if (*line)
            utf8_copy_printable(l->top->message, sizeof l->top->message, line);
    }
    l->draw = true;
}

/* ---- keys ---- */

static const rouse_task *chosen(const struct top *top)
{
    if (top->in_log)
        return top->viewed;
    return top->tasks.count > 0 ? top_list_at(&top->tasks, top->tasks.place, NULL) : NULL;
}

static void ask_cancel(struct top *top)
{
    const rouse_task *task = chosen(top);
    if (!task)
        return;
    if (rouse_status_is_terminal(task->status)) {
        snprintf(top->message, sizeof top->message, "%s has ended", task->task_id);
        return;
    }
    snprintf(top->subject, sizeof top->subject, "%s", task->task_id);
    top->mode = TOP_CONFIRM;
}

static void open_log(struct top *top)
{
    const rouse_task *task = chosen(top);
    if (!task)
        return;
    snprintf(top->subject, sizeof top->subject, "%s", task->task_id);
    top->in_log = true;
    top->back = 0;
    top_list_view(top);
}

static int move(struct top *top, size_t place, rouse_error *err)
{
    return top_list_choose(top, place, err);
}

static size_t minus(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

static int list_key(struct loop *l, int key, rouse_error *err)
{
    struct top *top = l->top;
    size_t place = top->tasks.place, page = top_page(top);
    switch (key) {
    case KEY_UP:
    case 'k':
        return move(top, minus(place, 1), err);
    case KEY_DOWN:
    case 'j':
        return move(top, place + 1, err);
    case KEY_PAGE_UP:
        return move(top, minus(place, page), err);
    case KEY_PAGE_DOWN:
    case ' ':
        return move(top, place + page, err);
    case KEY_HOME:
    case 'g':
        return move(top, 0, err);
    case KEY_END:
    case 'G':
        return move(top, SIZE_MAX, err);
    case '\r':
    case '\n':
    case 'l':
        open_log(top);
        return 0;
    case '/':
        top->mode = TOP_FILTER;
        return 0;
    case 'a':
        top->ended_too = !top->ended_too;
        return top_list_read(top, err);
    case KEY_ESCAPE:
        top->filter[0] = '\0';
        return top_list_filter(top, err);
    case 'q':
        l->status = 0;
        return 0;
    default:
        return 0;
    }
}

static void log_key(struct top *top, int key)
{
    size_t page = top_page(top);
    if (key == KEY_UP || key == 'k')
        top->back++;
    else if (key == KEY_DOWN || key == 'j')
        top->back = minus(top->back, 1);
    else if (key == KEY_PAGE_UP)
        top->back += page;
    else if (key == KEY_PAGE_DOWN || key == ' ')
        top->back = minus(top->back, page);
    else if (key == KEY_HOME || key == 'g')
        top->back = TOP_LOG;
    else if (key == KEY_END || key == 'G')
        top->back = 0;
    else if (key == 'q' || key == 'l' || key == KEY_ESCAPE || key == '\r')
        top->in_log = false;
    top->back = top->back < TOP_LOG ? top->back : TOP_LOG;
}

static int filter_key(struct top *top, int key, rouse_error *err)
{
    size_t len = strlen(top->filter);
    if (key == '\r' || key == '\n' || key == KEY_ESCAPE)
        top->mode = TOP_KEYS;
    if (key == KEY_ESCAPE)
        top->filter[0] = '\0';
    else if ((key == 0x7f || key == '\b') && len > 0)
        top->filter[utf8_cut(top->filter, len, len - 1)] = '\0';
    else if (key >= ' ' && key < 0x100 && key != 0x7f && len + 1 < sizeof top->filter) {
        top->filter[len] = (char)key;
        top->filter[len + 1] = '\0';
    }
    return top_list_filter(top, err);
}

static int on_key(struct loop *l, int key, rouse_error *err)
{
    struct top *top = l->top;
    if (key == 0x03) { /* Ctrl-C: no signal in this mode of the terminal */
        l->status = 0;
        return 0;
    }
    if (key == 0x1a) /* Ctrl-Z, for all that a shell calls this job */
        return kill(0, SIGTSTP), 0;
    top->message[0] = '\0';
    if (top->mode == TOP_FILTER)
        return filter_key(top, key, err);
    if (top->mode == TOP_CONFIRM) {
        top->mode = TOP_KEYS;
        if (key == 'y' || key == 'Y')
            cancel(l);
        return 0;
    }
    if (key == 'c')
        ask_cancel(top);
    else if (top->in_log)
        log_key(top, key);
    else
        return list_key(l, key, err);
    return 0;
}

static int take_keys(struct loop *l, rouse_error *err)
{
    int keys[SCREEN_KEYS];
    int code = 0;
    int n = screen_read_keys(keys);
    if (n < 0)
        l->status = 128 + SIGHUP;
    for (int i = 0; code == 0 && i < n && l->status < 0; i++)
        code = on_key(l, keys[i], err);
    l->draw = true;
    l->draw_at = 0;
    return code;
}

/* ---- signals ---- */

/* Gives the terminal back, stops as anybody does, and takes it again. */
static int stop(struct loop *l, rouse_error *err)
{
    sigset_t set;
    screen_close(&l->top->screen);
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* stops here, until SIGCONT */
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    sigtimedwait(&set, NULL, &(struct timespec){0}); /* that one is dealt with */
    return screen_open(&l->top->screen, err);
}

/* Whoever stopped and continued this program may have changed the terminal. */
static int go_on(struct loop *l, rouse_error *err)
{
    screen_close(&l->top->screen);
    return screen_open(&l->top->screen, err);
}

static int take_signal(struct loop *l, rouse_error *err)
{
    struct signalfd_siginfo info;
    if (read(l->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    l->draw = true;
    l->draw_at = 0;
    switch (info.ssi_signo) {
    case SIGWINCH:
        screen_forget(&l->top->screen);
        return 0;
    case SIGCHLD:
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        return 0;
    case SIGTSTP:
        return stop(l, err);
    case SIGCONT:
        return go_on(l, err);
    default:
        l->status = 128 + (int)info.ssi_signo;
        return 0;
    }
}

/* ---- the loop ---- */

static int read_if_due(struct loop *l, rouse_error *err)
{
    uint64_t begun = monotonic(l);
    if (!l->read || begun < l->read_at)
        return 0;
    rouse_store_bell_clear(l->bell);
    int code = top_list_read(l->top, err);
    uint64_t now = monotonic(l);
    uint64_t rest = (now - begun) * READ_SHARE;
    l->read = false;
    l->draw = true;
    l->last_read = now;
    l->read_at = now + (rest > DRAW_MS ? rest : DRAW_MS);
    return code;
}

static int draw_if_due(struct loop *l, rouse_error *err)
{
    uint64_t now = monotonic(l);
    if (now >= l->age_at)
        l->draw = true;
    if (!l->draw || now < l->draw_at)
        return 0;
    int code = top_draw(l->top, err);
    l->draw = false;
    l->draw_at = now + DRAW_MS;
    l->age_at = l->top->change_ms == UINT64_MAX ? UINT64_MAX : now + l->top->change_ms + 1;
    return code;
}

/* Not at once: a supervisor that dies closes its files a moment before it is seen to be dead. */
static void read_later(struct loop *l)
{
    uint64_t soon = monotonic(l) + DRAW_MS;
    uint64_t at = l->last_read + LOOK_MS;
    at = at > soon ? at : soon;
    l->read = true;
    l->read_at = l->read_at > at ? l->read_at : at;
}

static int time_to_sleep(const struct loop *l)
{
    uint64_t now = monotonic(l);
    uint64_t at = l->age_at;
    if (l->draw && l->draw_at < at)
        at = l->draw_at;
    if (l->read && l->read_at < at)
        at = l->read_at;
    if (at == UINT64_MAX)
        return -1;
    return at <= now ? 0 : at - now < 3600000 ? (int)(at - now) : 3600000;
}

/* What rings while it is not its turn yet is not listened to. */
static int sleep_once(struct loop *l, rouse_error *err)
{
    struct top *top = l->top;
    struct pollfd p[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = l->signals, .events = POLLIN},
        {.fd = l->told[0], .events = POLLIN},
        {.fd = l->read ? -1 : l->bell, .events = POLLIN},
        {.fd = l->draw ? -1 : top->tails.changes, .events = POLLIN},
    };
    int code = 0;
    if (poll(p, sizeof p / sizeof *p, time_to_sleep(l)) < 0)
        return errno == EINTR ? 0 : rouse_fail_errno(err, ROUSE_EIO, errno, "cannot sleep");
    if (p[1].revents)
        code = take_signal(l, err);
    if (code == 0 && p[0].revents && l->status < 0)
        code = take_keys(l, err);
    if (p[2].revents)
        take_told(l);
    if (p[3].revents)
        l->read = true;
    if (p[4].revents && top_tails_take(&top->tails)) {
        l->draw = true;
        if (!l->read) /* it may wait for input now, or its supervisor have died */
            read_later(l);
    }
    return code;
}

static int go(struct loop *l, rouse_error *err)
{
    int code = screen_open(&l->top->screen, err);
    while (code == 0 && l->status < 0) {
        code = read_if_due(l, err);
        if (code == 0)
            code = draw_if_due(l, err);
        if (code == 0)
            code = sleep_once(l, err);
    }
    screen_close(&l->top->screen);
    return code < 0 ? code : l->status;
}

static int open_all(struct loop *l, rouse_error *err)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT, SIGCHLD};
    int code = top_tails_open(&l->top->tails, err);
    if (code == 0)
        code = rouse_store_bell_open(l->top->cli->store, &l->bell, err);
    if (code == 0)
        code = signals_watch(wanted, sizeof wanted / sizeof *wanted, &l->signals, err);
    if (code == 0 && pipe2(l->told, O_CLOEXEC | O_NONBLOCK) != 0)
        code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot make a pipe");
    return code == 0 ? go(l, err) : code;
}

static int check_terminal(rouse_error *err)
{
    const char *kind = cli_getenv("TERM");
    if (!terminal_is(stdin) || !terminal_is(stdout))
        return rouse_fail(err, ROUSE_EINVAL, "top: this is no terminal; rouse ls prints the tasks, rouse events -f what happens");
    if (!kind || strcmp(kind, "dumb") == 0)
        return rouse_fail(err, ROUSE_EINVAL, "top: TERM says that this terminal cannot be drawn on; use rouse ls");
    return 0;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct top_options *o = options;
    int code = check_terminal(err);
    if (code == 0 && o->all_threads && o->common.thread)
        code = cli_misuse(cli, err, "give --thread or --all-threads, not both");
    if (code == 0)
        code = cli_open(cli, true, err);
    if (code < 0)
        return code;
    struct top *top = calloc(1, sizeof *top);
    if (!top)
        return rouse_fail_memory(err);
    struct loop loop = {.top = top, .bell = -1, .signals = -1, .told = {-1, -1}, .read = true, .age_at = UINT64_MAX, .status = -1};
    *top = (struct top){.cli = cli, .ended_too = o->ended_too, .all_threads = o->all_threads, .tails.changes = -1};
    code = open_all(&loop, err);
    top_tails_close(&top->tails);
    top_list_done(&top->tasks);
    rouse_task_free(top->viewed);
    fd_close(&loop.bell);
    fd_close(&loop.signals);
    fd_close(&loop.told[0]);
    fd_close(&loop.told[1]);
    free(top);
    return code;
}

const struct command cmd_top = {
    .name = "top",
    .usage = (const char *const[]){"[OPTION…]", NULL},
    .summary = "watch the tasks, live, on a terminal",
    .text = "Each task under the one that started it, with the last line it printed. Keys: up and down (also j, k, page up, page\n"
            "down, g, G) choose a task; enter or l shows its output, q goes back; c cancels it with all it started, once you say y;\n"
            "/ shows only what matches a text, Esc all again; a shows those that ended, too; q or Ctrl-C quits; Ctrl-Z stops.",
    .options = rows,
    .options_size = sizeof(struct top_options),
    .examples = (const struct example[]){{"rouse top --all-threads", "all that runs"}, {NULL, NULL}},
    .run = run,
};
