/* operators/detect_zscore.c — detect.zscore: distance from the mean of the key's earlier records in
 * standard deviations.
 * Design: three ways to say which earlier records count: all (Welford), all with weights that decay
 * (West), the last n. The window keeps its sum of squares by adding and taking out; taking out a
 * number that dwarfs the rest loses the rest's digits, so the window is computed anew from its
 * numbers when the sum of squares has fallen below 1/1024 of its peak, and each time the ring has
 * gone round: that bounds the rounding error, and costs one pass per n records in the usual case.
 * A window with steps needs no taking out: once full, its moments stand still while m numbers come
 * into the ring, and are then computed anew from all of it.
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0   uint8   mode: 0 all, 1 decay, 2 window, 3 window with steps
 *   1   uint64  count: numbers learned; window: numbers in it
 *   9   double  mean
 *   17  double  sum of (weighted) squared deviations from the mean
 *   decay:   25 double sum of weights, 33 double sum of squared weights
 *   window:  25 uint32 capacity, 29 uint32 next position, 33 double peak of the sum of squares
 *   steps:   25 uint32 capacity, 29 uint32 next position, 33 uint32 step, 37 uint32 numbers in the
 *            ring that the moments do not know yet
 * Stored slots (window, steps): operators/value_ring.h. */
#include "operators/detector.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/moments.h"
#include "operators/registry.h"
#include "operators/value_ring.h"

enum zscore_mode { ZSCORE_ALL, ZSCORE_DECAY, ZSCORE_WINDOW, ZSCORE_STEPS };
enum zscore_deviation { ZSCORE_SAMPLE, ZSCORE_POPULATION };
enum {
    ZSCORE_VERSION = 1,
    ZSCORE_BYTES_ALL = 25,
    ZSCORE_BYTES_MAX = 41,
    ZSCORE_WINDOW_MAX = 65536
};
enum zscore_own { ZSCORE_MEAN, ZSCORE_SD, ZSCORE_COUNT };

static const char zscore_table[] = "moments";
static const char *const zscore_deviations[] = {"sample", "population", NULL};

struct zscore_object {
    struct mr_moments moments;
    double weight;
    double weight_squares;
    union {                  /* the struct fits into a cache line */
        double squares_peak; /* ZSCORE_WINDOW */
        struct {             /* ZSCORE_STEPS */
            uint32_t step;
            uint32_t pending;
        };
    };
    uint32_t capacity;
    uint32_t position;
    uint32_t mode;
};

struct zscore_window {
    uint32_t capacity;
    uint32_t step;
};

struct zscore {
    struct mr_detector detector;
    enum zscore_mode mode;
    enum zscore_deviation deviation;
    uint64_t warmup;
    double sd_floor;
    double keep; /* 1 - decay */
    struct zscore_window window;
    double *scratch; /* capacity numbers, of windows */
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct zscore_object *entry = object;
    output[0] = (uint8_t)entry->mode;
    mr_put_u64le(output + 1, entry->moments.count);
    mr_put_double_le(output + 9, entry->moments.mean);
    mr_put_double_le(output + 17, entry->moments.squares);
    if (entry->mode == ZSCORE_ALL)
        return ZSCORE_BYTES_ALL;
    if (entry->mode == ZSCORE_DECAY) {
        mr_put_double_le(output + 25, entry->weight);
        mr_put_double_le(output + 33, entry->weight_squares);
        return ZSCORE_BYTES_MAX;
    }
    mr_put_u32le(output + 25, entry->capacity);
    mr_put_u32le(output + 29, entry->position);
    if (entry->mode == ZSCORE_WINDOW) {
        mr_put_double_le(output + 33, entry->squares_peak);
    } else {
        mr_put_u32le(output + 33, entry->step);
        mr_put_u32le(output + 37, entry->pending);
    }
    return ZSCORE_BYTES_MAX;
}

/* The members of a window, behind those that all modes have. */
static bool window_decode(struct zscore_object *entry, struct mr_reader *reader)
{
    entry->capacity = mr_read_u32(reader);
    entry->position = mr_read_u32(reader);
    if (entry->position >= entry->capacity || entry->moments.count > entry->capacity)
        return false;
    if (entry->mode == ZSCORE_WINDOW) {
        entry->squares_peak = mr_get_double_le(mr_read_bytes(reader, 8));
        return true;
    }
    entry->step = mr_read_u32(reader);
    entry->pending = mr_read_u32(reader);
    return entry->pending < entry->step && entry->step <= entry->capacity;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct zscore_object *entry = object;
    if (version != ZSCORE_VERSION)
        return false;
    struct mr_reader reader = mr_reader_from(stored);
    entry->mode = mr_read_u8(&reader);
    entry->moments.count = mr_read_u64(&reader);
    entry->moments.mean = mr_get_double_le(mr_read_bytes(&reader, 8));
    entry->moments.squares = mr_get_double_le(mr_read_bytes(&reader, 8));
    if (entry->mode == ZSCORE_DECAY) {
        entry->weight = mr_get_double_le(mr_read_bytes(&reader, 8));
        entry->weight_squares = mr_get_double_le(mr_read_bytes(&reader, 8));
    } else if (entry->mode == ZSCORE_WINDOW || entry->mode == ZSCORE_STEPS) {
        if (!window_decode(entry, &reader))
            return false;
    } else if (entry->mode != ZSCORE_ALL) {
        return false;
    }
    return !reader.bad && reader.cursor == reader.end;
}

