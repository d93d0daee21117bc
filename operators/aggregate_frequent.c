/* operators/aggregate_frequent.c — heavy_hitters: Space-Saving (base/sketch_frequent.h, whose head
 * and body are the aggregate's) with 10 n counters. The payload of a value is its cell. */
#include "operators/aggregate_cell.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/sketch_frequent.h"

enum {
    COUNTERS_PER_VALUE = 10,
    VALUES_MAX = 100,
    TEXT_BYTES_MAX = 200 /* a cell and its error fit the smallest piece */
};

_Static_assert(COUNTERS_PER_VALUE *VALUES_MAX <= MR_SKETCH_FREQUENT_COUNTERS_MAX, "counters");

static uint32_t cell_bytes_of(const struct mr_aggregate *aggregate)
{
    return mr_aggregate_cell_bytes(aggregate->call, 0, (uint32_t)aggregate->call->parameters[1]);
}

static struct mr_sketch sketch_of(const struct mr_aggregate *aggregate)
{
    return mr_sketch_frequent((uint32_t)aggregate->call->parameters[0] * COUNTERS_PER_VALUE,
                              cell_bytes_of(aggregate), aggregate->piece_bytes);
}

static enum mr_status frequent_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    aggregate->pieces_max = sketch_of(aggregate).pieces_max;
    return MR_OK;
}

static enum mr_status frequent_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_row *row, struct mr_error *error)
{
    MR_UNUSED(head);
    MR_UNUSED(body);
    return mr_aggregate_skips(&row->arguments[0])
               ? MR_OK
               : mr_aggregate_cell_check(aggregate, cell_bytes_of(aggregate), &row->arguments[0],
                                         error);
}

static enum mr_status frequent_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                   struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                   struct mr_error *error)
{
    const struct mr_sketch sketch = sketch_of(aggregate);
    const struct mr_value *value = &row->arguments[0];
    uint8_t *cell;
    enum mr_status status = frequent_check(aggregate, head, body, row, error);
    if (status != MR_OK || mr_aggregate_skips(value))
        return status;
    status = mr_sketch_frequent_add(&sketch, head, body, mr_aggregate_hash(value), &cell, error);
    if (status == MR_OK && cell != NULL)
        mr_aggregate_cell_put(cell, cell_bytes_of(aggregate), value);
    return status;
}

static enum mr_status frequent_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                     struct mr_sketch_body *body, const uint8_t *other_head,
                                     struct mr_sketch_body *other_body, struct mr_error *error)
{
    const struct mr_sketch sketch = sketch_of(aggregate);
    return mr_sketch_frequent_merge(&sketch, head, body, other_head, other_body, error);
}

/* ---- The result ---- */

struct ranked {
    uint64_t count;
    uint64_t error;
    struct mr_value value;
};

/* Largest count first, then the smaller error, then the value. */
static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *first = left;
    const struct ranked *second = right;
    if (first->count != second->count)
        return first->count > second->count ? -1 : 1;
    if (first->error != second->error)
        return first->error < second->error ? -1 : 1;
    return mr_aggregate_compare(&first->value, &second->value);
}

static struct mr_value describe(const struct ranked *ranked, struct mr_arena *arena)
{
    enum { MEMBERS = 3 };
    static const char *const names[MEMBERS] = {"value", "count", "error"};
    struct mr_map_entry *entries = mr_arena_new(arena, MEMBERS, sizeof(*entries));
    for (uint32_t index = 0; index < MEMBERS; index++)
        entries[index].key = mr_value_string(mr_slice_text(names[index]));
    entries[0].value = ranked->value;
    entries[1].value = mr_value_int((int64_t)ranked->count);
    entries[2].value = mr_value_int((int64_t)ranked->error);
    return (struct mr_value){.kind = MR_KIND_MAP, .size = MEMBERS, .entries = entries};
}

enum mr_status mr_aggregate_frequent_list(const struct mr_sketch *sketch, const uint8_t *head,
                                          struct mr_sketch_body *body, uint32_t wanted,
                                          struct mr_arena *arena, struct mr_value *list,
                                          struct mr_error *error)
{
    uint32_t used = mr_sketch_frequent_used(head);
    struct ranked *ranked = mr_arena_new(arena, used, sizeof(*ranked));
    for (uint32_t index = 0; index < used; index++) {
        struct mr_sketch_frequent_value value;
        enum mr_status status = mr_sketch_frequent_value(sketch, body, index, &value, error);
        if (status != MR_OK)
            return status;
        ranked[index] =
            (struct ranked){.count = value.count,
                            .error = value.error,
                            .value = mr_value_copy(arena, mr_aggregate_cell_view(value.payload))};
    }
    qsort(ranked, used, sizeof(*ranked), compare_ranked);
    uint32_t count = used < wanted ? used : wanted;
    struct mr_value *items = mr_arena_new(arena, count, sizeof(*items));
    for (uint32_t index = 0; index < count; index++)
        items[index] = describe(&ranked[index], arena);
    *list = (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
    return MR_OK;
}

static enum mr_status frequent_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                      struct mr_sketch_body *body,
                                      const struct mr_aggregate_span *span, struct mr_arena *arena,
                                      struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(span);
    const struct mr_sketch sketch = sketch_of(aggregate);
    return mr_aggregate_frequent_list(&sketch, head, body, (uint32_t)aggregate->call->parameters[0],
                                      arena, result, error);
}

static const struct mr_aggregate_parameter frequent_parameters[] = {
    {.name = "n",
     .minimum = 1,
     .maximum = VALUES_MAX,
     .is_integer = true,
     .required = true,
     .help = "How many values the list has at most; there are 10 n counters, and a row costs in "
             "proportion to them."},
    {.name = "bytes",
     .minimum = 8,
     .maximum = TEXT_BYTES_MAX,
     .is_integer = true,
     .default_number = 64,
     .help = "The longest text that is kept; a row with a longer one fails."}};

const struct mr_aggregate_function mr_aggregate_heavy_hitters = {
    .spec = {.name = "heavy_hitters",
             .help =
                 "A list of the n most frequent values, most frequent first, as {value, count, "
                 "error}, by Space-Saving with 10 n counters: a count is never too low, and too "
                 "high by `error` at most, which is at most the rows / (10 n); a value that is "
                 "more frequent than that has a counter. Exact for up to 10 n distinct values.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = frequent_parameters,
             .parameters_count = MR_ARRAY_COUNT(frequent_parameters),
             .result = MR_TYPE_LIST},
    .head_bytes = MR_SKETCH_FREQUENT_HEAD_BYTES,
    .prepare = frequent_prepare,
    .check = frequent_check,
    .add = frequent_add,
    .merge = frequent_merge,
    .result = frequent_result};
