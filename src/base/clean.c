#include "base/clean.h"

#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

/* ECMA-48, as far as it is needed to find where a sequence ends. */
enum {
    PLAIN,
    ESCAPE,        /* ESC came */
    CONTROL,       /* ESC [ … until a byte of 40 to 7e */
    STRING,        /* ESC ] P X ^ _ … until BEL or ESC \ */
    STRING_ESCAPE, /* ESC inside a string */
};

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static void add_character(struct clean *c, struct buf *out, const char *bytes, size_t len)
{
    if (c->returned)
        buf_reset(&c->line);
    c->returned = false;
    if (c->line.len + len > LIMIT_CLEAN_LINE) {
        buf_add(out, buf_text(&c->line), c->line.len);
        buf_reset(&c->line);
    }
    buf_add(&c->line, bytes, len);
}

static void end_line(struct clean *c, struct buf *out)
{
    buf_add(out, buf_text(&c->line), c->line.len);
    buf_addc(out, '\n');
    buf_reset(&c->line);
    c->returned = false;
}

static void erase_character(struct clean *c)
{
    size_t len = c->line.len;
    if (len == 0)
        return;
    do
        len--;
    while (len > 0 && ((unsigned char)c->line.data[len] & 0xc0) == 0x80);
    c->line.len = len;
    c->line.data[len] = '\0';
}

static void take_control(struct clean *c, struct buf *out, char byte)
{
    if (byte == '\n')
        end_line(c, out);
    else if (byte == '\r')
        c->returned = true;
    else if (byte == '\b')
        erase_character(c);
    else if (byte == '\t')
        add_character(c, out, "\t", 1);
    else if (byte == 0x1b)
        c->state = ESCAPE;
}

static size_t length_by_lead(unsigned char lead)
{
    return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
}

/* One byte of a character above ASCII. */
static void take_high(struct clean *c, struct buf *out, char byte)
{
    bool continues = ((unsigned char)byte & 0xc0) == 0x80;
    if (c->n_partial > 0 && !continues) {
        add_character(c, out, replacement, 3);
        c->n_partial = 0;
    }
    c->partial[c->n_partial++] = byte;
    if (c->n_partial < length_by_lead((unsigned char)c->partial[0]))
        return;
    size_t len = utf8_length(c->partial, c->n_partial);
    bool control = len == 2 && (unsigned char)c->partial[0] == 0xc2 && (unsigned char)c->partial[1] < 0xa0;
    if (len == c->n_partial && !control)
        add_character(c, out, c->partial, len);
    else if (!control)
        add_character(c, out, replacement, 3);
    c->n_partial = 0;
}

static void take_plain(struct clean *c, struct buf *out, char byte)
{
    if ((unsigned char)byte >= 0x80) {
        take_high(c, out, byte);
        return;
    }
    if (c->n_partial > 0) {
        add_character(c, out, replacement, 3);
        c->n_partial = 0;
    }
    if ((unsigned char)byte < 0x20 || byte == 0x7f)
        take_control(c, out, byte);
    else
        add_character(c, out, &byte, 1);
}

static unsigned char after_escape(char byte)
{
    if (byte == '[')
        return CONTROL;
    if (byte != '\0' && strchr("]PX^_", byte))
        return STRING;
    return byte >= 0x20 && byte <= 0x2f ? ESCAPE : PLAIN; /* 20 to 2f: one more byte to come */
}

static void take(struct clean *c, struct buf *out, char byte)
{
    /* A new line ends whatever was left open, so that a cut sequence hides one line at most. */
    if (byte == '\n' && c->state != PLAIN)
        c->state = PLAIN;
    switch (c->state) {
    case ESCAPE:
        c->state = after_escape(byte);
        break;
    case CONTROL:
        if (byte >= 0x40 && byte <= 0x7e)
            c->state = PLAIN;
        break;
    case STRING:
        c->state = byte == '\a' ? PLAIN : byte == 0x1b ? STRING_ESCAPE : STRING;
        break;
    case STRING_ESCAPE:
        c->state = byte == '\\' ? PLAIN : STRING;
        break;
    default:
        take_plain(c, out, byte);
    }
}

void clean_feed(struct clean *c, struct buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        take(c, out, bytes[i]);
    if (c->line.failed && !out->failed)
        out->failed = c->line.failed;
}

void clean_flush(struct clean *c, struct buf *out)
{
    if (c->n_partial > 0)
        add_character(c, out, replacement, 3);
    buf_add(out, buf_text(&c->line), c->line.len);
    buf_reset(&c->line);
    c->n_partial = 0;
    c->state = PLAIN;
    c->returned = false;
}

void clean_done(struct clean *c)
{
    buf_done(&c->line);
}

void clean_text(struct buf *out, const char *bytes, size_t len)
{
    struct clean c = CLEAN_INIT;
    clean_feed(&c, out, bytes, len);
    clean_flush(&c, out);
    clean_done(&c);
}
