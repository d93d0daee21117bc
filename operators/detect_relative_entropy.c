/* operators/detect_relative_entropy.c — detect.relative_entropy: windows of the key's last numbers
 * whose distribution is like none that was seen before.
 * Design: the numbers fall into bins of equal width; the counts of the last n are compared with
 * the hypotheses, the counts of earlier windows. 2 n times the relative entropy to the nearest is
 * about chi-square distributed where the two are alike; a window that every hypothesis rejects
 * becomes one itself. Counts are whole numbers up to n, so that logarithms come from a table. A
 * hypothesis without a number in a bin that has some now rejects with an infinite statistic: its
 * counts are then taken with 1/2 more in each bin, and the statistic of these comes on top of the
 * critical value, so that scores stay finite, ordered, and above 1 exactly where one rejects.
 * The range of the bins is given, or that of the key's first records: these stay in the ring until
 * the range is known, and are then gone through again from the first window on.
 * Of hypotheses there is a largest number. Beyond it one makes room that was not met since the hand
 * last passed it (Corbato's clock, which needs one bit of each).
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0   uint8   range: 0 being learned, 1 learned, 2 given
 *   1   uint8   bins
 *   2   uint16  hypotheses at most
 *   4   uint16  hypotheses
 *   6   uint16  hand
 *   8   uint32  window
 *   12  uint32  capacity of the ring
 *   16  uint32  next position in the ring
 *   20  uint64  numbers learned
 *   28  double  minimum, of the numbers so far while the range is being learned
 *   36  double  maximum
 *   44  bit i: hypothesis i was met since the hand last passed it; (hypotheses at most + 7) / 8
 *       bytes, then uint16 counts of the last window, one per bin
 * Stored slots of 128 bytes: first the ring (operators/value_ring.h), then the hypotheses, 64 /
 * bins of them in each as uint16 counts. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/covariance.h"
#include "operators/estimate.h"
#include "operators/natural_log.h"
#include "operators/registry.h"
#include "operators/value_ring.h"

enum range_state { RANGE_BEING_LEARNED, RANGE_LEARNED, RANGE_GIVEN };
enum {
    ENTROPY_VERSION = 1,
    ENTROPY_BYTES_FIXED = 44,
    BINS_MAX = 50,
    HYPOTHESES_MAX = 256,
    WINDOW_DEFAULT = 52,
    WINDOW_MAX = 4096,
    RANGE_RECORDS_DEFAULT = 500,
    RANGE_RECORDS_MAX = 65536,
    SLOT_COUNTS = MR_VALUE_RING_SLOT_BYTES / 2,
    ENTROPY_BYTES_MAX = ENTROPY_BYTES_FIXED + HYPOTHESES_MAX / 8 + 2 * BINS_MAX
};
enum entropy_own { ENTROPY_STATISTIC, ENTROPY_HYPOTHESES, ENTROPY_COUNT };

static const char entropy_table[] = "windows";

/* What the options say; the stored object must have been made with the same. */
struct shape {
    enum range_state range; /* BEING_LEARNED or GIVEN */
    uint32_t bins;
    uint32_t hypotheses_max;
    uint32_t window;
    uint32_t range_records; /* 0: the range is given */
    uint32_t capacity;      /* of the ring */
    double minimum;
    double maximum;
};

struct entropy_object {
    uint32_t range;
    uint32_t bins;
    uint32_t hypotheses_max;
    uint32_t hypotheses_count;
    uint32_t hand;
    uint32_t window;
    uint32_t capacity;
    uint32_t position;
    uint64_t count;
    double minimum;
    double maximum;
    uint32_t stale; /* hypotheses are to be read from the slots */
    uint16_t counts[BINS_MAX];
    uint8_t met[HYPOTHESES_MAX / 8];
    uint16_t hypotheses[]; /* hypotheses_max * bins */
};

