/* Forgetting tasks: their rows first, in the store, then their directories. Who dies in between leaves a directory without a
 * row, and the next prune finds it: every number below the store's counter has, or had, its row. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "task/manager.h"
#include "task/marks.h"

/* Removes the directory of an id that no row has, unless something is still at it (an import may have replaced the row of a
 * running task). 1, 0, or an error. */
static int remove_directory(rouse_manager *m, const char *id, rouse_error *err)
{
    enum proc_state state;
    struct proc_exit over;
    rouse_task *task;
    if (m->tasks < 0 || !task_is_id(id))
        return 0;
    int code = task_load(m, NULL, id, &task, NULL);
    if (code == 0)
        rouse_task_free(task);
    if (code != ROUSE_ENOTFOUND)
        return code < 0 ? rouse_fail(err, code, "cannot look for task '%s'", id) : 0;
    code = proc_probe(m->tasks, id, &state, &over, err);
    if (code < 0 || state == PROC_ALIVE || state == PROC_GONE)
        return code < 0 ? code : 0;
    code = proc_remove(m->tasks, id, err);
    return code < 0 ? code : 1;
}

void task_forget(const char *thread, const char *id, void *manager)
{
    (void)thread;
    remove_directory(manager, id, NULL);
}

/* ---- what a crash left ---- */

static int see_number(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    (void)commit;
    *(uint64_t *)userdata = number;
    return rouse_fail(err, ROUSE_ECONFLICT, "only looking");
}

/* The first number that has not been given out: seen from inside a commit that then does not happen. */
static int next_number(rouse_manager *m, uint64_t *ret_number, rouse_error *err)
{
    uint64_t number = UINT64_MAX;
    rouse_commit look = {.thread = "default", .prepare = see_number, .userdata = &number};
    rouse_error why = {0};
    int code = rouse_store_commit(m->store, &look, NULL, &why);
    if (number == UINT64_MAX)
        return rouse_fail(err, code < 0 ? code : ROUSE_ESTORE, "%s", why.message);
    *ret_number = number;
    return 0;
}

/* Numbers from the counter on may be those of tasks that are just being started. */
static int sweep(rouse_manager *m, rouse_error *err)
{
    uint64_t next;
    int code = next_number(m, &next, err);
    DIR *dir = NULL;
    int fd = code < 0 ? -1 : openat(m->tasks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (code == 0 && fd >= 0)
        dir = fdopendir(fd);
    if (code == 0 && !dir)
        code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot read the directory of tasks");
    for (struct dirent *entry; code == 0 && dir && (entry = readdir(dir));) {
        if (task_is_id(entry->d_name) && strtoull(entry->d_name + 3, NULL, 10) < next)
            code = remove_directory(m, entry->d_name, err) < 0 ? ROUSE_EIO : 0;
    }
    if (dir)
        closedir(dir);
    else
        fd_close(&fd);
    return code;
}

/* ---- marks ---- */

static int prune_marks(rouse_manager *m, const char *thread, rouse_error *err)
{
    const rouse_prune old = {.thread = thread, .older_ms = LIMIT_MARK_MS, .unread = true, .limit = LIMIT_PRUNE};
    size_t count;
    do {
        rouse_rows *rows;
        int code = rouse_store_prune(m->store, &marks_key, &old, &rows, err);
        if (code < 0)
            return code;
        count = rouse_rows_count(rows);
        rouse_rows_free(rows);
    } while (count == LIMIT_PRUNE);
    return 0;
}

/* ---- asked for ---- */

int rouse_task_prune(rouse_manager *manager, const rouse_prune *what, rouse_pruned *tell, void *userdata, rouse_error *err)
{
    rouse_rows *rows = NULL;
    int code = rouse_store_prune(manager->store, &rouse_task_state_key, what, &rows, err);
    if (code < 0)
        return code;
    size_t count = rouse_rows_count(rows);
    for (size_t i = 0; i < count; i++) {
        const char *id;
        const rouse_task *task = rouse_rows_at(rows, i, NULL, &id);
        if (!what->dry)
            remove_directory(manager, id, NULL); /* what stays is found below, or the next time */
        if (tell)
            tell(task, userdata);
    }
    rouse_rows_free(rows);
    if (count == 0 && !what->dry && manager->tasks >= 0)
        code = sweep(manager, err);
    if (code >= 0 && count == 0 && !what->dry)
        code = prune_marks(manager, what->thread, err);
    return code < 0 ? code : (int)count;
}
