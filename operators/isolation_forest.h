/* operators/isolation_forest.h — random trees that cut a sample of points until each is alone: how
 * few cuts isolate a point tells how strange it is.
 * Source: Liu, Ting and Zhou, Isolation-Based Anomaly Detection (2012).
 * Model: a tree holds a sample of the points. A node is cut in a random field, of those in which
 * its points differ, at a random place between the least and the greatest; down to depth log2 of
 * the sample, or to one point. The path of a record is the depth of its leaf, and where points
 * share the leaf as much more as a tree of so many has on average, c(n) = 2 H(n-1) - 2 (n-1) / n. A
 * step from a node with n points to one with m shortens the expected path by c(n) - 1 - c(m); these
 * add up to c(sample) - path, so that each field's part of it can be told.
 * Draws: one Philox sequence per build and tree; same points and numbers, same forest. Plain
 * arithmetic in a fixed order: the same bits on each machine. Pure. */
#ifndef MR_OPERATORS_ISOLATION_FOREST_H
#define MR_OPERATORS_ISOLATION_FOREST_H

#include <stddef.h>
#include <stdint.h>

enum {
    MR_ISOLATION_TREES_MAX = 256,
    MR_ISOLATION_SAMPLE_MAX = 2048,
    MR_ISOLATION_POINTS_MAX = 16384,
    MR_ISOLATION_FIELDS_MAX = 64
};

struct mr_isolation_node {
    double cut;
    uint16_t field;
    uint16_t left; /* values <= cut; the others at left + 1. 0: a leaf */
    uint16_t count;
    uint16_t reserved;
};

struct mr_isolation_shape {
    uint32_t trees_count;
    uint32_t sample;
    uint32_t fields_count;
};

/* Nodes of a tree at most. */
uint32_t mr_isolation_nodes_max(uint32_t sample);

/* averages[n], n up to sample: c(n), 0 for n <= 1. */
void mr_isolation_averages(uint32_t sample, double *averages);

/* Points to build from. */
struct mr_isolation_points {
    const double *numbers; /* by point * fields_count */
    uint32_t count;        /* 1 to MR_ISOLATION_POINTS_MAX */
};

/* Fill nodes, trees_count * mr_isolation_nodes_max(sample) of them. build: a number that no other
 * build of the same seed has. places: scratch, points->count numbers. */
void mr_isolation_build(const struct mr_isolation_shape *shape,
                        const struct mr_isolation_points *points, uint64_t seed, uint64_t build,
                        uint16_t *places, struct mr_isolation_node *nodes);

/* Mean path of a record over the trees. shares[fields_count] is set to what each field shortened
 * it by, on average (negative: it lengthened it). */
double mr_isolation_path(const struct mr_isolation_shape *shape,
                         const struct mr_isolation_node *nodes, const double *averages,
                         const double *values, double *shares);

#endif
