/* operators/detect_isolation_forest.c — detect.isolation_forest: how few random cuts isolate a
 * record among a sample of its key's last window.
 * Source: Ding and Fei, An Anomaly Detection Approach Based on Isolation Forest Algorithm for
 * Streaming Data using Sliding Window (2013): a forest stands until the window has changed. It is
 * built from the last `window` records each `step` records, and at once when more than the share
 * `drift` of `sample` records in a row were anomalies.
 * Design: stored are the records, window + step of them: those that the standing forest was built
 * from are among them until the next one is built. The forest follows from them, the seed and the
 * count at which it was built; it is kept beside the state for the keys seen last
 * (operators/key_cache.h).
 *
 * Stored object, version 1 (little-endian):
 *   0   uint16  trees   2 uint16 sample   4 uint32 window   8 uint32 step   12 uint16 fields
 *   14  uint64  seed   22 uint64 records learned   30 uint64 records learned when it was built
 *   38  uint32  records since the last look for drift   42 uint32 anomalies among them
 * Stored slots: records of doubles, as many whole ones as 128 bytes hold, one at least; record n
 * (from 0) is record n % (window + step) of them. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/isolation_forest.h"
#include "operators/key_cache.h"
#include "operators/natural_log.h"
#include "operators/registry.h"
#include "operators/tail.h"

enum { ISOLATION_VERSION = 1, ISOLATION_BYTES = 46, ISOLATION_SLOT_BYTES = 128 };
enum isolation_own { ISOLATION_PATH, ISOLATION_OUTSIDE, ISOLATION_POINTS, ISOLATION_COUNT };

#define ISOLATION_RANGE_MIN 1e-9 /* a field's range in the window counts as this at least */
#define ISOLATION_LN_2 0.693147180559945309417

static const char isolation_table[] = "window";

struct isolation_object {
    uint64_t seed;
    uint64_t count;
    uint64_t built_at; /* 0: no forest */
    uint32_t window;
    uint32_t step;
    uint32_t looked;
    uint32_t strange;
    uint16_t trees_count;
    uint16_t sample;
    uint16_t fields_count;
};

struct isolation_layout {
    struct mr_isolation_shape shape;
    uint32_t window;
    uint32_t step;
    uint32_t slot_records;
    uint32_t slot_bytes;
};

/* What is derived of a key, in the cache's entry. */
struct derived {
    uint64_t built_at; /* 0: nothing */
    double *lows;      /* of each field in the window */
    double *highs;
    struct mr_isolation_node *nodes;
};

struct isolation {
    struct mr_detector detector;
    struct isolation_layout layout;
    struct mr_key_cache cache;
    uint64_t seed;
    uint64_t warmup;
    double drift;
    double *averages; /* sample + 1 */
    double *points;   /* scratch: the window */
    double *shares;   /* scratch: fields */
    uint16_t *places; /* scratch: window */
};

/* ---- Layout ---- */

static struct isolation_layout layout_of(const struct mr_options *options)
{
    struct isolation_layout layout = {
        .shape = {.trees_count = (uint32_t)mr_options_integer(options, "trees"),
                  .sample = (uint32_t)mr_options_integer(options, "sample"),
                  .fields_count = mr_options_get(options, "fields")->count},
        .window = (uint32_t)mr_options_integer(options, "window"),
        .step = (uint32_t)mr_options_integer(options, "step"),
    };
    uint32_t record_bytes = 8 * layout.shape.fields_count;
    layout.slot_records =
        record_bytes < ISOLATION_SLOT_BYTES ? ISOLATION_SLOT_BYTES / record_bytes : 1;
    layout.slot_bytes = layout.slot_records * record_bytes;
    return layout;
}

