#include "stage.h"

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/message.h"
#include "base/buf.h"
#include "model/prompt.h"

static int watch(rouse_model *model, const rouse_model_request *request, const rouse_model_sink *sink,
                 rouse_model_reply **ret_reply, rouse_error *err)
{
    struct watched *w = (struct watched *)(void *)model;
    struct buf text = BUF_INIT(0);
    size_t turn;
    int code = prompt_render(request, &text, &turn, err);
    if (code < 0)
        return code;
    assert_true(w->n < STAGE_PROMPTS);
    w->prompts[w->n++] = buf_take(&text, NULL);
    return w->inner->complete(w->inner, request, sink, ret_reply, err);
}

static void append(struct stage *s, const char *word, const char *text, size_t len)
{
    char *log = NULL;
    assert_true(asprintf(&log, "%s%s %.*s\n", s->log, word, (int)len, text) > 0);
    free(s->log);
    s->log = log;
}

static void on_event(const rouse_agent_event *event, void *userdata)
{
    static const char *const words[] = {"text", "call", "result", "inbox", "injected", "step", "waiting"};
    struct stage *s = userdata;
    if (event->kind == ROUSE_AGENT_TOOL_CALL)
        append(s, "call", event->call->name, strlen(event->call->name));
    else
        append(s, event->kind == ROUSE_AGENT_TOOL_RESULT && event->failed ? "failed" : words[event->kind], event->text,
               event->len);
    if (event->kind == ROUSE_AGENT_WAITING && s->on_waiting)
        s->on_waiting(s);
}

static bool is_interrupted(void *userdata)
{
    return ((struct stage *)userdata)->interrupted;
}

void stage_script(struct stage *s, const char *script)
{
    char path[128];
    char selector[160];
    snprintf(path, sizeof path, "%s/script.json", s->scene.dir);
    snprintf(selector, sizeof selector, "scripted:%s", path);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(script, f);
    fclose(f);
    rouse_model_free(s->model.inner);
    s->model.inner = NULL;
    assert_works(rouse_model_open(selector, NULL, &s->model.inner, &err));
}

void stage_init(struct stage *s, const char *script)
{
    static const rouse_plugin *const plugins[] = {&rouse_background_plugin};
    static const char *const env[] = {"PATH=/usr/bin:/bin", "DB_PASSWORD=hunter2", NULL};
    *s = (struct stage){.log = strdup("")};
    scene_init(&s->scene);
    s->model.shown = (rouse_model){.name = "watched", .complete = watch};
    stage_script(s, script);
    s->options = (rouse_agent_options){.thread = "t",
                                       .model = &s->model.shown,
                                       .plugins = plugins,
                                       .n_plugins = 1,
                                       .env = env,
                                       .event = on_event,
                                       .interrupted = is_interrupted,
                                       .userdata = s};
}

void stage_done(struct stage *s)
{
    rouse_model_free(s->model.inner);
    for (size_t i = 0; i < s->model.n; i++)
        free(s->model.prompts[i]);
    free(s->log);
    scene_done(&s->scene);
}

int stage_try(struct stage *s, const char *prompt, rouse_agent_result **ret_result, rouse_error *err)
{
    rouse_agent *agent = NULL;
    s->options.manager = s->scene.manager;
    int code = rouse_agent_new(&s->options, &agent, err);
    if (code < 0)
        return code;
    code = rouse_agent_run(agent, prompt, ret_result, err);
    rouse_agent_free(agent);
    return code;
}

rouse_agent_result *stage_run(struct stage *s, const char *prompt, const char *status, const char *reason)
{
    rouse_agent_result *result = NULL;
    assert_works(stage_try(s, prompt, &result, &err));
    assert_string_equal(result->status, status);
    assert_string_equal(result->status_reason, reason);
    return result;
}

void stage_play(struct stage *s, const char *prompt, const char *status, const char *reason)
{
    rouse_agent_result_free(stage_run(s, prompt, status, reason));
}

const char *stage_seen(const struct stage *s)
{
    return s->model.n > 0 ? s->model.prompts[s->model.n - 1] : "";
}

size_t stage_count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

/* Numbers of six digits and more are times and sizes of this very run, and so are call ids. */
static void add_plain(struct buf *out, const char *text)
{
    while (*text) {
        size_t digits = strspn(text, "0123456789");
        if (digits >= 6) {
            buf_addc(out, '#');
            text += digits;
        } else if (strncmp(text, "call_", 5) == 0 && strlen(text) >= 41 && text[13] == '-') {
            buf_addc(out, '#');
            text += 41;
        } else {
            buf_addc(out, *text == '\n' ? ' ' : *text);
            text++;
        }
    }
}

