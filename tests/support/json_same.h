/* Are two JSON texts the same value? Members in any order (of two of one name the last counts), numbers by value. */
#ifndef SUPPORT_JSON_SAME_H
#define SUPPORT_JSON_SAME_H

#include <stdbool.h>

struct json_same {
    bool null_result_is_none; /* an object of ours may hold "result":null where theirs has no result */
    int null_results;         /* how often that was so */
};

/* ours and theirs: NUL-terminated. False also when one of them is malformed. */
bool json_same(struct json_same *how, const char *ours, const char *theirs);

#endif
