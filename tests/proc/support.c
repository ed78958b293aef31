#include "support.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

char test_token[33];

static void make_token(void)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        abort();
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(test_token + 2 * i, 3, "%02x", bytes[i]);
}

int place_setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    make_token();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    snprintf(p->path, sizeof p->path, "/tmp/rouse-proc-XXXXXX");
    if (!mkdtemp(p->path))
        return -1;
    p->tasks = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return p->tasks < 0;
}

static int remove_tasks(struct place *p)
{
    DIR *dir = opendir(p->path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.' && proc_remove(p->tasks, entry->d_name, NULL) < 0)
            unlinkat(p->tasks, entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
    return rmdir(p->path);
}

int place_teardown(void **state)
{
    struct place *p = *state;
    uint64_t left = 0;
    int code = proc_sweep(test_token, NULL, &left, NULL);
    if (left > 0)
        fprintf(stderr, "%llu processes were left behind\n", (unsigned long long)left);
    settle();
    int removed = remove_tasks(p);
    close(p->tasks);
    free(p);
    return code < 0 || left > 0 || removed < 0;
}

struct proc_start start_of(const char *const *argv)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", "ROUSE_TASK=somebody else", NULL};
    return (struct proc_start){
        .shim = getenv("ROUSE_SHIM"), .id = "bg_0", .argv = argv, .env = env, .token = test_token, .grace_ms = 60000};
}

int start_task(struct place *p, const char *id, const struct proc_start *start, pid_t *ret_command, rouse_error *err)
{
    int dir = -1, lock = -1;
    pid_t command = -1;
    struct proc_start with_id = *start;
    with_id.id = id;
    int code = proc_create(p->tasks, id, &dir, &lock, err);
    if (code == 0)
        code = proc_start(dir, lock, &with_id, &command, err);
    fd_close(&dir);
    fd_close(&lock);
    if (code == 0 && ret_command)
        *ret_command = command;
    return code;
}

void settle(void)
{
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
}

enum proc_state probe(struct place *p, const char *id)
{
    enum proc_state state = (enum proc_state) - 1;
    struct proc_exit exit;
    rouse_error err = {0};
    if (proc_probe(p->tasks, id, &state, &exit, &err) < 0)
        fail_msg("%s", err.message);
    return state;
}

struct proc_look look_at(struct place *p, const char *id)
{
    struct proc_look look;
    rouse_error err = {0};
    if (proc_look(p->tasks, id, &look, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(look.state, probe(p, id));
    return look;
}

struct proc_exit end_of(struct place *p, const char *id)
{
    enum proc_state state;
    struct proc_exit exit = {0};
    settle();
    assert_int_equal(proc_probe(p->tasks, id, &state, &exit, NULL), 0);
    assert_int_equal(state, PROC_ENDED);
    return exit;
}

void await_news(int fd, enum proc_news news)
{
    for (;;) {
        enum proc_news came;
        assert_int_equal(proc_read_news(fd, &came, NULL), 0);
        if (came == news)
            return;
        if (came == PROC_NEWS_HANGUP)
            fail_msg("hung up while news %d was awaited", news);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (came == PROC_NEWS_NONE && poll(&p, 1, 60000) == 0)
            fail_msg("no news %d within a minute", news);
    }
}

int connect_and_watch(struct place *p, const char *id)
{
    int fd = -1;
    assert_int_equal(proc_connect(p->tasks, id, &fd, NULL), 0);
    assert_int_equal(proc_watch(fd, NULL), 0);
    return fd;
}

const char *output_of(struct place *p, const char *id)
{
    static char text[65536];
    uint64_t offset = 0;
    int n = proc_output_read(p->tasks, id, &offset, text, sizeof text - 1, NULL);
    assert_true(n >= 0);
    assert_int_equal(offset, 0);
    text[n] = '\0';
    return text;
}

pid_t parent_of(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n > 0);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    assert_non_null(at);
    return (pid_t)strtol(at + 4, NULL, 10);
}

static bool carries_token(const char *pid)
{
    char path[300];
    struct buf text = BUF_INIT(1u << 20);
    snprintf(path, sizeof path, "%s/environ", pid);
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool found = fd_read_file(proc, path, 1u << 20, &text, NULL) == 0 && text.len > 0 &&
                 memmem(text.data, text.len, test_token, strlen(test_token));
    close(proc);
    buf_done(&text);
    return found;
}

unsigned survivors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += isdigit((unsigned char)entry->d_name[0]) && carries_token(entry->d_name);
    if (dir)
        closedir(dir);
    return count;
}
