/* Entries, and what they are found by. Lists are in order of creation; whatever is added is the newest but for an entry whose
 * index changed, which is put at its place. */
#include <stdlib.h>
#include <string.h>

#include "storage/memory.h"

/* ---- entries ---- */

struct memory_entry *memory_entry_new(struct memory_store *s, struct memory_shelf *shelf, const char *name)
{
    size_t size = strlen(name) + 1;
    if (memory_table_reserve(&s->entries, 1) < 0 || memory_table_reserve(&s->entries_any, 1) < 0)
        return NULL;
    struct memory_entry *entry = malloc(offsetof(struct memory_entry, name) + size);
    if (!entry)
        return NULL;
    memset(entry, 0, offsetof(struct memory_entry, name));
    entry->shelf = shelf;
    entry->seq = ++s->seq;
    entry->fresh = true;
    memcpy(entry->name, name, size);
    shelf->last = entry;
    memory_table_add(&s->entries, memory_here_hash(s, shelf, MEMORY_INDEXES, name), entry);
    memory_table_add(&s->entries_any, memory_any_hash(s, shelf->kind, MEMORY_INDEXES, name), entry);
    return entry;
}

void memory_entry_free(struct memory_store *s, struct memory_entry *entry)
{
    memory_table_remove(&s->entries, memory_here_hash(s, entry->shelf, MEMORY_INDEXES, entry->name), entry);
    memory_table_remove(&s->entries_any, memory_any_hash(s, entry->shelf->kind, MEMORY_INDEXES, entry->name), entry);
    if (entry->shelf->last == entry)
        entry->shelf->last = NULL;
    cell_unref(entry->cell);
    free(entry);
}

/* ---- groups ---- */

static struct memory_group *group_new(struct memory_store *s, struct memory_shelf *shelf, enum memory_index which,
                                      const char *text)
{
    size_t size = strlen(text) + 1;
    if (memory_table_reserve(&s->groups, 1) < 0 || memory_table_reserve(&s->groups_any, 1) < 0)
        return NULL;
    struct memory_group *group = malloc(sizeof *group + size);
    if (!group)
        return NULL;
    *group = (struct memory_group){.shelf = shelf, .which = which};
    memcpy(group->text, text, size);
    memory_table_add(&s->groups, memory_here_hash(s, shelf, which, text), group);
    memory_table_add(&s->groups_any, memory_any_hash(s, shelf->kind, which, text), group);
    return group;
}

static void drop_member(struct memory_store *s, struct memory_member *member)
{
    struct memory_group *group = member->group;
    free(member);
    if (--group->members > 0)
        return;
    memory_table_remove(&s->groups, memory_here_hash(s, group->shelf, group->which, group->text), group);
    memory_table_remove(&s->groups_any, memory_any_hash(s, group->shelf->kind, group->which, group->text), group);
    free(group);
}

static struct memory_member *member_new(struct memory_store *s, struct memory_entry *entry, enum memory_index which,
                                        const char *text)
{
    struct memory_member *member = malloc(sizeof *member);
    if (!member)
        return NULL;
    struct memory_group *group = memory_find_group(s, entry->shelf, which, text);
    if (!group)
        group = group_new(s, entry->shelf, which, text);
    if (!group) {
        free(member);
        return NULL;
    }
    *member = (struct memory_member){.group = group, .entry = entry};
    group->members++;
    return member;
}

bool memory_members_new(struct memory_store *s, struct memory_entry *entry, const rouse_index *index,
                        struct memory_member **ret_members)
{
    const char *const texts[MEMORY_INDEXES] = {index->name, index->parent, index->run};
    struct memory_member *members = NULL;
    for (unsigned which = 0; which < MEMORY_INDEXES; which++) {
        if (!texts[which])
            continue;
        struct memory_member *member = member_new(s, entry, which, texts[which]);
        if (!member) {
            memory_members_free(s, members);
            return false;
        }
        member->next = members;
        members = member;
    }
    *ret_members = members;
    return true;
}

void memory_members_free(struct memory_store *s, struct memory_member *members)
{
    while (members) {
        struct memory_member *next = members->next;
        drop_member(s, members);
        members = next;
    }
}

struct memory_group *memory_group_of(const struct memory_member *members, enum memory_index which)
{
    while (members && members->group->which != which)
        members = members->next;
    return members ? members->group : NULL;
}

static void link_member(struct memory_member *member)
{
    struct memory_group *group = member->group;
    struct memory_member *older = group->newest, *newer = NULL;
    while (older && older->entry->seq > member->entry->seq) {
        newer = older;
        older = older->older;
    }
    member->older = older;
    member->newer = newer;
    *(older ? &older->newer : &group->oldest) = member;
    *(newer ? &newer->older : &group->newest) = member;
    group->count++;
    group->live += member->entry->live ? 1 : 0;
}

static void unlink_member(struct memory_member *member)
{
    struct memory_group *group = member->group;
    *(member->older ? &member->older->newer : &group->oldest) = member->newer;
    *(member->newer ? &member->newer->older : &group->newest) = member->older;
    group->count--;
    group->live -= member->entry->live ? 1 : 0;
}

void memory_set_members(struct memory_store *s, struct memory_entry *entry, struct memory_member *members)
{
    struct memory_member *old = entry->members;
    for (struct memory_member *m = members; m; m = m->next)
        link_member(m);
    entry->members = members;
    for (struct memory_member *m = old; m; m = m->next)
        unlink_member(m);
    memory_members_free(s, old);
}

void memory_set_live(struct memory_entry *entry, bool live)
{
    if (entry->live == live)
        return;
    entry->live = live;
    for (struct memory_member *m = entry->members; m; m = m->next)
        m->group->live += live ? 1 : (size_t)-1;
}

/* ---- lists ---- */

void memory_link_entry(struct memory_store *s, struct memory_entry *entry)
{
    struct memory_shelf *shelf = entry->shelf;
    struct memory_kind *kind = shelf->kind;
    (void)s;
    entry->older = shelf->newest;
    *(shelf->newest ? &shelf->newest->newer : &shelf->oldest) = entry;
    shelf->newest = entry;
    shelf->count++;
    entry->every_older = kind->newest;
    *(kind->newest ? &kind->newest->every_newer : &kind->oldest) = entry;
    kind->newest = entry;
    kind->count++;
    entry->fresh = false;
}

void memory_unlink_entry(struct memory_store *s, struct memory_entry *entry)
{
    struct memory_shelf *shelf = entry->shelf;
    struct memory_kind *kind = shelf->kind;
    struct memory_group *named = memory_group_of(entry->members, MEMORY_NAME);
    if (named && named->holder == entry)
        named->holder = NULL;
    *(entry->older ? &entry->older->newer : &shelf->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &shelf->newest) = entry->older;
    shelf->count--;
    *(entry->every_older ? &entry->every_older->every_newer : &kind->oldest) = entry->every_newer;
    *(entry->every_newer ? &entry->every_newer->every_older : &kind->newest) = entry->every_older;
    kind->count--;
    memory_set_due(entry, NULL);
    memory_set_queued(s, entry, NULL);
    if (entry->live)
        ptree_remove(&kind->live, entry->seq, NULL, &kind->pool);
    memory_set_members(s, entry, NULL);
    memory_entry_free(s, entry);
}
