/* tools/detector_probe.c — detectors' own structures, driven by lines of text: so that a reference
 * in another language can hand over its tree, and compare what ours makes of it (tests/detectors).
 *   detector_probe covariance       fields; then rows. Answers the mean, then the covariance's
 * rows. detector_probe half_space_trees trees depth fields window; a line `field cut` per node,
 * tree by tree in heap order; then rows: each is scored, then learned. detector_probe
 * random_cut_tree  capacity dimensions seed; then `insert STEP number...`, `forget STEP`, `codisp
 * STEP`, of which the last is answered. Exit code 1: something else was said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/covariance.h"
#include "operators/half_space_trees.h"
#include "operators/random_cut_tree.h"

enum { FIELDS_MAX = 64, STEPS_MAX = 100000 };

/* Up to count numbers of the next line; false: the end. */
static bool read_numbers(double *numbers, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++)
        if (scanf("%lf", &numbers[index]) != 1)
            return false;
    return true;
}

static int probe_covariance(void)
{
    double head;
    static double values[FIELDS_MAX];
    static double moments[FIELDS_MAX + FIELDS_MAX * (FIELDS_MAX + 1) / 2];
    static double scratch[(FIELDS_MAX + 2) * (FIELDS_MAX + 2)];
    if (!read_numbers(&head, 1) || head < 1 || head > FIELDS_MAX)
        return 1;
    uint32_t fields_count = (uint32_t)head;
    struct mr_covariance_weights weights = {0};
    while (read_numbers(values, fields_count))
        mr_covariance_learn(moments, &weights, values, fields_count, 1, scratch);
    for (uint32_t field = 0; field < fields_count; field++)
        printf("%.17g ", moments[field]);
    printf("\n");
    for (uint32_t row = 0; row < fields_count; row++) {
        for (uint32_t column = 0; column < fields_count; column++) {
            uint32_t low = row < column ? row : column;
            uint32_t high = row < column ? column : row;
            printf("%.17g ", moments[fields_count + high * (high + 1) / 2 + low] /
                                 (weights.total - weights.squares / weights.total));
        }
        printf("\n");
    }
    return 0;
}

static bool read_cuts(struct mr_half_space_trees *trees)
{
    for (size_t tree = 0; tree < trees->trees_count; tree++)
        for (size_t node = 1; node < (size_t)1 << trees->depth; node++) {
            double line[2];
            if (!read_numbers(line, 2))
                return false;
            trees->fields[(tree << trees->depth) + node] = (uint8_t)line[0];
            trees->cuts[(tree << trees->depth) + node] = line[1];
        }
    return true;
}

static int probe_half_space_trees(void)
{
    double head[4];
    if (!read_numbers(head, 4) || head[0] > MR_HALF_SPACE_TREES_MAX ||
        head[1] > MR_HALF_SPACE_DEPTH_MAX || head[2] > FIELDS_MAX)
        return 1;
    uint32_t window = (uint32_t)head[3];
    struct mr_half_space_trees trees = {
        .trees_count = (uint32_t)head[0],
        .depth = (uint32_t)head[1],
        .fields_count = (uint32_t)head[2],
    };
    size_t leaves_count = (size_t)trees.trees_count << trees.depth;
    trees.cuts = mr_memory_new(leaves_count, sizeof(double));
    trees.fields = mr_memory_new(leaves_count, 1);
    uint32_t *counts = mr_memory_new(leaves_count, sizeof(uint32_t));
    uint32_t *sums = mr_memory_new(leaves_count, sizeof(uint32_t));
    uint32_t *scratch = mr_memory_new(mr_half_space_scratch(trees.depth), sizeof(uint32_t));
    double sum_max = mr_half_space_sum_max(trees.trees_count, trees.depth, window);
    double values[FIELDS_MAX];
    int code = read_cuts(&trees) ? 0 : 1;
    for (uint32_t row = 1; code == 0 && read_numbers(values, trees.fields_count); row++) {
        uint16_t leaves[MR_HALF_SPACE_TREES_MAX];
        double sum = 0;
        mr_half_space_trees_walk(&trees, values, leaves);
        for (uint32_t tree = 0; tree < trees.trees_count; tree++) {
            size_t place = ((size_t)tree << trees.depth) + leaves[tree];
            sum += sums[place];
            counts[place]++;
        }
        printf("%.17g\n", row <= window ? 0 : 1 - sum / sum_max);
        if (row % window != 0)
            continue;
        memcpy(sums, counts, leaves_count * sizeof(uint32_t));
        memset(counts, 0, leaves_count * sizeof(uint32_t));
        for (uint32_t tree = 0; tree < trees.trees_count; tree++)
            mr_half_space_profile(trees.depth, 0.1 * window, sums + ((size_t)tree << trees.depth),
                                  scratch);
    }
    mr_memory_free(trees.cuts);
    mr_memory_free(trees.fields);
    mr_memory_free(counts);
    mr_memory_free(sums);
    mr_memory_free(scratch);
    return code;
}

