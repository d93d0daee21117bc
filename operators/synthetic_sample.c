/* operators/synthetic_sample.c — see synthetic_sample.h.
 * Design: the greatest key and its place are known, so that a row beyond the bound mostly costs one
 * comparison; a row that is kept takes that place, and the keys are looked through for the next
 * greatest one: about bound x ln(rows / bound) times a window. */
#include "operators/synthetic_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/aggregate_cell.h"

struct sample_head {
    uint64_t rows[MR_SYNTHETIC_SIDES];
    uint32_t kept[MR_SYNTHETIC_SIDES];
    uint32_t greatest[MR_SYNTHETIC_SIDES];
    uint64_t greatest_key[MR_SYNTHETIC_SIDES];
};

/* Where things lie in a body. */
struct shape {
    uint32_t rows_max;
    uint32_t fields_count;
    uint32_t row_bytes;
    uint32_t keys_of_piece;
    uint32_t rows_of_piece;
    uint32_t keys_pieces; /* of a side */
    uint32_t rows_pieces;
    uint32_t pieces;
};

/* A row on its way into a body. */
struct kept_row {
    uint64_t key;
    uint64_t values[MR_SYNTHETIC_SAMPLE_FIELDS_MAX];
    uint8_t kinds[MR_SYNTHETIC_SAMPLE_FIELDS_MAX];
};

static uint32_t pieces_for(uint32_t count, uint32_t of_piece)
{
    return (count + of_piece - 1) / of_piece;
}

static struct shape shape_of(const struct mr_aggregate *aggregate)
{
    const double *parameters = aggregate->call->parameters;
    struct shape shape = {.rows_max = (uint32_t)parameters[0],
                          .fields_count = (uint32_t)parameters[1]};
    shape.row_bytes = (shape.fields_count * 9 + 7) / 8 * 8;
    shape.keys_of_piece = aggregate->piece_bytes / (uint32_t)sizeof(uint64_t);
    shape.rows_of_piece = aggregate->piece_bytes / shape.row_bytes;
    shape.keys_pieces = pieces_for(shape.rows_max, shape.keys_of_piece);
    shape.rows_pieces = pieces_for(shape.rows_max, shape.rows_of_piece);
    shape.pieces = 1 + MR_SYNTHETIC_SIDES * (shape.keys_pieces + shape.rows_pieces);
    return shape;
}

static enum mr_status sample_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    aggregate->pieces_max = shape_of(aggregate).pieces;
    if (aggregate->pieces_max > MR_AGGREGATE_PIECES_MAX)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "so many rows of so many fields take more than 4 MiB a window: keep fewer "
                       "`rows`, or compare fewer fields");
    return MR_OK;
}

/* ---- Pieces ---- */

static enum mr_status read_head(struct mr_sketch_body *body, struct sample_head *head,
                                struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = body->piece(body, 0, false, &bytes, error);
    if (status == MR_OK)
        memcpy(head, bytes, sizeof(*head));
    return status;
}

static enum mr_status write_head(struct mr_sketch_body *body, const struct sample_head *head,
                                 struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = body->piece(body, 0, true, &bytes, error);
    if (status == MR_OK)
        memcpy(bytes, head, sizeof(*head));
    return status;
}

static uint32_t key_piece(const struct shape *shape, uint32_t side, uint32_t place)
{
    return 1 + side * shape->keys_pieces + place / shape->keys_of_piece;
}

static enum mr_status find_row(const struct shape *shape, struct mr_sketch_body *body,
                               uint32_t side, uint32_t place, bool write, uint8_t **row,
                               struct mr_error *error)
{
    uint32_t piece = 1 + MR_SYNTHETIC_SIDES * shape->keys_pieces + side * shape->rows_pieces +
                     place / shape->rows_of_piece;
    enum mr_status status = body->piece(body, piece, write, row, error);
    if (status == MR_OK)
        *row += (size_t)(place % shape->rows_of_piece) * shape->row_bytes;
    return status;
}

