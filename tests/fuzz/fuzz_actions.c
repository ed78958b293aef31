/* Updates of both keys as JSON, one a line, in one batch: the first byte says of which key. What is refused changes nothing;
 * what is applied can be read back; a task that has ended stays as it is, unless everything is replaced. */
#include "fuzz.h"
#include "rouse/task.h"
#include "support/shelf.h"

static const char *const before[] = {
    "{\"tasks\":{\"bg_0\":{\"task_id\":\"bg_0\",\"owner_thread_id\":\"t\",\"task_type\":\"shell\",\"description\":"
    "\"d\","
    "\"status\":\"completed\",\"result\":1.50,\"created_at_ms\":5,\"completed_at_ms\":6,\"parent_context\":{}},"
    "\"bg_1\":{\"task_id\":\"bg_1\",\"task_type\":\"shell\",\"description\":\"d\",\"status\":\"running\",\"created_at_"
    "ms\":5}}}",
    "{\"tasks\":{\"bg_1\":{\"task_type\":\"shell\",\"description\":\"d\",\"status\":\"running\"}}}",
};

static void must_read_back(const struct shelf *shelf, const char *text)
{
    struct shelf again = {.key = shelf->key};
    must(shelf_load(&again, text, NULL) == 0);
    char *same = shelf_text(&again);
    must(same && strcmp(same, text) == 0);
    free(same);
    shelf_done(&again);
}

static void apply(struct shelf *shelf, const rouse_batch *batch)
{
    rouse_error err = {0};
    char *old = shelf_text(shelf);
    int code = shelf_apply(shelf, batch, &err);
    char *new = shelf_text(shelf);
    must(old && new);
    if (code < 0) {
        must_say_why(code, &err);
        must(strcmp(old, new) == 0);
    }
    must_read_back(shelf, new);
    free(old);
    free(new);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    int which = *data++ & 1;
    const char *at = (const char *)data, *end = at + size - 1;
    struct shelf shelf = {.key = which ? &rouse_view_key : &rouse_task_state_key};
    rouse_batch *batch = rouse_batch_new();
    must(batch && shelf_load(&shelf, before[which], NULL) == 0);
    while (at < end) {
        rouse_error err = {0};
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((line ? line : end) - at), count = rouse_batch_count(batch);
        int code = rouse_batch_add_json(batch, shelf.key, at, len, &err);
        if (code < 0)
            must_say_why(code, &err);
        must(rouse_batch_count(batch) == count + (code == 0));
        at += len + (line != NULL);
    }
    apply(&shelf, batch);
    rouse_batch_free(batch);
    shelf_done(&shelf);
    return 0;
}
