/* operators/detect_robust_z.c — detect.robust_z: distance from the median of the key's last records
 * in units of their median absolute deviation. Design: what is stored is the ring of the last n
 * numbers (slots, operators/value_ring.h); the object in the cache holds them sorted as well, made
 * from the ring when the object was loaded. Sorted order is a function of the ring alone, so that a
 * restored key goes on bit for bit.
 *
 * Stored object, version 1 (little-endian):
 *   0  uint32  capacity of the window
 *   4  uint32  numbers in it
 *   8  uint32  next position in the ring */
#include "operators/detector.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/estimate.h"
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
    struct robust_z_object entry;
    if (!object_decode(&entry, object->version, object->encoded) ||
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

static uint32_t options_capacity(const struct mr_options *options)
{
    if (!mr_options_present(options, "window"))
        return ROBUST_Z_WINDOW_DEFAULT;
    const struct mr_option_value *window = mr_options_get(options, "window");
    return (uint32_t)mr_options_integer(&window->objects[0], "count");
}

static size_t object_bytes(uint32_t capacity)
{
    return sizeof(struct robust_z_object) + capacity * sizeof(double);
}

static enum mr_status robust_z_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct robust_z *robust_z = self;
    const struct mr_options *options = &open->node->options;
    robust_z->warmup = (uint64_t)mr_options_integer(options, "warmup");
    robust_z->scale_floor = mr_options_number(options, "scale_floor");
    robust_z->capacity = options_capacity(options);
    struct mr_table_spec spec = {
        .name = robust_z_table,
        .version = ROBUST_Z_VERSION,
        .object_size = object_bytes(robust_z->capacity),
        .encode = object_encode,
        .encoded_size_max = ROBUST_Z_BYTES,
        .decode = object_decode,
        .slot_bytes = MR_VALUE_RING_SLOT_BYTES,
        .slots_max = mr_value_ring_slots(robust_z->capacity),
    };
    return mr_detector_open(&robust_z->detector, open, &spec, error);
}

static enum mr_status robust_z_object(struct robust_z *robust_z,
                                      const struct mr_detector_rows *rows, uint32_t index,
                                      struct robust_z_object **object, struct mr_error *error)
{
    uint32_t row = rows->view.rows[index];
    void *found;
    bool created;
    enum mr_status status =
        mr_table_get(robust_z->detector.table, rows->keys[row], rows->hashes[index],
                     rows->view.batch->event_times_ms[row], &found, &created, error);
    if (status != MR_OK)
        return status;
    struct robust_z_object *entry = found;
    *object = entry;
    if (created)
        entry->capacity = robust_z->capacity;
    if (entry->capacity != robust_z->capacity)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the stored state was made with a window of %u records, not %u; reset the "
                       "topology or restore the old option",
                       entry->capacity, robust_z->capacity);
    if (entry->stale == 0)
        return MR_OK;
    status =
        mr_value_ring_read(robust_z->detector.table, found, entry->count, entry->sorted, error);
    if (status != MR_OK)
        return status;
    mr_sorted_window_sort(entry->sorted, entry->count);
    entry->stale = 0;
    return MR_OK;
}

static enum mr_status robust_z_learn(struct robust_z *robust_z, struct robust_z_object *object,
                                     double value, struct mr_error *error)
{
    double oldest;
    enum mr_status status = mr_value_ring_exchange(robust_z->detector.table, object,
                                                   object->position, value, &oldest, error);
    if (status != MR_OK)
        return status;
    if (object->count == object->capacity)
        mr_sorted_window_replace(object->sorted, object->count, oldest, value);
    else
        mr_sorted_window_insert(object->sorted, object->count++, value);
    object->position = object->position + 1 == object->capacity ? 0 : object->position + 1;
    mr_table_dirty(robust_z->detector.table, object);
    return MR_OK;
}

static void robust_z_describe(const void *self, const struct mr_detector_rows *rows, uint32_t row,
                              double value, struct mr_detector_finding *finding)
{
    const struct robust_z *robust_z = self;
    const struct mr_detector *detector = &robust_z->detector;
    double median = mr_detector_column(detector, rows, ROBUST_Z_MEDIAN)[row].number;
    double mad = mr_detector_column(detector, rows, ROBUST_Z_MAD)[row].number;
    int64_t count = mr_detector_column(detector, rows, ROBUST_Z_COUNT)[row].integer;
    mr_detector_reason(finding,
                       "%s is %.6g, %.4g robust standard deviations %s the median %.6g (median "
                       "absolute deviation %.6g) of the last %lld records; the threshold is %.6g",
                       detector->field_text, value, finding->metric_value,
                       value > median ? "above" : "below", median, mad, (long long)count,
                       detector->threshold);
}

