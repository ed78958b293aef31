/* rouse agent: runs an agent on the thread. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/agent_show.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/terminal.h"

#define INTERRUPTED_STATUS (128 + SIGINT)
#define PROMPT_BYTES (4u << 20)

extern char **environ;

struct agent_options {
    struct common common;
    const char *model, *system;
    bool resume, no_wait, show_view, lines;
    struct number max_rounds;
};

static const struct option_row rows[] = {
    {"model", 'm', TEXT(struct agent_options, model), "M",
     "openai:NAME, anthropic:NAME, scripted:FILE; several with commas; default $ROUSE_MODEL"},
    {"system", 0, TEXT(struct agent_options, system), "S", "the system prompt"},
    {"resume", 'r', FLAG(struct agent_options, resume), NULL, "go on where the thread's run was left"},
    {"no-wait", 0, FLAG(struct agent_options, no_wait), NULL, "return instead of sleeping until its tasks end"},
    {"max-rounds", 0, NUMBER(struct agent_options, max_rounds), "N", "how often the model may be called; default 100"},
    {"show-view", 0, FLAG(struct agent_options, show_view), NULL, "show the block about tasks that the model sees"},
    ROW_THREAD,
    ROW_STORE,
    {"json", 0, FLAG(struct common, json), NULL, "print the result as one JSON document at the end"},
    {"jsonl", 0, FLAG(struct agent_options, lines), NULL, "print what happens as it happens, one JSON document a line"},
    ROW_END,
};

struct session {
    struct cli *cli;
    const struct agent_options *options;
    struct show show;
    int signals;
    rouse_model *model;
    const char *model_name;     /* or NULL: what rouse_model_open takes then */
    char program[PATH_MAX];     /* this one, for sub-agents */
    const char *sub_agent[6];
};

static bool is_interrupted(void *userdata)
{
    const struct session *s = userdata;
    return signals_came(s->signals);
}

static void on_event(const rouse_agent_event *event, void *userdata)
{
    struct session *s = userdata;
    show_event(&s->show, event);
}

/* The words given, or standard input when it is not a terminal. */
static int read_prompt(const struct cli *cli, const struct agent_options *o, struct buf *out, rouse_error *err)
{
    for (size_t i = 0; i < cli->count; i++) {
        if (i > 0)
            buf_addc(out, ' ');
        buf_adds(out, cli->operands[i]);
    }
    int code = buf_check(out, err);
    if (code == 0 && cli->count == 0 && !o->resume && !terminal_is(stdin))
        code = input_read(STDIN_FILENO, "standard input", out, err);
    if (code < 0)
        return code;
    const char *text = buf_text(out);
    if (text[strspn(text, " \t\r\n")] != '\0' || (o->resume && cli->count == 0))
        return 0;
    return cli_misuse(cli, err, "no prompt given; write one, or --resume");
}

static void name_sub_agent(struct session *s)
{
    size_t n = 0;
    ssize_t len = readlink("/proc/self/exe", s->program, sizeof s->program - 1);
    if (len <= 0)
        return;
    s->program[len] = '\0';
    s->sub_agent[n++] = s->program;
    s->sub_agent[n++] = "agent";
    if (s->model_name) {
        s->sub_agent[n++] = "--model";
        s->sub_agent[n++] = s->model_name;
    }
    s->sub_agent[n] = "--";
}

static int open_session(struct session *s, rouse_error *err)
{
    int code = signals_open(true, &s->signals, err);
    const rouse_manager_options how = {.asker = "agent", .interrupted = is_interrupted, .userdata = s, .spare_supervisors = 4};
    if (code == 0)
        code = rouse_model_open(s->model_name, NULL, &s->model, err);
    if (code == 0)
        code = cli_open_with(s->cli, false, &how, err);
    if (code == 0)
        name_sub_agent(s);
    return code;
}

static int run_agent(struct session *s, const char *prompt, rouse_agent_result **ret_result, rouse_error *err)
{
    static const rouse_plugin *const plugins[] = {&rouse_background_plugin};
    rouse_agent *agent;
    const rouse_agent_options options = {
        .manager = s->cli->manager,
        .thread = s->cli->thread,
        .model = s->model,
        .system = s->options->system,
        .plugins = plugins,
        .n_plugins = 1,
        .max_rounds = (unsigned)s->options->max_rounds.value,
        .wait = !s->options->no_wait,
        .task_id = cli_own_task(s->cli),
        .env = (const char *const *)environ,
        .sub_agent = s->sub_agent[0] ? s->sub_agent : NULL,
        .event = on_event,
        .interrupted = is_interrupted,
        .userdata = s,
        .wake_fd = s->signals,
    };
    int code = rouse_agent_new(&options, &agent, err);
    if (code < 0)
        return code;
    code = rouse_agent_run(agent, prompt, ret_result, err);
    rouse_agent_free(agent);
    return code;
}

