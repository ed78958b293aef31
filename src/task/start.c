/* Starting a process task.
 *
 * Order, each step safe to be killed after (src/proc/README.md has the table):
 *   directory made and lock taken → spec.json → row committed → supervisor started with the lock → lock closed here.
 * The lock is held without a gap from before the row can be seen until the supervisor ends, so whoever sees a running row
 * with a free lock knows that the task is over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "json/jtext.h"
#include "task/held.h"
#include "task/hoard.h"
#include "task/spares.h"
#include "task/plan.h"
#include "task/process.h"
#include "task/record.h"
#include "task/work.h"

#define TOKEN_BYTES 16
#define ENSURE_TRIES 100 /* names whose holder has ended between the start that it refused and the look at it */

struct start {
    rouse_manager *manager;
    const rouse_task_spec *spec;
    char id[LIMIT_TASK_ID + 1];
    char token[2 * TOKEN_BYTES + 1];
    char description[LIMIT_DESCRIPTION + 1];
    struct buf words;    /* argv, fit for a record: NUL-separated */
    const char **argv;   /* into words */
    rouse_task record;   /* borrows all of the above */
    struct planned planned;
    rouse_batch *batch;
    int dir, lock;
};

static int check_argv(const char *const *argv, size_t *ret_argc, rouse_error *err)
{
    if (!argv || !argv[0] || !*argv[0])
        return rouse_fail(err, ROUSE_EINVAL, "no command given");
    size_t argc = 0;
    size_t bytes = 0;
    for (; argv[argc]; argc++) {
        bytes += strlen(argv[argc]) + 1;
        if (argc >= LIMIT_ARGC || bytes > LIMIT_ARGV_BYTES)
            return rouse_fail(err, ROUSE_ELIMIT, "command line has more than %d words or %u bytes", LIMIT_ARGC,
                              LIMIT_ARGV_BYTES);
    }
    *ret_argc = argc;
    return 0;
}

/* The words as they are written down: any bytes may be run, but a record holds UTF-8. */
static int copy_words(struct start *s, size_t argc, rouse_error *err)
{
    s->argv = calloc(argc + 1, sizeof *s->argv);
    if (!s->argv)
        return rouse_fail_memory(err);
    size_t total = 0;
    for (size_t i = 0; i < argc; i++)
        total += strlen(s->spec->argv[i]) + 1;
    if (!buf_reserve(&s->words, total))
        return buf_check(&s->words, err);
    for (size_t i = 0; i < argc; i++) {
        size_t len = strlen(s->spec->argv[i]);
        char *at = s->words.data + s->words.len;
        if (utf8_is_valid(s->spec->argv[i], len))
            memcpy(at, s->spec->argv[i], len + 1);
        else
            utf8_copy_printable(at, len + 1, s->spec->argv[i]);
        s->argv[i] = at;
        s->words.len += len + 1;
    }
    return 0;
}

/* The description given, or the command line, cut. */
static int describe(struct start *s, rouse_error *err)
{
    const char *given = s->spec->description;
    if (given) {
        size_t len = strlen(given);
        if (len > LIMIT_DESCRIPTION)
            return rouse_fail(err, ROUSE_ELIMIT, "description is longer than %d bytes", LIMIT_DESCRIPTION);
        if (!utf8_is_valid(given, len))
            return rouse_fail(err, ROUSE_EINVAL, "description is not valid UTF-8");
        memcpy(s->description, given, len + 1);
        return 0;
    }
    size_t used = 0;
    for (size_t i = 0; s->argv[i] && used < 120; i++) {
        if (i > 0)
            s->description[used++] = ' ';
        utf8_copy_printable(s->description + used, 160 - used, s->argv[i]);
        used += strlen(s->description + used);
    }
    size_t cut = utf8_cut(s->description, used, 120);
    if (cut < used)
        memcpy(s->description + cut, "…", sizeof "…");
    return 0;
}