static void add_message(struct buf *out, const rouse_message *row)
{
    struct arena arena = {0};
    struct message m;
    assert_works(message_decode(row->json, strlen(row->json), &arena, &m, &err));
    assert_string_equal(m.role, row->role);
    assert_string_equal(m.id, row->id);
    bool machine = strstr(row->json, "\"visibility\":\"internal\",\"metadata\":{\"origin\":\"machine\"}") != NULL;
    buf_addf(out, "%s%s: ", m.role, machine ? " (machine)" : "");
    add_plain(out, m.text);
    for (size_t i = 0; i < m.n_calls; i++) {
        buf_addf(out, " | call %s ", m.calls[i].name);
        add_plain(out, m.calls[i].arguments);
    }
    buf_addc(out, '\n');
    arena_done(&arena);
}

char *stage_transcript(struct stage *s)
{
    rouse_messages *messages = NULL;
    struct buf out = BUF_INIT(0);
    assert_works(rouse_store_messages(s->scene.store, "t", 0, 0, &messages, &err));
    for (size_t i = 0; i < rouse_messages_count(messages); i++)
        add_message(&out, rouse_messages_at(messages, i));
    rouse_messages_free(messages);
    char *text = buf_take(&out, NULL);
    assert_non_null(text);
    return text;
}

static void check_answers(const rouse_messages *messages, size_t at, const struct message *m)
{
    for (size_t c = 0; c < m->n_calls; c++) {
        char mark[128];
        size_t answers = 0;
        snprintf(mark, sizeof mark, "\"tool_call_id\":\"%s\"", m->calls[c].id);
        for (size_t i = 0; i < rouse_messages_count(messages); i++)
            if (strstr(rouse_messages_at(messages, i)->json, mark)) {
                assert_true(i > at);
                answers++;
            }
        assert_int_equal(answers, 1);
    }
}

void stage_check(struct stage *s)
{
    rouse_messages *messages = NULL;
    rouse_events *events = NULL;
    assert_works(rouse_store_messages(s->scene.store, "t", 0, 0, &messages, &err));
    for (size_t i = 0; i < rouse_messages_count(messages); i++) {
        struct arena arena = {0};
        struct message m;
        const rouse_message *row = rouse_messages_at(messages, i);
        assert_works(message_decode(row->json, strlen(row->json), &arena, &m, &err));
        check_answers(messages, i, &m);
        arena_done(&arena);
    }
    rouse_messages_free(messages);
    char *transcript = stage_transcript(s);
    assert_works(rouse_store_inbox(s->scene.store, "t", 0, true, 0, &events, &err));
    for (size_t i = 0; i < rouse_events_count(events); i++) {
        char tag[64];
        const rouse_event *e = rouse_events_at(events, i);
        snprintf(tag, sizeof tag, " task_id=\"%s\">", e->task_id);
        assert_true(e->acknowledged);
        assert_int_equal(stage_count(transcript, tag), 1);
    }
    rouse_events_free(events);
    free(transcript);
}

void stage_check_state(struct stage *s, const char *run, const char *status, const char *reason, uint64_t steps,
                       bool pending)
{
    static const rouse_key *const keys[] = {&rouse_lifecycle_key, &rouse_pending_work_key};
    rouse_snapshot *snapshot = NULL;
    for (size_t i = 0; i < COUNT(keys); i++)
        if (!rouse_store_key(s->scene.store, keys[i]->name)) /* a handle that no agent has used yet */
            assert_works(rouse_store_register(s->scene.store, keys[i], &err));
    assert_works(rouse_store_snapshot(s->scene.store, "t", run, &snapshot, &err));
    const rouse_lifecycle *l = rouse_snapshot_get(snapshot, &rouse_lifecycle_key, NULL);
    const bool *flag = rouse_snapshot_get(snapshot, &rouse_pending_work_key, NULL);
    assert_non_null(l);
    assert_string_equal(l->run_id, run);
    assert_string_equal(l->status, status);
    assert_string_equal(l->status_reason ? l->status_reason : "", reason);
    assert_int_equal(l->step_count, steps);
    assert_int_equal(flag && *flag, pending);
    rouse_snapshot_unref(snapshot);
}

void stage_release(const char *fifo)
{
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
}