static enum mr_status read_row(const struct shape *shape, struct mr_sketch_body *body,
                               uint32_t side, uint32_t place, struct kept_row *kept,
                               struct mr_error *error)
{
    uint8_t *bytes;
    size_t values_bytes = shape->fields_count * sizeof(uint64_t);
    enum mr_status status = body->piece(body, key_piece(shape, side, place), false, &bytes, error);
    if (status != MR_OK)
        return status;
    memcpy(&kept->key, bytes + (place % shape->keys_of_piece) * sizeof(uint64_t),
           sizeof(kept->key));
    status = find_row(shape, body, side, place, false, &bytes, error);
    if (status != MR_OK)
        return status;
    memcpy(kept->values, bytes, values_bytes);
    memcpy(kept->kinds, bytes + values_bytes, shape->fields_count);
    return MR_OK;
}

static enum mr_status write_row(const struct shape *shape, struct mr_sketch_body *body,
                                uint32_t side, uint32_t place, const struct kept_row *kept,
                                struct mr_error *error)
{
    uint8_t *bytes;
    size_t values_bytes = shape->fields_count * sizeof(uint64_t);
    enum mr_status status = body->piece(body, key_piece(shape, side, place), true, &bytes, error);
    if (status != MR_OK)
        return status;
    memcpy(bytes + (place % shape->keys_of_piece) * sizeof(uint64_t), &kept->key,
           sizeof(kept->key));
    status = find_row(shape, body, side, place, true, &bytes, error);
    if (status != MR_OK)
        return status;
    memcpy(bytes, kept->values, values_bytes);
    memcpy(bytes + values_bytes, kept->kinds, shape->fields_count);
    return MR_OK;
}

static enum mr_status find_greatest(const struct shape *shape, struct mr_sketch_body *body,
                                    uint32_t side, struct sample_head *head, struct mr_error *error)
{
    head->greatest[side] = 0;
    head->greatest_key[side] = 0;
    for (uint32_t first = 0; first < head->kept[side]; first += shape->keys_of_piece) {
        uint8_t *bytes;
        enum mr_status status =
            body->piece(body, key_piece(shape, side, first), false, &bytes, error);
        if (status != MR_OK)
            return status;
        for (uint32_t place = first;
             place < head->kept[side] && place < first + shape->keys_of_piece; place++) {
            uint64_t key;
            memcpy(&key, bytes + (place - first) * sizeof(key), sizeof(key));
            if (key < head->greatest_key[side])
                continue;
            head->greatest[side] = place;
            head->greatest_key[side] = key;
        }
    }
    return MR_OK;
}

/* Keep a row if its key is small enough. */
static enum mr_status keep(const struct shape *shape, struct mr_sketch_body *body, uint32_t side,
                           const struct kept_row *kept, struct sample_head *head,
                           struct mr_error *error)
{
    if (head->kept[side] == shape->rows_max) {
        if (kept->key >= head->greatest_key[side])
            return MR_OK;
        enum mr_status status = write_row(shape, body, side, head->greatest[side], kept, error);
        return status == MR_OK ? find_greatest(shape, body, side, head, error) : status;
    }
    uint32_t place = head->kept[side]++;
    if (place == 0 || kept->key >= head->greatest_key[side]) {
        head->greatest[side] = place;
        head->greatest_key[side] = kept->key;
    }
    return write_row(shape, body, side, place, kept, error);
}

/* ---- Values ---- */

