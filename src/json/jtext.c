#include "json/jtext.h"

#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "json/jnumber.h"

/* Deepest nesting in a value that is skimmed: as large as costs nothing. */
#define SKIMMED_DEPTH 65536

/* How a value is passed over: KEPT values must be readable by whoever gets them, SKIMMED ones only need their form. */
enum pass { PASS_KEPT, PASS_SKIMMED };

static int fail(const struct jtext *t, rouse_error *err, const char *what)
{
    if (t->at >= t->end)
        return rouse_fail(err, ROUSE_EDATA, "JSON ends too early: %s", what);
    return rouse_fail(err, ROUSE_EDATA, "malformed JSON at byte %zu: %s", (size_t)(t->at - t->start), what);
}

static void skip_blanks(struct jtext *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\n' || *t->at == '\r'))
        t->at++;
}

static bool take(struct jtext *t, char c)
{
    if (t->at >= t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hex digits at s, or -1. */
static long hex4(const char *s, const char *end)
{
    long value = 0;
    if (end - s < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(s[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Behind "\u". */
static int scan_unicode(struct jtext *t, enum pass pass, rouse_error *err)
{
    long unit = hex4(t->at, t->end);
    if (unit < 0)
        return fail(t, err, "\\u needs four hex digits");
    t->at += 4;
    if (unit < 0xd800 || unit > 0xdfff || pass == PASS_SKIMMED)
        return 0;
    bool paired = unit < 0xdc00 && t->end - t->at >= 6 && t->at[0] == '\\' && t->at[1] == 'u';
    long low = paired ? hex4(t->at + 2, t->end) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return fail(t, err, "half of a surrogate pair");
    t->at += 6;
    return 0;
}

#define EACH_BYTE(c) (UINT64_MAX / 255 * (unsigned char)(c))

/* Is each of 8 bytes ASCII, no control character, no quote and no backslash? x - 1 borrows into the top bit of a byte that
 * is 0; bytes above it may then look 0 as well, which costs a closer look and no more. */
static bool all_plain(const char *bytes)
{
    uint64_t x;
    memcpy(&x, bytes, sizeof x);
    uint64_t quote = x ^ EACH_BYTE('"'), backslash = x ^ EACH_BYTE('\\');
    uint64_t found = x | (x - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1));
    return (found & EACH_BYTE(0x80)) == 0;
}

/* Bytes at text that can stand in a JSON string as they are. Most of every document is read here. */
static size_t plain_run(const char *text, size_t len)
{
    size_t i = 0;
    for (;;) {
        while (len - i >= 8 && all_plain(text + i))
            i += 8;
        size_t stop = len - i > 8 ? i + 8 : len;
        while (i < stop) {
            unsigned char c = (unsigned char)text[i];
            if (c < 0x20 || c == '"' || c == '\\')
                return i;
            size_t n = c < 0x80 ? 1 : utf8_length(text + i, len - i);
            if (n == 0)
                return i;
            i += n;
        }
        if (i >= len)
            return i;
    }
}

/* Behind the opening quote. */
static int scan_string(struct jtext *t, enum pass pass, rouse_error *err)
{
    while (t->at < t->end) {
        t->at += plain_run(t->at, (size_t)(t->end - t->at));
        if (t->at >= t->end)
            break;
        if (take(t, '"'))
            return 0;
        if ((unsigned char)*t->at < 0x20)
            return fail(t, err, "control character in a string");
        if (!take(t, '\\'))
            return fail(t, err, "invalid UTF-8");
        if (take(t, 'u')) {
            int code = scan_unicode(t, pass, err);
            if (code < 0)
                return code;
        } else if (t->at < t->end && *t->at != '\0' && strchr("\"\\/bfnrt", *t->at)) {
            t->at++;
        } else {
            return fail(t, err, "unknown escape");
        }
    }
    return fail(t, err, "string without an end");
}

static int scan_number(struct jtext *t, enum pass pass, rouse_error *err)
{
    struct jslice number = {.at = t->at};
    number.len = jnumber_scan(t->at, (size_t)(t->end - t->at));
    if (number.len == 0)
        return fail(t, err, "invalid number");
    if (pass == PASS_KEPT && jnumber_is_out_of_range(number.at, number.len))
        return fail(t, err, "number out of range");
    t->at += number.len;
    return 0;
}

static int scan_word(struct jtext *t, const char *word, rouse_error *err)
{
    size_t len = strlen(word);
    if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len) != 0)
        return fail(t, err, "expected a value");
    t->at += len;
    return 0;
}

static int scan_scalar(struct jtext *t, enum pass pass, rouse_error *err)
{
    if (t->at >= t->end)
        return fail(t, err, "expected a value");
    switch (*t->at) {
    case '"':
        t->at++;
        return scan_string(t, pass, err);
    case 't':
        return scan_word(t, "true", err);
    case 'f':
        return scan_word(t, "false", err);
    case 'n':
        return scan_word(t, "null", err);
    default:
        if (*t->at == '-' || (*t->at >= '0' && *t->at <= '9'))
            return scan_number(t, pass, err);
        return fail(t, err, "expected a value");
    }
}

/* A member's name and colon; ret_key may be NULL. */
static int scan_key(struct jtext *t, struct jslice *ret_key, rouse_error *err)
{
    skip_blanks(t);
    const char *from = t->at;
    if (!take(t, '"'))
        return fail(t, err, "expected a member's name");
    int code = scan_string(t, PASS_KEPT, err);
    if (code < 0)
        return code;
    if (ret_key)
        *ret_key = (struct jslice){.at = from, .len = (size_t)(t->at - from)};
    skip_blanks(t);
    return take(t, ':') ? 0 : fail(t, err, "expected ':'");
}

struct nesting { /* which of the value's open brackets are objects, one bit each */
    unsigned depth, max;
    unsigned char is_object[SKIMMED_DEPTH / 8];
};

static bool in_object(const struct nesting *n)
{
    unsigned i = n->depth - 1;
    return (n->is_object[i / 8] >> (i % 8)) & 1;
}

static int enter(const struct jtext *t, struct nesting *n, bool object, rouse_error *err)
{
    if (t->open + n->depth >= n->max)
        return rouse_fail(err, ROUSE_ELIMIT, "JSON is nested deeper than %u levels at byte %zu", n->max,
                          (size_t)(t->at - t->start));
    unsigned char bit = (unsigned char)(1u << (n->depth % 8));
    unsigned char *byte = &n->is_object[n->depth / 8];
    *byte = (unsigned char)(object ? *byte | bit : *byte & ~bit);
    n->depth++;
    return 0;
}

/* Behind a value: closes what ends here. 1: another value follows in the innermost bracket; 0: all is closed. */
static int leave(struct jtext *t, struct nesting *n, rouse_error *err)
{
    while (n->depth > 0) {
        skip_blanks(t);
        bool object = in_object(n);
        if (take(t, ',')) {
            int code = object ? scan_key(t, NULL, err) : 0;
            return code < 0 ? code : 1;
        }
        if (!take(t, object ? '}' : ']'))
            return fail(t, err, object ? "expected ',' or '}'" : "expected ',' or ']'");
        n->depth--;
    }
    return 0;
}

/* Where a value may begin. 1: it was a bracket with something in it, and that is next; 0: it is over. */
static int scan_start(struct jtext *t, struct nesting *n, enum pass pass, rouse_error *err)
{
    skip_blanks(t);
    bool object = t->at < t->end && *t->at == '{';
    if (!object && !(t->at < t->end && *t->at == '['))
        return scan_scalar(t, pass, err);
    int code = enter(t, n, object, err);
    if (code < 0)
        return code;
    t->at++;
    skip_blanks(t);
    if (take(t, object ? '}' : ']')) {
        n->depth--;
        return 0;
    }
    if (object)
        code = scan_key(t, NULL, err);
    return code < 0 ? code : 1;
}

/* Without recursion, so that no document can exhaust the stack. */
static int scan_value(struct jtext *t, enum pass pass, unsigned levels, rouse_error *err)
{
    struct nesting n;
    n.depth = 0;
    n.max = levels;
    for (;;) {
        int code = scan_start(t, &n, pass, err);
        if (code == 0)
            code = leave(t, &n, err);
        if (code <= 0)
            return code;
    }
}

static int check(const char *text, size_t len, unsigned levels, struct jslice *ret_value, rouse_error *err)
{
    struct jtext t = {.start = text, .at = text, .end = text + len};
    skip_blanks(&t);
    const char *from = t.at;
    int code = scan_value(&t, PASS_KEPT, levels, err);
    if (code < 0)
        return code;
    struct jslice value = {.at = from, .len = (size_t)(t.at - from)};
    code = jtext_end(&t, err);
    if (code == 0 && ret_value)
        *ret_value = value;
    return code;
}

int jtext_check(const char *text, size_t len, struct jslice *ret_value, rouse_error *err)
{
    return check(text, len, LIMIT_JSON_DEPTH, ret_value, err);
}

int jtext_check_depth(const char *text, size_t len, unsigned levels, rouse_error *err)
{
    return check(text, len, levels, NULL, err);
}

int jtext_open(struct jtext *t, const char *text, size_t len, enum jtype type, rouse_error *err)
{
    *t = (struct jtext){.start = text, .at = text, .end = text + len, .open = 1, .first = true};
    skip_blanks(t);
    if (take(t, type == JTYPE_OBJECT ? '{' : '['))
        return 0;
    return fail(t, err, type == JTYPE_OBJECT ? "expected an object" : "expected an array");
}

/* The comma before the next one, or the end of the bracket. 1: one follows. */
static int next(struct jtext *t, char closer, rouse_error *err)
{
    skip_blanks(t);
    if (take(t, closer))
        return 0;
    if (!t->first && !take(t, ','))
        return fail(t, err, closer == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
    t->first = false;
    return 1;
}

int jtext_member(struct jtext *t, struct jslice *ret_key, rouse_error *err)
{
    int code = next(t, '}', err);
    if (code <= 0)
        return code;
    code = scan_key(t, ret_key, err);
    return code < 0 ? code : 1;
}

int jtext_next_item(struct jtext *t, rouse_error *err)
{
    return next(t, ']', err);
}

int jtext_item(struct jtext *t, struct jslice *ret_value, rouse_error *err)
{
    int code = next(t, ']', err);
    if (code <= 0)
        return code;
    code = jtext_value(t, ret_value, err);
    return code < 0 ? code : 1;
}

static int pass_value(struct jtext *t, enum pass pass, unsigned levels, struct jslice *ret_value, rouse_error *err)
{
    skip_blanks(t);
    const char *from = t->at;
    int code = scan_value(t, pass, levels, err);
    if (code == 0)
        *ret_value = (struct jslice){.at = from, .len = (size_t)(t->at - from)};
    return code;
}

int jtext_value(struct jtext *t, struct jslice *ret_value, rouse_error *err)
{
    return pass_value(t, PASS_KEPT, LIMIT_JSON_DEPTH, ret_value, err);
}

int jtext_skim(struct jtext *t, struct jslice *ret_value, rouse_error *err)
{
    return pass_value(t, PASS_SKIMMED, SKIMMED_DEPTH, ret_value, err);
}

int jtext_end(struct jtext *t, rouse_error *err)
{
    skip_blanks(t);
    return t->at == t->end ? 0 : fail(t, err, "something follows the value");
}

static enum jtype type_at(const char *at)
{
    switch (*at) {
    case '{':
        return JTYPE_OBJECT;
    case '[':
        return JTYPE_ARRAY;
    case '"':
        return JTYPE_STRING;
    case 't':
    case 'f':
        return JTYPE_BOOL;
    case 'n':
        return JTYPE_NULL;
    default:
        return JTYPE_NUMBER;
    }
}

enum jtype jtext_type(struct jslice value)
{
    return type_at(value.at);
}

int jtext_peek(struct jtext *t, enum jtype *ret_type, rouse_error *err)
{
    skip_blanks(t);
    if (t->at >= t->end)
        return fail(t, err, "expected a value");
    *ret_type = type_at(t->at);
    return 0;
}

void jtext_enter(const struct jtext *outer, struct jtext *inner)
{
    *inner = *outer;
    inner->at++;
    inner->open++;
    inner->first = true;
}

const char *jtext_type_name(enum jtype type)
{
    static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
    return names[type];
}

bool jtext_bool(struct jslice value, bool *ret)
{
    if (jtext_type(value) != JTYPE_BOOL)
        return false;
    *ret = *value.at == 't';
    return true;
}

bool jtext_u64(struct jslice value, uint64_t *ret)
{
    uint64_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        unsigned digit = (unsigned)(value.at[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

bool jtext_i64(struct jslice value, int64_t *ret)
{
    bool negative = *value.at == '-';
    uint64_t n;
    if (!jtext_u64((struct jslice){.at = value.at + negative, .len = value.len - negative}, &n))
        return false;
    if (n > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? -(int64_t)(n - (n > 0)) - (n > 0) : (int64_t)n;
    return true;
}

static size_t put_utf8(char *out, long c)
{
    if (c == 0) { /* see jtext.h */
        out[0] = (char)0xc0;
        out[1] = (char)0x80;
        return 2;
    }
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* One escape of a checked string, *at behind the backslash. */
static size_t put_escape(const char **at, const char *end, char *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char c = *(*at)++;
    if (c != 'u') {
        const char *found = strchr(from, c);
        out[0] = found ? to[found - from] : c;
        return 1;
    }
    long unit = hex4(*at, end);
    *at += 4;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        unit = 0x10000 + ((unit - 0xd800) << 10) + (hex4(*at + 2, end) - 0xdc00);
        *at += 6;
    }
    return put_utf8(out, unit);
}

bool jtext_is(struct jslice value, const char *text)
{
    if (jtext_type(value) != JTYPE_STRING)
        return false;
    const char *end = value.at + value.len - 1;
    for (const char *at = value.at + 1; at < end;) {
        char c[4] = {*at};
        size_t n = 1;
        if (*at++ == '\\')
            n = put_escape(&at, end, c);
        if (*text != c[0] || (n > 1 && strncmp(text, c, n) != 0))
            return false;
        text += n;
    }
    return *text == '\0';
}

size_t jtext_unescape(struct jslice value, char *out)
{
    const char *end = value.at + value.len - 1;
    size_t used = 0;
    for (const char *at = value.at + 1; at < end;) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape ? escape : end) - at);
        memcpy(out + used, at, plain);
        used += plain;
        at += plain;
        if (escape) {
            at++;
            used += put_escape(&at, end, out + used);
        }
    }
    out[used] = '\0';
    return used;
}

char *jtext_string(struct jslice value, struct arena *arena)
{
    char *out = arena_alloc(arena, value.len);
    if (out)
        jtext_unescape(value, out);
    return out;
}

bool jtext_member_text(const char *text, size_t len, const char *name, char *out, size_t size)
{
    struct jtext t;
    struct jslice key, value, found = {0};
    int code = jtext_open(&t, text, len, JTYPE_OBJECT, NULL);
    while (code >= 0 && (code = jtext_member(&t, &key, NULL)) > 0) {
        code = jtext_value(&t, &value, NULL);
        if (code == 0 && !found.at && jtext_is(key, name))
            found = value;
    }
    if (code < 0 || jtext_end(&t, NULL) < 0 || !found.at || jtext_type(found) != JTYPE_STRING || found.len > size)
        return false;
    jtext_unescape(found, out);
    return true;
}

/* The one character at text that cannot; how many bytes it has. */
static size_t add_escaped(struct buf *out, const char *text, size_t len)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    unsigned char c = (unsigned char)*text;
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        char escape[2] = {'\\', to[found - from]};
        buf_add(out, escape, sizeof escape);
    } else if (c < 0x20) {
        buf_addf(out, "\\u%04x", c);
    } else if (c == 0xc0 && len > 1 && (unsigned char)text[1] == 0x80) {
        buf_adds(out, "\\u0000");
        return 2;
    } else {
        buf_adds(out, "\xef\xbf\xbd");
    }
    return 1;
}

void jtext_add_string(struct buf *out, const char *text, size_t len)
{
    buf_addc(out, '"');
    for (size_t i = 0; i < len;) {
        size_t run = plain_run(text + i, len - i);
        buf_add(out, text + i, run);
        i += run;
        if (i < len)
            i += add_escaped(out, text + i, len - i);
    }
    buf_addc(out, '"');
}

void jtext_add_name(struct buf *out, const char *name)
{
    char last = out->len > 0 ? out->data[out->len - 1] : '{';
    size_t len = strlen(name), comma = last != '{' && last != '[';
    char *at = buf_reserve(out, len + 3 + comma);
    if (!at)
        return;
    if (comma)
        *at++ = ',';
    *at++ = '"';
    memcpy(at, name, len);
    memcpy(at + len, "\":", 3); /* with its NUL */
    out->len += len + 3 + comma;
}

void jtext_add_raw(struct buf *out, const char *json, size_t len)
{
    size_t from = out->len;
    buf_add(out, json, len);
    if (out->failed)
        return;
    for (char *at = out->data + from; at < out->data + out->len; at++) {
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    }
}
