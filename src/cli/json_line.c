#include "cli/json_line.h"

#include <stdio.h>
#include <string.h>

#include "json/jtext.h"

static void begin(struct buf *out, const char *name)
{
    if (out->len == 0)
        buf_addc(out, '{');
    jtext_add_name(out, name);
}

void json_line_bytes(struct buf *out, const char *name, const char *text, size_t len)
{
    begin(out, name);
    jtext_add_string(out, text, len);
}

void json_line_text(struct buf *out, const char *name, const char *text)
{
    json_line_bytes(out, name, text, strlen(text));
}

void json_line_number(struct buf *out, const char *name, uint64_t number)
{
    begin(out, name);
    buf_addu(out, number);
}

void json_line_raw(struct buf *out, const char *name, const char *json)
{
    begin(out, name);
    buf_adds(out, json);
}

void json_line_bool(struct buf *out, const char *name, bool value)
{
    json_line_raw(out, name, value ? "true" : "false");
}

int json_line_print(struct buf *out, rouse_error *err)
{
    buf_adds(out, out->len == 0 ? "{}" : "}");
    int code = buf_check(out, err);
    if (code == 0)
        puts(buf_text(out));
    buf_done(out);
    return code;
}
