/* operators/learned_snapshot.c — see learned_snapshot.h. */
#include "operators/learned_snapshot.h"

#include <math.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "record/path.h"
#include "topology/plan.h"

enum { VERSION = 1, KIND_COPULA = 1 };

#define WEIGHT_MAX 1e18
#define SUM_MAX 1e30
#define ROUNDING (1 + 1e-9)

_Static_assert((int)MR_SNAPSHOT_FIELDS_COUNT == (int)MR_PLAN_SNAPSHOT_FIELDS_COUNT,
               "a merger reads all of them, by these names (topology/plan_publish.c)");

const struct mr_output_field mr_snapshot_fields[MR_SNAPSHOT_FIELDS_COUNT] = {
    [MR_SNAPSHOT_LEARNER] = {"learner", MR_TYPE_STRING,
                             "The operator and the partition of its "
                             "task: NAME/PARTITION."},
    [MR_SNAPSHOT_BLOCKS] = {"blocks", MR_TYPE_INT, "Batches that it has learned of the key."},
    [MR_SNAPSHOT_PART] = {"part", MR_TYPE_INT, "Which part of the snapshot this is, from 1 on."},
    [MR_SNAPSHOT_PARTS] = {"parts", MR_TYPE_INT, "How many parts there are."},
    [MR_SNAPSHOT_BYTES] = {"snapshot", MR_TYPE_BYTES, "The part, for model.merge."},
};

struct mr_copula_shape mr_snapshot_shape(const struct mr_options *options)
{
    return (struct mr_copula_shape){
        .columns_count = mr_options_get(options, "fields")->count,
        .reservoir_rows = (uint32_t)mr_options_integer(options, "reservoir"),
    };
}

size_t mr_snapshot_bytes_max(const struct mr_options *options)
{
    struct mr_copula_shape shape = mr_snapshot_shape(options);
    return MR_SNAPSHOT_HEAD_BYTES + mr_copula_bytes_max(&shape);
}

uint32_t mr_snapshot_parts(size_t bytes)
{
    return (uint32_t)((bytes + MR_SNAPSHOT_PART_BYTES - 1) / MR_SNAPSHOT_PART_BYTES);
}

static uint64_t hash_of_names(const struct mr_options *options)
{
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    uint64_t hash = 0;
    for (uint32_t field = 0; field < fields->count; field++)
        hash = mr_hash64_seeded(mr_slice_text(mr_path_last_name(&fields->paths[field])), hash);
    return hash;
}

size_t mr_snapshot_write(const struct mr_options *options, const struct mr_copula *model,
                         uint8_t *output)
{
    output[0] = VERSION;
    output[1] = KIND_COPULA;
    mr_put_u16le(output + 2, (uint16_t)model->shape.columns_count);
    mr_put_u32le(output + 4, model->shape.reservoir_rows);
    mr_put_u64le(output + 8, hash_of_names(options));
    return MR_SNAPSHOT_HEAD_BYTES + mr_copula_encode(model, output + MR_SNAPSHOT_HEAD_BYTES);
}

/* ---- What a sound copula is ---- */

static bool is_within(double number, double least, double most)
{
    return number >= least && number <= most; /* false of NaN */
}

static bool all_within(const double *numbers, size_t count, double most)
{
    for (size_t index = 0; index < count; index++)
        if (!is_within(numbers[index], -most, most))
            return false;
    return true;
}

static bool is_sound_column(const struct mr_copula_column *column, double weight)
{
    double before = -MR_COPULA_NUMBER_MAX;
    if (!is_within(column->missing, 0, weight * ROUNDING))
        return false;
    for (uint32_t bin = 0; bin < column->marginal.bins_count; bin++) {
        const struct mr_marginal_bin *one = &column->marginal.bins[bin];
        if (!is_within(one->lowest, before, one->highest) ||
            !is_within(one->highest, one->lowest, MR_COPULA_NUMBER_MAX) ||
            !is_within(one->weight, 0, WEIGHT_MAX))
            return false;
        before = one->highest;
    }
    for (uint32_t text = 0; text < column->texts.count; text++)
        if (!is_within(column->texts.weights[text], 0, WEIGHT_MAX) ||
            !mr_utf8_valid(mr_slice_from(column->texts.bytes[text], column->texts.sizes[text])))
            return false;
    return true;
}

/* A row of the reservoir: a priority, and numbers or nothing. */
static bool is_sound_row(const double *row, size_t columns)
{
    if (!is_within(row[0], -1e300, 1e300))
        return false;
    for (size_t column = 1; column <= columns; column++)
        if (!isnan(row[column]) &&
            !is_within(row[column], -MR_COPULA_NUMBER_MAX, MR_COPULA_NUMBER_MAX))
            return false;
    return true;
}

static bool is_sound(const struct mr_copula *model)
{
    size_t columns = model->shape.columns_count;
    if (model->rows == 0 || model->rows > (uint64_t)1 << 53 ||
        !is_within(model->weight, 1e-300, WEIGHT_MAX) ||
        !is_within(model->squares, 1e-300, WEIGHT_MAX * WEIGHT_MAX) ||
        !is_within(mr_copula_effective_rows(model), 0, WEIGHT_MAX) ||
        !is_within(model->age, 0, 1e300))
        return false;
    for (size_t row = 0; row < model->kept; row++)
        if (!is_sound_row(model->reservoir + row * (columns + 1), columns))
            return false;
    for (size_t column = 0; column < columns; column++)
        if (!is_sound_column(&model->columns[column], model->weight))
            return false;
    return all_within(model->moments, mr_copula_triangle(2 * columns, 0), SUM_MAX) &&
           all_within(model->means, 2 * columns, SUM_MAX) &&
           all_within(model->missing_together, mr_copula_triangle(columns, 0), SUM_MAX);
}

enum mr_status mr_snapshot_read(const struct mr_options *options, struct mr_slice bytes,
                                struct mr_copula *model, struct mr_error *error)
{
    mr_copula_clear(model);
    if (bytes.size < MR_SNAPSHOT_HEAD_BYTES || bytes.data[0] != VERSION ||
        bytes.data[1] != KIND_COPULA)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "the snapshot is none that this version knows");
    if (mr_get_u16le(bytes.data + 2) != model->shape.columns_count ||
        mr_get_u64le(bytes.data + 8) != hash_of_names(options))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "the snapshot has %u fields and others than `fields`: learners and their "
                       "merger must list the same, in the same order",
                       mr_get_u16le(bytes.data + 2));
    if (mr_get_u32le(bytes.data + 4) != model->shape.reservoir_rows)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "the snapshot has a reservoir of %u rows, not of %u: learners and their "
                       "merger must have the same `reservoir`",
                       mr_get_u32le(bytes.data + 4), model->shape.reservoir_rows);
    struct mr_slice rest =
        mr_slice_from(bytes.data + MR_SNAPSHOT_HEAD_BYTES, bytes.size - MR_SNAPSHOT_HEAD_BYTES);
    if (!mr_copula_decode_stored(model, rest) || !is_sound(model)) {
        mr_copula_clear(model);
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "the snapshot is damaged");
    }
    mr_copula_map_columns(model);
    mr_copula_map_latents(model);
    return MR_OK;
}
