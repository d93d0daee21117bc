/* operators/synthetic_window.c — see synthetic_window.h. */
#include "operators/synthetic_window.h"

#include <math.h>
#include <stdlib.h>

static const double ERROR_OF_99 = 1.63; /* Kolmogorov's distribution */

/* A value that is told apart from others. */
struct met {
    uint8_t kind; /* TEXT, TIME, INT for all numbers, BOOL */
    uint32_t side;
    uint32_t row;
    uint64_t value;
};

static uint8_t kind_at(const struct mr_synthetic_sample *sample, uint32_t side, uint32_t row,
                       uint32_t field)
{
    return sample->kinds[side][(size_t)row * sample->fields_count + field];
}

static uint64_t value_at(const struct mr_synthetic_sample *sample, uint32_t side, uint32_t row,
                         uint32_t field)
{
    return sample->values[side][(size_t)row * sample->fields_count + field];
}

static bool is_number(uint8_t kind)
{
    return kind == MR_SYNTHETIC_VALUE_INT || kind == MR_SYNTHETIC_VALUE_DOUBLE;
}

/* ---- Kinds ---- */

static enum mr_synthetic_kind shown_kind(const struct mr_synthetic_sample *sample, uint32_t field)
{
    for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES; side++) {
        uint32_t present = 0;
        uint32_t counts[MR_SYNTHETIC_VALUE_TEXT + 1] = {0};
        for (uint32_t row = 0; row < sample->kept[side]; row++) {
            uint8_t kind = kind_at(sample, side, row, field);
            present += kind != MR_SYNTHETIC_VALUE_MISSING;
            counts[kind]++;
        }
        if (present == 0)
            continue;
        if (counts[MR_SYNTHETIC_VALUE_BOOL] == present)
            return MR_SYNTHETIC_BOOLEAN;
        if (counts[MR_SYNTHETIC_VALUE_TIME] == present)
            return MR_SYNTHETIC_DATETIME;
        bool all = counts[MR_SYNTHETIC_VALUE_INT] + counts[MR_SYNTHETIC_VALUE_DOUBLE] == present;
        return all ? MR_SYNTHETIC_NUMERICAL : MR_SYNTHETIC_CATEGORICAL;
    }
    return MR_SYNTHETIC_OTHER;
}

static bool fits(enum mr_synthetic_kind kind, uint8_t value_kind)
{
    if (value_kind == MR_SYNTHETIC_VALUE_MISSING)
        return false;
    if (kind == MR_SYNTHETIC_NUMERICAL)
        return is_number(value_kind);
    if (kind == MR_SYNTHETIC_DATETIME)
        return value_kind == MR_SYNTHETIC_VALUE_TIME;
    return kind != MR_SYNTHETIC_BOOLEAN || value_kind == MR_SYNTHETIC_VALUE_BOOL;
}

static enum mr_synthetic_type type_of(const struct mr_synthetic_sample *sample, uint32_t side,
                                      uint32_t field, enum mr_synthetic_kind kind)
{
    if (kind == MR_SYNTHETIC_DATETIME)
        return MR_SYNTHETIC_TYPE_DATETIME;
    if (kind == MR_SYNTHETIC_BOOLEAN)
        return MR_SYNTHETIC_TYPE_BOOL;
    if (kind != MR_SYNTHETIC_NUMERICAL)
        return MR_SYNTHETIC_TYPE_TEXT;
    for (uint32_t row = 0; row < sample->kept[side]; row++)
        if (kind_at(sample, side, row, field) != MR_SYNTHETIC_VALUE_INT)
            return MR_SYNTHETIC_TYPE_DOUBLE;
    return MR_SYNTHETIC_TYPE_INT;
}

/* ---- Cells ---- */

static int compare_met(const void *left, const void *right)
{
    const struct met *one = left;
    const struct met *two = right;
    if (one->kind != two->kind)
        return one->kind < two->kind ? -1 : 1;
    return one->value < two->value ? -1 : one->value > two->value;
}

