#include "shim/text.h"

#include <string.h>

static void add_bytes(struct text *t, const char *bytes, size_t len)
{
    if (t->cut || len >= t->size - t->len) {
        t->cut = true;
        return;
    }
    memcpy(t->at + t->len, bytes, len);
    t->len += len;
    t->at[t->len] = '\0';
}

void text_add(struct text *t, const char *word)
{
    add_bytes(t, word, strlen(word));
}

void text_add_u64(struct text *t, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add_bytes(t, digits + at, sizeof digits - at);
}

void text_add_json(struct text *t, const char *word)
{
    static const char hex[] = "0123456789abcdef";
    add_bytes(t, "\"", 1);
    for (const char *c = word; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        char escaped[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
        if (byte < 0x20 || byte == 0x7f)
            add_bytes(t, escaped, sizeof escaped);
        else if (byte == '"' || byte == '\\')
            add_bytes(t, (char[]){'\\', *c}, 2);
        else
            add_bytes(t, c, 1);
    }
    add_bytes(t, "\"", 1);
}

void text_set(char *fill, size_t size, const char *word)
{
    size_t len = strnlen(word, size - 1);
    memcpy(fill, word, len);
    fill[len] = '\0';
}

bool text_read_u64(const char **at, uint64_t *ret_number)
{
    const char *c = *at;
    uint64_t number = 0;
    if (*c < '0' || *c > '9')
        return false;
    for (; *c >= '0' && *c <= '9'; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *at = c;
    *ret_number = number;
    return true;
}
