/* A model server's stream: the same events in pieces as at once, and whatever they hold, an answer or a refusal. */
#include "base/limits.h"
#include "fuzz.h"
#include "model/answer.h"
#include "model/messages.h"
#include "model/sse.h"

static int collect(void *userdata, const char *data, size_t len, rouse_error *err)
{
    (void)err;
    buf_add(userdata, data, len);
    buf_addc(userdata, '\0');
    return 0;
}

static int feed(sse_event *event, void *userdata, const char *bytes, size_t len, bool pieces, rouse_error *err)
{
    struct sse s;
    int code = 0;
    sse_init(&s, event, userdata);
    for (size_t at = 0, step; at < len && code == 0; at += step) {
        step = pieces ? 1 + (unsigned char)bytes[at] % 5 : len;
        step = step < len - at ? step : len - at;
        code = sse_feed(&s, bytes + at, step, err);
    }
    sse_done(&s);
    return code;
}

static int take(void *userdata, const char *data, size_t len, rouse_error *err)
{
    return answer_add(userdata, data, len, err);
}

static int take_message(void *userdata, const char *data, size_t len, rouse_error *err)
{
    return messages_add(userdata, data, len, err);
}

static void answer(sse_event *event, const char *bytes, size_t len)
{
    static struct answer a;
    rouse_error err = {0};
    answer_init(&a, NULL);
    int code = feed(event, &a, bytes, len, true, &err);
    if (code < 0)
        must_say_why(code, &err);
    must(a.n_calls <= LIMIT_TOOL_CALLS && memchr(a.finish_reason, '\0', sizeof a.finish_reason) &&
         a.text.len <= LIMIT_REPLY);
    rouse_model_reply *reply = NULL;
    code = code == 0 && answer_is_complete(&a) ? answer_reply(&a, &reply, &err) : 0;
    if (code < 0)
        must_say_why(code, &err);
    rouse_model_reply_free(reply);
    answer_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once = BUF_INIT(0), pieces = BUF_INIT(0);
    rouse_error err = {0};
    must(feed(collect, &once, (const char *)data, size, false, &err) == 0);
    must(feed(collect, &pieces, (const char *)data, size, true, &err) == 0);
    must(once.len == pieces.len && memcmp(buf_text(&once), buf_text(&pieces), once.len) == 0);
    buf_done(&once);
    buf_done(&pieces);
    answer(take, (const char *)data, size);
    answer(take_message, (const char *)data, size);
    char text[128];
    answer_error_text((const char *)data, size, text, sizeof text);
    must(memchr(text, '\0', sizeof text));
    return 0;
}