struct entropy {
    struct mr_detector detector;
    struct shape shape;
    uint64_t warmup;
    double critical;   /* value of the statistic */
    double smooth;     /* 2 n log((n + bins / 2) / n) */
    double *logs;      /* of 0..window; 0 for 0 */
    double *half_logs; /* of 1/2 .. window + 1/2 */
    double *scratch;   /* the ring, of a range being learned */
    /* What score found of the row. */
    uint16_t counts[BINS_MAX];
    uint32_t nearest;
    double statistic; /* infinite: no hypothesis yet */
};

/* ---- Stored bytes ---- */

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct entropy_object *entry = object;
    size_t met_bytes = (entry->hypotheses_max + 7) / 8;
    output[0] = (uint8_t)entry->range;
    output[1] = (uint8_t)entry->bins;
    mr_put_u16le(output + 2, (uint16_t)entry->hypotheses_max);
    mr_put_u16le(output + 4, (uint16_t)entry->hypotheses_count);
    mr_put_u16le(output + 6, (uint16_t)entry->hand);
    mr_put_u32le(output + 8, entry->window);
    mr_put_u32le(output + 12, entry->capacity);
    mr_put_u32le(output + 16, entry->position);
    mr_put_u64le(output + 20, entry->count);
    mr_put_double_le(output + 28, entry->minimum);
    mr_put_double_le(output + 36, entry->maximum);
    memcpy(output + ENTROPY_BYTES_FIXED, entry->met, met_bytes);
    uint8_t *counts = output + ENTROPY_BYTES_FIXED + met_bytes;
    for (uint32_t bin = 0; bin < entry->bins; bin++)
        mr_put_u16le(counts + 2 * (size_t)bin, entry->counts[bin]);
    return ENTROPY_BYTES_FIXED + met_bytes + 2 * (size_t)entry->bins;
}

static bool is_possible(const struct entropy_object *entry)
{
    return entry->range <= RANGE_GIVEN && entry->bins >= 3 && entry->bins <= BINS_MAX &&
           entry->hypotheses_max >= 1 && entry->hypotheses_max <= HYPOTHESES_MAX &&
           entry->hypotheses_count <= entry->hypotheses_max &&
           entry->hand < entry->hypotheses_max && entry->window <= entry->capacity &&
           entry->position < entry->capacity;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct entropy_object *entry = object;
    if (version != ENTROPY_VERSION || stored.size < ENTROPY_BYTES_FIXED)
        return false;
    const uint8_t *bytes = stored.data;
    entry->range = bytes[0];
    entry->bins = bytes[1];
    entry->hypotheses_max = mr_get_u16le(bytes + 2);
    entry->hypotheses_count = mr_get_u16le(bytes + 4);
    entry->hand = mr_get_u16le(bytes + 6);
    entry->window = mr_get_u32le(bytes + 8);
    entry->capacity = mr_get_u32le(bytes + 12);
    entry->position = mr_get_u32le(bytes + 16);
    entry->count = mr_get_u64le(bytes + 20);
    entry->minimum = mr_get_double_le(bytes + 28);
    entry->maximum = mr_get_double_le(bytes + 36);
    entry->stale = 1;
    size_t met_bytes = (entry->hypotheses_max + 7) / 8;
    if (!is_possible(entry) ||
        stored.size != ENTROPY_BYTES_FIXED + met_bytes + 2 * (size_t)entry->bins)
        return false;
    memcpy(entry->met, bytes + ENTROPY_BYTES_FIXED, met_bytes);
    const uint8_t *counts = bytes + ENTROPY_BYTES_FIXED + met_bytes;
    for (uint32_t bin = 0; bin < entry->bins; bin++)
        entry->counts[bin] = mr_get_u16le(counts + 2 * (size_t)bin);
    return true;
}

/* ---- Slots of hypotheses ---- */

static uint32_t hypothesis_slot(const struct entropy_object *object, uint32_t index)
{
    return mr_value_ring_slots(object->capacity) + index / (SLOT_COUNTS / object->bins);
}

