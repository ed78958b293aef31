/* An import into a store with both keys: refused, it changes nothing; accepted, its export can be imported and is then exported
 * the same. */
#include <ftw.h>
#include <unistd.h>

#include "fuzz.h"
#include "rouse/task.h"

static char place[256];
static rouse_store *store;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void clear(void)
{
    rouse_store_close(store);
    nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void open_once(void)
{
    if (store)
        return;
    const char *parent = getenv("TMPDIR");
    snprintf(place, sizeof place, "%s/rouse-fuzz-XXXXXX", parent && *parent ? parent : "/tmp");
    must(mkdtemp(place) && atexit(clear) == 0);
    must(rouse_store_open(place, NULL, &store, NULL) == 0);
    must(rouse_store_register(store, &rouse_task_state_key, NULL) == 0);
    must(rouse_store_register(store, &rouse_view_key, NULL) == 0);
}

static char *export_of(const char *thread)
{
    char *json = NULL;
    rouse_error err = {0};
    int code = rouse_store_export(store, thread, "r", &json, &err);
    must(code == 0 && json);
    return json;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_once();
    static char *last;
    if (size == 0)
        return 0;
    rouse_error err = {0};
    rouse_import_options options = {
        .unknown = data[0] & 1 ? ROUSE_UNKNOWN_SKIP : ROUSE_UNKNOWN_ERROR, .thread_only = data[0] & 2, .run = "r"};
    int code = rouse_store_import(store, "a", (const char *)data + 1, size - 1, &options, &err);
    char *now = export_of("a");
    if (code < 0) {
        must_say_why(code, &err);
        must(!last || strcmp(last, now) == 0);
    } else {
        must(rouse_store_import(store, "b", now, strlen(now), &(rouse_import_options){.run = "r"}, &err) == 0);
        char *again = export_of("b");
        must(strcmp(now, again) == 0);
        free(again);
    }
    free(last);
    last = now;
    return 0;
}
