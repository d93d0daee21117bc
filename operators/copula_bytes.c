/* operators/copula_bytes.c — a copula (copula.h) as bytes and back, and two of them as one.
 * Layout, version 1 (little-endian; R rows kept, d columns):
 *   0   uint8   1; 1 uint8 0; 2 uint16 d; 4 uint32 R; 8 uint64 rows learned
 *   16  double  weight, squares, age
 *   40  of each row kept: double priority, d numbers (missing: the quiet NaN)
 *       double  moments, means, missing_together, in the order of struct mr_copula
 *       of each column: uint8 kind, uint8 decimals, uint16 texts, uint16 bins, uint16 0;
 *       double missing; of each bin: double lowest, highest, weight; of each text, by its number:
 *       double weight, uint8 rank, uint8 size, the bytes
 * What changes its size comes last, so that rows stay where they were written. */
#include "operators/copula.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"

enum { VERSION = 1, HEAD_BYTES = 40, COLUMN_BYTES = 16, BIN_BYTES = 24, TEXT_HEAD_BYTES = 10 };

static size_t moments_count(const struct mr_copula_shape *shape)
{
    size_t columns = shape->columns_count;
    return mr_copula_triangle(2 * columns, 0) + 2 * columns + mr_copula_triangle(columns, 0);
}

size_t mr_copula_bytes_max(const struct mr_copula_shape *shape)
{
    size_t bins = (size_t)MR_MARGINAL_BINS_MAX * BIN_BYTES;
    size_t texts = (size_t)MR_COPULA_TEXTS_MAX * (TEXT_HEAD_BYTES + MR_COPULA_TEXT_BYTES);
    return HEAD_BYTES + shape->columns_count * (COLUMN_BYTES + (bins > texts ? bins : texts)) +
           8 * (moments_count(shape) + (size_t)shape->reservoir_rows * (shape->columns_count + 1));
}

/* ---- Writing ---- */

static uint8_t *put_doubles(uint8_t *at, const double *numbers, size_t count)
{
    for (size_t index = 0; index < count; index++, at += 8)
        mr_put_double_le(at, isnan(numbers[index]) ? (double)NAN : numbers[index]);
    return at;
}

static uint8_t *put_column(uint8_t *at, const struct mr_copula_column *column)
{
    const struct mr_copula_texts *texts = &column->texts;
    at[0] = column->kind;
    at[1] = column->decimals;
    mr_put_u16le(at + 2, (uint16_t)texts->count);
    mr_put_u16le(at + 4, (uint16_t)column->marginal.bins_count);
    mr_put_u16le(at + 6, 0);
    mr_put_double_le(at + 8, column->missing);
    at += COLUMN_BYTES;
    for (uint32_t bin = 0; bin < column->marginal.bins_count; bin++, at += BIN_BYTES) {
        mr_put_double_le(at, column->marginal.bins[bin].lowest);
        mr_put_double_le(at + 8, column->marginal.bins[bin].highest);
        mr_put_double_le(at + 16, column->marginal.bins[bin].weight);
    }
    uint8_t ranks[MR_COPULA_TEXTS_MAX];
    for (uint32_t rank = 0; rank < texts->count; rank++)
        ranks[texts->order[rank]] = (uint8_t)rank;
    for (uint32_t text = 0; text < texts->count; text++) {
        mr_put_double_le(at, texts->weights[text]);
        at[8] = ranks[text];
        at[9] = texts->sizes[text];
        at += TEXT_HEAD_BYTES;
        if (texts->sizes[text] > 0)
            memcpy(at, texts->bytes[text], texts->sizes[text]);
        at += texts->sizes[text];
    }
    return at;
}

size_t mr_copula_encode(const struct mr_copula *model, uint8_t *output)
{
    size_t columns = model->shape.columns_count;
    output[0] = VERSION;
    output[1] = 0;
    mr_put_u16le(output + 2, (uint16_t)columns);
    mr_put_u32le(output + 4, model->kept);
    mr_put_u64le(output + 8, model->rows);
    mr_put_double_le(output + 16, model->weight);
    mr_put_double_le(output + 24, model->squares);
    mr_put_double_le(output + 32, model->age);
    uint8_t *at = output + HEAD_BYTES;
    at = put_doubles(at, model->reservoir, model->kept * (columns + 1));
    at = put_doubles(at, model->moments, mr_copula_triangle(2 * columns, 0));
    at = put_doubles(at, model->means, 2 * columns);
    at = put_doubles(at, model->missing_together, mr_copula_triangle(columns, 0));
    for (size_t index = 0; index < columns; index++)
        at = put_column(at, &model->columns[index]);
    return (size_t)(at - output);
}

/* ---- Reading ---- */

