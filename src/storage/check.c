/* The public half of the check; the backend knows what to look at. */
#include "storage/storage.h"

int rouse_store_check(rouse_store *store, void (*report)(int level, const char *text, void *userdata), void *userdata,
                      rouse_error *err)
{
    int code = report ? store_enter(store, err) : rouse_fail(err, ROUSE_EINVAL, "nobody to report to");
    if (code < 0)
        return code;
    code = store->ops->check(store->backend, report, userdata, err);
    store_leave(store);
    return code;
}
