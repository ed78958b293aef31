/* How a task ends: what its process left behind becomes one terminal record and one event, in one transaction. Whoever
 * notices first commits it; the reducer refuses a second ending, so everybody else's is no change. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/fd.h"
#include "base/limits.h"
#include "json/jtext.h"
#include "task/hoard.h"
#include "task/spares.h"
#include "task/record.h"
#include "task/work.h"

struct ending {
    char error[LIMIT_ERROR_TEXT];
    struct buf result;
};

/* The last lines of output as text, so that a small result needs no second look. */
static void add_output_tail(rouse_manager *m, const rouse_task *end, struct buf *out)
{
    char bytes[LIMIT_RESULT_TAIL];
    uint64_t size = end->ext.output.size;
    uint64_t offset = size > sizeof bytes ? size - sizeof bytes : 0;
    int n = size > 0 ? proc_output_read(m->tasks, end->task_id, &offset, bytes, sizeof bytes, NULL) : 0;
    struct buf text = BUF_INIT(0);
    if (n > 0)
        clean_text(&text, bytes, (size_t)n);
    const char *tail = buf_text(&text);
    size_t len = text.len;
    const char *line = offset > 0 ? memchr(tail, '\n', len) : NULL; /* the first line may be a piece of one */
    if (line && line + 1 < tail + len) {
        len -= (size_t)(line + 1 - tail);
        tail = line + 1;
    }
    buf_adds(out, ",\"output_tail\":");
    jtext_add_string(out, tail, len);
    buf_done(&text);
}

static void describe_failure(struct ending *e, const rouse_task *task, const struct proc_exit *exit)
{
    char reason[128];
    char *text = e->error;
    size_t size = sizeof e->error;
    if (exit->exec_errno != 0)
        snprintf(text, size, "cannot run '%s': %s", task->ext.argv ? task->ext.argv[0] : "",
                 strerror_r(exit->exec_errno, reason, sizeof reason));
    else if (strcmp(exit->ended_by, "deadline") == 0)
        snprintf(text, size, "deadline passed; its process tree was ended");
    else if (strcmp(exit->ended_by, "idle") == 0)
        snprintf(text, size, "wrote no output within its idle timeout; its process tree was ended");
    else if (exit->signal != 0)
        snprintf(text, size, "killed by signal %d (%s)%s", exit->signal, strsignal(exit->signal), exit->core ? ", core dumped" : "");
    else
        snprintf(text, size, "exit status %d", exit->exit_code);
}

static void fill_output(rouse_task *task, const struct proc_output *output)
{
    task->ext.has_output = true;
    task->ext.output = (rouse_output){.size = output->size, .kept = output->kept, .dropped = output->dropped};
}

/* end: a shallow copy of the running record, made into the terminal one. Borrows from e and look. */
static void end_by_exit(rouse_manager *m, rouse_task *end, const struct proc_look *look, struct ending *e)
{
    const struct proc_exit *exit = &look->exit;
    bool cancelled = exit->cancelled || strcmp(exit->ended_by, "parent") == 0;
    bool well = exit->exec_errno == 0 && exit->exit_code == 0 && exit->signal == 0 && strcmp(exit->ended_by, "self") == 0;
    fill_output(end, &look->output);
    end->completed_at_ms = exit->ended_at_ms;
    end->ext.exit_code = exit->exit_code;
    end->ext.signal = exit->signal;
    end->ext.ended_by = exit->ended_by;
    end->ext.reason = exit->reason[0] ? exit->reason : NULL;
    end->ext.killed = exit->killed;
    end->ext.core = exit->core;
    end->ext.started_at_ms = exit->started_at_ms;
    end->ext.cpu_ms = (exit->user_us + exit->system_us) / 1000;
    end->ext.max_rss_kib = exit->max_rss_kib;
    if (cancelled) {
        end->status = ROUSE_CANCELLED;
    } else if (well) {
        end->status = ROUSE_COMPLETED;
        buf_addf(&e->result, "{\"exit_code\":%d", exit->exit_code);
        add_output_tail(m, end, &e->result);
        buf_addc(&e->result, '}');
        end->result = buf_text(&e->result);
    } else {
        end->status = ROUSE_FAILED;
        describe_failure(e, end, exit);
        end->error = e->error;
    }
}

static void end_with_error(rouse_manager *m, rouse_task *end, const char *error, const char *ended_by)
{
    end->status = ROUSE_FAILED;
    end->error = error;
    end->completed_at_ms = manager_now(m);
    if (end->has_ext)
        end->ext.ended_by = ended_by;
}

/* 1 when this commit ended the task, or this attempt of it; 0 when it had ended already. */
static int commit_ending(rouse_manager *m, const char *thread, const rouse_task *seen, rouse_task *end, rouse_error *err)
{
    end->has_completed_at = true;
    end->ext.stage = NULL;
    const struct task_end how = {
        .status = end->status,
        .result = end->result,
        .error = end->error,
        .ended_by = end->has_ext ? end->ext.ended_by : NULL,
        .record = end,
    };
    int code = task_end(m, thread, seen, &how, err);
    if (code > 0)
        hoard_add(m, end->task_id, end->ext.has_output ? end->ext.output.kept : 0);
    return code > 0 ? 1 : code;
}

