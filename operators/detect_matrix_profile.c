/* operators/detect_matrix_profile.c — detect.matrix_profile: a shape that has not come before: the
 * distance of the key's newest subsequence from the nearest earlier one of its window (a left
 * matrix profile, operators/matrix_profile.h). Design: stored are the numbers, in a ring of window
 * + subsequence of them; a record logs one slot. Dot products, means and deviations of all
 * subsequences follow from them and are kept beside the state (key_cache.h). How far shapes usually
 * are from each other depends on the series; the score is the distance beyond the key's usual one
 * in usual deviations, each learned with a bound (bounded_scale.h).
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0   uint32  subsequence   4  uint32 window   8  uint64 numbers learned, the n-th at place n mod
 *               (window + subsequence)
 *   16  uint64  distances learned   24  double their level   32  double mean deviation from it
 * Stored slots: operators/value_ring.h. */
#include "operators/detector.h"

#include <math.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/bounded_scale.h"
#include "operators/key_cache.h"
#include "operators/matrix_profile.h"
#include "operators/registry.h"
#include "operators/value_ring.h"

enum {
    PROFILE_VERSION = 1,
    PROFILE_BYTES = 40,
    PROFILE_LENGTH_MAX = 4096,
    PROFILE_WINDOW_MAX = 65536,
    PROFILE_WINDOW_RATIO = 4 /* window over subsequence, at least */
};
enum profile_own { PROFILE_DISTANCE, PROFILE_LAG, PROFILE_LEVEL, PROFILE_SD, PROFILE_COUNT };

static const char profile_table[] = "profile";

struct profile_object {
    uint64_t count;
    struct mr_bounded_scale deviations; /* of distances from level */
    double level;
    uint32_t length;
    uint32_t window;
};

struct profile {
    struct mr_detector detector;
    struct mr_matrix_profile_shape shape;
    uint64_t warmup;
    double decay;
    double sd_floor;
    struct mr_key_cache cache;
    double *ring;    /* as many numbers as it holds */
    double *numbers; /* the same, oldest first */
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct profile_object *entry = object;
    mr_put_u32le(output, entry->length);
    mr_put_u32le(output + 4, entry->window);
    mr_put_u64le(output + 8, entry->count);
    mr_put_u64le(output + 16, entry->deviations.count);
    mr_put_double_le(output + 24, entry->level);
    mr_put_double_le(output + 32, entry->deviations.mean);
    return PROFILE_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct profile_object *entry = object;
    if (version != PROFILE_VERSION || stored.size != PROFILE_BYTES)
        return false;
    entry->length = mr_get_u32le(stored.data);
    entry->window = mr_get_u32le(stored.data + 4);
    entry->count = mr_get_u64le(stored.data + 8);
    entry->deviations.count = mr_get_u64le(stored.data + 16);
    entry->level = mr_get_double_le(stored.data + 24);
    entry->deviations.mean = mr_get_double_le(stored.data + 32);
    return true;
}

static struct mr_matrix_profile_shape options_shape(const struct mr_options *options)
{
    return mr_matrix_profile_shape_of((uint32_t)mr_options_integer(options, "subsequence"),
                                      (uint32_t)mr_options_integer(options, "window_size"));
}

static uint32_t ring_capacity(const struct mr_matrix_profile_shape *shape)
{
    return shape->window + shape->length;
}

static void profile_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct mr_matrix_profile_shape shape = options_shape(options);
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max = mr_value_ring_slots(ring_capacity(&shape));
}

static void profile_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct profile *profile = self;
    struct profile_object *entry = object;
    MR_UNUSED(row);
    entry->length = profile->shape.length;
    entry->window = profile->shape.window;
}

static bool profile_fits(const void *self, const void *object)
{
    const struct profile *profile = self;
    const struct profile_object *entry = object;
    return entry->length == profile->shape.length && entry->window == profile->shape.window;
}

