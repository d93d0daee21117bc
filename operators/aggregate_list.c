/* operators/aggregate_list.c — collect and top_n.
 * Design of collect: values are written one behind the other, across the pieces' borders, so that a
 * row changes one or two of them; head, 16 bytes: u64 values, u64 bytes written. A value is its
 * kind (u8) and 8 bytes of a scalar, or u32 size and the text: what its cell has
 * (aggregate_cell.h), without what is not used. Design of top_n: a heap of n cells
 * of 16 bytes with the smallest at its root: a value that is not larger is done with after one
 * look. Up to 30 cells are in the head, behind u64 cells; more are in the body, of which the root
 * then is copied into the head. */
#include "operators/aggregate_cell.h"

#include "base/assert.h"

#include <stdlib.h>

/* ---- collect: a stream of bytes over pieces ---- */

enum {
    COLLECT_VALUE_HEAD_BYTES = 5,
    COLLECT_SCALAR_BYTES = 9,
    COLLECT_CELL_BYTES_MAX = MR_AGGREGATE_CELL_HEAD_BYTES + MR_SKETCH_PIECE_BYTES_MAX
};

struct collect_head {
    uint64_t count;
    uint64_t bytes;
};

static uint32_t collect_text_bytes(const struct mr_aggregate *aggregate)
{
    return (uint32_t)aggregate->call->parameters[1];
}

static bool collect_is_full(const struct mr_aggregate *aggregate,
                            const struct collect_head *collect)
{
    return collect->count >= (uint64_t)aggregate->call->parameters[0];
}

static enum mr_status collect_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    double value_bytes = COLLECT_VALUE_HEAD_BYTES + collect_text_bytes(aggregate);
    double bytes = aggregate->call->parameters[0] * value_bytes;
    aggregate->pieces_max = (uint32_t)(bytes / aggregate->piece_bytes) + 1;
    return MR_OK;
}

static enum mr_status stream_write(struct mr_sketch_body *body, uint64_t *offset, const void *data,
                                   size_t size, struct mr_error *error)
{
    const uint8_t *bytes = data;
    while (size > 0) {
        uint8_t *piece;
        size_t place = *offset % body->piece_bytes;
        size_t part = body->piece_bytes - place < size ? body->piece_bytes - place : size;
        enum mr_status status =
            body->piece(body, (uint32_t)(*offset / body->piece_bytes), true, &piece, error);
        if (status != MR_OK)
            return status;
        memcpy(piece + place, bytes, part);
        bytes += part;
        size -= part;
        *offset += part;
    }
    return MR_OK;
}

static enum mr_status stream_read(struct mr_sketch_body *body, uint64_t *offset, void *data,
                                  size_t size, struct mr_error *error)
{
    uint8_t *bytes = data;
    while (size > 0) {
        uint8_t *piece;
        size_t place = *offset % body->piece_bytes;
        size_t part = body->piece_bytes - place < size ? body->piece_bytes - place : size;
        enum mr_status status =
            body->piece(body, (uint32_t)(*offset / body->piece_bytes), false, &piece, error);
        if (status != MR_OK)
            return status;
        memcpy(bytes, piece + place, part);
        bytes += part;
        size -= part;
        *offset += part;
    }
    return MR_OK;
}

/* Bytes of a cell behind its kind and size: a scalar's, or those of the text. */
static uint32_t cell_content(const uint8_t *cell, uint32_t text_bytes)
{
    return mr_aggregate_kind_has_text(cell[0]) ? text_bytes : COLLECT_SCALAR_BYTES - 1;
}

static enum mr_status write_cell(struct collect_head *collect, struct mr_sketch_body *body,
                                 const uint8_t *cell, struct mr_error *error)
{
    uint32_t text_bytes;
    memcpy(&text_bytes, cell + 4, sizeof(text_bytes));
    enum mr_status status = stream_write(body, &collect->bytes, cell, 1, error);
    if (status == MR_OK && mr_aggregate_kind_has_text(cell[0]))
        status = stream_write(body, &collect->bytes, &text_bytes, sizeof(text_bytes), error);
    if (status == MR_OK)
        status = stream_write(body, &collect->bytes, cell + MR_AGGREGATE_CELL_HEAD_BYTES,
                              cell_content(cell, text_bytes), error);
    collect->count++;
    return status;
}