/* Of a task whose directory, or what it says, was removed, anything may still run, its supervisor too: nobody could see or end it. */
static uint64_t sweep_unseen(rouse_manager *m, const char *id)
{
    char task[LIMIT_TASK_ID + 16];
    struct buf store = BUF_INIT(0);
    uint64_t killed = 0;
    snprintf(task, sizeof task, "ROUSE_TASK=%s", id);
    buf_addf(&store, "ROUSE_STORE=%s", rouse_store_path(m->store));
    if (!store.failed)
        proc_sweep_all((const char *const[]){task, buf_text(&store), NULL}, &killed, NULL);
    buf_done(&store);
    return killed;
}

/* What a dead supervisor's command left running carries the task's token, which only its spec.json knows. */
static uint64_t sweep_survivors(rouse_manager *m, const char *id)
{
    char name[LIMIT_TASK_ID + 16];
    char token[64], boot[PROC_BOOT_SIZE];
    struct buf spec = BUF_INIT(LIMIT_JSON);
    uint64_t killed = 0;
    snprintf(name, sizeof name, "%s/spec.json", id);
    if (fd_read_file(m->tasks, name, LIMIT_JSON, &spec, NULL) == 0 &&
        jtext_member_text(buf_text(&spec), spec.len, "token", token, sizeof token)) {
        bool known = jtext_member_text(buf_text(&spec), spec.len, "boot", boot, sizeof boot);
        proc_sweep(token, known ? boot : NULL, &killed, NULL);
    } else {
        killed = sweep_unseen(m, id);
    }
    buf_done(&spec);
    return killed;
}

int task_end_seen(rouse_manager *m, const char *thread, const rouse_task *task, const struct proc_look *look, rouse_error *err)
{
    manager_at(m, STEP_SEEN);
    struct ending e = {.result = BUF_INIT(0)};
    rouse_task end = *task;
    if (look->state == PROC_ENDED) {
        end_by_exit(m, &end, look, &e);
    } else {
        /* An imported id may name no task of here: of one without a directory nothing is read. */
        bool lost = look->state == PROC_LOST;
        end.ext.killed = lost ? sweep_survivors(m, task->task_id) : m->tasks >= 0 ? sweep_unseen(m, task->task_id) : 0;
        end_with_error(m, &end, TASK_ORPHAN_TEXT, "runtime");
        if (lost && end.has_ext)
            fill_output(&end, &look->output);
    }
    int code = buf_check(&e.result, err);
    if (code == 0)
        code = commit_ending(m, thread, task, &end, err);
    manager_at(m, STEP_COMMITTED);
    if (code >= 0 && look->state == PROC_ENDED && !spares_settle(m->spares, task->task_id))
        proc_settle(m->tasks, task->task_id);
    buf_done(&e.result);
    return code;
}

int task_take_in(rouse_manager *m, const char *thread, const rouse_task *task, rouse_error *err)
{
    struct proc_look look;
    if (!task_is_process(task))
        return work_take_in(m, thread, task, err);
    if (record_is_waiting(&task->ext))
        return 0;
    int code = proc_look(m->tasks, task->task_id, &look, err);
    return code < 0 || look.state == PROC_ALIVE ? code : task_end_seen(m, thread, task, &look, err);
}

int task_fail(rouse_manager *m, const char *thread, const rouse_task *task, const char *error, rouse_error *err)
{
    rouse_task end = *task;
    end_with_error(m, &end, error, "runtime");
    int code = commit_ending(m, thread, task, &end, err);
    return code < 0 ? code : 0;
}

/* One page of rows: takes in what has ended, returns how many. *ret_rows: the size of the page; last: its last entry. */
static int take_in_rows(rouse_manager *m, const rouse_query *query, size_t *ret_rows, char last[LIMIT_LINEAGE_ID + 1],
                        rouse_error *err)
{
    rouse_rows *rows = NULL;
    int code = rouse_store_list(m->store, &rouse_task_state_key, query, &rows, err);
    int taken = 0;
    *ret_rows = code < 0 ? 0 : rouse_rows_count(rows);
    for (size_t i = 0; code >= 0 && i < *ret_rows; i++) {
        const char *thread, *entry;
        const rouse_task *task = rouse_rows_at(rows, i, &thread, &entry);
        snprintf(last, LIMIT_LINEAGE_ID + 1, "%s", entry);
        code = rouse_status_is_terminal(task->status) ? 0 : task_take_in(m, thread, task, err);
        taken += code > 0;
    }
    rouse_rows_free(rows);
    return code < 0 ? code : taken;
}

int rouse_task_reap(rouse_manager *manager, const char *task_id, rouse_error *err)
{
    size_t rows;
    char last[LIMIT_LINEAGE_ID + 1];
    int code = take_in_rows(manager, &(rouse_query){.entry = task_id}, &rows, last, err);
    return code == 0 && rows == 0 ? rouse_fail(err, ROUSE_ENOTFOUND, "no task '%s'", task_id) : code;
}

int rouse_task_recover(rouse_manager *manager, const char *thread, rouse_error *err)
{
    rouse_query query = {.thread = thread, .live_only = true};
    char before[LIMIT_LINEAGE_ID + 1];
    char last[LIMIT_LINEAGE_ID + 1] = "";
    size_t rows;
    int taken = 0;
    do {
        int code = take_in_rows(manager, &query, &rows, last, err);
        if (code < 0)
            return code;
        taken += code;
        memcpy(before, last, sizeof before);
        query.before = before;
    } while (rows == LIMIT_LIST);
    return taken;
}