/* Codes by kind and value, the same on both sides. Returns how many there are, missing included. */
static uint32_t code_field(const struct mr_synthetic_sample *sample, uint32_t field,
                           enum mr_synthetic_kind kind, uint32_t *codes[MR_SYNTHETIC_SIDES],
                           struct mr_arena *arena)
{
    size_t rows = (size_t)sample->kept[0] + sample->kept[1];
    struct met *met = mr_arena_new(arena, rows, sizeof(*met));
    uint32_t count = 0;
    uint32_t code = 0;
    for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES; side++) {
        codes[side] = mr_arena_new(arena, sample->kept[side], sizeof(uint32_t));
        for (uint32_t row = 0; row < sample->kept[side]; row++) {
            uint8_t value_kind = kind_at(sample, side, row, field);
            if (!fits(kind, value_kind))
                continue;
            if (value_kind == MR_SYNTHETIC_VALUE_DOUBLE)
                value_kind = MR_SYNTHETIC_VALUE_INT; /* numbers are numbers */
            met[count++] = (struct met){value_kind, side, row, value_at(sample, side, row, field)};
        }
    }
    if (count > 0)
        qsort(met, count, sizeof(*met), compare_met);
    for (uint32_t index = 0; index < count; index++) {
        if (index == 0 || compare_met(&met[index - 1], &met[index]) != 0)
            code++;
        codes[met[index].side][met[index].row] = code;
    }
    return code + 1;
}

static double *number_field(const struct mr_synthetic_sample *sample, uint32_t side, uint32_t field,
                            enum mr_synthetic_kind kind, struct mr_arena *arena)
{
    double *numbers = mr_arena_new(arena, sample->kept[side], sizeof(*numbers));
    for (uint32_t row = 0; row < sample->kept[side]; row++)
        numbers[row] = fits(kind, kind_at(sample, side, row, field))
                           ? mr_synthetic_sample_number(value_at(sample, side, row, field))
                           : NAN;
    return numbers;
}

static void make_tables(const struct mr_synthetic_sample *sample,
                        const struct mr_synthetic_field *fields, struct mr_arena *arena,
                        struct mr_synthetic_pair_of_tables *tables)
{
    uint32_t count = sample->fields_count;
    struct mr_synthetic_column *columns = mr_arena_new(arena, count, sizeof(*columns));
    struct mr_synthetic_table *sides[MR_SYNTHETIC_SIDES] = {&tables->real, &tables->synthetic};
    const double **numbers[MR_SYNTHETIC_SIDES];
    const uint32_t **codes[MR_SYNTHETIC_SIDES];
    enum mr_synthetic_type *types[MR_SYNTHETIC_SIDES];
    for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES; side++) {
        numbers[side] = mr_arena_new(arena, count, sizeof(const double *));
        codes[side] = mr_arena_new(arena, count, sizeof(const uint32_t *));
        types[side] = mr_arena_new(arena, count, sizeof(enum mr_synthetic_type));
        *sides[side] = (struct mr_synthetic_table){sample->kept[side], numbers[side], codes[side],
                                                   types[side]};
    }
    for (uint32_t field = 0; field < count; field++) {
        enum mr_synthetic_kind kind =
            fields[field].is_declared ? fields[field].kind : shown_kind(sample, field);
        columns[field] = (struct mr_synthetic_column){.name = fields[field].name,
                                                      .kind = kind,
                                                      .minimum = NAN,
                                                      .maximum = NAN,
                                                      .nullable = -1};
        uint32_t *both[MR_SYNTHETIC_SIDES] = {NULL, NULL};
        if (!mr_synthetic_is_number(kind))
            columns[field].codes_count = code_field(sample, field, kind, both, arena);
        for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES; side++) {
            types[side][field] = type_of(sample, side, field, kind);
            codes[side][field] = both[side];
            if (mr_synthetic_is_number(kind))
                numbers[side][field] = number_field(sample, side, field, kind, arena);
        }
    }
    tables->columns_count = count;
    tables->columns = columns;
}

void mr_synthetic_window_score(const struct mr_synthetic_sample *sample,
                               const struct mr_synthetic_field *fields, bool distances,
                               struct mr_arena *arena, struct mr_synthetic_window *window)
{
    *window = (struct mr_synthetic_window){0};
    make_tables(sample, fields, arena, &window->tables);
    mr_synthetic_score(&window->tables, NULL, arena, &window->scores);
    if (distances)
        mr_synthetic_privacy_score(&window->tables, NULL, MR_SYNTHETIC_SAMPLE_ROWS_MAX,
                                   &window->privacy);
    for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES; side++)
        if (sample->rows[side] > sample->kept[side])
            window->error += ERROR_OF_99 / sqrt(sample->kept[side]);
}
