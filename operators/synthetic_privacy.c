/* operators/synthetic_privacy.c — see synthetic_privacy.h. */
#include "operators/synthetic_privacy.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"

static const double TOLERANCE = 0.01; /* of numbers that count as equal */
enum { RANDOM_SEED = 1, SAMPLE_STREAM = 1 << 20 /* beyond those of columns */ };

/* The columns that distances are made of. */
struct measure {
    const struct mr_synthetic_pair_of_tables *tables;
    uint32_t columns_count;
    uint32_t *columns;
    double *ranges; /* of the numbers of the table whose rows are near; NaN: it has none */
};

static bool is_measured(enum mr_synthetic_kind kind)
{
    return mr_synthetic_is_scored(kind) && kind != MR_SYNTHETIC_ORDINAL;
}

/* ---- Copies ---- */

static bool is_equal_number(double real, double synthetic)
{
    if (isnan(real) || isnan(synthetic))
        return isnan(real) && isnan(synthetic);
    return fabs(real - synthetic) <= fabs(TOLERANCE * synthetic);
}

static bool is_copy(const struct mr_synthetic_pair_of_tables *tables, uint32_t row,
                    uint32_t real_row)
{
    for (uint32_t column = 0; column < tables->columns_count; column++) {
        const struct mr_synthetic_column *one = &tables->columns[column];
        if (one->is_left_out || !mr_synthetic_is_scored(one->kind))
            continue;
        bool equal =
            mr_synthetic_is_number(one->kind)
                ? is_equal_number(tables->real.numbers[column][real_row],
                                  tables->synthetic.numbers[column][row])
                : tables->real.codes[column][real_row] == tables->synthetic.codes[column][row];
        if (!equal)
            return false;
    }
    return true;
}

static void score_copies(const struct mr_synthetic_pair_of_tables *tables,
                         struct mr_synthetic_privacy *privacy)
{
    uint32_t compared = 0;
    for (uint32_t column = 0; column < tables->columns_count; column++)
        compared += !tables->columns[column].is_left_out &&
                    mr_synthetic_is_scored(tables->columns[column].kind);
    privacy->new_rows.metric = "NewRowSynthesis";
    if (compared == 0 || tables->synthetic.rows_count == 0) {
        privacy->new_rows.why =
            compared == 0 ? "there are no columns to compare" : "there are no synthetic rows";
        return;
    }
    for (uint32_t row = 0; row < tables->synthetic.rows_count; row++) {
        uint32_t real_row = 0;
        while (real_row < tables->real.rows_count && !is_copy(tables, row, real_row))
            real_row++;
        privacy->copies += real_row < tables->real.rows_count;
    }
    privacy->new_rows.score =
        (double)(tables->synthetic.rows_count - privacy->copies) / tables->synthetic.rows_count;
}

/* ---- Distances ---- */

static double range_of(const double *numbers, uint32_t rows_count)
{
    double low = NAN;
    double high = NAN;
    for (uint32_t row = 0; row < rows_count; row++) {
        low = fmin(low, numbers[row]); /* not a number is passed over */
        high = fmax(high, numbers[row]);
    }
    return high - low;
}

static void open_measure(struct measure *measure, const struct mr_synthetic_pair_of_tables *tables,
                         const struct mr_synthetic_table *near, struct mr_arena *arena)
{
    *measure = (struct measure){.tables = tables};
    measure->columns = mr_arena_new(arena, tables->columns_count, sizeof(uint32_t));
    measure->ranges = mr_arena_new(arena, tables->columns_count, sizeof(double));
    for (uint32_t column = 0; column < tables->columns_count; column++) {
        enum mr_synthetic_kind kind = tables->columns[column].kind;
        if (!is_measured(kind))
            continue;
        if (mr_synthetic_is_number(kind))
            measure->ranges[measure->columns_count] =
                range_of(near->numbers[column], near->rows_count);
        measure->columns[measure->columns_count++] = column;
    }
}

static double number_distance(double one, double other, double range)
{
    if (isnan(one) || isnan(other))
        return isnan(one) && isnan(other) ? 0 : 1;
    double difference = fabs(one - other);
    if (range == 0)
        return difference > 0 ? 1 : 0;
    if (isinf(range)) /* halves stay within the doubles */
        return fmin(fabs(one / 2 - other / 2) / (range / 2), 1);
    return fmin(difference / range, 1);
}

/* The distance to the closest row; scaled by the number of columns only at the end, so that a sum
 * that is too large already ends early. */
static double closest(const struct measure *measure, const struct mr_synthetic_table *table,
                      uint32_t row, const struct mr_synthetic_table *near)
{
    double least = INFINITY;
    for (uint32_t other = 0; other < near->rows_count; other++) {
        double sum = 0;
        for (uint32_t index = 0; index < measure->columns_count && sum < least; index++) {
            uint32_t column = measure->columns[index];
            if (table->numbers[column] != NULL)
                sum += number_distance(near->numbers[column][other], table->numbers[column][row],
                                       measure->ranges[index]);
            else
                sum += near->codes[column][other] != table->codes[column][row];
        }
        least = fmin(least, sum);
    }
    return least / measure->columns_count;
}

