/* operators/detect_forecast.c — detect.forecast: how far a record is from what level, trend and
 * season of its key's earlier records said it would be (Holt-Winters, one step ahead).
 * Sources: Holt (1957, reprinted International Journal of Forecasting 20, 2004); Winters,
 * Forecasting sales by exponentially weighted moving averages (Management Science 6, 1960); in the
 * form of Hyndman, Koehler, Ord and Snyder (2008), which is that of statsmodels:
 *
 *   base     = level + trend
 *   forecast = base + s | base s | base                     season of the record's place, or none
 *   level'   = alpha (x - s | x / s | x) + (1 - alpha) base
 *   trend'   = beta (level' - level) + (1 - beta) trend
 *   s'       = gamma (x - base | x / base) + (1 - gamma) s
 *
 * The start: the means of the first two seasons make a line; the season is the mean of both
 * seasons' distances from it (multiplicative: their sum over the line's). Without a season the
 * first 20 records are taken as two of ten. A start with a gap begins anew. Design: places count
 * the records that were judged, also those that were not learned, over which level and trend are
 * carried on; so that an anomaly that is left out does not shift the season. The size of an error
 * is learned with a bound (bounded_scale.h). Season factors stay within 1e-9 and 1e9 and follow a
 * base above 0 only, so that no division leaves the numbers.
 *
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0   uint8   season: 0 none, 1 additive, 2 multiplicative   1  uint32 period (none: 0)
 *   5   uint64  place of the first record of the start   13  uint64 place behind the last learned
 *   21  uint64  errors learned   29  double their mean absolute size
 *   37  double  level   45  double trend; in the start: sums of the first and the second season
 * Stored slots (with a season): operators/value_ring.h; in the start: sums of both seasons. */
#include "operators/detector.h"

#include <math.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/bounded_scale.h"
#include "operators/registry.h"
#include "operators/value_ring.h"

enum {
    FORECAST_VERSION = 1,
    FORECAST_BYTES = 53,
    FORECAST_PERIOD_MAX = 65536,
    FORECAST_HALF = 10 /* of the start without a season */
};
enum forecast_season { FORECAST_NONE, FORECAST_ADDITIVE, FORECAST_MULTIPLICATIVE };
enum forecast_own {
    FORECAST_FORECAST,
    FORECAST_RESIDUAL,
    FORECAST_SD,
    FORECAST_LEVEL,
    FORECAST_TREND,
    FORECAST_SEASON,
    FORECAST_COUNT
};

static const double factor_max = 1e9; /* of a multiplicative season */

static const char forecast_table[] = "season";
static const char *const forecast_seasons[] = {"none", "additive", "multiplicative", NULL};

struct forecast_object {
    uint64_t origin;
    uint64_t next;
    struct mr_bounded_scale errors;
    double level;
    double trend;
    uint32_t period;
    uint32_t season;
};

struct forecast {
    struct mr_detector detector;
    enum forecast_season season;
    uint32_t period; /* 0: none */
    uint64_t warmup;
    double alpha;
    double beta;
    double gamma;
    double scale_decay;
    double scale_floor;
    double *scratch; /* period numbers */
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct forecast_object *entry = object;
    output[0] = (uint8_t)entry->season;
    mr_put_u32le(output + 1, entry->period);
    mr_put_u64le(output + 5, entry->origin);
    mr_put_u64le(output + 13, entry->next);
    mr_put_u64le(output + 21, entry->errors.count);
    mr_put_double_le(output + 29, entry->errors.mean);
    mr_put_double_le(output + 37, entry->level);
    mr_put_double_le(output + 45, entry->trend);
    return FORECAST_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct forecast_object *entry = object;
    if (version != FORECAST_VERSION || stored.size != FORECAST_BYTES)
        return false;
    entry->season = stored.data[0];
    entry->period = mr_get_u32le(stored.data + 1);
    entry->origin = mr_get_u64le(stored.data + 5);
    entry->next = mr_get_u64le(stored.data + 13);
    entry->errors.count = mr_get_u64le(stored.data + 21);
    entry->errors.mean = mr_get_double_le(stored.data + 29);
    entry->level = mr_get_double_le(stored.data + 37);
    entry->trend = mr_get_double_le(stored.data + 45);
    return entry->season <= FORECAST_MULTIPLICATIVE && entry->next >= entry->origin &&
           entry->period <= FORECAST_PERIOD_MAX &&
           (entry->season == FORECAST_NONE) == (entry->period == 0);
}

