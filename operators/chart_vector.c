/* operators/chart_vector.c — see chart_vector.h. */
#include "operators/chart_vector.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/chart_object.h"
#include "operators/covariance.h"
#include "operators/mewma_limit.h"
#include "operators/quantile.h"

#define T2_MAX 1e300
#define PHASE1_ALPHA 0.0027 /* of charts without alpha: as three sigma are */
#define SPARE_MIN 1e-3      /* degrees of freedom that a limit needs */

enum { PASSES_MAX = 32 }; /* of phase 1 */

static const struct mr_covariance_regular regular = {.shrink = 0, .sd_floor = 1e-290};

static const struct mr_vector_chart *vector_of(const struct mr_chart *chart)
{
    return (const struct mr_vector_chart *)(const void *)chart;
}

/* ---- Limits ---- */

double mr_vector_reach(uint32_t fields_count, double freedom, double alpha)
{
    double fields = fields_count;
    double spare = freedom - fields + 1;
    if (!(spare > SPARE_MIN))
        return T2_MAX;
    double quantile = mr_f_quantile(fields, spare, alpha);
    return fmin(T2_MAX, fields * freedom / spare * quantile);
}

double mr_vector_limit_of_records(uint32_t fields_count, double values, double alpha)
{
    double fields = fields_count;
    return (values - 1) * (values - 1) / values *
           mr_beta_quantile(fields / 2, (values - fields - 1) / 2, alpha);
}

/* Degrees of freedom, and the reach by them, after a change of the weights. */
static void set_reach(const struct mr_vector_chart *vector, double *baseline)
{
    uint32_t fields_count = vector->chart.fields_count;
    double freedom = baseline[MR_VECTOR_FREEDOM] * baseline[MR_VECTOR_FREEDOM] /
                     baseline[MR_VECTOR_FREEDOM_SQUARES];
    baseline[MR_VECTOR_REACH] =
        vector->lambda > 0 ? vector->limit : mr_vector_reach(fields_count, freedom, vector->alpha);
}

/* ---- The baseline ---- */

/* Of single records: by the weights. */
static void set_freedom(double *baseline)
{
    double weight = baseline[MR_VECTOR_WEIGHT];
    double values = weight * weight / baseline[MR_VECTOR_SQUARES];
    double freedom = weight - baseline[MR_VECTOR_SQUARES] / weight;
    baseline[MR_VECTOR_FREEDOM] = freedom;
    baseline[MR_VECTOR_FREEDOM_SQUARES] = values > 1 ? freedom * freedom / (values - 1) : 1;
}

/* One more point; what is there counts `keep` times. Single records: numbers are their values. */
static void learn(const struct mr_vector_chart *vector, double count, const double *numbers,
                  double keep, double *baseline)
{
    uint32_t fields_count = vector->chart.fields_count;
    double *moments = baseline + MR_VECTOR_HEAD;
    if (!vector->chart.book.kind->has_groups) {
        struct mr_covariance_weights weights = {baseline[MR_VECTOR_WEIGHT],
                                                baseline[MR_VECTOR_SQUARES]};
        mr_covariance_learn(moments, &weights, numbers, fields_count, keep, vector->scratch);
        baseline[MR_VECTOR_WEIGHT] = weights.total;
        baseline[MR_VECTOR_SQUARES] = weights.squares;
        set_freedom(baseline);
        return;
    }
    baseline[MR_VECTOR_WEIGHT] = keep * baseline[MR_VECTOR_WEIGHT] + count;
    baseline[MR_VECTOR_SQUARES] = keep * keep * baseline[MR_VECTOR_SQUARES] + count;
    baseline[MR_VECTOR_FREEDOM] = keep * baseline[MR_VECTOR_FREEDOM] + count - 1;
    baseline[MR_VECTOR_FREEDOM_SQUARES] =
        keep * keep * baseline[MR_VECTOR_FREEDOM_SQUARES] + count - 1;
    double share = count / baseline[MR_VECTOR_WEIGHT];
    for (uint32_t field = 0; field < fields_count; field++)
        moments[field] += share * (numbers[field] - moments[field]);
    size_t all = mr_covariance_numbers(fields_count);
    for (size_t index = fields_count; index < all; index++)
        moments[index] = keep * moments[index] + numbers[index];
}

/* (values - mean)' S^-1 (values - mean); the scratch memory is what contributions need. */
static double distance_of(const struct mr_vector_chart *vector, const double *moments,
                          double freedom, const double *values)
{
    const struct mr_covariance_weights weights = {freedom + 1, freedom + 1};
    double distance = mr_covariance_distance(moments, &weights, values, vector->chart.fields_count,
                                             &regular, vector->scratch);
    return distance * distance;
}

