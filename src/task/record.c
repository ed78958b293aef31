#include "task/record.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

struct record {
    rouse_task task; /* first: a rouse_task handed out is its record */
    atomic_uint references;
    bool is_over;
    union {
        struct arena arena;
        rouse_task *under; /* is_over: whose texts it borrows */
    };
};

const char *const status_names[] = {"running", "completed", "failed", "cancelled", NULL};

const char *rouse_status_text(rouse_status status)
{
    return status >= ROUSE_RUNNING && status <= ROUSE_CANCELLED ? status_names[status] : "unknown";
}

bool rouse_status_is_terminal(rouse_status status)
{
    return status != ROUSE_RUNNING;
}

#define TEXT(type, member, need) {#member, JFIELD_STRING, JFIELD_##need, offsetof(type, member), 0, NULL, NULL}
#define VALUE(type, member, kind) {#member, JFIELD_##kind, JFIELD_OPTIONAL, offsetof(type, member), 0, NULL, NULL}
#define OBJECT(type, member, need, has, fields)                                                                        \
    {#member, JFIELD_OBJECT, JFIELD_##need, offsetof(type, member), has, NULL, &fields}
#define PLAN(member, kind) {#member, JFIELD_##kind, JFIELD_PART, offsetof(rouse_task_plan, member), 0, NULL, NULL}

static const struct jfield lineage_rows[] = {
    TEXT(rouse_lineage, task_id, OPTIONAL),
    TEXT(rouse_lineage, run_id, OPTIONAL),
    TEXT(rouse_lineage, call_id, OPTIONAL),
    TEXT(rouse_lineage, agent_id, OPTIONAL),
};
static const struct jfields lineage_fields = {.rows = lineage_rows, .count = 4};

static const struct jfield output_rows[] = {
    VALUE(rouse_output, size, U64),
    VALUE(rouse_output, kept, U64),
    VALUE(rouse_output, dropped, U64),
};
static const struct jfields output_fields = {.rows = output_rows, .count = 3};

const char *const after_if_names[] = {"succeeded", "ended", "failed", NULL};

static const struct jfield progress_rows[] = {
    VALUE(rouse_progress, done, U64),
    VALUE(rouse_progress, total, U64),
    TEXT(rouse_progress, message, OPTIONAL),
};
static const struct jfields progress_fields = {.rows = progress_rows, .count = 3};

static const struct jfield ext_rows[] = {
    TEXT(rouse_task_ext, kind, OPTIONAL),
    TEXT(rouse_task_ext, stage, OPTIONAL),
    VALUE(rouse_task_ext, argv, STRINGS),
    TEXT(rouse_task_ext, cwd, OPTIONAL),
    VALUE(rouse_task_ext, pid, I64),
    VALUE(rouse_task_ext, exit_code, INT),
    VALUE(rouse_task_ext, signal, INT),
    VALUE(rouse_task_ext, core, BOOL),
    TEXT(rouse_task_ext, ended_by, OPTIONAL),
    TEXT(rouse_task_ext, reason, OPTIONAL),
    VALUE(rouse_task_ext, deadline_ms, U64),
    TEXT(rouse_task_ext, ready_when, OPTIONAL),
    VALUE(rouse_task_ext, ready, BOOL),
    VALUE(rouse_task_ext, session, BOOL),
    TEXT(rouse_task_ext, reads, OPTIONAL),
    OBJECT(rouse_task_ext, output, OPTIONAL, offsetof(rouse_task_ext, has_output), output_fields),
    VALUE(rouse_task_ext, killed, U64),
    VALUE(rouse_task_ext, started_at_ms, U64),
    VALUE(rouse_task_ext, cpu_ms, U64),
    VALUE(rouse_task_ext, max_rss_kib, U64),
    PLAN(owner, STRING),
    PLAN(function, STRING),
    PLAN(input, RAW),
    PLAN(checkpoint, RAW),
    PLAN(after, STRINGS),
    {"after_if", JFIELD_ENUM, JFIELD_PART, offsetof(rouse_task_plan, after_if), 0, after_if_names, NULL},
    PLAN(dependents, STRINGS),
    PLAN(queue, STRING),
    PLAN(queue_limit, U64),
    PLAN(in_queue, BOOL),
    PLAN(priority, I64),
    PLAN(attempt, U64),
    PLAN(max_attempts, U64),
    PLAN(retry_on, U64),
    PLAN(backoff_ms, U64),
    PLAN(backoff_max_ms, U64),
    PLAN(due_ms, U64),
    PLAN(every_ms, U64),
    PLAN(fired, U64),
    PLAN(timeout_ms, U64),
    PLAN(idle_timeout_ms, U64),
    PLAN(grace_ms, U64),
    {"progress", JFIELD_OBJECT, JFIELD_PART, offsetof(rouse_task_plan, progress), offsetof(rouse_task_plan, has_progress), NULL,
     &progress_fields},
    PLAN(labels, STRINGS),
    PLAN(depth, U64),
    PLAN(events, U64),
};
static const struct jfields ext_fields = {
    .rows = ext_rows,
    .count = sizeof ext_rows / sizeof *ext_rows,
    .part_at = offsetof(rouse_task_ext, plan),
    .part_size = sizeof(rouse_task_plan),
};

#define SUMMARY_ROWS                                                                                                   \
    TEXT(rouse_task, task_id, REQUIRED),                                                                               \
    TEXT(rouse_task, task_type, REQUIRED),                                                                             \
    TEXT(rouse_task, description, REQUIRED),                                                                           \
    {"status", JFIELD_ENUM, JFIELD_REQUIRED, offsetof(rouse_task, status), 0, status_names, NULL},                     \
    TEXT(rouse_task, error, OPTIONAL),                                                                                 \
    {"result", JFIELD_RAW, JFIELD_OPTIONAL, offsetof(rouse_task, result), 0, NULL, NULL},                              \
    {"created_at_ms", JFIELD_U64, JFIELD_REQUIRED, offsetof(rouse_task, created_at_ms), 0, NULL, NULL},                \
    {"completed_at_ms", JFIELD_U64, JFIELD_OPTIONAL, offsetof(rouse_task, completed_at_ms),                            \
     offsetof(rouse_task, has_completed_at), NULL, NULL},                                                              \
    {"parent_context", JFIELD_OBJECT, JFIELD_DEFAULT, offsetof(rouse_task, parent), 0, NULL, &lineage_fields}

static const struct jfield summary_rows[] = {SUMMARY_ROWS};
static const struct jfields summary_fields = {.rows = summary_rows,
                                              .count = sizeof summary_rows / sizeof *summary_rows};

static const struct jfield record_rows[] = {
    SUMMARY_ROWS,
    TEXT(rouse_task, owner_thread_id, DEFAULT),
    TEXT(rouse_task, name, OPTIONAL),
    OBJECT(rouse_task, ext, OPTIONAL, offsetof(rouse_task, has_ext), ext_fields),
};
static const struct jfields record_fields = {.rows = record_rows, .count = sizeof record_rows / sizeof *record_rows};

/* more: bytes behind it. */
static struct record *record_new(size_t more)
{
    struct record *r = malloc(sizeof *r + more);
    if (!r)
        return NULL;
    r->task = (rouse_task){.owner_thread_id = "", .ext = {.exit_code = -1}};
    r->is_over = false;
    r->arena = (struct arena){0};
    atomic_init(&r->references, 1);
    return r;
}

rouse_task *record_share(rouse_task *task)
{
    struct record *r = (struct record *)(void *)task;
    atomic_fetch_add_explicit(&r->references, 1, memory_order_relaxed);
    return task;
}

void rouse_task_free(rouse_task *task)
{
    struct record *r = (struct record *)(void *)task;
    if (!r || atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) > 1)
        return;
    if (r->is_over)
        rouse_task_free(r->under); /* which is over none */
    else
        arena_done(&r->arena);
    free(r);
}

