/* COMPAT B89 to B96, B109: the seed's schema, checks and receipts. A failed receipt is a successful tool result. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/lookup.h"
#include "tools/tools.h"

struct recipient {
    const char *relation, *name, *thread_id, *agent_id;
};

struct args {
    struct jslice to;
    const char *message;
};

static const struct jfield recipient_rows[] = {
    {.name = "relation", .type = JFIELD_STRING, .offset = offsetof(struct recipient, relation)},
    {.name = "name", .type = JFIELD_STRING, .offset = offsetof(struct recipient, name)},
    {.name = "thread_id", .type = JFIELD_STRING, .offset = offsetof(struct recipient, thread_id)},
    {.name = "agent_id", .type = JFIELD_STRING, .offset = offsetof(struct recipient, agent_id)},
};
static const struct jfields recipient_fields = {.rows = recipient_rows, .count = 4};
static const struct jfield rows[] = {
    {.name = "to", .type = JFIELD_SLICE, .offset = offsetof(struct args, to)},
    {.name = "message", .type = JFIELD_STRING, .offset = offsetof(struct args, message)},
};
static const struct jfields fields = {.rows = rows, .count = 2};

static int read_recipient(const struct args *args, struct arena *arena, rouse_send *fill, rouse_error *err)
{
    struct recipient to = {0};
    if (!args->to.at || jtext_type(args->to) == JTYPE_NULL)
        return rouse_fail(err, ROUSE_EINVAL, "missing 'to'");
    int code = jfields_decode(&recipient_fields, args->to.at, args->to.len, arena, &to, err);
    if (code < 0)
        return rouse_fail_context(err, code, "'to'");
    if (!to.relation)
        return rouse_fail(err, ROUSE_EINVAL, "missing 'to.relation'");
    if (strcmp(to.relation, "parent") == 0) {
        fill->parent = true;
    } else if (strcmp(to.relation, "child") == 0) {
        if (!to.name || !to.name[0])
            return rouse_fail(err, ROUSE_EINVAL, "child requires 'name'");
        fill->child = to.name;
    } else if (strcmp(to.relation, "agent") == 0) {
        if (!to.thread_id || !to.thread_id[0])
            return rouse_fail(err, ROUSE_EINVAL, "agent requires 'thread_id'");
        fill->agent_thread = to.thread_id;
    } else {
        return rouse_fail(err, ROUSE_EINVAL, "unknown relation '%s'", to.relation);
    }
    return 0;
}

static int send_message(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err)
{
    struct arena arena = {0};
    struct args args = {0};
    rouse_send send = {.thread = call->thread, .from = call->agent_id};
    rouse_receipt receipt;
    char key[40]; /* the same call again is the same message */
    snprintf(key, sizeof key, "%016llx-%016llx", (unsigned long long)lookup_hash(call->thread),
             (unsigned long long)lookup_hash(call->call_id));
    send.key = key;
    int code = jfields_decode(&fields, arguments, strlen(arguments), &arena, &args, err);
    if (code == 0)
        code = read_recipient(&args, &arena, &send, err);
    if (code == 0 && !args.message)
        code = rouse_fail(err, ROUSE_EINVAL, "missing 'message'");
    send.text = args.message;
    if (code == 0)
        code = rouse_task_send(call->manager, &send, &receipt, err);
    struct buf out = BUF_INIT(LIMIT_JSON);
    if (code == 0) {
        buf_addc(&out, '{');
        tools_add_text(&out, "message_id", receipt.message_id);
        tools_add_text(&out, "status", receipt.error ? "failed" : "accepted");
        if (receipt.error)
            tools_add_text(&out, "error", receipt.error);
        buf_addc(&out, '}');
        *ret_result = buf_take(&out, err);
        code = *ret_result ? 0 : ROUSE_ENOMEM;
    }
    buf_done(&out);
    arena_done(&arena);
    return code;
}

const rouse_tool tool_send_message = {
    .name = "send_message",
    .description =
        "Sends a text to another agent: to the one that started this one, to a sub-agent this one started (by name or task id), "
        "or to another agent of the same tree by its thread. It is read at the recipient's next step.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{\"to\":{\"oneOf\":["
        "{\"type\":\"object\",\"properties\":{\"relation\":{\"const\":\"parent\"}},\"required\":[\"relation\"]},"
        "{\"type\":\"object\",\"properties\":{\"relation\":{\"const\":\"child\"},\"name\":{\"type\":\"string\"}},"
        "\"required\":[\"relation\",\"name\"]},"
        "{\"type\":\"object\",\"properties\":{\"relation\":{\"const\":\"agent\"},\"thread_id\":{\"type\":\"string\"},"
        "\"agent_id\":{\"type\":\"string\"}},\"required\":[\"relation\",\"thread_id\"]}]},"
        "\"message\":{\"type\":\"string\"}},\"required\":[\"to\",\"message\"]}",
    .repeatable = true,
    .call = send_message,
};