/* ---- Phase 1 ---- */

static void add(const struct mr_chart *chart, const struct mr_chart_sample *sample, double *numbers,
                const double *values)
{
    double before = (double)(sample->count - 1);
    struct mr_covariance_weights weights = {before, before};
    mr_covariance_learn(numbers, &weights, values, chart->fields_count, 1,
                        vector_of(chart)->scratch);
}

static void keep(const struct mr_chart *chart, const struct mr_chart_numbered *given, double *kept)
{
    kept[0] = (double)given->sample.count;
    memcpy(kept + 1, given->numbers, (chart->numbers.kept - 1) * sizeof(double));
}

static void estimate(const struct mr_vector_chart *vector, const double *kept, uint32_t count,
                     double *baseline)
{
    const struct mr_chart *chart = &vector->chart;
    memset(baseline, 0, chart->numbers.baseline * sizeof(double));
    for (uint32_t point = 0; point < count; point++, kept += chart->numbers.kept)
        if (!vector->excluded[point])
            learn(vector, kept[0], kept + 1, 1, baseline);
}

/* Mark the points beyond their limits; returns how many more there are. */
static uint32_t mark_beyond(const struct mr_vector_chart *vector, const double *kept,
                            uint32_t count, const double *baseline, bool *beyond)
{
    const struct mr_chart *chart = &vector->chart;
    bool has_groups = chart->book.kind->has_groups;
    double values = baseline[MR_VECTOR_WEIGHT];
    double alpha = vector->lambda > 0 ? PHASE1_ALPHA : vector->alpha;
    double freedom = baseline[MR_VECTOR_FREEDOM];
    double limit = has_groups ? mr_vector_reach(chart->fields_count, freedom, alpha)
                              : mr_vector_limit_of_records(chart->fields_count, values, alpha);
    uint32_t more = 0;
    for (uint32_t point = 0; point < count; point++, kept += chart->numbers.kept) {
        beyond[point] = false;
        if (vector->excluded[point])
            continue;
        double squared =
            kept[0] * distance_of(vector, baseline + MR_VECTOR_HEAD, freedom, kept + 1);
        beyond[point] = squared > (has_groups ? limit * (1 - kept[0] / values) : limit);
        more += beyond[point];
    }
    return more;
}

static uint32_t establish(const struct mr_chart *chart, const double *kept, uint32_t count,
                          double *baseline)
{
    const struct mr_vector_chart *vector = vector_of(chart);
    bool *beyond = vector->excluded + chart->phase1_count;
    uint32_t excluded = 0;
    memset(vector->excluded, 0, count * sizeof(bool));
    estimate(vector, kept, count, baseline);
    for (int pass = 0; chart->book.excludes && pass < PASSES_MAX; pass++) {
        uint32_t more = mark_beyond(vector, kept, count, baseline, beyond);
        uint32_t left = count - excluded - more;
        if (more == 0 || left < chart->fields_count + 2 || 2 * left < count)
            break;
        for (uint32_t point = 0; point < count; point++)
            vector->excluded[point] = vector->excluded[point] || beyond[point];
        excluded += more;
        estimate(vector, kept, count, baseline);
    }
    set_reach(vector, baseline);
    return excluded;
}

/* ---- Phase 2 ---- */

static void begin(const struct mr_chart *chart, double *baseline)
{
    const struct mr_vector_chart *vector = vector_of(chart);
    baseline[MR_VECTOR_WEIGHT] = 1;
    baseline[MR_VECTOR_SQUARES] = 1;
    baseline[MR_VECTOR_FREEDOM] = 1;
    baseline[MR_VECTOR_FREEDOM_SQUARES] = 1;
    baseline[MR_VECTOR_REACH] = vector->limit;
    memcpy(baseline + MR_VECTOR_HEAD, vector->given,
           mr_covariance_numbers(chart->fields_count) * sizeof(double));
}

/* T2 times factor, and its contributions. */
static void tell(const struct mr_vector_chart *vector, double squared, double factor, double limit,
                 struct mr_chart_point *point)
{
    uint32_t fields_count = vector->chart.fields_count;
    double value = fmin(T2_MAX, factor * squared);
    mr_covariance_drops(vector->scratch, fields_count, vector->contributions);
    for (uint32_t field = 0; field < fields_count; field++)
        vector->contributions[field] = fmin(value, factor * vector->contributions[field]);
    point->value = value;
    point->lines = (struct mr_chart_lines){0, 0, limit};
    point->beyond = value > limit;
    point->distance = point->beyond ? 1 : 0;
    point->score = value;
    point->threshold = limit;
    point->more = vector->contributions;
}

