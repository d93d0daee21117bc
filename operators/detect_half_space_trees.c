/* operators/detect_half_space_trees.c — detect.half_space_trees: how thinly the
 * last full window of the key's records fills the parts of space that a record
 * falls into. Design: the cuts are the operator's own, drawn from the option
 * `seed` (half_space_trees.h); a key keeps what its records did. Counting
 * masses would change 11 counters in each of 25 trees with every record, in as
 * many pages. But they follow from the leaves: a record logs its leaf in each
 * tree, 50 bytes in a ring, and when a window is full the profiles of all trees
 * are computed from the ring and written at once: 100 kB per 250 records, 400
 * bytes a record. Numbers are mapped to the unit cube by the range of what was
 * learned, which leaves a quarter of the cube free on each side for what lies
 * outside. At the end of a window each edge of the range goes half of the way
 * to the window's own edge, so that a huge number is forgotten.
 *
 * Stored object, version 1 (little-endian):
 *   0   uint8   trees; 1 uint8 depth; 2 uint16 window; 4 uint16 fields; 6
 * uint64 seed 14  uint64  records learned 22  uint16  records in the window now
 *   24  uint8   1: there is a profile
 *   25  double  low, high, the window's low, the window's high; for each field
 * Stored slots of 512 bytes: first the leaves of the window, TREES_SLOT_BYTES /
 * (2 trees) records a slot, uint16 per tree; then the profiles, uint32 by (tree
 * << depth | leaf). */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/estimate.h"
#include "operators/half_space_trees.h"
#include "operators/natural_log.h"
#include "operators/registry.h"

enum {
    TREES_VERSION = 1,
    TREES_BYTES_MIN = 25,
    TREES_SLOT_BYTES = 512,
    TREES_SLOT_SUMS = TREES_SLOT_BYTES / 4
};
enum trees_own { TREES_RARITY, TREES_COUNT };

#define TREES_MARGIN 0.25    /* of the cube, free on each side */
#define TREES_SIZE_LIMIT 0.1 /* of the window: the paper's */
#define TREES_LN_2 0.693147180559945309417232121458

static const char trees_table[] = "leaves";

struct trees_range {
    double low;
    double high;
    double window_low;
    double window_high;
};

struct trees_object {
    uint64_t seed;
    uint64_t count;
    uint16_t window;
    uint16_t position;
    uint16_t fields_count;
    uint8_t trees_count;
    uint8_t depth;
    uint8_t profiled;
    struct trees_range ranges[]; /* fields_count */
};

struct trees {
    struct mr_detector detector;
    struct mr_half_space_trees trees;
    uint64_t seed;
    uint32_t window;
    uint32_t slot_records;
    uint32_t leaf_slots;
    double sum_max;
    double *point;       /* in the cube; fields_count */
    uint16_t *leaves;    /* trees_count: of the record, as judged */
    uint16_t *stretched; /* the same, as learned in ranges that it has stretched */
    bool is_explained;   /* the record's contributions are made */
    uint16_t *ring;      /* window * trees_count */
    uint32_t *sums;      /* trees_count << depth */
    uint32_t *scratch;
};

/* ---- Layout ---- */

static uint32_t slot_records(uint32_t trees_count)
{
    return TREES_SLOT_BYTES / (2 * trees_count);
}

static uint32_t leaf_slots(uint32_t trees_count, uint32_t window)
{
    uint32_t records = slot_records(trees_count);
    return (window + records - 1) / records;
}

static uint32_t sum_slots(uint32_t trees_count, uint32_t depth)
{
    return ((trees_count << depth) + TREES_SLOT_SUMS - 1) / TREES_SLOT_SUMS;
}