/* The cell has room for the longest text. */
static enum mr_status read_cell(struct mr_sketch_body *body, uint64_t *offset, uint8_t *cell,
                                struct mr_error *error)
{
    uint32_t text_bytes = 0;
    memset(cell, 0, MR_AGGREGATE_CELL_HEAD_BYTES);
    enum mr_status status = stream_read(body, offset, cell, 1, error);
    if (status == MR_OK && mr_aggregate_kind_has_text(cell[0]))
        status = stream_read(body, offset, &text_bytes, sizeof(text_bytes), error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(text_bytes <= MR_SKETCH_PIECE_BYTES_MAX);
    memcpy(cell + 4, &text_bytes, sizeof(text_bytes));
    return stream_read(body, offset, cell + MR_AGGREGATE_CELL_HEAD_BYTES,
                       cell_content(cell, text_bytes), error);
}

static enum mr_status collect_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                    struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                    struct mr_error *error)
{
    MR_UNUSED(head);
    MR_UNUSED(body);
    uint32_t cell_bytes = MR_AGGREGATE_CELL_HEAD_BYTES + collect_text_bytes(aggregate);
    return mr_aggregate_skips(&row->arguments[0])
               ? MR_OK
               : mr_aggregate_kept_check(aggregate, cell_bytes, &row->arguments[0], error);
}

static enum mr_status collect_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                  struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                  struct mr_error *error)
{
    struct collect_head collect;
    memcpy(&collect, head, sizeof(collect));
    enum mr_status status = collect_check(aggregate, head, body, row, error);
    if (status != MR_OK || mr_aggregate_skips(&row->arguments[0]) ||
        collect_is_full(aggregate, &collect))
        return status;
    uint8_t cell[COLLECT_CELL_BYTES_MAX];
    mr_aggregate_kept_put(cell, MR_AGGREGATE_CELL_HEAD_BYTES + collect_text_bytes(aggregate),
                          &row->arguments[0]);
    status = write_cell(&collect, body, cell, error);
    if (status == MR_OK)
        memcpy(head, &collect, sizeof(collect));
    return status;
}

static enum mr_status collect_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                    struct mr_sketch_body *body, const uint8_t *other_head,
                                    struct mr_sketch_body *other_body, struct mr_error *error)
{
    uint8_t cell[COLLECT_CELL_BYTES_MAX];
    struct collect_head collect;
    struct collect_head other;
    memcpy(&collect, head, sizeof(collect));
    memcpy(&other, other_head, sizeof(other));
    uint64_t offset = 0;
    for (uint64_t index = 0; index < other.count && !collect_is_full(aggregate, &collect);
         index++) {
        enum mr_status status = read_cell(other_body, &offset, cell, error);
        if (status == MR_OK)
            status = write_cell(&collect, body, cell, error);
        if (status != MR_OK)
            return status;
    }
    memcpy(head, &collect, sizeof(collect));
    return MR_OK;
}

static enum mr_status collect_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_span *span, struct mr_arena *arena,
                                     struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(span);
    uint8_t cell[COLLECT_CELL_BYTES_MAX];
    struct collect_head collect;
    memcpy(&collect, head, sizeof(collect));
    struct mr_value *items = mr_arena_new(arena, collect.count, sizeof(*items));
    uint64_t offset = 0;
    for (uint64_t index = 0; index < collect.count; index++) {
        enum mr_status status = read_cell(body, &offset, cell, error);
        if (status == MR_OK)
            status = mr_aggregate_kept_read(cell, arena, &items[index], error);
        if (status != MR_OK)
            return status;
    }
    *result =
        (struct mr_value){.kind = MR_KIND_LIST, .size = (uint32_t)collect.count, .items = items};
    return MR_OK;
}

static const struct mr_aggregate_parameter collect_parameters[] = {
    {.name = "n",
     .minimum = 1,
     .maximum = 10000,
     .is_integer = true,
     .required = true,
     .help = "The most values that are kept: those that come first."},
    {.name = "bytes",
     .minimum = 8,
     .maximum = MR_SKETCH_PIECE_BYTES_MAX,
     .is_integer = true,
     .default_number = 128,
     .help = "The longest text that is kept, and the most bytes of a list or map, which take "
             "about as much as their JSON text; a row with a longer one fails."}};

const struct mr_aggregate_function mr_aggregate_collect = {
    .spec = {.name = "collect",
             .help = "A list of the first n values, in the order in which the rows came (of a "
                     "window that is made of parts: part by part), without null and absent ones.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = collect_parameters,
             .parameters_count = MR_ARRAY_COUNT(collect_parameters),
             .result = MR_TYPE_LIST},
    .head_bytes = sizeof(struct collect_head),
    .prepare = collect_prepare,
    .check = collect_check,
    .add = collect_add,
    .merge = collect_merge,
    .result = collect_result};

/* ---- top_n ---- */

