/* One call each, or a few that belong together, of everything public that the store and the tasks have: what the tests of lacking
 * memory and of a failing store run again and again. */
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../storage/keys.h"
#include "../support/check.h"
#include "base/error.h"

/* ---- a store in memory, used once and closed: keys of other languages, plugins, batches ---- */

static int reduce_json(rouse_edit *edit, const char *update, size_t len, void *userdata, rouse_error *err)
{
    (void)userdata;
    const char *old;
    size_t old_len;
    int code = rouse_edit_json(edit, "entry", &old, &old_len, err);
    if (code == 0 && old)
        code = rouse_edit_clear(edit, err);
    return code < 0 ? code : rouse_edit_put_json(edit, "entry", update, len, err);
}

static int use_plugin(rouse_store *store, const rouse_key *key, rouse_error *err)
{
    rouse_batch *batch = rouse_batch_new();
    rouse_commit commit = {.thread = "t", .batch = batch};
    rouse_snapshot *snapshot = NULL, *other = NULL;
    char *json = NULL;
    int code = batch ? 0 : rouse_fail_memory(err);
    for (int i = 0; i < 2 && code == 0; i++)
        code = rouse_batch_add_json(batch, key, "{\"a\":[1.50]}", 12, err);
    if (code == 0)
        code = rouse_store_commit(store, &commit, NULL, err);
    if (code == 0)
        code = rouse_store_snapshot(store, "t", NULL, &snapshot, err);
    if (code == 0)
        code = rouse_snapshot_json(other = rouse_snapshot_ref(snapshot), key, "entry", &json, err);
    if (code == 0)
        assert_string_equal(json, "{\"a\":[1.50]}");
    rouse_snapshot_unref(snapshot);
    rouse_snapshot_unref(other);
    free(json);
    rouse_batch_free(batch);
    return code;
}

static int op_plugin(struct set *s, rouse_error *err)
{
    (void)s;
    rouse_json_key_options options = {
        .name = "json", .shape = ROUSE_SHAPE_MAP, .scope = ROUSE_SCOPE_THREAD, .reduce = reduce_json};
    rouse_key *key = NULL;
    rouse_store *store = NULL;
    int code = rouse_json_key_new(&options, &key, err);
    const rouse_key *keys[] = {key, &count_key};
    if (code == 0)
        code = rouse_store_open("memory:", NULL, &store, err);
    if (code == 0)
        code = rouse_store_install(store, "plugin", keys, 2, err);
    if (code == 0)
        code = use_plugin(store, key, err);
    if (code == 0)
        code = rouse_store_uninstall(store, "plugin", "t", NULL, err);
    rouse_store_close(store);
    rouse_json_key_free(key);
    return code;
}

static int add(rouse_batch *batch, const rouse_key *key, void *update, rouse_error *err)
{
    return update ? rouse_batch_add(batch, key, update, err) : rouse_fail_memory(err);
}

static int join(rouse_batch *left, rouse_batch *right, rouse_error *err)
{
    static const struct item item = {.live = true, .text = "x"};
    int code = left && right ? add(left, &count_key, count_add(1), err) : rouse_fail_memory(err);
    for (int i = 0; i < 9 && code == 0; i++)
        code = add(right, &items_key, item_put("entry", &item), err);
    if (code < 0)
        return code;
    code = rouse_batch_merge(left, right, err);
    if (code < 0)
        assert_true(rouse_batch_count(left) == 1 && rouse_batch_count(right) == 9);
    if (code == 0)
        code = add(right, &items_key, item_clear(), err);
    if (code == 0)
        code = rouse_batch_extend(left, right, err);
    return code;
}

static int op_batches(struct set *s, rouse_error *err)
{
    (void)s;
    rouse_batch *left = rouse_batch_new(), *right = rouse_batch_new();
    int code = join(left, right, err);
    rouse_batch_free(left);
    rouse_batch_free(right);
    return code;
}

/* ---- the store's further transactions, on SQLite ---- */

static int op_claim(struct set *s, rouse_error *err)
{
    rouse_rows *rows = NULL;
    rouse_claim claim = {.queue = "q", .holder = "h", .lease_ms = 1000000};
    int code = rouse_store_claim(s->store, &items_key, &claim, &rows, err);
    if (code == 0 && rouse_rows_count(rows) > 0) {
        const char *thread, *entry;
        rouse_rows_at(rows, 0, &thread, &entry);
        code = rouse_store_unclaim(s->store, &items_key, thread, entry, "h", err);
        operations_no_more_failures(); /* so that the entry is there to be claimed again */
        rouse_store_unclaim(s->store, &items_key, thread, entry, "h", NULL);
    }
    rouse_rows_free(rows);
    return code;
}