static enum zscore_mode options_mode(const struct mr_options *options, struct zscore_window *window)
{
    *window = (struct zscore_window){0};
    if (mr_options_present(options, "decay"))
        return ZSCORE_DECAY;
    if (!mr_options_present(options, "window"))
        return ZSCORE_ALL;
    const struct mr_options *fields = mr_options_get(options, "window")->objects;
    window->capacity = (uint32_t)mr_options_integer(fields, "count");
    window->step = (uint32_t)mr_options_integer(fields, "step");
    return window->step == 1 ? ZSCORE_WINDOW : ZSCORE_STEPS;
}

static double object_sd(const struct zscore_object *object, enum zscore_deviation deviation)
{
    if (deviation == ZSCORE_POPULATION) {
        double weight =
            object->mode == ZSCORE_DECAY ? object->weight : (double)object->moments.count;
        return weight > 0 ? sqrt(object->moments.squares / weight) : 0;
    }
    if (object->mode != ZSCORE_DECAY)
        return mr_moments_sd(&object->moments);
    if (object->moments.count < 2)
        return 0;
    struct mr_decayed_moments decayed = {object->weight, object->weight_squares,
                                         object->moments.mean, object->moments.squares};
    return mr_decayed_moments_sd(&decayed);
}

/* Compute the moments from the numbers in the ring. */
static enum mr_status window_compute(struct zscore *zscore, struct mr_model_row *row,
                                     struct mr_error *error)
{
    struct zscore_object *object = row->object;
    uint32_t count = (uint32_t)object->moments.count;
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, count, zscore->scratch, error);
    if (status == MR_OK)
        mr_moments_compute(&object->moments, zscore->scratch, count);
    return status;
}

/* Learn a number into the ring: while it is not full into the moments too, then in steps. */
static enum mr_status steps_learn(struct zscore *zscore, struct mr_model_row *row,
                                  struct mr_error *error)
{
    struct zscore_object *object = row->object;
    double value = row->values[0];
    double oldest;
    enum mr_status status =
        mr_value_ring_exchange(row->table, row->entry, object->position, value, &oldest, error);
    if (status != MR_OK)
        return status;
    object->position = object->position + 1 == object->capacity ? 0 : object->position + 1;
    if (object->moments.count < object->capacity) {
        mr_moments_learn(&object->moments, value);
        return MR_OK;
    }
    if (++object->pending < object->step)
        return MR_OK;
    object->pending = 0;
    return window_compute(zscore, row, error);
}

/* Learn a number into the window: the oldest leaves when it is full. */
static enum mr_status window_learn(struct zscore *zscore, struct mr_model_row *row,
                                   struct mr_error *error)
{
    struct zscore_object *object = row->object;
    struct mr_moments *moments = &object->moments;
    double value = row->values[0];
    double oldest;
    enum mr_status status =
        mr_value_ring_exchange(row->table, row->entry, object->position, value, &oldest, error);
    if (status != MR_OK)
        return status;
    if (moments->count == object->capacity)
        mr_moments_forget(moments, oldest);
    mr_moments_learn(moments, value);
    object->position = object->position + 1 == object->capacity ? 0 : object->position + 1;
    if (moments->squares > object->squares_peak)
        object->squares_peak = moments->squares;
    if (object->position != 0 && moments->squares * 1024 >= object->squares_peak)
        return MR_OK;
    status = window_compute(zscore, row, error);
    object->squares_peak = moments->squares;
    return status;
}

static enum mr_status zscore_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct zscore *zscore = self;
    struct zscore_object *object = row->object;
    if (zscore->mode == ZSCORE_WINDOW)
        return window_learn(zscore, row, error);
    if (zscore->mode == ZSCORE_STEPS)
        return steps_learn(zscore, row, error);
    if (zscore->mode == ZSCORE_ALL) {
        mr_moments_learn(&object->moments, row->values[0]);
        return MR_OK;
    }
    struct mr_decayed_moments decayed = {object->weight, object->weight_squares,
                                         object->moments.mean, object->moments.squares};
    mr_decayed_moments_learn(&decayed, row->values[0], zscore->keep);
    object->weight = decayed.weight;
    object->weight_squares = decayed.weight_squares;
    object->moments.mean = decayed.mean;
    object->moments.squares = decayed.squares;
    object->moments.count++;
    return MR_OK;
}