static void judge(const struct mr_chart *chart, const struct mr_chart_numbered *given,
                  double *baseline, struct mr_chart_point *point)
{
    const struct mr_vector_chart *vector = vector_of(chart);
    double count = chart->book.kind->has_groups ? (double)given->sample.count : 1;
    double weight = baseline[MR_VECTOR_WEIGHT];
    double squared =
        distance_of(vector, baseline + MR_VECTOR_HEAD, baseline[MR_VECTOR_FREEDOM], given->numbers);
    double limit = baseline[MR_VECTOR_REACH];
    if (!chart->book.is_given)
        limit *= 1 + count * baseline[MR_VECTOR_SQUARES] / (weight * weight);
    tell(vector, squared, count, fmin(T2_MAX, limit), point);
}

static void judge_average(const struct mr_chart *chart, const struct mr_chart_numbered *given,
                          double *baseline, struct mr_chart_point *point)
{
    const struct mr_vector_chart *vector = vector_of(chart);
    uint32_t fields_count = chart->fields_count;
    size_t numbers = mr_covariance_numbers(fields_count);
    const double *moments = baseline + MR_VECTOR_HEAD;
    double *average = baseline + MR_VECTOR_HEAD + numbers;
    double lambda = vector->lambda;
    for (uint32_t field = 0; field < fields_count; field++)
        average[field] =
            lambda * (given->numbers[field] - moments[field]) + (1 - lambda) * average[field];
    /* The average is of deviations: its own mean is 0. */
    memset(vector->moments, 0, fields_count * sizeof(double));
    memcpy(vector->moments + fields_count, moments + fields_count,
           (numbers - fields_count) * sizeof(double));
    double squared = distance_of(vector, vector->moments, baseline[MR_VECTOR_FREEDOM], average);
    tell(vector, squared, (2 - lambda) / lambda, baseline[MR_VECTOR_REACH], point);
}

static void follow(const struct mr_chart *chart, const struct mr_chart_numbered *given,
                   double *baseline)
{
    const struct mr_vector_chart *vector = vector_of(chart);
    bool fades = chart->book.update == MR_CHART_UPDATE_EXPONENTIAL;
    learn(vector, (double)given->sample.count, given->numbers,
          fades ? 1 - chart->book.update_weight : 1, baseline);
    set_reach(vector, baseline);
}

static void describe(const struct mr_chart *chart, uint64_t number,
                     const struct mr_chart_point *point, char *text, size_t size)
{
    uint32_t most = 0;
    for (uint32_t field = 1; field < chart->fields_count; field++)
        if (point->more[field] > point->more[most])
            most = field;
    snprintf(text, size,
             "point %" PRIu64 ": the %s is %.10g, above its limit %.10g; without %.100s it would "
             "be %.10g",
             number, chart->book.kind->value_text, point->value, point->lines.upper,
             chart->field_texts[most], point->value - point->more[most]);
}

/* ---- Kinds ---- */

static const struct mr_chart_numbers t2_numbers = {
    .has_contributions = true,
    .add = add,
    .keep = keep,
    .establish = establish,
    .begin = begin,
    .judge = judge,
    .follow = follow,
    .describe = describe,
};

static const struct mr_chart_numbers mewma_numbers = {
    .has_contributions = true,
    .keep = keep,
    .establish = establish,
    .begin = begin,
    .judge = judge_average,
    .follow = follow,
    .describe = describe,
};

const struct mr_chart_kind mr_chart_kind_t2 = {
    .least = 1,
    .most = 2,
    .value_text = "T2",
    .limit_rule = "limits",
    .numbers = &t2_numbers,
};

const struct mr_chart_kind mr_chart_kind_xbar_t2 = {
    .has_groups = true,
    .least = 2,
    .most = 1000000,
    .value_text = "T2 of the means",
    .limit_rule = "limits",
    .numbers = &t2_numbers,
};

const struct mr_chart_kind mr_chart_kind_mewma = {
    .least = 1,
    .most = 2,
    .value_text = "T2 of the moving average",
    .limit_rule = "limits",
    .numbers = &mewma_numbers,
};

/* ---- Options ---- */