static int check_spec(const rouse_manager *m, const rouse_task_spec *spec, rouse_error *err)
{
    int code = task_check_texts(spec, err);
    if (code == 0)
        code = task_check_text("ready pattern", spec->ready_when, LIMIT_LINE, err);
    if (code == 0)
        code = task_check_text("working directory", spec->cwd, LIMIT_LINE, err);
    if (code == 0 && (spec->run || spec->function))
        code = rouse_fail(err, ROUSE_EINVAL, "a process task has a command, not a body");
    if (code < 0)
        return code;
    if (m->tasks < 0)
        return rouse_fail(err, ROUSE_EUNSUPPORTED, "a store in memory cannot have process tasks; open one in a directory");
    if (!m->shim || access(m->shim, X_OK) != 0)
        return rouse_fail(err, ROUSE_ENOTFOUND, "cannot find the supervisor '%s'; set ROUSE_SHIM to its path",
                          m->shim ? m->shim : "rouse-shim");
    return 0;
}

static int make_token(struct start *s, rouse_error *err)
{
    unsigned char bytes[TOKEN_BYTES];
    const rouse_platform *p = s->manager->platform;
    if (p->random(p->userdata, bytes, sizeof bytes) != 0)
        return rouse_fail(err, ROUSE_EIO, "no randomness for a task's token");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(s->token + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static void fill_record(struct start *s)
{
    const rouse_task_spec *spec = s->spec;
    uint64_t now = manager_now(s->manager);
    s->record = (rouse_task){
        .task_id = s->id,
        .owner_thread_id = spec->thread,
        .task_type = spec->task_type ? spec->task_type : spec->sub_agent ? "sub_agent" : "shell",
        .name = spec->name,
        .description = s->description,
        .status = ROUSE_RUNNING,
        .created_at_ms = now,
        .parent = spec->parent,
        .has_ext = true,
        .ext = {.kind = spec->sub_agent ? "sub_agent" : "process",
                .argv = s->argv,
                .cwd = spec->cwd,
                .exit_code = -1,
                .deadline_ms = spec->timeout_ms ? now + spec->timeout_ms : 0,
                .ready_when = spec->ready_when,
                .session = spec->session,
                .reads = process_input_text(spec->process)},
    };
    plan_fill(&s->planned, &s->record);
}

static bool begins_again(const struct planned *p)
{
    return p->waits || p->plan.max_attempts > 1;
}

/* At a start nobody sees the directory yet; at another beginning the new one takes the old one's place at once. */
static int put_spec(int dir, const struct buf *b, bool again, rouse_error *err)
{
    if (again)
        return fd_write_file(dir, "spec.json", b->data, b->len, false, err);
    FD_AUTO int fd = openat(dir, "spec.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 && fd_write_all(fd, b->data, b->len) == 0 ? 0 : rouse_fail_errno(err, ROUSE_EIO, errno, "cannot write 'spec.json'");
}

static int write_spec(struct start *s, bool again, rouse_error *err)
{
    struct buf b = BUF_INIT(0);
    char *record = rouse_task_encode(&s->record, err);
    if (!record)
        return ROUSE_ENOMEM;
    buf_addf(&b, "{\"v\":1,\"token\":\"%s\",\"boot\":\"%s\",\"timeout_ms\":%llu,\"idle_timeout_ms\":%llu,\"grace_ms\":%llu,\"task\":",
             s->token, s->manager->boot, (unsigned long long)s->spec->timeout_ms, (unsigned long long)s->spec->idle_timeout_ms,
             (unsigned long long)s->spec->grace_ms);
    buf_adds(&b, record);
    if (begins_again(&s->planned))
        held_add(&b, s->spec);
    buf_adds(&b, "}\n");
    free(record);
    int code = buf_check(&b, err);
    if (code == 0)
        code = put_spec(s->dir, &b, again, err);
    buf_done(&b);
    return code;
}

/* Runs inside the store's transaction: the id exists, nobody sees it yet. */
static int prepare(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    struct start *s = userdata;
    int tasks = s->manager->tasks;
    task_id_of(number, s->id);
    int code = proc_create(tasks, s->id, &s->dir, &s->lock, err);
    if (code == ROUSE_ECONFLICT) {
        /* Left by a start that failed or died before its row was committed: the number was then not used up. */
        code = proc_remove(tasks, s->id, err);
        if (code == 0)
            code = proc_create(tasks, s->id, &s->dir, &s->lock, err);
    }
    if (code < 0)
        return code;
    manager_at(s->manager, STEP_DIRECTORY);
    code = write_spec(s, false, err);
    if (code < 0)
        return code;
    manager_at(s->manager, STEP_SPEC);
    rouse_task_update *update = rouse_task_upsert(&s->record);
    code = update ? rouse_task_state_add(s->batch, update, err) : rouse_fail_memory(err);
    if (code == 0)
        code = plan_add(&s->planned, s->batch, s->id, err);
    commit->batch = s->batch;
    return code;
}

static int commit_record(struct start *s, rouse_error *err)
{
    s->batch = rouse_batch_new();
    if (!s->batch)
        return rouse_fail_memory(err);
    rouse_commit commit = {.thread = s->spec->thread, .prepare = prepare, .userdata = s};
    /* When it fails the number goes to the next start, which may have begun already: the directory is its to replace. */
    return rouse_store_commit(s->manager->store, &commit, NULL, err);
}

static bool is_ours(const char *variable)
{
    static const char *const ours[] = {"ROUSE_TASK=", "ROUSE_TASK_TOKEN=", "ROUSE_THREAD=", "ROUSE_STORE="};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (strncmp(variable, ours[i], strlen(ours[i])) == 0)
            return true;
    }
    return false;
}

/* The caller's variables without any of ours, then ours. ours: store and thread texts that the result borrows. */
static const char **make_environment(const char *const *given, const char *store, const char *thread)
{
    size_t n = 0;
    while (given && given[n])
        n++;
    const char **env = calloc(n + 3, sizeof *env);
    size_t used = 0;
    for (size_t i = 0; env && i < n; i++) {
        if (!is_ours(given[i]))
            env[used++] = given[i];
    }
    if (env) {
        env[used++] = store;
        env[used] = thread;
    }
    return env;
}

static int launch(struct start *s, pid_t *ret_command, rouse_error *err)
{
    rouse_manager *m = s->manager;
    const char *path = rouse_store_path(m->store);
    struct buf store = BUF_INIT(0), thread = BUF_INIT(0), bell = BUF_INIT(0);
    buf_addf(&store, "ROUSE_STORE=%s", path);
    buf_addf(&thread, s->spec->sub_agent ? "ROUSE_THREAD=%s/%s" : "ROUSE_THREAD=%s", s->spec->thread, s->id);
    buf_addf(&bell, "%s/bell", path);
    const char **env = make_environment(s->spec->env, buf_text(&store), buf_text(&thread));
    const char *reaper[] = {m->rouse, "reap", "--store", path, s->id, NULL};
    struct proc_sandbox sandbox;
    struct proc_start start = {
        .shim = m->shim,
        .id = s->id,
        .argv = s->spec->argv,
        .env = env,
        .cwd = s->spec->cwd,
        .reaper = m->rouse ? reaper : NULL,
        .bell = buf_text(&bell),
        .token = s->token,
        .timeout_ms = s->spec->timeout_ms,
        .idle_timeout_ms = s->spec->idle_timeout_ms,
        .grace_ms = s->spec->grace_ms ? s->spec->grace_ms : LIMIT_GRACE_MS,
        .ready_when = s->spec->ready_when,
        .session = s->spec->session,
        .durable = rouse_store_durability(m->store) == ROUSE_DURABLE_POWER,
    };
    process_fill(s->spec->process, &start, &sandbox);
    int line = -1;
    bool whole = env && !store.failed && !thread.failed && !bell.failed;
    if (whole && spares_take(m->spares, &line))
        start.line = &line;
    int code = whole ? proc_start(s->dir, s->lock, &start, ret_command, err) : rouse_fail_memory(err);
    spares_note(m->spares, s->id, line);
    free(env);
    buf_done(&store);
    buf_done(&thread);
    buf_done(&bell);
    return code;
}

/* The row is there: from here on every outcome is told by the record. */
static int run(struct start *s, rouse_error *err)
{
    rouse_manager *m = s->manager;
    pid_t command = 0;
    rouse_error why;
    manager_at(m, STEP_ROW);
    int started = launch(s, &command, &why);
    manager_at(m, STEP_SUPERVISOR);
    if (started < 0)
        return task_fail(m, s->spec->thread, &s->record, why.message, err);
    if (command > 0)
        return 0;
    int code = task_take_in(m, s->spec->thread, &s->record, err); /* could not be executed */
    return code < 0 ? code : 0;
}

static int prepare_start(struct start *s, rouse_error *err)
{
    size_t argc = 0;
    int code = check_spec(s->manager, s->spec, err);
    if (code == 0)
        code = check_argv(s->spec->argv, &argc, err);
    if (code == 0)
        code = process_check(s->spec->process, err);
    if (code == 0 && s->spec->ready_when)
        code = proc_check_pattern(s->spec->ready_when, err);
    if (code == 0)
        code = copy_words(s, argc, err);
    if (code == 0)
        code = describe(s, err);
    if (code == 0)
        code = make_token(s, err);
    if (code == 0)
        code = plan_prepare(s->manager, s->spec, &s->planned, err);
    if (code == 0 && begins_again(&s->planned))
        code = held_check(s->spec, err);
    return code;
}

/* The lock is taken before the commit that makes the row a running one, as at a start. */
static int begin_held(struct start *s, const rouse_task *task, const struct held *held, rouse_error *err)
{
    rouse_manager *m = s->manager;
    const rouse_task_spec spec = {
        .thread = s->spec->thread,
        .argv = (const char *const *)held->argv,
        .env = (const char *const *)held->env,
        .cwd = task->ext.cwd,
        .sub_agent = task->ext.kind && strcmp(task->ext.kind, "sub_agent") == 0,
        .timeout_ms = held->timeout_ms,
        .idle_timeout_ms = held->idle_timeout_ms,
        .grace_ms = held->grace_ms,
        .ready_when = task->ext.ready_when,
        .session = task->ext.session,
        .process = held->has_process ? &held->process : NULL,
    };
    rouse_task *begun;
    snprintf(s->id, sizeof s->id, "%s", task->task_id);
    snprintf(s->token, sizeof s->token, "%s", held->token);
    s->spec = &spec;
    s->record = *task;
    s->planned.waits = true;
    int code = write_spec(s, true, err); /* names this boot of the machine */
    if (code == 0)
        code = task_move(m, spec.thread, task, false, err);
    if (code <= 0)
        return code;
    code = task_load(m, spec.thread, s->id, &begun, err);
    if (code < 0)
        return code;
    s->record = *begun;
    code = run(s, err);
    rouse_task_free(begun);
    return code < 0 ? code : 1;
}

/* 1: it waits as it did when it was seen, and with its lock held nobody else can begin it. 0: another was faster; it may even have
 * ended, and what is in its directory is the ending. */
static int still_waits(rouse_manager *m, const char *thread, const rouse_task *seen, rouse_error *err)
{
    rouse_task *now;
    int code = task_load(m, thread, seen->task_id, &now, err);
    if (code < 0)
        return code;
    code = !rouse_status_is_terminal(now->status) && record_is_waiting(&now->ext) && now->ext.plan && seen->ext.plan &&
           now->ext.plan->attempt == seen->ext.plan->attempt;
    rouse_task_free(now);
    return code;
}

int process_begin(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err)
{
    struct start s = {.manager = m, .spec = &(rouse_task_spec){.thread = thread}, .dir = -1, .lock = -1};
    struct held held = {0};
    rouse_error why;
    if (!m->shim || m->tasks < 0)
        return 0; /* another runtime's to begin */
    int code = proc_relock(m->tasks, task->task_id, &s.dir, &s.lock, &why);
    if (code == ROUSE_ECONFLICT)
        return 0;
    int waits = code == 0 ? still_waits(m, thread, task, &why) : 1;
    if (waits <= 0) {
        fd_close(&s.lock);
        fd_close(&s.dir);
        return waits < 0 ? rouse_fail(err, waits, "%s", why.message) : 0;
    }
    if (code == 0)
        code = proc_clear(s.dir, task->task_id, &why);
    if (code == 0)
        code = held_read(s.dir, &held, &why);
    if (code == 0)
        code = begin_held(&s, task, &held, &why);
    else if (code != ROUSE_ENOMEM && task_fail(m, thread, task, why.message, &why) == 0)
        code = 1; /* what it was to run is not there any more */
    held_done(&held);
    fd_close(&s.lock);
    fd_close(&s.dir);
    return code < 0 ? rouse_fail(err, code, "%s", why.message) : code;
}

static int process_start(rouse_manager *manager, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err)
{
    struct start s = {.manager = manager, .spec = spec, .dir = -1, .lock = -1};
    int code = prepare_start(&s, err);
    if (code == 0) {
        fill_record(&s);
        code = commit_record(&s, err);
    }
    if (code == 0 && !s.planned.waits)
        code = run(&s, err);
    fd_close(&s.lock);
    fd_close(&s.dir);
    if (code == 0)
        code = plan_settle(&s.planned, err);
    if (code == 0)
        code = task_load(manager, spec->thread, s.id, ret_task, err);
    plan_done(&s.planned);
    hoard_trim(manager);
    rouse_batch_free(s.batch);
    buf_done(&s.words);
    free(s.argv);
    return code;
}

int rouse_task_start(rouse_manager *manager, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err)
{
    int code = plan_find_key(manager, spec, ret_task, err);
    if (code != 0)
        return code;
    rouse_error why = {0};
    code = spec->kind == ROUSE_KIND_PROCESS ? process_start(manager, spec, ret_task, &why) : work_start(manager, spec, ret_task, &why);
    if (code == ROUSE_ECONFLICT) { /* with the same key at the same time? */
        int found = plan_find_key(manager, spec, ret_task, err);
        if (found != 0)
            return found;
    }
    return code < 0 ? rouse_fail(err, code, "%s", why.message) : code;
}

int rouse_task_ensure(rouse_manager *manager, const rouse_task_spec *spec, rouse_task **ret_task, rouse_error *err)
{
    if (!spec->name)
        return rouse_fail(err, ROUSE_EINVAL, "what is to be ensured needs a name");
    for (int i = 0; i < ENSURE_TRIES; i++) {
        rouse_error why = {0};
        int code = rouse_task_start(manager, spec, ret_task, &why);
        if (code != ROUSE_ECONFLICT)
            return code < 0 ? rouse_fail(err, code, "%s", why.message) : code;
        rouse_task *task;
        code = rouse_task_get(manager, spec->thread, spec->name, &task, err);
        if (code < 0 && code != ROUSE_ENOTFOUND)
            return code;
        if (code == 0 && !rouse_status_is_terminal(task->status)) {
            *ret_task = task;
            return 1;
        }
        if (code == 0)
            rouse_task_free(task); /* it has ended since: start it */
    }
    return rouse_fail(err, ROUSE_ECONFLICT, "'%s' ends as soon as it is started; try again", spec->name);
}