static double *distances(const struct measure *measure, const struct mr_synthetic_table *table,
                         const struct mr_synthetic_table *near, struct mr_arena *arena)
{
    double *found = mr_arena_take(arena, table->rows_count * sizeof(*found));
    for (uint32_t row = 0; row < table->rows_count; row++)
        found[row] = closest(measure, table, row, near);
    return found;
}

static int compare_numbers(const void *left, const void *right)
{
    const double *one = left;
    const double *two = right;
    return (*one > *two) - (*one < *two);
}

/* Sorts the numbers. */
static double median(double *numbers, uint32_t count)
{
    qsort(numbers, count, sizeof(*numbers), compare_numbers);
    return (numbers[(count - 1) / 2] + numbers[count / 2]) / 2;
}

/* ---- Random rows ---- */

static double *random_numbers(const double *real, uint32_t real_rows, enum mr_synthetic_type type,
                              uint32_t rows_count, struct mr_random *random, struct mr_arena *arena)
{
    double *numbers = mr_arena_take(arena, rows_count * sizeof(*numbers));
    double low = NAN;
    double high = NAN;
    uint32_t missing = 0;
    for (uint32_t row = 0; row < real_rows; row++) {
        missing += isnan(real[row]) != 0;
        low = fmin(low, real[row]);
        high = fmax(high, real[row]);
    }
    for (uint32_t row = 0; row < rows_count; row++) {
        double share = mr_random_double(random);
        bool is_missing = mr_random_double(random) * real_rows < missing;
        numbers[row] = type == MR_SYNTHETIC_TYPE_INT
                           ? fmin(low + floor(share * (high - low + 1)), high)
                           : low * (1 - share) + high * share;
        if (is_missing)
            numbers[row] = NAN;
    }
    return numbers;
}

static uint32_t *random_codes(const uint32_t *real, uint32_t real_rows, uint32_t codes_count,
                              uint32_t rows_count, struct mr_random *random, struct mr_arena *arena)
{
    uint32_t *counts = mr_arena_new(arena, codes_count, sizeof(*counts));
    uint32_t *there = mr_arena_take(arena, codes_count * sizeof(*there));
    uint32_t *codes = mr_arena_new(arena, rows_count, sizeof(*codes));
    uint32_t there_count = 0;
    for (uint32_t row = 0; row < real_rows; row++)
        counts[real[row]]++;
    for (uint32_t code = 1; code < codes_count; code++)
        if (counts[code] > 0)
            there[there_count++] = code;
    for (uint32_t row = 0; row < rows_count && there_count > 0; row++) {
        uint32_t code = there[mr_random_below(random, there_count)];
        bool is_missing = mr_random_double(random) * real_rows < counts[0];
        codes[row] = is_missing ? 0 : code;
    }
    return codes;
}

static void make_random(const struct mr_synthetic_pair_of_tables *tables, struct mr_arena *arena,
                        struct mr_synthetic_table *made)
{
    const struct mr_synthetic_table *real = &tables->real;
    uint32_t rows_count = tables->synthetic.rows_count;
    const double **numbers = mr_arena_new(arena, tables->columns_count, sizeof(*numbers));
    const uint32_t **codes = mr_arena_new(arena, tables->columns_count, sizeof(*codes));
    for (uint32_t column = 0; column < tables->columns_count; column++) {
        struct mr_random random;
        mr_random_init(&random, RANDOM_SEED, column);
        if (real->numbers[column] != NULL)
            numbers[column] = random_numbers(real->numbers[column], real->rows_count,
                                             real->types[column], rows_count, &random, arena);
        else if (is_measured(tables->columns[column].kind))
            codes[column] =
                random_codes(real->codes[column], real->rows_count,
                             tables->columns[column].codes_count, rows_count, &random, arena);
    }
    *made = (struct mr_synthetic_table){
        .rows_count = rows_count, .numbers = numbers, .codes = codes, .types = real->types};
}

/* ---- Scores ---- */

static void score_baseline(const struct mr_synthetic_pair_of_tables *tables,
                           const struct measure *measure, double *found, struct mr_arena *arena,
                           struct mr_synthetic_privacy *privacy)
{
    struct mr_synthetic_table random;
    uint32_t rows_count = tables->synthetic.rows_count;
    make_random(tables, arena, &random);
    double *others = distances(measure, &random, &tables->real, arena);
    privacy->median = median(found, rows_count);
    privacy->random_median = median(others, rows_count);
    if (privacy->random_median == 0)
        privacy->baseline.why = "random rows are as near to the real ones as can be";
    else
        privacy->baseline.score = fmin(privacy->median / privacy->random_median, 1);
}

