#include "agent/history.h"

#include <stdlib.h>
#include <string.h>

static int add(struct history *h, const char *json, const char *run, uint64_t seq, rouse_error *err)
{
    if (h->count == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        struct history_item *items = realloc(h->items, cap * sizeof *items);
        if (!items)
            return rouse_fail_memory(err);
        h->items = items;
        h->cap = cap;
    }
    struct history_item *item = &h->items[h->count];
    item->json = arena_text(&h->arena, json, strlen(json));
    item->run = arena_text(&h->arena, run, strlen(run));
    if (!item->json || !item->run)
        return rouse_fail_memory(err);
    int code = message_decode(item->json, strlen(item->json), &h->arena, &item->message, err);
    if (code < 0)
        return rouse_fail_context(err, code, "message %llu of the conversation", (unsigned long long)seq);
    h->count++;
    h->last_seq = seq;
    return 0;
}

int history_load(struct history *h, rouse_store *store, const char *thread, rouse_error *err)
{
    rouse_messages *messages = NULL;
    int code = rouse_store_messages(store, thread, h->last_seq, 0, &messages, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < rouse_messages_count(messages); i++) {
        const rouse_message *m = rouse_messages_at(messages, i);
        code = add(h, m->json, m->run ? m->run : "", m->seq, err);
    }
    rouse_messages_free(messages);
    return code;
}

int history_append(struct history *h, const char *json, const char *run, rouse_error *err)
{
    return add(h, json, run, h->last_seq + 1, err);
}

void history_done(struct history *h)
{
    free(h->items);
    arena_done(&h->arena);
    *h = (struct history){0};
}

static bool is_role(const struct history_item *item, const char *role)
{
    return strcmp(item->message.role, role) == 0;
}

const struct history_item *history_last_reply(const struct history *h, const char *run)
{
    for (size_t i = h->count; i-- > 0;)
        if (is_role(&h->items[i], "assistant") && strcmp(h->items[i].run, run) == 0)
            return &h->items[i];
    return NULL;
}

uint64_t history_replies(const struct history *h, const char *run)
{
    uint64_t n = 0;
    for (size_t i = 0; i < h->count; i++)
        n += is_role(&h->items[i], "assistant") && strcmp(h->items[i].run, run) == 0;
    return n;
}

const char *history_response(const struct history *h, const char *run)
{
    for (size_t i = h->count; i-- > 0;)
        if (is_role(&h->items[i], "assistant") && h->items[i].message.text[0] && strcmp(h->items[i].run, run) == 0)
            return h->items[i].message.text;
    return "";
}

/* Answers stand between the assistant message and the next one. */
bool history_is_answered(const struct history *h, const struct history_item *item, const char *call_id)
{
    for (const struct history_item *at = item + 1; at < h->items + h->count && !is_role(at, "assistant"); at++)
        if (is_role(at, "tool") && at->message.tool_call_id && strcmp(at->message.tool_call_id, call_id) == 0)
            return true;
    return false;
}

static bool has_call(const struct message *m, const char *call_id)
{
    for (size_t i = 0; i < m->n_calls; i++)
        if (strcmp(m->calls[i].id, call_id) == 0)
            return true;
    return false;
}

bool history_has_call(const struct history *h, const char *call_id)
{
    for (size_t i = 0; i < h->count; i++)
        if (has_call(&h->items[i].message, call_id))
            return true;
    return false;
}

/* A tool message whose call stands in the assistant message before it. */
static bool is_expected(const struct history *h, const struct history_item *answer)
{
    for (const struct history_item *at = answer; at-- > h->items;)
        if (is_role(at, "assistant"))
            return answer->message.tool_call_id && has_call(&at->message, answer->message.tool_call_id);
    return false;
}

/* item without its unanswered calls; its own text when it has none. */
static int readable(const struct history *h, const struct history_item *item, struct arena *arena, const char **ret,
                    rouse_error *err)
{
    struct message m = item->message;
    rouse_tool_call *calls = m.n_calls > 0 ? arena_alloc(arena, m.n_calls * sizeof *calls) : NULL;
    if (m.n_calls > 0 && !calls)
        return rouse_fail_memory(err);
    size_t kept = 0;
    for (size_t i = 0; i < m.n_calls; i++)
        if (history_is_answered(h, item, m.calls[i].id))
            calls[kept++] = m.calls[i];
    *ret = item->json;
    if (kept == m.n_calls)
        return 0;
    m.calls = calls;
    m.n_calls = kept;
    char *json = message_encode(&m, err);
    if (!json)
        return ROUSE_ENOMEM;
    *ret = arena_text(arena, json, strlen(json));
    free(json);
    return *ret ? 0 : rouse_fail_memory(err);
}

int history_request(const struct history *h, struct arena *arena, const char *const **ret_messages, size_t *ret_count,
                    rouse_error *err)
{
    size_t n = 0;
    const char **messages = arena_alloc(arena, (h->count + 1) * sizeof(char *));
    if (!messages)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < h->count; i++) {
        const struct history_item *item = &h->items[i];
        if (is_role(item, "tool") && !is_expected(h, item))
            continue;
        int code = readable(h, item, arena, &messages[n], err);
        if (code < 0)
            return code;
        n++;
    }
    *ret_messages = messages;
    *ret_count = n;
    return 0;
}