static uint8_t *hypothesis_bytes(const struct entropy_object *object, uint32_t index, void *slot)
{
    uint32_t place = index % (SLOT_COUNTS / object->bins);
    return (uint8_t *)slot + 2 * (size_t)(place * object->bins);
}

/* Read what was loaded. */
static enum mr_status refresh(const struct mr_model_row *row, struct mr_error *error)
{
    struct entropy_object *object = row->object;
    if (object->stale == 0)
        return MR_OK;
    for (uint32_t index = 0; index < object->hypotheses_count; index++) {
        void *slot;
        enum mr_status status = mr_table_slot(row->table, row->entry,
                                              hypothesis_slot(object, index), false, &slot, error);
        if (status != MR_OK)
            return status;
        const uint8_t *bytes = hypothesis_bytes(object, index, slot);
        uint16_t *counts = object->hypotheses + (size_t)index * object->bins;
        for (uint32_t bin = 0; bin < object->bins; bin++) {
            counts[bin] = mr_get_u16le(bytes + 2 * (size_t)bin);
            if (counts[bin] > object->window)
                return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                               "a stored hypothesis has %u numbers in a window of %u", counts[bin],
                               object->window);
        }
    }
    object->stale = 0;
    return MR_OK;
}

/* The place for a new hypothesis: an unused one, or that of one not met for long. */
static uint32_t make_room(struct entropy_object *object)
{
    if (object->hypotheses_count < object->hypotheses_max)
        return object->hypotheses_count++;
    for (;;) {
        uint32_t index = object->hand;
        uint8_t bit = (uint8_t)(1u << (index % 8));
        object->hand = index + 1 == object->hypotheses_max ? 0 : index + 1;
        if ((object->met[index / 8] & bit) == 0)
            return index;
        object->met[index / 8] &= (uint8_t)~bit;
    }
}

static enum mr_status add_hypothesis(const struct mr_model_row *row, const uint16_t *counts,
                                     struct mr_error *error)
{
    struct entropy_object *object = row->object;
    uint32_t index = make_room(object);
    void *slot;
    enum mr_status status =
        mr_table_slot(row->table, row->entry, hypothesis_slot(object, index), true, &slot, error);
    if (status != MR_OK)
        return status;
    uint8_t *bytes = hypothesis_bytes(object, index, slot);
    for (uint32_t bin = 0; bin < object->bins; bin++)
        mr_put_u16le(bytes + 2 * (size_t)bin, counts[bin]);
    memcpy(object->hypotheses + (size_t)index * object->bins, counts,
           object->bins * sizeof(*counts));
    object->met[index / 8] |= (uint8_t)(1u << (index % 8));
    return MR_OK;
}

/* ---- The statistic ---- */

/* Bin 0 has what is at or below the minimum, bin k > 0 what is above its lower end, minimum + (k -
 * 1) width, and at or below its upper one, and the last bin all above its lower end. */
static uint32_t bin_of(const struct entropy_object *object, double value)
{
    double width = (object->maximum - object->minimum) / object->bins;
    if (!(width > 0)) /* the range is one number */
        return value < object->minimum ? 0 : value > object->minimum ? object->bins - 1 : 1;
    double place = ceil((value - object->minimum) / width);
    if (!(place > 0))
        return 0;
    return place < object->bins - 1 ? (uint32_t)place : object->bins - 1;
}

/* 2 n times the relative entropy of counts to a hypothesis; where that is infinite the critical
 * value and what stands for the infinite. */