static void score_overfitting(const struct mr_synthetic_pair_of_tables *tables,
                              const struct mr_synthetic_table *holdout, const double *found,
                              struct mr_arena *arena, struct mr_synthetic_privacy *privacy)
{
    struct measure measure;
    uint32_t closer = 0;
    open_measure(&measure, tables, holdout, arena);
    const double *others = distances(&measure, &tables->synthetic, holdout, arena);
    for (uint32_t row = 0; row < tables->synthetic.rows_count; row++)
        closer += found[row] < others[row];
    privacy->closer_to_real = (double)closer / tables->synthetic.rows_count;
    privacy->overfitting.score = fmin((1 - privacy->closer_to_real) * 2, 1);
}

/* ---- Samples ---- */

/* Which rows are taken: each with the share of rows that are still wanted (Knuth's algorithm S). */
static uint32_t *choose(uint32_t rows_count, uint32_t wanted, uint64_t stream,
                        struct mr_arena *arena)
{
    uint32_t *rows = mr_arena_take(arena, wanted * sizeof(*rows));
    uint32_t chosen = 0;
    struct mr_random random;
    mr_random_init(&random, RANDOM_SEED, stream);
    for (uint32_t row = 0; row < rows_count && chosen < wanted; row++)
        if (mr_random_below(&random, rows_count - row) < wanted - chosen)
            rows[chosen++] = row;
    return rows;
}

/* Some rows of a table, or all of them where it has no more. */
static struct mr_synthetic_table sample(const struct mr_synthetic_table *table,
                                        uint32_t columns_count, uint32_t rows_max, uint64_t stream,
                                        struct mr_arena *arena)
{
    if (table->rows_count <= rows_max)
        return *table;
    const uint32_t *rows = choose(table->rows_count, rows_max, stream, arena);
    const double **numbers = mr_arena_new(arena, columns_count, sizeof(*numbers));
    const uint32_t **codes = mr_arena_new(arena, columns_count, sizeof(*codes));
    for (uint32_t column = 0; column < columns_count; column++) {
        double *to_numbers = mr_arena_take(arena, rows_max * sizeof(*to_numbers));
        uint32_t *to_codes = mr_arena_take(arena, rows_max * sizeof(*to_codes));
        bool is_number = table->numbers[column] != NULL;
        for (uint32_t index = 0; index < rows_max; index++) {
            to_numbers[index] = is_number ? table->numbers[column][rows[index]] : NAN;
            to_codes[index] = is_number ? 0 : table->codes[column][rows[index]];
        }
        numbers[column] = is_number ? to_numbers : NULL;
        codes[column] = is_number ? NULL : to_codes;
    }
    return (struct mr_synthetic_table){
        .rows_count = rows_max, .numbers = numbers, .codes = codes, .types = table->types};
}

static void score_distances(const struct mr_synthetic_pair_of_tables *tables,
                            const struct mr_synthetic_table *holdout, struct mr_arena *arena,
                            struct mr_synthetic_privacy *privacy)
{
    struct measure measure;
    const char *why = NULL;
    open_measure(&measure, tables, &tables->real, arena);
    if (measure.columns_count == 0)
        why = "there are no columns to measure distances by";
    else if (tables->real.rows_count == 0 || tables->synthetic.rows_count == 0)
        why = "one of the tables has no rows";
    privacy->baseline.metric = "DCRBaselineProtection";
    privacy->baseline.why = why;
    if (holdout != NULL)
        privacy->overfitting = (struct mr_synthetic_score){"DCROverfittingProtection", why, NAN};
    if (why != NULL)
        return;
    double *found = distances(&measure, &tables->synthetic, &tables->real, arena);
    if (holdout != NULL)
        score_overfitting(tables, holdout, found, arena, privacy);
    score_baseline(tables, &measure, found, arena, privacy);
}

void mr_synthetic_privacy_score(const struct mr_synthetic_pair_of_tables *tables,
                                const struct mr_synthetic_table *holdout, uint32_t rows_max,
                                struct mr_synthetic_privacy *privacy)
{
    struct mr_synthetic_pair_of_tables compared = *tables;
    struct mr_synthetic_table held = {0};
    struct mr_arena arena;
    *privacy = (struct mr_synthetic_privacy){.new_rows.score = NAN,
                                             .baseline.score = NAN,
                                             .overfitting.score = NAN,
                                             .median = NAN,
                                             .random_median = NAN,
                                             .closer_to_real = NAN};
    mr_arena_init(&arena, 256 << 10);
    compared.real = sample(&tables->real, tables->columns_count, rows_max, SAMPLE_STREAM, &arena);
    compared.synthetic =
        sample(&tables->synthetic, tables->columns_count, rows_max, SAMPLE_STREAM + 1, &arena);
    if (holdout != NULL)
        held = sample(holdout, tables->columns_count, rows_max, SAMPLE_STREAM + 2, &arena);
    privacy->real_rows = compared.real.rows_count;
    privacy->synthetic_rows = compared.synthetic.rows_count;
    score_copies(&compared, privacy);
    score_distances(&compared, holdout != NULL ? &held : NULL, &arena, privacy);
    mr_arena_deinit(&arena);
}
