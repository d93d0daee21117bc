/* operators/detect_robust_z.c — detect.robust_z: distance from the median of the key's last records
 * in units of their median absolute deviation. Design: what is stored is the ring of the last n
 * numbers (slots, operators/value_ring.h); the object in the cache holds them sorted as well, made
 * from the ring when the object was loaded. Sorted order is a function of the ring alone, so that a
 * restored key goes on bit for bit.
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0  uint32  capacity of the window
 *   4  uint32  numbers in it
 *   8  uint32  next position in the ring */
#include "operators/detector.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/sorted_window.h"
#include "operators/value_ring.h"

#include "operators/registry.h"
#include <math.h>

enum {
    ROBUST_Z_VERSION = 1,
    ROBUST_Z_BYTES = 12,
    ROBUST_Z_WINDOW_DEFAULT = 1000,
    ROBUST_Z_WINDOW_MAX = 2000 /* sorted, an object stays within what the cache takes */
};
enum robust_z_own { ROBUST_Z_MEDIAN, ROBUST_Z_MAD, ROBUST_Z_COUNT };

/* MAD times this estimates the standard deviation of a normal distribution: 1 / Phi^-1(3/4). */
static const double mad_scale = 1.4826;

static const char robust_z_table[] = "window";

struct robust_z_object {
    uint32_t capacity;
    uint32_t count;
    uint32_t position;
    uint32_t stale;  /* sorted is to be made from the ring */
    double sorted[]; /* capacity numbers */
};

struct robust_z {
    struct mr_detector detector;
    uint64_t warmup;
    double scale_floor;
    uint32_t capacity;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct robust_z_object *entry = object;
    mr_put_u32le(output, entry->capacity);
    mr_put_u32le(output + 4, entry->count);
    mr_put_u32le(output + 8, entry->position);
    return ROBUST_Z_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct robust_z_object *entry = object;
    if (version != ROBUST_Z_VERSION || stored.size != ROBUST_Z_BYTES)
        return false;
    entry->capacity = mr_get_u32le(stored.data);
    entry->count = mr_get_u32le(stored.data + 4);
    entry->position = mr_get_u32le(stored.data + 8);
    entry->stale = 1;
    return entry->position < entry->capacity && entry->count <= entry->capacity;
}

static uint32_t options_capacity(const struct mr_options *options)
{
    if (!mr_options_present(options, "window"))
        return ROBUST_Z_WINDOW_DEFAULT;
    const struct mr_option_value *window = mr_options_get(options, "window");
    return (uint32_t)mr_options_integer(&window->objects[0], "count");
}

static void robust_z_size(const struct mr_options *options, struct mr_model_size *size)
{
    uint32_t capacity = options_capacity(options);
    size->object_bytes = sizeof(struct robust_z_object) + capacity * sizeof(double);
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max = mr_value_ring_slots(capacity);
}

static void robust_z_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct robust_z *robust_z = self;
    struct robust_z_object *entry = object;
    MR_UNUSED(row);
    entry->capacity = robust_z->capacity;
}

static bool robust_z_fits(const void *self, const void *object)
{
    const struct robust_z *robust_z = self;
    const struct robust_z_object *entry = object;
    return entry->capacity == robust_z->capacity;
}

static bool robust_z_ready(const void *self, const void *object)
{
    const struct robust_z *robust_z = self;
    const struct robust_z_object *entry = object;
    return entry->count >= robust_z->warmup;
}

/* Sort what was loaded. */
static enum mr_status refresh(const struct mr_model_row *row, struct mr_error *error)
{
    struct robust_z_object *object = row->object;
    if (object->stale == 0)
        return MR_OK;
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, object->count, object->sorted, error);
    if (status != MR_OK)
        return status;
    mr_sorted_window_sort(object->sorted, object->count);
    object->stale = 0;
    return MR_OK;
}