static enum forecast_season options_season(const struct mr_options *options, uint32_t *period)
{
    enum forecast_season season = (enum forecast_season)mr_options_integer(options, "season");
    *period = season == FORECAST_NONE ? 0 : (uint32_t)mr_options_integer(options, "period");
    return season;
}

static void forecast_size(const struct mr_options *options, struct mr_model_size *size)
{
    uint32_t period;
    if (options_season(options, &period) == FORECAST_NONE)
        return;
    size->slot_bytes = MR_VALUE_RING_SLOT_BYTES;
    size->slots_max = mr_value_ring_slots(period);
}

static void forecast_begin(const void *self, const struct mr_model_row *row, void *object)
{
    const struct forecast *forecast = self;
    struct forecast_object *entry = object;
    entry->origin = row->seen;
    entry->next = row->seen;
    entry->period = forecast->period;
    entry->season = forecast->season;
}

static bool forecast_fits(const void *self, const void *object)
{
    const struct forecast *forecast = self;
    const struct forecast_object *entry = object;
    return entry->season == forecast->season && entry->period == forecast->period;
}

static uint32_t half_of(const struct forecast_object *entry)
{
    return entry->period == 0 ? FORECAST_HALF : entry->period;
}

static bool is_started(const struct forecast_object *entry)
{
    return entry->next - entry->origin >= 2 * (uint64_t)half_of(entry);
}

static bool forecast_ready(const void *self, const void *object)
{
    const struct forecast *forecast = self;
    const struct forecast_object *entry = object;
    return is_started(entry) && entry->errors.count >= forecast->warmup;
}

/* The record's place in the season. */
static uint32_t place_of(const struct forecast_object *entry, uint64_t seen)
{
    return (uint32_t)((seen - entry->origin) % entry->period);
}

/* Level and trend carried on to the record: over more than one step where records before it were
 * not learned. */
static double base_of(const struct forecast_object *entry, uint64_t seen, double *level)
{
    *level = entry->level + (double)(seen - entry->next) * entry->trend;
    return *level + entry->trend;
}

/* ---- Judging ---- */

static enum mr_status forecast_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct forecast *forecast = self;
    const struct forecast_object *entry = row->object;
    row->score = 0;
    for (uint32_t own = 0; own < FORECAST_COUNT; own++)
        row->own[own] = NAN;
    row->own[FORECAST_COUNT] = (double)entry->errors.count;
    if (!is_started(entry))
        return MR_OK;
    double level;
    double base = base_of(entry, row->seen, &level);
    double expected = base;
    if (entry->season != FORECAST_NONE) {
        double season;
        enum mr_status status =
            mr_value_ring_get(row->table, row->entry, place_of(entry, row->seen), &season, error);
        if (status != MR_OK)
            return status;
        expected = entry->season == FORECAST_ADDITIVE ? base + season : base * season;
        row->own[FORECAST_SEASON] = season;
    }
    double residual = row->values[0] - expected;
    double sd = mr_bounded_scale_sd(&entry->errors, forecast->scale_floor);
    row->score = fabs(residual) / sd;
    row->own[FORECAST_FORECAST] = expected;
    row->own[FORECAST_RESIDUAL] = residual;
    row->own[FORECAST_SD] = sd;
    row->own[FORECAST_LEVEL] = entry->level;
    row->own[FORECAST_TREND] = entry->trend;
    return MR_OK;
}

/* ---- Learning ---- */

static double bounded_factor(double factor)
{
    return factor > factor_max ? factor_max : factor < 1 / factor_max ? 1 / factor_max : factor;
}

/* The sums of both seasons become the season. line: the sum of the line's two values at place 0;
 * step: what it grows by from place to place. */
