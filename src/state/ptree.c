#include "state/ptree.h"

#include <stdlib.h>
#include <string.h>

#include "base/lookup.h"

#define POOL_KEPT 512

struct ptree_node {
    atomic_uint references;
    unsigned count; /* items in this subtree */
    uint64_t place; /* seq or hash, so that a descent looks at nodes only */
    struct ptree_item *item;
    struct ptree_node *left, *right; /* in the pool, left is the next one */
};

/* ---- items ---- */

struct ptree_item *ptree_item_new(const char *name, uint64_t seq, struct cell *cell)
{
    size_t size = strlen(name) + 1;
    struct ptree_item *item = malloc(offsetof(struct ptree_item, name) + size);
    if (!item) {
        cell_unref(cell);
        return NULL;
    }
    atomic_init(&item->references, 1);
    item->cell = cell;
    item->owner = NULL;
    item->seq = seq;
    memcpy(item->name, name, size);
    return item;
}

struct ptree_item *ptree_item_ref(struct ptree_item *item)
{
    atomic_fetch_add_explicit(&item->references, 1, memory_order_relaxed);
    return item;
}

void ptree_item_unref(struct ptree_item *item)
{
    if (!item || atomic_fetch_sub_explicit(&item->references, 1, memory_order_acq_rel) > 1)
        return;
    cell_unref(item->cell);
    free(item);
}

/* ---- the pool ---- */

static size_t bits(size_t n)
{
    size_t count = 0;
    for (; n; n >>= 1)
        count++;
    return count;
}

/* A change copies its path and at most two nodes beside it per level; the height is at most log(n) / log(4/3). And no
 * change copies a node that this thread alone holds, so all of them together copy each shared node once. */
size_t ptree_need(const struct ptree *tree, size_t changes)
{
    size_t height = bits(ptree_count(tree) + changes) * 5 / 2 + 2;
    size_t paths = changes * (3 * height + 1), all = tree->shared + changes;
    return paths < all ? paths : all;
}

int ptree_pool_reserve(struct ptree_pool *pool, size_t nodes)
{
    while (pool->count < nodes) {
        struct ptree_node *node = malloc(sizeof *node);
        if (!node)
            return ROUSE_ENOMEM;
        node->left = pool->nodes;
        pool->nodes = node;
        pool->count++;
    }
    return 0;
}

static struct ptree_node *pool_take(struct ptree_pool *pool)
{
    struct ptree_node *node = pool->nodes;
    pool->nodes = node->left;
    pool->count--;
    return node;
}

static void pool_give(struct ptree_pool *pool, struct ptree_node *node)
{
    node->left = pool->nodes;
    pool->nodes = node;
    pool->count++;
}

static void pool_shrink(struct ptree_pool *pool, size_t kept)
{
    while (pool->count > kept)
        free(pool_take(pool));
}

void ptree_pool_trim(struct ptree_pool *pool)
{
    pool_shrink(pool, POOL_KEPT);
}

void ptree_pool_done(struct ptree_pool *pool)
{
    pool_shrink(pool, 0);
}

/* ---- nodes ---- */

static struct ptree_node *node_ref(struct ptree_node *n)
{
    if (n)
        atomic_fetch_add_explicit(&n->references, 1, memory_order_relaxed);
    return n;
}

static void node_unref(struct ptree_node *n)
{
    while (n && atomic_fetch_sub_explicit(&n->references, 1, memory_order_acq_rel) == 1) {
        struct ptree_node *right = n->right;
        node_unref(n->left); /* as deep as the tree is high */
        ptree_item_unref(n->item);
        free(n);
        n = right;
    }
}

static unsigned count_of(const struct ptree_node *n)
{
    return n ? n->count : 0;
}

static void recount(struct ptree_node *n)
{
    n->count = 1 + count_of(n->left) + count_of(n->right);
}

