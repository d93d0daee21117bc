/* operators/detect_seasonal_esd.c — detect.seasonal_esd: outliers of what is left of a window
 * without its season and median, by the generalised extreme Studentised deviate test (S-H-ESD).
 * Source: Hochenbaum, Vallis, Kejariwal, Automatic anomaly detection in the cloud via statistical
 * learning (2017), with seasonal medians in the place of STL: in each period of the window the
 * distances from its own median, and of each place in the period their median over the periods. It
 * needs three periods to outvote an outlier. Design: stored are the numbers, in a ring of window +
 * step of them, each at its place since the key's first record; a record that was not learned is
 * put in as what was expected, so that it does not shift the season (before there is a season: as
 * the number before it). Every `step` records season, median and the sorted rest are computed anew
 * from the last window and kept beside the state (key_cache.h); each record is then tested as one
 * more number of that rest, so that the sample always has window + 1.
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0   uint32  period   4  uint32 periods   8  uint32 step
 *   12  uint64  records judged before the first place   20  uint64 places filled, the n-th at n mod
 *               (period periods + step)
 * Stored slots: operators/value_ring.h. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/extreme_deviates.h"
#include "operators/key_cache.h"
#include "operators/registry.h"
#include "operators/sorted_window.h"
#include "operators/value_ring.h"

enum {
    ESD_VERSION = 1,
    ESD_BYTES = 28,
    ESD_WINDOW_MIN = 10,
    ESD_WINDOW_MAX = 8192,
    ESD_OUTLIERS_MAX = 1024 /* critical values are made at open, some 0.1 ms each at most */
};
enum esd_own { ESD_SEASONAL, ESD_MEDIAN, ESD_RESIDUAL, ESD_DEVIATION, ESD_OUTLIERS, ESD_COUNT };

#define ESD_RESIDUAL_MAX 1e150 /* larger ones are judged as this: their square is a double */

static const char esd_table[] = "window";

struct esd_object {
    uint64_t origin;
    uint64_t count;
    uint32_t period;
    uint32_t periods;
    uint32_t step;
    uint32_t reserved; /* not stored */
};

struct esd_shape {
    uint32_t period;
    uint32_t periods;
    uint32_t step;
    uint32_t window;
    uint32_t capacity;
};

/* What follows from the window behind an anchor. */
struct esd_derived {
    uint64_t anchor; /* places before it; 0: nothing */
    double median;
    double numbers[]; /* the season by place in the period, then the sorted rest */
};

struct esd {
    struct mr_detector detector;
    struct esd_shape shape;
    struct mr_extreme_test test;
    struct mr_key_cache cache;
    double *critical; /* test.outliers_max */
    double *ring;     /* capacity */
    double *values;   /* window, oldest first */
    double *rest;     /* window + 1 */
    double *column;   /* window */
};

static struct esd_shape shape_of(const struct mr_options *options)
{
    struct esd_shape shape = {
        .period = (uint32_t)mr_options_integer(options, "period"),
        .periods = (uint32_t)mr_options_integer(options, "periods"),
        .step = (uint32_t)mr_options_integer(options, "step"),
    };
    shape.window = shape.period * shape.periods;
    shape.capacity = shape.window + shape.step;
    return shape;
}

static uint32_t options_outliers(const struct mr_options *options, uint32_t window)
{
    uint32_t count = (uint32_t)(mr_options_number(options, "max_anomalies") * (window + 1));
    return count > 1 ? count : 1;
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct esd_object *entry = object;
    mr_put_u32le(output, entry->period);
    mr_put_u32le(output + 4, entry->periods);
    mr_put_u32le(output + 8, entry->step);
    mr_put_u64le(output + 12, entry->origin);
    mr_put_u64le(output + 20, entry->count);
    return ESD_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct esd_object *entry = object;
    if (version != ESD_VERSION || stored.size != ESD_BYTES)
        return false;
    entry->period = mr_get_u32le(stored.data);
    entry->periods = mr_get_u32le(stored.data + 4);
    entry->step = mr_get_u32le(stored.data + 8);
    entry->origin = mr_get_u64le(stored.data + 12);
    entry->count = mr_get_u64le(stored.data + 20);
    return true;
}

