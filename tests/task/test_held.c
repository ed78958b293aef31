/* What a command is started with that begins later, or again, under another runtime than the one that was asked: every option, a
 * row each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rouse/work.h"
#include "support/check.h"
#include "support/scene.h"
#include "task/manager.h"

static const char *const env[] = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "WORD=kept", NULL};
static const char *writable[] = {NULL, NULL}; /* the scene's directory */

static const struct row {
    const char *what, *line;
    const char *prints;   /* among its output, or NULL */
    const char *ended_by; /* default "self" */
    const char *spec;     /* stands in spec.json, or NULL */
    rouse_task_spec ask;
    rouse_process process;
    bool sandboxed;
} rows[] = {
    {"environment", "echo $WORD", "kept\n", .process = {0}},
    {"directory", "pwd", "/usr\n", .ask = {.cwd = "/usr"}},
    {"no input", "read x || echo none", "none\n", .process = {.input = ROUSE_INPUT_NONE}},
    {"input", "test -p /dev/stdin && echo pipe", "pipe\n", .process = {.input = ROUSE_INPUT_PIPE}},
    {"terminal", "stty size", "33 99\r\n", .process = {.input = ROUSE_INPUT_TTY, .rows = 33, .columns = 99}},
    {"umask", "umask", "0027\n", .process = {.has_umask = true, .umask = 027}},
    {"umask of 0", "umask", "0000\n", .process = {.has_umask = true}},
    {"cpu", "ulimit -t", "7\n", .process = {.cpu_seconds = 7}},
    {"memory", "ulimit -v", "262144\n", .process = {.memory_bytes = 256 << 20}},
    {"files", "ulimit -n", "64\n", .process = {.files = 64}},
    {"nice", "echo nice $(nice)", "nice 1", .process = {.nice = 12}},
    {"tree", "(sleep 0.1; echo late) &", "late\n", .process = {.wait_tree = true}},
    {"kept output", "head -c 3000000 /dev/zero | tr '\\0' x", NULL, .spec = "\"tail_bytes\":65536",
     .process = {.head_bytes = 4096, .tail_bytes = 65536}},
    {"ready", "echo up; while test ! -e $(dirname $ROUSE_STORE)/go; do sleep 0.01; done", "up\n", .ask = {.ready_when = "^up$"}},
    {"timeout", "sleep 600", NULL, "deadline", .ask = {.timeout_ms = 100}},
    {"idle timeout", "sleep 600", NULL, "idle", .ask = {.idle_timeout_ms = 100}},
    {"grace", "true", NULL, .spec = "\"grace_ms\":77", .ask = {.grace_ms = 77}},
    {"thread of a sub-agent", "echo $ROUSE_THREAD", "t/bg_", .ask = {.sub_agent = true}},
    {"sandbox", "touch /usr/x 2>/dev/null || echo read-only", "read-only\n", .process = {.sandbox = true, .writable = writable},
     .sandboxed = true},
    {"writable", "touch $(dirname $ROUSE_STORE)/w && echo wrote", "wrote\n", .process = {.sandbox = true, .writable = writable},
     .sandboxed = true},
    {"no network", "grep -c : /proc/net/dev", "1\n", .process = {.sandbox = true, .no_network = true, .writable = writable},
     .sandboxed = true},
};

static rouse_task *start(struct scene *s, const struct row *row, bool later)
{
    static const char *const after[] = {"gate", NULL};
    char line[512];
    const char *argv[] = {"sh", "-c", line, NULL};
    rouse_task_spec spec = row->ask;
    rouse_task *gate, *task;
    snprintf(line, sizeof line, "%s", row->line);
    spec.thread = "t";
    spec.argv = argv;
    spec.env = env;
    spec.process = &row->process;
    if (later) {
        const rouse_task_spec external = {.thread = "t", .kind = ROUSE_KIND_EXTERNAL, .name = "gate"};
        assert_works(rouse_task_start(s->manager, &external, &gate, &err));
        rouse_task_free(gate);
        spec.after = after;
    } else { /* its first attempt fails before it comes to the line; who records that begins the second */
        snprintf(line, sizeof line, "test -e %s/again || { : >%s/again; exit 1; }; %s", s->dir, s->dir, row->line);
        spec.retry = (rouse_retry){.max_attempts = 2, .backoff_ms = 1};
    }
    assert_works(rouse_task_start(s->manager, &spec, &task, &err));
    return task;
}

