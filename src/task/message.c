/* Messages between agents (COMPAT section 11). A message is an event in the recipient's inbox, so it is as durable as an ending and
 * is told once. Who may write to whom is decided by records, never by what a thread is called: a thread is a sub-agent's when the
 * task in its name exists, in the thread before it, and is a sub-agent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/platform.h"
#include "base/utf8.h"
#include "json/jfields.h"
#include "task/event.h"
#include "task/manager.h"
#include "task/message.h"

#define EVENT_TYPE "agent_message"

/* ---- what was sent: a map of the recipient's thread, so that a message sent again is found ---- */

struct sent {
    const char *entry; /* of an update only; behind the struct */
    char message_id[37];
    uint64_t at_ms;
};

struct sent_form {
    const char *message_id;
    uint64_t sent_at_ms;
};

static const struct jfield sent_rows[] = {
    {.name = "message_id", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct sent_form, message_id)},
    {.name = "sent_at_ms", .type = JFIELD_U64, .need = JFIELD_REQUIRED, .offset = offsetof(struct sent_form, sent_at_ms)},
};
static const struct jfields sent_fields = {.rows = sent_rows, .count = 2};

static struct sent *sent_new(const char *entry, const char *message_id, uint64_t at_ms)
{
    size_t len = entry ? strlen(entry) + 1 : 0;
    struct sent *sent = calloc(1, sizeof *sent + len);
    if (!sent)
        return NULL;
    if (entry)
        sent->entry = memcpy(sent + 1, entry, len);
    snprintf(sent->message_id, sizeof sent->message_id, "%s", message_id);
    sent->at_ms = at_ms;
    return sent;
}

static int sent_reduce(rouse_edit *edit, const void *update, rouse_error *err)
{
    const struct sent *sent = update;
    const void *old;
    int code = rouse_edit_get(edit, sent->entry, &old, err);
    if (code < 0)
        return code;
    if (old)
        return rouse_fail(err, ROUSE_ECONFLICT, "message already sent");
    struct sent *value = sent_new(NULL, sent->message_id, sent->at_ms);
    return value ? rouse_edit_put(edit, sent->entry, value, err) : rouse_fail_memory(err);
}

static char *sent_encode(const void *value, rouse_error *err)
{
    const struct sent *sent = value;
    struct buf out = BUF_INIT(0);
    buf_addf(&out, "{\"message_id\":\"%s\",\"sent_at_ms\":%llu}", sent->message_id, (unsigned long long)sent->at_ms);
    char *json = buf_take(&out, err);
    buf_done(&out);
    return json;
}

static int sent_decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    struct arena arena = {0};
    struct sent_form form = {0};
    (void)entry;
    int code = jfields_decode(&sent_fields, json, len, &arena, &form, err);
    struct sent *sent = code == 0 ? sent_new(NULL, form.message_id, form.sent_at_ms) : NULL;
    arena_done(&arena);
    if (code == 0 && !sent)
        code = rouse_fail_memory(err);
    if (code == 0)
        *ret_value = sent;
    return code;
}

static void sent_index(const void *value, rouse_index *fill)
{
    (void)value;
    fill->live = false; /* never part of what a resume loads */
}

const rouse_key message_key = {
    .name = "rouse.messages",
    .shape = ROUSE_SHAPE_MAP,
    .scope = ROUSE_SCOPE_THREAD,
    .transient = true,
    .reduce = sent_reduce,
    .encode = sent_encode,
    .decode = sent_decode,
    .release = free,
    .index = sent_index,
    .release_update = free,
};
ROUSE_KEY_TYPED(message, message_key, struct sent, struct sent);

/* ---- who is whose parent ---- */

static bool is_sub_agent(const rouse_task *task)
{
    return (task->has_ext && task->ext.kind && strcmp(task->ext.kind, "sub_agent") == 0) ||
           strcmp(task->task_type, "sub_agent") == 0;
}

/* The task that thread is the agent of: 1 with *ret_task (rouse_task_free) and the length of its owner's name, 0 when the thread is
 * nobody's. */
static int parent_of(rouse_manager *m, const char *thread, rouse_task **ret_task, size_t *ret_owner_len, rouse_error *err)
{
    const char *slash = strrchr(thread, '/');
    char owner[LIMIT_THREAD_NAME + 1];
    if (!slash || slash == thread || !task_is_id(slash + 1) || (size_t)(slash - thread) > LIMIT_THREAD_NAME)
        return 0;
    size_t len = (size_t)(slash - thread);
    memcpy(owner, thread, len);
    owner[len] = '\0';
    int code = task_load(m, owner, slash + 1, ret_task, err);
    if (code == ROUSE_ENOTFOUND)
        return 0;
    if (code < 0)
        return code;
    if (!is_sub_agent(*ret_task)) {
        rouse_task_free(*ret_task);
        return 0;
    }
    *ret_owner_len = len;
    return 1;
}

