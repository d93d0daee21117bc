/* operators/detect_random_cut_forest.c — detect.random_cut_forest: how many
 * points of a sample of the key's records a record would displace in random
 * trees. Design: each tree (random_cut_tree.h) holds its own sample: all points
 * while there is room, then a new one takes the place of a random one with
 * probability max(sample / points, refresh), so that a point stays for sample /
 * refresh records on average. The same draws judge a point and insert it. A
 * tree's counts, boxes and parents change all along a path with each point;
 * they follow from the points and cuts, so that only those are stored, and a
 * change writes three small slots. They are kept beside the state, in
 * forests_count expanded forests that the operator owns: a forest is known by
 * the key's seed and the number of points it learned, so that a stale one is
 * not taken for the key's, and made anew from the slots when it is not there.
 * What is expanded changes no result.
 *
 * Stored object, version 1 (little-endian):
 *   0   uint16  trees; 2 uint16 sample; 4 uint16 shingle; 6 uint16 fields
 *   8   uint64  records learned
 *   16  double  mean, sum of squared deviations; of each field
 *       double  the numbers of the last shingle - 1 records, oldest first
 * Stored slots, for each tree: leaves: uint32 count, uint32 0, then the point's
 * doubles; branches: double cut, uint16 dimension, uint16 left, uint16 right,
 * uint16 0; zeros where none is. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/estimate.h"
#include "operators/moments.h"
#include "operators/random_cut_tree.h"
#include "operators/registry.h"

enum {
    FOREST_VERSION = 1,
    FOREST_BYTES_MIN = 16,
    FOREST_TREES_MAX = 256,
    FOREST_SLOT_BYTES = 256,
    FOREST_BRANCH_BYTES = 16,
    FOREST_EXPANDED_BYTES = 16 << 20,
    FOREST_EXPANDED_MAX = 64,
    FOREST_INSERT_SLOTS = 3
};
enum forest_own { FOREST_SAMPLE, FOREST_COUNT };

#define FOREST_NUMBER_MAX 1e150             /* larger ones are judged as this */
#define FOREST_SD_FLOOR 1e-9                /* of a field's scale */
#define FOREST_SAMPLING 0x6a09e667f3bcc908u /* makes the sampling's seed differ from the cuts' */

static const char forest_table[] = "forest";

struct forest_object {
    uint64_t count;
    uint16_t trees_count;
    uint16_t sample;
    uint16_t shingle;
    uint16_t fields_count;
    double numbers[]; /* moments of each field, then the last records */
};

struct forest_shape {
    uint32_t trees_count;
    uint32_t sample;
    uint32_t shingle;
    uint32_t fields_count;
    uint32_t dimensions;
    uint32_t leaf_bytes;
    uint32_t slot_bytes;
    uint32_t slot_leaves;
    uint32_t slot_branches;
    uint32_t leaf_slots;
    uint32_t tree_slots;
};

/* A forest with what is derived. */
struct expanded {
    uint64_t seed; /* of the key */
    uint64_t count;
    uint64_t used; /* when, in calls */
    bool is_valid;
    struct mr_cut_tree *trees;
};

struct forest {
    struct mr_detector detector;
    struct forest_shape shape;
    uint64_t warmup;
    double refresh;
    uint64_t calls;
    uint32_t expanded_count;
    struct expanded *expanded;
    struct mr_cut_tree *trees; /* of all expanded forests */
    uint8_t *memory;
    double *point;   /* dimensions */
    double *weights; /* dimensions */
    double *scratch; /* 2 * dimensions */
    double *shares;  /* dimensions */
};

/* ---- Layout ---- */

