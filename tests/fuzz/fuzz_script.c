/* A model's script. */
#include "fuzz.h"
#include "json/jtext.h"
#include "model/scripted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {0};
    rouse_error err = {0};
    int code = script_parse("dir/fuzz", (const char *)data, size, &script, &err);
    if (code < 0) {
        must_say_why(code, &err);
        return 0;
    }
    must(strcmp(script.name, "fuzz") == 0);
    for (size_t i = 0; i < script.n_turns; i++) {
        const struct script_turn *turn = &script.turns[i];
        for (size_t k = 0; k < turn->n_tools; k++)
            must(turn->tools[k].name && turn->tools[k].arguments);
        for (size_t k = 0; k < turn->n_captures; k++)
            must(turn->captures[k].name && turn->captures[k].pattern);
    }
    script_done(&script);
    return 0;
}
