/* Opening and closing a store in memory, and finding things in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/platform.h"
#include "storage/memory.h"

/* ---- places ---- */

static uint64_t place_hash(const struct memory_store *s, const char *thread, const char *run)
{
    uint64_t hash = memory_hash(s->seed, thread);
    return *run ? memory_hash(hash, run) : hash;
}

struct memory_place *memory_find_place(const struct memory_store *s, const char *thread, const char *run)
{
    uint64_t hash = place_hash(s, thread, run);
    size_t probe = 0;
    struct memory_place *place = memory_table_next(&s->places, hash, &probe);
    while (place && (strcmp(place->thread, thread) != 0 || strcmp(place->run, run) != 0))
        place = memory_table_next(&s->places, hash, &probe);
    return place;
}

struct memory_place *memory_want_place(struct memory_store *s, const char *thread, const char *run)
{
    struct memory_place *place = s->last_place; /* mostly the one that is asked for again */
    if (!place || strcmp(place->thread, thread) != 0 || strcmp(place->run, run) != 0)
        place = memory_find_place(s, thread, run);
    if (place) {
        s->last_place = place;
        return place;
    }
    size_t thread_size = strlen(thread) + 1, run_size = strlen(run) + 1;
    if (memory_table_reserve(&s->places, 1) < 0)
        return NULL;
    place = calloc(1, sizeof *place + thread_size + run_size);
    if (!place)
        return NULL;
    memcpy(place->thread, thread, thread_size);
    place->run = memcpy(place->thread + thread_size, run, run_size);
    place->salt = memory_hash(s->seed + ++s->salts, "place");
    memory_table_add(&s->places, place_hash(s, thread, run), place);
    return place;
}

/* ---- shelves and kinds ---- */

struct memory_shelf *memory_find_shelf(const struct memory_place *place, const char *key)
{
    struct memory_shelf *shelf = place->shelves;
    while (shelf && shelf->key->name != key && strcmp(shelf->kind->name, key) != 0)
        shelf = shelf->next;
    return shelf;
}

struct memory_kind *memory_find_kind(const struct memory_store *s, const char *key)
{
    struct memory_kind *kind = s->kinds;
    while (kind && strcmp(kind->name, key) != 0)
        kind = kind->next;
    return kind;
}

static struct memory_kind *want_kind(struct memory_store *s, const char *key)
{
    struct memory_kind *kind = memory_find_kind(s, key);
    if (kind)
        return kind;
    size_t size = strlen(key) + 1;
    kind = calloc(1, sizeof *kind + size);
    if (!kind)
        return NULL;
    memcpy(kind->name, key, size);
    kind->salt = memory_hash(s->seed + ++s->salts, "kind");
    kind->live.order = PTREE_BY_SEQ;
    kind->next = s->kinds;
    s->kinds = kind;
    return kind;
}

struct memory_shelf *memory_want_shelf(struct memory_store *s, struct memory_place *place, const rouse_key *key)
{
    struct memory_shelf *shelf = memory_find_shelf(place, key->name);
    if (shelf)
        return shelf;
    struct memory_kind *kind = want_kind(s, key->name);
    struct state_slot *slot = state_set_slot(&place->set, key);
    shelf = kind && slot ? calloc(1, sizeof *shelf) : NULL;
    if (!shelf)
        return NULL;
    shelf->place = place;
    shelf->kind = kind;
    shelf->key = key;
    shelf->slot = (size_t)(slot - place->set.slots);
    shelf->salt = memory_hash(s->seed + ++s->salts, "shelf");
    struct memory_shelf **at = &place->shelves;
    while (*at && strcmp((*at)->kind->name, kind->name) < 0)
        at = &(*at)->next;
    shelf->next = *at;
    *at = shelf;
    return shelf;
}

struct state_slot *memory_slot(const struct memory_shelf *shelf)
{
    return &shelf->place->set.slots[shelf->slot];
}

/* ---- entries and groups ---- */

struct memory_entry *memory_find_entry(const struct memory_store *s, struct memory_shelf *shelf, const char *name)
{
    if (shelf->last && strcmp(shelf->last->name, name) == 0)
        return shelf->last;
    uint64_t hash = memory_here_hash(s, shelf, MEMORY_INDEXES, name);
    struct memory_entry *entry, *goes = NULL;
    size_t probe = 0;
    while ((entry = memory_table_next(&s->entries, hash, &probe)) != NULL) {
        if (entry->shelf != shelf || strcmp(entry->name, name) != 0)
            continue;
        if (entry->fresh || !(entry->leaving || shelf->clearing))
            return shelf->last = entry;
        goes = entry;
    }
    return goes;
}

struct memory_group *memory_find_group(const struct memory_store *s, const struct memory_shelf *shelf, enum memory_index which,
                                       const char *text)
{
    uint64_t hash = memory_here_hash(s, shelf, which, text);
    size_t probe = 0;
    struct memory_group *group = memory_table_next(&s->groups, hash, &probe);
    while (group && (group->shelf != shelf || group->which != which || strcmp(group->text, text) != 0))
        group = memory_table_next(&s->groups, hash, &probe);
    return group;
}

uint64_t memory_here_hash(const struct memory_store *s, const struct memory_shelf *shelf, unsigned what, const char *text)
{
    return memory_rehash(memory_hash(s->seed, text), shelf->salt + what);
}

uint64_t memory_any_hash(const struct memory_store *s, const struct memory_kind *kind, unsigned what, const char *text)
{
    return memory_rehash(memory_hash(s->seed, text), kind->salt + what);
}

/* ---- open and close ---- */

static void free_place(struct memory_place *place)
{
    while (place->shelves) {
        struct memory_shelf *next = place->shelves->next;
        free(place->shelves);
        place->shelves = next;
    }
    state_set_done(&place->set);
    free(place->messages);
    free(place);
}