enum {
    TOP_COUNT_BYTES = 8,
    TOP_CELL_BYTES = MR_AGGREGATE_CELL_SCALAR_BYTES,
    TOP_IN_HEAD = 30,
    TOP_ROOT_HEAD_BYTES = TOP_COUNT_BYTES + TOP_CELL_BYTES /* of a heap in the body */
};

struct top_cell {
    uint8_t bytes[TOP_CELL_BYTES];
};

/* A heap at work: in the head, or in the body. */
struct top {
    uint8_t *cells;              /* in the head; NULL: in the body */
    struct mr_sketch_body *body; /* NULL: in the head */
    uint64_t count;
};

static struct top top_of(const struct mr_aggregate *aggregate, uint8_t *head,
                         struct mr_sketch_body *body)
{
    struct top top = {0};
    memcpy(&top.count, head, sizeof(top.count));
    if (aggregate->pieces_max == 0)
        top.cells = head + TOP_COUNT_BYTES;
    else
        top.body = body;
    return top;
}

static enum mr_status top_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    uint32_t most = (uint32_t)aggregate->call->parameters[0];
    uint32_t cells = aggregate->piece_bytes / TOP_CELL_BYTES;
    aggregate->head_bytes =
        most <= TOP_IN_HEAD ? TOP_COUNT_BYTES + most * TOP_CELL_BYTES : TOP_ROOT_HEAD_BYTES;
    aggregate->pieces_max = most <= TOP_IN_HEAD ? 0 : (most + cells - 1) / cells;
    return MR_OK;
}

static enum mr_status top_cell(const struct top *top, uint64_t index, bool write, uint8_t **cell,
                               struct mr_error *error)
{
    if (top->cells != NULL) {
        *cell = top->cells + index * TOP_CELL_BYTES;
        return MR_OK;
    }
    uint64_t cells = top->body->piece_bytes / TOP_CELL_BYTES;
    enum mr_status status =
        top->body->piece(top->body, (uint32_t)(index / cells), write, cell, error);
    if (status == MR_OK)
        *cell += index % cells * TOP_CELL_BYTES;
    return status;
}

static enum mr_status top_read(const struct top *top, uint64_t index, struct top_cell *cell,
                               struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = top_cell(top, index, false, &bytes, error);
    if (status == MR_OK)
        memcpy(cell->bytes, bytes, TOP_CELL_BYTES);
    return status;
}

static enum mr_status top_write(const struct top *top, uint64_t index, const struct top_cell *cell,
                                struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = top_cell(top, index, true, &bytes, error);
    if (status == MR_OK)
        memcpy(bytes, cell->bytes, TOP_CELL_BYTES);
    return status;
}

static int compare_cells(const struct top_cell *left, const struct top_cell *right)
{
    struct mr_value first = mr_aggregate_cell_view(left->bytes);
    struct mr_value second = mr_aggregate_cell_view(right->bytes);
    return mr_aggregate_compare(&first, &second);
}

/* Move the cell up from index, past parents that are larger. */
static enum mr_status top_rise(const struct top *top, uint64_t index, const struct top_cell *cell,
                               struct mr_error *error)
{
    while (index > 0) {
        struct top_cell parent;
        enum mr_status status = top_read(top, (index - 1) / 2, &parent, error);
        if (status != MR_OK)
            return status;
        if (compare_cells(&parent, cell) <= 0)
            break;
        status = top_write(top, index, &parent, error);
        if (status != MR_OK)
            return status;
        index = (index - 1) / 2;
    }
    return top_write(top, index, cell, error);
}

/* Move the cell down from the root, past children that are smaller. */
static enum mr_status top_sink(const struct top *top, const struct top_cell *cell,
                               struct mr_error *error)
{
    uint64_t index = 0;
    for (uint64_t child = 1; child < top->count; child = 2 * index + 1) {
        struct top_cell smaller;
        struct top_cell right;
        enum mr_status status = top_read(top, child, &smaller, error);
        if (status == MR_OK && child + 1 < top->count)
            status = top_read(top, child + 1, &right, error);
        if (status != MR_OK)
            return status;
        if (child + 1 < top->count && compare_cells(&right, &smaller) < 0) {
            smaller = right;
            child++;
        }
        if (compare_cells(cell, &smaller) <= 0)
            break;
        status = top_write(top, index, &smaller, error);
        if (status != MR_OK)
            return status;
        index = child;
    }
    return top_write(top, index, cell, error);
}

