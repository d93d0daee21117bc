/* operators/random_cut_tree.c — see random_cut_tree.h.
 * Design: an insertion goes down from the root; at each node it draws a cut of
 * the box of the node and the point. When the cut misses the node's own box,
 * the node and the point become the children of a new branch; else it goes on
 * below. Where the point lies inside of the box no cut can miss it, so that
 * nothing need be drawn. */
#include "operators/random_cut_tree.h"

#include <string.h>

#include "base/assert.h"
#include "base/random.h"

size_t mr_cut_tree_bytes(uint32_t capacity, uint32_t dimensions)
{
    size_t doubles = (size_t)capacity * dimensions * 3 + capacity;
    size_t words = 2 * (size_t)capacity;
    size_t halves = 5 * (size_t)capacity;
    return 8 * doubles + (4 * words + 2 * halves + 7) / 8 * 8;
}

void mr_cut_tree_init(struct mr_cut_tree *tree, uint32_t capacity, uint32_t dimensions,
                      void *memory)
{
    MR_ASSERT(capacity >= 2 && capacity <= MR_CUT_TREE_CAPACITY_MAX && dimensions >= 1 &&
              dimensions <= MR_CUT_TREE_DIMENSIONS_MAX);
    double *doubles = memory;
    *tree = (struct mr_cut_tree){.capacity = capacity,
                                 .dimensions = dimensions,
                                 .root = MR_CUT_TREE_NONE,
                                 .points = doubles,
                                 .boxes = doubles + (size_t)capacity * dimensions};
    tree->cuts = tree->boxes + 2 * (size_t)capacity * dimensions;
    tree->counts = (uint32_t *)(void *)(tree->cuts + capacity);
    tree->cut_dimensions = (uint16_t *)(void *)(tree->counts + 2 * (size_t)capacity);
    tree->lefts = tree->cut_dimensions + capacity;
    tree->rights = tree->lefts + capacity;
    tree->parents = tree->rights + capacity;
}

/* ---- Nodes ---- */

static bool is_leaf(const struct mr_cut_tree *tree, uint32_t node)
{
    return node < tree->capacity;
}

static const double *lows_of(const struct mr_cut_tree *tree, uint32_t node)
{
    if (is_leaf(tree, node))
        return tree->points + (size_t)node * tree->dimensions;
    return tree->boxes + 2 * (size_t)(node - tree->capacity) * tree->dimensions;
}

static const double *highs_of(const struct mr_cut_tree *tree, uint32_t node)
{
    return lows_of(tree, node) + (is_leaf(tree, node) ? 0 : tree->dimensions);
}

static uint32_t left_of(const struct mr_cut_tree *tree, uint32_t branch)
{
    return tree->lefts[branch - tree->capacity];
}

static uint32_t right_of(const struct mr_cut_tree *tree, uint32_t branch)
{
    return tree->rights[branch - tree->capacity];
}

static uint32_t sibling_of(const struct mr_cut_tree *tree, uint32_t branch, uint32_t child)
{
    return left_of(tree, branch) == child ? right_of(tree, branch) : left_of(tree, branch);
}

static bool goes_left(const struct mr_cut_tree *tree, uint32_t branch, const double *point)
{
    uint32_t index = branch - tree->capacity;
    return point[tree->cut_dimensions[index]] <= tree->cuts[index];
}

static uint32_t free_node(const struct mr_cut_tree *tree, uint32_t first, uint32_t end)
{
    for (uint32_t node = first; node < end; node++)
        if (tree->counts[node] == 0)
            return node;
    MR_ASSERT(false);
    return MR_CUT_TREE_NONE;
}

static void touch(struct mr_cut_touched *touched, uint32_t node)
{
    for (uint32_t index = 0; index < touched->count; index++)
        if (touched->nodes[index] == node)
            return;
    MR_ASSERT(touched->count < sizeof(touched->nodes) / sizeof(touched->nodes[0]));
    touched->nodes[touched->count++] = node;
}

/* The box of a branch from those of its children. */
static void join_boxes(struct mr_cut_tree *tree, uint32_t branch)
{
    uint32_t dimensions = tree->dimensions;
    double *box = tree->boxes + 2 * (size_t)(branch - tree->capacity) * dimensions;
    uint32_t left = left_of(tree, branch);
    uint32_t right = right_of(tree, branch);
    const double *left_lows = lows_of(tree, left), *right_lows = lows_of(tree, right);
    const double *left_highs = highs_of(tree, left), *right_highs = highs_of(tree, right);
    for (uint32_t at = 0; at < dimensions; at++) {
        box[at] = left_lows[at] < right_lows[at] ? left_lows[at] : right_lows[at];
        box[dimensions + at] = left_highs[at] > right_highs[at] ? left_highs[at] : right_highs[at];
    }
}

