/* operators/copula_columns.c — the columns of a copula (copula.h): what kind a column is, the
 * number that stands for a cell, and the distribution of those numbers.
 * Design: the kind is told by the first block with a value: booleans, numbers, timestamps by their
 * cells; texts are dates or times when all of them read as such, identifiers when nearly all
 * differ, else categories. A cell that does not fit the kind afterwards counts as missing. A
 * category's number is the place where its text was first seen; its distribution is over ranks,
 * which mr_copula_rebuild orders so that they go along with another column. */
#include "operators/copula.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

enum { DATE_BYTES = 10, TIME_BYTES_MIN = 20, DAY_SECONDS = 86400 };

#define TEXTS_DIFFER 0.9 /* share of different texts that makes identifiers */
#define TEXTS_SEEN_MIN 20

static const double powers_of_ten[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

double mr_copula_scale(const struct mr_copula_column *column)
{
    return column->decimals > MR_COPULA_DECIMALS_MAX ? 0 : powers_of_ten[column->decimals];
}

/* ---- Texts ---- */

double mr_copula_text_find(const struct mr_copula_texts *texts, struct mr_slice text)
{
    for (uint32_t at = 0; at < texts->count; at++)
        if (texts->sizes[at] == text.size &&
            (text.size == 0 || memcmp(texts->bytes[at], text.data, text.size) == 0))
            return at;
    return MR_COPULA_RARE;
}

double mr_copula_text_number(struct mr_copula_texts *texts, struct mr_slice text)
{
    if (text.size > MR_COPULA_TEXT_BYTES)
        return MR_COPULA_RARE;
    double number = mr_copula_text_find(texts, text);
    if (number < MR_COPULA_RARE || texts->count == MR_COPULA_TEXTS_MAX)
        return number;
    uint32_t made = texts->count++;
    texts->sizes[made] = (uint8_t)text.size;
    if (text.size > 0)
        memcpy(texts->bytes[made], text.data, text.size);
    texts->weights[made] = 0;
    texts->order[made] = (uint8_t)made;
    texts->ranks[made] = (uint8_t)made;
    return made;
}

static bool date_number(struct mr_slice text, double *number)
{
    char whole[DATE_BYTES + 10];
    int64_t seconds;
    int32_t nanoseconds;
    if (text.size != DATE_BYTES)
        return false;
    memcpy(whole, text.data, DATE_BYTES);
    memcpy(whole + DATE_BYTES, "T00:00:00Z", 10);
    if (!mr_clock_parse_rfc3339(mr_slice_from(whole, sizeof(whole)), &seconds, &nanoseconds))
        return false;
    *number = floor((double)seconds / DAY_SECONDS);
    return true;
}

static bool time_number(struct mr_slice text, double *number)
{
    int64_t seconds;
    int32_t nanoseconds;
    if (text.size < TIME_BYTES_MIN || !mr_clock_parse_rfc3339(text, &seconds, &nanoseconds))
        return false;
    *number = ((double)seconds * 1000 + nanoseconds / 1000000) / 1000;
    return true;
}

bool mr_copula_time_number(uint8_t kind, struct mr_slice text, double *number)
{
    return kind == MR_COPULA_DATE ? date_number(text, number) : time_number(text, number);
}

bool mr_copula_instant_number(uint8_t kind, struct mr_slice text, double *number)
{
    double other;
    if (mr_copula_time_number(kind, text, number))
        return true;
    bool is_date = kind == MR_COPULA_DATE;
    if (!mr_copula_time_number(is_date ? MR_COPULA_TIME : MR_COPULA_DATE, text, &other))
        return false;
    *number = is_date ? other / DAY_SECONDS : other * DAY_SECONDS;
    return true;
}

/* ---- Kinds ---- */

static uint8_t kind_of_cell(struct mr_value cell)
{
    double number;
    if (cell.kind == MR_KIND_BOOL)
        return MR_COPULA_BOOLEAN;
    if (cell.kind == MR_KIND_TIMESTAMP)
        return MR_COPULA_TIMESTAMP;
    if (cell.kind == MR_KIND_STRING && date_number(mr_value_text(cell), &number))
        return MR_COPULA_DATE;
    if (cell.kind == MR_KIND_STRING && time_number(mr_value_text(cell), &number))
        return MR_COPULA_TIME;
    if (cell.kind == MR_KIND_STRING)
        return MR_COPULA_TEXT;
    return mr_value_as_double(cell, &number) && fabs(number) <= MR_COPULA_NUMBER_MAX
               ? MR_COPULA_NUMBER
               : MR_COPULA_UNKNOWN;
}

/* Text beside dates makes all of them texts; else the first kind holds. */
static void tell_kind(struct mr_copula_column *column, const struct mr_value *cells,
                      uint32_t columns_count, uint32_t rows_count)
{
    uint8_t kind = MR_COPULA_UNKNOWN;
    uint32_t texts_seen = 0;
    uint32_t texts_rare = 0;
    for (uint32_t row = 0; row < rows_count; row++) {
        struct mr_value cell = cells[(size_t)row * columns_count];
        uint8_t own = kind_of_cell(cell);
        if (kind == MR_COPULA_UNKNOWN)
            kind = own;
        else if (own != MR_COPULA_UNKNOWN && own != kind && cell.kind == MR_KIND_STRING &&
                 (kind == MR_COPULA_DATE || kind == MR_COPULA_TIME))
            kind = MR_COPULA_TEXT;
        if (cell.kind == MR_KIND_STRING) {
            texts_seen++;
            texts_rare +=
                mr_copula_text_number(&column->texts, mr_value_text(cell)) == MR_COPULA_RARE;
        }
    }
    double different = column->texts.count + texts_rare;
    if (kind == MR_COPULA_TEXT && texts_seen >= TEXTS_SEEN_MIN &&
        different >= TEXTS_DIFFER * texts_seen)
        kind = MR_COPULA_IDENTIFIER;
    if (kind == MR_COPULA_IDENTIFIER)
        column->texts.count = 1; /* an example */
    else
        column->texts.count = 0;
    column->kind = kind;
}

/* ---- Numbers ---- */

/* NaN: missing. */
static double number_of(struct mr_copula_column *column, struct mr_value cell)
{
    double number;
    bool is_text = cell.kind == MR_KIND_STRING;
    switch ((enum mr_copula_kind)column->kind) {
    case MR_COPULA_NUMBER:
        if (mr_value_as_double(cell, &number) && fabs(number) <= MR_COPULA_NUMBER_MAX)
            return number + 0.0;
        break;
    case MR_COPULA_BOOLEAN:
        if (cell.kind == MR_KIND_BOOL)
            return cell.boolean ? 1 : 0;
        break;
    case MR_COPULA_TEXT:
        if (is_text)
            return mr_copula_text_number(&column->texts, mr_value_text(cell));
        break;
    case MR_COPULA_DATE:
        if (is_text && date_number(mr_value_text(cell), &number))
            return number;
        break;
    case MR_COPULA_TIME:
        if (is_text && time_number(mr_value_text(cell), &number))
            return number;
        break;
    case MR_COPULA_TIMESTAMP:
        if (cell.kind == MR_KIND_TIMESTAMP)
            return floor((double)cell.integer / 1000000) / 1000;
        break;
    case MR_COPULA_IDENTIFIER:
        if (is_text && column->texts.count == 0) /* an example */
            (void)mr_copula_text_number(&column->texts, mr_value_text(cell));
        if (is_text)
            return 0;
        break;
    case MR_COPULA_UNKNOWN:
    case MR_COPULA_KINDS_COUNT:
        break;
    }
    return NAN;
}

static void count_decimals(struct mr_copula_column *column, double number)
{
    while (column->decimals <= MR_COPULA_DECIMALS_MAX) {
        double scale = powers_of_ten[column->decimals];
        if (nearbyint(number * scale) / scale == number)
            return;
        column->decimals++;
    }
}

static void sort_numbers(double *numbers, uint32_t count)
{
    static const uint32_t gaps[] = {132, 57, 23, 10, 4, 1}; /* Ciura's */
    for (uint32_t which = 0; which < sizeof(gaps) / sizeof(gaps[0]); which++) {
        uint32_t gap = gaps[which];
        for (uint32_t at = gap; at < count; at++) {
            double number = numbers[at];
            uint32_t place = at;
            for (; place >= gap && numbers[place - gap] > number; place -= gap)
                numbers[place] = numbers[place - gap];
            numbers[place] = number;
        }
    }
}

void mr_copula_column_numbers(struct mr_copula_column *column, const struct mr_value *cells,
                              uint32_t columns_count, uint32_t rows_count, double *numbers)
{
    if (column->kind == MR_COPULA_UNKNOWN)
        tell_kind(column, cells, columns_count, rows_count);
    bool has_decimals = column->kind == MR_COPULA_NUMBER || column->kind == MR_COPULA_TIME ||
                        column->kind == MR_COPULA_TIMESTAMP;
    for (uint32_t row = 0; row < rows_count; row++) {
        numbers[row] = number_of(column, cells[(size_t)row * columns_count]);
        if (has_decimals && !isnan(numbers[row]))
            count_decimals(column, numbers[row]);
    }
}

static void learn_column(struct mr_copula_column *column, const double *numbers,
                         uint32_t rows_count, double factor, double *sorted)
{
    uint32_t count = 0;
    column->missing *= factor;
    mr_marginal_decay(&column->marginal, factor);
    for (uint32_t text = 0; text < column->texts.count; text++)
        column->texts.weights[text] *= factor;
    for (uint32_t row = 0; row < rows_count; row++) {
        if (isnan(numbers[row]))
            column->missing += 1;
        else if (column->kind != MR_COPULA_TEXT)
            sorted[count++] = numbers[row];
        else if (numbers[row] < MR_COPULA_RARE)
            column->texts.weights[(uint32_t)numbers[row]] += 1;
    }
    if (count == 0 || column->kind == MR_COPULA_IDENTIFIER)
        return;
    sort_numbers(sorted, count);
    mr_marginal_learn(&column->marginal, sorted, count, mr_copula_scale(column));
}

void mr_copula_learn_columns(struct mr_copula *model, struct mr_copula_work *work,
                             const struct mr_value *cells, uint32_t rows_count, double factor)
{
    uint32_t columns_count = model->shape.columns_count;
    for (uint32_t index = 0; index < columns_count; index++) {
        struct mr_copula_column *column = &model->columns[index];
        double *numbers = work->numbers + (size_t)index * MR_COPULA_BLOCK_MAX;
        mr_copula_column_numbers(column, cells + index, columns_count, rows_count, numbers);
        learn_column(column, numbers, rows_count, factor, work->sorted);
    }
}

/* ---- Maps ---- */

double mr_copula_score(const struct mr_copula_column *column, double number)
{
    if (isnan(number) || column->map.bins_count == 0)
        return NAN;
    if (column->kind != MR_COPULA_TEXT)
        return mr_marginal_score(&column->map, number);
    if (number >= MR_COPULA_RARE)
        return NAN;
    return mr_marginal_score(&column->map, column->texts.ranks[(uint32_t)number]);
}

void mr_copula_map_column(const struct mr_copula *model, struct mr_copula_column *column)
{
    double rows = mr_copula_effective_rows(model);
    double tail = 0.5 / (rows > 1 ? rows : 1);
    struct mr_copula_texts *texts = &column->texts;
    struct mr_marginal_bin bins[MR_COPULA_TEXTS_MAX];
    if (tail > 0.25)
        tail = 0.25;
    if (column->kind != MR_COPULA_TEXT) {
        mr_marginal_map(&column->map, column->marginal.bins, column->marginal.bins_count,
                        mr_copula_scale(column), tail);
        return;
    }
    for (uint32_t rank = 0; rank < texts->count; rank++) {
        uint32_t text = texts->order[rank];
        texts->ranks[text] = (uint8_t)rank;
        bins[rank] = (struct mr_marginal_bin){rank, rank, texts->weights[text]};
    }
    mr_marginal_map(&column->map, bins, texts->count, 1, tail);
}

void mr_copula_map_columns(struct mr_copula *model)
{
    for (uint32_t index = 0; index < model->shape.columns_count; index++)
        mr_copula_map_column(model, &model->columns[index]);
}