static bool profile_ready(const void *self, const void *object)
{
    const struct profile *profile = self;
    const struct profile_object *entry = object;
    return entry->deviations.count >= profile->warmup;
}

/* ---- What is derived ---- */

/* The key's profile, made anew from the ring when the cache has none of this count. */
static enum mr_status find_profile(struct profile *profile, const struct mr_model_row *row,
                                   struct mr_matrix_profile **derived, struct mr_error *error)
{
    const struct profile_object *entry = row->object;
    uint32_t capacity = ring_capacity(&profile->shape);
    bool found;
    *derived = mr_key_cache_get(&profile->cache, row->seed, &found);
    if (found && (*derived)->count == entry->count)
        return MR_OK;
    uint32_t held = entry->count < capacity ? (uint32_t)entry->count : capacity;
    uint32_t needed = mr_matrix_profile_needed(&profile->shape, entry->count);
    enum mr_status status = mr_value_ring_read(row->table, row->entry, held, profile->ring, error);
    for (uint32_t index = 0; status == MR_OK && index < needed; index++)
        profile->numbers[index] = profile->ring[(entry->count - needed + index) % capacity];
    mr_matrix_profile_init(*derived, &profile->shape, *derived + 1);
    if (status == MR_OK)
        mr_matrix_profile_restore(*derived, entry->count, profile->numbers);
    return status;
}

/* ---- Judging and learning ---- */

static enum mr_status profile_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct profile *profile = self;
    const struct profile_object *entry = row->object;
    struct mr_matrix_profile *derived;
    enum mr_status status = find_profile(profile, row, &derived, error);
    if (status != MR_OK)
        return status;
    struct mr_matrix_profile_match match = mr_matrix_profile_judge(derived, row->values[0]);
    bool is_known = entry->deviations.count > 0;
    double sd = mr_bounded_scale_sd(&entry->deviations, profile->sd_floor);
    row->score = match.distance > entry->level ? (match.distance - entry->level) / sd : 0;
    row->own[PROFILE_DISTANCE] = match.distance;
    row->own[PROFILE_LAG] = isnan(match.distance) ? (double)NAN : (double)match.lag;
    row->own[PROFILE_LEVEL] = is_known ? entry->level : NAN;
    row->own[PROFILE_SD] = is_known ? sd : NAN;
    row->own[PROFILE_COUNT] = (double)entry->deviations.count;
    return MR_OK;
}

static void learn_distance(const struct profile *profile, struct profile_object *entry,
                           double distance)
{
    struct mr_bounded_scale *deviations = &entry->deviations;
    double deviation = deviations->count == 0 ? 0 : distance - entry->level;
    if (deviations->count == 0)
        entry->level = distance;
    entry->level += mr_bounded_scale_weight(deviations->count, profile->decay) *
                    mr_bounded_scale_bound(deviation, deviations->mean, profile->sd_floor);
    mr_bounded_scale_learn(deviations, deviation, profile->decay, profile->sd_floor);
}

static enum mr_status profile_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct profile *profile = self;
    struct profile_object *entry = row->object;
    uint32_t position = (uint32_t)(entry->count % ring_capacity(&profile->shape));
    bool found;
    double old;
    struct mr_matrix_profile *derived = mr_key_cache_get(&profile->cache, row->seed, &found);
    MR_ASSERT(found && derived->count == entry->count); /* score has just made it */
    enum mr_status status =
        mr_value_ring_exchange(row->table, row->entry, position, row->values[0], &old, error);
    if (status != MR_OK)
        return status;
    mr_matrix_profile_learn(derived);
    entry->count++;
    if (!isnan(row->own[PROFILE_DISTANCE]))
        learn_distance(profile, entry, row->own[PROFILE_DISTANCE]);
    return MR_OK;
}