static void isolation_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct isolation_layout layout = layout_of(options);
    size->slot_bytes = layout.slot_bytes;
    size->slots_max = (layout.window + layout.step + layout.slot_records - 1) / layout.slot_records;
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct isolation_object *entry = object;
    mr_put_u16le(output, entry->trees_count);
    mr_put_u16le(output + 2, entry->sample);
    mr_put_u32le(output + 4, entry->window);
    mr_put_u32le(output + 8, entry->step);
    mr_put_u16le(output + 12, entry->fields_count);
    mr_put_u64le(output + 14, entry->seed);
    mr_put_u64le(output + 22, entry->count);
    mr_put_u64le(output + 30, entry->built_at);
    mr_put_u32le(output + 38, entry->looked);
    mr_put_u32le(output + 42, entry->strange);
    return ISOLATION_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct isolation_object *entry = object;
    if (version != ISOLATION_VERSION || stored.size != ISOLATION_BYTES)
        return false;
    entry->trees_count = mr_get_u16le(stored.data);
    entry->sample = mr_get_u16le(stored.data + 2);
    entry->window = mr_get_u32le(stored.data + 4);
    entry->step = mr_get_u32le(stored.data + 8);
    entry->fields_count = mr_get_u16le(stored.data + 12);
    entry->seed = mr_get_u64le(stored.data + 14);
    entry->count = mr_get_u64le(stored.data + 22);
    entry->built_at = mr_get_u64le(stored.data + 30);
    entry->looked = mr_get_u32le(stored.data + 38);
    entry->strange = mr_get_u32le(stored.data + 42);
    return entry->built_at <= entry->count &&
           (entry->built_at == 0 || entry->count - entry->built_at <= entry->step);
}

/* ---- The window and its forest ---- */

static enum mr_status find_record(const struct isolation *isolation, const struct mr_model_row *row,
                                  uint64_t record, bool write, uint8_t **bytes,
                                  struct mr_error *error)
{
    const struct isolation_layout *layout = &isolation->layout;
    uint32_t place = (uint32_t)(record % (layout->window + layout->step));
    void *slot;
    enum mr_status status =
        mr_table_slot(row->table, row->entry, place / layout->slot_records, write, &slot, error);
    if (status == MR_OK)
        *bytes = (uint8_t *)slot +
                 8 * (size_t)(place % layout->slot_records) * layout->shape.fields_count;
    return status;
}

static void measure(const struct isolation *isolation, const struct derived *derived,
                    uint32_t points_count)
{
    uint32_t fields_count = isolation->layout.shape.fields_count;
    memcpy(derived->lows, isolation->points, fields_count * sizeof(double));
    memcpy(derived->highs, isolation->points, fields_count * sizeof(double));
    for (uint32_t index = fields_count; index < points_count * fields_count; index++) {
        double number = isolation->points[index];
        uint32_t field = index % fields_count;
        if (number < derived->lows[field])
            derived->lows[field] = number;
        if (number > derived->highs[field])
            derived->highs[field] = number;
    }
}

/* The forest that stands since built_at records were learned. */
static enum mr_status build(const struct isolation *isolation, const struct mr_model_row *row,
                            uint64_t built_at, struct derived *derived, struct mr_error *error)
{
    const struct isolation_layout *layout = &isolation->layout;
    uint32_t fields_count = layout->shape.fields_count;
    uint32_t count = built_at < layout->window ? (uint32_t)built_at : layout->window;
    derived->built_at = 0;
    for (uint32_t point = 0; point < count; point++) {
        uint8_t *bytes;
        enum mr_status status =
            find_record(isolation, row, built_at - count + point, false, &bytes, error);
        if (status != MR_OK)
            return status;
        for (uint32_t field = 0; field < fields_count; field++)
            isolation->points[(size_t)point * fields_count + field] =
                mr_get_double_le(bytes + 8 * (size_t)field);
    }
    struct mr_isolation_points points = {isolation->points, count};
    measure(isolation, derived, count);
    mr_isolation_build(&layout->shape, &points, isolation->seed, built_at, isolation->places,
                       derived->nodes);
    derived->built_at = built_at;
    return MR_OK;
}

static size_t derived_bytes(const struct mr_isolation_shape *shape)
{
    return sizeof(struct derived) + 2 * (size_t)shape->fields_count * sizeof(double) +
           (size_t)shape->trees_count * mr_isolation_nodes_max(shape->sample) *
               sizeof(struct mr_isolation_node);
}

static enum mr_status find_derived(struct isolation *isolation, const struct mr_model_row *row,
                                   struct derived **found, struct mr_error *error)
{
    const struct isolation_object *object = row->object;
    bool is_there;
    struct derived *derived = mr_key_cache_get(&isolation->cache, row->seed, &is_there);
    *found = derived;
    if (is_there && derived->built_at == object->built_at)
        return MR_OK;
    derived->lows = (double *)(derived + 1);
    derived->highs = derived->lows + isolation->layout.shape.fields_count;
    derived->nodes =
        (struct mr_isolation_node *)(derived->highs + isolation->layout.shape.fields_count);
    return build(isolation, row, object->built_at, derived, error);
}