static double read_double(struct mr_reader *reader)
{
    return mr_get_double_le(mr_read_bytes(reader, 8));
}

static void read_doubles(struct mr_reader *reader, double *numbers, size_t count)
{
    if ((size_t)(reader->end - reader->cursor) < 8 * count) {
        reader->bad = true;
        return;
    }
    for (size_t index = 0; index < count; index++)
        numbers[index] = read_double(reader);
}

static bool read_texts(struct mr_reader *reader, struct mr_copula_texts *texts, uint32_t count)
{
    bool taken[MR_COPULA_TEXTS_MAX] = {false};
    texts->count = count;
    for (uint32_t text = 0; text < count; text++) {
        texts->weights[text] = read_double(reader);
        uint8_t rank = mr_read_u8(reader);
        texts->sizes[text] = mr_read_u8(reader);
        if (reader->bad || rank >= count || taken[rank] ||
            texts->sizes[text] > MR_COPULA_TEXT_BYTES ||
            reader->end - reader->cursor < texts->sizes[text])
            return false;
        taken[rank] = true;
        texts->order[rank] = (uint8_t)text;
        texts->ranks[text] = rank;
        for (uint32_t at = 0; at < texts->sizes[text]; at++)
            texts->bytes[text][at] = mr_read_u8(reader);
    }
    return true;
}

static bool read_column(struct mr_reader *reader, struct mr_copula_column *column)
{
    column->kind = mr_read_u8(reader);
    column->decimals = mr_read_u8(reader);
    uint32_t texts_count = mr_read_u16(reader);
    uint32_t bins_count = mr_read_u16(reader);
    (void)mr_read_u16(reader);
    column->missing = read_double(reader);
    if (reader->bad || column->kind >= MR_COPULA_KINDS_COUNT || texts_count > MR_COPULA_TEXTS_MAX ||
        bins_count > MR_MARGINAL_BINS_MAX)
        return false;
    column->marginal.bins_count = bins_count;
    for (uint32_t bin = 0; bin < bins_count; bin++) {
        struct mr_marginal_bin *one = &column->marginal.bins[bin];
        one->lowest = read_double(reader);
        one->highest = read_double(reader);
        one->weight = read_double(reader);
        if (!(one->lowest <= one->highest) || !(one->weight >= 0))
            return false;
    }
    return read_texts(reader, &column->texts, texts_count);
}

/* A number that stands for a text must be one of its column's, or none. */
static bool rows_are_fine(const struct mr_copula *model)
{
    size_t columns = model->shape.columns_count;
    for (size_t row = 0; row < model->kept; row++)
        for (size_t index = 0; index < columns; index++) {
            const struct mr_copula_column *column = &model->columns[index];
            double number = model->reservoir[row * (columns + 1) + 1 + index];
            if (column->kind == MR_COPULA_TEXT && !isnan(number) && number != MR_COPULA_RARE &&
                !(number >= 0 && number < column->texts.count))
                return false;
        }
    return true;
}

static bool read_model(struct mr_copula *model, struct mr_reader *reader)
{
    size_t columns = model->shape.columns_count;
    uint8_t version = mr_read_u8(reader);
    (void)mr_read_u8(reader);
    uint16_t columns_count = mr_read_u16(reader);
    uint32_t kept = mr_read_u32(reader);
    model->rows = mr_read_u64(reader);
    model->weight = read_double(reader);
    model->squares = read_double(reader);
    model->age = read_double(reader);
    if (reader->bad || version != VERSION || columns_count != columns ||
        kept > model->shape.reservoir_rows)
        return false;
    model->kept = kept;
    read_doubles(reader, model->reservoir, kept * (columns + 1));
    read_doubles(reader, model->moments, mr_copula_triangle(2 * columns, 0));
    read_doubles(reader, model->means, 2 * columns);
    read_doubles(reader, model->missing_together, mr_copula_triangle(columns, 0));
    for (size_t index = 0; index < columns; index++)
        if (!read_column(reader, &model->columns[index]))
            return false;
    return !reader->bad && reader->cursor == reader->end && rows_are_fine(model);
}

bool mr_copula_decode_stored(struct mr_copula *model, struct mr_slice bytes)
{
    struct mr_reader reader = mr_reader_from(bytes);
    mr_copula_clear(model);
    if (!read_model(model, &reader)) {
        mr_copula_clear(model);
        return false;
    }
    if (model->kept == model->shape.reservoir_rows)
        mr_copula_heap_make(model);
    return true;
}

bool mr_copula_decode(struct mr_copula *model, struct mr_slice bytes)
{
    if (!mr_copula_decode_stored(model, bytes))
        return false;
    mr_copula_map_columns(model);
    mr_copula_map_latents(model);
    return true;
}