static double statistic_to(const struct entropy *entropy, const uint16_t *counts,
                           const uint16_t *hypothesis)
{
    uint32_t bins = entropy->shape.bins;
    double sum = 0;
    bool is_infinite = false;
    for (uint32_t bin = 0; bin < bins; bin++) {
        is_infinite = is_infinite || (counts[bin] > 0 && hypothesis[bin] == 0);
        sum += counts[bin] * (entropy->logs[counts[bin]] - entropy->logs[hypothesis[bin]]);
    }
    if (!is_infinite)
        return sum > 0 ? 2 * sum : 0;
    sum = 0;
    for (uint32_t bin = 0; bin < bins; bin++)
        sum += counts[bin] * (entropy->logs[counts[bin]] - entropy->half_logs[hypothesis[bin]]);
    return entropy->critical + 2 * sum + entropy->smooth;
}

/* Compare counts with all hypotheses. */
static void find_nearest(struct entropy *entropy, const struct entropy_object *object,
                         const uint16_t *counts)
{
    entropy->statistic = HUGE_VAL;
    for (uint32_t index = 0; index < object->hypotheses_count; index++) {
        double statistic =
            statistic_to(entropy, counts, object->hypotheses + (size_t)index * object->bins);
        if (statistic < entropy->statistic) {
            entropy->statistic = statistic;
            entropy->nearest = index;
        }
    }
}

/* The window that find_nearest looked at is met. */
static enum mr_status learn_window(struct entropy *entropy, const struct mr_model_row *row,
                                   const uint16_t *counts, struct mr_error *error)
{
    struct entropy_object *object = row->object;
    if (!(entropy->statistic < entropy->critical))
        return add_hypothesis(row, counts, error);
    object->met[entropy->nearest / 8] |= (uint8_t)(1u << (entropy->nearest % 8));
    return MR_OK;
}

/* ---- The model ---- */

static struct shape shape_of(const struct mr_options *options)
{
    struct shape shape = {.range = RANGE_BEING_LEARNED,
                          .bins = (uint32_t)mr_options_integer(options, "bins"),
                          .hypotheses_max = (uint32_t)mr_options_integer(options, "hypotheses"),
                          .window = WINDOW_DEFAULT,
                          .range_records = RANGE_RECORDS_DEFAULT};
    if (mr_options_present(options, "window"))
        shape.window =
            (uint32_t)mr_options_integer(mr_options_get(options, "window")->objects, "count");
    if (mr_options_present(options, "range")) {
        const struct mr_options *range = mr_options_get(options, "range")->objects;
        if (mr_options_present(range, "minimum")) {
            shape.range = RANGE_GIVEN;
            shape.range_records = 0;
            shape.minimum = mr_options_number(range, "minimum");
            shape.maximum = mr_options_number(range, "maximum");
        } else {
            shape.range_records = (uint32_t)mr_options_integer(range, "records");
        }
    }
    shape.capacity = shape.window > shape.range_records ? shape.window : shape.range_records;
    return shape;
}

static void entropy_size(const struct mr_options *options, struct mr_model_size *size)
{
    struct shape shape = shape_of(options);
    uint32_t per_slot = SLOT_COUNTS / shape.bins;
    size_t counts_bytes = (size_t)shape.hypotheses_max * shape.bins * sizeof(uint16_t);
    size->object_bytes = sizeof(struct entropy_object) + (counts_bytes + 7) / 8 * 8;
    size->encoded_bytes = ENTROPY_BYTES_FIXED + (shape.hypotheses_max + 7) / 8 + 2 * shape.bins;
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max =
        mr_value_ring_slots(shape.capacity) + (shape.hypotheses_max + per_slot - 1) / per_slot;
}

static void entropy_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct entropy *entropy = self;
    const struct shape *shape = &entropy->shape;
    struct entropy_object *entry = object;
    MR_UNUSED(row);
    entry->range = shape->range;
    entry->bins = shape->bins;
    entry->hypotheses_max = shape->hypotheses_max;
    entry->window = shape->window;
    entry->capacity = shape->capacity;
    entry->minimum = shape->minimum;
    entry->maximum = shape->maximum;
}