static void zscore_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct zscore *zscore = self;
    struct zscore_object *entry = object;
    MR_UNUSED(row);
    entry->mode = zscore->mode;
    entry->capacity = zscore->window.capacity;
    if (entry->mode == ZSCORE_STEPS)
        entry->step = zscore->window.step;
}

static bool zscore_fits(const void *self, const void *object)
{
    const struct zscore *zscore = self;
    const struct zscore_object *entry = object;
    return entry->mode == zscore->mode && entry->capacity == zscore->window.capacity &&
           (entry->mode != ZSCORE_STEPS || entry->step == zscore->window.step);
}

static bool zscore_ready(const void *self, const void *object)
{
    const struct zscore *zscore = self;
    const struct zscore_object *entry = object;
    return entry->moments.count >= zscore->warmup;
}

static enum mr_status zscore_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct zscore *zscore = self;
    const struct zscore_object *object = row->object;
    MR_UNUSED(error);
    double mean = object->moments.mean;
    double sd = object_sd(object, zscore->deviation);
    row->score = fabs(row->values[0] - mean) / (sd < zscore->sd_floor ? zscore->sd_floor : sd);
    if (zscore->window.capacity > 0)
        row->p_value = erfc(row->score * 0.70710678118654752440); /* both tails beyond score */
    row->own[ZSCORE_MEAN] = mean;
    row->own[ZSCORE_SD] = sd;
    row->own[ZSCORE_COUNT] = (double)object->moments.count;
    return MR_OK;
}

static void zscore_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct zscore_window window;
    enum zscore_mode mode = options_mode(options, &window);
    size->encoded_bytes = mode == ZSCORE_ALL ? ZSCORE_BYTES_ALL : ZSCORE_BYTES_MAX;
    size->slot_bytes = window.capacity > 0 ? MR_VALUE_RING_SLOT_BYTES : 0;
    size->slots_max = mr_value_ring_slots(window.capacity);
}

static const struct mr_model_type zscore_model = {
    .table = zscore_table,
    .version = ZSCORE_VERSION,
    .object_size = sizeof(struct zscore_object),
    .encoded_size_max = ZSCORE_BYTES_MAX,
    .size = zscore_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = zscore_begin,
    .fits = zscore_fits,
    .ready = zscore_ready,
    .score = zscore_score,
    .learn = zscore_learn,
};

/* ---- The detector ---- */

static void zscore_describe(const void *self, const struct mr_model_row *row,
                            struct mr_detector_finding *finding)
{
    const struct zscore *zscore = self;
    double value = row->values[0];
    double mean = row->own[ZSCORE_MEAN];
    mr_detector_reason(finding,
                       "%s is %.6g, %.4g standard deviations %s the mean %.6g (sd %.6g) of %.0f "
                       "earlier records; the threshold is %.6g",
                       zscore->detector.field_text, value, row->score,
                       value > mean ? "above" : "below", mean, row->own[ZSCORE_SD],
                       row->own[ZSCORE_COUNT], finding->threshold);
}

MR_DETECTOR_CODEC(zscore, zscore_model)

static const struct mr_detector_type zscore_detector = {
    .model = &zscore_model,
    .encode = zscore_encode,
    .decode = zscore_decode,
    .describe = zscore_describe,
};

static enum mr_status zscore_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct zscore *zscore = self;
    const struct mr_options *options = &open->node->options;
    zscore->mode = options_mode(options, &zscore->window);
    zscore->deviation = (enum zscore_deviation)mr_options_integer(options, "deviation");
    zscore->warmup = (uint64_t)mr_options_integer(options, "warmup");
    zscore->sd_floor = mr_options_number(options, "sd_floor");
    if (zscore->mode == ZSCORE_DECAY)
        zscore->keep = 1 - mr_options_number(options, "decay");
    if (zscore->window.capacity > 0)
        zscore->scratch = mr_memory_new(zscore->window.capacity, sizeof(double));
    return mr_detector_open(&zscore->detector, open, &zscore_detector, error);
}

static enum mr_status zscore_describe_state(const struct mr_state_object *object,
                                            struct mr_arena *arena,
                                            struct mr_state_description *description,
                                            struct mr_error *error)
{
    MR_UNUSED(arena);
    struct zscore_object entry = {0};
    if (!mr_stage_describe(&zscore_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.moments.count));
    mr_describe_member(description, "mean", mr_value_double(entry.moments.mean));
    mr_describe_member(description, "sd", mr_value_double(object_sd(&entry, ZSCORE_SAMPLE)));
    if (entry.mode == ZSCORE_DECAY)
        mr_describe_member(description, "weight", mr_value_double(entry.weight));
    if (entry.mode == ZSCORE_WINDOW || entry.mode == ZSCORE_STEPS)
        mr_describe_member(description, "window", mr_value_uint(entry.capacity));
    if (entry.mode == ZSCORE_STEPS)
        mr_describe_member(description, "step", mr_value_uint(entry.step));
    return MR_OK;
}

