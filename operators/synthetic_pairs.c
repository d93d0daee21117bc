/* operators/synthetic_pairs.c — see synthetic_pairs.h.
 * Design: combinations are counted without a table of all of them: rows are sorted by the first
 * column's code once, and for each code those of the second column are counted. */
#include "operators/synthetic_pairs.h"

#include <math.h>
#include <string.h>

enum { SIDES_COUNT = 2, BIN_CODES = MR_SYNTHETIC_BINS + 2 /* from 1 on */ };

/* A column of one table as codes. */
struct coded {
    const uint32_t *codes;
    uint32_t *counts; /* rows by code */
    uint32_t present; /* codes that have rows */
};

struct pairing {
    const struct mr_synthetic_pair_of_tables *tables;
    const struct mr_synthetic_table *sides[SIDES_COUNT]; /* real, synthetic */
    struct mr_arena *arena;
    struct coded *coded[SIDES_COUNT]; /* [column]; of scored columns */
    uint32_t *codes_counts;           /* [column] */
    bool *constant[SIDES_COUNT];      /* [column]; of numbers */
    uint32_t *order[SIDES_COUNT];     /* rows by the code of the first column */
    uint32_t *starts[SIDES_COUNT];    /* where a code's rows begin */
    uint32_t *counts[SIDES_COUNT];    /* of the second column's codes */
    uint32_t *touched;
};

/* ---- Codes ---- */

void mr_synthetic_edges(const double *numbers, uint32_t rows_count,
                        double edges[MR_SYNTHETIC_BINS + 1])
{
    double low = INFINITY;
    double high = -INFINITY;
    for (uint32_t row = 0; row < rows_count; row++) {
        low = numbers[row] < low ? numbers[row] : low;
        high = numbers[row] > high ? numbers[row] : high;
    }
    if (low > high) {
        low = 0;
        high = 1;
    } else if (low == high) {
        low -= 0.5;
        high += 0.5;
    }
    double step = (high - low) / MR_SYNTHETIC_BINS;
    for (uint32_t edge = 0; edge < MR_SYNTHETIC_BINS; edge++) {
        double share = (double)edge / MR_SYNTHETIC_BINS;
        edges[edge] = isfinite(step) ? (step == 0 ? share * (high - low) : edge * step) + low
                                     : low * (1 - share) + high * share;
    }
    edges[MR_SYNTHETIC_BINS] = high;
}

static uint32_t bin_of(double number, const double edges[MR_SYNTHETIC_BINS + 1])
{
    uint32_t bin = 0;
    if (isnan(number))
        return MR_SYNTHETIC_BINS + 1;
    while (bin <= MR_SYNTHETIC_BINS && number >= edges[bin])
        bin++;
    return bin;
}

static const uint32_t *bins_of(const double *numbers, uint32_t rows_count, struct mr_arena *arena)
{
    double edges[MR_SYNTHETIC_BINS + 1];
    uint32_t *codes = mr_arena_take(arena, rows_count * sizeof(*codes));
    mr_synthetic_edges(numbers, rows_count, edges);
    for (uint32_t row = 0; row < rows_count; row++)
        codes[row] = bin_of(numbers[row], edges);
    return codes;
}

static bool is_constant(const double *numbers, uint32_t rows_count)
{
    uint32_t row = 0;
    while (row < rows_count && isnan(numbers[row]))
        row++;
    if (row == rows_count)
        return false; /* no value is not one value */
    double first = numbers[row];
    for (; row < rows_count; row++)
        if (!isnan(numbers[row]) && numbers[row] != first)
            return false;
    return true;
}