static bool entropy_fits(const void *self, const void *object)
{
    const struct entropy *entropy = self;
    const struct shape *shape = &entropy->shape;
    const struct entropy_object *entry = object;
    if (entry->bins != shape->bins || entry->hypotheses_max != shape->hypotheses_max ||
        entry->window != shape->window || entry->capacity != shape->capacity)
        return false;
    if (shape->range != RANGE_GIVEN)
        return entry->range != RANGE_GIVEN;
    return entry->range == RANGE_GIVEN && !(entry->minimum < shape->minimum) &&
           !(entry->minimum > shape->minimum) && !(entry->maximum < shape->maximum) &&
           !(entry->maximum > shape->maximum);
}

static bool entropy_ready(const void *self, const void *object)
{
    const struct entropy *entropy = self;
    const struct entropy_object *entry = object;
    return entry->range != RANGE_BEING_LEARNED && entry->count >= entry->window &&
           entry->count >= entropy->warmup;
}

/* The counts of the window with the row's value in it. */
static enum mr_status count_window(struct entropy *entropy, const struct mr_model_row *row,
                                   struct mr_error *error)
{
    const struct entropy_object *object = row->object;
    memcpy(entropy->counts, object->counts, sizeof(entropy->counts));
    if (object->count >= object->window) {
        uint32_t oldest = (object->position + object->capacity - object->window) % object->capacity;
        double value;
        enum mr_status status = mr_value_ring_get(row->table, row->entry, oldest, &value, error);
        if (status != MR_OK)
            return status;
        uint32_t bin = bin_of(object, value);
        if (entropy->counts[bin] == 0)
            return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                           "the stored counts of a window are not those of its numbers");
        entropy->counts[bin]--;
    }
    entropy->counts[bin_of(object, row->values[0])]++;
    return MR_OK;
}

static enum mr_status entropy_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct entropy *entropy = self;
    const struct entropy_object *object = row->object;
    row->score = 0;
    row->own[ENTROPY_STATISTIC] = NAN;
    row->own[ENTROPY_HYPOTHESES] = object->hypotheses_count;
    row->own[ENTROPY_COUNT] = (double)object->count;
    entropy->statistic = HUGE_VAL;
    if (object->range == RANGE_BEING_LEARNED)
        return MR_OK;
    enum mr_status status = refresh(row, error);
    if (status == MR_OK)
        status = count_window(entropy, row, error);
    if (status != MR_OK || object->count + 1 < object->window)
        return status;
    find_nearest(entropy, object, entropy->counts);
    if (object->hypotheses_count == 0)
        return MR_OK;
    row->score = entropy->statistic / entropy->critical;
    row->p_value = mr_chi_square_tail(entropy->statistic, object->bins - 1);
    row->own[ENTROPY_STATISTIC] = entropy->statistic;
    return MR_OK;
}

/* The range is known: go through its numbers from the first window on. */
static enum mr_status replay(struct entropy *entropy, const struct mr_model_row *row,
                             struct mr_error *error)
{
    struct entropy_object *object = row->object;
    uint32_t count = (uint32_t)object->count;
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, count, entropy->scratch, error);
    object->range = RANGE_LEARNED;
    for (uint32_t index = 0; status == MR_OK && index < count; index++) {
        if (index >= object->window)
            object->counts[bin_of(object, entropy->scratch[index - object->window])]--;
        object->counts[bin_of(object, entropy->scratch[index])]++;
        if (index + 1 < object->window)
            continue;
        find_nearest(entropy, object, object->counts);
        status = learn_window(entropy, row, object->counts, error);
    }
    return status;
}

static enum mr_status learn_range(struct entropy *entropy, const struct mr_model_row *row,
                                  struct mr_error *error)
{
    struct entropy_object *object = row->object;
    double value = row->values[0];
    if (object->count == 1 || value < object->minimum)
        object->minimum = value;
    if (object->count == 1 || value > object->maximum)
        object->maximum = value;
    return object->count == entropy->shape.range_records ? replay(entropy, row, error) : MR_OK;
}