/* The thread at the top of its tree. */
static int root_of(rouse_manager *m, const char *thread, char root[LIMIT_THREAD_NAME + 1], rouse_error *err)
{
    snprintf(root, LIMIT_THREAD_NAME + 1, "%s", thread);
    for (;;) {
        rouse_task *task;
        size_t len;
        int code = parent_of(m, root, &task, &len, err);
        if (code <= 0)
            return code;
        rouse_task_free(task);
        root[len] = '\0'; /* shorter each time */
    }
}

/* ---- where a message goes ---- */

struct route {
    char thread[LIMIT_THREAD_NAME + LIMIT_TASK_ID + 2]; /* the recipient's */
    char task_id[LIMIT_LINEAGE_ID + 1];                 /* of the child: the recipient, or who writes to its parent; or "" */
};

/* why and word are put one behind the other. */
static int refuse(rouse_receipt *receipt, const char *error, const char *why, const char *word)
{
    receipt->error = error;
    snprintf(receipt->detail, sizeof receipt->detail, "%s%s", why, word);
    return 0;
}

/* A sub-agent whose run is over reads nothing any more, though its process is not gone yet (COMPAT B88). One that is tried again
 * is about to begin another run. */
static int check_reads(rouse_manager *m, const rouse_task *task, const char *thread, rouse_receipt *receipt, rouse_error *err)
{
    rouse_run *run;
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    int code = plan && plan->max_attempts > 1 ? ROUSE_ENOTFOUND : rouse_store_last_run(m->store, thread, &run, err);
    if (code < 0)
        return code == ROUSE_ENOTFOUND ? 0 : code;
    if (strcmp(run->status, "done") == 0)
        refuse(receipt, "recipient_unavailable", "sub-agent inbox closed", "");
    rouse_run_free(run);
    return 0;
}

/* COMPAT B88, B91, B95 */
static int route_to_child(rouse_manager *m, const rouse_send *send, struct route *fill, rouse_receipt *receipt, rouse_error *err)
{
    rouse_task *task;
    int code = rouse_task_get(m, send->thread, send->child, &task, err);
    if (code == ROUSE_ENOTFOUND)
        return refuse(receipt, "recipient_not_found", "task not found", "");
    if (code < 0)
        return code;
    if (strcmp(task->owner_thread_id, send->thread) != 0)
        refuse(receipt, "permission_denied", "caller does not own this task", "");
    else if (rouse_status_is_terminal(task->status))
        refuse(receipt, "recipient_unavailable", "task already ", rouse_status_text(task->status));
    else if (!is_sub_agent(task))
        refuse(receipt, "recipient_unavailable", "task has no inbox (not a sub-agent)", "");
    snprintf(fill->thread, sizeof fill->thread, "%s/%s", send->thread, task->task_id);
    snprintf(fill->task_id, sizeof fill->task_id, "%s", task->task_id);
    code = receipt->error ? 0 : check_reads(m, task, fill->thread, receipt, err);
    rouse_task_free(task);
    return code;
}

static int route_to_parent(rouse_manager *m, const rouse_send *send, struct route *fill, rouse_receipt *receipt, rouse_error *err)
{
    rouse_task *task;
    size_t len;
    int code = parent_of(m, send->thread, &task, &len, err);
    if (code == 0)
        return refuse(receipt, "recipient_unavailable", "this agent has no parent", "");
    if (code < 0)
        return code;
    snprintf(fill->thread, sizeof fill->thread, "%.*s", (int)len, send->thread);
    snprintf(fill->task_id, sizeof fill->task_id, "%s", task->task_id);
    rouse_task_free(task);
    return 0;
}

/* An agent reaches those of its own tree (DEFECTS 23). */
static int route_to_agent(rouse_manager *m, const rouse_send *send, struct route *fill, rouse_receipt *receipt, rouse_error *err)
{
    char ours[LIMIT_THREAD_NAME + 1], theirs[LIMIT_THREAD_NAME + 1];
    rouse_task *task;
    size_t len;
    if (strlen(send->agent_thread) > LIMIT_THREAD_NAME)
        return refuse(receipt, "recipient_not_found", "no such thread", "");
    int code = root_of(m, send->thread, ours, err);
    if (code == 0)
        code = root_of(m, send->agent_thread, theirs, err);
    if (code < 0)
        return code;
    if (strcmp(ours, theirs) != 0)
        return refuse(receipt, "permission_denied", "the thread is of another tree of agents", "");
    code = parent_of(m, send->agent_thread, &task, &len, err);
    if (code < 0)
        return code;
    if (code == 1) {
        if (rouse_status_is_terminal(task->status))
            refuse(receipt, "recipient_unavailable", "task already ", rouse_status_text(task->status));
        snprintf(fill->task_id, sizeof fill->task_id, "%s", task->task_id);
        rouse_task_free(task);
    }
    snprintf(fill->thread, sizeof fill->thread, "%s", send->agent_thread);
    return 0;
}