static struct forest_shape shape_of(const struct mr_options *options)
{
    struct forest_shape shape = {
        .trees_count = (uint32_t)mr_options_integer(options, "trees"),
        .sample = (uint32_t)mr_options_integer(options, "sample"),
        .shingle = (uint32_t)mr_options_integer(options, "shingle"),
        .fields_count = mr_options_get(options, "fields")->count,
    };
    shape.dimensions = shape.shingle * shape.fields_count;
    shape.leaf_bytes = 8 + 8 * shape.dimensions;
    shape.slot_bytes = shape.leaf_bytes > FOREST_SLOT_BYTES ? shape.leaf_bytes : FOREST_SLOT_BYTES;
    shape.slot_leaves = shape.slot_bytes / shape.leaf_bytes;
    shape.slot_branches = shape.slot_bytes / FOREST_BRANCH_BYTES;
    shape.leaf_slots = (shape.sample + shape.slot_leaves - 1) / shape.slot_leaves;
    shape.tree_slots =
        shape.leaf_slots + (shape.sample - 1 + shape.slot_branches - 1) / shape.slot_branches;
    return shape;
}

static uint32_t numbers_count(uint32_t fields_count, uint32_t shingle)
{
    return fields_count * (2 + shingle - 1);
}

static void forest_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct forest_shape shape = shape_of(options);
    size_t numbers = 8 * (size_t)numbers_count(shape.fields_count, shape.shingle);
    size->object_bytes += numbers;
    size->encoded_bytes += numbers;
    size->slot_bytes = shape.slot_bytes;
    size->slots_max = shape.tree_slots * shape.trees_count;
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct forest_object *entry = object;
    mr_put_u16le(output, entry->trees_count);
    mr_put_u16le(output + 2, entry->sample);
    mr_put_u16le(output + 4, entry->shingle);
    mr_put_u16le(output + 6, entry->fields_count);
    mr_put_u64le(output + 8, entry->count);
    uint8_t *at = output + FOREST_BYTES_MIN;
    uint32_t numbers = numbers_count(entry->fields_count, entry->shingle);
    for (uint32_t index = 0; index < numbers; index++, at += 8)
        mr_put_double_le(at, entry->numbers[index]);
    return (size_t)(at - output);
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct forest_object *entry = object;
    if (version != FOREST_VERSION || stored.size < FOREST_BYTES_MIN)
        return false;
    entry->trees_count = mr_get_u16le(stored.data);
    entry->sample = mr_get_u16le(stored.data + 2);
    entry->shingle = mr_get_u16le(stored.data + 4);
    entry->fields_count = mr_get_u16le(stored.data + 6);
    entry->count = mr_get_u64le(stored.data + 8);
    if (entry->fields_count == 0 || entry->shingle == 0 ||
        entry->fields_count * entry->shingle > MR_CUT_TREE_DIMENSIONS_MAX)
        return false;
    uint32_t numbers = numbers_count(entry->fields_count, entry->shingle);
    if (stored.size != FOREST_BYTES_MIN + 8 * (size_t)numbers)
        return false;
    for (uint32_t index = 0; index < numbers; index++)
        entry->numbers[index] =
            mr_get_double_le(stored.data + FOREST_BYTES_MIN + 8 * (size_t)index);
    return true;
}

/* ---- Expanded forests ---- */

static void forget_expanded(const struct forest *forest, uint64_t seed)
{
    for (uint32_t index = 0; index < forest->expanded_count; index++)
        if (forest->expanded[index].seed == seed)
            forest->expanded[index].is_valid = false;
}

static void read_leaf(struct mr_cut_tree *tree, uint32_t leaf, const uint8_t *bytes)
{
    tree->counts[leaf] = mr_get_u32le(bytes);
    double *point = tree->points + (size_t)leaf * tree->dimensions;
    for (uint32_t at = 0; at < tree->dimensions; at++)
        point[at] = mr_get_double_le(bytes + 8 + 8 * (size_t)at);
}

static void read_branch(struct mr_cut_tree *tree, uint32_t branch, const uint8_t *bytes)
{
    tree->cuts[branch] = mr_get_double_le(bytes);
    tree->cut_dimensions[branch] = mr_get_u16le(bytes + 8);
    tree->lefts[branch] = mr_get_u16le(bytes + 10);
    tree->rights[branch] = mr_get_u16le(bytes + 12);
}

