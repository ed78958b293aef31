/* The options that say how a command runs, for every command that starts one. */
#ifndef CLI_PROCESS_OPTIONS_H
#define CLI_PROCESS_OPTIONS_H

#include "cli/cli.h"

struct process_options {
    bool tty, input, wait_tree, sandbox, no_network;
    const char *umask, *memory, *files, *nice, *keep_head, *keep_tail;
    struct duration cpu;
    struct texts writable;
};

#define PROCESS_ROWS(owner, member)                                                                                    \
    {"stdin", 'i', FLAG(owner, member.input), NULL, "give it standard input: from here, or with -d from rouse write"}, \
    {"tty", 0, FLAG(owner, member.tty), NULL, "give it a terminal for input and output"},                              \
    {"wait-tree", 0, FLAG(owner, member.wait_tree), NULL, "it ends with the last process it started"},                 \
    {"cpu", 0, DURATION(owner, member.cpu), "DUR", "limit of CPU time, for each of its processes"},                    \
    {"memory", 0, TEXT(owner, member.memory), "SIZE", "limit of memory, for each of its processes, such as 512M"},     \
    {"files", 0, TEXT(owner, member.files), "N", "limit of open files"},                                               \
    {"nice", 0, TEXT(owner, member.nice), "N", "run it nicer by N, -20 to 19"},                                        \
    {"umask", 0, TEXT(owner, member.umask), "MODE", "what its new files are not, in octal; default: as here"},         \
    {"keep-head", 0, TEXT(owner, member.keep_head), "SIZE", "output kept from the beginning; default 256K"},           \
    {"keep-tail", 0, TEXT(owner, member.keep_tail), "SIZE", "output kept from the end; default 8M"},                   \
    {"sandbox", 0, FLAG(owner, member.sandbox), NULL, "a system it cannot write to, and a /tmp of its own (bwrap)"},   \
    {"writable", 0, TEXTS(owner, member.writable), "PATH", "with --sandbox: it may write here; may be repeated"},      \
    {"no-network", 0, FLAG(owner, member.no_network), NULL, "with --sandbox: no network"}

/* What was asked for, as the library takes it: *ret Returns process_options_free. ROUSE_EINVAL names the option. */
struct process_asked {
    rouse_process process;
    char **writable; /* owned */
};
int process_options_read(const struct cli *cli, const struct process_options *o, struct process_asked *fill, rouse_error *err);
void process_options_free(struct process_asked *asked);

#endif