rouse_task *record_over(rouse_task *task)
{
    struct record *below = (struct record *)(void *)task, *r = record_new(0);
    if (!r)
        return NULL;
    r->task = *task;
    r->is_over = true;
    r->under = record_share(below->is_over ? below->under : task);
    return &r->task;
}

rouse_task *rouse_task_copy(const rouse_task *task)
{
    struct jfields_owned owned;
    jfields_gather(&record_fields, task, sizeof *task, &owned);
    struct record *r = record_new(owned.size);
    if (!r)
        return NULL;
    r->task = *task;
    jfields_own(&owned, r + 1, &r->task);
    return &r->task;
}

static int decode(const struct jfields *fields, const char *json, size_t len, rouse_task **ret_task, rouse_error *err)
{
    struct record *r = record_new(0);
    if (!r || arena_reserve(&r->arena, len) < 0) {
        free(r);
        return rouse_fail_memory(err);
    }
    int code = jfields_decode(fields, json, len, &r->arena, &r->task, err);
    if (code < 0) {
        rouse_task_free(&r->task);
        return code;
    }
    *ret_task = &r->task;
    return 0;
}

int rouse_task_decode(const char *json, size_t len, rouse_task **ret_task, rouse_error *err)
{
    return decode(&record_fields, json, len, ret_task, err);
}

int record_decode_summary(const char *json, size_t len, rouse_task **ret_task, rouse_error *err)
{
    return decode(&summary_fields, json, len, ret_task, err);
}

int lineage_decode(const char *json, size_t len, struct arena *arena, rouse_lineage *fill, rouse_error *err)
{
    rouse_lineage lineage = {0};
    int code = jfields_decode(&lineage_fields, json, len, arena, &lineage, err);
    if (code == 0)
        *fill = lineage;
    return code;
}

int status_decode(const char *json, size_t len, rouse_status *fill, rouse_error *err)
{
    static const struct jfield row = {"status", JFIELD_ENUM, JFIELD_REQUIRED, 0, 0, status_names, NULL};
    struct jslice value;
    int code = jtext_check(json, len, &value, err);
    return code < 0 ? code : jfield_read(&row, value, NULL, fill, err);
}

/* A store counts on from the largest number it has seen, so one that cannot be counted up from must not get in. */
int record_check_id(const char *task_id, rouse_error *err)
{
    if (strncmp(task_id, "bg_", 3) != 0)
        return 0;
    const char *digits = task_id + 3 + (task_id[3] == '+');
    size_t len = strspn(digits, "0123456789");
    uint64_t n = 0;
    if (len == 0 || digits[len] != '\0')
        return 0;
    if (jtext_u64((struct jslice){.at = digits, .len = len}, &n) && n <= LIMIT_TASK_NUMBER)
        return 0;
    return rouse_fail(err, ROUSE_EDATA, "the number of task id '%.60s' is too large", task_id);
}

bool lineage_is_empty(const rouse_lineage *lineage)
{
    return !lineage->task_id && !lineage->run_id && !lineage->call_id && !lineage->agent_id;
}