static int op_lease(struct set *s, rouse_error *err)
{
    uint64_t epoch = 0;
    int code = rouse_store_lease(s->store, "l", "h", 1000000, &epoch, err);
    return code < 0 ? code : rouse_store_lease_release(s->store, "l", epoch, err);
}

static int op_prune(struct set *s, rouse_error *err)
{
    rouse_rows *rows = NULL;
    rouse_prune prune = {.thread = "pruned", .keep = 1, .unread = true};
    int code = rouse_store_prune(s->store, &items_key, &prune, &rows, err);
    rouse_rows_free(rows);
    return code;
}

static void no_prune(const char *thread, const char *entry, void *userdata)
{
    (void)thread, (void)entry, (void)userdata;
}

static int op_retention(struct set *s, rouse_error *err)
{
    uint64_t keep, older_ms;
    int code = rouse_store_set_retention(s->store, 1000, 0, err);
    if (code == 0)
        code = rouse_store_retention(s->store, &keep, &older_ms, err);
    if (code == 0)
        code = rouse_store_on_prune(s->store, no_prune, NULL, err);
    return code;
}

/* ---- the manager ---- */

static int op_manager(struct set *s, rouse_error *err)
{
    rouse_manager *manager = NULL;
    int code = rouse_manager_new(s->store, &(rouse_manager_options){.rouse = ""}, &manager, err);
    if (code == 0)
        assert_ptr_equal(rouse_manager_store(manager), s->store);
    rouse_manager_free(manager);
    return code;
}

static int op_get(struct set *s, rouse_error *err)
{
    rouse_task *task = NULL;
    int code = rouse_task_get(s->scene.manager, "t", "named", &task, err);
    rouse_task_free(task);
    return code;
}

static int op_list(struct set *s, rouse_error *err)
{
    rouse_task_list *list = NULL;
    int code = rouse_task_list_get(s->scene.manager, &(rouse_task_filter){.thread = "t"}, &list, err);
    rouse_task_list_free(list);
    return code < 0 ? code : rouse_task_has_running(s->scene.manager, "t", err);
}

static int op_list_tree(struct set *s, rouse_error *err)
{
    rouse_task_list *list = NULL;
    int code = rouse_task_list_get(s->scene.manager, &(rouse_task_filter){.thread = "t", .tree = "named"}, &list, err);
    rouse_task_list_free(list);
    return code;
}

static int op_stats(struct set *s, rouse_error *err)
{
    rouse_stats stats;
    return rouse_manager_stats(s->scene.manager, "t", &stats, err);
}

static int op_wait(struct set *s, rouse_error *err)
{
    const char *ids[] = {s->ended, "named"};
    rouse_wait wait = {.thread = "t", .ids = ids, .count = 2, .any = true, .has_timeout = true};
    rouse_task_list *list = NULL;
    int code = rouse_task_wait(s->scene.manager, &wait, &list, err);
    rouse_task_list_free(list);
    return code;
}

static int op_output(struct set *s, rouse_error *err)
{
    rouse_output output;
    uint64_t offset = 0;
    char text[16];
    int code = rouse_task_output(s->scene.manager, s->ended, &output, err);
    if (code == 0)
        code = rouse_task_tail(s->scene.manager, s->ended, 1, &offset, err);
    return code < 0 ? code : rouse_task_read(s->scene.manager, s->ended, &offset, text, sizeof text, err);
}

static int op_recover(struct set *s, rouse_error *err)
{
    int code = rouse_task_reap(s->scene.manager, s->ended, err);
    if (code == 0)
        code = rouse_task_cancel(s->scene.manager, s->ended, &(rouse_cancel){.thread = "t"}, NULL, err);
    return code < 0 ? code : rouse_task_recover(s->scene.manager, "t", err);
}

static int op_view(struct set *s, rouse_error *err)
{
    char *text = NULL;
    int code = rouse_view_render(s->scene.manager, "t", 0, &text, err);
    free(text);
    return code;
}

static int op_ensure(struct set *s, rouse_error *err)
{
    const char *argv[] = {"true", NULL};
    rouse_task_spec spec = {.thread = "t", .argv = argv, .name = "named"};
    rouse_task *task = NULL;
    int code = rouse_task_ensure(s->scene.manager, &spec, &task, err);
    assert_true(code <= 0 || strcmp(task->name, "named") == 0);
    rouse_task_free(task);
    return code;
}

