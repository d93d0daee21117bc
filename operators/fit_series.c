/* operators/fit_series.c — see fit_series.h.
 * Design: time is scaled to -1..1 and values by the largest one, so that the normal equations of at
 * most 2 + 2 MR_FIT_SEASONS_MAX columns are well behaved. */
#include "operators/fit_series.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"
#include "operators/spectrum.h"

enum { COLUMNS_MAX = 2 + 2 * MR_FIT_SEASONS_MAX, BESIDE = 12, GOLDEN_STEPS = 30 };

#define CYCLES_MIN 3.0
#define CHANCE 0.001
#define STANDARD_ERRORS 4.0
#define SNAP_ERRORS 3.0
#define SNAP_ROUNDING 1e-6
#define MS_PER_MINUTE 60000.0
#define MS_PER_HOUR 3600000.0
static const double two_pi = 6.283185307179586476925286766559;

/* u: -1..1 over the span; a season has cycles turns within the span. */
struct fitting {
    size_t count;
    double *u;
    double *values; /* scaled */
    double *left;   /* values less the model */
    double scale;
    double first_ms;
    double span_ms;
    uint32_t seasons_count;
    double cycles[MR_FIT_SEASONS_MAX];
    double weights[COLUMNS_MAX]; /* of the model's columns */
    double inverse_trend;        /* of the normal equations' inverse, at the trend */
    double squares;              /* of what is left */
};

/* ---- Points ---- */

/* Averages of runs, so that at most MR_FIT_POINTS_MAX are left. */
static void take_points(struct fitting *fitting, const int64_t *times_ms, const double *values,
                        size_t count, size_t finite)
{
    size_t run = (finite + MR_FIT_POINTS_MAX - 1) / MR_FIT_POINTS_MAX;
    size_t taken = 0;
    double time = 0;
    double value = 0;
    for (size_t at = 0; at < count; at++) {
        if (isnan(values[at]))
            continue;
        time += (double)times_ms[at] - fitting->first_ms;
        value += values[at];
        if (++taken % run != 0)
            continue;
        fitting->u[fitting->count] = 2 * (time / (double)run) / fitting->span_ms - 1;
        fitting->values[fitting->count++] = value / (double)run;
        time = 0;
        value = 0;
    }
    for (size_t at = 0; at < fitting->count; at++)
        fitting->scale = fmax(fitting->scale, fabs(fitting->values[at]));
    for (size_t at = 0; at < fitting->count && fitting->scale > 0; at++)
        fitting->values[at] /= fitting->scale;
}

/* ---- Least squares ---- */

static uint32_t columns_of(const struct fitting *fitting, double u, double columns[COLUMNS_MAX])
{
    uint32_t count = 2;
    columns[0] = 1;
    columns[1] = u;
    for (uint32_t season = 0; season < fitting->seasons_count; season++) {
        double angle = two_pi * fitting->cycles[season] * (u + 1) / 2;
        columns[count++] = sin(angle);
        columns[count++] = cos(angle);
    }
    return count;
}

/* Gauss and Jordan on a matrix beside the right side and the trend's unit vector; false: it is
 * singular. */
static bool solve(double matrix[COLUMNS_MAX][COLUMNS_MAX + 2], uint32_t count)
{
    for (uint32_t pivot = 0; pivot < count; pivot++) {
        uint32_t best = pivot;
        for (uint32_t row = pivot + 1; row < count; row++)
            if (fabs(matrix[row][pivot]) > fabs(matrix[best][pivot]))
                best = row;
        if (!(fabs(matrix[best][pivot]) > 1e-9))
            return false;
        for (uint32_t column = 0; column < count + 2; column++) {
            double other = matrix[best][column];
            matrix[best][column] = matrix[pivot][column];
            matrix[pivot][column] = other;
        }
        for (uint32_t row = 0; row < count; row++) {
            double factor = row == pivot ? 0 : matrix[row][pivot] / matrix[pivot][pivot];
            for (uint32_t column = pivot; factor != 0 && column < count + 2; column++)
                matrix[row][column] -= factor * matrix[pivot][column];
        }
    }
    return true;
}

/* Weights and what is left, for the seasons that are there. False: not to be told apart. */
static bool fit(struct fitting *fitting)
{
    double matrix[COLUMNS_MAX][COLUMNS_MAX + 2] = {{0}};
    double columns[COLUMNS_MAX];
    uint32_t count = 0;
    double share = 1 / (double)fitting->count;
    for (size_t at = 0; at < fitting->count; at++) {
        count = columns_of(fitting, fitting->u[at], columns);
        for (uint32_t row = 0; row < count; row++) {
            for (uint32_t column = 0; column < count; column++)
                matrix[row][column] += columns[row] * columns[column] * share;
            matrix[row][count] += columns[row] * fitting->values[at] * share;
        }
    }
    matrix[1][count + 1] = 1;
    if (!solve(matrix, count))
        return false;
    for (uint32_t row = 0; row < count; row++)
        fitting->weights[row] = matrix[row][count] / matrix[row][row];
    fitting->inverse_trend = matrix[1][count + 1] / matrix[1][1];
    fitting->squares = 0;
    for (size_t at = 0; at < fitting->count; at++) {
        double model = 0;
        (void)columns_of(fitting, fitting->u[at], columns);
        for (uint32_t row = 0; row < count; row++)
            model += fitting->weights[row] * columns[row];
        fitting->left[at] = fitting->values[at] - model;
        fitting->squares += fitting->left[at] * fitting->left[at] * share;
    }
    return true;
}

