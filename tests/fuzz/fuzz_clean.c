/* Output made readable: in pieces as at once, well-formed, without control characters, and not changed by cleaning it again. */
#include "base/clean.h"
#include "base/utf8.h"
#include "fuzz.h"

static void clean_in_pieces(struct buf *out, const char *bytes, size_t len)
{
    struct clean c = CLEAN_INIT;
    for (size_t at = 0, step; at < len; at += step) {
        step = 1 + (unsigned char)bytes[at] % 7;
        step = step < len - at ? step : len - at;
        clean_feed(&c, out, bytes + at, step);
    }
    clean_flush(&c, out);
    clean_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once = BUF_INIT(0), pieces = BUF_INIT(0), twice = BUF_INIT(0);
    clean_text(&once, (const char *)data, size);
    clean_in_pieces(&pieces, (const char *)data, size);
    must(once.len == pieces.len && memcmp(buf_text(&once), buf_text(&pieces), once.len) == 0);
    must(utf8_is_valid(buf_text(&once), once.len) && once.len <= size * 3);
    for (size_t i = 0; i < once.len; i++) {
        unsigned char byte = (unsigned char)buf_text(&once)[i];
        must(byte >= 0x20 || byte == '\n' || byte == '\t');
    }
    clean_text(&twice, buf_text(&once), once.len);
    must(once.len == twice.len && memcmp(buf_text(&once), buf_text(&twice), once.len) == 0);
    buf_done(&once);
    buf_done(&pieces);
    buf_done(&twice);
    return 0;
}