/* ---- Model ---- */

static void isolation_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct isolation *isolation = self;
    struct isolation_object *entry = object;
    MR_UNUSED(row);
    entry->seed = isolation->seed;
    entry->window = isolation->layout.window;
    entry->step = isolation->layout.step;
    entry->trees_count = (uint16_t)isolation->layout.shape.trees_count;
    entry->sample = (uint16_t)isolation->layout.shape.sample;
    entry->fields_count = (uint16_t)isolation->layout.shape.fields_count;
}

static bool isolation_fits(const void *self, const void *object)
{
    const struct isolation *isolation = self;
    const struct isolation_object *entry = object;
    const struct mr_isolation_shape *shape = &isolation->layout.shape;
    return entry->seed == isolation->seed && entry->window == isolation->layout.window &&
           entry->step == isolation->layout.step && entry->trees_count == shape->trees_count &&
           entry->sample == shape->sample && entry->fields_count == shape->fields_count;
}

static bool isolation_ready(const void *self, const void *object)
{
    const struct isolation_object *entry = object;
    MR_UNUSED(self);
    return entry->built_at > 0;
}

/* How far a number is outside of the window's range, in ranges and as a binary logarithm: 0 within
 * one range of it. */
static double outside(const struct derived *derived, uint32_t field, double value)
{
    double low = derived->lows[field];
    double high = derived->highs[field];
    double range = high - low > ISOLATION_RANGE_MIN ? high - low : ISOLATION_RANGE_MIN;
    double beyond = value > high ? value - high : low - value;
    return beyond > range ? (mr_natural_log(beyond) - mr_natural_log(range)) / ISOLATION_LN_2 : 0;
}

/* shares are what each field shortened the path by. */
static void fill_contributions(const struct isolation *isolation, const struct derived *derived,
                               double isolated, struct mr_model_row *row)
{
    double sum = 0;
    for (uint32_t field = 0; field < row->fields_count; field++)
        sum += isolation->shares[field] > 0 ? isolation->shares[field] : 0;
    for (uint32_t field = 0; field < row->fields_count; field++) {
        double share = isolation->shares[field] > 0 ? isolation->shares[field] / sum : 0;
        row->contributions[field] = share * isolated + outside(derived, field, row->values[field]);
    }
}

static enum mr_status isolation_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct isolation *isolation = self;
    const struct isolation_object *object = row->object;
    const struct isolation_layout *layout = &isolation->layout;
    row->score = 0;
    row->p_value = NAN;
    row->own[ISOLATION_PATH] = NAN;
    row->own[ISOLATION_OUTSIDE] = NAN;
    row->own[ISOLATION_POINTS] = 0;
    row->own[ISOLATION_COUNT] = (double)object->count;
    memset(row->contributions, 0, row->fields_count * sizeof(double));
    if (object->built_at == 0)
        return MR_OK;
    struct derived *derived;
    enum mr_status status = find_derived(isolation, row, &derived, error);
    if (status != MR_OK)
        return status;
    uint64_t points = object->built_at < layout->window ? object->built_at : layout->window;
    uint32_t sample = points < layout->shape.sample ? (uint32_t)points : layout->shape.sample;
    double path = mr_isolation_path(&layout->shape, derived->nodes, isolation->averages,
                                    row->values, isolation->shares);
    double isolated = mr_tail_exponential(-ISOLATION_LN_2 * path / isolation->averages[sample]);
    double beyond = 0;
    for (uint32_t field = 0; field < row->fields_count; field++)
        beyond += outside(derived, field, row->values[field]);
    row->score = isolated + beyond;
    row->own[ISOLATION_PATH] = path;
    row->own[ISOLATION_OUTSIDE] = beyond;
    row->own[ISOLATION_POINTS] = (double)points;
    fill_contributions(isolation, derived, isolated, row);
    return MR_OK;
}

/* Whether the record that was just learned ends the standing forest. */
static bool is_due(const struct isolation *isolation, struct isolation_object *object,
                   bool is_strange)
{
    if (object->built_at == 0)
        return object->count >= isolation->warmup;
    object->looked++;
    object->strange += is_strange;
    bool drifts = false;
    if (object->looked == object->sample) {
        drifts = object->strange > isolation->drift * object->looked;
        object->looked = 0;
        object->strange = 0;
    }
    return drifts || object->count - object->built_at >= object->step;
}

