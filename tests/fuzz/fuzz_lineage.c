/* A parent context, and a status, by themselves. */
#include "fuzz.h"
#include "task/record.h"

static char *lineage(const char *json, size_t len, rouse_error *err)
{
    struct arena arena = {0};
    rouse_lineage fill = {0};
    char *text = NULL;
    if (lineage_decode(json, len, &arena, &fill, err) == 0) {
        struct buf out = BUF_INIT(0);
        lineage_add(&out, &fill);
        text = buf_take(&out, err);
        must(text && lineage_is_empty(&fill) == (strcmp(text, "{}") == 0));
        buf_done(&out);
    }
    arena_done(&arena);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rouse_error err = {0};
    rouse_status status;
    int code = status_decode((const char *)data, size, &status, &err);
    if (code < 0)
        must_say_why(code, &err);
    else
        must(strstr("running completed failed cancelled", rouse_status_text(status)));
    must_be_stable(lineage, data, size);
    return 0;
}