/* Put child in the place of old below parent; parent NONE: child becomes the
 * root. */
static void replace_child(struct mr_cut_tree *tree, uint32_t parent, uint32_t old, uint32_t child,
                          struct mr_cut_touched *touched)
{
    tree->parents[child] = (uint16_t)parent;
    if (parent == MR_CUT_TREE_NONE) {
        tree->root = child;
        return;
    }
    uint32_t index = parent - tree->capacity;
    if (tree->lefts[index] == old)
        tree->lefts[index] = (uint16_t)child;
    else
        tree->rights[index] = (uint16_t)child;
    touch(touched, parent);
}

/* ---- Drawing ---- */

/* In (0, 1), from one block per level. */
static double draw(const struct mr_cut_draws *draws, uint32_t level)
{
    const uint32_t counter[4] = {level, draws->tree, (uint32_t)draws->step,
                                 (uint32_t)(draws->step >> 32)};
    const uint32_t key[2] = {(uint32_t)draws->seed, (uint32_t)(draws->seed >> 32)};
    uint32_t block[4];
    mr_philox4x32(counter, key, block);
    uint64_t bits = (block[0] | (uint64_t)block[1] << 32) >> 11;
    return ((double)bits + 0.5) * 0x1p-53;
}

struct cut {
    uint32_t dimension;
    double number;
    bool below; /* the point is at or below it, the node's box above */
    bool above;
};

/* The cut of a node's box and a point, when the draw can separate them; false:
 * it cannot. scratch: sides, weighted. */
static bool draw_cut(const struct mr_cut_tree *tree, uint32_t node, const double *point,
                     const double *weights, const struct mr_cut_draws *draws, uint32_t level,
                     double *scratch, struct cut *cut)
{
    const double *lows = lows_of(tree, node);
    const double *highs = highs_of(tree, node);
    uint32_t dimensions = tree->dimensions;
    double total = 0;
    bool outside = false;
    for (uint32_t at = 0; at < dimensions; at++) {
        double low = point[at] < lows[at] ? point[at] : lows[at];
        double high = point[at] > highs[at] ? point[at] : highs[at];
        outside |= point[at] < lows[at] || point[at] > highs[at];
        scratch[at] = (high - low) * weights[at];
        total += scratch[at];
    }
    if (!outside)
        return false;
    double place = draw(draws, level) * total;
    double sum = scratch[0];
    uint32_t at = 0;
    while (sum < place && at + 1 < dimensions)
        sum += scratch[++at];
    double low = point[at] < lows[at] ? point[at] : lows[at];
    cut->dimension = at;
    cut->number = low + (sum - place) / weights[at];
    cut->below = cut->number <= lows[at];
    cut->above = cut->number >= highs[at];
    return cut->below || cut->above || is_leaf(tree, node);
}

/* The leaf whose point equals the given one, or NONE. */
static uint32_t find_equal(const struct mr_cut_tree *tree, const double *point)
{
    uint32_t node = tree->root;
    while (!is_leaf(tree, node))
        node = goes_left(tree, node, point) ? left_of(tree, node) : right_of(tree, node);
    const double *own = lows_of(tree, node);
    for (uint32_t at = 0; at < tree->dimensions; at++)
        if (own[at] != point[at])
            return MR_CUT_TREE_NONE;
    return node;
}

/* ---- Changes ---- */

static void count_upwards(struct mr_cut_tree *tree, uint32_t node, uint32_t change)
{
    for (; node != MR_CUT_TREE_NONE; node = tree->parents[node])
        tree->counts[node] += change;
}

static uint32_t add_leaf(struct mr_cut_tree *tree, const double *point,
                         struct mr_cut_touched *touched)
{
    uint32_t leaf = free_node(tree, 0, tree->capacity);
    memcpy(tree->points + (size_t)leaf * tree->dimensions, point,
           sizeof(double) * tree->dimensions);
    tree->counts[leaf] = 1;
    tree->parents[leaf] = MR_CUT_TREE_NONE;
    touch(touched, leaf);
    return leaf;
}