static enum mr_status read_tree(const struct forest *forest, const struct mr_model_row *row,
                                uint32_t number, struct mr_cut_tree *tree, struct mr_error *error)
{
    const struct forest_shape *shape = &forest->shape;
    uint32_t first = number * shape->tree_slots;
    void *slot;
    for (uint32_t leaf = 0; leaf < shape->sample; leaf++) {
        uint32_t index = leaf / shape->slot_leaves;
        enum mr_status status =
            leaf % shape->slot_leaves != 0
                ? MR_OK
                : mr_table_slot(row->table, row->entry, first + index, false, &slot, error);
        if (status != MR_OK)
            return status;
        read_leaf(tree, leaf,
                  (const uint8_t *)slot + (size_t)(leaf % shape->slot_leaves) * shape->leaf_bytes);
    }
    first += shape->leaf_slots;
    for (uint32_t branch = 0; branch < shape->sample - 1; branch++) {
        uint32_t index = branch / shape->slot_branches;
        enum mr_status status =
            branch % shape->slot_branches != 0
                ? MR_OK
                : mr_table_slot(row->table, row->entry, first + index, false, &slot, error);
        if (status != MR_OK)
            return status;
        read_branch(tree, branch,
                    (const uint8_t *)slot +
                        (size_t)(branch % shape->slot_branches) * FOREST_BRANCH_BYTES);
    }
    if (!mr_cut_tree_derive(tree))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a stored tree of detect.random_cut_forest is damaged; "
                       "reset the topology");
    return MR_OK;
}

/* The key's forest, as of its last learned record. */
static enum mr_status find_expanded(struct forest *forest, const struct mr_model_row *row,
                                    struct expanded **found, struct mr_error *error)
{
    const struct forest_object *entry = row->object;
    struct expanded *oldest = &forest->expanded[0];
    forest->calls++;
    for (uint32_t index = 0; index < forest->expanded_count; index++) {
        struct expanded *expanded = &forest->expanded[index];
        if (expanded->is_valid && expanded->seed == row->seed && expanded->count == entry->count) {
            expanded->used = forest->calls;
            *found = expanded;
            return MR_OK;
        }
        if (!expanded->is_valid)
            expanded->used = 0;
        if (expanded->used < oldest->used)
            oldest = expanded;
    }
    oldest->is_valid = false;
    for (uint32_t tree = 0; tree < forest->shape.trees_count; tree++) {
        enum mr_status status = read_tree(forest, row, tree, &oldest->trees[tree], error);
        if (status != MR_OK)
            return status;
    }
    oldest->seed = row->seed;
    oldest->count = entry->count;
    oldest->used = forest->calls;
    oldest->is_valid = true;
    *found = oldest;
    return MR_OK;
}

/* ---- Model ---- */

static void forest_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct forest *forest = self;
    struct forest_object *entry = object;
    entry->trees_count = (uint16_t)forest->shape.trees_count;
    entry->sample = (uint16_t)forest->shape.sample;
    entry->shingle = (uint16_t)forest->shape.shingle;
    entry->fields_count = (uint16_t)forest->shape.fields_count;
    forget_expanded(forest, row->seed);
}

static bool forest_fits(const void *self, const void *object)
{
    const struct forest *forest = self;
    const struct forest_object *entry = object;
    return entry->trees_count == forest->shape.trees_count &&
           entry->sample == forest->shape.sample && entry->shingle == forest->shape.shingle &&
           entry->fields_count == forest->shape.fields_count;
}

/* Points that the key's records have made. */
static uint64_t points_count(const struct forest_object *entry)
{
    uint64_t missing = entry->shingle - 1u;
    return entry->count > missing ? entry->count - missing : 0;
}

static bool forest_ready(const void *self, const void *object)
{
    const struct forest *forest = self;
    return points_count(object) >= forest->warmup;
}

static double bounded(double number)
{
    if (number > FOREST_NUMBER_MAX)
        return FOREST_NUMBER_MAX;
    return number < -FOREST_NUMBER_MAX ? -FOREST_NUMBER_MAX : number;
}

/* The last records and this one; and each field's weight: several fields count by their standard
 * deviations. */