/* ---- sending ---- */

static int check_send(const rouse_send *send, rouse_error *err)
{
    if (!send->thread || !send->text)
        return rouse_fail(err, ROUSE_EINVAL, "a message needs a thread and a text");
    if ((send->child != NULL) + send->parent + (send->agent_thread != NULL) != 1)
        return rouse_fail(err, ROUSE_EINVAL, "a message needs one recipient: a child, the parent or an agent's thread");
    size_t len = strlen(send->text);
    if (len > LIMIT_MESSAGE_TEXT)
        return rouse_fail(err, ROUSE_ELIMIT, "a message has at most %u bytes, not %zu", LIMIT_MESSAGE_TEXT, len);
    if (!utf8_is_valid(send->text, len) || (send->from && !utf8_is_valid(send->from, strlen(send->from))))
        return rouse_fail(err, ROUSE_EINVAL, "the message is not valid UTF-8");
    if (send->from && strlen(send->from) > LIMIT_LINEAGE_ID)
        return rouse_fail(err, ROUSE_ELIMIT, "a sender's name has at most %d bytes", LIMIT_LINEAGE_ID);
    if (send->key && (!*send->key || strlen(send->key) > LIMIT_ENTRY_NAME))
        return rouse_fail(err, ROUSE_EINVAL, "a message's key has 1 to %d bytes", LIMIT_ENTRY_NAME);
    return 0;
}

static void add_member(struct buf *out, const char *name, const char *text)
{
    jtext_add_name(out, name);
    jtext_add_string(out, text, strlen(text));
}

/* COMPAT B89, and the id by which a message that comes twice is known. */
static int build_event(const rouse_send *send, const struct route *route, const char *message_id, struct buf *event,
                       rouse_error *err)
{
    struct buf payload = BUF_INIT(0);
    buf_addc(&payload, '{');
    add_member(&payload, "content", send->text);
    add_member(&payload, "from", send->from ? send->from : "user");
    add_member(&payload, "message_id", message_id);
    buf_addc(&payload, '}');
    int code = buf_check(&payload, err);
    if (code == 0) {
        event_add_custom(event, route->task_id, EVENT_TYPE, buf_text(&payload));
        code = buf_check(event, err);
    }
    buf_done(&payload);
    return code;
}

/* The id under which a message with this key was sent before. */
static int sent_before(rouse_manager *m, const char *thread, const char *entry, rouse_receipt *receipt, rouse_error *err)
{
    rouse_rows *rows;
    int code = rouse_store_list(m->store, &message_key, &(rouse_query){.thread = thread, .entry = entry, .limit = 1}, &rows, err);
    if (code < 0)
        return code;
    if (rouse_rows_count(rows) == 1) {
        const struct sent *sent = rouse_rows_at(rows, 0, NULL, NULL);
        memcpy(receipt->message_id, sent->message_id, sizeof receipt->message_id);
    } else {
        code = rouse_fail(err, ROUSE_ECONFLICT, "the message was taken back meanwhile; try again");
    }
    rouse_rows_free(rows);
    return code;
}

static int deliver(rouse_manager *m, const rouse_send *send, const struct route *route, rouse_receipt *receipt, rouse_error *err)
{
    char id[37];
    struct buf event = BUF_INIT(0);
    rouse_error why = {0};
    int code = platform_uuid7(m->platform, id, err);
    if (code == 0)
        code = build_event(send, route, id, &event, err);
    rouse_batch *batch = code == 0 ? rouse_batch_new() : NULL;
    if (code == 0 && !batch)
        code = rouse_fail_memory(err);
    const char *entry = send->key ? send->key : id;
    if (code == 0)
        code = message_add(batch, sent_new(entry, id, manager_now(m)), err);
    if (code == 0) {
        rouse_post post = {.thread = route->thread, .task_id = route->task_id, .json = buf_text(&event),
                           .topic = ROUSE_TOPIC_MESSAGE};
        rouse_commit commit = {.thread = route->thread, .batch = batch, .posts = &post, .n_posts = 1};
        code = rouse_store_commit(m->store, &commit, NULL, &why);
        if (code == ROUSE_ECONFLICT)
            code = sent_before(m, route->thread, entry, receipt, err);
        else if (code == 0)
            memcpy(receipt->message_id, id, sizeof id);
        else
            rouse_fail(err, code, "%s", why.message);
    }
    rouse_batch_free(batch);
    buf_done(&event);
    return code;
}