static enum mr_status robust_z_process(void *self, struct mr_operator_context *context,
                                       uint32_t port, struct mr_view view, struct mr_error *error)
{
    struct robust_z *robust_z = self;
    MR_UNUSED(port);
    struct mr_detector_rows rows;
    mr_detector_begin(&robust_z->detector, context, view, &rows);
    struct mr_value *medians = mr_detector_column(&robust_z->detector, &rows, ROBUST_Z_MEDIAN);
    struct mr_value *mads = mr_detector_column(&robust_z->detector, &rows, ROBUST_Z_MAD);
    struct mr_value *counts = mr_detector_column(&robust_z->detector, &rows, ROBUST_Z_COUNT);
    for (uint32_t index = 0; index < rows.view.rows_count; index++) {
        uint32_t row = rows.view.rows[index];
        mr_detector_prefetch(&robust_z->detector, &rows, index);
        struct robust_z_object *object;
        enum mr_status status = robust_z_object(robust_z, &rows, index, &object, error);
        if (status != MR_OK)
            return status;
        double value = rows.values[index];
        double median = 0;
        double mad = 0;
        double score = 0;
        if (object->count > 0) {
            median = mr_sorted_window_median(object->sorted, object->count);
            mad = mr_sorted_window_mad(object->sorted, object->count, median);
        }
        if (object->count >= robust_z->warmup) {
            double scale = mad_scale * mad;
            score = fabs(value - median) /
                    (scale < robust_z->scale_floor ? robust_z->scale_floor : scale);
        }
        medians[row] = mr_value_double(median);
        mads[row] = mr_value_double(mad);
        counts[row] = mr_value_int(object->count);
        mr_detector_score(&robust_z->detector, &rows, row, score);
        if (fabs(value) > MR_DETECTOR_LEARNED_MAX)
            continue;
        status = robust_z_learn(robust_z, object, value, error);
        if (status != MR_OK)
            return status;
    }
    mr_detector_finish(&robust_z->detector, context, &rows, robust_z, robust_z_describe);
    return MR_OK;
}

static enum mr_status robust_z_watermark(void *self, struct mr_operator_context *context,
                                         struct mr_error *error)
{
    struct robust_z *robust_z = self;
    return mr_detector_expire(&robust_z->detector, context, error);
}

static void robust_z_close(void *self)
{
    MR_UNUSED(self); /* the table belongs to the state */
}

static void robust_z_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    uint32_t capacity = options_capacity(options);
    mr_estimate_slots(object_bytes(capacity), ROBUST_Z_BYTES, MR_VALUE_RING_SLOT_BYTES,
                      mr_value_ring_slots(capacity), estimate);
}

static enum mr_status robust_z_check(const struct mr_options *options, const char **option,
                                     struct mr_error *error)
{
    uint32_t capacity = options_capacity(options);
    if (mr_options_integer(options, "warmup") <= capacity)
        return MR_OK;
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
    {.name = "field",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_NUMERIC,
     .help = "The number to watch."},
    {.name = "threshold",
     .type = MR_OPTION_NUMBER,
     .default_text = "3.5",
     .minimum = 0,
     .maximum = 1e300,
     .help =
         "A record is an anomaly when its score, in robust standard deviations, is above this."},
    {.name = "critical_ratio",
     .type = MR_OPTION_NUMBER,
     .default_text = "2.0",
     .minimum = 1,
     .maximum = 1e6,
     .help = "An anomaly is critical, not warning, from this many times the threshold on."},
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 2,
     .maximum = ROBUST_Z_WINDOW_MAX,
     .help = "Records of a key that are only learned: their score is 0."},
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
    {"score", MR_TYPE_DOUBLE, "|value - median| / (1.4826 mad), taken before it is learned."},
    {"threshold", MR_TYPE_DOUBLE, "The option `threshold`."},
    {"is_anomaly", MR_TYPE_BOOL, "True when the score is above the threshold."},
    {"severity", MR_TYPE_STRING, "info, warning or critical."},
    {"reason", MR_TYPE_STRING, "For anomalies a sentence with the numbers, otherwise empty."},
    {"detector", MR_TYPE_STRING, "detect.robust_z."},
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
            .state_version = ROBUST_Z_VERSION,
            .estimate = robust_z_estimate,
            .check = robust_z_check,
        },
    .instance_size = sizeof(struct robust_z),
    .open = robust_z_open,
    .process = robust_z_process,
    .on_watermark = robust_z_watermark,
    .close = robust_z_close,
    .state_table = robust_z_table,
    .describe_state = robust_z_describe_state,
};
