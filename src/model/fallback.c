/* Several models as one: the next is asked when one cannot answer. What is wrong on this side (memory, an interrupt) is not tried
 * elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "model/model.h"

struct fallback {
    rouse_model shown; /* first */
    size_t count;
    rouse_model *models[LIMIT_MODELS];
    struct buf name;
};

static int complete(rouse_model *model, const rouse_model_request *request, const rouse_model_sink *sink,
                    rouse_model_reply **ret_reply, rouse_error *err)
{
    struct fallback *f = (struct fallback *)(void *)model;
    rouse_error why = {0};
    int code = 0;
    for (size_t i = 0; i < f->count; i++) {
        why = (rouse_error){0};
        code = f->models[i]->complete(f->models[i], request, sink, ret_reply, &why);
        if (code != ROUSE_EREMOTE)
            break;
        if (i + 1 < f->count && sink && sink->again)
            sink->again(why.message, 0, sink->userdata);
    }
    if (code < 0 && err)
        *err = why;
    return code;
}

static void release(rouse_model *model)
{
    struct fallback *f = (struct fallback *)(void *)model;
    for (size_t i = 0; i < f->count; i++)
        rouse_model_free(f->models[i]);
    buf_done(&f->name);
    free(f);
}

int fallback_open(rouse_model *const *models, size_t count, rouse_model **ret_model, rouse_error *err)
{
    struct fallback *f = calloc(1, sizeof *f);
    if (!f)
        return rouse_fail_memory(err);
    f->name = BUF_INIT(0);
    for (size_t i = 0; i < count; i++) {
        buf_adds(&f->name, i > 0 ? "," : "");
        buf_adds(&f->name, models[i]->name);
    }
    if (f->name.failed) {
        release(&f->shown);
        return rouse_fail_memory(err);
    }
    memcpy(f->models, models, count * sizeof *models);
    f->count = count;
    f->shown = (rouse_model){.name = buf_text(&f->name), .complete = complete, .free = release};
    *ret_model = &f->shown;
    return 0;
}
