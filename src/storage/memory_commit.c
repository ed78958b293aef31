/* A commit: in the order that storage.h gives, everything that can fail comes first, then it is published. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "storage/memory.h"

struct committing {
    struct memory_store *s;
    const struct storage_keys *keys;
    rouse_commit *commit;
    struct memory_place *thread, *run;
    uint64_t now_ms;
    uint64_t number; /* the counter before */
    bool applies;    /* there is a batch with something in it */
    struct state_changes changes;
    struct memory_change change;
    bool staged_change;
    struct memory_event *events, **last_event; /* linked by newer */
    uint64_t event_id;
    size_t n_acking;
    size_t n_messages; /* of the place, before */
    size_t staged_messages;
    struct memory_run *run_record; /* the new one */
    bool wrote;
};

/* Behind object: a copy of text, NULL staying NULL. */
static const char *copy_behind(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* ---- values ---- */

static int read_value(void *userdata, const rouse_key *key, const char *entry, struct cell **ret_cell, rouse_error *err)
{
    const struct committing *c = userdata;
    const struct memory_place *place = key->scope == ROUSE_SCOPE_RUN ? c->run : c->thread;
    struct memory_shelf *shelf = place ? memory_find_shelf(place, key->name) : NULL;
    struct cell *cell = NULL;
    if (shelf && entry) {
        const struct memory_entry *found = memory_find_entry(c->s, shelf, entry);
        cell = found ? found->cell : NULL;
    } else if (shelf) {
        cell = memory_slot(shelf)->scalar;
    }
    if (!cell)
        return 0;
    struct storage_row row = {.key = key->name, .entry = entry ? entry : "", .cell = cell};
    return storage_row_cell(key, &row, ret_cell, err);
}

/* Every key of the batch has a shelf, so that a map has a value from then on, be it empty. */
static int want_shelves(struct committing *c, rouse_error *err)
{
    const rouse_batch *batch = c->commit->batch;
    const rouse_key *last = NULL;
    for (size_t i = 0; i < rouse_batch_count(batch); i++) {
        const rouse_key *key = batch_key_at(batch, i);
        struct memory_place *place = key->scope == ROUSE_SCOPE_RUN ? c->run : c->thread;
        if (key != last && !memory_want_shelf(c->s, place, key))
            return rouse_fail_memory(err);
        last = key;
    }
    return 0;
}

static int stage_state(struct committing *c, rouse_error *err)
{
    rouse_batch *batch = c->commit->batch;
    c->applies = batch && !batch_is_empty(batch);
    int code = batch ? storage_check_base(batch, c->thread->revision, err) : 0;
    if (code < 0 || !c->applies)
        return code;
    if (c->thread->revision == UINT64_MAX)
        return rouse_fail(err, ROUSE_ELIMIT, "thread '%s' has no revision left", c->commit->thread);
    struct state_source source = {.get = read_value, .userdata = c};
    code = want_shelves(c, err);
    if (code == 0)
        code = state_apply(batch, &source, &c->changes, err);
    if (code < 0)
        return code;
    c->change.store = c->s;
    c->change.thread = c->thread;
    c->change.run = c->run;
    c->change.items = c->changes.items;
    c->change.count = c->changes.count;
    code = memory_change_stage(&c->change, err);
    if (code < 0)
        state_changes_done(&c->changes);
    else
        c->staged_change = true;
    return code;
}

static void publish_state(struct committing *c)
{
    const rouse_batch *batch = c->commit->batch;
    if (!c->applies)
        return;
    memory_change_publish(&c->change);
    for (size_t i = 0; i < rouse_batch_count(batch); i++) {
        const rouse_key *key = batch_key_at(batch, i);
        struct memory_shelf *shelf = memory_find_shelf(memory_change_place(&c->change, key), key->name);
        shelf->present = !batch_is_clear_at(batch, i);
    }
    c->thread->revision++;
    state_changes_done(&c->changes);
}

/* ---- the inbox ---- */

static struct memory_event *event_new(struct memory_store *s, const rouse_post *post, uint64_t now_ms)
{
    struct memory_place *place = memory_want_place(s, post->thread, "");
    if (!place || memory_table_reserve(&s->events, 1) < 0 || memory_table_reserve(&s->task_events, 1) < 0)
        return NULL;
    struct memory_event *e = malloc(sizeof *e + size_of(post->task_id) + size_of(post->json));
    struct memory_topic *topic = post->topic ? malloc(sizeof *topic) : NULL;
    if (!e || (post->topic && !topic)) {
        free(e);
        free(topic);
        return NULL;
    }
    *e = (struct memory_event){.place = place, .topic = topic};
    if (topic)
        topic->which = post->topic;
    char *at = (char *)(e + 1);
    e->event.thread = place->thread;
    e->event.task_id = copy_behind(&at, post->task_id);
    e->event.json = copy_behind(&at, post->json);
    e->event.created_at_ms = now_ms;
    return e;
}

static uint64_t task_hash(const struct memory_store *s, const struct memory_place *place, const char *task_id)
{
    return memory_rehash(memory_hash(s->seed, task_id), place->salt + 1);
}

struct memory_event *memory_event_of(const struct memory_store *s, const struct memory_entry *entry, size_t *probe)
{
    const struct memory_place *place = entry->shelf->place;
    uint64_t hash = task_hash(s, place, entry->name);
    struct memory_event *e = memory_table_next(&s->task_events, hash, probe);
    while (e && (e->place != place || strcmp(e->event.task_id, entry->name) != 0))
        e = memory_table_next(&s->task_events, hash, probe);
    return e;
}

/* Out of both tables. */
static void unlist_event(struct memory_store *s, struct memory_event *e)
{
    memory_table_remove(&s->events, e->event.id, e);
    memory_table_remove(&s->task_events, task_hash(s, e->place, e->event.task_id), e);
}

/* In the table at once, where nobody finds them before they are in a list: so room is there. */
static int stage_posts(struct committing *c, rouse_error *err)
{
    c->last_event = &c->events;
    c->event_id = c->s->event_id;
    for (size_t i = 0; i < c->commit->n_posts; i++) {
        struct memory_event *e = event_new(c->s, &c->commit->posts[i], c->now_ms);
        if (!e)
            return rouse_fail_memory(err);
        e->event.id = ++c->event_id;
        memory_table_add(&c->s->events, e->event.id, e);
        memory_table_add(&c->s->task_events, task_hash(c->s, e->place, e->event.task_id), e);
        *c->last_event = e;
        c->last_event = &e->newer;
        c->wrote = true;
    }
    return 0;
}

static void publish_posts(struct committing *c)
{
    struct memory_store *s = c->s;
    for (struct memory_event *e = c->events, *next; e; e = next) {
        next = e->newer;
        e->newer = NULL;
        e->older = e->place->newest_event;
        *(e->older ? &e->older->newer : &e->place->oldest_event) = e;
        e->place->newest_event = e;
        e->every_older = s->newest_event;
        *(e->every_older ? &e->every_older->every_newer : &s->oldest_event) = e;
        s->newest_event = e;
        if (e->topic)
            memory_set_topic(s, e, e->topic->which, e->topic);
    }
    s->event_id = c->event_id;
}

static struct memory_event *find_event(const struct memory_store *s, uint64_t id)
{
    size_t probe = 0;
    return memory_table_next(&s->events, id, &probe);
}

/* Acknowledgements are of events that were there before: what this commit posts has a larger id than the store's. */
static int stage_acks(struct committing *c, rouse_error *err)
{
    const rouse_commit *commit = c->commit;
    for (; c->n_acking < commit->n_acks; c->n_acking++) {
        uint64_t id = commit->acks[c->n_acking];
        struct memory_event *e = find_event(c->s, id);
        if (!e || e->acking || e->event.acknowledged || e->place != c->thread || id > c->s->event_id)
            return rouse_fail(err, ROUSE_ECONFLICT, "event %llu is not waiting in the inbox of thread '%s'",
                              (unsigned long long)id, commit->thread);
        e->acking = true;
        c->wrote = true;
    }
    return 0;
}

void memory_event_forget(struct memory_store *s, struct memory_event *event)
{
    struct memory_event *e = event;
    *(e->older ? &e->older->newer : &e->place->oldest_event) = e->newer;
    *(e->newer ? &e->newer->older : &e->place->newest_event) = e->older;
    *(e->every_older ? &e->every_older->every_newer : &s->oldest_event) = e->every_newer;
    *(e->every_newer ? &e->every_newer->every_older : &s->newest_event) = e->every_older;
    if (e->event.acknowledged) {
        *(e->acked_before ? &e->acked_before->acked_next : &s->first_acked) = e->acked_next;
        *(e->acked_next ? &e->acked_next->acked_before : &s->last_acked) = e->acked_before;
        s->n_acked--;
    }
    memory_drop_topic(s, e);
    unlist_event(s, e);
    free(e);
}

static void publish_acks(struct committing *c)
{
    struct memory_store *s = c->s;
    for (size_t i = 0; i < c->n_acking; i++) {
        struct memory_event *e = find_event(s, c->commit->acks[i]);
        e->acking = false;
        e->event.acknowledged = true;
        memory_drop_topic(s, e);
        e->acked_before = s->last_acked;
        *(s->last_acked ? &s->last_acked->acked_next : &s->first_acked) = e;
        s->last_acked = e;
        s->n_acked++;
    }
    while (s->n_acked > LIMIT_ACKED_EVENTS)
        memory_event_forget(s, s->first_acked);
}

/* ---- the conversation ---- */

static uint64_t message_hash(const struct memory_store *s, const struct memory_place *place, const char *id)
{
    return memory_rehash(memory_hash(s->seed, id), place->salt);
}

static bool has_message(const struct committing *c, const char *id)
{
    uint64_t hash = message_hash(c->s, c->thread, id);
    size_t probe = 0;
    const struct memory_message *m = memory_table_next(&c->s->messages, hash, &probe);
    while (m && (m->place != c->thread || strcmp(m->message.id, id) != 0))
        m = memory_table_next(&c->s->messages, hash, &probe);
    return m != NULL;
}

static int reserve_messages(struct committing *c, rouse_error *err)
{
    struct memory_place *place = c->thread;
    void *items = place->messages;
    while (place->cap_messages < place->n_messages + c->commit->n_messages) {
        int code = storage_grow(&items, &place->cap_messages, place->cap_messages, sizeof(struct memory_message *), err);
        place->messages = items;
        if (code < 0)
            return code;
    }
    return memory_table_reserve(&c->s->messages, c->commit->n_messages) < 0 ? rouse_fail_memory(err) : 0;
}

static struct memory_message *message_new(struct memory_place *place, const rouse_message *from, uint64_t seq)
{
    const char *run = from->run ? from->run : "";
    struct memory_message *m =
        malloc(sizeof *m + size_of(from->id) + size_of(run) + size_of(from->role) + size_of(from->json));
    if (!m)
        return NULL;
    char *at = (char *)(m + 1);
    *m = (struct memory_message){.place = place};
    m->message.id = copy_behind(&at, from->id);
    m->message.run = copy_behind(&at, run);
    m->message.role = copy_behind(&at, from->role);
    m->message.json = copy_behind(&at, from->json);
    m->message.seq = seq;
    return m;
}

static int stage_message(struct committing *c, const rouse_message *message, rouse_error *err)
{
    struct memory_place *place = c->thread;
    if (has_message(c, message->id))
        return rouse_fail(err, ROUSE_ECONFLICT, "message '%s' is in thread '%s' already", message->id, place->thread);
    struct memory_message *m = message_new(place, message, place->n_messages + c->staged_messages + 1);
    if (!m)
        return rouse_fail_memory(err);
    memory_table_add(&c->s->messages, message_hash(c->s, place, m->message.id), m);
    place->messages[place->n_messages + c->staged_messages++] = m;
    c->wrote = true;
    return 0;
}

static int stage_messages(struct committing *c, rouse_error *err)
{
    const rouse_commit *commit = c->commit;
    uint64_t last = c->thread->n_messages;
    if (commit->check_messages && last != commit->messages_after)
        return rouse_fail(err, ROUSE_ECONFLICT, "thread '%s' has %llu messages, expected %llu: read them and try again",
                          commit->thread, (unsigned long long)last, (unsigned long long)commit->messages_after);
    int code = commit->n_messages > 0 ? reserve_messages(c, err) : 0;
    for (size_t i = 0; i < commit->n_messages && code == 0; i++)
        code = stage_message(c, &commit->messages[i], err);
    return code;
}

/* ---- the run ---- */

static struct memory_run *find_run(const struct memory_store *s, const char *id)
{
    uint64_t hash = memory_hash(s->seed, id);
    size_t probe = 0;
    struct memory_run *run = memory_table_next(&s->runs, hash, &probe);
    while (run && strcmp(run->run.id, id) != 0)
        run = memory_table_next(&s->runs, hash, &probe);
    return run;
}

static struct memory_run *run_new(struct memory_place *place, const rouse_run *from, uint64_t now_ms)
{
    const char *json = from->json ? from->json : "{}";
    struct memory_run *run =
        malloc(sizeof *run + size_of(from->id) + size_of(from->status) + size_of(from->status_reason) + size_of(json));
    if (!run)
        return NULL;
    char *at = (char *)(run + 1);
    *run = (struct memory_run){.place = place};
    run->run.id = copy_behind(&at, from->id);
    run->run.status = copy_behind(&at, from->status);
    run->run.status_reason = copy_behind(&at, from->status_reason);
    run->run.json = copy_behind(&at, json);
    run->run.updated_at_ms = now_ms;
    return run;
}

static int stage_run(struct committing *c, rouse_error *err)
{
    const rouse_run *record = c->commit->run_record;
    if (!record)
        return 0;
    const struct memory_run *old = find_run(c->s, record->id);
    if (old && old->place != c->thread)
        return rouse_fail(err, ROUSE_ECONFLICT, "run '%s' is of another thread", record->id);
    if (old && !storage_run_may_become(old->run.status, record->status))
        return storage_fail_run(record, old->run.status, err);
    c->run_record = memory_table_reserve(&c->s->runs, 1) == 0 ? run_new(c->thread, record, c->now_ms) : NULL;
    if (!c->run_record)
        return rouse_fail_memory(err);
    c->run_record->seq = old ? old->seq : ++c->s->seq;
    c->wrote = true;
    return 0;
}

static void publish_run(struct committing *c)
{
    struct memory_run *run = c->run_record;
    if (!run)
        return;
    struct memory_run *old = find_run(c->s, run->run.id);
    struct memory_run **last = &c->thread->last_run;
    if (!*last || (*last)->seq <= run->seq)
        *last = run;
    uint64_t hash = memory_hash(c->s->seed, run->run.id);
    if (old) {
        memory_table_remove(&c->s->runs, hash, old);
        free(old);
    }
    memory_table_add(&c->s->runs, hash, run);
}

/* ---- all of it ---- */

static int prepare(struct committing *c, rouse_error *err)
{
    rouse_commit *commit = c->commit;
    if (!commit->prepare)
        return 0;
    uint64_t first = c->s->number, count = commit->n_numbers ? commit->n_numbers : 1;
    if (count > LIMIT_NUMBERS)
        return rouse_fail(err, ROUSE_ELIMIT, "a commit takes at most %d task numbers", LIMIT_NUMBERS);
    if (count > UINT64_MAX - first)
        return rouse_fail(err, ROUSE_ELIMIT, "no task number is left");
    c->wrote = true;
    c->s->number += count;
    int code = commit->prepare(commit->userdata, first, commit, err);
    return code < 0 ? code : 0;
}

static int find_places(struct committing *c, rouse_error *err)
{
    const rouse_commit *commit = c->commit;
    c->thread = memory_want_place(c->s, commit->thread, "");
    c->run = c->thread && commit->run ? memory_want_place(c->s, commit->thread, commit->run) : NULL;
    return c->thread && (c->run || !commit->run) ? 0 : rouse_fail_memory(err);
}

static int stage(struct committing *c, rouse_error *err)
{
    int code = prepare(c, err);
    const rouse_commit *commit = c->commit;
    if (code == 0)
        code = storage_check_commit(c->keys, commit, err);
    if (code == 0 && (commit->n_posts > 0 || commit->n_acks > 0 || commit->run_record))
        c->now_ms = c->s->platform->now_ms(c->s->platform->userdata);
    if (code == 0)
        code = memory_check_fence(c->s, &commit->fence, err);
    if (code == 0)
        code = find_places(c, err);
    if (code == 0)
        code = stage_state(c, err);
    if (code == 0)
        code = stage_posts(c, err);
    if (code == 0)
        code = stage_messages(c, err);
    if (code == 0)
        code = stage_acks(c, err);
    return code == 0 ? stage_run(c, err) : code;
}

static void undo(struct committing *c)
{
    free(c->run_record);
    for (size_t i = 0; i < c->n_acking; i++)
        find_event(c->s, c->commit->acks[i])->acking = false;
    while (c->staged_messages > 0) {
        struct memory_message *m = c->thread->messages[c->thread->n_messages + --c->staged_messages];
        memory_table_remove(&c->s->messages, message_hash(c->s, c->thread, m->message.id), m);
        free(m);
    }
    for (struct memory_event *e = c->events, *next; e; e = next) {
        next = e->newer;
        unlist_event(c->s, e);
        free(e->topic);
        free(e);
    }
    if (c->staged_change) {
        memory_change_undo(&c->change);
        state_changes_done(&c->changes);
    }
    c->s->number = c->number;
}

int memory_commit(void *backend, const struct storage_keys *keys, rouse_commit *commit, struct storage_outcome *ret_outcome,
                  rouse_error *err)
{
    struct committing c;
    memset(&c, 0, offsetof(struct committing, changes)); /* the rest is set before it is read */
    c.s = backend;
    c.keys = keys;
    c.commit = commit;
    c.number = c.s->number;
    c.staged_change = c.wrote = false;
    c.events = NULL;
    c.n_acking = c.staged_messages = 0;
    c.run_record = NULL;
    int code = stage(&c, err);
    if (code < 0) {
        undo(&c);
        return code;
    }
    uint64_t before = c.thread->revision;
    c.s->ended = false;
    publish_state(&c);
    publish_posts(&c);
    c.thread->n_messages += c.staged_messages;
    publish_acks(&c);
    publish_run(&c);
    *ret_outcome = (struct storage_outcome){.before = before, .after = c.thread->revision, .wrote = c.wrote || c.applies};
    if (c.applies)
        ret_outcome->operations = rouse_batch_count(commit->batch);
    if (c.s->ended && (c.s->keep || c.s->older_ms))
        memory_keep_limits(c.s, c.s->platform->now_ms(c.s->platform->userdata), &ret_outcome->gone);
    if (ret_outcome->wrote)
        memory_bell_ring(c.s);
    return 0;
}

/* ---- a document ---- */

/* Everything that the places have goes first. */
static int add_clears(const struct memory_place *place, struct state_changes *all, rouse_error *err)
{
    int code = 0;
    for (const struct memory_shelf *shelf = place ? place->shelves : NULL; shelf && code == 0; shelf = shelf->next)
        code = state_changes_add(all, STATE_CLEAR, shelf->key, NULL, NULL, err);
    return code;
}

static int add_document(const struct storage_document *document, struct state_changes *all, rouse_error *err)
{
    int code = 0;
    for (size_t i = 0; i < document->count && code == 0; i++) {
        struct state_change change = document->items[i];
        if (change.cell)
            cell_ref(change.cell);
        code = state_changes_append(all, &change, err);
    }
    return code;
}

int memory_import(void *backend, const struct storage_document *document, rouse_error *err)
{
    struct memory_store *s = backend;
    struct memory_change c = {.store = s};
    struct state_changes all;
    state_changes_init(&all);
    c.thread = memory_want_place(s, document->thread, "");
    c.run = *document->run && c.thread ? memory_want_place(s, document->thread, document->run) : NULL;
    int code = c.thread && (c.run || !*document->run) ? 0 : rouse_fail_memory(err);
    if (code == 0 && document->replace)
        code = add_clears(c.thread, &all, err);
    if (code == 0 && document->replace)
        code = add_clears(c.run, &all, err);
    if (code == 0)
        code = add_document(document, &all, err);
    c.items = all.items;
    c.count = all.count;
    if (code == 0)
        code = memory_change_stage(&c, err);
    if (code == 0) {
        memory_change_publish(&c);
        for (size_t i = 0; i < document->count; i++) {
            const rouse_key *key = document->items[i].key;
            memory_find_shelf(memory_change_place(&c, key), key->name)->present = true;
        }
        if (document->replace)
            c.thread->revision = document->revision;
        memory_bell_ring(s);
    }
    state_changes_done(&all);
    return code;
}
