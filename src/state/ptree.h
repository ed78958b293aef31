/* An ordered tree that shares its nodes with older versions of itself: a snapshot is a reference to a root, and costs
 * nothing until the tree moves on; then each change copies the path to it, once. Nodes are counted and weight-balanced
 * (no subtree is heavier than three times its sibling), so every step is logarithmic whatever the names are.
 *
 * Threads: one thread changes a tree; roots may be read, referenced and dropped anywhere.
 * Changes do not fail: what they can need is reserved before, in a pool that trees share. */
#ifndef STATE_PTREE_H
#define STATE_PTREE_H

#include "state/cell.h"

struct ptree_item { /* an entry of a map; immutable once it is in a tree, shared by trees of both orders and by all versions of them */
    struct cell *cell;
    void *owner;   /* whose it is, for who keeps the tree; snapshots do not look */
    uint64_t seq;  /* creation */
    atomic_uint references; /* two for each version of the trees at most that nobody shares with another */
    char name[];
};

enum ptree_order { PTREE_BY_SEQ, PTREE_BY_NAME };

struct ptree_node;

struct ptree { /* all zero but for order = empty */
    struct ptree_node *root;
    size_t shared; /* nodes that others may hold, at most: what changes may have to copy */
    enum ptree_order order;
};

struct ptree_pool { /* all zero = empty */
    struct ptree_node *nodes;
    size_t count;
};

/* Takes cell, also on failure. Returns ptree_item_unref; NULL when out of memory. */
struct ptree_item *ptree_item_new(const char *name, uint64_t seq, struct cell *cell);
struct ptree_item *ptree_item_ref(struct ptree_item *item);
void ptree_item_unref(struct ptree_item *item); /* takes NULL */

/* How many nodes that many puts and removals can use up, at most. */
size_t ptree_need(const struct ptree *tree, size_t changes);
int ptree_pool_reserve(struct ptree_pool *pool, size_t nodes); /* 0 or ROUSE_ENOMEM */
void ptree_pool_trim(struct ptree_pool *pool);                 /* gives back what was only there for a large change */
void ptree_pool_done(struct ptree_pool *pool);

/* Inserts, or replaces the item at the same place in the order. Takes a reference of its own. */
void ptree_put(struct ptree *tree, struct ptree_item *item, struct ptree_pool *pool);
/* The item at (seq) or at (name), whichever the tree's order asks for; it must be there. */
void ptree_remove(struct ptree *tree, uint64_t seq, const char *name, struct ptree_pool *pool);
/* Drops everything. */
void ptree_clear(struct ptree *tree);
/* Another tree with the same items; dropped with ptree_clear. */
struct ptree ptree_share(struct ptree *tree);

size_t ptree_count(const struct ptree *tree);
/* Borrowed from the tree; NULL when there is none. */
const struct ptree_item *ptree_find(const struct ptree *tree, const char *name);   /* BY_NAME */
const struct ptree_item *ptree_at(const struct ptree *tree, size_t i);             /* the i-th */
size_t ptree_before(const struct ptree *tree, uint64_t seq); /* BY_SEQ: how many were created earlier than seq */

/* For tests: ordered, counted, balanced. */
bool ptree_is_sound(const struct ptree *tree);

#endif