static uint64_t bits_of(double number)
{
    uint64_t bits;
    number += 0.0; /* no -0.0 */
    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

double mr_synthetic_sample_number(uint64_t value)
{
    double number;
    memcpy(&number, &value, sizeof(number));
    return number;
}

static void take_value(const struct mr_value *value, uint64_t *bits, uint8_t *kind)
{
    double number;
    *bits = 0;
    *kind = MR_SYNTHETIC_VALUE_MISSING;
    if (value->kind == MR_KIND_BOOL) {
        *kind = MR_SYNTHETIC_VALUE_BOOL;
        *bits = bits_of(value->boolean ? 1 : 0);
    } else if (mr_value_as_double(*value, &number) && isfinite(number)) {
        *kind = value->kind == MR_KIND_DOUBLE && number != floor(number) ? MR_SYNTHETIC_VALUE_DOUBLE
                                                                         : MR_SYNTHETIC_VALUE_INT;
        *bits = bits_of(number);
    } else if (value->kind == MR_KIND_TIMESTAMP || value->kind == MR_KIND_DURATION) {
        *kind = value->kind == MR_KIND_TIMESTAMP ? MR_SYNTHETIC_VALUE_TIME : MR_SYNTHETIC_VALUE_INT;
        *bits = bits_of((double)value->integer);
    } else if (value->kind == MR_KIND_STRING || value->kind == MR_KIND_BYTES) {
        *kind = MR_SYNTHETIC_VALUE_TEXT;
        *bits = mr_hash64(mr_value_text(*value));
    }
}

/* ---- The function ---- */

static enum mr_status sample_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                   struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                   struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(head);
    MR_UNUSED(body);
    MR_UNUSED(row);
    MR_UNUSED(error);
    return MR_OK;
}

static void add_rows(uint8_t *head, uint64_t rows)
{
    uint64_t count;
    memcpy(&count, head, sizeof(count));
    count += rows;
    memcpy(head, &count, sizeof(count));
}

static enum mr_status sample_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                 struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                 struct mr_error *error)
{
    const struct shape shape = shape_of(aggregate);
    const struct mr_value *items = row->arguments[0].items;
    struct sample_head sample;
    struct kept_row kept = {.key = row->arguments[1].unsigned_integer};
    uint32_t side = items[0].boolean ? 1 : 0;
    MR_ASSERT(row->arguments[0].size == shape.fields_count + 1);
    enum mr_status status = read_head(body, &sample, error);
    if (status != MR_OK)
        return status;
    for (uint32_t field = 0; field < shape.fields_count; field++)
        take_value(&items[field + 1], &kept.values[field], &kept.kinds[field]);
    sample.rows[side]++;
    status = keep(&shape, body, side, &kept, &sample, error);
    if (status == MR_OK)
        status = write_head(body, &sample, error);
    if (status == MR_OK)
        add_rows(head, 1);
    return status;
}

static enum mr_status sample_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                   struct mr_sketch_body *body, const uint8_t *other_head,
                                   struct mr_sketch_body *other_body, struct mr_error *error)
{
    const struct shape shape = shape_of(aggregate);
    struct sample_head sample;
    struct sample_head other;
    uint64_t rows;
    enum mr_status status = read_head(body, &sample, error);
    if (status == MR_OK)
        status = read_head(other_body, &other, error);
    for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES && status == MR_OK; side++) {
        sample.rows[side] += other.rows[side];
        for (uint32_t place = 0; place < other.kept[side] && status == MR_OK; place++) {
            struct kept_row kept;
            status = read_row(&shape, other_body, side, place, &kept, error);
            if (status == MR_OK)
                status = keep(&shape, body, side, &kept, &sample, error);
        }
    }
    if (status == MR_OK)
        status = write_head(body, &sample, error);
    memcpy(&rows, other_head, sizeof(rows));
    if (status == MR_OK)
        add_rows(head, rows);
    return status;
}

static int compare_rows(const void *left, const void *right)
{
    const struct kept_row *one = left;
    const struct kept_row *two = right;
    if (one->key != two->key)
        return one->key < two->key ? -1 : 1;
    return memcmp(one->values, two->values, sizeof(one->values));
}

/* What a result's bytes begin with; behind it the rows of both sides, values first. */
struct result_head {
    uint64_t rows[MR_SYNTHETIC_SIDES];
    uint32_t kept[MR_SYNTHETIC_SIDES];
    uint32_t fields_count;
    uint32_t unused;
};