static const struct mr_option_spec value_fields[] = {
    {.name = "cl",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_REQUIRED,
     .minimum = -MR_DETECTOR_LEARNED_MAX,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The field's mean in control."},
    {.name = "sigma",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1e-140,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The standard deviation of the field's single values."},
    {.name = NULL},
};

static const struct mr_option_spec correlation_fields[] = {
    {.name = "first", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED, .help = "A field."},
    {.name = "second", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED, .help = "Another."},
    {.name = "is",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_REQUIRED,
     .minimum = -1,
     .maximum = 1,
     .help = "The correlation of the two."},
    {.name = NULL},
};

const struct mr_option_spec mr_vector_limits_fields[] = {
    {.name = "values",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .fields = value_fields,
     .help = "One {cl, sigma} per field, in the order of `fields`."},
    {.name = "correlations",
     .type = MR_OPTION_OBJECTS,
     .fields = correlation_fields,
     .help = "A list of {first, second, is}; pairs that are not in it do not go together."},
    {.name = NULL},
};

/* Which field has that name; count: none. */
static uint32_t field_named(const struct mr_option_value *fields, const char *name)
{
    uint32_t field = 0;
    while (field < fields->count && strcmp(fields->texts[field], name) != 0)
        field++;
    return field;
}

static double *entry_of(double *moments, uint32_t fields_count, uint32_t first, uint32_t second)
{
    uint32_t high = first > second ? first : second;
    uint32_t low = first > second ? second : first;
    return moments + fields_count + (size_t)high * (high + 1) / 2 + low;
}

/* The triangle of a correlation matrix, by Cholesky; used up. */
static bool is_definite(double *matrix, uint32_t fields_count)
{
    for (uint32_t row = 0; row < fields_count; row++)
        for (uint32_t column = 0; column <= row; column++) {
            double sum = matrix[row * (row + 1) / 2 + column];
            for (uint32_t at = 0; at < column; at++)
                sum -= matrix[row * (row + 1) / 2 + at] * matrix[column * (column + 1) / 2 + at];
            if (row == column && !(sum > MR_COVARIANCE_PIVOT_MIN))
                return false;
            matrix[row * (row + 1) / 2 + column] =
                row == column ? sqrt(sum) : sum / matrix[column * (column + 1) / 2 + column];
        }
    return true;
}

/* The moments of given limits: means, then correlations, or covariances. */
static enum mr_status read_limits(const struct mr_options *options, bool covariances,
                                  double *moments, struct mr_error *error)
{
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    const struct mr_options *limits = mr_options_get(options, "limits")->objects;
    const struct mr_option_value *values = mr_options_get(limits, "values");
    const struct mr_option_value *pairs = mr_options_get(limits, "correlations");
    uint32_t count = fields->count;
    double sigmas[MR_CHART_FIELDS_MAX];
    memset(moments, 0, mr_covariance_numbers(count) * sizeof(double));
    if (values->count != count)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits`: there are %u values for %u fields: give {cl, sigma} for each, in "
                       "the order of `fields`",
                       values->count, count);
    for (uint32_t field = 0; field < count; field++) {
        moments[field] = mr_options_number(&values->objects[field], "cl");
        sigmas[field] = covariances ? mr_options_number(&values->objects[field], "sigma") : 1;
        *entry_of(moments, count, field, field) = sigmas[field] * sigmas[field];
    }
    for (uint32_t pair = 0; pair < pairs->count; pair++) {
        const struct mr_options *given = &pairs->objects[pair];
        uint32_t first = field_named(fields, mr_options_text(given, "first"));
        uint32_t second = field_named(fields, mr_options_text(given, "second"));
        if (first == count || second == count || first == second)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "`limits`: a correlation is of '%s' and '%s': name two of `fields`",
                           mr_options_text(given, "first"), mr_options_text(given, "second"));
        *entry_of(moments, count, first, second) =
            mr_options_number(given, "is") * sigmas[first] * sigmas[second];
    }
    return MR_OK;
}

static enum mr_status check_limits(const struct mr_options *options, struct mr_error *error)
{
    uint32_t count = mr_options_get(options, "fields")->count;
    double moments[MR_CHART_FIELDS_MAX + MR_CHART_FIELDS_MAX * (MR_CHART_FIELDS_MAX + 1) / 2];
    enum mr_status status = read_limits(options, false, moments, error);
    if (status != MR_OK)
        return status;
    if (!is_definite(moments + count, count))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits`: no fields have these correlations (the matrix is not positive "
                       "definite): correct them, or leave out a field that follows from others");
    if (mr_options_present(options, "phase1"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits` are given, so nothing is estimated: leave out `phase1`");
    if (mr_options_integer(options, "baseline") != MR_CHART_UPDATE_NONE)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits` are given and do not follow the process: leave out `baseline`");
    return MR_OK;
}

static enum mr_status check_counts(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    uint32_t fields_count = mr_options_get(options, "fields")->count;
    int64_t points = MR_CHART_PHASE1_DEFAULT;
    if (mr_options_present(options, "phase1"))
        points = mr_options_integer(mr_options_get(options, "phase1")->objects, "subgroups");
    *option = "phase1";
    if (points < fields_count + 2)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`phase1`: a covariance of %u fields takes %u points at least, and several "
                       "times as many to say much",
                       fields_count, fields_count + 2);
    double weight = mr_options_number(options, "baseline_weight");
    *option = "baseline_weight";
    if (mr_options_integer(options, "baseline") == MR_CHART_UPDATE_EXPONENTIAL &&
        (2 - weight) / weight < fields_count + 2)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`baseline_weight`: with %g only some %.0f points count, too few for the "
                       "covariance of %u fields: say a smaller weight",
                       weight, (2 - weight) / weight, fields_count);
    return MR_OK;
}

enum mr_status mr_vector_check(const struct mr_options *options, const char **option,
                               struct mr_error *error)
{
    enum mr_status status = mr_chart_check_subgroup(options, option, error);
    if (status != MR_OK)
        return status;
    if (!mr_options_present(options, "limits"))
        return check_counts(options, option, error);
    *option = "limits";
    return check_limits(options, error);
}

/* ---- Instances ---- */

static struct mr_chart_counts_of counts_of(const struct mr_options *options)
{
    uint32_t fields_count = mr_options_get(options, "fields")->count;
    uint32_t moments = (uint32_t)mr_covariance_numbers(fields_count);
    bool has_groups = mr_option_specs_find(options->specs, "subgroup") >= 0;
    bool has_average = mr_option_specs_find(options->specs, "lambda") >= 0;
    return (struct mr_chart_counts_of){
        .sample = has_groups ? moments : 0,
        .baseline = MR_VECTOR_HEAD + moments + (has_average ? fields_count : 0),
        .kept = 1 + (has_groups ? moments : fields_count),
    };
}

void mr_vector_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    const struct mr_chart_counts_of numbers = counts_of(options);
    mr_chart_estimate_numbers(options, &numbers, estimate);
}

static void make_rooms(struct mr_vector_chart *vector)
{
    size_t fields_count = vector->chart.fields_count;
    size_t moments = mr_covariance_numbers((uint32_t)fields_count);
    size_t scratch = mr_covariance_scratch((uint32_t)fields_count);
    vector->scratch = mr_memory_new(scratch + 2 * moments + fields_count, sizeof(double));
    vector->moments = vector->scratch + scratch;
    vector->given = vector->moments + moments;
    vector->contributions = vector->given + moments;
    vector->excluded = mr_memory_new(2 * (size_t)vector->chart.phase1_count + 1, sizeof(bool));
}

enum mr_status mr_vector_open(struct mr_vector_chart *vector, const struct mr_operator_open *open,
                              const struct mr_chart_kind *kind, struct mr_error *error)
{
    const struct mr_options *options = &open->node->options;
    struct mr_chart *chart = &vector->chart;
    chart->numbers = counts_of(options);
    MR_ASSERT(chart->numbers.sample + chart->numbers.baseline <= MR_CHART_NUMBERS_MAX);
    enum mr_status status = mr_chart_open(chart, open, kind, error);
    if (status != MR_OK)
        return status;
    make_rooms(vector);
    if (mr_option_specs_find(options->specs, "lambda") >= 0) {
        vector->lambda = mr_options_number(options, "lambda");
        vector->limit = mr_mewma_limit(chart->fields_count, vector->lambda,
                                       mr_options_number(options, "run_length"));
    } else {
        vector->alpha = mr_options_number(options, "alpha");
        if (chart->book.is_given)
            vector->limit = mr_chi_square_quantile(chart->fields_count, vector->alpha);
    }
    return chart->book.is_given ? read_limits(options, true, vector->given, error) : MR_OK;
}

void mr_vector_close(void *self)
{
    struct mr_vector_chart *vector = self;
    mr_memory_free(vector->scratch);
    mr_memory_free(vector->excluded);
    mr_chart_close(&vector->chart);
}
