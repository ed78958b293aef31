#include "task/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/platform.h"
#include "task/spares.h"
#include "task/marks.h"
#include "task/message.h"
#include "task/waits.h"
#include "task/work.h"

#ifndef ROUSE_LIBEXECDIR
#define ROUSE_LIBEXECDIR "/usr/local/libexec/rouse"
#endif
#ifndef ROUSE_BINDIR
#define ROUSE_BINDIR "/usr/local/bin"
#endif

uint64_t manager_now(const rouse_manager *m)
{
    return m->platform->now_ms(m->platform->userdata);
}

bool manager_interrupted(const rouse_manager *m)
{
    return m->interrupted && m->interrupted(m->userdata);
}

/* Sets *ret to a copy of path when a program is there. */
static int take_program(const char *path, char **ret, rouse_error *err)
{
    if (access(path, X_OK) != 0)
        return 0;
    *ret = strdup(path);
    return *ret ? 0 : rouse_fail_memory(err);
}

/* A program of ours: named by the caller or by the environment, else beside the running program, else elsewhere in the same
 * installation, else where this build installs it. *ret stays NULL when it is nowhere. */
static int find_program(const char *given, const char *variable, const char *name, const char *installed, char **ret,
                        rouse_error *err)
{
    static const char *const places[] = {"", "../libexec/rouse/", "../bin/"};
    if (!given)
        given = getenv(variable);
    if (given && *given) {
        *ret = strdup(given);
        return *ret ? 0 : rouse_fail_memory(err);
    }
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places && !*ret; i++) {
        char path[PATH_MAX + 64];
        int len = snprintf(path, sizeof path, "%.*s/%s%s", (int)(slash - self), self, places[i], name);
        if (len > 0 && (size_t)len < sizeof path && take_program(path, ret, err) < 0)
            return ROUSE_ENOMEM;
    }
    return *ret ? 0 : take_program(installed, ret, err);
}

static int register_key(rouse_store *store, const rouse_key *key, rouse_error *err)
{
    return rouse_store_key(store, key->name) == key ? 0 : rouse_store_register(store, key, err);
}

/* A store in memory has no directory, and so no processes: nothing of it outlives this one. */
static int open_tasks(rouse_manager *m, rouse_error *err)
{
    char path[PATH_MAX];
    if (rouse_store_path(m->store)[0] != '/')
        return 0;
    int n = snprintf(path, sizeof path, "%s/tasks", rouse_store_path(m->store));
    if (n < 0 || (size_t)n >= sizeof path)
        return rouse_fail(err, ROUSE_EINVAL, "path of the store is too long");
    int code = fd_make_dirs(path, err);
    if (code < 0)
        return code;
    m->tasks = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return m->tasks < 0 ? rouse_fail_errno(err, ROUSE_EIO, errno, "cannot open '%s'", path) : 0;
}

static int register_keys(rouse_store *store, rouse_error *err)
{
    static const rouse_key *const keys[] = {&rouse_task_state_key, &rouse_view_key, &agenda_key, &marks_key, &message_key};
    int code = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && code == 0; i++)
        code = register_key(store, keys[i], err);
    return code;
}

static void read_boot(rouse_manager *m)
{
    FD_AUTO int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, m->boot, 36);
    m->boot[n == 36 ? 36 : 0] = '\0';
}

/* Digits and K, M or G, as for a person; anything else is no answer. */
static uint64_t read_size(const char *text)
{
    static const char units[] = "KMG";
    char *end = NULL;
    unsigned long long n = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    const char *unit = n > 0 && *end ? strchr(units, *end) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    bool whole = n > 0 && end[unit != NULL] == '\0' && n <= (UINT64_MAX >> 1) >> shift;
    return whole ? (uint64_t)n << shift : 0;
}

static uint64_t find_output_cap(uint64_t given)
{
    if (given == 0)
        given = read_size(getenv("ROUSE_OUTPUT_CAP"));
    return given > 0 ? given : LIMIT_STORE_OUTPUT;
}

static int fill_manager(rouse_manager *m, const rouse_manager_options *o, rouse_error *err)
{
    int code = find_program(o->shim, "ROUSE_SHIM", "rouse-shim", ROUSE_LIBEXECDIR "/rouse-shim", &m->shim, err);
    if (code == 0 && !(o->rouse && !*o->rouse))
        code = find_program(o->rouse, "ROUSE_PROGRAM", "rouse", ROUSE_BINDIR "/rouse", &m->rouse, err);
    if (code < 0)
        return code;
    m->asker = strdup(o->asker ? o->asker : "user");
    m->waits = waits_new(m);
    m->spares = o->spare_supervisors > 0 ? spares_new(o->spare_supervisors) : NULL;
    if (!m->asker || !m->waits || (o->spare_supervisors > 0 && !m->spares))
        return rouse_fail_memory(err);
    m->output_cap = find_output_cap(o->output_cap);
    m->limits = (rouse_limits){
        .per_thread = o->limits.per_thread,
        .per_tree = o->limits.per_tree ? o->limits.per_tree : LIMIT_TREE,
        .per_store = o->limits.per_store,
        .per_queue = o->limits.per_queue < LIMIT_LIST ? o->limits.per_queue : LIMIT_LIST,
        .per_thread_of_calls = o->limits.per_thread_of_calls ? o->limits.per_thread_of_calls : LIMIT_CALL_TASKS,
        .per_parent = o->limits.per_parent ? o->limits.per_parent : LIMIT_CHILDREN,
        .depth = o->limits.depth ? o->limits.depth : LIMIT_DEPTH,
    };
    m->interrupted = o->interrupted;
    m->userdata = o->userdata;
    code = open_tasks(m, err);
    if (code == 0)
        code = register_keys(m->store, err);
    if (code == 0)
        code = rouse_store_on_prune(m->store, task_forget, m, err);
    if (code == 0)
        code = owner_take(m, err);
    return code == 0 ? runtime_new(m, err) : code;
}

int rouse_manager_new(rouse_store *store, const rouse_manager_options *options, rouse_manager **ret_manager,
                      rouse_error *err)
{
    rouse_manager *m = calloc(1, sizeof *m);
    if (!m)
        return rouse_fail_memory(err);
    m->store = store;
    m->platform = rouse_store_platform(store);
    m->tasks = m->owners = m->owner_lock = -1;
    m->bell = -1;
    m->notes_seen = -1;
    pthread_mutex_init(&m->owner_guard, NULL);
    read_boot(m);
    int code = fill_manager(m, options ? options : &(rouse_manager_options){0}, err);
    if (code == 0 && !(options && options->no_recovery))
        code = rouse_task_recover(m, NULL, err);
    if (code >= 0 && !(options && options->no_recovery))
        code = agenda_run(m, true, NULL, err);
    if (code < 0) {
        rouse_manager_free(m);
        return code;
    }
    *ret_manager = m;
    return 0;
}

void rouse_manager_free(rouse_manager *manager)
{
    if (!manager)
        return;
    waits_free(manager->waits);
    rouse_store_on_prune(manager->store, NULL, manager, NULL);
    runtime_free(manager);
    spares_free(manager->spares);
    owner_release(manager);
    pthread_mutex_destroy(&manager->owner_guard);
    fd_close(&manager->tasks);
    fd_close(&(int){manager->bell});
    free(manager->shim);
    free(manager->rouse);
    free(manager->asker);
    free(manager);
}

rouse_store *rouse_manager_store(rouse_manager *manager)
{
    return manager->store;
}