static void trees_size(const struct mr_options *options, struct mr_model_size *size)
{
    uint32_t trees_count = (uint32_t)mr_options_integer(options, "trees");
    uint32_t depth = (uint32_t)mr_options_integer(options, "depth");
    uint32_t window = (uint32_t)mr_options_integer(options, "window_size");
    size_t ranges = mr_options_get(options, "fields")->count * sizeof(struct trees_range);
    size->object_bytes += ranges;
    size->encoded_bytes += ranges;
    size->slot_bytes = TREES_SLOT_BYTES;
    size->slots_max = leaf_slots(trees_count, window) + sum_slots(trees_count, depth);
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct trees_object *entry = object;
    output[0] = entry->trees_count;
    output[1] = entry->depth;
    mr_put_u16le(output + 2, entry->window);
    mr_put_u16le(output + 4, entry->fields_count);
    mr_put_u64le(output + 6, entry->seed);
    mr_put_u64le(output + 14, entry->count);
    mr_put_u16le(output + 22, entry->position);
    output[24] = entry->profiled;
    uint8_t *at = output + TREES_BYTES_MIN;
    for (uint32_t field = 0; field < entry->fields_count; field++, at += 32) {
        mr_put_double_le(at, entry->ranges[field].low);
        mr_put_double_le(at + 8, entry->ranges[field].high);
        mr_put_double_le(at + 16, entry->ranges[field].window_low);
        mr_put_double_le(at + 24, entry->ranges[field].window_high);
    }
    return (size_t)(at - output);
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct trees_object *entry = object;
    if (version != TREES_VERSION || stored.size < TREES_BYTES_MIN)
        return false;
    const uint8_t *bytes = stored.data;
    entry->trees_count = bytes[0];
    entry->depth = bytes[1];
    entry->window = mr_get_u16le(bytes + 2);
    entry->fields_count = mr_get_u16le(bytes + 4);
    entry->seed = mr_get_u64le(bytes + 6);
    entry->count = mr_get_u64le(bytes + 14);
    entry->position = mr_get_u16le(bytes + 22);
    entry->profiled = bytes[24];
    if (entry->fields_count > MR_MODEL_FIELDS_MAX || entry->profiled > 1 ||
        stored.size != TREES_BYTES_MIN + (size_t)entry->fields_count * 32 ||
        entry->position >= entry->window)
        return false;
    bytes += TREES_BYTES_MIN;
    for (uint32_t field = 0; field < entry->fields_count; field++, bytes += 32)
        entry->ranges[field] =
            (struct trees_range){mr_get_double_le(bytes), mr_get_double_le(bytes + 8),
                                 mr_get_double_le(bytes + 16), mr_get_double_le(bytes + 24)};
    return true;
}

static void trees_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct trees *trees = self;
    struct trees_object *entry = object;
    MR_UNUSED(row);
    entry->seed = trees->seed;
    entry->window = (uint16_t)trees->window;
    entry->fields_count = (uint16_t)trees->trees.fields_count;
    entry->trees_count = (uint8_t)trees->trees.trees_count;
    entry->depth = (uint8_t)trees->trees.depth;
}

static bool trees_fits(const void *self, const void *object)
{
    const struct trees *trees = self;
    const struct trees_object *entry = object;
    return entry->seed == trees->seed && entry->window == trees->window &&
           entry->fields_count == trees->trees.fields_count &&
           entry->trees_count == trees->trees.trees_count && entry->depth == trees->trees.depth;
}

static bool trees_ready(const void *self, const void *object)
{
    const struct trees_object *entry = object;
    MR_UNUSED(self);
    return entry->profiled != 0;
}

/* ---- Judging ---- */

/* What is outside of all that was learned goes to the cube's edge, even beside a constant. */
static void map_point(const struct trees_object *entry, const double *values, double *point)
{
    for (uint32_t field = 0; field < entry->fields_count; field++) {
        const struct trees_range *range = &entry->ranges[field];
        double width = range->high - range->low;
        if (width > 0)
            point[field] =
                TREES_MARGIN + (1 - 2 * TREES_MARGIN) * ((values[field] - range->low) / width);
        else if (values[field] == range->low)
            point[field] = 0.5;
        else
            point[field] = values[field] < range->low ? 0 : 1;
    }
}

static enum mr_status sum_of_profiles(struct trees *trees, struct mr_model_row *row, double *sum,
                                      struct mr_error *error)
{
    uint64_t total = 0;
    for (uint32_t tree = 0; tree < trees->trees.trees_count; tree++) {
        uint32_t place = (tree << trees->trees.depth) + trees->leaves[tree];
        void *slot;
        enum mr_status status =
            mr_table_slot(row->table, row->entry, trees->leaf_slots + place / TREES_SLOT_SUMS,
                          false, &slot, error);
        if (status != MR_OK)
            return status;
        total += mr_get_u32le((const uint8_t *)slot + 4 * (size_t)(place % TREES_SLOT_SUMS));
    }
    *sum = (double)total;
    return MR_OK;
}