static void make_point(struct forest *forest, const struct mr_model_row *row)
{
    const struct forest_object *entry = row->object;
    uint32_t fields_count = forest->shape.fields_count;
    uint32_t kept = forest->shape.dimensions - fields_count;
    const double *moments = entry->numbers;
    memcpy(forest->point, entry->numbers + 2 * (size_t)fields_count, kept * sizeof(double));
    for (uint32_t field = 0; field < fields_count; field++) {
        forest->point[kept + field] = bounded(row->values[field]);
        double weight = 1;
        if (fields_count > 1) {
            struct mr_moments own = {entry->count, moments[2 * field], moments[2 * field + 1]};
            double sd = mr_moments_sd(&own);
            weight = 1 / (sd > FOREST_SD_FLOOR ? sd : FOREST_SD_FLOOR);
        }
        for (uint32_t at = field; at < forest->shape.dimensions; at += fields_count)
            forest->weights[at] = weight;
    }
}

static void fill_contributions(const struct forest *forest, struct mr_model_row *row)
{
    double sum = 0;
    for (uint32_t at = 0; at < forest->shape.dimensions; at++) {
        row->contributions[at % row->fields_count] += forest->shares[at];
        sum += forest->shares[at];
    }
    for (uint32_t field = 0; sum > 0 && field < row->fields_count; field++)
        row->contributions[field] *= row->score / sum;
}

static enum mr_status forest_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct forest *forest = self;
    const struct forest_object *entry = row->object;
    uint64_t points = points_count(entry);
    row->score = 0;
    row->p_value = NAN;
    row->own[FOREST_SAMPLE] = points < entry->sample ? (double)points : entry->sample;
    row->own[FOREST_COUNT] = (double)entry->count;
    memset(row->contributions, 0, row->fields_count * sizeof(double));
    make_point(forest, row);
    if (points == 0)
        return MR_OK;
    struct expanded *expanded;
    enum mr_status status = find_expanded(forest, row, &expanded, error);
    if (status != MR_OK)
        return status;
    memset(forest->shares, 0, forest->shape.dimensions * sizeof(double));
    double total = 0;
    for (uint32_t tree = 0; tree < forest->shape.trees_count; tree++) {
        struct mr_cut_draws draws = {.seed = row->seed, .step = entry->count, .tree = tree};
        total += mr_cut_tree_judge(&expanded->trees[tree], forest->point, forest->weights, &draws,
                                   forest->scratch, forest->shares);
    }
    row->score = total / forest->shape.trees_count;
    fill_contributions(forest, row);
    return MR_OK;
}

static enum mr_status write_node(const struct forest *forest, const struct mr_model_row *row,
                                 uint32_t number, const struct mr_cut_tree *tree, uint32_t node,
                                 struct mr_error *error)
{
    const struct forest_shape *shape = &forest->shape;
    bool is_leaf = node < shape->sample;
    uint32_t index = is_leaf ? node : node - shape->sample;
    uint32_t per_slot = is_leaf ? shape->slot_leaves : shape->slot_branches;
    uint32_t slot_index =
        number * shape->tree_slots + (is_leaf ? 0 : shape->leaf_slots) + index / per_slot;
    void *slot;
    enum mr_status status = mr_table_slot(row->table, row->entry, slot_index, true, &slot, error);
    if (status != MR_OK)
        return status;
    uint8_t *bytes = slot;
    if (is_leaf) {
        bytes += (size_t)(index % per_slot) * shape->leaf_bytes;
        mr_put_u32le(bytes, tree->counts[node]);
        for (uint32_t at = 0; at < shape->dimensions; at++)
            mr_put_double_le(bytes + 8 + 8 * (size_t)at,
                             tree->points[(size_t)node * shape->dimensions + at]);
    } else {
        bytes += (size_t)(index % per_slot) * FOREST_BRANCH_BYTES;
        mr_put_double_le(bytes, tree->cuts[index]);
        mr_put_u16le(bytes + 8, tree->cut_dimensions[index]);
        mr_put_u16le(bytes + 10, tree->lefts[index]);
        mr_put_u16le(bytes + 12, tree->rights[index]);
    }
    return MR_OK;
}