/* DEFECTS 33: who does not read does not make the store grow without end. */
static int check_room(rouse_manager *m, const struct route *route, rouse_receipt *receipt, rouse_error *err)
{
    rouse_events *events;
    int code = rouse_store_inbox(m->store, route->thread, 0, false, LIMIT_UNREAD, &events, err);
    if (code < 0)
        return code;
    if (rouse_events_count(events) == LIMIT_UNREAD)
        refuse(receipt, "recipient_unavailable", "its inbox is full of unread events", "");
    rouse_events_free(events);
    return 0;
}

int rouse_task_send(rouse_manager *manager, const rouse_send *send, rouse_receipt *fill, rouse_error *err)
{
    struct route route = {0};
    rouse_receipt receipt = {0};
    int code = check_send(send, err);
    if (code == 0 && send->child)
        code = route_to_child(manager, send, &route, &receipt, err);
    else if (code == 0 && send->parent)
        code = route_to_parent(manager, send, &route, &receipt, err);
    else if (code == 0)
        code = route_to_agent(manager, send, &route, &receipt, err);
    if (code == 0 && !receipt.error)
        code = check_room(manager, &route, &receipt, err);
    if (code == 0 && !receipt.error)
        code = deliver(manager, send, &route, &receipt, err);
    if (code == 0)
        *fill = receipt;
    return code;
}

/* ---- dead letters: messages whose recipient ended before it read them ---- */

struct letter_payload {
    const char *from, *content, *message_id;
};

static const struct jfield payload_rows[] = {
    {.name = "from", .type = JFIELD_STRING, .offset = offsetof(struct letter_payload, from)},
    {.name = "content", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct letter_payload, content)},
    {.name = "message_id", .type = JFIELD_STRING, .offset = offsetof(struct letter_payload, message_id)},
};
static const struct jfields payload_fields = {.rows = payload_rows, .count = 3};

struct recovery {
    rouse_manager *m;
    const char *thread; /* whose children's; NULL = everybody's */
    enum rouse_recover action;
    struct buf *out;
    size_t count;
};

/* 1 when the event is a message to a sub-agent that has ended: then *ret_task is that one, and its owner's name. */
static int is_dead(struct recovery *r, const rouse_event *event, struct arena *arena, struct letter_payload *fill,
                   rouse_task **ret_task, char owner[LIMIT_THREAD_NAME + 1], rouse_error *err)
{
    struct event e;
    size_t len;
    if (event_decode(event->json, strlen(event->json), arena, &e, NULL) < 0 || e.kind != EVENT_CUSTOM ||
        strcmp(e.event_type, EVENT_TYPE) != 0)
        return 0;
    *fill = (struct letter_payload){.from = "", .message_id = ""};
    if (jfields_decode(&payload_fields, e.value, strlen(e.value), arena, fill, NULL) < 0)
        return 0;
    int code = parent_of(r->m, event->thread, ret_task, &len, err);
    if (code <= 0)
        return code;
    snprintf(owner, LIMIT_THREAD_NAME + 1, "%.*s", (int)len, event->thread);
    /* What a child wrote to its own parent is in the parent's inbox; here it is the recipient that counts. */
    bool dead = rouse_status_is_terminal((*ret_task)->status) && (!r->thread || strcmp(r->thread, owner) == 0);
    if (!dead)
        rouse_task_free(*ret_task);
    return dead;
}

static void list_letter(struct recovery *r, const rouse_event *event, const struct letter_payload *payload, const rouse_task *task)
{
    char why[64];
    snprintf(why, sizeof why, "task already %s", rouse_status_text(task->status));
    if (r->count > 0)
        buf_addc(r->out, ',');
    buf_addc(r->out, '{');
    add_member(r->out, "message_id", payload->message_id);
    add_member(r->out, "recipient_thread_id", event->thread);
    jtext_add_name(r->out, "recipient_agent_id");
    buf_adds(r->out, "null");
    add_member(r->out, "error", why);
    buf_addc(r->out, '}');
}