static enum mr_status make_season(struct forecast *forecast, struct mr_model_row *row, double line,
                                  double step, struct mr_error *error)
{
    const struct forecast_object *entry = row->object;
    enum mr_status status =
        mr_value_ring_read(row->table, row->entry, entry->period, forecast->scratch, error);
    for (uint32_t place = 0; status == MR_OK && place < entry->period; place++) {
        double sum = forecast->scratch[place];
        double both = line + place * step;
        double season = (sum - both) / 2;
        if (entry->season == FORECAST_MULTIPLICATIVE)
            season = both > 0 ? bounded_factor(sum / both) : 1;
        double old;
        status = mr_value_ring_exchange(row->table, row->entry, place, season, &old, error);
    }
    return status;
}

static enum mr_status end_start(struct forecast *forecast, struct mr_model_row *row,
                                struct mr_error *error)
{
    struct forecast_object *entry = row->object;
    double half = half_of(entry);
    double first = entry->level / half;
    double second = entry->trend / half;
    double slope = (second - first) / half;
    double middle = (first + second) / 2;
    entry->level = middle + slope * (2 * half - 1) / 2;
    entry->trend = slope;
    if (entry->season == FORECAST_NONE)
        return MR_OK;
    return make_season(forecast, row, 2 * middle - slope * (half - 1), 2 * slope, error);
}

static enum mr_status learn_start(struct forecast *forecast, struct mr_model_row *row,
                                  struct mr_error *error)
{
    struct forecast_object *entry = row->object;
    double value = row->values[0];
    if (row->seen != entry->next) { /* a gap */
        entry->origin = row->seen;
        entry->level = 0;
        entry->trend = 0;
    }
    bool is_first = row->seen - entry->origin < half_of(entry);
    *(is_first ? &entry->level : &entry->trend) += value;
    entry->next = row->seen + 1;
    if (entry->season != FORECAST_NONE) {
        uint32_t place = place_of(entry, row->seen);
        double sum = 0;
        enum mr_status status = MR_OK;
        if (!is_first)
            status = mr_value_ring_get(row->table, row->entry, place, &sum, error);
        if (status == MR_OK)
            status =
                mr_value_ring_exchange(row->table, row->entry, place, sum + value, &sum, error);
        if (status != MR_OK)
            return status;
    }
    return is_started(entry) ? end_start(forecast, row, error) : MR_OK;
}

static enum mr_status learn_season(const struct forecast *forecast, struct mr_model_row *row,
                                   double base, struct mr_error *error)
{
    const struct forecast_object *entry = row->object;
    double season = row->own[FORECAST_SEASON];
    double value = row->values[0];
    double keep = 1 - forecast->gamma;
    if (entry->season == FORECAST_ADDITIVE)
        season = forecast->gamma * (value - base) + keep * season;
    else if (base > 0)
        season = bounded_factor(forecast->gamma * (value / base) + keep * season);
    double old;
    return mr_value_ring_exchange(row->table, row->entry, place_of(entry, row->seen), season, &old,
                                  error);
}

static enum mr_status forecast_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct forecast *forecast = self;
    struct forecast_object *entry = row->object;
    double value = row->values[0];
    if (entry->season == FORECAST_MULTIPLICATIVE && value <= 0)
        return MR_OK;
    if (!is_started(entry))
        return learn_start(forecast, row, error);
    double level;
    double base = base_of(entry, row->seen, &level);
    double plain = value;
    if (entry->season == FORECAST_ADDITIVE)
        plain = value - row->own[FORECAST_SEASON];
    else if (entry->season == FORECAST_MULTIPLICATIVE)
        plain = value / row->own[FORECAST_SEASON];
    mr_bounded_scale_learn(&entry->errors, row->own[FORECAST_RESIDUAL], forecast->scale_decay,
                           forecast->scale_floor);
    entry->level = forecast->alpha * plain + (1 - forecast->alpha) * base;
    entry->trend = forecast->beta * (entry->level - level) + (1 - forecast->beta) * entry->trend;
    entry->next = row->seen + 1;
    return entry->season == FORECAST_NONE ? MR_OK : learn_season(forecast, row, base, error);
}

static const struct mr_model_type forecast_model = {
    .table = forecast_table,
    .version = FORECAST_VERSION,
    .object_size = sizeof(struct forecast_object),
    .encoded_size_max = FORECAST_BYTES,
    .size = forecast_size,
    .encode = object_encode,
    .decode = object_decode,
    .begin = forecast_begin,
    .fits = forecast_fits,
    .ready = forecast_ready,
    .score = forecast_score,
    .learn = forecast_learn,
};

