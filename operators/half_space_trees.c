/* operators/half_space_trees.c — see half_space_trees.h. */
#include "operators/half_space_trees.h"

#include "base/random.h"

#define CUT_PADDING 0.15

enum { FIELDS_MAX = 256 };

struct drawing {
    const struct mr_half_space_trees *trees;
    size_t first; /* of the tree */
    struct mr_random random;
    double lows[FIELDS_MAX];
    double highs[FIELDS_MAX];
};

static uint32_t draw_field(struct drawing *drawing)
{
    uint32_t last = drawing->trees->fields_count - 1;
    double total = 0;
    for (uint32_t field = 0; field <= last; field++)
        total += drawing->highs[field] - drawing->lows[field];
    double at = mr_random_double(&drawing->random) * total;
    for (uint32_t field = 0; field < last; field++) {
        at -= drawing->highs[field] - drawing->lows[field];
        if (at < 0)
            return field;
    }
    return last;
}

/* The recursion is as deep as the tree: 15 at most. */
static void draw_node(struct drawing *drawing, uint32_t node)
{
    if (node >> drawing->trees->depth != 0)
        return;
    uint32_t field = draw_field(drawing);
    double low = drawing->lows[field];
    double high = drawing->highs[field];
    double share = CUT_PADDING + (1 - 2 * CUT_PADDING) * mr_random_double(&drawing->random);
    double cut = low + share * (high - low);
    drawing->trees->fields[drawing->first + node] = (uint8_t)field;
    drawing->trees->cuts[drawing->first + node] = cut;
    drawing->highs[field] = cut;
    draw_node(drawing, 2 * node);
    drawing->highs[field] = high;
    drawing->lows[field] = cut;
    draw_node(drawing, 2 * node + 1);
    drawing->lows[field] = low;
}

void mr_half_space_trees_draw(const struct mr_half_space_trees *trees, uint64_t seed)
{
    struct drawing drawing = {.trees = trees};
    for (uint32_t field = 0; field < trees->fields_count; field++)
        drawing.highs[field] = 1;
    for (uint32_t tree = 0; tree < trees->trees_count; tree++) {
        mr_random_init(&drawing.random, seed, tree);
        drawing.first = (size_t)tree << trees->depth;
        draw_node(&drawing, 1);
    }
}

/* Level by level, so that the processor walks many trees at once. */
void mr_half_space_trees_walk(const struct mr_half_space_trees *trees, const double *values,
                              uint16_t *leaves)
{
    uint32_t nodes[MR_HALF_SPACE_TREES_MAX];
    for (uint32_t tree = 0; tree < trees->trees_count; tree++)
        nodes[tree] = 1;
    for (uint32_t level = 0; level < trees->depth; level++) {
        const double *cuts = trees->cuts;
        const uint8_t *fields = trees->fields;
        size_t step = (size_t)1 << trees->depth;
        for (uint32_t tree = 0; tree < trees->trees_count; tree++, cuts += step, fields += step) {
            uint32_t node = nodes[tree];
            nodes[tree] = 2 * node + !(values[fields[node]] < cuts[node]);
        }
    }
    for (uint32_t tree = 0; tree < trees->trees_count; tree++)
        leaves[tree] = (uint16_t)(nodes[tree] - ((uint32_t)1 << trees->depth));
}

void mr_half_space_profile(uint32_t depth, double size_limit, uint32_t *masses, uint32_t *scratch)
{
    uint32_t leaves_count = (uint32_t)1 << depth;
    uint32_t *mass = scratch;                   /* by node */
    uint32_t *sum = scratch + 2 * leaves_count; /* by node */
    for (uint32_t leaf = 0; leaf < leaves_count; leaf++)
        mass[leaves_count + leaf] = masses[leaf];
    for (uint32_t node = leaves_count - 1; node >= 1; node--)
        mass[node] = mass[2 * node] + mass[2 * node + 1];
    sum[1] = mass[1];
    uint32_t weight = 1;
    for (uint32_t node = 2; node < 2 * leaves_count; node++) {
        if ((node & (node - 1)) == 0)
            weight *= 2; /* the first node of a level */
        /* A node below a small one is small too: the way ended above it. */
        uint32_t parent = node / 2;
        sum[node] = sum[parent] + (mass[parent] < size_limit ? 0 : mass[node] * weight);
    }
    for (uint32_t leaf = 0; leaf < leaves_count; leaf++)
        masses[leaf] = sum[leaves_count + leaf];
}

void mr_half_space_shares(const struct mr_half_space_trees *trees, uint32_t tree,
                          const uint32_t *sums, uint32_t leaf, double *shares)
{
    const uint8_t *fields = trees->fields + ((size_t)tree << trees->depth);
    uint32_t node = ((uint32_t)1 << trees->depth) + leaf;
    uint32_t first = leaf; /* of the leaves below node */
    uint32_t count = 1;
    uint64_t total = sums[leaf]; /* of those: 2^15 words of 32 bits at most */
    for (; node > 1; node /= 2, count *= 2) {
        double mean = (double)total / count;
        uint32_t sibling = node % 2 == 0 ? first + count : first - count;
        for (uint32_t index = 0; index < count; index++)
            total += sums[sibling + index];
        first = sibling < first ? sibling : first;
        shares[fields[node / 2]] += (double)total / (2 * count) - mean;
    }
}