/* entropy->counts and nearest are as score left them. */
static enum mr_status entropy_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct entropy *entropy = self;
    struct entropy_object *object = row->object;
    double overwritten;
    enum mr_status status = mr_value_ring_exchange(row->table, row->entry, object->position,
                                                   row->values[0], &overwritten, error);
    if (status != MR_OK)
        return status;
    object->position = object->position + 1 == object->capacity ? 0 : object->position + 1;
    object->count++;
    if (object->range == RANGE_BEING_LEARNED)
        return learn_range(entropy, row, error);
    memcpy(object->counts, entropy->counts, sizeof(object->counts));
    return object->count < object->window ? MR_OK
                                          : learn_window(entropy, row, object->counts, error);
}

static const struct mr_model_type entropy_model = {
    .table = entropy_table,
    .version = ENTROPY_VERSION,
    .object_size = sizeof(struct entropy_object),
    .encoded_size_max = ENTROPY_BYTES_MAX,
    .size = entropy_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = entropy_begin,
    .fits = entropy_fits,
    .ready = entropy_ready,
    .score = entropy_score,
    .learn = entropy_learn,
};

/* ---- The detector ---- */

static void entropy_describe(const void *self, const struct mr_model_row *row,
                             struct mr_detector_finding *finding)
{
    const struct entropy *entropy = self;
    mr_detector_reason(finding,
                       "the last %u numbers of %s, with %.6g at their end, are spread unlike the "
                       "%.0f kinds of windows before: the statistic to the nearest is %.4g, %.4g "
                       "times the critical value %.4g; the threshold is %.6g",
                       entropy->shape.window, entropy->detector.field_text, row->values[0],
                       row->own[ENTROPY_HYPOTHESES], row->own[ENTROPY_STATISTIC], row->score,
                       entropy->critical, finding->threshold);
}

MR_DETECTOR_CODEC(entropy, entropy_model)

static const struct mr_detector_type entropy_detector = {
    .model = &entropy_model,
    .encode = entropy_encode,
    .decode = entropy_decode,
    .describe = entropy_describe,
};

/* What chi-square exceeds with probability significance. Its tail uses libm, and hypotheses, which
 * are state, depend on the result: rounded to 2^-20, where the libraries' last bits do not show. */
static double critical_value(uint32_t freedom, double significance)
{
    double low = 0;
    double high = 1024;
    for (int step = 0; step < 60; step++) {
        double middle = low + (high - low) / 2;
        if (mr_chi_square_tail(middle, freedom) > significance)
            low = middle;
        else
            high = middle;
    }
    return floor(low * 0x1p20 + 0.5) * 0x1p-20;
}

static void make_tables(struct entropy *entropy)
{
    uint32_t window = entropy->shape.window;
    entropy->logs = mr_memory_new((size_t)window + 1, sizeof(double));
    entropy->half_logs = mr_memory_new((size_t)window + 1, sizeof(double));
    for (uint32_t count = 0; count <= window; count++) {
        entropy->logs[count] = count == 0 ? 0 : mr_natural_log(count);
        entropy->half_logs[count] = mr_natural_log(count + 0.5);
    }
    entropy->smooth =
        2 * window * (mr_natural_log(window + 0.5 * entropy->shape.bins) - entropy->logs[window]);
}

static enum mr_status entropy_open(void *self, const struct mr_operator_open *open,
                                   struct mr_error *error)
{
    struct entropy *entropy = self;
    const struct mr_options *options = &open->node->options;
    entropy->shape = shape_of(options);
    entropy->warmup = (uint64_t)mr_options_integer(options, "warmup");
    entropy->critical =
        critical_value(entropy->shape.bins - 1, mr_options_number(options, "significance"));
    make_tables(entropy);
    if (entropy->shape.range_records > 0)
        entropy->scratch = mr_memory_new(entropy->shape.range_records, sizeof(double));
    return mr_detector_open(&entropy->detector, open, &entropy_detector, error);
}