static void free_entry(struct memory_entry *entry)
{
    while (entry->members) {
        struct memory_member *next = entry->members->next;
        free(entry->members);
        entry->members = next;
    }
    cell_unref(entry->cell);
    free(entry->due);
    if (entry->queued)
        free(entry->queued->claim);
    free(entry->queued);
    free(entry);
}

/* Calls drop for everything in the table. */
static void drain(struct memory_table *table, void (*drop)(void *))
{
    for (size_t i = 0; i < table->size; i++) {
        if (table->cells[i].thing)
            drop(table->cells[i].thing);
    }
    memory_table_done(table);
}

static void drop_entry(void *entry)
{
    free_entry(entry);
}

static void drop_event(void *event)
{
    free(((struct memory_event *)event)->topic);
    free(event);
}

static void drop_place(void *place)
{
    free_place(place);
}

void memory_close(void *backend)
{
    struct memory_store *s = backend;
    drain(&s->entries, drop_entry);
    drain(&s->groups, free);
    drain(&s->events, drop_event);
    drain(&s->messages, free);
    drain(&s->queues, free);
    drain(&s->runs, free);
    drain(&s->places, drop_place);
    memory_table_done(&s->entries_any);
    memory_table_done(&s->groups_any);
    memory_table_done(&s->task_events);
    while (s->leases)
        memory_lease_drop(s, s->leases);
    while (s->kinds) {
        struct memory_kind *next = s->kinds->next;
        ptree_clear(&s->kinds->live);
        ptree_pool_done(&s->kinds->pool);
        free(s->kinds);
        s->kinds = next;
    }
    memory_bells_done(s);
    free(s);
}

/* ---- the check ---- */

struct checking {
    storage_report *report;
    void *userdata;
    int worst;
};

static void say(struct checking *c, bool fine, const char *text)
{
    c->report(fine ? 0 : 2, text, c->userdata);
    if (!fine)
        c->worst = 2;
}

static bool is_sound(const struct memory_shelf *shelf)
{
    const struct state_slot *slot = memory_slot(shelf);
    size_t count = 0, live = 0;
    for (const struct memory_entry *e = shelf->newest; e; e = e->older) {
        const struct ptree_item *item = ptree_find(&slot->by_name, e->name);
        const struct memory_group *named = memory_group_of(e->members, MEMORY_NAME);
        bool fits = e->live ? item && item->cell == e->cell && item->seq == e->seq : !item;
        if (!fits || (e->older && e->older->seq >= e->seq) || (e->live && named && named->holder != e))
            return false;
        count++;
        live += e->live ? 1 : 0;
    }
    return count == shelf->count && live == ptree_count(&slot->by_seq) && ptree_is_sound(&slot->by_seq) &&
           ptree_is_sound(&slot->by_name);
}

static bool numbers_are_below(const struct memory_store *s)
{
    uint64_t number;
    for (const struct memory_kind *kind = s->kinds; kind; kind = kind->next) {
        for (const struct memory_entry *e = kind->newest; e; e = e->every_older) {
            if (storage_task_number(e->name, &number) && number >= s->number)
                return false;
        }
    }
    return true;
}

int memory_check(void *backend, storage_report *report, void *userdata, rouse_error *err)
{
    const struct memory_store *s = backend;
    struct checking c = {.report = report, .userdata = userdata};
    bool sound = true, live = true;
    (void)err;
    for (size_t i = 0; i < s->places.size; i++) {
        const struct memory_place *place = s->places.cells[i].thing;
        for (const struct memory_shelf *shelf = place ? place->shelves : NULL; shelf; shelf = shelf->next)
            sound = sound && is_sound(shelf);
    }
    for (const struct memory_kind *kind = s->kinds; kind; kind = kind->next)
        live = live && ptree_is_sound(&kind->live);
    char text[96];
    snprintf(text, sizeof text, "the store is in memory and holds %zu entries in %zu places", s->entries.count,
             s->places.count);
    say(&c, true, text);
    say(&c, sound, sound ? "every entry is where its place says" : "entries and their index differ: a bug of rouse");
    say(&c, live, live ? "the live entries are in order" : "the live entries are out of order: a bug of rouse");
    bool below = numbers_are_below(s);
    say(&c, below, below ? "no task number can come twice" : "the task counter is too low: a bug of rouse");
    return c.worst;
}

static const struct storage_backend operations = {
    .name = "memory",
    .close = memory_close,
    .commit = memory_commit,
    .import = memory_import,
    .values = memory_values,
    .snapshot = memory_snapshot,
    .list = memory_list,
    .overview = memory_overview,
    .topic = memory_topic,
    .inbox = memory_inbox,
    .messages = memory_messages,
    .last_run = memory_last_run,
    .claim = memory_claim,
    .unclaim = memory_unclaim,
    .lease = memory_lease,
    .lease_release = memory_lease_release,
    .prune = memory_prune,
    .set_retention = memory_set_retention,
    .retention = memory_retention,
    .check = memory_check,
    .bell_open = memory_bell_open,
};

int memory_open(const rouse_store_options *options, const struct storage_backend **ret_operations, void **ret_backend,
                rouse_error *err)
{
    struct memory_store *s = calloc(1, sizeof *s);
    if (!s)
        return rouse_fail_memory(err);
    s->platform = platform_or_default(options->platform);
    unsigned char seed[sizeof s->seed];
    if (s->platform->random(s->platform->userdata, seed, sizeof seed) == 0)
        memcpy(&s->seed, seed, sizeof seed);
    *ret_operations = &operations;
    *ret_backend = s;
    return 0;
}
