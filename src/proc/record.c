/* A parser for exactly what the supervisor writes: one flat object of whole numbers, booleans and strings, without blanks,
 * its checksum last. Everything else is no record. */
#include "proc/record.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "proc/protocol.h"

struct cursor {
    const char *at, *end;
};

static bool skip(struct cursor *c, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
        return false;
    c->at += len;
    return true;
}

static bool read_u64(struct cursor *c, uint64_t *fill)
{
    const char *start = c->at;
    uint64_t n = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        uint64_t digit = (uint64_t)(*c->at - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *fill = n;
    return c->at > start;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character, escaped or not, as the supervisor writes them: \" \\ \u00xx. -1 when it is none. */
static int read_char(struct cursor *c)
{
    if (c->at == c->end)
        return -1;
    if (*c->at != '\\')
        return (unsigned char)*c->at++;
    c->at++;
    if (!skip(c, "u00"))
        return c->at < c->end && (*c->at == '"' || *c->at == '\\') ? *c->at++ : -1;
    if (c->end - c->at < 2)
        return -1;
    int high = hex_value(c->at[0]), low = hex_value(c->at[1]);
    c->at += 2;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool read_text(struct cursor *c, char *fill, size_t size)
{
    size_t len = 0;
    if (!skip(c, "\""))
        return false;
    while (!skip(c, "\"")) {
        int byte = read_char(c);
        if (byte <= 0 || len + 1 >= size)
            return false;
        fill[len++] = (char)byte;
    }
    fill[len] = '\0';
    return true;
}

static bool read_int(struct cursor *c, int *fill)
{
    uint64_t n;
    bool negative = skip(c, "-");
    if (!read_u64(c, &n) || n > INT_MAX)
        return false;
    *fill = negative ? -(int)n : (int)n;
    return true;
}

static bool read_bool(struct cursor *c, bool *fill)
{
    *fill = skip(c, "true");
    return *fill || skip(c, "false");
}

static bool read_printable(struct cursor *c, char *fill, size_t size)
{
    char raw[LIMIT_EXIT_RECORD];
    if (!read_text(c, raw, sizeof raw))
        return false;
    utf8_copy_printable(fill, size, raw);
    return true;
}

static bool read_unknown(struct cursor *c)
{
    char text[LIMIT_EXIT_RECORD];
    int number;
    bool flag;
    uint64_t n;
    if (c->at < c->end && *c->at == '"')
        return read_text(c, text, sizeof text);
    if (c->at < c->end && *c->at == '-')
        return read_int(c, &number);
    return read_u64(c, &n) || read_bool(c, &flag);
}

static bool read_value(struct cursor *c, const struct record_member *m, struct record *fill)
{
    void *at = (char *)fill + m->offset;
    switch (m->kind) {
    case RECORD_INT:
        return read_int(c, at);
    case RECORD_U64:
        return read_u64(c, at);
    case RECORD_BOOL:
        return read_bool(c, at);
    case RECORD_TEXT:
        return read_printable(c, at, m->size);
    }
    return false;
}

static bool read_member(struct cursor *c, struct record *fill, unsigned *seen)
{
    char name[32];
    if (!read_text(c, name, sizeof name) || !skip(c, ":"))
        return false;
    for (unsigned i = 0; i < RECORD_MEMBERS; i++) {
        if (strcmp(name, record_members[i].name) != 0)
            continue;
        bool again = (*seen & (1u << i)) != 0;
        *seen |= 1u << i;
        return !again && read_value(c, &record_members[i], fill);
    }
    return read_unknown(c);
}

static bool is_unchanged(const char *text, size_t len)
{
    static const char check[] = SHIM_EXIT_CHECK;
    for (size_t at = len; at-- > 0;) {
        struct cursor c = {text + at, text + len};
        uint64_t sum;
        if (skip(&c, check))
            return read_u64(&c, &sum) && skip(&c, "}\n") && c.at == c.end && sum == shim_checksum(text, at);
    }
    return false;
}

bool record_parse(const char *text, size_t len, struct record *fill)
{
    struct cursor c = {text, text + len};
    struct record record = {0};
    unsigned seen = 0;
    if (!is_unchanged(text, len) || !skip(&c, "{"))
        return false;
    do {
        if (!read_member(&c, &record, &seen))
            return false;
    } while (skip(&c, ","));
    if (!skip(&c, "}\n") || c.at != c.end || seen != (1u << RECORD_MEMBERS) - 1)
        return false;
    *fill = record;
    return true;
}

int record_read(int dir, struct record *fill, rouse_error *err)
{
    struct buf text = BUF_INIT(LIMIT_TEXT);
    int code = fd_read_file(dir, SHIM_EXIT, LIMIT_EXIT_RECORD, &text, err);
    if (code == ROUSE_ENOTFOUND || code == ROUSE_ELIMIT)
        code = 0;
    else if (code == 0)
        code = record_parse(buf_text(&text), text.len, fill);
    buf_done(&text);
    return code;
}