static enum mr_status isolation_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct isolation *isolation = self;
    struct isolation_object *object = row->object;
    uint8_t *bytes;
    enum mr_status status = find_record(isolation, row, object->count, true, &bytes, error);
    if (status != MR_OK)
        return status;
    for (uint32_t field = 0; field < row->fields_count; field++)
        mr_put_double_le(bytes + 8 * (size_t)field, row->values[field]);
    object->count++;
    if (is_due(isolation, object, row->score > isolation->detector.threshold)) {
        object->built_at = object->count;
        object->looked = 0;
        object->strange = 0;
    }
    return MR_OK;
}

static const struct mr_model_type isolation_model = {
    .table = isolation_table,
    .version = ISOLATION_VERSION,
    .object_size = sizeof(struct isolation_object),
    .encoded_size_max = ISOLATION_BYTES,
    .size = isolation_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = isolation_begin,
    .fits = isolation_fits,
    .ready = isolation_ready,
    .score = isolation_score,
    .learn = isolation_learn,
};

/* ---- The detector ---- */

static void isolation_describe(const void *self, const struct mr_model_row *row,
                               struct mr_detector_finding *finding)
{
    const struct isolation *isolation = self;
    uint32_t most = 0;
    for (uint32_t field = 1; field < row->fields_count; field++)
        if (row->contributions[field] > row->contributions[most])
            most = field;
    mr_detector_reason(
        finding,
        "%.4g random cuts isolate the record among %u of the last %.0f, %.4g on "
        "average; most by %s = %.6g; the score is %.4g, the threshold %.6g",
        row->own[ISOLATION_PATH], isolation->layout.shape.sample, row->own[ISOLATION_POINTS],
        isolation->averages[isolation->layout.shape.sample], isolation->detector.field_texts[most],
        row->values[most], row->score, finding->threshold);
}

MR_DETECTOR_CODEC(isolation, isolation_model)

static const struct mr_detector_type isolation_detector = {
    .model = &isolation_model,
    .encode = isolation_encode,
    .decode = isolation_decode,
    .describe = isolation_describe,
};

static enum mr_status isolation_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    struct isolation *isolation = self;
    const struct mr_options *options = &open->node->options;
    isolation->layout = layout_of(options);
    isolation->seed = (uint64_t)mr_options_integer(options, "seed");
    isolation->warmup = (uint64_t)mr_options_integer(options, "warmup");
    isolation->drift = mr_options_number(options, "drift");
    const struct mr_isolation_shape *shape = &isolation->layout.shape;
    isolation->averages = mr_memory_new(shape->sample + 1, sizeof(double));
    isolation->points =
        mr_memory_new((size_t)isolation->layout.window * shape->fields_count, sizeof(double));
    isolation->shares = mr_memory_new(shape->fields_count, sizeof(double));
    isolation->places = mr_memory_new(isolation->layout.window, sizeof(uint16_t));
    mr_isolation_averages(shape->sample, isolation->averages);
    mr_key_cache_init(&isolation->cache, derived_bytes(shape), MR_KEY_CACHE_BYTES);
    return mr_detector_open(&isolation->detector, open, &isolation_detector, error);
}

static void isolation_close(void *self)
{
    struct isolation *isolation = self;
    mr_detector_close(self);
    mr_memory_free(isolation->averages);
    mr_memory_free(isolation->points);
    mr_memory_free(isolation->shares);
    mr_memory_free(isolation->places);
    mr_key_cache_deinit(&isolation->cache);
    *isolation = (struct isolation){0};
}

static enum mr_status isolation_describe_state(const struct mr_state_object *object,
                                               struct mr_arena *arena,
                                               struct mr_state_description *description,
                                               struct mr_error *error)
{
    struct isolation_object entry = {0};
    MR_UNUSED(arena);
    if (!mr_stage_describe(&isolation_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "built_at", mr_value_uint(entry.built_at));
    mr_describe_member(description, "window", mr_value_uint(entry.window));
    mr_describe_member(description, "trees", mr_value_uint(entry.trees_count));
    mr_describe_member(description, "sample", mr_value_uint(entry.sample));
    return MR_OK;
}

static void isolation_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&isolation_model, options, estimate);
}

static enum mr_status isolation_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    long long window = (long long)mr_options_integer(options, "window");
    long long sample = (long long)mr_options_integer(options, "sample");
    if (sample <= window)
        return mr_detector_check(options, option, error);
    *option = "sample";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "a sample of %lld records cannot be drawn from a window of %lld", sample,
                   window);
}

