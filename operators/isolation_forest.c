/* operators/isolation_forest.c — see isolation_forest.h. Design: a tree is built breadth first in
 * its array of nodes, which is its own queue: a node's points are a run of `places`, which the cut
 * parts in two. */
#include "operators/isolation_forest.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/random.h"

/* The run of places of each node while a tree is built. */
struct run {
    uint16_t first;
    uint16_t depth;
};

enum { NODES_MAX = 2 * MR_ISOLATION_SAMPLE_MAX };

struct building {
    const struct mr_isolation_shape *shape;
    const double *numbers;
    uint16_t *places;
    struct mr_isolation_node *nodes;
    struct mr_random random;
    uint32_t depth_max;
    uint32_t nodes_count;
    struct run runs[NODES_MAX];
};

/* log2 of the sample, rounded up. */
static uint32_t depth_max(uint32_t sample)
{
    uint32_t depth = 0;
    while (1u << depth < sample)
        depth++;
    return depth;
}

uint32_t mr_isolation_nodes_max(uint32_t sample)
{
    return 2 * sample - 1;
}

void mr_isolation_averages(uint32_t sample, double *averages)
{
    double harmonic = 0; /* H(n - 1) */
    averages[0] = 0;
    for (uint32_t count = 1; count <= sample; count++) {
        averages[count] = count == 1 ? 0 : 2 * harmonic - 2 * (count - 1.0) / count;
        harmonic += 1.0 / count;
    }
}

static double number_of(const struct building *building, uint32_t place, uint32_t field)
{
    return building
        ->numbers[(size_t)building->places[place] * building->shape->fields_count + field];
}

/* A random field in which the node's points differ, with their least and greatest number; false:
 * they are all equal. */
static bool draw_field(struct building *building, uint32_t first, uint32_t count, uint16_t *field,
                       double limits[2])
{
    uint8_t fields[MR_ISOLATION_FIELDS_MAX];
    uint32_t left = building->shape->fields_count;
    for (uint32_t index = 0; index < left; index++)
        fields[index] = (uint8_t)index;
    while (left > 0) {
        uint32_t drawn = (uint32_t)mr_random_below(&building->random, left);
        *field = fields[drawn];
        fields[drawn] = fields[--left];
        limits[0] = limits[1] = number_of(building, first, *field);
        for (uint32_t place = first + 1; place < first + count; place++) {
            double number = number_of(building, place, *field);
            limits[0] = number < limits[0] ? number : limits[0];
            limits[1] = number > limits[1] ? number : limits[1];
        }
        if (limits[0] < limits[1])
            return true;
    }
    return false;
}

/* Points up to the cut come first; returns how many they are. */
static uint32_t part(const struct building *building, uint32_t first, uint32_t count,
                     uint32_t field, double cut)
{
    uint32_t low = first;
    uint32_t high = first + count;
    while (low < high) {
        if (number_of(building, low, field) <= cut) {
            low++;
            continue;
        }
        uint16_t place = building->places[low];
        building->places[low] = building->places[--high];
        building->places[high] = place;
    }
    return low - first;
}

static void grow(struct building *building, uint32_t number)
{
    struct mr_isolation_node *node = &building->nodes[number];
    struct run run = building->runs[number];
    double limits[2];
    uint16_t field;
    if (node->count <= 1 || run.depth == building->depth_max ||
        !draw_field(building, run.first, node->count, &field, limits))
        return;
    double cut = limits[0] + (limits[1] - limits[0]) * mr_random_double(&building->random);
    if (!(cut < limits[1]))
        cut = limits[0];
    uint32_t count = part(building, run.first, node->count, field, cut);
    uint32_t left = building->nodes_count;
    MR_ASSERT(count > 0 && count < node->count);
    node->cut = cut;
    node->field = field;
    node->left = (uint16_t)left;
    building->nodes[left] = (struct mr_isolation_node){.count = (uint16_t)count};
    building->nodes[left + 1] =
        (struct mr_isolation_node){.count = (uint16_t)(node->count - count)};
    building->runs[left] = (struct run){run.first, (uint16_t)(run.depth + 1)};
    building->runs[left + 1] =
        (struct run){(uint16_t)(run.first + count), (uint16_t)(run.depth + 1)};
    building->nodes_count += 2;
}

/* The sample to the front of places, each choice as likely. */
static uint32_t draw_sample(struct building *building, uint32_t points_count)
{
    uint32_t count =
        building->shape->sample < points_count ? building->shape->sample : points_count;
    for (uint32_t place = 0; place < points_count; place++)
        building->places[place] = (uint16_t)place;
    for (uint32_t place = 0; place < count; place++) {
        uint32_t other = place + (uint32_t)mr_random_below(&building->random, points_count - place);
        uint16_t drawn = building->places[other];
        building->places[other] = building->places[place];
        building->places[place] = drawn;
    }
    return count;
}

void mr_isolation_build(const struct mr_isolation_shape *shape,
                        const struct mr_isolation_points *points, uint64_t seed, uint64_t build,
                        uint16_t *places, struct mr_isolation_node *nodes)
{
    struct building building = {.shape = shape,
                                .numbers = points->numbers,
                                .places = places,
                                .depth_max = depth_max(shape->sample)};
    uint32_t nodes_max = mr_isolation_nodes_max(shape->sample);
    MR_ASSERT(points->count >= 1 && points->count <= MR_ISOLATION_POINTS_MAX);
    MR_ASSERT(shape->sample <= MR_ISOLATION_SAMPLE_MAX);
    memset(nodes, 0, (size_t)shape->trees_count * nodes_max * sizeof(*nodes));
    for (uint32_t tree = 0; tree < shape->trees_count; tree++) {
        mr_random_init(&building.random, seed, build * MR_ISOLATION_TREES_MAX + tree);
        building.nodes = nodes + (size_t)tree * nodes_max;
        building.nodes[0].count = (uint16_t)draw_sample(&building, points->count);
        building.runs[0] = (struct run){0, 0};
        building.nodes_count = 1;
        for (uint32_t number = 0; number < building.nodes_count; number++)
            grow(&building, number);
    }
}

static double walk(const struct mr_isolation_node *nodes, const double *averages,
                   const double *values, double *shares)
{
    const struct mr_isolation_node *node = nodes;
    double depth = 0;
    while (node->left != 0) {
        const struct mr_isolation_node *next =
            nodes + node->left + (values[node->field] <= node->cut ? 0 : 1);
        shares[node->field] += averages[node->count] - 1 - averages[next->count];
        node = next;
        depth++;
    }
    return depth + averages[node->count];
}

double mr_isolation_path(const struct mr_isolation_shape *shape,
                         const struct mr_isolation_node *nodes, const double *averages,
                         const double *values, double *shares)
{
    uint32_t nodes_max = mr_isolation_nodes_max(shape->sample);
    double path = 0;
    for (uint32_t field = 0; field < shape->fields_count; field++)
        shares[field] = 0;
    for (uint32_t tree = 0; tree < shape->trees_count; tree++)
        path += walk(nodes + (size_t)tree * nodes_max, averages, values, shares);
    for (uint32_t field = 0; field < shape->fields_count; field++)
        shares[field] /= shape->trees_count;
    return path / shape->trees_count;
}