/* A line of a tree as it is; false: no such line. */
static bool load_tree(struct mr_cut_tree *tree, const char *word, uint32_t place, uint32_t *leaves)
{
    double line[4];
    if (strcmp(word, "derive") == 0)
        return mr_cut_tree_derive(tree);
    if (strcmp(word, "name") == 0) {
        bool is_said = read_numbers(line, 1);
        leaves[place] = (uint32_t)line[0];
        return is_said;
    }
    if (strcmp(word, "leaf") == 0) {
        bool is_said =
            place < tree->capacity && read_numbers(line, 1) &&
            read_numbers(tree->points + (size_t)place * tree->dimensions, tree->dimensions);
        tree->counts[place] = is_said ? (uint32_t)line[0] : 0;
        return is_said;
    }
    if (strcmp(word, "branch") != 0 || place + 1 >= tree->capacity || !read_numbers(line, 4))
        return false;
    tree->cut_dimensions[place] = (uint16_t)line[0];
    tree->cuts[place] = line[1];
    tree->lefts[place] = (uint16_t)line[2];
    tree->rights[place] = (uint16_t)line[3];
    return true;
}

static int change_tree(struct mr_cut_tree *tree, uint64_t seed, uint32_t *leaves)
{
    static double point[MR_CUT_TREE_DIMENSIONS_MAX];
    static double weights[MR_CUT_TREE_DIMENSIONS_MAX];
    static double scratch[2 * MR_CUT_TREE_DIMENSIONS_MAX];
    char word[16];
    uint32_t step;
    for (uint32_t at = 0; at < tree->dimensions; at++)
        weights[at] = 1;
    while (scanf("%15s %u", word, &step) == 2 && step < STEPS_MAX) {
        struct mr_cut_touched touched = {.count = 0};
        struct mr_cut_draws draws = {.seed = seed, .step = step};
        if (strcmp(word, "forget") == 0) {
            mr_cut_tree_forget(tree, leaves[step], &touched);
        } else if (strcmp(word, "codisp") == 0) {
            printf("%.17g\n", mr_cut_tree_displacement(tree, leaves[step]));
        } else if (strcmp(word, "insert") == 0 && read_numbers(point, tree->dimensions)) {
            leaves[step] = mr_cut_tree_insert(tree, point, weights, &draws, scratch, &touched);
        } else if (!load_tree(tree, word, step, leaves)) {
            return 1;
        }
    }
    return feof(stdin) ? 0 : 1;
}

static int probe_random_cut_tree(void)
{
    double head[3];
    if (!read_numbers(head, 3) || head[0] > MR_CUT_TREE_CAPACITY_MAX ||
        head[1] > MR_CUT_TREE_DIMENSIONS_MAX)
        return 1;
    uint32_t capacity = (uint32_t)head[0];
    uint32_t dimensions = (uint32_t)head[1];
    void *memory = mr_memory_new(mr_cut_tree_bytes(capacity, dimensions), 1);
    uint32_t *leaves = mr_memory_new(STEPS_MAX, sizeof(uint32_t));
    struct mr_cut_tree tree;
    mr_cut_tree_init(&tree, capacity, dimensions, memory);
    int code = change_tree(&tree, (uint64_t)head[2], leaves);
    mr_memory_free(leaves);
    mr_memory_free(memory);
    return code;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "covariance") == 0)
        return probe_covariance();
    if (argc == 2 && strcmp(argv[1], "half_space_trees") == 0)
        return probe_half_space_trees();
    if (argc == 2 && strcmp(argv[1], "random_cut_tree") == 0)
        return probe_random_cut_tree();
    fprintf(stderr, "usage: detector_probe covariance | half_space_trees | random_cut_tree\n");
    return 2;
}