/* ---- Candidates ---- */

/* The strongest whole number of cycles of what is left; 0: none that noise would not show. */
static double find_cycles(const struct fitting *fitting)
{
    uint32_t size = 2;
    double sum = 0;
    uint32_t best = 0;
    while (size * 2 <= fitting->count)
        size *= 2;
    struct mr_complex *steps = mr_memory_new(size, sizeof(*steps));
    struct mr_complex *roots = mr_memory_new(size / 2, sizeof(*roots));
    for (size_t at = 0; at < fitting->count; at++) {
        uint32_t step = (uint32_t)fmin((fitting->u[at] + 1) / 2 * size, size - 1.0);
        steps[step].real += fitting->left[at];
        steps[step].imaginary += 1;
    }
    for (uint32_t step = 0; step < size; step++) {
        steps[step].real /= fmax(steps[step].imaginary, 1);
        steps[step].imaginary = 0;
    }
    mr_spectrum_roots(size, roots);
    mr_spectrum_forward(size, roots, steps);
    uint32_t first = (uint32_t)CYCLES_MIN;
    uint32_t last = size / 4;
    for (uint32_t cycles = 1; cycles < size / 2; cycles++) {
        steps[cycles].real = steps[cycles].real * steps[cycles].real +
                             steps[cycles].imaginary * steps[cycles].imaginary;
        sum += steps[cycles].real;
        if (cycles >= first && cycles <= last &&
            (best == 0 || steps[cycles].real > steps[best].real))
            best = cycles;
    }
    /* Fisher's test of the largest of m ordinates: P(largest > x mean) <= m e^-x. */
    double ordinates = size / 2.0 - 1;
    bool is_strong =
        best > 0 && sum > 0 && steps[best].real * ordinates / sum > log(ordinates / CHANCE);
    mr_memory_free(roots);
    mr_memory_free(steps);
    return is_strong ? best : 0;
}

static double squares_at(struct fitting *fitting, double cycles)
{
    fitting->cycles[fitting->seasons_count - 1] = cycles;
    return fit(fitting) ? fitting->squares : INFINITY;
}

/* The last season's cycles move to where least is left: on a grid, then by golden section. */
static void refine(struct fitting *fitting, double cycles)
{
    const double golden = 0.6180339887498949;
    double best = cycles;
    double least = INFINITY;
    for (int beside = -BESIDE; beside <= BESIDE; beside++) {
        double tried = cycles + (double)beside / BESIDE;
        double squares = tried < CYCLES_MIN ? INFINITY : squares_at(fitting, tried);
        best = squares < least ? tried : best;
        least = fmin(least, squares);
    }
    double lowest = fmax(best - 1.0 / BESIDE, CYCLES_MIN);
    double highest = best + 1.0 / BESIDE;
    double left = highest - golden * (highest - lowest);
    double right = lowest + golden * (highest - lowest);
    double left_squares = squares_at(fitting, left);
    double right_squares = squares_at(fitting, right);
    for (int step = 0; step < GOLDEN_STEPS; step++) {
        if (left_squares < right_squares) {
            highest = right;
            right = left;
            right_squares = left_squares;
            left = highest - golden * (highest - lowest);
            left_squares = squares_at(fitting, left);
        } else {
            lowest = left;
            left = right;
            left_squares = right_squares;
            right = lowest + golden * (highest - lowest);
            right_squares = squares_at(fitting, right);
        }
    }
    fitting->squares = squares_at(fitting, (lowest + highest) / 2);
}

/* The last season's period becomes one of the calendar that the points do not tell from it: of the
 * standard error of a frequency, sqrt(6) sd / (pi amplitude sqrt(n)) turns within the span. */
static void snap(struct fitting *fitting)
{
    static const double minutes[] = {1,   2,   5,   10,  15,  20,  30,   60,
                                     120, 180, 240, 360, 480, 720, 1440, 10080};
    uint32_t last = fitting->seasons_count - 1;
    double cycles = fitting->cycles[last];
    double amplitude = hypot(fitting->weights[2 + 2 * last], fitting->weights[3 + 2 * last]);
    double error = sqrt(6 * fitting->squares / (double)fitting->count) / (two_pi / 2 * amplitude);
    for (size_t at = 0; at < sizeof(minutes) / sizeof(minutes[0]); at++) {
        double tried = fitting->span_ms / (minutes[at] * MS_PER_MINUTE);
        if (fabs(tried - cycles) < SNAP_ERRORS * error + SNAP_ROUNDING * cycles) {
            (void)squares_at(fitting, tried);
            return;
        }
    }
}