/* A new branch in the place of node, with node and leaf as its children. */
static void split(struct mr_cut_tree *tree, uint32_t node, uint32_t leaf, const struct cut *cut,
                  struct mr_cut_touched *touched)
{
    uint32_t branch = free_node(tree, tree->capacity, 2 * tree->capacity - 1);
    uint32_t index = branch - tree->capacity;
    uint32_t parent = tree->parents[node];
    bool leaf_left = cut->below;
    tree->cuts[index] = cut->number;
    tree->cut_dimensions[index] = (uint16_t)cut->dimension;
    tree->lefts[index] = (uint16_t)(leaf_left ? leaf : node);
    tree->rights[index] = (uint16_t)(leaf_left ? node : leaf);
    tree->counts[branch] = tree->counts[node];
    replace_child(tree, parent, node, branch, touched);
    tree->parents[node] = (uint16_t)branch;
    tree->parents[leaf] = (uint16_t)branch;
    touch(touched, branch);
    count_upwards(tree, branch, 1);
    for (; branch != MR_CUT_TREE_NONE; branch = tree->parents[branch])
        join_boxes(tree, branch);
}

uint32_t mr_cut_tree_insert(struct mr_cut_tree *tree, const double *point, const double *weights,
                            const struct mr_cut_draws *draws, double *scratch,
                            struct mr_cut_touched *touched)
{
    if (tree->root == MR_CUT_TREE_NONE)
        return tree->root = add_leaf(tree, point, touched);
    uint32_t equal = find_equal(tree, point);
    if (equal != MR_CUT_TREE_NONE) {
        count_upwards(tree, equal, 1);
        touch(touched, equal);
        return equal;
    }
    uint32_t leaf = add_leaf(tree, point, touched);
    uint32_t node = tree->root;
    struct cut cut;
    for (uint32_t level = 0; !draw_cut(tree, node, point, weights, draws, level, scratch, &cut);
         level++)
        node = goes_left(tree, node, point) ? left_of(tree, node) : right_of(tree, node);
    split(tree, node, leaf, &cut, touched);
    return leaf;
}

void mr_cut_tree_forget(struct mr_cut_tree *tree, uint32_t leaf, struct mr_cut_touched *touched)
{
    MR_ASSERT(is_leaf(tree, leaf) && tree->counts[leaf] > 0);
    touch(touched, leaf);
    if (tree->counts[leaf] > 1) {
        count_upwards(tree, leaf, (uint32_t)-1);
        return;
    }
    uint32_t parent = tree->parents[leaf];
    tree->counts[leaf] = 0;
    memset(tree->points + (size_t)leaf * tree->dimensions, 0, sizeof(double) * tree->dimensions);
    if (parent == MR_CUT_TREE_NONE) {
        tree->root = MR_CUT_TREE_NONE;
        return;
    }
    uint32_t grandparent = tree->parents[parent];
    uint32_t sibling = sibling_of(tree, parent, leaf);
    replace_child(tree, grandparent, parent, sibling, touched);
    uint32_t index = parent - tree->capacity;
    tree->counts[parent] = 0;
    tree->cuts[index] = 0;
    tree->cut_dimensions[index] = 0;
    tree->lefts[index] = 0;
    tree->rights[index] = 0;
    touch(touched, parent);
    for (uint32_t node = grandparent; node != MR_CUT_TREE_NONE; node = tree->parents[node]) {
        tree->counts[node]--;
        join_boxes(tree, node);
    }
}

uint32_t mr_cut_tree_leaf(const struct mr_cut_tree *tree, uint32_t number)
{
    MR_ASSERT(number < mr_cut_tree_count(tree));
    uint32_t node = tree->root;
    while (!is_leaf(tree, node)) {
        uint32_t left = left_of(tree, node);
        if (number < tree->counts[left]) {
            node = left;
        } else {
            number -= tree->counts[left];
            node = right_of(tree, node);
        }
    }
    return node;
}

/* ---- Judging ---- */

double mr_cut_tree_displacement(const struct mr_cut_tree *tree, uint32_t leaf)
{
    double most = 0;
    for (uint32_t node = leaf; tree->parents[node] != MR_CUT_TREE_NONE;
         node = tree->parents[node]) {
        uint32_t other = sibling_of(tree, tree->parents[node], node);
        double displaced = (double)tree->counts[other] / (double)tree->counts[node];
        most = displaced > most ? displaced : most;
    }
    return most;
}

/* Of the point below node, whose count with the point is one more. */
static double above(const struct mr_cut_tree *tree, uint32_t node, double most)
{
    for (; tree->parents[node] != MR_CUT_TREE_NONE; node = tree->parents[node]) {
        uint32_t other = sibling_of(tree, tree->parents[node], node);
        double displaced = (double)tree->counts[other] / (double)(tree->counts[node] + 1);
        most = displaced > most ? displaced : most;
    }
    return most;
}