static void esd_size(const struct mr_options *options, struct mr_model_size *size)
{
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max = mr_value_ring_slots(shape_of(options).capacity);
}

static void esd_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct esd *esd = self;
    struct esd_object *entry = object;
    entry->origin = row->seen;
    entry->period = esd->shape.period;
    entry->periods = esd->shape.periods;
    entry->step = esd->shape.step;
}

static bool esd_fits(const void *self, const void *object)
{
    const struct esd *esd = self;
    const struct esd_object *entry = object;
    return entry->period == esd->shape.period && entry->periods == esd->shape.periods &&
           entry->step == esd->shape.step;
}

static bool esd_ready(const void *self, const void *object)
{
    const struct esd *esd = self;
    const struct esd_object *entry = object;
    return entry->count >= esd->shape.window;
}

/* ---- What is derived ---- */

static double median_of(double *values, uint32_t count)
{
    mr_sorted_window_sort(values, count);
    return mr_sorted_window_median(values, count);
}

/* Season, median and rest of esd->values, the window behind anchor. */
static void decompose(struct esd *esd, uint64_t anchor, struct esd_derived *derived)
{
    const struct esd_shape *shape = &esd->shape;
    double *season = derived->numbers;
    double *rest = derived->numbers + shape->period;
    for (uint32_t first = 0; first < shape->window; first += shape->period) {
        memcpy(esd->column, esd->values + first, shape->period * sizeof(double));
        double level = median_of(esd->column, shape->period);
        for (uint32_t place = first; place < first + shape->period; place++)
            rest[place] = esd->values[place] - level;
    }
    for (uint32_t place = 0; place < shape->period; place++) {
        for (uint32_t period = 0; period < shape->periods; period++)
            esd->column[period] = rest[place + period * shape->period];
        season[(anchor + place) % shape->period] = median_of(esd->column, shape->periods);
    }
    memcpy(esd->column, esd->values, shape->window * sizeof(double));
    derived->median = median_of(esd->column, shape->window);
    for (uint32_t place = 0; place < shape->window; place++)
        rest[place] =
            esd->values[place] - season[(anchor + place) % shape->period] - derived->median;
    mr_sorted_window_sort(rest, shape->window);
    derived->anchor = anchor;
}

/* Of a key that is ready: as of the last anchor, made anew where the cache has another. */
static enum mr_status find_derived(struct esd *esd, const struct mr_model_row *row,
                                   struct esd_derived **derived, struct mr_error *error)
{
    const struct esd_object *entry = row->object;
    const struct esd_shape *shape = &esd->shape;
    uint64_t anchor = entry->count - (entry->count - shape->window) % shape->step;
    bool found;
    *derived = mr_key_cache_get(&esd->cache, row->seed, &found);
    if (found && (*derived)->anchor == anchor)
        return MR_OK;
    (*derived)->anchor = 0;
    uint32_t held = entry->count < shape->capacity ? (uint32_t)entry->count : shape->capacity;
    enum mr_status status = mr_value_ring_read(row->table, row->entry, held, esd->ring, error);
    if (status != MR_OK)
        return status;
    for (uint32_t place = 0; place < shape->window; place++)
        esd->values[place] = esd->ring[(anchor - shape->window + place) % shape->capacity];
    decompose(esd, anchor, *derived);
    return MR_OK;
}

/* ---- Judging and learning ---- */