static struct ptree_node *node_new(uint64_t place, struct ptree_item *item, struct ptree_pool *pool)
{
    struct ptree_node *n = pool_take(pool);
    atomic_init(&n->references, 1);
    n->count = 1;
    n->place = place;
    n->item = ptree_item_ref(item);
    n->left = n->right = NULL;
    return n;
}

/* n, or a copy of it that nobody else holds. Takes the reference. Nobody can gain a reference to a node that is held once,
 * since the holder is this thread. */
static struct ptree_node *own(struct ptree_node *n, struct ptree_pool *pool)
{
    if (atomic_load_explicit(&n->references, memory_order_acquire) == 1)
        return n;
    struct ptree_node *copy = node_new(n->place, n->item, pool);
    copy->count = n->count;
    copy->left = node_ref(n->left);
    copy->right = node_ref(n->right);
    node_unref(n);
    return copy;
}

/* ---- balance ---- */

#define DELTA 3 /* no side is heavier than three times the other; weights are counts + 1 */
#define GAMMA 2

static size_t weight(const struct ptree_node *n)
{
    return (size_t)count_of(n) + 1;
}

static struct ptree_node *turn_left(struct ptree_node *n, struct ptree_pool *pool)
{
    struct ptree_node *top = own(n->right, pool);
    n->right = top->left;
    top->left = n;
    recount(n);
    recount(top);
    return top;
}

static struct ptree_node *turn_right(struct ptree_node *n, struct ptree_pool *pool)
{
    struct ptree_node *top = own(n->left, pool);
    n->left = top->right;
    top->right = n;
    recount(n);
    recount(top);
    return top;
}

/* n is owned, its subtrees are balanced, one of them changed by one item. */
static struct ptree_node *balance(struct ptree_node *n, struct ptree_pool *pool)
{
    size_t left = weight(n->left), right = weight(n->right);
    recount(n);
    if (left + right <= 3)
        return n;
    if (right > DELTA * left) {
        n->right = own(n->right, pool);
        if (weight(n->right->left) >= GAMMA * weight(n->right->right))
            n->right = turn_right(n->right, pool);
        return turn_left(n, pool);
    }
    if (left > DELTA * right) {
        n->left = own(n->left, pool);
        if (weight(n->left->right) >= GAMMA * weight(n->left->left))
            n->left = turn_left(n->left, pool);
        return turn_right(n, pool);
    }
    return n;
}

/* ---- changes ---- */

struct target {
    uint64_t place;
    const char *name; /* tells apart names of one hash; NULL in the order of seq */
};

static int compare(const struct target *t, const struct ptree_node *n)
{
    if (t->place != n->place)
        return t->place < n->place ? -1 : 1;
    return t->name ? strcmp(t->name, n->item->name) : 0;
}

static struct target target_of(enum ptree_order order, uint64_t seq, const char *name)
{
    if (order == PTREE_BY_SEQ)
        return (struct target){.place = seq};
    return (struct target){.place = lookup_hash(name), .name = name};
}

/* What was copied is not shared any more; what takes its place is new. */
static void count_copies(struct ptree *tree, size_t copies)
{
    tree->shared -= copies < tree->shared ? copies : tree->shared;
}

static struct ptree_node *put(struct ptree_node *n, const struct target *t, struct ptree_item *item, struct ptree_pool *pool)
{
    if (!n)
        return node_new(t->place, item, pool);
    n = own(n, pool);
    int side = compare(t, n);
    if (side == 0) {
        ptree_item_ref(item);
        ptree_item_unref(n->item);
        n->item = item;
        return n;
    }
    if (side < 0)
        n->left = put(n->left, t, item, pool);
    else
        n->right = put(n->right, t, item, pool);
    return balance(n, pool);
}

void ptree_put(struct ptree *tree, struct ptree_item *item, struct ptree_pool *pool)
{
    struct target t = target_of(tree->order, item->seq, item->name);
    size_t items = ptree_count(tree), nodes = pool->count;
    tree->root = put(tree->root, &t, item, pool);
    count_copies(tree, nodes - pool->count - (ptree_count(tree) - items));
}

