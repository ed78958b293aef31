/* A command line, one word a line; each word also as a duration, a number, a signal. */
#include <signal.h>

#include "cli/cli.h"
#include "cli/text.h"
#include "fuzz.h"

#define WORDS 24

struct all {
    struct common common;
    bool flag, other;
    const char *text;
    struct texts texts;
    struct duration duration;
    struct number number;
    int signal;
};

static const struct option_row rows[] = {
    {"flag", 'f', FLAG(struct all, flag), NULL, ""},
    {"other", 'o', FLAG(struct all, other), NULL, ""},
    {"text", 't', TEXT(struct all, text), "T", ""},
    {"texts", 'T', TEXTS(struct all, texts), "T", ""},
    {"duration", 'd', DURATION(struct all, duration), "DUR", ""},
    {"number", 'n', NUMBER(struct all, number), "N", ""},
    {"signal", 's', SIGNAL(struct all, signal), "S", ""},
    ROW_STORE,
    ROW_JSON,
    ROW_END,
};
static const struct command commands[] = {
    {.name = "eat", .options = rows, .options_size = sizeof(struct all), .max_operands = 3, .operand = "word"},
    {.name = "wrap",
     .options = rows,
     .options_size = sizeof(struct all),
     .stops_at_operand = true,
     .min_operands = 1,
     .max_operands = SIZE_MAX,
     .operand = "command"},
};

static void read_word(const char *word)
{
    rouse_error err = {0};
    uint64_t ms;
    int signal, code = text_read_duration(word, &ms, &err);
    if (code < 0)
        must_say_why(code, &err);
    if ((code = text_read_number(word, &ms, &err)) < 0)
        must_say_why(code, &err);
    if ((code = text_read_signal(word, &signal, &err)) < 0)
        must_say_why(code, &err);
    else
        must(signal > 0 && signal <= SIGRTMAX);
}

static void parse(const struct command *command, char *const *words, size_t count)
{
    char *argv[WORDS + 1];
    struct all all = {0};
    size_t operands = 0;
    rouse_error err = {0};
    memcpy(argv, words, (count + 1) * sizeof *argv);
    int code = options_parse(command, argv, count, &all, &operands, &err);
    if (code < 0)
        must_say_why(code, &err);
    if (code == 0) {
        must(operands <= count && operands >= command->min_operands && operands <= command->max_operands &&
             !argv[operands]);
        for (size_t i = 0; i < operands; i++)
            must(argv[i] != NULL);
    }
    options_done(command, &all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *words[WORDS + 1];
    size_t count = 0;
    must(text != NULL);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    for (char *at = text; at < text + size && count < WORDS; count++) {
        char *end = memchr(at, '\n', (size_t)(text + size - at));
        words[count] = at;
        if (end)
            *end = '\0';
        read_word(at);
        at = end ? end + 1 : text + size;
    }
    words[count] = NULL;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        parse(&commands[i], words, count);
    free(text);
    return 0;
}