static enum mr_status trees_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct trees *trees = self;
    const struct trees_object *entry = row->object;
    row->score = 0;
    row->p_value = NAN;
    row->own[TREES_RARITY] = 0;
    row->own[TREES_COUNT] = (double)entry->count;
    trees->is_explained = false;
    map_point(entry, row->values, trees->point);
    mr_half_space_trees_walk(&trees->trees, trees->point, trees->leaves);
    if (entry->profiled == 0)
        return MR_OK;
    double sum;
    enum mr_status status = sum_of_profiles(trees, row, &sum, error);
    if (status != MR_OK)
        return status;
    /* Each root holds the whole window, so that the sum is never 0. */
    MR_ASSERT(sum > 0);
    row->score = mr_natural_log(trees->sum_max / sum) / TREES_LN_2;
    row->own[TREES_RARITY] = 1 - sum / trees->sum_max;
    return MR_OK;
}

static enum mr_status read_profile(const struct trees *trees, struct mr_model_row *row,
                                   uint32_t tree, uint32_t *sums, struct mr_error *error)
{
    uint32_t place = tree << trees->trees.depth;
    uint32_t end = place + ((uint32_t)1 << trees->trees.depth);
    while (place < end) {
        void *slot;
        enum mr_status status =
            mr_table_slot(row->table, row->entry, trees->leaf_slots + place / TREES_SLOT_SUMS,
                          false, &slot, error);
        if (status != MR_OK)
            return status;
        const uint8_t *bytes = (const uint8_t *)slot + 4 * (size_t)(place % TREES_SLOT_SUMS);
        do {
            *sums++ = mr_get_u32le(bytes);
            bytes += 4;
        } while (++place < end && place % TREES_SLOT_SUMS != 0);
    }
    return MR_OK;
}

/* Each field's part of the score, in proportion to what its cuts took from the density of all trees
 * together; fields whose cuts lead to where it is denser have none. */
static enum mr_status trees_explain(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct trees *trees = self;
    double *contributions = row->contributions;
    double total = 0;
    if (trees->is_explained)
        return MR_OK;
    memset(contributions, 0, row->fields_count * sizeof(*contributions));
    for (uint32_t tree = 0; tree < trees->trees.trees_count; tree++) {
        enum mr_status status = read_profile(trees, row, tree, trees->scratch, error);
        if (status != MR_OK)
            return status;
        mr_half_space_shares(&trees->trees, tree, trees->scratch, trees->leaves[tree],
                             contributions);
    }
    for (uint32_t field = 0; field < row->fields_count; field++) {
        contributions[field] = contributions[field] > 0 ? contributions[field] : 0;
        total += contributions[field];
    }
    for (uint32_t field = 0; total > 0 && field < row->fields_count; field++)
        contributions[field] = contributions[field] / total * row->score;
    trees->is_explained = true;
    return MR_OK;
}

/* ---- Learning ---- */

/* Stretch the ranges; whether one of them changed. */
static bool stretch_ranges(struct trees_object *entry, const double *values)
{
    bool changed = false;
    for (uint32_t field = 0; field < entry->fields_count; field++) {
        struct trees_range *range = &entry->ranges[field];
        double value = values[field];
        if (entry->count == 0 || value < range->low) {
            range->low = value;
            changed = true;
        }
        if (entry->count == 0 || value > range->high) {
            range->high = value;
            changed = true;
        }
        if (entry->position == 0 || value < range->window_low)
            range->window_low = value;
        if (entry->position == 0 || value > range->window_high)
            range->window_high = value;
    }
    return changed;
}