/* Takes the letter out of the dead inbox and, when to is given, puts it into that agent's: one transaction. */
static int move_letter(struct recovery *r, const rouse_event *event, const struct letter_payload *payload, const char *owner,
                       const rouse_task *to, rouse_error *err)
{
    struct buf json = BUF_INIT(0);
    struct route route = {0};
    rouse_post post = {.thread = route.thread, .task_id = route.task_id, .topic = ROUSE_TOPIC_MESSAGE};
    rouse_commit commit = {.thread = event->thread, .acks = &event->id, .n_acks = 1};
    int code = 0;
    if (to) {
        const rouse_send send = {.text = payload->content, .from = payload->from};
        snprintf(route.thread, sizeof route.thread, "%s/%s", owner, to->task_id);
        snprintf(route.task_id, sizeof route.task_id, "%s", to->task_id);
        code = build_event(&send, &route, payload->message_id, &json, err);
        post.json = buf_text(&json);
        commit.posts = &post;
        commit.n_posts = 1;
    }
    if (code == 0)
        code = rouse_store_commit(r->m->store, &commit, NULL, err);
    buf_done(&json);
    return code;
}

/* To whoever has the recipient's name now; without one it stays where it is. */
static int replay_letter(struct recovery *r, const rouse_event *event, const struct letter_payload *payload, const char *owner,
                         const rouse_task *task, rouse_error *err)
{
    rouse_task *heir = NULL;
    if (!task->name)
        return 0;
    int code = rouse_task_get(r->m, owner, task->name, &heir, err);
    if (code == ROUSE_ENOTFOUND)
        return 0;
    if (code < 0)
        return code;
    bool can = !rouse_status_is_terminal(heir->status) && is_sub_agent(heir) && strcmp(heir->owner_thread_id, owner) == 0;
    code = can ? move_letter(r, event, payload, owner, heir, err) : 0;
    rouse_task_free(heir);
    return code < 0 ? code : can;
}

static int clear_letter(struct recovery *r, const rouse_event *event, rouse_error *err)
{
    int code = move_letter(r, event, NULL, NULL, NULL, err);
    return code < 0 ? code : 1;
}

static int recover_one(struct recovery *r, const rouse_event *event, rouse_error *err)
{
    struct arena arena = {0};
    struct letter_payload payload;
    rouse_task *task = NULL;
    char owner[LIMIT_THREAD_NAME + 1];
    int code = is_dead(r, event, &arena, &payload, &task, owner, err);
    if (code > 0) {
        if (r->action == ROUSE_RECOVER_LIST)
            list_letter(r, event, &payload, task);
        else if (r->action == ROUSE_RECOVER_REPLAY)
            code = replay_letter(r, event, &payload, owner, task, err);
        else
            code = clear_letter(r, event, err);
        r->count += code > 0;
        rouse_task_free(task);
    }
    arena_done(&arena);
    return code == ROUSE_ECONFLICT ? 0 : code; /* somebody else took it meanwhile */
}

static int recover_all(struct recovery *r, rouse_error *err)
{
    uint64_t after = 0;
    size_t n;
    do {
        rouse_events *events;
        int code = rouse_store_topic(r->m->store, NULL, ROUSE_TOPIC_MESSAGE, after, 0, &events, err);
        if (code < 0)
            return code;
        n = rouse_events_count(events);
        for (size_t i = 0; i < n && code >= 0; i++) {
            after = rouse_events_at(events, i)->id;
            code = recover_one(r, rouse_events_at(events, i), err);
        }
        rouse_events_free(events);
        if (code < 0)
            return code;
    } while (n == LIMIT_LIST);
    return 0;
}

int rouse_message_recover(rouse_manager *manager, const char *thread, enum rouse_recover action, char **ret_json, rouse_error *err)
{
    static const char *const names[] = {"list", "replay", "clear"};
    if (action < ROUSE_RECOVER_LIST || action > ROUSE_RECOVER_CLEAR)
        return rouse_fail(err, ROUSE_EINVAL, "unknown action %d", (int)action);
    struct buf messages = BUF_INIT(0), out = BUF_INIT(0);
    struct recovery r = {.m = manager, .thread = thread, .action = action, .out = &messages};
    int code = recover_all(&r, err);
    if (code == 0)
        code = buf_check(&messages, err);
    if (code == 0) {
        buf_addf(&out, "{\"action\":\"%s\",\"count\":%zu", names[action], r.count);
        if (action == ROUSE_RECOVER_LIST)
            buf_addf(&out, ",\"messages\":[%s]", buf_text(&messages));
        buf_addc(&out, '}');
        char *json = buf_take(&out, err);
        code = json ? 0 : out.failed;
        if (json)
            *ret_json = json;
    }
    buf_done(&messages);
    buf_done(&out);
    return code;
}