static void code_column(struct pairing *pairing, uint32_t side, uint32_t column)
{
    const struct mr_synthetic_table *table = pairing->sides[side];
    struct coded *coded = &pairing->coded[side][column];
    uint32_t codes_count = pairing->codes_counts[column];
    if (mr_synthetic_is_number(pairing->tables->columns[column].kind)) {
        coded->codes = bins_of(table->numbers[column], table->rows_count, pairing->arena);
        pairing->constant[side][column] = is_constant(table->numbers[column], table->rows_count);
    } else {
        coded->codes = table->codes[column];
    }
    coded->counts = mr_arena_new(pairing->arena, codes_count, sizeof(*coded->counts));
    for (uint32_t row = 0; row < table->rows_count; row++)
        coded->counts[coded->codes[row]]++;
    for (uint32_t code = 0; code < codes_count; code++)
        coded->present += coded->counts[code] > 0;
}

static void prepare(struct pairing *pairing)
{
    const struct mr_synthetic_pair_of_tables *tables = pairing->tables;
    uint32_t columns_count = tables->columns_count;
    uint32_t most = 1;
    pairing->sides[0] = &tables->real;
    pairing->sides[1] = &tables->synthetic;
    pairing->codes_counts = mr_arena_new(pairing->arena, columns_count, sizeof(uint32_t));
    for (uint32_t column = 0; column < columns_count; column++) {
        const struct mr_synthetic_column *one = &tables->columns[column];
        uint32_t codes_count = mr_synthetic_is_number(one->kind) ? BIN_CODES : one->codes_count;
        pairing->codes_counts[column] = codes_count;
        if (mr_synthetic_is_scored(one->kind) && codes_count > most)
            most = codes_count;
    }
    for (uint32_t side = 0; side < SIDES_COUNT; side++) {
        struct mr_arena *arena = pairing->arena;
        pairing->coded[side] = mr_arena_new(arena, columns_count, sizeof(struct coded));
        pairing->constant[side] = mr_arena_new(arena, columns_count, sizeof(bool));
        pairing->order[side] =
            mr_arena_take(arena, pairing->sides[side]->rows_count * sizeof(uint32_t));
        pairing->starts[side] = mr_arena_new(arena, (size_t)most + 1, sizeof(uint32_t));
        pairing->counts[side] = mr_arena_new(arena, most, sizeof(uint32_t));
        for (uint32_t column = 0; column < columns_count; column++)
            if (mr_synthetic_is_scored(tables->columns[column].kind))
                code_column(pairing, side, column);
    }
    pairing->touched = mr_arena_new(pairing->arena, most, sizeof(uint32_t));
}

/* Rows in the order of a column's codes. */
static void sort_rows(struct pairing *pairing, uint32_t column)
{
    uint32_t codes_count = pairing->codes_counts[column];
    for (uint32_t side = 0; side < SIDES_COUNT; side++) {
        const struct coded *coded = &pairing->coded[side][column];
        uint32_t *starts = pairing->starts[side];
        uint32_t sum = 0;
        for (uint32_t code = 0; code < codes_count; code++) {
            starts[code] = sum;
            sum += coded->counts[code];
        }
        for (uint32_t row = 0; row < pairing->sides[side]->rows_count; row++)
            pairing->order[side][starts[coded->codes[row]]++] = row;
        for (uint32_t code = codes_count; code > 0; code--) /* each stands at the next one's */
            starts[code] = starts[code - 1];
        starts[0] = 0;
    }
}

/* ---- Combinations ---- */

/* Of the combinations that were met. */
struct contingency {
    double difference; /* sum of |share - share| */
    double chi_square;
    double expected; /* sum over those that the real table has */
    uint64_t cells;
};

static void add_cell(const struct pairing *pairing, struct contingency *sums, double real,
                     double synthetic, double expected)
{
    sums->difference +=
        fabs(real / pairing->sides[0]->rows_count - synthetic / pairing->sides[1]->rows_count);
    if (real == 0)
        return;
    sums->chi_square += (real - expected) * (real - expected) / expected;
    sums->expected += expected;
    sums->cells++;
}