static enum mr_status esd_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct esd *esd = self;
    const struct esd_object *entry = row->object;
    const struct esd_shape *shape = &esd->shape;
    row->score = 0;
    for (uint32_t own = 0; own < ESD_COUNT; own++)
        row->own[own] = NAN;
    row->own[ESD_COUNT] = (double)entry->count;
    if (!esd_ready(esd, entry))
        return MR_OK;
    struct esd_derived *derived;
    enum mr_status status = find_derived(esd, row, &derived, error);
    if (status != MR_OK)
        return status;
    double seasonal = derived->numbers[(row->seen - entry->origin) % shape->period];
    double residual = row->values[0] - seasonal - derived->median;
    residual = residual > ESD_RESIDUAL_MAX ? ESD_RESIDUAL_MAX : residual;
    residual = residual < -ESD_RESIDUAL_MAX ? -ESD_RESIDUAL_MAX : residual;
    memcpy(esd->rest, derived->numbers + shape->period, shape->window * sizeof(double));
    mr_sorted_window_insert(esd->rest, shape->window, residual);
    struct mr_extreme_verdict verdict =
        mr_extreme_judge(&esd->test, esd->rest, shape->window + 1, residual, NULL);
    row->score = verdict.score;
    row->own[ESD_SEASONAL] = seasonal;
    row->own[ESD_MEDIAN] = derived->median;
    row->own[ESD_RESIDUAL] = residual;
    row->own[ESD_DEVIATION] = verdict.deviation;
    row->own[ESD_OUTLIERS] = verdict.outliers;
    return MR_OK;
}

static enum mr_status put(const struct esd *esd, struct mr_model_row *row, uint64_t place,
                          double number, struct mr_error *error)
{
    double old;
    return mr_value_ring_exchange(row->table, row->entry, (uint32_t)(place % esd->shape.capacity),
                                  number, &old, error);
}

/* Fill the places of records that were not learned, up to end. */
static enum mr_status fill_gap(struct esd *esd, struct mr_model_row *row, uint64_t end,
                               struct mr_error *error)
{
    const struct esd_object *entry = row->object;
    const struct esd_shape *shape = &esd->shape;
    struct esd_derived *derived = NULL;
    double before = 0;
    enum mr_status status = MR_OK;
    if (esd_ready(esd, entry))
        status = find_derived(esd, row, &derived, error);
    else if (entry->count > 0)
        status =
            mr_value_ring_get(row->table, row->entry,
                              (uint32_t)((entry->count - 1) % shape->capacity), &before, error);
    uint64_t place = entry->count;
    if (end - place > shape->capacity)
        place = end - shape->capacity;
    for (; status == MR_OK && place < end; place++)
        status = put(esd, row, place,
                     derived == NULL ? before
                                     : derived->numbers[place % shape->period] + derived->median,
                     error);
    return status;
}

static enum mr_status esd_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct esd *esd = self;
    struct esd_object *entry = row->object;
    uint64_t place = row->seen - entry->origin;
    bool was_ready = esd_ready(esd, entry);
    enum mr_status status = MR_OK;
    if (place > entry->count)
        status = fill_gap(esd, row, place, error);
    if (status == MR_OK)
        status = put(esd, row, place, row->values[0], error);
    if (status != MR_OK)
        return status;
    entry->count = place + 1;
    if (!was_ready && esd_ready(esd, entry)) {
        /* What an earlier life of the key may have left with this anchor is not its own. */
        bool found;
        struct esd_derived *derived = mr_key_cache_get(&esd->cache, row->seed, &found);
        derived->anchor = 0;
    }
    return MR_OK;
}

static const struct mr_model_type esd_model = {
    .table = esd_table,
    .version = ESD_VERSION,
    .object_size = sizeof(struct esd_object),
    .encoded_size_max = ESD_BYTES,
    .size = esd_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = esd_begin,
    .fits = esd_fits,
    .ready = esd_ready,
    .score = esd_score,
    .learn = esd_learn,
};

/* ---- The detector ---- */

static void esd_describe(const void *self, const struct mr_model_row *row,
                         struct mr_detector_finding *finding)
{
    const struct esd *esd = self;
    mr_detector_reason(finding,
                       "%s is %.6g where %.6g is usual: its residual %.6g (deviation %.6g) is "
                       "%.4g times the test's critical value, with %.0f outliers of %u records; "
                       "the threshold is %.6g",
                       esd->detector.field_text, row->values[0],
                       row->own[ESD_SEASONAL] + row->own[ESD_MEDIAN], row->own[ESD_RESIDUAL],
                       row->own[ESD_DEVIATION], row->score, row->own[ESD_OUTLIERS],
                       esd->shape.window + 1, finding->threshold);
}