/* Share the displacement among the dimensions in which the point lies outside
 * of the node's box. */
static void share(const struct mr_cut_tree *tree, uint32_t node, const double *point,
                  const double *weights, double displacement, double *scratch, double *shares)
{
    const double *lows = lows_of(tree, node);
    const double *highs = highs_of(tree, node);
    double total = 0;
    for (uint32_t at = 0; at < tree->dimensions; at++) {
        double beyond = point[at] < lows[at] ? lows[at] - point[at] : point[at] - highs[at];
        scratch[at] = beyond > 0 ? beyond * weights[at] : 0;
        total += scratch[at];
    }
    for (uint32_t at = 0; total > 0 && at < tree->dimensions; at++)
        shares[at] += scratch[at] / total * displacement;
}

double mr_cut_tree_judge(const struct mr_cut_tree *tree, const double *point, const double *weights,
                         const struct mr_cut_draws *draws, double *scratch, double *shares)
{
    if (tree->root == MR_CUT_TREE_NONE)
        return 0;
    uint32_t equal = find_equal(tree, point);
    if (equal != MR_CUT_TREE_NONE)
        return above(tree, equal, 0);
    uint32_t node = tree->root;
    struct cut cut;
    for (uint32_t level = 0; !draw_cut(tree, node, point, weights, draws, level, scratch, &cut);
         level++)
        node = goes_left(tree, node, point) ? left_of(tree, node) : right_of(tree, node);
    double displacement = above(tree, node, tree->counts[node]);
    if (shares != NULL)
        share(tree, node, point, weights, displacement, scratch, shares);
    return displacement;
}

/* ---- Derived ---- */

/* Whether a branch's children are in use and have no other parent; sets their
 * parent. */
static bool adopt(struct mr_cut_tree *tree, uint32_t branch, uint32_t child)
{
    if (child >= 2 * tree->capacity - 1 || child == branch || tree->counts[child] == 0 ||
        tree->parents[child] != MR_CUT_TREE_NONE)
        return false;
    tree->parents[child] = (uint16_t)branch;
    return true;
}

/* Counts and boxes of the branches above a leaf, as far as both children of
 * each are known. */
static void finish_upwards(struct mr_cut_tree *tree, uint32_t node)
{
    while ((node = tree->parents[node]) != MR_CUT_TREE_NONE && tree->counts[node] == 0) {
        uint32_t left = left_of(tree, node);
        uint32_t right = right_of(tree, node);
        if (tree->counts[left] == 0 || tree->counts[right] == 0)
            return;
        tree->counts[node] = tree->counts[left] + tree->counts[right];
        join_boxes(tree, node);
    }
}

bool mr_cut_tree_derive(struct mr_cut_tree *tree)
{
    uint32_t nodes = 2 * tree->capacity - 1;
    uint32_t leaves = 0;
    uint32_t branches = 0;
    for (uint32_t node = 0; node < nodes; node++)
        tree->parents[node] = MR_CUT_TREE_NONE;
    /* A branch is in use when its children differ; its count is a mark until it
     * is known. */
    for (uint32_t node = tree->capacity; node < nodes; node++) {
        tree->counts[node] = left_of(tree, node) != right_of(tree, node);
        branches += tree->counts[node];
    }
    for (uint32_t node = 0; node < tree->capacity; node++)
        leaves += tree->counts[node] > 0;
    if (branches != (leaves == 0 ? 0 : leaves - 1))
        return false;
    for (uint32_t node = tree->capacity; node < nodes; node++)
        if (tree->counts[node] != 0 &&
            (tree->cut_dimensions[node - tree->capacity] >= tree->dimensions ||
             !adopt(tree, node, left_of(tree, node)) || !adopt(tree, node, right_of(tree, node))))
            return false;
    tree->root = MR_CUT_TREE_NONE;
    for (uint32_t node = 0; node < nodes; node++)
        if (tree->counts[node] != 0 && tree->parents[node] == MR_CUT_TREE_NONE) {
            if (tree->root != MR_CUT_TREE_NONE)
                return false;
            tree->root = node;
        }
    for (uint32_t node = tree->capacity; node < nodes; node++)
        tree->counts[node] = 0;
    for (uint32_t leaf = 0; leaf < tree->capacity; leaf++)
        if (tree->counts[leaf] != 0)
            finish_upwards(tree, leaf);
    return leaves == 0 || tree->counts[tree->root] != 0;
}
