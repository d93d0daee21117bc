/* operators/detect_knn_cad.c — detect.knn_cad: how far the key's last few records together lie from
 * those some time ago, beside how far other recent ones did (conformal k nearest neighbours).
 * Source: Burnaev and Ishimtsev 2016; the defaults, the times at which the metric is taken anew and
 * the pause are those of its entry in the Numenta Anomaly Benchmark.
 * Design: with `period` P = warmup + 1, record r (from 1) ends the point of the records r - shingle
 * + 1 to r. Points of the training set end with a record that is P to 2 P - shingle - 1 before the
 * one that is judged; those in between wait. A point's nonconformity is the sum of its distances to
 * the nearest of the training set; it is compared with the last P - shingle ones. The metric is
 * that of the training set each time that P or half of P records have passed. All that is stored
 * are the last 2 P numbers, the last nonconformities and the metric's factor; the training set in
 * that metric (operators/neighbours.h) follows from them and is kept beside the state for the keys
 * seen last (operators/key_cache.h).
 *
 * Stored object, version 1 (little-endian):
 *   0   uint32  warmup   4 uint16 shingle   6 uint16 neighbours   8 uint64 records learned
 *   16  uint32  records left of the pause
 * Stored slots (operators/value_ring.h), rings one behind the other, each from a slot's beginning:
 * the last 2 P numbers, record r at (r - 1) % 2 P; from the P-th record on the last P - shingle
 * nonconformities, of record r at (r - P) % (P - shingle); the factor's triangle by rows. */
#include "operators/detector.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/estimate.h"
#include "operators/key_cache.h"
#include "operators/neighbours.h"
#include "operators/registry.h"
#include "operators/value_ring.h"

enum {
    KNN_VERSION = 1,
    KNN_BYTES = 20,
    KNN_WARMUP_MAX = 2000,
    TRIANGLE_MAX = MR_NEIGHBOURS_DIMENSIONS_MAX * (MR_NEIGHBOURS_DIMENSIONS_MAX + 1) / 2
};
enum knn_own { KNN_NONCONFORMITY, KNN_SHARE, KNN_PAUSED, KNN_COUNT };

#define KNN_NUMBER_MAX 1e150   /* larger ones are judged as this */
#define KNN_LEAST 1e-18        /* a nonconformity counts as this, where it divides */
#define KNN_PAUSE_SHARE 0.9965 /* from this share on a record begins a pause */
#define KNN_PAUSED_SCORE 0.5

static const char knn_table[] = "series";

struct knn_object {
    uint64_t count;
    uint32_t warmup;
    uint32_t pause;
    uint16_t shingle;
    uint16_t neighbours;
};

struct knn_shape {
    uint32_t period;
    uint32_t shingle;
    uint32_t neighbours;
    uint32_t points;      /* of the training set, and nonconformities */
    uint32_t score_first; /* position of the first nonconformity in the slots */
    uint32_t factor_first;
    uint32_t triangle;
};

/* What is derived of a key, in the cache's entry. */
struct knn_derived {
    uint64_t count;
    double *values; /* 2 period, as in the slots */
    double *scores; /* points, as in the slots */
    double *factor; /* triangle */
    double *points; /* whitened, by dimension; point p ends with record p + shingle, and so on */
};

struct knn {
    struct mr_detector detector;
    struct knn_shape shape;
    struct mr_key_cache cache;
    uint32_t pause;
    double nonconformity; /* of the last scored row */
    double share;
    double *scratch; /* points */
};

/* ---- Layout ---- */

static uint32_t whole_slots(uint32_t numbers)
{
    return mr_value_ring_slots(numbers) * MR_VALUE_RING_SLOT_VALUES;
}

static struct knn_shape shape_of(const struct mr_options *options)
{
    struct knn_shape shape = {
        .period = (uint32_t)mr_options_integer(options, "warmup") + 1,
        .shingle = (uint32_t)mr_options_integer(options, "shingle"),
        .neighbours = (uint32_t)mr_options_integer(options, "neighbours"),
    };
    shape.points = shape.period > shape.shingle ? shape.period - shape.shingle : 0;
    shape.score_first = whole_slots(2 * shape.period);
    shape.factor_first = shape.score_first + whole_slots(shape.points);
    shape.triangle = mr_neighbours_triangle(shape.shingle);
    return shape;
}