MR_DETECTOR_CODEC(esd, esd_model)

static const struct mr_detector_type esd_detector = {
    .model = &esd_model,
    .encode = esd_encode,
    .decode = esd_decode,
    .describe = esd_describe,
};

static enum mr_status esd_open(void *self, const struct mr_operator_open *open,
                               struct mr_error *error)
{
    struct esd *esd = self;
    const struct mr_options *options = &open->node->options;
    esd->shape = shape_of(options);
    uint32_t window = esd->shape.window;
    uint32_t outliers = options_outliers(options, window);
    esd->critical = mr_memory_new(outliers, sizeof(double));
    esd->ring = mr_memory_new(esd->shape.capacity, sizeof(double));
    esd->values = mr_memory_new(window, sizeof(double));
    esd->rest = mr_memory_new(window + 1, sizeof(double));
    esd->column = mr_memory_new(window, sizeof(double));
    mr_key_cache_init(&esd->cache,
                      sizeof(struct esd_derived) +
                          ((size_t)esd->shape.period + window) * sizeof(double),
                      MR_KEY_CACHE_BYTES);
    mr_extreme_critical(window + 1, outliers, mr_options_number(options, "alpha"), esd->critical);
    esd->test = (struct mr_extreme_test){
        .outliers_max = outliers,
        .is_robust = mr_options_boolean(options, "hybrid"),
        .scale_floor = mr_options_number(options, "scale_floor"),
        .critical = esd->critical,
    };
    return mr_detector_open(&esd->detector, open, &esd_detector, error);
}

static void esd_close(void *self)
{
    struct esd *esd = self;
    mr_detector_close(self);
    mr_key_cache_deinit(&esd->cache);
    mr_memory_free(esd->critical);
    mr_memory_free(esd->ring);
    mr_memory_free(esd->values);
    mr_memory_free(esd->rest);
    mr_memory_free(esd->column);
    esd->critical = esd->ring = esd->values = esd->rest = esd->column = NULL;
}

static enum mr_status esd_describe_state(const struct mr_state_object *object,
                                         struct mr_arena *arena,
                                         struct mr_state_description *description,
                                         struct mr_error *error)
{
    MR_UNUSED(arena);
    struct esd_object entry = {0};
    if (!mr_stage_describe(&esd_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "period", mr_value_uint(entry.period));
    mr_describe_member(description, "periods", mr_value_uint(entry.periods));
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    return MR_OK;
}

static void esd_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&esd_model, options, estimate);
}

static enum mr_status esd_check(const struct mr_options *options, const char **option,
                                struct mr_error *error)
{
    int64_t window = mr_options_integer(options, "period") * mr_options_integer(options, "periods");
    *option = "periods";
    if (window < ESD_WINDOW_MIN || window > ESD_WINDOW_MAX)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`period` times `periods` makes a window of %lld records: it must have %d "
                       "to %d",
                       (long long)window, ESD_WINDOW_MIN, ESD_WINDOW_MAX);
    uint32_t outliers = options_outliers(options, (uint32_t)window);
    *option = "max_anomalies";
    if (outliers > ESD_OUTLIERS_MAX)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`max_anomalies` makes up to %u outliers in a window of %lld records, and "
                       "each is a step of the test: it must be %d at most",
                       outliers, (long long)window, ESD_OUTLIERS_MAX);
    return mr_detector_check(options, option, error);
}

