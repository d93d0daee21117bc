/* operators/bootstrap_bytes.c — a bootstrap's sample (bootstrap.h) as bytes and back.
 * Layout, version 1 (little-endian; R rows kept, d columns):
 *   0   uint8   1; 1 uint8 0; 2 uint16 d; 4 uint32 R; 8 uint64 rows learned
 *   16  double  weight, squares, threshold
 *   40  of each row kept: double weight, u, d numbers (missing: the quiet NaN)
 *       of each column: uint8 kind, uint8 decimals, uint16 texts, uint32 0; double missing; of each
 *       text, by its number: double weight, uint8 size, the bytes
 * What changes its size comes last, so that rows stay where they were written. */
#include "operators/bootstrap.h"

#include <math.h>
#include <string.h>

#include "base/endian.h"

enum { VERSION = 1, HEAD_BYTES = 40, COLUMN_BYTES = 16, TEXT_HEAD_BYTES = 9 };

size_t mr_bootstrap_bytes_max(const struct mr_copula_shape *shape)
{
    size_t columns = shape->columns_count;
    size_t texts = (size_t)MR_COPULA_TEXTS_MAX * (TEXT_HEAD_BYTES + MR_COPULA_TEXT_BYTES);
    return HEAD_BYTES + columns * (COLUMN_BYTES + texts) +
           8 * (size_t)shape->reservoir_rows * (columns + MR_BOOTSTRAP_ROW_HEAD);
}

/* ---- Writing ---- */

static uint8_t *put_column(uint8_t *at, const struct mr_copula_column *column)
{
    const struct mr_copula_texts *texts = &column->texts;
    at[0] = column->kind;
    at[1] = column->decimals;
    mr_put_u16le(at + 2, (uint16_t)texts->count);
    mr_put_u32le(at + 4, 0);
    mr_put_double_le(at + 8, column->missing);
    at += COLUMN_BYTES;
    for (uint32_t text = 0; text < texts->count; text++) {
        mr_put_double_le(at, texts->weights[text]);
        at[8] = texts->sizes[text];
        at += TEXT_HEAD_BYTES;
        if (texts->sizes[text] > 0)
            memcpy(at, texts->bytes[text], texts->sizes[text]);
        at += texts->sizes[text];
    }
    return at;
}

size_t mr_bootstrap_encode(const struct mr_bootstrap *model, uint8_t *output)
{
    size_t columns = model->shape.columns_count;
    output[0] = VERSION;
    output[1] = 0;
    mr_put_u16le(output + 2, (uint16_t)columns);
    mr_put_u32le(output + 4, model->kept);
    mr_put_u64le(output + 8, model->rows);
    mr_put_double_le(output + 16, model->weight);
    mr_put_double_le(output + 24, model->squares);
    mr_put_double_le(output + 32, model->threshold);
    uint8_t *at = output + HEAD_BYTES;
    size_t numbers = model->kept * (columns + MR_BOOTSTRAP_ROW_HEAD);
    for (size_t index = 0; index < numbers; index++, at += 8) {
        double number = model->reservoir[index];
        mr_put_double_le(at, isnan(number) ? (double)NAN : number);
    }
    for (size_t index = 0; index < columns; index++)
        at = put_column(at, &model->columns[index]);
    return (size_t)(at - output);
}

/* ---- Reading ---- */

static double read_double(struct mr_reader *reader)
{
    return mr_get_double_le(mr_read_bytes(reader, 8));
}

static bool read_column(struct mr_reader *reader, struct mr_copula_column *column)
{
    column->kind = mr_read_u8(reader);
    column->decimals = mr_read_u8(reader);
    uint32_t texts_count = mr_read_u16(reader);
    (void)mr_read_u32(reader);
    column->missing = read_double(reader);
    if (reader->bad || column->kind >= MR_COPULA_KINDS_COUNT || texts_count > MR_COPULA_TEXTS_MAX)
        return false;
    struct mr_copula_texts *texts = &column->texts;
    texts->count = texts_count;
    for (uint32_t text = 0; text < texts_count; text++) {
        texts->weights[text] = read_double(reader);
        texts->sizes[text] = mr_read_u8(reader);
        texts->order[text] = (uint8_t)text;
        texts->ranks[text] = (uint8_t)text;
        if (reader->bad || texts->sizes[text] > MR_COPULA_TEXT_BYTES ||
            reader->end - reader->cursor < texts->sizes[text])
            return false;
        for (uint32_t at = 0; at < texts->sizes[text]; at++)
            texts->bytes[text][at] = mr_read_u8(reader);
    }
    return true;
}

/* Weights and u are what they can be; a text's number is one of its column's, or none. */
static bool row_is_fine(const struct mr_bootstrap *model, const double *row)
{
    if (!(row[0] >= 0 && row[0] <= 1 && row[1] > 0 && row[1] <= 1))
        return false;
    for (uint32_t index = 0; index < model->shape.columns_count; index++) {
        const struct mr_copula_column *column = &model->columns[index];
        double number = row[MR_BOOTSTRAP_ROW_HEAD + index];
        if (isnan(number))
            continue;
        bool is_text = column->kind == MR_COPULA_TEXT && number >= 0 &&
                       (number < column->texts.count || number == MR_COPULA_RARE);
        if (column->kind == MR_COPULA_TEXT ? !is_text : !isfinite(number))
            return false;
    }
    return true;
}

static bool read_model(struct mr_bootstrap *model, struct mr_reader *reader)
{
    size_t columns = model->shape.columns_count;
    size_t stride = columns + MR_BOOTSTRAP_ROW_HEAD;
    uint8_t version = mr_read_u8(reader);
    (void)mr_read_u8(reader);
    uint16_t columns_count = mr_read_u16(reader);
    uint32_t kept = mr_read_u32(reader);
    model->rows = mr_read_u64(reader);
    model->weight = read_double(reader);
    model->squares = read_double(reader);
    model->threshold = read_double(reader);
    if (reader->bad || version != VERSION || columns_count != columns ||
        kept > model->shape.reservoir_rows ||
        (size_t)(reader->end - reader->cursor) < 8 * kept * stride ||
        !(model->weight >= 0 && model->squares >= 0 && model->threshold >= 0))
        return false;
    for (size_t at = 0; at < kept * stride; at++)
        model->reservoir[at] = read_double(reader);
    for (size_t index = 0; index < columns; index++)
        if (!read_column(reader, &model->columns[index]))
            return false;
    if (reader->bad || reader->cursor != reader->end)
        return false;
    for (uint32_t row = 0; row < kept; row++)
        if (!row_is_fine(model, model->reservoir + row * stride))
            return false;
    model->kept = kept;
    return true;
}

bool mr_bootstrap_decode(struct mr_bootstrap *model, struct mr_slice bytes)
{
    struct mr_reader reader = mr_reader_from(bytes);
    mr_bootstrap_clear(model);
    if (!read_model(model, &reader)) {
        mr_bootstrap_clear(model);
        return false;
    }
    if (model->kept == model->shape.reservoir_rows)
        mr_bootstrap_heap_make(model);
    return true;
}