static int op_cancel_all(struct set *s, rouse_error *err)
{
    rouse_cancel how = {.has_grace = true};
    int code = rouse_task_cancel_all(s->scene.manager, "nobody", &how, NULL, err);
    return code < 0 ? code : rouse_task_cancel_run(s->scene.manager, "t", "no-run", &how, NULL, err);
}

static int op_send(struct set *s, rouse_error *err)
{
    rouse_receipt receipt;
    char *json = NULL;
    int code =
        rouse_task_send(s->scene.manager, &(rouse_send){.thread = "t", .child = "named", .text = "x"}, &receipt, err);
    if (code == 0)
        code = rouse_message_recover(s->scene.manager, NULL, ROUSE_RECOVER_LIST, &json, err);
    free(json);
    return code;
}

static int op_forget(struct set *s, rouse_error *err)
{
    return rouse_task_prune(s->scene.manager, &(rouse_prune){.thread = "t", .keep = 1, .dry = true}, NULL, NULL, err);
}

static void no_done(int code, const rouse_task_list *list, void *userdata)
{
    (void)code, (void)list, (void)userdata;
}

static int op_waiting(struct set *s, rouse_error *err)
{
    const char *ids[] = {"named"};
    rouse_wait wait = {.thread = "t", .ids = ids, .count = 1};
    rouse_waiting *waiting = NULL;
    int code = rouse_waiting_new(s->scene.manager, &wait, no_done, NULL, &waiting, err);
    rouse_waiting_free(waiting);
    return code;
}

static int op_start(struct set *s, rouse_error *err)
{
    const char *argv[] = {"true", NULL}, *env[] = {"PATH=/usr/bin:/bin", NULL};
    rouse_task_spec spec = {.thread = "t", .argv = argv, .env = env, .parent.run_id = "r"};
    rouse_task *task = NULL;
    int code = rouse_task_start(s->scene.manager, &spec, &task, err);
    operations_no_more_failures();
    if (code == 0)
        rouse_task_free(scene_wait(&s->scene, task->task_id));
    rouse_task_free(task);
    return code;
}

const struct operation operations[] = {
    {"plugin", op_plugin, false},   {"batches", op_batches, false},
    {"claim", op_claim, false},     {"lease", op_lease, false},
    {"prune", op_prune, false},     {"retention", op_retention, false},
    {"manager", op_manager, false}, {"get", op_get, false},
    {"list_tree", op_list_tree, false}, {"stats", op_stats, false},
    {"list", op_list, false},       {"wait", op_wait, false},
    {"output", op_output, false},   {"recover", op_recover, false},
    {"view", op_view, false},       {"start", op_start, true},
    {"ensure", op_ensure, false},   {"cancel all", op_cancel_all, false},
    {"send", op_send, false},       {"waiting", op_waiting, false},
    {"forget", op_forget, false},   {NULL, NULL, false},
};

/* ---- where they run ---- */

static void put(struct set *s, const char *thread, const char *entry, const struct item *item)
{
    rouse_batch *batch = rouse_batch_new();
    rouse_commit commit = {.thread = thread, .batch = batch};
    assert_works(rouse_batch_add(batch, &items_key, item_put(entry, item), &err));
    assert_works(rouse_store_commit(s->store, &commit, NULL, &err));
    rouse_batch_free(batch);
}

int operations_set_up(void **state)
{
    struct set *s = calloc(1, sizeof *s);
    assert_non_null(s);
    scene_init(&s->scene);
    s->store = s->scene.store;
    assert_works(items_register(s->store, &err));
    put(s, "queue", "a", &(struct item){.live = true, .queue = "q", .waiting = true, .text = "x"});
    for (int i = 0; i < 4; i++)
        put(s, "pruned", (const char *[]){"a", "b", "c", "d"}[i], &(struct item){.text = "x"});
    rouse_task *task = scene_start(&s->scene, NULL, "echo out");
    snprintf(s->ended, sizeof s->ended, "%s", task->task_id);
    rouse_task_free(task);
    rouse_task_free(scene_wait(&s->scene, s->ended));
    rouse_task_free(scene_start(&s->scene, "named", "exec sleep 1000"));
    *state = s;
    return 0;
}

int operations_tear_down(void **state)
{
    struct set *s = *state;
    scene_done(&s->scene);
    free(s);
    return 0;
}
