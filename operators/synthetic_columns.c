/* operators/synthetic_columns.c — see synthetic_columns.h. */
#include "operators/synthetic_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double DECIMALS = 1e14; /* of KSComplement */
static const double UNSEEN = 1e-6;   /* real rows of a value that only synthetic ones have */

const char *const mr_synthetic_kind_names[] = {"numerical", "datetime", "categorical", "boolean",
                                               "ordinal",   "id",       "other"};

static struct mr_synthetic_score scored(const char *metric, double score)
{
    return (struct mr_synthetic_score){.metric = metric, .score = score};
}

static struct mr_synthetic_score not_scored(const char *metric, const char *why)
{
    return (struct mr_synthetic_score){.metric = metric, .why = why, .score = NAN};
}

static const char *const no_real = "the real column has no values";
static const char *const no_synthetic = "the synthetic column has no values";

/* ---- Numbers ---- */

static int compare_numbers(const void *left, const void *right)
{
    const double *one = left;
    const double *two = right;
    return (*one > *two) - (*one < *two);
}

double *mr_synthetic_sorted(const double *numbers, uint32_t rows_count, struct mr_arena *arena,
                            uint32_t *count)
{
    double *sorted = mr_arena_take(arena, rows_count * sizeof(*sorted));
    *count = 0;
    for (uint32_t row = 0; row < rows_count; row++)
        if (!isnan(numbers[row]))
            sorted[(*count)++] = numbers[row];
    if (*count > 0)
        qsort(sorted, *count, sizeof(*sorted), compare_numbers);
    return sorted;
}

static void round_numbers(double *numbers, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        double scaled = numbers[index] * DECIMALS;
        if (isfinite(scaled))
            numbers[index] = nearbyint(scaled) / DECIMALS;
    }
}

/* The greatest distance of the distribution functions of two sorted samples. */
static double kolmogorov(const double *real, uint32_t real_count, const double *synthetic,
                         uint32_t synthetic_count)
{
    double greatest = 0;
    for (uint32_t one = 0, two = 0; one < real_count && two < synthetic_count;) {
        double number = fmin(real[one], synthetic[two]);
        while (one < real_count && real[one] <= number)
            one++;
        while (two < synthetic_count && synthetic[two] <= number)
            two++;
        greatest = fmax(greatest, fabs((double)one / real_count - (double)two / synthetic_count));
    }
    return greatest;
}

static struct mr_synthetic_score range_coverage(const double *real, uint32_t real_count,
                                                const double *synthetic, uint32_t synthetic_count)
{
    static const char metric[] = "RangeCoverage";
    if (real_count == 0)
        return not_scored(metric, no_real);
    if (synthetic_count == 0)
        return not_scored(metric, no_synthetic);
    double low = real[0];
    double high = real[real_count - 1];
    if (low == high)
        return not_scored(metric, "the real column has one value only");
    double scale = isfinite(high - low) ? 1 : 0.25; /* differences stay within the doubles */
    double range = high * scale - low * scale;
    double above = fmax((synthetic[0] * scale - low * scale) / range, 0);
    double below = fmax((high * scale - synthetic[synthetic_count - 1] * scale) / range, 0);
    return scored(metric, fmax(1 - (above + below), 0));
}

static bool may_be_missing(const struct mr_synthetic_column *column, uint32_t real_missing)
{
    return column->nullable >= 0 ? column->nullable != 0 : real_missing > 0;
}

static struct mr_synthetic_score
boundary_adherence(const struct mr_synthetic_pair_of_tables *tables, uint32_t index,
                   const double *real, uint32_t real_count, uint32_t synthetic_missing)
{
    static const char metric[] = "BoundaryAdherence";
    const struct mr_synthetic_column *column = &tables->columns[index];
    const struct mr_synthetic_table *synthetic = &tables->synthetic;
    uint32_t asked = synthetic->rows_count;
    if (may_be_missing(column, tables->real.rows_count - real_count))
        asked -= synthetic_missing;
    if (asked == 0)
        return not_scored(metric, no_synthetic);
    double low = !isnan(column->minimum) ? column->minimum : real_count > 0 ? real[0] : NAN;
    double high = !isnan(column->maximum) ? column->maximum
                  : real_count > 0        ? real[real_count - 1]
                                          : NAN;
    uint32_t valid = 0;
    for (uint32_t row = 0; row < synthetic->rows_count; row++) {
        double number = synthetic->numbers[index][row];
        valid += number >= low && number <= high;
    }
    return scored(metric, (double)valid / asked);
}

static void score_numbers(const struct mr_synthetic_pair_of_tables *tables, uint32_t index,
                          struct mr_arena *arena, struct mr_synthetic_column_scores *scores)
{
    static const char metric[] = "KSComplement";
    const struct mr_synthetic_table *real = &tables->real;
    const struct mr_synthetic_table *synthetic = &tables->synthetic;
    uint32_t real_count;
    uint32_t synthetic_count;
    double *reals = mr_synthetic_sorted(real->numbers[index], real->rows_count, arena, &real_count);
    double *others = mr_synthetic_sorted(synthetic->numbers[index], synthetic->rows_count, arena,
                                         &synthetic_count);
    scores->real_missing = real->rows_count - real_count;
    scores->synthetic_missing = synthetic->rows_count - synthetic_count;
    scores->coverage = range_coverage(reals, real_count, others, synthetic_count);
    scores->validity =
        boundary_adherence(tables, index, reals, real_count, scores->synthetic_missing);
    if (real_count == 0 || synthetic_count == 0) {
        scores->shape = not_scored(metric, real_count == 0 ? no_real : no_synthetic);
        return;
    }
    if (real->types[index] == MR_SYNTHETIC_TYPE_DOUBLE)
        round_numbers(reals, real_count);
    if (synthetic->types[index] == MR_SYNTHETIC_TYPE_DOUBLE)
        round_numbers(others, synthetic_count);
    scores->shape = scored(metric, 1 - kolmogorov(reals, real_count, others, synthetic_count));
}

