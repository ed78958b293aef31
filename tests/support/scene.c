#include "scene.h"

#include <dirent.h>
#include <ftw.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define PATIENCE_MS 60000

static void expect_ok(int code, const rouse_error *err)
{
    if (code < 0)
        fail_msg("%s (code %d)", err->message, err->code);
}

void scene_open(struct scene *s)
{
    rouse_error err = {0};
    expect_ok(rouse_store_open(s->path, NULL, &s->store, &err), &err);
    const rouse_manager_options options = {.rouse = s->nobody_reaps ? "" : NULL};
    expect_ok(rouse_manager_new(s->store, &options, &s->manager, &err), &err);
}

void scene_close(struct scene *s)
{
    rouse_manager_free(s->manager);
    rouse_store_close(s->store);
    s->manager = NULL;
    s->store = NULL;
}

void scene_init(struct scene *s)
{
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "/tmp/rouse-test.XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof s->path, "%s/store", s->dir);
    scene_open(s);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void scene_done(struct scene *s)
{
    rouse_error err = {0};
    rouse_task_list *list;
    if (!s->manager)
        scene_open(s);
    expect_ok(rouse_task_list_get(s->manager, &(rouse_task_filter){.running_only = true}, &list, &err), &err);
    for (size_t i = 0; i < rouse_task_list_count(list); i++)
        rouse_task_cancel(s->manager, rouse_task_list_at(list, i)->task_id, &(rouse_cancel){.has_grace = true}, NULL, NULL);
    rouse_task_list_free(list);
    scene_close(s);
    nftw(s->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

rouse_task *scene_start(struct scene *s, const char *name, const char *line)
{
    rouse_error err = {0};
    rouse_task *task = NULL;
    const char *argv[] = {"sh", "-c", line, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    const rouse_task_spec spec = {.thread = "t", .argv = argv, .env = env, .name = name};
    expect_ok(rouse_task_start(s->manager, &spec, &task, &err), &err);
    return task;
}

rouse_task *scene_wait(struct scene *s, const char *id)
{
    rouse_error err = {0};
    rouse_task_list *list = NULL;
    const char *ids[] = {id};
    const rouse_wait wait = {.thread = "t", .ids = ids, .count = 1, .has_timeout = true, .timeout_ms = PATIENCE_MS};
    expect_ok(rouse_task_wait(s->manager, &wait, &list, &err), &err);
    rouse_task *task = rouse_task_copy(rouse_task_list_at(list, 0));
    rouse_task_list_free(list);
    assert_non_null(task);
    return task;
}

size_t scene_events(struct scene *s, const char *thread, const char *task_id)
{
    rouse_error err = {0};
    rouse_events *events = NULL;
    size_t n = 0;
    expect_ok(rouse_store_inbox(s->store, thread, 0, true, 0, &events, &err), &err);
    for (size_t i = 0; i < rouse_events_count(events); i++)
        n += !task_id || strcmp(rouse_events_at(events, i)->task_id, task_id) == 0;
    rouse_events_free(events);
    return n;
}

rouse_task *scene_check_ended(struct scene *s, const char *id, rouse_status status)
{
    rouse_error err = {0};
    rouse_task *task = NULL;
    expect_ok(rouse_task_get(s->manager, "t", id, &task, &err), &err);
    assert_string_equal(rouse_status_text(task->status), rouse_status_text(status));
    assert_true(task->has_completed_at);
    assert_int_equal(scene_events(s, NULL, id), 1);
    return task;
}

char *scene_fifo(struct scene *s, const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", s->dir, name) > 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

void scene_hear(const char *fifo, char *line, size_t size)
{
    FILE *f = fopen(fifo, "re");
    assert_non_null(f);
    assert_non_null(fgets(line, (int)size, f));
    line[strcspn(line, "\n")] = '\0';
    fclose(f);
}

/* Of ours: a supervisor that has handed over, or a `rouse reap`, is about to go by itself. */
static bool is_ours(int proc, const char *pid)
{
    char name[300];
    struct buf comm = BUF_INIT(0);
    snprintf(name, sizeof name, "%s/comm", pid);
    fd_read_file(proc, name, 4096, &comm, NULL);
    bool ours = strcmp(buf_text(&comm), "rouse-shim\n") == 0 || strcmp(buf_text(&comm), "rouse\n") == 0;
    buf_done(&comm);
    return ours;
}

size_t scene_processes(const struct scene *s)
{
    size_t found = 0;
    char wanted[128];
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    snprintf(wanted, sizeof wanted, "ROUSE_STORE=%s", s->path);
    for (struct dirent *e; (e = readdir(proc));) {
        char name[300];
        struct buf environment = BUF_INIT(0);
        snprintf(name, sizeof name, "%s/environ", e->d_name);
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && fd_read_file(dirfd(proc), name, 1 << 20, &environment, NULL) == 0 &&
            memmem(buf_text(&environment), environment.len, wanted, strlen(wanted)) && !is_ours(dirfd(proc), e->d_name)) {
            print_message("# of the scene: process %s\n", e->d_name);
            found++;
        }
        buf_done(&environment);
    }
    closedir(proc);
    return found;
}