static const struct mr_option_spec esd_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD("1.0", "A record is an anomaly when its statistic is more than so "
                                        "many times the test's critical value: 1 is the test."),
    MR_DETECTOR_OPTIONS,
    {.name = "period",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = ESD_WINDOW_MAX,
     .help = "Records of one season; 1: there is none."},
    {.name = "periods",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "5",
     .minimum = 2,
     .maximum = ESD_WINDOW_MAX,
     .help =
         "Seasons of the window; with `period` 10 to 8,192 records. Until so many came a key is "
         "learning."},
    {.name = "step",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "10",
     .minimum = 1,
     .maximum = ESD_WINDOW_MAX,
     .help = "Records after which season, median and residuals are computed anew from the last "
             "window. Each record is tested against them."},
    {.name = "max_anomalies",
     .type = MR_OPTION_SHARE,
     .default_text = "0.1",
     .minimum = 0,
     .maximum = 0.49,
     .help = "The largest share of a window that may be outliers; one at least. Up to 1,024 "
             "records."},
    {.name = "alpha",
     .type = MR_OPTION_SHARE,
     .default_text = "0.05",
     .minimum = 1e-9,
     .maximum = 0.5,
     .help = "How likely a window of normal numbers without an outlier has one by the test."},
    {.name = "hybrid",
     .type = MR_OPTION_BOOLEAN,
     .default_text = "true",
     .help = "Test by median and median absolute deviation; false: by mean and standard deviation, "
             "as Rosner's test has it."},
    {.name = "scale_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-9",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help = "A deviation below this, in the field's unit, counts as this."},
    {.name = NULL},
};

static const struct mr_output_field esd_fields[] = {
    MR_DETECTOR_MEMBERS(
        "The test's statistic over its critical value, where the record goes out or "
        "behind: above 1 for outliers."),
    {"seasonal", MR_TYPE_DOUBLE, "What the season adds here; null while the window fills."},
    {"median", MR_TYPE_DOUBLE, "Median of the window."},
    {"residual", MR_TYPE_DOUBLE, "value - seasonal - median."},
    {"deviation", MR_TYPE_DOUBLE,
     "1.4826 times the residuals' median absolute deviation, or their standard deviation."},
    {"outliers", MR_TYPE_INT, "Outliers in the window, with this record."},
    {"count", MR_TYPE_INT, "Records that are in the key's series so far."},
};

const struct mr_operator_type mr_operator_detect_seasonal_esd = {
    .spec =
        {
            .name = "detect.seasonal_esd",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds outliers of a window without its season, by the generalised ESD test "
                       "(S-H-ESD).",
            .description =
                "Takes season and median from the key's last `periods` seasons, and tests the "
                "record among what is left: the number farthest from the median is taken out again "
                "and again, and the last step at which it is too far for its sample says how many "
                "outliers there are. Several outliers do not hide each other, and the deviation is "
                "robust. `alpha` is about a whole window, so that the threshold does not depend on "
                "its length.\n\n"
                "The season is a median over the periods of the distances from each period's own "
                "median: give three periods or more. Levels that rise within the window widen the "
                "residuals; use detect.forecast for series with a trend. A season's place is "
                "counted in records: give each key one record per interval, and let `on_missing: "
                "impute` fill what is missing. A record that is not learned is put in as what was "
                "expected. The test is exact for normal residuals with `hybrid: false`; heavy "
                "tails give more anomalies.\n\n"
                "With `hybrid: false` the test is Rosner's (checked with NIST's example). No libm: "
                "the same bits on every machine. Numbers beyond +-1e140 are judged but not "
                "learned. State: 37 bytes and 8 (period periods + step) a key. Changelog: 37 and "
                "128 bytes per record beside the keys. Cost: a step of the test for each possible "
                "outlier, O(log window) each (O(window) with `hybrid: false`), and three sorts of "
                "the window every `step` records; of the keys seen last the sorted windows are "
                "kept, 16 MiB in all. Papers: Rosner, Technometrics 25 (1983); Hochenbaum, Vallis "
                "and Kejariwal, Automatic Anomaly Detection in the Cloud Via Statistical Learning "
                "(2017).",
            .options = esd_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = esd_fields,
            .added_fields_count = MR_ARRAY_COUNT(esd_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(ESD_VERSION),
            .estimate = esd_estimate,
            .check = esd_check,
        },
    .instance_size = sizeof(struct esd),
    .open = esd_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = esd_close,
    .state_table = esd_table,
    .describe_state = esd_describe_state,
};