/* ---- The detector ---- */

static void forecast_describe(const void *self, const struct mr_model_row *row,
                              struct mr_detector_finding *finding)
{
    const struct forecast *forecast = self;
    mr_detector_reason(finding,
                       "%s is %.6g, %.4g standard deviations %s the forecast %.6g (sd of its "
                       "errors %.6g); the threshold is %.6g",
                       forecast->detector.field_text, row->values[0], row->score,
                       row->own[FORECAST_RESIDUAL] > 0 ? "above" : "below",
                       row->own[FORECAST_FORECAST], row->own[FORECAST_SD], finding->threshold);
}

MR_DETECTOR_CODEC(forecast, forecast_model)

static const struct mr_detector_type forecast_detector = {
    .model = &forecast_model,
    .encode = forecast_encode,
    .decode = forecast_decode,
    .describe = forecast_describe,
};

static enum mr_status forecast_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct forecast *forecast = self;
    const struct mr_options *options = &open->node->options;
    forecast->season = options_season(options, &forecast->period);
    forecast->warmup = (uint64_t)mr_options_integer(options, "warmup");
    forecast->alpha = mr_options_number(options, "alpha");
    forecast->beta = mr_options_number(options, "beta");
    forecast->gamma = mr_options_number(options, "gamma");
    forecast->scale_decay = mr_options_number(options, "scale_decay");
    forecast->scale_floor = mr_options_number(options, "scale_floor");
    if (forecast->period > 0)
        forecast->scratch = mr_memory_new(forecast->period, sizeof(double));
    return mr_detector_open(&forecast->detector, open, &forecast_detector, error);
}

static void forecast_close(void *self)
{
    struct forecast *forecast = self;
    mr_detector_close(self);
    mr_memory_free(forecast->scratch);
    forecast->scratch = NULL;
}

static enum mr_status forecast_describe_state(const struct mr_state_object *object,
                                              struct mr_arena *arena,
                                              struct mr_state_description *description,
                                              struct mr_error *error)
{
    MR_UNUSED(arena);
    struct forecast_object entry = {0};
    if (!mr_stage_describe(&forecast_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "season",
                       mr_value_string(mr_slice_text(forecast_seasons[entry.season])));
    if (entry.period > 0)
        mr_describe_member(description, "period", mr_value_uint(entry.period));
    mr_describe_member(description, "count", mr_value_uint(entry.errors.count));
    if (!is_started(&entry))
        return MR_OK;
    mr_describe_member(description, "level", mr_value_double(entry.level));
    mr_describe_member(description, "trend", mr_value_double(entry.trend));
    mr_describe_member(description, "sd", mr_value_double(MR_BOUNDED_SCALE_SD * entry.errors.mean));
    return MR_OK;
}

static void forecast_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&forecast_model, options, estimate);
}