static void entropy_close(void *self)
{
    struct entropy *entropy = self;
    mr_detector_close(self);
    mr_memory_free(entropy->logs);
    mr_memory_free(entropy->half_logs);
    mr_memory_free(entropy->scratch);
    entropy->logs = NULL;
    entropy->half_logs = NULL;
    entropy->scratch = NULL;
}

static enum mr_status entropy_describe_state(const struct mr_state_object *object,
                                             struct mr_arena *arena,
                                             struct mr_state_description *description,
                                             struct mr_error *error)
{
    MR_UNUSED(arena);
    struct entropy_object entry = {0};
    if (!mr_stage_describe(&entropy_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "window", mr_value_uint(entry.window));
    mr_describe_member(description, "bins", mr_value_uint(entry.bins));
    mr_describe_member(description, "hypotheses", mr_value_uint(entry.hypotheses_count));
    if (entry.range == RANGE_BEING_LEARNED)
        return MR_OK;
    mr_describe_member(description, "minimum", mr_value_double(entry.minimum));
    mr_describe_member(description, "maximum", mr_value_double(entry.maximum));
    return MR_OK;
}

/* A record writes a slot of the ring, and one of the hypotheses when it makes a new one. */
static void entropy_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    struct mr_state_estimate one = {0};
    mr_detector_estimate(&entropy_model, options, estimate);
    mr_estimate_object(0, MR_VALUE_RING_SLOT_BYTES, &one);
    estimate->changelog_bytes_per_record += one.changelog_bytes_per_record;
}

static enum mr_status check_range(const struct mr_options *range, struct mr_error *error)
{
    bool has_minimum = mr_options_present(range, "minimum");
    bool has_maximum = mr_options_present(range, "maximum");
    if (has_minimum != has_maximum)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`range` takes `minimum` and `maximum` together: give the other one too, or "
                       "`records` to learn both");
    if (has_minimum == mr_options_present(range, "records"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`range` takes either `minimum` and `maximum`, or `records` to learn them "
                       "from");
    if (has_minimum && !(mr_options_number(range, "minimum") < mr_options_number(range, "maximum")))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`range` has a minimum of %g and a maximum of %g: the minimum must be below",
                       mr_options_number(range, "minimum"), mr_options_number(range, "maximum"));
    return MR_OK;
}

static enum mr_status entropy_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    if (mr_options_present(options, "range")) {
        *option = "range";
        enum mr_status status = check_range(mr_options_get(options, "range")->objects, error);
        if (status != MR_OK)
            return status;
    }
    return mr_detector_check(options, option, error);
}

static const struct mr_option_spec entropy_window_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "52",
     .minimum = 2,
     .maximum = WINDOW_MAX,
     .help = "How many of the key's last records make a window, 2 to 4,096."},
    {.name = NULL},
};

static const struct mr_option_spec entropy_range_fields[] = {
    {.name = "minimum",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = -1e140,
     .maximum = 1e140,
     .help = "Where the bins begin, in the field's unit."},
    {.name = "maximum",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = -1e140,
     .maximum = 1e140,
     .help = "Where the bins end."},
    {.name = "records",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 2,
     .maximum = RANGE_RECORDS_MAX,
     .help = "Take the smallest and the largest of the key's first so many records instead; until "
             "then the score is 0."},
    {.name = NULL},
};