static const struct mr_model_type profile_model = {
    .table = profile_table,
    .version = PROFILE_VERSION,
    .object_size = sizeof(struct profile_object),
    .encoded_size_max = PROFILE_BYTES,
    .size = profile_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = profile_begin,
    .fits = profile_fits,
    .ready = profile_ready,
    .score = profile_score,
    .learn = profile_learn,
};

/* ---- The detector ---- */

static void profile_describe(const void *self, const struct mr_model_row *row,
                             struct mr_detector_finding *finding)
{
    const struct profile *profile = self;
    mr_detector_reason(finding,
                       "the last %u records of %s have no shape like theirs before them: the "
                       "nearest, %.0f records back, is %.4g away, usual is %.4g (sd %.4g); the "
                       "score is %.4g, the threshold %.6g",
                       profile->shape.length, profile->detector.field_text, row->own[PROFILE_LAG],
                       row->own[PROFILE_DISTANCE], row->own[PROFILE_LEVEL], row->own[PROFILE_SD],
                       row->score, finding->threshold);
}

MR_DETECTOR_CODEC(profile, profile_model)

static const struct mr_detector_type profile_detector = {
    .model = &profile_model,
    .encode = profile_encode,
    .decode = profile_decode,
    .describe = profile_describe,
};

static enum mr_status profile_open(void *self, const struct mr_operator_open *open,
                                   struct mr_error *error)
{
    struct profile *profile = self;
    const struct mr_options *options = &open->node->options;
    profile->shape = options_shape(options);
    profile->warmup = (uint64_t)mr_options_integer(options, "warmup");
    profile->decay = mr_options_number(options, "decay");
    profile->sd_floor =
        mr_options_number(options, "scale_floor") * sqrt(2.0 * profile->shape.length);
    mr_key_cache_init(&profile->cache,
                      sizeof(struct mr_matrix_profile) + mr_matrix_profile_bytes(&profile->shape),
                      MR_KEY_CACHE_BYTES);
    profile->ring = mr_memory_new(ring_capacity(&profile->shape), sizeof(double));
    profile->numbers = mr_memory_new(ring_capacity(&profile->shape), sizeof(double));
    return mr_detector_open(&profile->detector, open, &profile_detector, error);
}

static void profile_close(void *self)
{
    struct profile *profile = self;
    mr_detector_close(self);
    mr_key_cache_deinit(&profile->cache);
    mr_memory_free(profile->ring);
    mr_memory_free(profile->numbers);
    profile->ring = NULL;
    profile->numbers = NULL;
}

static enum mr_status profile_describe_state(const struct mr_state_object *object,
                                             struct mr_arena *arena,
                                             struct mr_state_description *description,
                                             struct mr_error *error)
{
    MR_UNUSED(arena);
    struct profile_object entry = {0};
    if (!mr_stage_describe(&profile_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "subsequence", mr_value_uint(entry.length));
    mr_describe_member(description, "window_size", mr_value_uint(entry.window));
    mr_describe_member(description, "learned", mr_value_uint(entry.count));
    mr_describe_member(description, "count", mr_value_uint(entry.deviations.count));
    if (entry.deviations.count == 0)
        return MR_OK;
    mr_describe_member(description, "level", mr_value_double(entry.level));
    mr_describe_member(description, "sd",
                       mr_value_double(MR_BOUNDED_SCALE_SD * entry.deviations.mean));
    return MR_OK;
}

static void profile_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&profile_model, options, estimate);
}

static enum mr_status profile_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    struct mr_matrix_profile_shape shape = options_shape(options);
    if (shape.window >= PROFILE_WINDOW_RATIO * shape.length)
        return mr_detector_check(options, option, error);
    *option = "window_size";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`window_size` (%u) must be at least four times `subsequence` (%u): there would "
                   "be too few earlier shapes to compare with",
                   shape.window, shape.length);
}