static enum mr_status check_season(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    bool is_seasonal = mr_options_integer(options, "season") != FORECAST_NONE;
    *option = "period";
    if (is_seasonal && !mr_options_present(options, "period"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a season needs its length: give `period`, in records (24 for hourly "
                       "records of a day), or say `season: none`");
    if (!is_seasonal && mr_options_present(options, "period"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`period` means nothing with `season: none`: leave one of them out");
    *option = "gamma";
    if (is_seasonal &&
        mr_options_number(options, "alpha") + mr_options_number(options, "gamma") > 1)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`alpha` (%g) and `gamma` (%g) together must be at most 1: level and season "
                       "would learn the same error twice and swing",
                       mr_options_number(options, "alpha"), mr_options_number(options, "gamma"));
    return MR_OK;
}

static enum mr_status forecast_check(const struct mr_options *options, const char **option,
                                     struct mr_error *error)
{
    enum mr_status status = check_season(options, option, error);
    return status == MR_OK ? mr_detector_check(options, option, error) : status;
}

static const struct mr_option_spec forecast_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD("5.0", "A record is an anomaly when its forecast's error, in "
                                        "standard deviations of earlier errors, is above this."),
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 2,
     .maximum = 1e6,
     .help = "Forecast errors of a key that are only learned, behind the two seasons of the start: "
             "their score is 0."},
    MR_DETECTOR_OPTIONS,
    {.name = "season",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "additive",
     .choices = forecast_seasons,
     .help = "What repeats: nothing (none), a difference from the level (additive), or a factor of "
             "it (multiplicative: for numbers above 0; others are judged, not learned)."},
    {.name = "period",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 2,
     .maximum = FORECAST_PERIOD_MAX,
     .help = "Records of one season, 2 to 65,536. Needed unless `season: none`."},
    {.name = "alpha",
     .type = MR_OPTION_SHARE,
     .default_text = "0.2",
     .minimum = 1e-6,
     .maximum = 1,
     .help = "How fast the level follows: the weight of the newest record."},
    {.name = "beta",
     .type = MR_OPTION_SHARE,
     .default_text = "0.01",
     .minimum = 0,
     .maximum = 1,
     .help = "How fast the trend follows the level's last step. 0: it stays as at the start."},
    {.name = "gamma",
     .type = MR_OPTION_SHARE,
     .default_text = "0.1",
     .minimum = 0,
     .maximum = 1,
     .help = "How fast the season follows. With `alpha` at most 1."},
    {.name = "scale_decay",
     .type = MR_OPTION_SHARE,
     .default_text = "0.01",
     .minimum = 0,
     .maximum = 0.5,
     .help = "Weight of the newest error in the errors' standard deviation, at least 1/n for the "
             "n-th; 0 weighs all alike."},
    {.name = "scale_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-9",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help = "A standard deviation of errors below this, in the field's unit, counts as this."},
    {.name = NULL},
};

static const struct mr_output_field forecast_fields[] = {
    MR_DETECTOR_MEMBERS("|value - forecast| in standard deviations of earlier errors."),
    {"forecast", MR_TYPE_DOUBLE, "What was expected; null while the start is learned."},
    {"residual", MR_TYPE_DOUBLE, "value - forecast."},
    {"sd", MR_TYPE_DOUBLE, "Standard deviation of earlier errors, the floor at least."},
    {"level", MR_TYPE_DOUBLE, "The level behind the last record that was learned."},
    {"trend", MR_TYPE_DOUBLE, "What the level grows by from record to record."},
    {"season", MR_TYPE_DOUBLE, "What the season adds here, or multiplies by; null without one."},
    {"count", MR_TYPE_INT, "Forecast errors that were learned."},
};

const struct mr_operator_type mr_operator_detect_forecast = {
    .spec =
        {
            .name = "detect.forecast",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers far from what level, trend and season of their key say "
                       "(Holt-Winters).",
            .description =
                "Forecasts each record from the key's earlier ones by exponential smoothing of "
                "level, trend and season (Holt-Winters). The score is the error of the forecast in "
                "standard deviations of earlier errors; each error counts there as ten times their "
                "mean size at most, so that an outlier does not hide the next. Level and season "
                "follow "
                "outliers too: `learn: normal_only` keeps them out.\n\n"
                "The first two seasons are the start: their means make level and trend, the mean "
                "of their distances from that line the season. Without a season it is the first 20 "
                "records. `warmup` counts behind it. A season's place is counted in records: give "
                "each key one record per interval, and let `on_missing: impute` fill what is "
                "missing. Records that are not learned keep their place.\n\n"
                "Finds spikes and drops at the wrong time of day that lie within the usual range. "
                "Not for seasons of changing length (use detect.matrix_profile), nor without a "
                "regular interval.\n\n"
                "The recursion is that of statsmodels' ExponentialSmoothing, to 1e-10. Numbers "
                "beyond +-1e140 are judged but not learned. State: 62 bytes a key and 8 for each "
                "record of the period. Changelog: 62 and 128 bytes per record beside the keys. "
                "Cost: O(1). Papers: Winters, Management Science 6 (1960); Hyndman, Koehler, Ord "
                "and Snyder, Forecasting with Exponential Smoothing (2008).",
            .options = forecast_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = forecast_fields,
            .added_fields_count = MR_ARRAY_COUNT(forecast_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(FORECAST_VERSION),
            .estimate = forecast_estimate,
            .check = forecast_check,
        },
    .instance_size = sizeof(struct forecast),
    .open = forecast_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = forecast_close,
    .state_table = forecast_table,
    .describe_state = forecast_describe_state,
};
