/* What a running agent shows: its words on standard output, its doings in one line each on standard error, or both as JSON. */
#ifndef CLI_AGENT_SHOW_H
#define CLI_AGENT_SHOW_H

#include "cli/cli.h"
#include "cli/terminal.h"
#include "rouse/agent.h"

enum show_mode { SHOW_TEXT, SHOW_JSON, SHOW_JSONL };

struct show {
    struct cli *cli;
    enum show_mode mode;
    bool view; /* the injected block too */
    bool in_line;
    struct terminal_filter filter;
    char *said; /* the last waiting line, so that it is said once */
};

void show_event(struct show *show, const rouse_agent_event *event);
/* Says which tasks the run waits for; rest is the end of the sentence. */
void show_waiting(struct show *show, const char *rest);
/* What is to be printed once the run has returned. */
void show_result(struct show *show, const rouse_agent_result *result);
void show_done(struct show *show);

#endif