static void await_ready(struct scene *s, const char *id)
{
    char path[128];
    rouse_task_list *list;
    assert_works(rouse_task_wait(s->manager, &(rouse_wait){.ids = &id, .count = 1, .until = ROUSE_UNTIL_READY}, &list, &err));
    assert_true(rouse_task_list_at(list, 0)->ext.ready);
    rouse_task_list_free(list);
    snprintf(path, sizeof path, "%s/go", s->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static void check_output(struct scene *s, const struct row *row, const rouse_task *end)
{
    char text[4096] = "";
    uint64_t offset = 0;
    int n = rouse_task_read(s->manager, end->task_id, &offset, text, sizeof text - 1, NULL);
    if (row->prints && (n <= 0 || !strstr(text, row->prints)))
        fail_msg("%s: printed '%s' (%s)", row->what, text, end->error ? end->error : "no error");
    if (row->process.tail_bytes)
        assert_true(end->ext.output.size == 3000000 && end->ext.output.kept < 1000000);
}

static void check_spec(struct scene *s, const struct row *row, const char *id)
{
    char path[160], text[8192] = "";
    snprintf(path, sizeof path, "%s/tasks/%s/spec.json", s->path, id);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    if (!strstr(text, row->spec))
        fail_msg("%s: %s", row->what, text);
}

static void check_row(const struct row *row, bool later)
{
    struct scene s;
    print_message("# %s, %s\n", row->what, later ? "later" : "again");
    scene_init(&s);
    writable[0] = s.dir;
    rouse_task *task = start(&s, row, later);
    scene_close(&s);
    scene_open(&s);
    if (later)
        assert_works(rouse_task_complete(s.manager, "t", "gate", NULL, &err));
    if (row->ask.ready_when)
        await_ready(&s, task->task_id);
    rouse_task *end = scene_wait(&s, task->task_id);
    assert_int_equal(end->ext.plan ? end->ext.plan->attempt : 1, later ? 1 : 2);
    if (strcmp(end->ext.ended_by, row->ended_by ? row->ended_by : "self") != 0)
        fail_msg("%s: ended by %s: %s", row->what, end->ext.ended_by, end->error ? end->error : "");
    if (!row->ended_by && end->status != ROUSE_COMPLETED)
        fail_msg("%s: %s", row->what, end->error);
    check_output(&s, row, end);
    if (row->spec)
        check_spec(&s, row, task->task_id);
    rouse_task_free(end);
    rouse_task_free(task);
    scene_done(&s);
}

static void test_rows(void **state)
{
    bool sandbox = access("/usr/bin/bwrap", X_OK) == 0;
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        if (sandbox || !rows[i / 2].sandboxed)
            check_row(&rows[i / 2], i % 2 == 0);
    }
    if (!sandbox)
        print_message("# no sandbox here: its rows were left out\n");
}

/* Who comes when another has begun the task, and it has ended: what there is of the ending stays. */
static void test_who_comes_late(void **state)
{
    const struct row row = {.what = "late", .line = "echo kept", .prints = "kept\n"};
    struct scene s;
    char path[160];
    (void)state;
    scene_init(&s);
    rouse_task *seen = start(&s, &row, true);
    assert_works(rouse_task_complete(s.manager, "t", "gate", NULL, &err));
    rouse_task *end = scene_wait(&s, seen->task_id);
    rouse_error why = {0};
    assert_int_equal(process_begin(s.manager, "t", seen, &why), 0);
    check_output(&s, &row, end);
    snprintf(path, sizeof path, "%s/tasks/%s/exit", s.path, seen->task_id);
    assert_int_equal(access(path, F_OK), 0);
    rouse_task_free(scene_check_ended(&s, seen->task_id, ROUSE_COMPLETED));
    rouse_task_free(end);
    rouse_task_free(seen);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_who_comes_late)};
    return check_run(tests, NULL, NULL);
}