static const struct mr_option_spec isolation_options[] = {
    MR_DETECTOR_OPTION_FIELDS(1),
    MR_DETECTOR_OPTION_THRESHOLD(
        "0.65", "A record is an anomaly when its score is above this: 0.5 is usual, 1 is isolated "
                "by the first cut."),
    MR_DETECTOR_OPTION_WARMUP("256", 2, 1e9),
    MR_DETECTOR_OPTIONS,
    {.name = "trees",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "50",
     .minimum = 1,
     .maximum = MR_ISOLATION_TREES_MAX,
     .help = "Trees, 1 to 256. More make the score steadier."},
    {.name = "sample",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "256",
     .minimum = 2,
     .maximum = MR_ISOLATION_SAMPLE_MAX,
     .help = "Records of the window that each tree is made of. Small samples keep anomalies from "
             "hiding each other."},
    {.name = "window",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "2048",
     .minimum = 2,
     .maximum = MR_ISOLATION_POINTS_MAX,
     .help = "The key's last records that a forest is built from."},
    {.name = "step",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "512",
     .minimum = 1,
     .maximum = MR_ISOLATION_POINTS_MAX,
     .help = "A forest is built anew after so many records."},
    {.name = "drift",
     .type = MR_OPTION_SHARE,
     .default_text = "0.5",
     .minimum = 0,
     .maximum = 1,
     .help = "It is built anew at once when more than this share of `sample` learned records in a "
             "row score above `threshold`. 1: never."},
    {.name = "seed",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1e15,
     .help = "Which random trees."},
    {.name = NULL},
};

static const struct mr_output_field isolation_fields[] = {
    MR_DETECTOR_MEMBERS("2^(-path / average path), and beyond the window's range more."),
    {"path", MR_TYPE_DOUBLE, "Cuts that isolate the record, on average over the trees."},
    {"outside", MR_TYPE_DOUBLE,
     "The part of the score that comes from far outside of the window's range."},
    {"points", MR_TYPE_INT, "Records of the window that the forest was built from."},
    {"count", MR_TYPE_INT, "Records that were learned."},
    MR_DETECTOR_MEMBER_CONTRIBUTIONS,
};

const struct mr_operator_type mr_operator_detect_isolation_forest = {
    .spec =
        {
            .name = "detect.isolation_forest",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds records that few random cuts isolate among a sample of their key's "
                       "last window.",
            .description =
                "Each of `trees` random trees cuts a sample of the key's last `window` records, in "
                "random fields at random places, until each is alone. A record that falls into "
                "such a corner after few cuts is strange: the score is 2^(-path / average path), "
                "0.5 where paths are usual. That ends at 1 and says nothing of how far outside a "
                "record is; so each field that is further outside of the window's range than this "
                "is wide adds the binary logarithm of how many ranges it is. Contributions tell by "
                "how much each field shortened the expected path, and was outside.\n\n"
                "A forest stands for `step` records, or until more than the share `drift` of "
                "`sample` learned records in a row were anomalies: then it is built anew from the "
                "window as it is. Use it for data of several fields of any unit and shape. Not for "
                "anomalies inside of the usual range of each field (detect.random_cut_forest, "
                "detect.mahalanobis), and not for very many keys: a key's forest takes half a "
                "megabyte, and only those of the keys seen last are kept (16 MiB of them); another "
                "key's is built from its window first, some milliseconds.\n\n"
                "AUROC is that of scikit-learn's IsolationForest on the same windows. Numbers "
                "beyond +-1e140 are scored but not learned. State of a key: 8 bytes per number of "
                "`window` and `step` records; changelog per record 46 bytes and a slot of 128 (8 "
                "per field, if these are more) beside the keys. No libm: the same bits on every "
                "machine. Papers: Liu, Ting, Zhou, Isolation-Based Anomaly Detection (2012); Ding, "
                "Fei, An Anomaly Detection Approach Based on Isolation Forest Algorithm for "
                "Streaming Data using Sliding Window (2013).",
            .options = isolation_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = isolation_fields,
            .added_fields_count = MR_ARRAY_COUNT(isolation_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(ISOLATION_VERSION),
            .estimate = isolation_estimate,
            .check = isolation_check,
        },
    .instance_size = sizeof(struct isolation),
    .open = isolation_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = isolation_close,
    .state_table = isolation_table,
    .describe_state = isolation_describe_state,
};