static enum mr_status put_leaves(const struct trees *trees, struct mr_model_row *row,
                                 const uint16_t *leaves, struct mr_error *error)
{
    const struct trees_object *entry = row->object;
    uint32_t trees_count = trees->trees.trees_count;
    void *slot;
    enum mr_status status = mr_table_slot(
        row->table, row->entry, entry->position / trees->slot_records, true, &slot, error);
    if (status != MR_OK)
        return status;
    uint8_t *bytes =
        (uint8_t *)slot + 2 * (size_t)(entry->position % trees->slot_records) * trees_count;
    for (uint32_t tree = 0; tree < trees_count; tree++, bytes += 2)
        mr_put_u16le(bytes, leaves[tree]);
    return MR_OK;
}

static enum mr_status read_ring(struct trees *trees, struct mr_model_row *row,
                                struct mr_error *error)
{
    uint32_t trees_count = trees->trees.trees_count;
    uint16_t *leaf = trees->ring;
    for (uint32_t first = 0; first < trees->window; first += trees->slot_records) {
        void *slot;
        enum mr_status status =
            mr_table_slot(row->table, row->entry, first / trees->slot_records, false, &slot, error);
        if (status != MR_OK)
            return status;
        uint32_t records = trees->window - first;
        records = records < trees->slot_records ? records : trees->slot_records;
        const uint8_t *bytes = slot;
        for (uint32_t index = 0; index < records * trees_count; index++, bytes += 2)
            *leaf++ = mr_get_u16le(bytes);
    }
    return MR_OK;
}

static enum mr_status write_profiles(struct trees *trees, struct mr_model_row *row,
                                     struct mr_error *error)
{
    uint32_t sums_count = trees->trees.trees_count << trees->trees.depth;
    for (uint32_t first = 0; first < sums_count; first += TREES_SLOT_SUMS) {
        void *slot;
        enum mr_status status =
            mr_table_slot(row->table, row->entry, trees->leaf_slots + first / TREES_SLOT_SUMS, true,
                          &slot, error);
        if (status != MR_OK)
            return status;
        uint8_t *bytes = slot;
        for (uint32_t at = first; at < sums_count && at < first + TREES_SLOT_SUMS; at++, bytes += 4)
            mr_put_u32le(bytes, trees->sums[at]);
    }
    return MR_OK;
}

/* A window is full: it becomes what records are judged by. */
static enum mr_status turn_window(struct trees *trees, struct mr_model_row *row,
                                  struct mr_error *error)
{
    struct trees_object *entry = row->object;
    /* Calibrated, the record may turn out to be an anomaly when its profile is no longer there. */
    bool may_be_told = row->score > 0 && trees->detector.calibration.kind != MR_CALIBRATION_NONE;
    enum mr_status status = may_be_told ? trees_explain(trees, row, error) : MR_OK;
    if (status == MR_OK)
        status = read_ring(trees, row, error);
    if (status != MR_OK)
        return status;
    uint32_t trees_count = trees->trees.trees_count;
    uint32_t depth = trees->trees.depth;
    memset(trees->sums, 0, sizeof(uint32_t) * ((size_t)trees_count << depth));
    for (uint32_t record = 0; record < trees->window; record++)
        for (uint32_t tree = 0; tree < trees_count; tree++)
            trees->sums[(tree << depth) + trees->ring[record * trees_count + tree]]++;
    for (uint32_t tree = 0; tree < trees_count; tree++)
        mr_half_space_profile(depth, TREES_SIZE_LIMIT * trees->window,
                              trees->sums + ((size_t)tree << depth), trees->scratch);
    entry->position = 0;
    entry->profiled = 1;
    for (uint32_t field = 0; field < entry->fields_count; field++) {
        struct trees_range *range = &entry->ranges[field];
        range->low += (range->window_low - range->low) / 2;
        range->high += (range->window_high - range->high) / 2;
    }
    return write_profiles(trees, row, error);
}

/* trees->leaves are as score left them, and stay so for explain. */
static enum mr_status trees_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct trees *trees = self;
    struct trees_object *entry = row->object;
    const uint16_t *leaves = trees->leaves;
    if (stretch_ranges(entry, row->values)) {
        map_point(entry, row->values, trees->point);
        mr_half_space_trees_walk(&trees->trees, trees->point, trees->stretched);
        leaves = trees->stretched;
    }
    enum mr_status status = put_leaves(trees, row, leaves, error);
    if (status != MR_OK)
        return status;
    entry->count++;
    entry->position++;
    return entry->position == trees->window ? turn_window(trees, row, error) : MR_OK;
}