/* Put the point into a tree, in the place of a random one when it is full. */
static enum mr_status learn_in_tree(struct forest *forest, const struct mr_model_row *row,
                                    uint32_t number, struct mr_cut_tree *tree,
                                    struct mr_random *random, struct mr_error *error)
{
    const struct forest_object *entry = row->object;
    struct mr_cut_touched touched = {.count = 0};
    uint32_t count = mr_cut_tree_count(tree);
    if (count == forest->shape.sample) {
        uint32_t victim = (uint32_t)mr_random_below(random, count);
        mr_cut_tree_forget(tree, mr_cut_tree_leaf(tree, victim), &touched);
    }
    struct mr_cut_draws draws = {.seed = row->seed, .step = entry->count, .tree = number};
    mr_cut_tree_insert(tree, forest->point, forest->weights, &draws, forest->scratch, &touched);
    for (uint32_t index = 0; index < touched.count; index++) {
        enum mr_status status = write_node(forest, row, number, tree, touched.nodes[index], error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static enum mr_status learn_point(struct forest *forest, const struct mr_model_row *row,
                                  struct mr_error *error)
{
    const struct forest_object *entry = row->object;
    struct expanded *expanded;
    enum mr_status status = find_expanded(forest, row, &expanded, error);
    if (status != MR_OK)
        return status;
    uint64_t points = points_count(entry);
    if (entry->count + 1 < entry->shingle)
        points = 0;
    double share = points < entry->sample ? 1 : (double)entry->sample / (double)(points + 1);
    share = share > forest->refresh ? share : forest->refresh;
    struct mr_random random;
    mr_random_init(&random, row->seed ^ FOREST_SAMPLING, entry->count);
    for (uint32_t tree = 0; tree < forest->shape.trees_count; tree++) {
        if (share < 1 && mr_random_double(&random) >= share)
            continue;
        status = learn_in_tree(forest, row, tree, &expanded->trees[tree], &random, error);
        if (status != MR_OK)
            return status;
    }
    expanded->count = entry->count + 1;
    return MR_OK;
}

/* The point and the weights are as score left them. */
static enum mr_status forest_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct forest *forest = self;
    struct forest_object *entry = row->object;
    uint32_t fields_count = forest->shape.fields_count;
    uint32_t kept = forest->shape.dimensions - fields_count;
    if (entry->count + 1 >= entry->shingle) {
        enum mr_status status = learn_point(forest, row, error);
        if (status != MR_OK)
            return status;
    }
    for (uint32_t field = 0; field < fields_count; field++) {
        struct mr_moments own = {entry->count, entry->numbers[2 * field],
                                 entry->numbers[2 * field + 1]};
        mr_moments_learn(&own, row->values[field]);
        entry->numbers[2 * field] = own.mean;
        entry->numbers[2 * field + 1] = own.squares;
    }
    entry->count++;
    memcpy(entry->numbers + 2 * (size_t)fields_count, forest->point + fields_count,
           kept * sizeof(double));
    return MR_OK;
}

static void forest_describe(const void *self, const struct mr_model_row *row,
                            struct mr_detector_finding *finding)
{
    const struct forest *forest = self;
    uint32_t most = 0;
    for (uint32_t field = 1; field < row->fields_count; field++)
        if (row->contributions[field] > row->contributions[most])
            most = field;
    mr_detector_reason(finding,
                       "the record would displace %.4g of %.0f sampled points in random trees, "
                       "on "
                       "average over %u; most by %s = %.6g; the threshold is %.6g",
                       row->score, row->own[FOREST_SAMPLE], forest->shape.trees_count,
                       forest->detector.field_texts[most], row->values[most], finding->threshold);
}

static const struct mr_model_type forest_model = {
    .table = forest_table,
    .version = FOREST_VERSION,
    .object_size = sizeof(struct forest_object),
    .encoded_size_max = FOREST_BYTES_MIN,
    .size = forest_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = forest_begin,
    .fits = forest_fits,
    .ready = forest_ready,
    .score = forest_score,
    .learn = forest_learn,
};

MR_DETECTOR_CODEC(forest, forest_model)

static const struct mr_detector_type forest_detector = {
    .model = &forest_model,
    .encode = forest_encode,
    .decode = forest_decode,
    .describe = forest_describe,
};

static void open_expanded(struct forest *forest)
{
    const struct forest_shape *shape = &forest->shape;
    size_t tree_bytes = mr_cut_tree_bytes(shape->sample, shape->dimensions);
    size_t count = FOREST_EXPANDED_BYTES / (tree_bytes * shape->trees_count);
    count = count < FOREST_EXPANDED_MAX ? count : FOREST_EXPANDED_MAX;
    forest->expanded_count = count > 0 ? (uint32_t)count : 1;
    size_t trees_count = (size_t)forest->expanded_count * shape->trees_count;
    forest->expanded = mr_memory_new(forest->expanded_count, sizeof(struct expanded));
    forest->trees = mr_memory_new(trees_count, sizeof(struct mr_cut_tree));
    forest->memory = mr_memory_new(trees_count, tree_bytes);
    for (size_t tree = 0; tree < trees_count; tree++)
        mr_cut_tree_init(&forest->trees[tree], shape->sample, shape->dimensions,
                         forest->memory + tree * tree_bytes);
    for (uint32_t index = 0; index < forest->expanded_count; index++)
        forest->expanded[index].trees = forest->trees + (size_t)index * shape->trees_count;
}

static enum mr_status forest_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct forest *forest = self;
    const struct mr_options *options = &open->node->options;
    forest->shape = shape_of(options);
    forest->warmup = (uint64_t)mr_options_integer(options, "warmup");
    forest->refresh = mr_options_number(options, "refresh");
    uint32_t dimensions = forest->shape.dimensions;
    forest->point = mr_memory_new(dimensions, sizeof(double));
    forest->weights = mr_memory_new(dimensions, sizeof(double));
    forest->scratch = mr_memory_new(2 * (size_t)dimensions, sizeof(double));
    forest->shares = mr_memory_new(dimensions, sizeof(double));
    open_expanded(forest);
    return mr_detector_open(&forest->detector, open, &forest_detector, error);
}

static void forest_close(void *self)
{
    struct forest *forest = self;
    mr_detector_close(self);
    mr_memory_free(forest->expanded);
    mr_memory_free(forest->trees);
    mr_memory_free(forest->memory);
    mr_memory_free(forest->point);
    mr_memory_free(forest->weights);
    mr_memory_free(forest->scratch);
    mr_memory_free(forest->shares);
    *forest = (struct forest){0};
}

static enum mr_status forest_describe_state(const struct mr_state_object *object,
                                            struct mr_arena *arena,
                                            struct mr_state_description *description,
                                            struct mr_error *error)
{
    size_t numbers = 3 * (size_t)MR_CUT_TREE_DIMENSIONS_MAX * sizeof(double);
    struct forest_object *entry = mr_arena_new(arena, 1, sizeof(*entry) + numbers);
    if (!mr_stage_describe(&forest_model, object, entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry->count));
    mr_describe_member(description, "points", mr_value_uint(points_count(entry)));
    mr_describe_member(description, "sample", mr_value_uint(entry->sample));
    mr_describe_member(description, "trees", mr_value_uint(entry->trees_count));
    return MR_OK;
}

/* At the worst, while the sample fills or with a large `refresh`, each tree changes. */
static void forest_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&forest_model, options, estimate);
    struct forest_shape shape = shape_of(options);
    uint64_t slots = (uint64_t)shape.trees_count * 2 * FOREST_INSERT_SLOTS;
    estimate->changelog_bytes_per_record +=
        (slots - 1) * (shape.slot_bytes + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES);
}

