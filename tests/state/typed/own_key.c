/* A key of a program's own, its reducer written with the typed wrappers. */
#include <stdlib.h>

#include "rouse/state.h"

struct total {
    long sum;
};
struct step {
    long by;
};
extern const rouse_key total_key;
ROUSE_KEY_TYPED(total, total_key, struct total, struct step);

int total_reduce(rouse_edit *edit, const struct step *step, rouse_error *err);
int total_step(rouse_batch *batch, rouse_error *err);

int total_reduce(rouse_edit *edit, const struct step *step, rouse_error *err)
{
    const struct total *old = NULL;
    int code = total_edit_get(edit, NULL, &old, err);
    if (code < 0)
        return code;
    struct total *now = (struct total *)malloc(sizeof *now);
    if (!now)
        return ROUSE_ENOMEM;
    now->sum = (old ? old->sum : 0) + step->by;
#ifdef WRONG_1 /* an update in the place of a value */
    return total_edit_put(edit, NULL, (struct step *)step, err);
#endif
#ifdef WRONG_2 /* no value of this key is there to be read as something else */
    const struct step *other = NULL;
    code = total_edit_get(edit, NULL, &other, err);
#endif
#ifdef WRONG_3 /* what is read is not to be changed */
    struct total *mine = total_get(NULL, NULL);
    mine->sum = 0;
#endif
    return total_edit_put(edit, NULL, now, err);
}

int total_step(rouse_batch *batch, rouse_error *err)
{
    struct step *step = (struct step *)calloc(1, sizeof *step);
#ifdef WRONG_4 /* a number is no update */
    return total_add(batch, 1, err);
#endif
    return total_add(batch, step, err);
}
