/* Hooks and their updates (COMPAT B24, B25, B116; DEFECTS 19, 20): what is merged, what is run again, what is refused. */
#include "stage.h"

/* ---- a key that keeps a text, exclusive, and one that adds up ---- */

static int append(rouse_edit *edit, const void *update, rouse_error *err)
{
    const void *old = NULL;
    char *text = NULL;
    int code = rouse_edit_get(edit, NULL, &old, err);
    if (code < 0)
        return code;
    if (asprintf(&text, "%s%s", old ? (const char *)old : "", (const char *)update) < 0)
        return ROUSE_ENOMEM;
    return rouse_edit_put(edit, NULL, text, err);
}

static char *encode(const void *value, rouse_error *err)
{
    char *json = NULL;
    (void)err;
    return asprintf(&json, "\"%s\"", (const char *)value) < 0 ? NULL : json;
}

static int decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    (void)entry;
    (void)err;
    *ret_value = strndup(json + 1, len - 2);
    return *ret_value ? 0 : ROUSE_ENOMEM;
}

#define TEXT_KEY(key_name, strategy)                                                                                   \
    {                                                                                                                  \
        .name = key_name, .scope = ROUSE_SCOPE_THREAD, .merge = strategy, .reduce = append, .encode = encode,          \
        .decode = decode, .release = free, .release_update = free                                                      \
    }
static const rouse_key exclusive_key = TEXT_KEY("test.exclusive", ROUSE_MERGE_EXCLUSIVE);
static const rouse_key commutative_key = TEXT_KEY("test.commutative", ROUSE_MERGE_COMMUTATIVE);
static const rouse_key *const keys[] = {&exclusive_key, &commutative_key};

static char *value_of(struct stage *s, const rouse_key *key)
{
    rouse_snapshot *snapshot = NULL;
    assert_works(rouse_store_snapshot(s->scene.store, "t", NULL, &snapshot, &err));
    const char *text = rouse_snapshot_get(snapshot, key, NULL);
    char *copy = strdup(text ? text : "");
    rouse_snapshot_unref(snapshot);
    return copy;
}

/* ---- hooks that say what they saw ---- */

struct script { /* of one plugin; userdata of its hook */
    const rouse_key *key;
    const char *text;
    struct stage *stage;
    int calls;
    bool based;   /* names the snapshot's revision as its base */
    bool disturb; /* another commit lands while the first call is under way */
    char saw[64]; /* the key's value at the last call */
};

static void commit_elsewhere(struct stage *s)
{
    rouse_batch *batch = rouse_batch_new();
    assert_works(rouse_batch_add(batch, &commutative_key, strdup("x"), &err));
    rouse_commit commit = {.thread = "t", .batch = batch};
    assert_works(rouse_store_commit(s->scene.store, &commit, NULL, &err));
    rouse_batch_free(batch);
}

static int hook(rouse_hook *hook, void *userdata, rouse_error *err)
{
    struct script *p = userdata;
    const char *saw = rouse_snapshot_get(hook->snapshot, p->key, NULL);
    snprintf(p->saw, sizeof p->saw, "%s", saw ? saw : "");
    if (++p->calls == 1 && p->disturb)
        commit_elsewhere(p->stage);
    if (p->based)
        rouse_batch_set_base(hook->batch, rouse_snapshot_revision(hook->snapshot));
    return p->text ? rouse_batch_add(hook->batch, p->key, strdup(p->text), err) : 0;
}

struct pair { /* two plugins in one phase */
    struct script scripts[2];
    rouse_plugin plugins[2];
    const rouse_plugin *list[2];
};

static void pair_init(struct pair *p, struct stage *s, rouse_phase phase, const rouse_key *left, const rouse_key *right)
{
    *p = (struct pair){.scripts = {{.key = left, .text = "l", .stage = s}, {.key = right, .text = "r", .stage = s}}};
    for (size_t i = 0; i < 2; i++) {
        p->plugins[i] = (rouse_plugin){.name = i == 0 ? "left" : "right",
                                       .keys = keys,
                                       .n_keys = 2,
                                       .hook = hook,
                                       .phases = ROUSE_PHASE_BIT(phase),
                                       .userdata = &p->scripts[i]};
        p->list[i] = &p->plugins[i];
    }
    s->options.plugins = p->list;
    s->options.n_plugins = 2;
}

#define SAY "{\"turns\":[{\"say\":\"hi\"}]}"
#define CALL "{\"turns\":[{\"tools\":[{\"name\":\"none\"}]},{\"say\":\"hi\"}]}"

