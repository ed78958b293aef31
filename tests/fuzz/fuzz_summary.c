/* The summary that the seed's runtime hands out. */
#include "fuzz.h"
#include "task/record.h"

static char *summary(const char *json, size_t len, rouse_error *err)
{
    rouse_task *task = NULL;
    if (record_decode_summary(json, len, &task, err) < 0)
        return NULL;
    struct buf out = BUF_INIT(0);
    must(record_add(&out, task, RECORD_SUMMARY, err) == 0);
    char *text = buf_take(&out, err);
    must(text != NULL);
    buf_done(&out);
    rouse_task_free(task);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    must_be_stable(summary, data, size);
    return 0;
}
