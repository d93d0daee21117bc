/* operators/random_cut_tree.h — a random cut tree over a sample of points:
 * insert, forget, and how much a point displaces the others. Model: a branch
 * cuts the box of the points below it in one dimension; leaves are points, with
 * a count of equal ones. Node n < capacity is leaf n, node capacity + b is
 * branch b; a leaf's and a branch's place is the lowest free one. The cut that
 * separates a new point from a box is drawn with the sides of the box that
 * holds both as weights, so that a tree that was changed point by point is
 * distributed like one that was made at once. weights, one per dimension, make
 * sides of different units alike; they may differ from call to call. CoDisp of
 * a point: over all branches above it, the greatest (points of the other child)
 * / (points of the child that holds it): how many others it, and those like it,
 * displace. Sources: Guha, Mishra, Roy, Schrijvers: Robust Random Cut Forest
 * Based Anomaly Detection On Streams (2016); the details (which side equal
 * numbers go to, duplicates) are those of rrcf. Draws: level l of an insertion
 * uses the first number of Philox block (l, tree, step), so that judging a
 * point and then inserting it draw the same, and a replay too. Invariants:
 * counts, boxes and parents follow from the leaves' points and counts and the
 * branches' cuts and children (mr_cut_tree_derive); only those are stored. */
#ifndef MR_OPERATORS_RANDOM_CUT_TREE_H
#define MR_OPERATORS_RANDOM_CUT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_CUT_TREE_CAPACITY_MAX = 2048,
    MR_CUT_TREE_DIMENSIONS_MAX = 256,
    MR_CUT_TREE_NONE = 0xffff
};

struct mr_cut_tree {
    uint32_t capacity; /* leaves at most; branches are one less */
    uint32_t dimensions;
    uint32_t root; /* MR_CUT_TREE_NONE: no point */
    /* Stored. */
    double *points; /* by leaf * dimensions */
    double *cuts;   /* by branch, as the next three */
    uint16_t *cut_dimensions;
    uint16_t *lefts; /* points with number <= cut */
    uint16_t *rights;
    /* By node: of leaves stored, 0 of a free one. */
    uint32_t *counts;
    /* Derived. */
    uint16_t *parents; /* by node */
    double *boxes;     /* by branch * 2 * dimensions: lows, then highs */
};

/* Where the draws of one point come from. */
struct mr_cut_draws {
    uint64_t seed;
    uint64_t step; /* which point of the stream */
    uint32_t tree;
};

/* The nodes that changes have touched, for storing: three per change at most.
 */
struct mr_cut_touched {
    uint32_t nodes[8];
    uint32_t count;
};

/* Bytes of the memory of a tree, a multiple of 8. */
size_t mr_cut_tree_bytes(uint32_t capacity, uint32_t dimensions);
/* An empty tree in memory (that many bytes, aligned to 8, zeroed). */
void mr_cut_tree_init(struct mr_cut_tree *tree, uint32_t capacity, uint32_t dimensions,
                      void *memory);

/* Points in the tree, equal ones counted. */
static inline uint32_t mr_cut_tree_count(const struct mr_cut_tree *tree)
{
    return tree->root == MR_CUT_TREE_NONE ? 0 : tree->counts[tree->root];
}

/* Insert a point; touched is added to. scratch: 2 * dimensions doubles. Pre: a
 * leaf is free, or the point is in the tree. Returns its leaf. */
uint32_t mr_cut_tree_insert(struct mr_cut_tree *tree, const double *point, const double *weights,
                            const struct mr_cut_draws *draws, double *scratch,
                            struct mr_cut_touched *touched);

/* Take one of the points of a leaf out. */
void mr_cut_tree_forget(struct mr_cut_tree *tree, uint32_t leaf, struct mr_cut_touched *touched);

/* The leaf that holds the point of that number, 0 <= number <
 * mr_cut_tree_count, in the tree's order: for drawing a point. */
uint32_t mr_cut_tree_leaf(const struct mr_cut_tree *tree, uint32_t number);

/* CoDisp of a leaf, and of a point as if it were inserted by those draws.
 * shares (dimensions, may be NULL) is added to: the dimensions by which the
 * point was separated, weighted to add up to its CoDisp. */
double mr_cut_tree_displacement(const struct mr_cut_tree *tree, uint32_t leaf);
double mr_cut_tree_judge(const struct mr_cut_tree *tree, const double *point, const double *weights,
                         const struct mr_cut_draws *draws, double *scratch, double *shares);

/* Compute what is derived from what is stored; false: it is no tree. */
bool mr_cut_tree_derive(struct mr_cut_tree *tree);

#endif
