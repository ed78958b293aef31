/* COMPAT B100: messages whose recipient ended before it read them. */
#include <string.h>

#include "tools/tools.h"

struct args {
    const char *action;
};

static const struct jfield rows[] = {{.name = "action", .type = JFIELD_STRING, .offset = offsetof(struct args, action)}};
static const struct jfields fields = {.rows = rows, .count = 1};

static int recover(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err)
{
    static const char *const names[] = {[ROUSE_RECOVER_LIST] = "list", [ROUSE_RECOVER_REPLAY] = "replay", [ROUSE_RECOVER_CLEAR] = "clear"};
    struct arena arena = {0};
    struct args args = {.action = "list"};
    int code = jfields_decode(&fields, arguments, strlen(arguments), &arena, &args, err);
    size_t at = 0;
    while (code == 0 && at < sizeof names / sizeof *names && strcmp(names[at], args.action) != 0)
        at++;
    if (code == 0 && at == sizeof names / sizeof *names)
        code = rouse_fail(err, ROUSE_EINVAL, "unknown action '%s'", args.action);
    if (code == 0)
        code = rouse_message_recover(call->manager, call->thread, (enum rouse_recover)at, ret_result, err);
    arena_done(&arena);
    return code;
}

const rouse_tool tool_recover_failed_messages = {
    .name = "recover_failed_messages",
    .description = "Messages that a sub-agent did not read before it ended: lists them, replays them to the running sub-agent that has "
                   "the name now, or clears them.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"action\":{\"type\":\"string\",\"enum\":[\"list\",\"replay\",\"clear\"]}}}",
    .repeatable = true,
    .call = recover,
};