static size_t values_bytes(uint32_t kept, uint32_t fields_count)
{
    return (size_t)kept * fields_count * sizeof(uint64_t);
}

static size_t kinds_bytes(uint32_t kept, uint32_t fields_count)
{
    return ((size_t)kept * fields_count + 7) / 8 * 8;
}

static enum mr_status write_side(const struct shape *shape, struct mr_sketch_body *body,
                                 uint32_t side, uint32_t kept, struct mr_arena *arena,
                                 uint8_t *bytes, struct mr_error *error)
{
    struct kept_row *rows = mr_arena_new(arena, kept, sizeof(*rows));
    uint32_t fields_count = shape->fields_count;
    uint8_t *kinds = bytes + values_bytes(kept, fields_count);
    for (uint32_t place = 0; place < kept; place++) {
        enum mr_status status = read_row(shape, body, side, place, &rows[place], error);
        if (status != MR_OK)
            return status;
    }
    if (kept > 0)
        qsort(rows, kept, sizeof(*rows), compare_rows);
    for (uint32_t place = 0; place < kept; place++) {
        memcpy(bytes + values_bytes(place, fields_count), rows[place].values,
               values_bytes(1, fields_count));
        memcpy(kinds + (size_t)place * fields_count, rows[place].kinds, fields_count);
    }
    return MR_OK;
}

static enum mr_status sample_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                    struct mr_sketch_body *body,
                                    const struct mr_aggregate_span *span, struct mr_arena *arena,
                                    struct mr_value *result, struct mr_error *error)
{
    const struct shape shape = shape_of(aggregate);
    struct sample_head sample;
    MR_UNUSED(head);
    MR_UNUSED(span);
    enum mr_status status = read_head(body, &sample, error);
    if (status != MR_OK)
        return status;
    struct result_head first = {.fields_count = shape.fields_count};
    size_t size = sizeof(first);
    for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES; side++) {
        first.rows[side] = sample.rows[side];
        first.kept[side] = sample.kept[side];
        size += values_bytes(sample.kept[side], shape.fields_count) +
                kinds_bytes(sample.kept[side], shape.fields_count);
    }
    uint8_t *bytes = mr_arena_new(arena, size, 1);
    memcpy(bytes, &first, sizeof(first));
    uint8_t *at = bytes + sizeof(first);
    for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES && status == MR_OK; side++) {
        status = write_side(&shape, body, side, sample.kept[side], arena, at, error);
        at += values_bytes(sample.kept[side], shape.fields_count) +
              kinds_bytes(sample.kept[side], shape.fields_count);
    }
    *result = (struct mr_value){.kind = MR_KIND_BYTES, .size = (uint32_t)size, .text = bytes};
    return status;
}

void mr_synthetic_sample_read(struct mr_value result, struct mr_synthetic_sample *sample)
{
    struct result_head head;
    const uint8_t *at = result.text + sizeof(head);
    memcpy(&head, result.text, sizeof(head));
    *sample = (struct mr_synthetic_sample){.fields_count = head.fields_count};
    for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES; side++) {
        sample->rows[side] = head.rows[side];
        sample->kept[side] = head.kept[side];
        sample->values[side] = (const uint64_t *)(const void *)at; /* an arena's, and multiples */
        at += values_bytes(head.kept[side], head.fields_count);
        sample->kinds[side] = at;
        at += kinds_bytes(head.kept[side], head.fields_count);
    }
}

const struct mr_aggregate_function mr_aggregate_synthetic_sample = {
    .spec = {.name = "synthetic_sample",
             .help = "What quality.synthetic keeps of a window's records.",
             .arguments = {MR_AGGREGATE_ANY, MR_AGGREGATE_ANY},
             .argument_names = {"row", "key"},
             .arguments_min = 2,
             .arguments_max = 2,
             .result = MR_TYPE_ANY},
    .head_bytes = sizeof(uint64_t),
    .prepare = sample_prepare,
    .check = sample_check,
    .add = sample_add,
    .merge = sample_merge,
    .result = sample_result};