static void knn_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct knn_shape shape = shape_of(options);
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max =
        shape.factor_first / MR_VALUE_RING_SLOT_VALUES + mr_value_ring_slots(shape.triangle);
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct knn_object *entry = object;
    mr_put_u32le(output, entry->warmup);
    mr_put_u16le(output + 4, entry->shingle);
    mr_put_u16le(output + 6, entry->neighbours);
    mr_put_u64le(output + 8, entry->count);
    mr_put_u32le(output + 16, entry->pause);
    return KNN_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct knn_object *entry = object;
    if (version != KNN_VERSION || stored.size != KNN_BYTES)
        return false;
    entry->warmup = mr_get_u32le(stored.data);
    entry->shingle = mr_get_u16le(stored.data + 4);
    entry->neighbours = mr_get_u16le(stored.data + 6);
    entry->count = mr_get_u64le(stored.data + 8);
    entry->pause = mr_get_u32le(stored.data + 16);
    return true;
}

/* ---- What is derived ---- */

static size_t derived_bytes(const struct knn_shape *shape)
{
    return sizeof(struct knn_derived) +
           sizeof(double) * (2 * (size_t)shape->period + shape->points + shape->triangle +
                             (size_t)shape->points * shape->shingle);
}

static void lay_out(const struct knn_shape *shape, struct knn_derived *derived)
{
    derived->values = (double *)(derived + 1);
    derived->scores = derived->values + 2 * (size_t)shape->period;
    derived->factor = derived->scores + shape->points;
    derived->points = derived->factor + shape->triangle;
}

/* Records whose points have left the training set when record count + 1 is judged. */
static uint64_t replaced_count(const struct knn_shape *shape, uint64_t count)
{
    return count >= 2 * (uint64_t)shape->period ? count - 2 * (uint64_t)shape->period + 1 : 0;
}

/* The point that ends with that record, from 1. */
static void read_point(const struct knn_shape *shape, const struct knn_derived *derived,
                       uint64_t last, double *point)
{
    uint64_t first = last - shape->shingle; /* from 0 */
    for (uint32_t at = 0; at < shape->shingle; at++)
        point[at] = derived->values[(first + at) % (2 * shape->period)];
}

/* Take the point that ends with that record into the training set, in the place of the oldest. */
static void train(const struct knn_shape *shape, struct knn_derived *derived, uint64_t last)
{
    double point[MR_NEIGHBOURS_DIMENSIONS_MAX];
    double whitened[MR_NEIGHBOURS_DIMENSIONS_MAX];
    uint32_t place = (uint32_t)((last - shape->shingle) % shape->points);
    read_point(shape, derived, last, point);
    mr_neighbours_whiten(derived->factor, point, shape->shingle, whitened);
    for (uint32_t at = 0; at < shape->shingle; at++)
        derived->points[(size_t)at * shape->points + place] = whitened[at];
}

/* All points of the training set that record count + 1 is compared with. */
static void train_all(const struct knn_shape *shape, struct knn_derived *derived, uint64_t count)
{
    uint64_t first = shape->shingle + replaced_count(shape, count);
    for (uint32_t point = 0; point < shape->points; point++)
        train(shape, derived, first + point);
}

static bool is_ready(const struct knn_object *object)
{
    return object->count >= object->warmup;
}

static bool is_metric(const double *factor, uint32_t dimensions)
{
    bool is_sound = true;
    for (uint32_t row = 0; row < dimensions; row++) {
        is_sound = is_sound && factor[row] > 0;
        factor += row + 1;
    }
    return is_sound;
}