static void count_code(struct pairing *pairing, uint32_t first, uint32_t second, uint32_t code,
                       struct contingency *sums)
{
    uint32_t touched = 0;
    for (uint32_t side = 0; side < SIDES_COUNT; side++) {
        const uint32_t *codes = pairing->coded[side][second].codes;
        for (uint32_t at = pairing->starts[side][code]; at < pairing->starts[side][code + 1];
             at++) {
            uint32_t other = codes[pairing->order[side][at]];
            if (pairing->counts[0][other] == 0 && pairing->counts[1][other] == 0)
                pairing->touched[touched++] = other;
            pairing->counts[side][other]++;
        }
    }
    double rows = pairing->coded[0][first].counts[code];
    for (uint32_t index = 0; index < touched; index++) {
        uint32_t other = pairing->touched[index];
        double expected =
            rows * pairing->coded[0][second].counts[other] / pairing->sides[0]->rows_count;
        add_cell(pairing, sums, pairing->counts[0][other], pairing->counts[1][other], expected);
        pairing->counts[0][other] = 0;
        pairing->counts[1][other] = 0;
    }
}

/* Cramer's V; not a number where a column has one value only. */
static double cramer(const struct contingency *sums, uint32_t first, uint32_t second, double rows)
{
    uint32_t least = first < second ? first : second;
    if (least < 2)
        return NAN;
    bool is_full = sums->cells == (uint64_t)first * second;
    double chi_square = sums->chi_square + (is_full ? 0 : fmax(rows - sums->expected, 0));
    return sqrt(chi_square / rows / (least - 1));
}

/* Pre: sort_rows of the first. */
static void score_combinations(struct pairing *pairing, struct mr_synthetic_pair_score *pair)
{
    struct contingency sums = {0};
    pair->score = (struct mr_synthetic_score){.metric = "ContingencySimilarity", .score = NAN};
    if (pairing->sides[0]->rows_count == 0 || pairing->sides[1]->rows_count == 0) {
        pair->score.why = "one of the tables has no rows";
        return;
    }
    for (uint32_t code = 0; code < pairing->codes_counts[pair->first]; code++)
        count_code(pairing, pair->first, pair->second, code, &sums);
    pair->score.score = fmax(1 - sums.difference / 2, 0);
    pair->association =
        cramer(&sums, pairing->coded[0][pair->first].present,
               pairing->coded[0][pair->second].present, pairing->sides[0]->rows_count);
    pair->counts = pair->association > MR_SYNTHETIC_ASSOCIATION;
}

/* ---- Correlations ---- */

/* What makes the sums of squares of the numbers stay within the doubles: a power of two. */
static double scale_of(double greatest)
{
    int exponent;
    if (greatest == 0 || (greatest < 1e100 && greatest > 1e-100))
        return 1;
    (void)frexp(greatest, &exponent);
    return ldexp(1, exponent > 1000 ? -1000 : exponent < -1000 ? 1000 : -exponent);
}