/* The head of a heap in the body: the count, and the root again. */
static enum mr_status top_note(const struct top *top, uint8_t *head, struct mr_error *error)
{
    memcpy(head, &top->count, sizeof(top->count));
    if (top->cells != NULL)
        return MR_OK;
    struct top_cell root;
    enum mr_status status = top_read(top, 0, &root, error);
    if (status == MR_OK)
        memcpy(head + TOP_COUNT_BYTES, root.bytes, TOP_CELL_BYTES);
    return status;
}

/* In both forms the root is behind the count. */
static enum mr_status top_take(const struct mr_aggregate *aggregate, uint8_t *head,
                               struct mr_sketch_body *body, const struct top_cell *cell,
                               struct mr_error *error)
{
    struct top top = top_of(aggregate, head, body);
    struct top_cell root;
    enum mr_status status;
    if (top.count < (uint64_t)aggregate->call->parameters[0]) {
        status = top_rise(&top, top.count, cell, error);
        top.count++;
    } else {
        memcpy(root.bytes, head + TOP_COUNT_BYTES, TOP_CELL_BYTES);
        if (compare_cells(cell, &root) <= 0)
            return MR_OK;
        status = top_sink(&top, cell, error);
    }
    return status != MR_OK ? status : top_note(&top, head, error);
}

static enum mr_status top_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                struct mr_error *error)
{
    MR_UNUSED(head);
    MR_UNUSED(body);
    const struct mr_value *value = &row->arguments[0];
    if (mr_aggregate_skips(value))
        return MR_OK;
    if (mr_aggregate_kind_has_text(value->kind))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s takes numbers and times; this value is of type %s",
                       aggregate->call->text, mr_kind_name(value->kind));
    return mr_aggregate_cell_check(aggregate, TOP_CELL_BYTES, value, error);
}

static enum mr_status top_add(const struct mr_aggregate *aggregate, uint8_t *head,
                              struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                              struct mr_error *error)
{
    enum mr_status status = top_check(aggregate, head, body, row, error);
    if (status != MR_OK || mr_aggregate_skips(&row->arguments[0]))
        return status;
    struct top_cell cell;
    mr_aggregate_cell_put(cell.bytes, TOP_CELL_BYTES, &row->arguments[0]);
    return top_take(aggregate, head, body, &cell, error);
}

static enum mr_status top_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                struct mr_sketch_body *body, const uint8_t *other_head,
                                struct mr_sketch_body *other_body, struct mr_error *error)
{
    uint8_t other_copy[MR_AGGREGATE_HEAD_BYTES_MAX];
    memcpy(other_copy, other_head, aggregate->head_bytes);
    struct top other = top_of(aggregate, other_copy, other_body);
    for (uint64_t index = 0; index < other.count; index++) {
        struct top_cell cell;
        enum mr_status status = top_read(&other, index, &cell, error);
        if (status == MR_OK)
            status = top_take(aggregate, head, body, &cell, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static int compare_descending(const void *left, const void *right)
{
    return mr_aggregate_compare(right, left);
}

static enum mr_status top_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                 struct mr_sketch_body *body, const struct mr_aggregate_span *span,
                                 struct mr_arena *arena, struct mr_value *result,
                                 struct mr_error *error)
{
    MR_UNUSED(span);
    uint8_t copy[MR_AGGREGATE_HEAD_BYTES_MAX];
    memcpy(copy, head, aggregate->head_bytes);
    struct top top = top_of(aggregate, copy, body);
    struct mr_value *items = mr_arena_new(arena, top.count, sizeof(*items));
    for (uint64_t index = 0; index < top.count; index++) {
        struct top_cell cell;
        enum mr_status status = top_read(&top, index, &cell, error);
        if (status != MR_OK)
            return status;
        items[index] = mr_aggregate_cell_view(cell.bytes);
    }
    qsort(items, top.count, sizeof(*items), compare_descending);
    *result = (struct mr_value){.kind = MR_KIND_LIST, .size = (uint32_t)top.count, .items = items};
    return MR_OK;
}

static const struct mr_aggregate_parameter top_parameters[] = {
    {.name = "n",
     .minimum = 1,
     .maximum = 10000,
     .is_integer = true,
     .required = true,
     .help = "How many values the list has at most."}};

const struct mr_aggregate_function mr_aggregate_top_n = {
    .spec = {.name = "top_n",
             .help = "A list of the n largest numbers or times, largest first, equal ones as often "
                     "as they occur.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = top_parameters,
             .parameters_count = MR_ARRAY_COUNT(top_parameters),
             .result = MR_TYPE_LIST},
    .prepare = top_prepare,
    .check = top_check,
    .add = top_add,
    .merge = top_merge,
    .result = top_result};
