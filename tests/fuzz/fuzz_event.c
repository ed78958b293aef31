/* Events, and the message that a model gets of one: nothing in it can close the tag, and it stays within its limit. */
#include "base/limits.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "json/jtext.h"
#include "task/event.h"

static char *event(const char *json, size_t len, rouse_error *err)
{
    struct arena arena = {0};
    struct event fill = {0};
    char *text = NULL;
    if (event_decode(json, len, &arena, &fill, err) == 0) {
        struct buf out = BUF_INIT(0);
        event_add(&out, &fill);
        text = buf_take(&out, err);
        must(text && !strchr(text, '\n'));
        buf_done(&out);
    }
    arena_done(&arena);
    return text;
}

static void message(const char *json, size_t len)
{
    static const char open[] = "<background-task-event ", close[] = "\n</background-task-event>";
    rouse_error err = {0};
    struct buf out = BUF_INIT(0);
    int code = event_add_message(&out, json, len, &err);
    if (code < 0) {
        must_say_why(code, &err);
    } else {
        const char *text = buf_text(&out);
        must(out.len <= LIMIT_EVENT_TEXT && strlen(text) == out.len && strncmp(text, open, sizeof open - 1) == 0);
        const char *end = strstr(text, close);
        must(end && end + sizeof close - 1 == text + out.len);
        const char *body = strchr(text, '\n');
        must(body && body < end && !memchr(body + 1, '\n', (size_t)(end - body - 1)) &&
             !memchr(body + 1, '<', (size_t)(end - body - 1)));
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    must_be_stable(event, data, size);
    message((const char *)data, size);
    return 0;
}