static void trees_describe(const void *self, const struct mr_model_row *row,
                           struct mr_detector_finding *finding)
{
    const struct trees *trees = self;
    uint32_t most = 0;
    for (uint32_t field = 1; field < row->fields_count; field++)
        if (row->contributions[field] > row->contributions[most])
            most = field;
    mr_detector_reason(finding,
                       "the record lies where the last full window of %u records is thin: its "
                       "density is 2^-%.4g of the highest that %u trees of depth %u can tell, most "
                       "by %s = %.6g; the threshold is %.6g",
                       trees->window, row->score, trees->trees.trees_count, trees->trees.depth,
                       trees->detector.field_texts[most], row->values[most], finding->threshold);
}

static const struct mr_model_type trees_model = {
    .table = trees_table,
    .version = TREES_VERSION,
    .object_size = sizeof(struct trees_object),
    .encoded_size_max = TREES_BYTES_MIN,
    .size = trees_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = trees_begin,
    .fits = trees_fits,
    .ready = trees_ready,
    .score = trees_score,
    .learn = trees_learn,
    .explain = trees_explain,
};

MR_DETECTOR_CODEC(trees, trees_model)

static const struct mr_detector_type trees_detector = {
    .model = &trees_model,
    .encode = trees_encode,
    .decode = trees_decode,
    .describe = trees_describe,
};

static enum mr_status trees_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct trees *trees = self;
    const struct mr_options *options = &open->node->options;
    uint32_t trees_count = (uint32_t)mr_options_integer(options, "trees");
    uint32_t depth = (uint32_t)mr_options_integer(options, "depth");
    uint32_t fields_count = mr_options_get(options, "fields")->count;
    trees->seed = (uint64_t)mr_options_integer(options, "seed");
    trees->window = (uint32_t)mr_options_integer(options, "window_size");
    trees->slot_records = slot_records(trees_count);
    trees->leaf_slots = leaf_slots(trees_count, trees->window);
    trees->sum_max = mr_half_space_sum_max(trees_count, depth, trees->window);
    size_t leaves_count = (size_t)trees_count << depth;
    trees->trees = (struct mr_half_space_trees){
        .trees_count = trees_count,
        .depth = depth,
        .fields_count = fields_count,
        .cuts = mr_memory_new(leaves_count, sizeof(double)),
        .fields = mr_memory_new(leaves_count, 1),
    };
    trees->point = mr_memory_new(fields_count, sizeof(double));
    trees->leaves = mr_memory_new(trees_count, sizeof(uint16_t));
    trees->stretched = mr_memory_new(trees_count, sizeof(uint16_t));
    trees->ring = mr_memory_new((size_t)trees->window * trees_count, sizeof(uint16_t));
    trees->sums = mr_memory_new(leaves_count, sizeof(uint32_t));
    trees->scratch = mr_memory_new(mr_half_space_scratch(depth), sizeof(uint32_t));
    mr_half_space_trees_draw(&trees->trees, trees->seed);
    return mr_detector_open(&trees->detector, open, &trees_detector, error);
}

static void trees_close(void *self)
{
    struct trees *trees = self;
    mr_detector_close(self);
    mr_memory_free(trees->trees.cuts);
    mr_memory_free(trees->trees.fields);
    mr_memory_free(trees->point);
    mr_memory_free(trees->leaves);
    mr_memory_free(trees->stretched);
    mr_memory_free(trees->ring);
    mr_memory_free(trees->sums);
    mr_memory_free(trees->scratch);
    *trees = (struct trees){0};
}

static enum mr_status trees_describe_state(const struct mr_state_object *object,
                                           struct mr_arena *arena,
                                           struct mr_state_description *description,
                                           struct mr_error *error)
{
    MR_UNUSED(arena);
    static const size_t ranges = MR_MODEL_FIELDS_MAX * sizeof(struct trees_range);
    struct trees_object *entry = mr_arena_new(arena, 1, sizeof(struct trees_object) + ranges);
    if (!mr_stage_describe(&trees_model, object, entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry->count));
    mr_describe_member(description, "in_window", mr_value_uint(entry->position));
    mr_describe_member(description, "window", mr_value_uint(entry->window));
    mr_describe_member(description, "judges", mr_value_bool(entry->profiled != 0));
    return MR_OK;
}

