#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

size_t utf8_length(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return 1;
    size_t need = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
    if (need == 0 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool too_large = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : need;
}

bool utf8_is_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint64_t word;
        if (len - i >= sizeof word) { /* mostly eight bytes of ASCII */
            memcpy(&word, text + i, sizeof word);
            if (!(word & UINT64_C(0x8080808080808080))) {
                i += sizeof word;
                continue;
            }
        }
        size_t n = utf8_length(text + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    size_t at = max;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

void utf8_copy_printable(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);
        unsigned char c = (unsigned char)text[i];
        bool plain = n > 1 ? !(n == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0) : n == 1 && c >= 0x20 && c != 0x7f;
        size_t take = plain ? n : 1;
        if (used + take >= size)
            break;
        if (plain)
            memcpy(out + used, text + i, n);
        else
            out[used] = '?';
        used += take;
        i += n ? n : 1;
    }
    out[used] = '\0';
}