static enum mr_status robust_z_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct robust_z *robust_z = self;
    const struct robust_z_object *object = row->object;
    enum mr_status status = refresh(row, error);
    if (status != MR_OK)
        return status;
    double median = 0;
    double mad = 0;
    if (object->count > 0) {
        median = mr_sorted_window_median(object->sorted, object->count);
        mad = mr_sorted_window_mad(object->sorted, object->count, median);
    }
    double scale = mad_scale * mad;
    row->score = fabs(row->values[0] - median) /
                 (scale < robust_z->scale_floor ? robust_z->scale_floor : scale);
    row->own[ROBUST_Z_MEDIAN] = median;
    row->own[ROBUST_Z_MAD] = mad;
    row->own[ROBUST_Z_COUNT] = object->count;
    return MR_OK;
}

static enum mr_status robust_z_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct robust_z_object *object = row->object;
    double value = row->values[0];
    double oldest;
    MR_UNUSED(self);
    enum mr_status status =
        mr_value_ring_exchange(row->table, row->entry, object->position, value, &oldest, error);
    if (status != MR_OK)
        return status;
    if (object->count == object->capacity)
        mr_sorted_window_replace(object->sorted, object->count, oldest, value);
    else
        mr_sorted_window_insert(object->sorted, object->count++, value);
    object->position = object->position + 1 == object->capacity ? 0 : object->position + 1;
    return MR_OK;
}

static const struct mr_model_type robust_z_model = {
    .table = robust_z_table,
    .version = ROBUST_Z_VERSION,
    .object_size = sizeof(struct robust_z_object),
    .encoded_size_max = ROBUST_Z_BYTES,
    .size = robust_z_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = robust_z_begin,
    .fits = robust_z_fits,
    .ready = robust_z_ready,
    .score = robust_z_score,
    .learn = robust_z_learn,
};

/* ---- The detector ---- */

static void robust_z_describe(const void *self, const struct mr_model_row *row,
                              struct mr_detector_finding *finding)
{
    const struct robust_z *robust_z = self;
    double value = row->values[0];
    double median = row->own[ROBUST_Z_MEDIAN];
    mr_detector_reason(finding,
                       "%s is %.6g, %.4g robust standard deviations %s the median %.6g (median "
                       "absolute deviation %.6g) of the last %.0f records; the threshold is %.6g",
                       robust_z->detector.field_text, value, row->score,
                       value > median ? "above" : "below", median, row->own[ROBUST_Z_MAD],
                       row->own[ROBUST_Z_COUNT], finding->threshold);
}

MR_DETECTOR_CODEC(robust_z, robust_z_model)

static const struct mr_detector_type robust_z_detector = {
    .model = &robust_z_model,
    .encode = robust_z_encode,
    .decode = robust_z_decode,
    .describe = robust_z_describe,
};

static enum mr_status robust_z_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct robust_z *robust_z = self;
    const struct mr_options *options = &open->node->options;
    robust_z->warmup = (uint64_t)mr_options_integer(options, "warmup");
    robust_z->scale_floor = mr_options_number(options, "scale_floor");
    robust_z->capacity = options_capacity(options);
    return mr_detector_open(&robust_z->detector, open, &robust_z_detector, error);
}

static void robust_z_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&robust_z_model, options, estimate);
}

/* The numbers of the ring, sorted. */
static enum mr_status stored_numbers(const struct mr_state_object *object, uint32_t count,
                                     double *numbers, struct mr_error *error)
{
    for (uint32_t index = 0; index < count; index += MR_VALUE_RING_SLOT_VALUES) {
        struct mr_slice bytes;
        enum mr_status status =
            mr_state_query_slot(object, index / MR_VALUE_RING_SLOT_VALUES, &bytes, error);
        if (status == MR_NOT_FOUND || (status == MR_OK && bytes.size != MR_VALUE_RING_SLOT_BYTES))
            return mr_operator_not_described(error);
        if (status != MR_OK)
            return status;
        for (uint32_t i = 0; i < MR_VALUE_RING_SLOT_VALUES && index + i < count; i++)
            numbers[index + i] = mr_get_double_le(bytes.data + (size_t)i * 8);
    }
    mr_sorted_window_sort(numbers, count);
    return MR_OK;
}