/* The key's derived numbers, as of its last learned record, which is behind the warm-up. */
static enum mr_status find_derived(struct knn *knn, const struct mr_model_row *row,
                                   struct knn_derived **found, struct mr_error *error)
{
    const struct knn_object *object = row->object;
    const struct knn_shape *shape = &knn->shape;
    bool is_there;
    struct knn_derived *derived = mr_key_cache_get(&knn->cache, row->seed, &is_there);
    *found = derived;
    if (is_there && derived->count == object->count)
        return MR_OK;
    lay_out(shape, derived);
    derived->count = 0; /* nothing, should it fail */
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, 2 * shape->period, derived->values, error);
    if (status == MR_OK)
        status = mr_value_ring_read_from(row->table, row->entry, shape->score_first, shape->points,
                                         derived->scores, error);
    if (status == MR_OK)
        status = mr_value_ring_read_from(row->table, row->entry, shape->factor_first,
                                         shape->triangle, derived->factor, error);
    if (status != MR_OK)
        return status;
    if (!is_metric(derived->factor, shape->shingle))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the stored metric of detect.knn_cad is damaged; reset the topology");
    train_all(shape, derived, object->count);
    derived->count = object->count;
    return MR_OK;
}

/* ---- Model ---- */

static void knn_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct knn *knn = self;
    struct knn_object *entry = object;
    MR_UNUSED(row);
    entry->warmup = knn->shape.period - 1;
    entry->shingle = (uint16_t)knn->shape.shingle;
    entry->neighbours = (uint16_t)knn->shape.neighbours;
}

static bool knn_fits(const void *self, const void *object)
{
    const struct knn *knn = self;
    const struct knn_object *entry = object;
    return entry->warmup == knn->shape.period - 1 && entry->shingle == knn->shape.shingle &&
           entry->neighbours == knn->shape.neighbours;
}

static bool knn_ready(const void *self, const void *object)
{
    MR_UNUSED(self);
    return is_ready(object);
}

static double bounded(double number)
{
    if (number > KNN_NUMBER_MAX)
        return KNN_NUMBER_MAX;
    return number < -KNN_NUMBER_MAX ? -KNN_NUMBER_MAX : number;
}

static double nonconformity_of(const struct knn *knn, const struct knn_derived *derived,
                               const double *point, uint32_t without)
{
    struct mr_neighbours_points points = {derived->points, knn->shape.points, knn->shape.points,
                                          knn->shape.shingle};
    double whitened[MR_NEIGHBOURS_DIMENSIONS_MAX];
    mr_neighbours_whiten(derived->factor, point, knn->shape.shingle, whitened);
    return mr_neighbours_sum(&points, whitened, knn->shape.neighbours, without, knn->scratch);
}

/* The share of scores that are lower; beyond all of them, how many times the highest. */
static double place_among(const struct knn *knn, const double *scores, struct mr_model_row *row)
{
    uint32_t count = knn->shape.points;
    uint32_t lower = 0;
    double highest = KNN_LEAST;
    for (uint32_t index = 0; index < count; index++) {
        lower += scores[index] < knn->nonconformity;
        highest = scores[index] > highest ? scores[index] : highest;
    }
    row->p_value = (1.0 + (count - lower)) / (count + 1.0);
    row->own[KNN_SHARE] = (double)lower / count;
    if (lower < count || knn->nonconformity <= highest)
        return row->own[KNN_SHARE];
    double score = knn->nonconformity / highest;
    return score <= DBL_MAX ? score : DBL_MAX;
}

static enum mr_status knn_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct knn *knn = self;
    const struct knn_object *object = row->object;
    const struct knn_shape *shape = &knn->shape;
    row->score = 0;
    row->p_value = NAN;
    row->own[KNN_NONCONFORMITY] = NAN;
    row->own[KNN_SHARE] = NAN;
    row->own[KNN_PAUSED] = object->pause > 0;
    row->own[KNN_COUNT] = (double)object->count;
    if (!is_ready(object))
        return MR_OK;
    struct knn_derived *derived;
    double point[MR_NEIGHBOURS_DIMENSIONS_MAX];
    enum mr_status status = find_derived(knn, row, &derived, error);
    if (status != MR_OK)
        return status;
    for (uint32_t at = 0; at + 1 < shape->shingle; at++)
        point[at] =
            derived->values[(object->count + 1 - shape->shingle + at) % (2 * shape->period)];
    point[shape->shingle - 1] = bounded(row->values[0]);
    knn->nonconformity = nonconformity_of(knn, derived, point, shape->points);
    row->own[KNN_NONCONFORMITY] = knn->nonconformity;
    row->score = place_among(knn, derived->scores, row);
    knn->share = row->own[KNN_SHARE];
    if (object->pause > 0 && row->score > KNN_PAUSED_SCORE)
        row->score = KNN_PAUSED_SCORE;
    return MR_OK;
}

