#include "model/prompt.h"

#include <string.h>

#include "agent/message.h"

static void add_line(struct buf *out, const char *text)
{
    buf_adds(out, text);
    buf_addc(out, '\n');
}

static void add_message(struct buf *out, const struct message *m)
{
    if (m->text[0])
        add_line(out, m->text);
    for (size_t i = 0; i < m->n_calls; i++) {
        buf_adds(out, m->calls[i].name);
        buf_addc(out, ' ');
        add_line(out, m->calls[i].arguments);
    }
}

int prompt_render(const rouse_model_request *request, struct buf *out, size_t *ret_turn, rouse_error *err)
{
    struct arena arena = {0};
    size_t turn = 0;
    int code = 0;
    if (request->system)
        add_line(out, request->system);
    for (size_t i = 0; code == 0 && i < request->n_messages; i++) {
        struct message m;
        code = message_decode(request->messages[i], strlen(request->messages[i]), &arena, &m, err);
        if (code < 0)
            break;
        add_message(out, &m);
        turn += strcmp(m.role, "assistant") == 0;
    }
    if (code == 0 && request->tail)
        add_line(out, request->tail);
    arena_done(&arena);
    if (code == 0)
        code = buf_check(out, err);
    if (code == 0)
        *ret_turn = turn;
    return code;
}