static const struct mr_option_spec entropy_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "1.0", "A record is an anomaly when its score is above this; 1 is where `significance` "
               "rejects each window seen before."),
    MR_DETECTOR_OPTION_WARMUP("100", 2, 1e6),
    MR_DETECTOR_OPTIONS,
    {.name = "bins",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "5",
     .minimum = 3,
     .maximum = BINS_MAX,
     .help = "Into how many bins the range is divided."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = entropy_window_fields,
     .help = "The key's last records, whose distribution is looked at. Default: the last 52."},
    {.name = "range",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = entropy_range_fields,
     .help = "Between which numbers the bins lie; what is outside falls into the first and the "
             "last. Default: {records: 500}."},
    {.name = "significance",
     .type = MR_OPTION_SHARE,
     .default_text = "0.01",
     .minimum = 1e-9,
     .maximum = 0.5,
     .help = "A hypothesis rejects a window that is less likely than this where the two are alike, "
             "by the chi-square test."},
    {.name = "hypotheses",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "64",
     .minimum = 1,
     .maximum = HYPOTHESES_MAX,
     .help = "How many kinds of windows are remembered; beyond them one that was not met for long "
             "is forgotten."},
    {.name = NULL},
};

static const struct mr_output_field entropy_fields[] = {
    MR_DETECTOR_MEMBERS("The statistic over its critical value, of the window that ends with the "
                        "record against all windows before."),
    {"statistic", MR_TYPE_DOUBLE,
     "2 n times the relative entropy of the window's n records to the nearest hypothesis."},
    {"hypotheses", MR_TYPE_INT, "Kinds of windows that were known."},
    {"count", MR_TYPE_INT, "Records that were learned."},
};

const struct mr_operator_type mr_operator_detect_relative_entropy = {
    .spec =
        {
            .name = "detect.relative_entropy",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds windows of numbers that are spread as no window before.",
            .description =
                "The numbers fall into bins of equal width; the window of the last n is compared "
                "with the kinds of windows seen before, the hypotheses. 2 n times the relative "
                "entropy to the nearest is about chi-square distributed with bins - 1 degrees "
                "where the two are alike; the score is it over the critical value at "
                "`significance`. A window that every hypothesis rejects (score above 1) becomes "
                "one, so that the second of its kind is no anomaly. The statistic is infinite for "
                "a hypothesis that has nothing in a bin that has something now: the counts are "
                "then compared with 1/2 added to each of the hypothesis, and the critical value "
                "is added, so that scores stay finite and ordered. p_value is chi-square's tail; "
                "it uses libm.\n\n"
                "Finds changes of how values are spread: levels that were never held, spread that "
                "grows or collapses, each once. Knows series with several levels and rhythms. Not "
                "for single outliers inside the range, nor for values that wander beyond the range "
                "for ever: they end in the outer bins.\n\n"
                "The first bin has what is at or below the minimum, the last one the two uppermost "
                "of the equal widths, as in the Numenta Anomaly Benchmark, whose relativeEntropy "
                "is `bins: 5, window: {count: 52}, significance: 0.01` with the range of the whole "
                "file; its score is 1 where this one is above 1, and 0 elsewhere. A learned range "
                "knows nothing of what comes. Keys that come with ranges of their own are scaled "
                "before, by a `map` to (value - low) / ((high - low) / 5.0), for `range: {minimum: "
                "0, maximum: 5}`.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State per key: about 70 bytes, "
                "8 per record of the window or of those that give the range, whichever is more, "
                "and 2 per bin of each hypothesis; about 210 bytes of changelog per record beside "
                "the keys, 340 with a new hypothesis. A record costs a look at each hypothesis; "
                "the one that ends the learning of the range costs that for each record before. "
                "Paper: Wang, Viswanathan, Choudur, Talwar, "
                "Satterfield and Schwan, Statistical techniques for online anomaly detection in "
                "data centers (2011).",
            .options = entropy_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = entropy_fields,
            .added_fields_count = MR_ARRAY_COUNT(entropy_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(ENTROPY_VERSION),
            .estimate = entropy_estimate,
            .check = entropy_check,
        },
    .instance_size = sizeof(struct entropy),
    .open = entropy_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = entropy_close,
    .state_table = entropy_table,
    .describe_state = entropy_describe_state,
};
