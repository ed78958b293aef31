#include "model/sse.h"

#include <string.h>

#include "base/limits.h"

void sse_init(struct sse *s, sse_event *event, void *userdata)
{
    *s = (struct sse){
        .event = event, .userdata = userdata, .line = BUF_INIT(LIMIT_SSE_EVENT), .data = BUF_INIT(LIMIT_SSE_EVENT)};
}

void sse_done(struct sse *s)
{
    buf_done(&s->line);
    buf_done(&s->data);
}

static int dispatch(struct sse *s, rouse_error *err)
{
    int code = 0;
    if (s->has_data)
        code = s->event(s->userdata, buf_text(&s->data), s->data.len, err);
    s->has_data = false;
    buf_reset(&s->data);
    return code < 0 ? code : 0;
}

static int end_line(struct sse *s, rouse_error *err)
{
    const char *text = buf_text(&s->line);
    size_t len = s->line.len;
    if (!s->begun && len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    s->begun = true;
    int code = buf_check(&s->line, err);
    if (code == 0 && len == 0)
        code = dispatch(s, err);
    if (code == 0 && len >= 4 && memcmp(text, "data", 4) == 0 && (len == 4 || text[4] == ':')) {
        size_t skip = len == 4 ? 4 : len > 5 && text[5] == ' ' ? 6 : 5;
        if (s->has_data)
            buf_addc(&s->data, '\n');
        buf_add(&s->data, text + skip, len - skip);
        s->has_data = true;
        code = buf_check(&s->data, err);
    }
    buf_reset(&s->line);
    return code;
}

int sse_feed(struct sse *s, const char *bytes, size_t len, rouse_error *err)
{
    int code = 0;
    size_t at = 0;
    while (code == 0 && at < len) {
        if (s->after_cr && bytes[at] == '\n') {
            s->after_cr = false;
            at++;
            continue;
        }
        s->after_cr = false;
        size_t n = 0;
        while (at + n < len && bytes[at + n] != '\n' && bytes[at + n] != '\r')
            n++;
        buf_add(&s->line, bytes + at, n);
        at += n;
        if (at < len) {
            s->after_cr = bytes[at++] == '\r';
            code = end_line(s, err);
        } else {
            code = buf_check(&s->line, err);
        }
    }
    return code;
}