static enum mr_status forest_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    struct forest_shape shape = shape_of(options);
    if (shape.dimensions > MR_CUT_TREE_DIMENSIONS_MAX) {
        *option = "shingle";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%u fields with a shingle of %u make points of %u numbers; "
                       "at most %d are "
                       "allowed",
                       shape.fields_count, shape.shingle, shape.dimensions,
                       MR_CUT_TREE_DIMENSIONS_MAX);
    }
    return mr_detector_check(options, option, error);
}

static const struct mr_option_spec forest_options[] = {
    MR_DETECTOR_OPTION_FIELDS(1),
    MR_DETECTOR_OPTION_THRESHOLD("60.0", "A record is an anomaly when its score, in "
                                         "displaced points, is above this; at "
                                         "most `sample`."),
    MR_DETECTOR_OPTION_WARMUP("64", 1, 1e9),
    MR_DETECTOR_OPTIONS,
    {.name = "trees",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "40",
     .minimum = 1,
     .maximum = FOREST_TREES_MAX,
     .help = "Trees, 1 to 256. More make the score steadier; time and state "
             "grow alike."},
    {.name = "sample",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "256",
     .minimum = 8,
     .maximum = MR_CUT_TREE_CAPACITY_MAX,
     .help = "Points that each tree holds, 8 to 2,048."},
    {.name = "shingle",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 1,
     .maximum = 64,
     .help = "A point is made of this many records of the key in a row, so "
             "that unusual sequences "
             "are found: 4 to 10 for a series of one field."},
    {.name = "refresh",
     .type = MR_OPTION_NUMBER,
     .default_text = "0.1",
     .minimum = 0,
     .maximum = 1,
     .help = "The least share of records that enter a tree, each in the place "
             "of a random one: a "
             "point stays for sample / refresh records on average. 0: all "
             "records of the past "
             "count alike."},
    {.name = "seed",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e15,
     .help = "What cuts and samples are drawn from, with the key: the same records have the same "
             "scores in every run."},
    {.name = NULL},
};