static enum mr_status put(const struct mr_model_row *row, uint32_t position, double number,
                          struct mr_error *error)
{
    double old;
    return mr_value_ring_exchange(row->table, row->entry, position, number, &old, error);
}

static enum mr_status put_factor(const struct knn *knn, const struct mr_model_row *row,
                                 const double *factor, struct mr_error *error)
{
    for (uint32_t index = 0; index < knn->shape.triangle; index++) {
        enum mr_status status = put(row, knn->shape.factor_first + index, factor[index], error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* Take the metric of the training set, and its points in it. Where it cannot be inverted the one
 * before stays. */
static enum mr_status take_metric(const struct knn *knn, const struct mr_model_row *row,
                                  struct knn_derived *derived, struct mr_error *error)
{
    const struct knn_shape *shape = &knn->shape;
    const struct knn_object *object = row->object;
    double factor[TRIANGLE_MAX] = {0};
    double point[MR_NEIGHBOURS_DIMENSIONS_MAX];
    uint64_t first = shape->shingle + replaced_count(shape, object->count);
    for (uint32_t index = 0; index < shape->points; index++) {
        read_point(shape, derived, first + index, point);
        mr_neighbours_add(factor, point, shape->shingle);
    }
    if (!mr_neighbours_factor(factor, shape->shingle, factor))
        return MR_OK;
    memcpy(derived->factor, factor, shape->triangle * sizeof(double));
    train_all(shape, derived, object->count);
    return put_factor(knn, row, factor, error);
}

/* The nonconformity of each point of the first training set among the others. */
static enum mr_status take_first_scores(const struct knn *knn, const struct mr_model_row *row,
                                        struct knn_derived *derived, struct mr_error *error)
{
    const struct knn_shape *shape = &knn->shape;
    double point[MR_NEIGHBOURS_DIMENSIONS_MAX];
    for (uint32_t index = 0; index < shape->points; index++) {
        read_point(shape, derived, (uint64_t)shape->shingle + index, point);
        derived->scores[index] = nonconformity_of(knn, derived, point, index);
        enum mr_status status = put(row, shape->score_first + index, derived->scores[index], error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* The warm-up is over: the Euclidean metric, or the first training set's own, and the first
 * nonconformities. */
static enum mr_status begin_judging(struct knn *knn, const struct mr_model_row *row,
                                    struct mr_error *error)
{
    double identity[TRIANGLE_MAX];
    struct knn_derived *derived;
    mr_neighbours_identity(knn->shape.shingle, identity);
    enum mr_status status = put_factor(knn, row, identity, error);
    if (status == MR_OK)
        status = find_derived(knn, row, &derived, error);
    if (status == MR_OK)
        status = take_metric(knn, row, derived, error);
    return status == MR_OK ? take_first_scores(knn, row, derived, error) : status;
}

/* Learn what the record was judged to be. Pre: it was judged; derived has its number. */
static enum mr_status learn_judged(const struct knn *knn, const struct mr_model_row *row,
                                   struct knn_derived *derived, struct mr_error *error)
{
    const struct knn_shape *shape = &knn->shape;
    struct knn_object *object = row->object;
    uint64_t record = object->count + 1;
    uint32_t place = (uint32_t)((record - shape->period) % shape->points);
    derived->scores[place] = knn->nonconformity;
    if (object->pause > 0)
        object->pause--;
    else if (knn->share >= KNN_PAUSE_SHARE)
        object->pause = knn->pause;
    if (record >= 2 * (uint64_t)shape->period)
        train(shape, derived, record - shape->period);
    return put(row, shape->score_first + place, knn->nonconformity, error);
}

/* knn->nonconformity and share are as score left them. */
static enum mr_status knn_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct knn *knn = self;
    const struct knn_shape *shape = &knn->shape;
    struct knn_object *object = row->object;
    struct knn_derived *derived = NULL;
    uint32_t position = (uint32_t)(object->count % (2 * shape->period));
    bool was_ready = is_ready(object);
    enum mr_status status = was_ready ? find_derived(knn, row, &derived, error) : MR_OK;
    if (status == MR_OK)
        status = put(row, position, row->values[0], error);
    if (status != MR_OK)
        return status;
    if (!was_ready) {
        object->count++;
        return is_ready(object) ? begin_judging(knn, row, error) : MR_OK;
    }
    derived->values[position] = row->values[0];
    status = learn_judged(knn, row, derived, error);
    derived->count = ++object->count;
    uint64_t phase = (object->count + 1) % shape->period;
    if (status != MR_OK || (phase != 0 && phase != shape->period / 2))
        return status;
    return take_metric(knn, row, derived, error);
}

static const struct mr_model_type knn_model = {
    .table = knn_table,
    .version = KNN_VERSION,
    .object_size = sizeof(struct knn_object),
    .encoded_size_max = KNN_BYTES,
    .size = knn_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = knn_begin,
    .fits = knn_fits,
    .ready = knn_ready,
    .score = knn_score,
    .learn = knn_learn,
};

/* ---- The detector ---- */

static void knn_describe(const void *self, const struct mr_model_row *row,
                         struct mr_detector_finding *finding)
{
    const struct knn *knn = self;
    mr_detector_reason(finding,
                       "the last %u records up to %s = %.6g are further from those some time ago "
                       "than %.2f %% of the last %u were: %.4g from the nearest %u together; the "
                       "score is %.4g, the threshold %.6g",
                       knn->shape.shingle, knn->detector.field_text, row->values[0],
                       100 * row->own[KNN_SHARE], knn->shape.points, row->own[KNN_NONCONFORMITY],
                       knn->shape.neighbours, row->score, finding->threshold);
}

MR_DETECTOR_CODEC(knn, knn_model)

static const struct mr_detector_type knn_detector = {
    .model = &knn_model,
    .encode = knn_encode,
    .decode = knn_decode,
    .describe = knn_describe,
};

static enum mr_status knn_open(void *self, const struct mr_operator_open *open,
                               struct mr_error *error)
{
    struct knn *knn = self;
    const struct mr_options *options = &open->node->options;
    knn->shape = shape_of(options);
    knn->pause = (uint32_t)mr_options_integer(options, "pause");
    knn->scratch = mr_memory_new(knn->shape.points, sizeof(double));
    mr_key_cache_init(&knn->cache, derived_bytes(&knn->shape), MR_KEY_CACHE_BYTES);
    return mr_detector_open(&knn->detector, open, &knn_detector, error);
}

static void knn_close(void *self)
{
    struct knn *knn = self;
    mr_detector_close(self);
    mr_memory_free(knn->scratch);
    knn->scratch = NULL;
    mr_key_cache_deinit(&knn->cache);
}

static enum mr_status knn_describe_state(const struct mr_state_object *object,
                                         struct mr_arena *arena,
                                         struct mr_state_description *description,
                                         struct mr_error *error)
{
    struct knn_object entry = {0};
    MR_UNUSED(arena);
    if (!mr_stage_describe(&knn_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "warmup", mr_value_uint(entry.warmup));
    mr_describe_member(description, "shingle", mr_value_uint(entry.shingle));
    mr_describe_member(description, "neighbours", mr_value_uint(entry.neighbours));
    return MR_OK;
}

/* A number and a nonconformity with each record; the metric twice in each `warmup` of them, and the
 * first nonconformities once. */
static void knn_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&knn_model, options, estimate);
    struct knn_shape shape = shape_of(options);
    uint64_t slot_bytes =
        MR_VALUE_RING_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    uint64_t metric = 2 * mr_value_ring_slots(shape.triangle) * slot_bytes;
    uint64_t first = mr_value_ring_slots(shape.points) * slot_bytes;
    estimate->changelog_bytes_per_record +=
        slot_bytes + (metric + first + shape.period - 1) / shape.period;
}

static enum mr_status knn_check(const struct mr_options *options, const char **option,
                                struct mr_error *error)
{
    struct knn_shape shape = shape_of(options);
    if (shape.points > shape.neighbours)
        return mr_detector_check(options, option, error);
    *option = "warmup";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "a warm-up of %u records makes %u points of %u records, too few to have %u "
                   "neighbours: at least %u records are needed",
                   shape.period - 1, shape.points, shape.shingle, shape.neighbours,
                   shape.shingle + shape.neighbours);
}

static const struct mr_option_spec knn_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "0.9965", "A record is an anomaly when its score is above this: the share of recent ones "
                  "that were less strange, and above 1 how many times the strangest of them."),
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "750",
     .minimum = 3,
     .maximum = KNN_WARMUP_MAX,
     .help = "Records of a key that are only learned: their score is 0. As many records later ones "
             "are compared with. 15 % of a series whose length is known, 750 at most; otherwise as "
             "many as show all that is usual."},
    {.name = "shingle",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "19",
     .minimum = 1,
     .maximum = MR_NEIGHBOURS_DIMENSIONS_MAX,
     .help = "How many records in a row are compared together."},
    {.name = "neighbours",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "27",
     .minimum = 1,
     .maximum = MR_NEIGHBOURS_MAX,
     .help = "To how many of the nearest earlier ones the distance is taken."},
    {.name = "pause",
     .type = MR_OPTION_INTEGER,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1e6,
     .help = "So many records behind one with a share of 0.9965 or more score 0.5 at most: one "
             "alert for what is strange from several sides. A fifth of `warmup` as published. 0: "
             "none; see also `suppress`."},
    MR_DETECTOR_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field knn_fields[] = {
    MR_DETECTOR_MEMBERS("Share of recent records that were less strange; beyond all of them, how "
                        "many times the strangest."),
    {"nonconformity", MR_TYPE_DOUBLE,
     "Sum of the distances to the nearest earlier points, in the metric of these."},
    {"share", MR_TYPE_DOUBLE, "Share of the last nonconformities that are lower."},
    {"paused", MR_TYPE_BOOL, "Whether the score is bounded by a pause."},
    {"count", MR_TYPE_INT, "Records that were learned."},
};

const struct mr_operator_type mr_operator_detect_knn_cad = {
    .spec =
        {
            .name = "detect.knn_cad",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds sequences of records that are further from earlier sequences of "
                       "their key than other recent ones were.",
            .description =
                "The last `shingle` records of a key make one point. Its strangeness is the sum "
                "of its distances to the nearest `neighbours` points of a training set, in the "
                "metric of that set (inverse of its second moments), so that what varies little "
                "weighs much. The score is the share of the last strangenesses that are lower, and "
                "beyond all of them how many times the highest this one is; `p_value` is the "
                "conformal one, (1 + how many are as high) / (1 + all), whatever the distribution "
                "is.\n\n"
                "The training set is what was seen one to two `warmup` ago; with `warmup` the "
                "window moves on, and the metric is taken anew twice in each. Use it for series "
                "with a shape: sequences that are unlike all earlier ones are found though each "
                "number is usual. Not for independent numbers (detect.spot and detect.robust_z "
                "tell more), and not where a record must cost less than some ten microseconds. "
                "After a "
                "lasting change records stay strange for a `warmup`: say `suppress` or `pause`.\n\n"
                "Of a series of n records the entry in the Numenta Anomaly Benchmark (NAB) has "
                "`warmup` 0.15 n - 1, 749 at most, and `pause` a fifth of that. Numbers beyond "
                "+-1e140 are scored but not learned. State of a key: 24 bytes per record of "
                "`warmup` and 4 shingle (shingle + 1) bytes, 20 kB by default; what follows from "
                "it, 150 kB by default, is kept for the keys seen last (64 at most, 16 MiB): "
                "another key's is made from its state first, which costs as much as some fifty "
                "records. Changelog per record: 20 bytes and two slots of 128 beside the keys. No "
                "libm but sqrt: the same bits on every machine. Paper: Burnaev and Ishimtsev, "
                "Conformalized Density- and Distance-Based Anomaly Detection in Time-Series Data "
                "(2016).",
            .options = knn_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = knn_fields,
            .added_fields_count = MR_ARRAY_COUNT(knn_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(KNN_VERSION),
            .estimate = knn_estimate,
            .check = knn_check,
        },
    .instance_size = sizeof(struct knn),
    .open = knn_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = knn_close,
    .state_table = knn_table,
    .describe_state = knn_describe_state,
};
