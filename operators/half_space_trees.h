/* operators/half_space_trees.h — half-space trees: random cuts of the unit cube, and how many
 * records of a window lie in each part.
 * Model: a tree of depth h cuts the cube h times along any way down; node 1 is the root, node n has
 * the children 2n (below the cut) and 2n + 1; leaf l is node 2^h + l. The cuts are drawn once from
 * (seed, tree) and hold no data, so all keys share them. A record is known by its leaf in each
 * tree. The mass of a node is the number of the window's records below it. A record's score in a
 * tree is the sum over the nodes on its way down of mass * 2^depth, up to the first node with a
 * mass below size_limit: large where records are dense. Since the leaf tells the way, the profile
 * of a tree is that sum for each leaf, and judging a record is a walk and a look-up. Source: Tan,
 * Ting and Liu, Fast Anomaly Detection for Streaming Data (2011); the padded cuts and the sum over
 * depths are those of river's HalfSpaceTrees. Invariants: depth <= 15 and windows <= 65535 records,
 * so that a sum fits in 32 bits. Whole numbers throughout, but for the cuts: + - * / in a fixed
 * order. */
#ifndef MR_OPERATORS_HALF_SPACE_TREES_H
#define MR_OPERATORS_HALF_SPACE_TREES_H

#include <stddef.h>
#include <stdint.h>

enum {
    MR_HALF_SPACE_TREES_MAX = 128,
    MR_HALF_SPACE_DEPTH_MAX = 15,
    MR_HALF_SPACE_WINDOW_MAX = 65535
};

struct mr_half_space_trees {
    uint32_t trees_count;
    uint32_t depth;
    uint32_t fields_count; /* <= 256 */
    /* By tree << depth | node; the caller's memory, trees_count << depth of each. */
    double *cuts;
    uint8_t *fields;
};

/* Draw the cuts of all trees. A cut halves a field that is chosen with the width of the part as
 * weight, within the middle 70 % of it. */
void mr_half_space_trees_draw(const struct mr_half_space_trees *trees, uint64_t seed);

/* Leaf of each tree for a record; any numbers. */
void mr_half_space_trees_walk(const struct mr_half_space_trees *trees, const double *values,
                              uint16_t *leaves);

/* Doubles, or words, of scratch memory of mr_half_space_profile. */
static inline size_t mr_half_space_scratch(uint32_t depth)
{
    return (size_t)4 << depth;
}

/* The profile of one tree from the number of records in each leaf; in place: masses[2^depth] become
 * sums. scratch: mr_half_space_scratch(depth) words. */
void mr_half_space_profile(uint32_t depth, double size_limit, uint32_t *masses, uint32_t *scratch);

/* By which fields the leaf of a tree is thin: to shares[fields_count] each cut on the way down to
 * it adds, at its field, the mean profile of the leaves below the cut's node less that of the
 * leaves on the way's side of the cut. Together they are the mean of the whole profile less the
 * leaf's. sums: the tree's profile. */
void mr_half_space_shares(const struct mr_half_space_trees *trees, uint32_t tree,
                          const uint32_t *sums, uint32_t leaf, double *shares);

/* The largest sum over all trees. */
static inline double mr_half_space_sum_max(uint32_t trees_count, uint32_t depth, uint32_t window)
{
    return (double)trees_count * window * (double)(((uint32_t)2 << depth) - 1);
}

#endif