static const struct mr_output_field forest_fields[] = {
    MR_DETECTOR_MEMBERS("Points that the record displaces, its CoDisp, on "
                        "average over the trees."),
    {"sampled", MR_TYPE_INT, "Points in each tree."},
    {"count", MR_TYPE_INT, "Records that were learned."},
    MR_DETECTOR_MEMBER_CONTRIBUTIONS,
};

const struct mr_operator_type mr_operator_detect_random_cut_forest = {
    .spec =
        {
            .name = "detect.random_cut_forest",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds records, or short sequences, that stand apart from a sample of their "
                       "key's earlier ones, in any shape of data.",
            .description =
                "Random trees cut the space of the numbers until each point of a sample is alone. "
                "The score is the collusive displacement (CoDisp) that the record would have: how "
                "many others move up when it, and those like it, leave the tree; on average over "
                "the trees, before the record is learned. A record far from all others is cut off "
                "near the root and displaces nearly all of them. With a shingle the last records "
                "together make one point, so that a break in a pattern is found. Several fields "
                "count by their standard deviations. Contributions tell by which fields the record "
                "was cut off.\n\n"
                "Use it where shapes are unknown and accuracy matters more than speed: it makes no "
                "assumption, a small group of anomalies does not hide itself, and old points "
                "leave. Not for very many keys: a key takes half a megabyte, and only the forests "
                "of the keys seen last are kept expanded (16 MiB of them); another key's is made "
                "from its state first, which costs as much as some hundred records. For speed use "
                "detect.half_space_trees or detect.loda.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State of a key with d numbers "
                "in a point: trees * sample * (8 d + 24) bytes, 570 kB by default with 4. "
                "Changelog per record: three slots of 256 bytes in each tree that changes, at most "
                "six when the tree is full: all trees while the sample fills, then one in ten. "
                "Measured by default with 4 numbers in a point: 38 kB while the sample fills, then "
                "9 kB for a record alone in its transaction and 3 kB among a hundred of its key. "
                "Paper: Guha, Mishra, Roy and Schrijvers, Robust Random Cut Forest Based Anomaly "
                "Detection On Streams (2016).",
            .options = forest_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = forest_fields,
            .added_fields_count = MR_ARRAY_COUNT(forest_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(FOREST_VERSION),
            .estimate = forest_estimate,
            .check = forest_check,
        },
    .instance_size = sizeof(struct forest),
    .open = forest_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = forest_close,
    .state_table = forest_table,
    .describe_state = forest_describe_state,
};