static const struct {
    rouse_phase phase;
    const rouse_key *left, *right;
    const char *exclusive, *commutative; /* afterwards */
    int right_calls;
    const char *right_saw;
} merges[] = {
    {ROUSE_RUN_START, &exclusive_key, &commutative_key, "l", "r", 1, ""},
    {ROUSE_RUN_START, &commutative_key, &commutative_key, "", "lr", 1, ""},
    {ROUSE_RUN_START, &exclusive_key, &exclusive_key, "lr", "", 2, "l"}, /* run again on what the other left */
    {ROUSE_STEP_START, &exclusive_key, &exclusive_key, "lr", "", 2, "l"},
    {ROUSE_BEFORE_INFERENCE, &exclusive_key, &exclusive_key, "lr", "", 2, "l"},
    {ROUSE_STEP_END, &exclusive_key, &exclusive_key, "lr", "", 2, "l"},
    {ROUSE_RUN_END, &exclusive_key, &exclusive_key, "lr", "", 2, "l"},
    {ROUSE_AFTER_INFERENCE, &exclusive_key, &commutative_key, "l", "r", 1, ""},
};

static void defect_20_hooks_return_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(merges); i++) {
        struct stage s;
        struct pair p;
        stage_init(&s, SAY);
        pair_init(&p, &s, merges[i].phase, merges[i].left, merges[i].right);
        stage_play(&s, "go", "done", "natural");
        char *exclusive = value_of(&s, &exclusive_key);
        char *commutative = value_of(&s, &commutative_key);
        assert_string_equal(exclusive, merges[i].exclusive);
        assert_string_equal(commutative, merges[i].commutative);
        assert_int_equal(p.scripts[0].calls, 1);
        assert_int_equal(p.scripts[1].calls, merges[i].right_calls);
        assert_string_equal(p.scripts[1].saw, merges[i].right_saw);
        free(exclusive);
        free(commutative);
        stage_done(&s);
    }
}

/* Where updates join the commit of a message there is nothing to run again: an overlap ends the run. */
static void test_overlap_where_updates_join(void **state)
{
    (void)state;
    struct stage s;
    struct pair p;
    rouse_agent_result *r = NULL;
    stage_init(&s, SAY);
    pair_init(&p, &s, ROUSE_AFTER_INFERENCE, &exclusive_key, &exclusive_key);
    assert_refused(stage_try(&s, "go", &r, &err), ROUSE_ECONFLICT,
                   "parallel merge conflict on exclusive key: test.exclusive");
    stage_done(&s);
}

/* A task's commit between a hook's snapshot and its own commit does no harm; a base that was named and moved is tried again. */
static void defect_19_disturbed_hooks(void **state)
{
    (void)state;
    for (int based = 0; based < 2; based++) {
        struct stage s;
        struct pair p;
        stage_init(&s, SAY);
        pair_init(&p, &s, ROUSE_STEP_START, &exclusive_key, &exclusive_key);
        s.options.n_plugins = 1;
        p.scripts[0].disturb = true;
        p.scripts[0].based = based;
        stage_play(&s, "go", "done", "natural");
        char *text = value_of(&s, &exclusive_key);
        assert_string_equal(text, "l");
        assert_int_equal(p.scripts[0].calls, based ? 2 : 1);
        free(text);
        stage_done(&s);
    }
}

static int failing_hook(rouse_hook *h, void *userdata, rouse_error *err)
{
    (void)h;
    (void)userdata;
    err->code = ROUSE_EREMOTE;
    snprintf(err->message, sizeof err->message, "no coffee");
    return ROUSE_EREMOTE;
}

/* COMPAT B116 */
static void test_failing_hook(void **state)
{
    (void)state;
    static const rouse_phase phases[] = {ROUSE_STEP_START, ROUSE_BEFORE_INFERENCE, ROUSE_AFTER_INFERENCE,
                                         ROUSE_STEP_END};
    for (size_t i = 0; i < COUNT(phases); i++) {
        const rouse_plugin plugin = {.name = "bad", .hook = failing_hook, .phases = ROUSE_PHASE_BIT(phases[i])};
        const rouse_plugin *list[] = {&plugin};
        char expected[64];
        struct stage s;
        rouse_agent_result *r = NULL;
        rouse_run *run = NULL;
        stage_init(&s, SAY);
        s.options.plugins = list;
        snprintf(expected, sizeof expected, "phase error: %s, plugin 'bad': no coffee", rouse_phase_text(phases[i]));
        assert_refused(stage_try(&s, "go", &r, &err), ROUSE_EREMOTE, expected);
        assert_works(rouse_store_last_run(s.scene.store, "t", &run, &err));
        assert_string_equal(run->status_reason, "error");
        rouse_run_free(run);
        stage_done(&s);
    }
}

/* ---- the order of phases, the gate, injection ---- */

static char order[512];

static int recording_hook(rouse_hook *h, void *userdata, rouse_error *err)
{
    (void)userdata;
    (void)err;
    size_t len = strlen(order);
    snprintf(order + len, sizeof order - len, "%s%s%s ", rouse_phase_text(h->phase), h->call ? ":" : "",
             h->call ? h->call->name : "");
    return 0;
}