static enum mr_status robust_z_describe_state(const struct mr_state_object *object,
                                              struct mr_arena *arena,
                                              struct mr_state_description *description,
                                              struct mr_error *error)
{
    struct robust_z_object entry = {0};
    if (!mr_stage_describe(&robust_z_model, object, &entry, description) ||
        entry.capacity > ROBUST_Z_WINDOW_MAX)
        return mr_operator_not_described(error);
    double *numbers = mr_arena_take(arena, (entry.count + 1u) * sizeof *numbers);
    enum mr_status status = stored_numbers(object, entry.count, numbers, error);
    if (status != MR_OK)
        return status;
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "window", mr_value_uint(entry.capacity));
    if (entry.count == 0)
        return MR_OK;
    double median = mr_sorted_window_median(numbers, entry.count);
    mr_describe_member(description, "median", mr_value_double(median));
    mr_describe_member(description, "mad",
                       mr_value_double(mr_sorted_window_mad(numbers, entry.count, median)));
    return MR_OK;
}

static enum mr_status robust_z_check(const struct mr_options *options, const char **option,
                                     struct mr_error *error)
{
    uint32_t capacity = options_capacity(options);
    if (mr_options_integer(options, "warmup") <= capacity)
        return mr_detector_check(options, option, error);
    *option = "warmup";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "a warm-up of %lld records never ends in a window of %u records",
                   (long long)mr_options_integer(options, "warmup"), capacity);
}

static const struct mr_option_spec robust_z_window_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1000",
     .minimum = 3,
     .maximum = ROBUST_Z_WINDOW_MAX,
     .help = "How many of the key's last records count, 3 to 2,000."},
    {.name = NULL},
};

static const struct mr_option_spec robust_z_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "3.5",
        "A record is an anomaly when its score, in robust standard deviations, is above this."),
    MR_DETECTOR_OPTION_WARMUP("30", 2, ROBUST_Z_WINDOW_MAX),
    MR_DETECTOR_OPTIONS,
    {.name = "scale_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-9",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help =
         "1.4826 times the median absolute deviation below this, in the field's unit, counts as "
         "this. More than half of the window equal makes it 0."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = robust_z_window_fields,
     .help = "The key's last records to compare with. Default: the last 1,000."},
    {.name = NULL},
};

static const struct mr_output_field robust_z_fields[] = {
    MR_DETECTOR_MEMBERS("|value - median| / (1.4826 mad), taken before it is learned."),
    {"median", MR_TYPE_DOUBLE, "Median of the key's last records."},
    {"mad", MR_TYPE_DOUBLE, "Median of their absolute distances from it, before the floor."},
    {"count", MR_TYPE_INT, "How many records these are."},
};

const struct mr_operator_type mr_operator_detect_robust_z = {
    .spec =
        {
            .name = "detect.robust_z",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers far from the median of their key's last records.",
            .description =
                "The score is the distance from the median of the last n records of the key, in "
                "units of 1.4826 times their median absolute deviation, taken before the record is "
                "learned. Median and deviation are exact.\n\n"
                "Up to half of the window may be anomalies without hiding the others: use it where "
                "outliers are frequent or tails heavy. Not for values that are equal most of the "
                "time (the deviation is 0 then, and any change scores against the floor), and not "
                "where memory per key is short: use detect.zscore.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State: 16 bytes per record of "
                "the window in the cache, 8 on disk, for each key; about 128 bytes of changelog "
                "per "
                "record beside the keys. Paper: Iglewicz and Hoaglin, How to Detect and Handle "
                "Outliers (1993).",
            .options = robust_z_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = robust_z_fields,
            .added_fields_count = MR_ARRAY_COUNT(robust_z_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(ROBUST_Z_VERSION),
            .estimate = robust_z_estimate,
            .check = robust_z_check,
        },
    .instance_size = sizeof(struct robust_z),
    .open = robust_z_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .close = mr_detector_close,
    .state_table = robust_z_table,
    .describe_state = robust_z_describe_state,
};