/* The exit status, and on stderr how to go on. */
static int conclude(struct session *s, const rouse_agent_result *result)
{
    show_result(&s->show, result);
    bool waits = strcmp(result->status, "waiting") == 0;
    bool is_interrupted_run = signals_came(s->signals);
    const char *reason = result->status_reason ? result->status_reason : "";
    if (waits && is_interrupted_run)
        fprintf(stderr, "rouse: its tasks go on; rouse agent --resume goes on with them\n");
    else if (waits)
        show_waiting(&s->show, "; rouse agent --resume goes on with what they bring");
    else if (strncmp(reason, "stopped:", strlen("stopped:")) == 0)
        fprintf(stderr, "rouse: the run was stopped (%s); another prompt goes on\n", reason + strlen("stopped:"));
    else if (is_interrupted_run)
        fprintf(stderr, "rouse: interrupted; its tasks go on, see rouse ls\n");
    if (is_interrupted_run)
        return INTERRUPTED_STATUS;
    return strncmp(reason, "stopped:", strlen("stopped:")) == 0;
}

static int check_options(const struct cli *cli, const struct agent_options *o, rouse_error *err)
{
    if (o->common.json && o->lines)
        return cli_misuse(cli, err, "give --json or --jsonl, not both");
    if (o->max_rounds.given && (o->max_rounds.value == 0 || o->max_rounds.value > 100000))
        return cli_misuse(cli, err, "--max-rounds must be 1 to 100000");
    return 0;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct agent_options *o = options;
    struct session s = {.cli = cli, .options = o, .signals = -1};
    struct buf prompt = BUF_INIT(PROMPT_BYTES);
    rouse_agent_result *result = NULL;
    s.model_name = o->model && *o->model ? o->model : cli_getenv("ROUSE_MODEL");
    s.show = (struct show){.cli = cli, .view = o->show_view,
                           .mode = o->lines ? SHOW_JSONL : o->common.json ? SHOW_JSON : SHOW_TEXT};
    int code = check_options(cli, o, err);
    if (code == 0)
        code = read_prompt(cli, o, &prompt, err);
    if (code == 0)
        code = open_session(&s, err);
    if (code == 0)
        code = run_agent(&s, prompt.len > 0 ? buf_text(&prompt) : NULL, &result, err);
    if (code == 0)
        code = conclude(&s, result);
    rouse_agent_result_free(result);
    rouse_model_free(s.model);
    show_done(&s.show);
    buf_done(&prompt);
    cli_close(cli); /* its manager asks this session whether it is interrupted */
    fd_close(&s.signals);
    return code;
}

const struct command cmd_agent = {
    .name = "agent",
    .usage = (const char *const[]){"[OPTION…] PROMPT…", "[OPTION…] --resume [PROMPT…]", "[OPTION…] < FILE", NULL},
    .summary = "run an agent that has background tasks",
    .text = "What it says goes to standard output; what it does goes to standard error, in one line each. The conversation is kept\n"
            "in the store under the thread. While only its tasks run it sleeps, and each ending wakes it. Ctrl-C leaves the tasks\n"
            "running; --resume goes on, also after a crash. Of several models the next is asked when one cannot answer.\n"
            "openai and anthropic speak to any server with that interface: OPENAI_API_KEY, OPENAI_BASE_URL; ANTHROPIC_API_KEY,\n"
            "ANTHROPIC_BASE_URL. A key may also stand in a file: OPENAI_API_KEY_FILE, or openai.key in ~/.config/rouse, mode 0600.",
    .options = rows,
    .options_size = sizeof(struct agent_options),
    .examples = (const struct example[]){{"rouse agent -m openai:gpt-4o-mini \"Build this and tell me what fails.\"", "a first prompt"},
                                         {"rouse agent --resume", "take in what has ended meanwhile"},
                                         {NULL, NULL}},
    .max_operands = SIZE_MAX,
    .run = run,
};