/* Takes the first node out of n; *ret_first is owned and without children. */
static struct ptree_node *take_first(struct ptree_node *n, struct ptree_node **ret_first, struct ptree_pool *pool)
{
    n = own(n, pool);
    if (!n->left) {
        struct ptree_node *rest = n->right;
        n->right = NULL;
        *ret_first = n;
        return rest;
    }
    n->left = take_first(n->left, ret_first, pool);
    return balance(n, pool);
}

static struct ptree_node *join_without(struct ptree_node *n, struct ptree_pool *pool)
{
    struct ptree_node *left = n->left, *right = n->right, *top;
    ptree_item_unref(n->item);
    pool_give(pool, n);
    if (!left || !right)
        return left ? left : right;
    right = take_first(right, &top, pool);
    top->left = left;
    top->right = right;
    return balance(top, pool);
}

static struct ptree_node *without(struct ptree_node *n, const struct target *t, struct ptree_pool *pool)
{
    n = own(n, pool);
    int side = compare(t, n);
    if (side == 0)
        return join_without(n, pool);
    if (side < 0)
        n->left = without(n->left, t, pool);
    else
        n->right = without(n->right, t, pool);
    return balance(n, pool);
}

void ptree_remove(struct ptree *tree, uint64_t seq, const char *name, struct ptree_pool *pool)
{
    struct target t = target_of(tree->order, seq, name);
    size_t nodes = pool->count;
    tree->root = without(tree->root, &t, pool);
    count_copies(tree, nodes + 1 - pool->count);
}

void ptree_clear(struct ptree *tree)
{
    node_unref(tree->root);
    tree->root = NULL;
    tree->shared = 0;
}

struct ptree ptree_share(struct ptree *tree)
{
    tree->shared = ptree_count(tree);
    return (struct ptree){.root = node_ref(tree->root), .order = tree->order, .shared = tree->shared};
}

/* ---- reading ---- */

size_t ptree_count(const struct ptree *tree)
{
    return count_of(tree->root);
}

const struct ptree_item *ptree_find(const struct ptree *tree, const char *name)
{
    struct target t = target_of(PTREE_BY_NAME, 0, name);
    const struct ptree_node *n = tree->root;
    while (n) {
        int side = compare(&t, n);
        if (side == 0)
            return n->item;
        n = side < 0 ? n->left : n->right;
    }
    return NULL;
}

const struct ptree_item *ptree_at(const struct ptree *tree, size_t i)
{
    const struct ptree_node *n = tree->root;
    while (n) {
        size_t before = count_of(n->left);
        if (i == before)
            return n->item;
        n = i < before ? n->left : n->right;
        i = i < before ? i : i - before - 1;
    }
    return NULL;
}

size_t ptree_before(const struct ptree *tree, uint64_t seq)
{
    const struct ptree_node *n = tree->root;
    size_t before = 0;
    while (n) {
        if (seq > n->place)
            before += (size_t)count_of(n->left) + 1;
        n = seq > n->place ? n->right : n->left;
    }
    return before;
}

/* ---- soundness ---- */

static bool is_sound(const struct ptree_node *n, enum ptree_order order)
{
    if (!n)
        return true;
    size_t left = weight(n->left), right = weight(n->right);
    struct target t = {.place = n->place, .name = order == PTREE_BY_NAME ? n->item->name : NULL};
    bool ordered = (!n->left || compare(&t, n->left) > 0) && (!n->right || compare(&t, n->right) < 0);
    bool balanced = left + right <= 3 || (left <= DELTA * right && right <= DELTA * left);
    bool counted = n->count == left + right - 1;
    return ordered && balanced && counted && is_sound(n->left, order) && is_sound(n->right, order);
}

bool ptree_is_sound(const struct ptree *tree)
{
    return is_sound(tree->root, tree->order);
}