/* Pearson's correlation of the rows that have both numbers; *why when there is none. */
static double correlation(const double *first, const double *second, uint32_t rows_count,
                          const char **why)
{
    double means[2] = {0, 0};
    double tops[2] = {0, 0};
    double centered[2] = {0, 0}; /* greatest distances from the mean */
    double count = 0;
    for (uint32_t row = 0; row < rows_count; row++) {
        if (isnan(first[row]) || isnan(second[row]))
            continue;
        tops[0] = fmax(tops[0], fabs(first[row]));
        tops[1] = fmax(tops[1], fabs(second[row]));
    }
    double scales[2] = {scale_of(tops[0]), scale_of(tops[1])};
    for (uint32_t row = 0; row < rows_count; row++) {
        if (isnan(first[row]) || isnan(second[row]))
            continue;
        count++;
        means[0] += (first[row] * scales[0] - means[0]) / count;
        means[1] += (second[row] * scales[1] - means[1]) / count;
    }
    *why = "fewer than two rows have both numbers";
    if (count < 2)
        return NAN;
    for (uint32_t row = 0; row < rows_count; row++) {
        if (isnan(first[row]) || isnan(second[row]))
            continue;
        centered[0] = fmax(centered[0], fabs(first[row] * scales[0] - means[0]));
        centered[1] = fmax(centered[1], fabs(second[row] * scales[1] - means[1]));
    }
    *why = "a column is constant where both numbers are there";
    if (centered[0] <= tops[0] * scales[0] * 1e-15 || centered[1] <= tops[1] * scales[1] * 1e-15)
        return NAN;
    double squares[2] = {0, 0};
    double products = 0;
    for (uint32_t row = 0; row < rows_count; row++) {
        if (isnan(first[row]) || isnan(second[row]))
            continue;
        double one = (first[row] * scales[0] - means[0]) / centered[0];
        double two = (second[row] * scales[1] - means[1]) / centered[1];
        squares[0] += one * one;
        squares[1] += two * two;
        products += one * two;
    }
    return fmax(-1, fmin(1, products / (sqrt(squares[0]) * sqrt(squares[1]))));
}

static void score_correlations(const struct pairing *pairing, struct mr_synthetic_pair_score *pair)
{
    const struct mr_synthetic_table *real = pairing->sides[0];
    const struct mr_synthetic_table *synthetic = pairing->sides[1];
    pair->score = (struct mr_synthetic_score){.metric = "CorrelationSimilarity", .score = NAN};
    for (uint32_t side = 0; side < SIDES_COUNT; side++)
        if (pairing->constant[side][pair->first] || pairing->constant[side][pair->second]) {
            pair->score.why =
                side == 0 ? "a real column is constant" : "a synthetic column is constant";
            return;
        }
    pair->real = correlation(real->numbers[pair->first], real->numbers[pair->second],
                             real->rows_count, &pair->score.why);
    if (isnan(pair->real))
        return;
    pair->synthetic = correlation(synthetic->numbers[pair->first], synthetic->numbers[pair->second],
                                  synthetic->rows_count, &pair->score.why);
    if (isnan(pair->synthetic))
        return;
    pair->score.why = NULL;
    pair->score.score = 1 - fabs(pair->real - pair->synthetic) / 2;
    pair->counts = fabs(pair->real) > MR_SYNTHETIC_CORRELATION;
}

struct mr_synthetic_pair_score *
mr_synthetic_pairs_score(const struct mr_synthetic_pair_of_tables *tables, struct mr_arena *arena,
                         uint32_t *count)
{
    uint32_t columns_count = tables->columns_count;
    struct mr_synthetic_pair_score *pairs =
        mr_arena_new(arena, (size_t)columns_count * columns_count / 2 + 1, sizeof(*pairs));
    struct pairing pairing = {.tables = tables};
    struct mr_arena scratch;
    *count = 0;
    mr_arena_init(&scratch, 256 << 10);
    pairing.arena = &scratch;
    prepare(&pairing);
    for (uint32_t first = 0; first < columns_count; first++) {
        enum mr_synthetic_kind kind = tables->columns[first].kind;
        if (!mr_synthetic_is_scored(kind))
            continue;
        sort_rows(&pairing, first);
        for (uint32_t second = first + 1; second < columns_count; second++) {
            enum mr_synthetic_kind other = tables->columns[second].kind;
            if (!mr_synthetic_is_scored(other))
                continue;
            struct mr_synthetic_pair_score *pair = &pairs[(*count)++];
            *pair = (struct mr_synthetic_pair_score){.first = first,
                                                     .second = second,
                                                     .real = NAN,
                                                     .synthetic = NAN,
                                                     .association = NAN};
            if (mr_synthetic_is_number(kind) && mr_synthetic_is_number(other))
                score_correlations(&pairing, pair);
            else
                score_combinations(&pairing, pair);
        }
    }
    mr_arena_deinit(&scratch);
    return pairs;
}