static void test_order(void **state)
{
    (void)state;
    const rouse_plugin plugin = {.name = "p", .hook = recording_hook, .phases = ~0u};
    const rouse_plugin *list[] = {&plugin, &rouse_background_plugin};
    struct stage s;
    order[0] = '\0';
    stage_init(&s, "{\"turns\":[{\"tools\":[{\"name\":\"list_tasks\"}]},{\"say\":\"hi\"}]}");
    s.options.plugins = list;
    s.options.n_plugins = 2;
    stage_play(&s, "go", "done", "natural");
    assert_string_equal(
        order, "RunStart StepStart BeforeInference AfterInference ToolGate:list_tasks BeforeToolExecute:list_tasks "
               "AfterToolExecute:list_tasks StepEnd StepStart BeforeInference AfterInference StepEnd RunEnd ");
    stage_done(&s);
}

static int denying_hook(rouse_hook *h, void *userdata, rouse_error *err)
{
    (void)userdata;
    return strcmp(h->call->name, "spawn_task") == 0 ? rouse_hook_deny(h, "not on my watch", err) : 0;
}

static void test_gate(void **state)
{
    (void)state;
    const rouse_plugin plugin = {.name = "p", .hook = denying_hook, .phases = ROUSE_PHASE_BIT(ROUSE_TOOL_GATE)};
    const rouse_plugin *list[] = {&plugin, &rouse_background_plugin};
    struct stage s;
    stage_init(&s,
               "{\"turns\":[{\"tools\":[{\"name\":\"spawn_task\",\"arguments\":{\"command\":\"true\"}},{\"name\":"
               "\"list_tasks\"}]},"
               "{\"expect\":[\"Denied: not on my watch\",\"{\\\"tasks\\\":[],\\\"more\\\":false}\"],\"say\":\"hi\"}]}");
    s.options.plugins = list;
    s.options.n_plugins = 2;
    stage_play(&s, "go", "done", "natural");
    stage_done(&s);
}

static int injecting_hook(rouse_hook *h, void *userdata, rouse_error *err)
{
    return rouse_hook_inject(h, "REMINDER", *(bool *)userdata, err);
}

static void test_injection(void **state)
{
    (void)state;
    for (int always = 0; always < 2; always++) {
        bool flag = always;
        const rouse_plugin plugin = {
            .name = "p", .hook = injecting_hook, .userdata = &flag, .phases = ROUSE_PHASE_BIT(ROUSE_BEFORE_INFERENCE)};
        const rouse_plugin *list[] = {&plugin};
        struct stage s;
        stage_init(&s, CALL);
        s.options.plugins = list;
        stage_play(&s, "go", "done", "natural");
        assert_int_equal(stage_count(s.model.prompts[0], "REMINDER"), 1);
        assert_int_equal(stage_count(s.model.prompts[1], "REMINDER"), always);
        stage_done(&s);
    }
}

static int misplaced_hook(rouse_hook *h, void *userdata, rouse_error *why)
{
    (void)userdata;
    assert_refused(rouse_hook_deny(h, "x", &err), ROUSE_EINVAL, "ToolGate");
    return rouse_hook_inject(h, "x", false, why);
}

static void test_misplaced(void **state)
{
    (void)state;
    const rouse_plugin plugin = {.name = "p", .hook = misplaced_hook, .phases = ROUSE_PHASE_BIT(ROUSE_STEP_START)};
    const rouse_plugin *list[] = {&plugin};
    struct stage s;
    rouse_agent_result *r = NULL;
    stage_init(&s, SAY);
    s.options.plugins = list;
    assert_refused(stage_try(&s, "go", &r, &err), ROUSE_EINVAL, "text can be injected in BeforeInference only");
    stage_done(&s);
}

/* COMPAT B118 */
static void test_same_tool_twice(void **state)
{
    (void)state;
    const rouse_plugin *list[] = {&rouse_background_plugin, &rouse_background_plugin};
    struct stage s;
    rouse_agent_result *r = NULL;
    stage_init(&s, SAY);
    s.options.plugins = list;
    s.options.n_plugins = 2;
    assert_refused(stage_try(&s, "go", &r, &err), ROUSE_ECONFLICT, "tool already registered: spawn_task");
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defect_20_hooks_return_data),         cmocka_unit_test(test_overlap_where_updates_join),
        cmocka_unit_test(defect_19_disturbed_hooks),       cmocka_unit_test(test_failing_hook),
        cmocka_unit_test(test_order),           cmocka_unit_test(test_gate),
        cmocka_unit_test(test_injection),       cmocka_unit_test(test_misplaced),
        cmocka_unit_test(test_same_tool_twice),
    };
    return check_run(tests, NULL, NULL);
}
