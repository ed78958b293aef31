/* The cached view, as a value of its key. */
#include "fuzz.h"
#include "rouse/task.h"

static char *view(const char *json, size_t len, rouse_error *err)
{
    void *value = NULL;
    if (rouse_view_key.decode(NULL, json, len, &value, err) < 0)
        return NULL;
    const rouse_view *v = value;
    for (size_t i = 0; i < v->count; i++)
        must(v->entries[i].task_id && v->entries[i].task_type && v->entries[i].description);
    char *text = rouse_view_key.encode(value, err);
    must(text != NULL);
    rouse_view_key.release(value);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    must_be_stable(view, data, size);
    return 0;
}