static void zscore_close(void *self)
{
    struct zscore *zscore = self;
    mr_detector_close(self);
    mr_memory_free(zscore->scratch);
    zscore->scratch = NULL;
}

static void zscore_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&zscore_model, options, estimate);
}

static enum mr_status zscore_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    if (mr_options_present(options, "decay") && mr_options_present(options, "window")) {
        *option = "decay";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`decay` and `window` exclude each other: give one of them, or none to "
                       "count all earlier records alike");
    }
    struct zscore_window window;
    options_mode(options, &window);
    if (window.capacity > 0 && mr_options_integer(options, "warmup") > window.capacity) {
        *option = "warmup";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a warm-up of %lld records never ends in a window of %u records",
                       (long long)mr_options_integer(options, "warmup"), window.capacity);
    }
    if (window.step > window.capacity) {
        *option = "window";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a step of %u records is longer than the window of %u: make it at most as "
                       "long",
                       window.step, window.capacity);
    }
    return mr_detector_check(options, option, error);
}

static const struct mr_option_spec zscore_window_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 2,
     .maximum = ZSCORE_WINDOW_MAX,
     .help = "How many of the key's last records count, 2 to 65,536."},
    {.name = "step",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 1,
     .maximum = ZSCORE_WINDOW_MAX,
     .help = "Once the window is full, move it by this many records at a time: until then mean and "
             "deviation stand still."},
    {.name = NULL},
};

static const struct mr_option_spec zscore_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "3.0", "A record is an anomaly when its score, in standard deviations, is above this."),
    MR_DETECTOR_OPTION_WARMUP("30", 1, 1e6),
    MR_DETECTOR_OPTIONS,
    {.name = "sd_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-9",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help = "A standard deviation below this, in the field's unit, counts as this."},
    {.name = "deviation",
     .type = MR_OPTION_CHOICE,
     .default_text = "sample",
     .choices = zscore_deviations,
     .help = "The standard deviation of n numbers divides the sum of squares by n - 1 (sample) or "
             "by n (population)."},
    {.name = "decay",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1e-9,
     .maximum = 0.5,
     .help = "Weigh recent records more: with each record the weight of all earlier ones shrinks "
             "by this share (0.01 remembers about the last 100). Default: all weigh the same."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = zscore_window_fields,
     .help = "Compare with the key's last records only. Default: with all of them."},
    {.name = NULL},
};

static const struct mr_output_field zscore_fields[] = {
    MR_DETECTOR_MEMBERS("|value - mean| / sd, taken before the record is learned."),
    {"mean", MR_TYPE_DOUBLE, "Mean of the key's earlier records."},
    {"sd", MR_TYPE_DOUBLE, "Their standard deviation, as `deviation` says, before the floor."},
    {"count", MR_TYPE_INT, "How many records these are."},
};

const struct mr_operator_type mr_operator_detect_zscore = {
    .spec =
        {
            .name = "detect.zscore",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers far from the mean of their key's earlier records.",
            .description =
                "The score is the distance from the mean in standard deviations of the key's "
                "earlier records (Welford's method), taken before the record is learned. With "
                "`decay` recent records weigh more; with `window` only the last n count. "
                "Anomalies are learned as well: a level that has shifted becomes normal. With "
                "`window` p_value is the share of a normal distribution that lies as far out or "
                "farther, on both sides; it uses libm, and is 0 from a score of about 38 on, where "
                "the score still grows.\n\n"
                "Finds spikes in values that spread evenly around a level. Not for values with "
                "strong trend or season, heavy tails or frequent outliers, which widen the "
                "standard deviation: use detect.robust_z there; nor for small lasting shifts: use "
                "detect.ewma.\n\n"
                "The windowed Gaussian of the Numenta Anomaly Benchmark is `window: {count: 6400, "
                "step: 100}, deviation: population, sd_floor: 1e-6, warmup: 1`; its score is 1 - "
                "p_value / 2.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State: 34 bytes a key, 50 with "
                "`decay`, 50 + 8 n with a window, of which a record writes 178. Paper: Welford, "
                "Technometrics 4 (1962); West, Communications of the ACM 22 (1979).",
            .options = zscore_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = zscore_fields,
            .added_fields_count = MR_ARRAY_COUNT(zscore_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(ZSCORE_VERSION),
            .estimate = zscore_estimate,
            .check = zscore_check,
        },
    .instance_size = sizeof(struct zscore),
    .open = zscore_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = zscore_close,
    .state_table = zscore_table,
    .describe_state = zscore_describe_state,
};