static const struct mr_option_spec profile_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "3.0", "A record is an anomaly when the distance of the subsequence that it ends, beyond "
               "the usual one and in standard deviations, is above this."),
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .default_text = "256",
     .minimum = 2,
     .maximum = 1e6,
     .help = "Distances of a key that are only learned: their score is 0. The first comes behind "
             "one and a quarter of `subsequence` records."},
    MR_DETECTOR_OPTIONS,
    {.name = "subsequence",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "64",
     .minimum = 3,
     .maximum = PROFILE_LENGTH_MAX,
     .help = "Records of a shape, 3 to 4,096: about as many as what you look for lasts."},
    {.name = "window_size",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "4096",
     .minimum = 12,
     .maximum = PROFILE_WINDOW_MAX,
     .help = "The key's last records among which a shape is looked for, up to 65,536."},
    {.name = "decay",
     .type = MR_OPTION_SHARE,
     .default_text = "0.005",
     .minimum = 0,
     .maximum = 0.5,
     .help = "Weight of the newest distance in the usual one and in its standard deviation, at "
             "least 1/n for the n-th; 0 weighs all alike."},
    {.name = "scale_floor",
     .type = MR_OPTION_SHARE,
     .default_text = "0.01",
     .minimum = 1e-9,
     .maximum = 1,
     .help = "A standard deviation of distances below this share of sqrt(2 subsequence), the "
             "distance of two shapes without any likeness, counts as this."},
    {.name = NULL},
};

static const struct mr_output_field profile_fields[] = {
    MR_DETECTOR_MEMBERS("(distance - level) / sd, 0 below the level."),
    {"distance", MR_TYPE_DOUBLE,
     "Distance of the z-normalised subsequence that the record ends from the nearest earlier one, "
     "0 to 2 sqrt(subsequence); null while there is none."},
    {"lag", MR_TYPE_INT, "How many records before it that one begins."},
    {"level", MR_TYPE_DOUBLE, "The usual distance of the key's earlier records."},
    {"sd", MR_TYPE_DOUBLE, "Standard deviation of distances, the floor at least."},
    {"count", MR_TYPE_INT, "Distances that were learned."},
};

const struct mr_operator_type mr_operator_detect_matrix_profile = {
    .spec =
        {
            .name = "detect.matrix_profile",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds shapes that have not come before, as a left matrix profile.",
            .description =
                "Compares the last `subsequence` records of each key with every earlier "
                "subsequence of its window, each less its mean and over its standard deviation, "
                "and takes the distance to the nearest: the left matrix profile. Starts within a "
                "quarter of a subsequence of each other are not compared. The score is how far "
                "the distance is above the key's usual one, in standard deviations.\n\n"
                "Finds breaks in a pattern that repeats, also with seasons of changing length, "
                "whatever the level and the amplitude. A shape that has come once is known from "
                "then on. Not for single spikes in noise without a pattern (all shapes are as far "
                "there; use detect.robust_z), nor for changes of level or amplitude alone, which "
                "the normalisation takes away.\n\n"
                "The distances are those of stumpy's stumpi to 1e-6. Constant subsequences are 0 "
                "from each other and sqrt(subsequence) from others. Numbers beyond +-1e140 are "
                "judged as that and not learned. State: "
                "49 bytes and 8 (window + subsequence) a key, 33 kB by default. Changelog: 49 and "
                "128 bytes per record beside the keys. Cost: O(window) per record, some 12 "
                "microseconds by default; of the keys seen last 230 kB each (by default) are kept "
                "computed, 16 MiB in all: another key's is made from its state first, which costs "
                "as much as some thirty records. Papers: "
                "Yeh et al., Matrix Profile I (ICDM 2016); Zhu et al., Matrix Profile II (ICDM "
                "2016).",
            .options = profile_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = profile_fields,
            .added_fields_count = MR_ARRAY_COUNT(profile_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(PROFILE_VERSION),
            .estimate = profile_estimate,
            .check = profile_check,
        },
    .instance_size = sizeof(struct profile),
    .open = profile_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = profile_close,
    .state_table = profile_table,
    .describe_state = profile_describe_state,
};