/* Beside a slot of leaves each record bears its share of the profiles of a window. */
static void trees_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&trees_model, options, estimate);
    uint64_t window = (uint64_t)mr_options_integer(options, "window_size");
    uint64_t slots = sum_slots((uint32_t)mr_options_integer(options, "trees"),
                               (uint32_t)mr_options_integer(options, "depth"));
    estimate->changelog_bytes_per_record +=
        slots * (TREES_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES) / window;
}

static const struct mr_option_spec trees_options[] = {
    MR_DETECTOR_OPTION_FIELDS(1),
    MR_DETECTOR_OPTION_THRESHOLD(
        "8.0", "A record is an anomaly when its score, in bits, is above this: about 1 where "
               "records crowd, at most depth + 1 where none are."),
    MR_DETECTOR_OPTIONS,
    {.name = "trees",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "25",
     .minimum = 1,
     .maximum = MR_HALF_SPACE_TREES_MAX,
     .help = "Trees, 1 to 128. More make the score steadier; time and state "
             "grow alike."},
    {.name = "depth",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "10",
     .minimum = 1,
     .maximum = MR_HALF_SPACE_DEPTH_MAX,
     .help = "Cuts on the way down a tree, 1 to 15. One more doubles the state."},
    {.name = "window_size",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "250",
     .minimum = 10,
     .maximum = MR_HALF_SPACE_WINDOW_MAX,
     .help = "Records of a window, 10 to 65,535. Records are judged by the "
             "last full window, so "
             "that the first window of a key is only learned."},
    {.name = "seed",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e15,
     .help = "What the cuts are drawn from."},
    {.name = NULL},
};

static const struct mr_output_field trees_fields[] = {
    MR_DETECTOR_MEMBERS("Bits by which the density at the record is below the "
                        "highest possible."),
    {"rarity", MR_TYPE_DOUBLE, "The same as a share: 1 - density / the highest; river's score."},
    {"count", MR_TYPE_INT, "Records that were learned."},
    MR_DETECTOR_MEMBER_CONTRIBUTIONS,
};

const struct mr_operator_type mr_operator_detect_half_space_trees = {
    .spec =
        {
            .name = "detect.half_space_trees",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds records of several numbers in parts of space that the key's last "
                       "full window hardly touched.",
            .description =
                "Random trees cut the space of the numbers in halves, again and again. How many "
                "records of the last full window lie on each way down says how dense it is where a "
                "record falls. The score is the binary logarithm of the highest possible density "
                "over that, taken before the record is learned. A field contributes what its cuts "
                "take from the density, from the mean over a cut's space to that over the record's "
                "side of it; a field whose cuts together lead to denser places contributes 0.\n\n"
                "Fast, with a cost that does not depend on the number of fields; finds scattered "
                "anomalies of any direction and follows drift by windows. Not for anomalies that "
                "come packed in one window (they are dense then), not for few fields with sharp "
                "edges, and not where the first window_size records of a key matter. The trees are "
                "blind to small differences inside of the range of the numbers: where correlations "
                "tell, use detect.mahalanobis; for the best scores detect.random_cut_forest.\n\n"
                "Numbers are mapped by the range of what was learned; a range shrinks towards that "
                "of the last window. State of a key: 4 trees 2^depth bytes of profiles and 2 trees "
                "window_size bytes of leaves, 115 kB by default. Changelog per record: a slot of "
                "512 bytes, the ranges of 32 bytes a field, and 4 trees 2^depth / window_size "
                "bytes for the profiles, which are written as a window ends. Paper: Tan, Ting and "
                "Liu, Fast Anomaly Detection for Streaming Data (2011).",
            .options = trees_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = trees_fields,
            .added_fields_count = MR_ARRAY_COUNT(trees_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(TREES_VERSION),
            .estimate = trees_estimate,
            .check = mr_detector_check,
        },
    .instance_size = sizeof(struct trees),
    .open = trees_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = trees_close,
    .state_table = trees_table,
    .describe_state = trees_describe_state,
};
