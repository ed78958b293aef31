/* The commits that move a run. Each is whole or not at all, and refused when somebody else wrote the thread meanwhile. */
#include "agent/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lifecycle.h"
#include "agent/phase.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/lookup.h"
#include "base/platform.h"
#include "json/jfields.h"
#include "state/apply.h"
#include "task/event.h"

#define CUT_OFF "Execution failed: the run ended before this call was made or its result was stored"

uint64_t run_now(const struct run *r)
{
    return r->agent->platform->now_ms(r->agent->platform->userdata);
}

bool run_is_interrupted(const struct run *r)
{
    const rouse_agent_options *o = &r->agent->options;
    return o->interrupted && o->interrupted(o->userdata);
}

void run_tell(const struct run *r, const rouse_agent_event *event)
{
    if (r->agent->options.event)
        r->agent->options.event(event, r->agent->options.userdata);
}

void run_tell_text(const struct run *r, rouse_agent_event_kind kind, const char *text)
{
    run_tell(r, &(rouse_agent_event){.kind = kind, .text = text, .len = strlen(text)});
}

static int refuse_second_writer(const struct run *r, rouse_error *err)
{
    return rouse_fail(err, ROUSE_ECONFLICT, "another process is writing thread '%s'", r->agent->options.thread);
}

/* ---- opening ---- */

/* One file per thread, held while this process writes it. The commits are fenced by the conversation's length as well; the
 * lock is there so that the second process is told before it has asked a model anything, and the first is not disturbed. */