/* ---- Categories ---- */

static uint32_t *count_codes(const uint32_t *codes, uint32_t rows_count, uint32_t codes_count,
                             struct mr_arena *arena)
{
    uint32_t *counts = mr_arena_new(arena, codes_count, sizeof(*counts));
    for (uint32_t row = 0; row < rows_count; row++)
        counts[codes[row]]++;
    return counts;
}

static double total_variation(const uint32_t *real, uint32_t real_count, const uint32_t *synthetic,
                              uint32_t synthetic_count, uint32_t codes_count)
{
    double real_rows = real_count;
    double sum = 0;
    for (uint32_t code = 1; code < codes_count; code++)
        if (real[code] == 0 && synthetic[code] > 0)
            real_rows += UNSEEN;
    for (uint32_t code = 1; code < codes_count; code++) {
        double rows = real[code];
        if (real[code] == 0 && synthetic[code] > 0)
            rows = UNSEEN;
        sum += fabs((double)synthetic[code] / synthetic_count - rows / real_rows);
    }
    return sum / 2;
}

static struct mr_synthetic_score category_coverage(const uint32_t *real, const uint32_t *synthetic,
                                                   uint32_t codes_count)
{
    static const char metric[] = "CategoryCoverage";
    uint32_t there = 0;
    uint32_t covered = 0;
    for (uint32_t code = 1; code < codes_count; code++) {
        there += real[code] > 0;
        covered += real[code] > 0 && synthetic[code] > 0;
    }
    return there == 0 ? not_scored(metric, no_real) : scored(metric, (double)covered / there);
}

static struct mr_synthetic_score category_adherence(const struct mr_synthetic_column *column,
                                                    const uint32_t *real, const uint32_t *synthetic,
                                                    uint32_t rows_count)
{
    static const char metric[] = "CategoryAdherence";
    if (rows_count == 0)
        return not_scored(metric, no_synthetic);
    uint32_t valid = may_be_missing(column, real[0]) ? synthetic[0] : 0;
    for (uint32_t code = 1; code < column->codes_count; code++)
        if (column->allowed != NULL ? column->allowed[code] : real[code] > 0)
            valid += synthetic[code];
    return scored(metric, (double)valid / rows_count);
}

static struct mr_synthetic_score key_uniqueness(const uint32_t *synthetic, uint32_t codes_count,
                                                uint32_t rows_count)
{
    static const char metric[] = "KeyUniqueness";
    if (rows_count == 0)
        return not_scored(metric, no_synthetic);
    uint32_t distinct = 0;
    for (uint32_t code = 1; code < codes_count; code++)
        distinct += synthetic[code] > 0;
    return scored(metric, (double)distinct / rows_count);
}

static void score_codes(const struct mr_synthetic_pair_of_tables *tables, uint32_t index,
                        struct mr_arena *arena, struct mr_synthetic_column_scores *scores)
{
    static const char metric[] = "TVComplement";
    const struct mr_synthetic_column *column = &tables->columns[index];
    uint32_t codes_count = column->codes_count;
    uint32_t real_rows = tables->real.rows_count;
    uint32_t synthetic_rows = tables->synthetic.rows_count;
    uint32_t *real = count_codes(tables->real.codes[index], real_rows, codes_count, arena);
    uint32_t *synthetic =
        count_codes(tables->synthetic.codes[index], synthetic_rows, codes_count, arena);
    scores->real_missing = real[0];
    scores->synthetic_missing = synthetic[0];
    if (!mr_synthetic_is_scored(column->kind)) {
        if (column->is_key)
            scores->validity = key_uniqueness(synthetic, codes_count, synthetic_rows);
        return;
    }
    scores->coverage = category_coverage(real, synthetic, codes_count);
    scores->validity = category_adherence(column, real, synthetic, synthetic_rows);
    if (real[0] == real_rows || synthetic[0] == synthetic_rows)
        scores->shape = not_scored(metric, real[0] == real_rows ? no_real : no_synthetic);
    else
        scores->shape =
            scored(metric, 1 - total_variation(real, real_rows - real[0], synthetic,
                                               synthetic_rows - synthetic[0], codes_count));
}

void mr_synthetic_column_score(const struct mr_synthetic_pair_of_tables *tables, uint32_t column,
                               struct mr_arena *arena, struct mr_synthetic_column_scores *scores)
{
    *scores = (struct mr_synthetic_column_scores){
        .shape.score = NAN, .coverage.score = NAN, .validity.score = NAN};
    if (mr_synthetic_is_number(tables->columns[column].kind))
        score_numbers(tables, column, arena, scores);
    else
        score_codes(tables, column, arena, scores);
}
