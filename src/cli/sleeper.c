#include "cli/sleeper.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

bool sleeper_is_needed(const rouse_task *task)
{
    const char *stage = task->has_ext ? task->ext.stage : NULL;
    bool waits = stage && (strcmp(stage, "retrying") == 0 || strcmp(stage, "queued") == 0);
    return waits && task->status == ROUSE_RUNNING && task->ext.plan && task->ext.plan->due_ms > 0;
}

/* Away from the terminal, its signals, and the directory and the descriptors that rouse was called with. */
static int spawn(const char *const *argv)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;
    pid_t pid;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    posix_spawnattr_setsigmask(&how, &none);
    int code = 0;
    for (int fd = STDIN_FILENO; code == 0 && fd <= STDERR_FILENO; fd++)
        code = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    if (code == 0)
        code = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    if (code == 0)
        code = posix_spawn_file_actions_addchdir_np(&files, "/");
    if (code == 0)
        code = posix_spawn(&pid, "/proc/self/exe", &files, &how, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return code;
}

int sleeper_start(const struct cli *cli, const rouse_task *task, rouse_error *err)
{
    const char *const argv[] = {"rouse", "reap", "--store", rouse_store_path(cli->store), task->task_id, NULL};
    int code = spawn(argv);
    return code == 0 ? 0 : rouse_fail_errno(err, ROUSE_EIO, code, "'%s' is there, but nobody stays to begin it on time", task->task_id);
}