static int take_lock(struct run *r, rouse_error *err)
{
    struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/agents", rouse_store_path(r->agent->store));
    int code = buf_check(&path, err);
    if (code == 0)
        code = fd_make_dirs(buf_text(&path), err);
    buf_addf(&path, "/%016llx.lock", (unsigned long long)lookup_hash(r->agent->options.thread));
    if (code == 0)
        code = buf_check(&path, err);
    if (code == 0) {
        r->lock = open(buf_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (r->lock < 0)
            code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot lock thread '%s'", r->agent->options.thread);
        else if (flock(r->lock, LOCK_EX | LOCK_NB) < 0)
            code = refuse_second_writer(r, err);
    }
    buf_done(&path);
    return code;
}

struct record { /* the part of a run's record that a continuation needs */
    uint64_t steps, input_tokens, output_tokens, created_at;
};

static const struct jfield record_rows[] = {
    {.name = "steps", .type = JFIELD_U64, .offset = offsetof(struct record, steps)},
    {.name = "input_tokens", .type = JFIELD_U64, .offset = offsetof(struct record, input_tokens)},
    {.name = "output_tokens", .type = JFIELD_U64, .offset = offsetof(struct record, output_tokens)},
    {.name = "created_at", .type = JFIELD_U64, .offset = offsetof(struct record, created_at)},
};
static const struct jfields record_fields = {.rows = record_rows, .count = sizeof record_rows / sizeof *record_rows};

static const char *known_status(const char *status)
{
    static const char *const known[] = {"created", "waiting"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(status, known[i]) == 0)
            return known[i];
    return "running";
}

static int continue_run(struct run *r, const rouse_run *last, rouse_error *err)
{
    struct record record = {0};
    rouse_snapshot *snapshot = NULL;
    int code = jfields_decode(&record_fields, last->json, strlen(last->json), NULL, &record, err);
    if (code < 0)
        return rouse_fail_context(err, code, "run '%s'", last->id);
    r->id = arena_text(&r->arena, last->id, strlen(last->id));
    if (!r->id)
        return rouse_fail_memory(err);
    r->status = known_status(last->status);
    r->reason = strcmp(r->status, "waiting") == 0 ? "awaiting_tasks" : NULL;
    r->steps = record.steps;
    r->input_tokens = record.input_tokens;
    r->output_tokens = record.output_tokens;
    r->started_at = record.created_at;
    code = rouse_store_snapshot(r->agent->store, r->agent->options.thread, r->id, &snapshot, err);
    if (code < 0)
        return code;
    const rouse_lifecycle *lifecycle = rouse_snapshot_get(snapshot, &rouse_lifecycle_key, NULL);
    if (lifecycle)
        r->steps = lifecycle->step_count;
    rouse_snapshot_unref(snapshot);
    return 0;
}

static int new_run(struct run *r, rouse_error *err)
{
    char id[37];
    int code = platform_uuid7(r->agent->platform, id, err);
    if (code < 0)
        return code;
    r->id = arena_text(&r->arena, id, strlen(id));
    if (!r->id)
        return rouse_fail_memory(err);
    r->is_new = true;
    r->status = "created";
    r->started_at = run_now(r) / 1000;
    return 0;
}

/* COMPAT B141, B142: a run that waits, or was cut off, is continued. */
static int choose_run(struct run *r, rouse_error *err)
{
    rouse_run *last = NULL;
    int code = rouse_store_last_run(r->agent->store, r->agent->options.thread, &last, err);
    if (code == ROUSE_ENOTFOUND)
        return new_run(r, err);
    if (code < 0)
        return code;
    code = strcmp(last->status, "done") == 0 ? new_run(r, err) : continue_run(r, last, err);
    rouse_run_free(last);
    return code;
}

int run_open(struct run *r, rouse_agent *agent, rouse_error *err)
{
    *r = (struct run){.agent = agent, .lock = -1};
    r->injections = calloc(agent->options.n_plugins + 1, sizeof *r->injections);
    int code = r->injections ? take_lock(r, err) : rouse_fail_memory(err);
    if (code == 0)
        code = history_load(&r->history, agent->store, agent->options.thread, err);
    if (code == 0)
        code = choose_run(r, err);
    if (code < 0)
        run_close(r);
    return code;
}

void run_close(struct run *r)
{
    if (!r->agent)
        return;
    for (size_t i = 0; r->injections && i < r->agent->options.n_plugins; i++) {
        free(r->injections[i].last);
        free(r->injections[i].next);
    }
    free(r->injections);
    history_done(&r->history);
    arena_done(&r->arena);
    fd_close(&r->lock);
    *r = (struct run){0};
}

/* ---- committing ---- */

static void add_text(struct buf *out, const char *name, const char *text)
{
    jtext_add_name(out, name);
    jtext_add_string(out, text, strlen(text));
}

static void add_number(struct buf *out, const char *name, uint64_t number)
{
    jtext_add_name(out, name);
    buf_addf(out, "%llu", (unsigned long long)number);
}

/* COMPAT B135, B153. */
static char *record_text(const struct run *r, uint64_t steps, const char *status, rouse_error *err)
{
    const rouse_agent_options *o = &r->agent->options;
    struct buf out = BUF_INIT(LIMIT_JSON);
    buf_addc(&out, '{');
    add_text(&out, "run_id", r->id);
    add_text(&out, "thread_id", o->thread);
    add_text(&out, "agent_id", o->agent_id);
    if (o->task_id)
        add_text(&out, "parent_task_id", o->task_id);
    add_number(&out, "created_at", r->started_at);
    add_number(&out, "updated_at", run_now(r) / 1000);
    add_number(&out, "steps", steps);
    add_number(&out, "input_tokens", r->input_tokens);
    add_number(&out, "output_tokens", r->output_tokens);
    if (strcmp(status, "waiting") == 0)
        buf_adds(&out, ",\"waiting\":{\"reason\":\"background_tasks\",\"message\":\"awaiting_tasks\"}");
    buf_addc(&out, '}');
    char *text = buf_take(&out, err);
    buf_done(&out);
    return text;
}

static int move(rouse_batch *batch, enum lifecycle_move to, const char *text, uint64_t now, rouse_error *err)
{
    void *update = lifecycle_update(to, text, now);
    return update ? rouse_batch_add(batch, &rouse_lifecycle_key, update, err) : rouse_fail_memory(err);
}

static int add_moves(const struct run *r, const struct transition *t, rouse_batch *batch, rouse_error *err)
{
    uint64_t now = run_now(r);
    int code = 0;
    if (r->is_new)
        code = move(batch, LIFECYCLE_START, r->id, now, err);
    if (code == 0 && t->step)
        code = move(batch, LIFECYCLE_STEP, NULL, now, err);
    if (code < 0 || !t->status)
        return code;
    if (strcmp(t->status, "running") == 0)
        return move(batch, LIFECYCLE_RUNNING, NULL, now, err);
    return move(batch, strcmp(t->status, "done") == 0 ? LIFECYCLE_DONE : LIFECYCLE_WAITING, t->reason, now, err);
}

struct letters { /* the messages of a commit, as the store and as the history take them */
    rouse_message *messages;
    char (*ids)[37];
    char **texts;
    size_t count;
};

static void letters_done(struct letters *l)
{
    for (size_t i = 0; l->texts && i < l->count; i++)
        free(l->texts[i]);
    free(l->texts);
    free(l->ids);
    free(l->messages);
}

static int letters_write(struct letters *l, const struct run *r, const struct transition *t, rouse_error *err)
{
    l->messages = calloc(t->n_messages + 1, sizeof *l->messages);
    l->texts = calloc(t->n_messages + 1, sizeof *l->texts);
    l->ids = calloc(t->n_messages + 1, sizeof *l->ids);
    if (!l->messages || !l->texts || !l->ids)
        return rouse_fail_memory(err);
    for (; l->count < t->n_messages; l->count++) {
        size_t i = l->count;
        struct message m = t->messages[i];
        int code = platform_uuid7(r->agent->platform, l->ids[i], err);
        if (code < 0)
            return code;
        m.id = l->ids[i];
        l->texts[i] = message_encode(&m, err);
        if (!l->texts[i])
            return ROUSE_ENOMEM;
        l->messages[i] = (rouse_message){.id = l->ids[i], .run = r->id, .role = m.role, .json = l->texts[i]};
    }
    return 0;
}

/* The store says "conflict" for several reasons; that the conversation grew is the one to tell. */
static int explain_conflict(const struct run *r, rouse_error *err)
{
    rouse_messages *messages = NULL;
    int code = rouse_store_messages(r->agent->store, r->agent->options.thread, r->history.last_seq, 1, &messages, NULL);
    bool grew = code == 0 && rouse_messages_count(messages) > 0;
    if (code == 0)
        rouse_messages_free(messages);
    return grew ? refuse_second_writer(r, err) : ROUSE_ECONFLICT;
}

static int store_transition(struct run *r, const struct transition *t, rouse_batch *batch, const char *record,
                            const struct letters *letters, rouse_error *err)
{
    const char *status = t->status ? t->status : r->status;
    const char *reason = t->status ? t->reason : r->reason;
    const rouse_run run = {.id = r->id, .status = status, .status_reason = reason, .json = record};
    rouse_commit commit = {.thread = r->agent->options.thread,
                           .run = r->id,
                           .batch = batch,
                           .messages = letters->messages,
                           .n_messages = letters->count,
                           .check_messages = true,
                           .messages_after = r->history.last_seq,
                           .acks = t->acks,
                           .n_acks = t->n_acks,
                           .run_record = &run};
    int code = rouse_store_commit(r->agent->store, &commit, NULL, err);
    if (code == ROUSE_ECONFLICT)
        code = explain_conflict(r, err);
    if (code < 0)
        return code;
    r->is_new = false;
    r->status = status;
    r->reason = reason;
    r->steps += t->step;
    for (size_t i = 0; code >= 0 && i < letters->count; i++)
        code = history_append(&r->history, letters->texts[i], r->id, err);
    return code < 0 ? code : 0;
}

int run_commit(struct run *r, const struct transition *t, rouse_error *err)
{
    struct letters letters = {0};
    char *record = NULL;
    rouse_batch *own = t->batch ? NULL : rouse_batch_new();
    rouse_batch *batch = t->batch ? t->batch : own;
    int code = batch ? add_moves(r, t, batch, err) : rouse_fail_memory(err);
    if (code == 0)
        code = letters_write(&letters, r, t, err);
    if (code == 0) {
        record = record_text(r, r->steps + t->step, t->status ? t->status : r->status, err);
        code = record ? store_transition(r, t, batch, record, &letters, err) : ROUSE_ENOMEM;
    }
    free(record);
    letters_done(&letters);
    rouse_batch_free(own);
    return code;
}

bool run_is_stale(const struct transition *t, int code)
{
    uint64_t base;
    return code == ROUSE_ECONFLICT && t->batch && batch_base(t->batch, &base);
}

/* ---- feeding ---- */

/* An event that cannot be read must not stop its thread for ever: it is told as what it is. */
static int event_text(struct buf *out, const rouse_event *event, rouse_error *err)
{
    int code = event_add_message(out, event->json, strlen(event->json), err);
    if (code != ROUSE_EDATA && code != ROUSE_ELIMIT)
        return code < 0 ? code : 0;
    buf_reset(out);
    buf_addf(out,
             "<background-task-event kind=\"event\" task_id=\"unknown\">\n{\"error\":\"event %llu of the inbox is "
             "unreadable\"}\n"
             "</background-task-event>",
             (unsigned long long)event->id);
    return buf_check(out, err);
}

struct mail { /* the messages and acknowledgements of one commit */
    struct message messages[LIMIT_INBOX_BATCH + 1];
    uint64_t acks[LIMIT_INBOX_BATCH];
    size_t n_events, n_messages;
    struct arena arena;
};

static int mail_add(struct mail *mail, const rouse_event *event, rouse_error *err)
{
    struct buf text = BUF_INIT(LIMIT_TEXT);
    int code = event_text(&text, event, err);
    const char *kept = code == 0 ? arena_text(&mail->arena, buf_text(&text), text.len) : NULL;
    buf_done(&text);
    if (code < 0 || !kept)
        return code < 0 ? code : rouse_fail_memory(err);
    mail->acks[mail->n_events++] = event->id;
    mail->messages[mail->n_messages++] = (struct message){.role = "user", .text = kept, .machine = true};
    return 0;
}

static int commit_mail(struct run *r, const struct mail *mail, rouse_error *err)
{
    struct transition t = {
        .messages = mail->messages, .n_messages = mail->n_messages, .acks = mail->acks, .n_acks = mail->n_events};
    if (strcmp(r->status, "running") != 0)
        t.status = "running";
    int code = run_commit(r, &t, err);
    for (size_t i = 0; code == 0 && i < mail->n_events; i++)
        run_tell_text(r, ROUSE_AGENT_INBOX, mail->messages[i].text);
    return code;
}

/* One page of the inbox. *ret_last: there is no further one. */
static int feed_page(struct run *r, const char *prompt, size_t *count, bool *ret_last, rouse_error *err)
{
    rouse_events *events = NULL;
    int code = rouse_store_inbox(r->agent->store, r->agent->options.thread, 0, false, LIMIT_INBOX_BATCH, &events, err);
    if (code < 0)
        return code;
    struct mail *mail = calloc(1, sizeof *mail);
    size_t n = rouse_events_count(events);
    *ret_last = n < LIMIT_INBOX_BATCH;
    code = mail ? 0 : rouse_fail_memory(err);
    for (size_t i = 0; code == 0 && i < n; i++)
        code = mail_add(mail, rouse_events_at(events, i), err);
    if (code == 0 && *ret_last && prompt)
        mail->messages[mail->n_messages++] = (struct message){.role = "user", .text = prompt};
    if (code == 0 && mail->n_messages > 0) {
        *count += mail->n_messages;
        code = commit_mail(r, mail, err);
    }
    if (mail)
        arena_done(&mail->arena);
    free(mail);
    rouse_events_free(events);
    return code;
}

int run_feed(struct run *r, const char *prompt, size_t *ret_count, rouse_error *err)
{
    bool last = false;
    size_t count = 0;
    int code = 0;
    while (code == 0 && !last)
        code = feed_page(r, prompt, &count, &last, err);
    if (code == 0)
        *ret_count = count;
    return code;
}

/* ---- finishing ---- */

int run_finish(struct run *r, const char *reason, rouse_error *err)
{
    struct message answers[LIMIT_TOOL_CALLS];
    struct transition t = {.messages = answers, .status = "done", .reason = reason};
    const struct history_item *reply = history_last_reply(&r->history, r->id);
    for (size_t i = 0; reply && i < reply->message.n_calls && t.n_messages < LIMIT_TOOL_CALLS; i++) {
        const char *id = reply->message.calls[i].id;
        if (!history_is_answered(&r->history, reply, id))
            answers[t.n_messages++] = (struct message){.role = "tool", .text = CUT_OFF, .tool_call_id = id};
    }
    int code = phase_commit(r, ROUSE_RUN_END, &t, err);
    if (code < 0 && strcmp(r->status, "done") != 0)
        run_commit(r, &t, NULL); /* a RunEnd hook must not keep a run from ending; its error is the one to report */
    return code;
}