static void find_seasons(struct fitting *fitting)
{
    while (fitting->seasons_count < MR_FIT_SEASONS_MAX) {
        double before = fitting->squares;
        double cycles = before > 1e-24 ? find_cycles(fitting) : 0;
        if (cycles == 0)
            return;
        fitting->seasons_count++;
        refine(fitting, cycles);
        if (fitting->squares <= (1 - MR_FIT_SEASON_SHARE) * before) {
            snap(fitting);
            continue;
        }
        fitting->seasons_count--;
        (void)fit(fitting);
        return;
    }
}

/* ---- The result ---- */

static void tell_season(const struct fitting *fitting, uint32_t number,
                        struct mr_fit_season *season)
{
    double sine = fitting->weights[2 + 2 * number];
    double cosine = fitting->weights[3 + 2 * number];
    double period_ms = fitting->span_ms / fitting->cycles[number];
    double whole_ms = nearbyint(period_ms); /* what was snapped to, but for the division's error */
    season->period_ms = fabs(period_ms - whole_ms) < 1e-12 * period_ms ? whole_ms : period_ms;
    season->amplitude = hypot(sine, cosine) * fitting->scale;
    /* The model's angle is 0 at the first record, the told one at 1970. */
    double phase = atan2(cosine, sine) / two_pi -
                   fmod(fitting->first_ms, season->period_ms) / season->period_ms;
    season->phase = phase - floor(phase);
}

/* Of the values themselves, not of their averages. */
static double noise_of(const struct fitting *fitting, const int64_t *times_ms, const double *values,
                       size_t count)
{
    double columns[COLUMNS_MAX];
    double squares = 0;
    double finite = 0;
    for (size_t at = 0; at < count; at++) {
        if (isnan(values[at]))
            continue;
        double u = 2 * ((double)times_ms[at] - fitting->first_ms) / fitting->span_ms - 1;
        double left = fitting->scale > 0 ? values[at] / fitting->scale : 0;
        uint32_t columns_count = columns_of(fitting, u, columns);
        for (uint32_t column = 0; column < columns_count; column++)
            left -= fitting->weights[column] * columns[column];
        squares += left * left;
        finite++;
    }
    return sqrt(squares / finite) * fitting->scale;
}

static void tell(const struct fitting *fitting, struct mr_fit_series *series)
{
    double trend = fitting->weights[1];
    double free = (double)fitting->count - 2 - 2 * fitting->seasons_count;
    double error = sqrt(fitting->squares / free * fitting->inverse_trend);
    if (!(fabs(trend) > STANDARD_ERRORS * error) || fabs(trend) < 1e-12)
        trend = 0;
    series->level = (fitting->weights[0] - trend) * fitting->scale;
    series->trend_per_hour = 2 * trend * fitting->scale / fitting->span_ms * MS_PER_HOUR;
    series->seasons_count = fitting->seasons_count;
    for (uint32_t number = 0; number < fitting->seasons_count; number++)
        tell_season(fitting, number, &series->seasons[number]);
    for (uint32_t round = 1; round < fitting->seasons_count; round++)
        for (uint32_t at = round;
             at > 0 && series->seasons[at].amplitude > series->seasons[at - 1].amplitude; at--) {
            struct mr_fit_season other = series->seasons[at];
            series->seasons[at] = series->seasons[at - 1];
            series->seasons[at - 1] = other;
        }
}

void mr_fit_series(const int64_t *times_ms, const double *values, size_t count,
                   struct mr_fit_series *series)
{
    struct fitting fitting = {0};
    size_t finite = 0;
    *series = (struct mr_fit_series){0};
    for (size_t at = 0; at < count; at++)
        finite += isnan(values[at]) ? 0 : 1;
    series->points = finite;
    if (finite < MR_FIT_POINTS_MIN || times_ms[count - 1] == times_ms[0])
        return;
    size_t room = finite < MR_FIT_POINTS_MAX ? finite : MR_FIT_POINTS_MAX;
    fitting.u = mr_memory_new(room, sizeof(double));
    fitting.values = mr_memory_new(room, sizeof(double));
    fitting.left = mr_memory_new(room, sizeof(double));
    fitting.first_ms = (double)times_ms[0];
    fitting.span_ms = (double)times_ms[count - 1] - fitting.first_ms;
    take_points(&fitting, times_ms, values, count, finite);
    if (fit(&fitting)) {
        find_seasons(&fitting);
        tell(&fitting, series);
        series->noise_sd = noise_of(&fitting, times_ms, values, count);
    }
    mr_memory_free(fitting.left);
    mr_memory_free(fitting.values);
    mr_memory_free(fitting.u);
}
