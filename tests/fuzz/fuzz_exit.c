/* The exit record: with the checksum that the input has, and with the right one. */
#include "base/limits.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "proc/protocol.h"
#include "proc/record.h"

static void parse(const char *text, size_t len)
{
    struct record fill;
    memset(&fill, 0x5a, sizeof fill);
    struct record untouched = fill;
    if (!record_parse(text, len, &fill)) {
        must(memcmp(&fill, &untouched, sizeof fill) == 0);
        return;
    }
    must(memchr(fill.exit.ended_by, '\0', sizeof fill.exit.ended_by) &&
         memchr(fill.exit.reason, '\0', sizeof fill.exit.reason));
    must(utf8_is_valid(fill.exit.reason, strlen(fill.exit.reason)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char record[LIMIT_EXIT_RECORD + 64];
    parse((const char *)data, size);
    if (size > LIMIT_EXIT_RECORD)
        return 0;
    memcpy(record, data, size);
    int tail = snprintf(record + size, 64, "%s%u}\n", SHIM_EXIT_CHECK, shim_checksum((const char *)data, size));
    parse(record, size + (size_t)tail);
    return 0;
}
