/* operators/aggregate_order.c — min, max, first, last, argmin and argmax: one value of the group.
 * Design: all keep a cell and what it was chosen by; a row or another state replaces it when it is
 * better. First and last are by event time, and equal values of argmin and argmax are told apart by
 * it, so that the arrival's order shows only among rows of the same millisecond. Heads:
 *
 *   min, max     cell
 *   first, last  i64 event time; cell
 *   argmin, argmax  i64 event time; cell of `by` (16 bytes); cell of `what`
 *
 * A cell takes 16 bytes where the argument is declared a scalar, else 8 and the text's. What first,
 * last, argmin and argmax give back may be a list or map. */
#include "operators/aggregate_cell.h"

#include "base/assert.h"

enum { BY_OFFSET = 8, TIMED_CELL_OFFSET = 8, WHAT_OFFSET = 24 };

static uint32_t text_bytes(const struct mr_aggregate_call *call)
{
    return (uint32_t)call->parameters[0];
}

static struct mr_value copied(struct mr_arena *arena, const uint8_t *cell)
{
    struct mr_value value = mr_aggregate_cell_view(cell);
    return value.kind == MR_KIND_ABSENT ? mr_value_null() : mr_value_copy(arena, value);
}

static int64_t time_of(const uint8_t *head)
{
    int64_t time_ms;
    memcpy(&time_ms, head, sizeof(time_ms));
    return time_ms;
}

/* ---- min and max ---- */

static enum mr_status extreme_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    aggregate->head_bytes =
        mr_aggregate_cell_bytes(aggregate->call, 0, text_bytes(aggregate->call));
    return MR_OK;
}

/* sign: -1 for min, 1 for max. */
static void extreme_take(const struct mr_aggregate *aggregate, uint8_t *head,
                         const struct mr_value *value, int sign)
{
    struct mr_value best = mr_aggregate_cell_view(head);
    if (best.kind == MR_KIND_ABSENT || sign * mr_aggregate_compare(value, &best) > 0)
        mr_aggregate_cell_put(head, aggregate->head_bytes, value);
}

static enum mr_status extreme_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                  const struct mr_aggregate_row *row, int sign,
                                  struct mr_error *error)
{
    const struct mr_value *value = &row->arguments[0];
    if (mr_aggregate_skips(value))
        return MR_OK;
    enum mr_status status = mr_aggregate_cell_check(aggregate, aggregate->head_bytes, value, error);
    if (status == MR_OK)
        extreme_take(aggregate, head, value, sign);
    return status;
}

static enum mr_status extreme_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                    const uint8_t *other_head, int sign)
{
    struct mr_value value = mr_aggregate_cell_view(other_head);
    if (value.kind != MR_KIND_ABSENT)
        extreme_take(aggregate, head, &value, sign);
    return MR_OK;
}

static enum mr_status extreme_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_span *span, struct mr_arena *arena,
                                     struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(error);
    *result = copied(arena, head);
    return MR_OK;
}

static enum mr_status min_add(const struct mr_aggregate *aggregate, uint8_t *head,
                              struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                              struct mr_error *error)
{
    MR_UNUSED(body);
    return extreme_add(aggregate, head, row, -1, error);
}

static enum mr_status min_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                struct mr_sketch_body *body, const uint8_t *other_head,
                                struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    return extreme_merge(aggregate, head, other_head, -1);
}

static enum mr_status max_add(const struct mr_aggregate *aggregate, uint8_t *head,
                              struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                              struct mr_error *error)
{
    MR_UNUSED(body);
    return extreme_add(aggregate, head, row, 1, error);
}

static enum mr_status max_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                struct mr_sketch_body *body, const uint8_t *other_head,
                                struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    return extreme_merge(aggregate, head, other_head, 1);
}

static const struct mr_aggregate_parameter extreme_parameters[] = {
    {.name = "bytes",
     .minimum = 8,
     .maximum = MR_AGGREGATE_HEAD_BYTES_MAX - MR_AGGREGATE_CELL_HEAD_BYTES,
     .is_integer = true,
     .default_number = 64,
     .help = "The longest text that is kept; a row with a longer one fails."}};

const struct mr_aggregate_function mr_aggregate_min = {
    .spec = {.name = "min",
             .help =
                 "The smallest of numbers, times or texts (by their bytes); numbers come before "
                 "times, times before text. Null without values.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = extreme_parameters,
             .parameters_count = MR_ARRAY_COUNT(extreme_parameters),
             .result = MR_TYPE_ANY},
    .prepare = extreme_prepare,
    .add = min_add,
    .merge = min_merge,
    .result = extreme_result};

const struct mr_aggregate_function mr_aggregate_max = {
    .spec = {.name = "max",
             .help = "The largest of numbers, times or texts (by their bytes); numbers come before "
                     "times, times before text. Null without values.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = extreme_parameters,
             .parameters_count = MR_ARRAY_COUNT(extreme_parameters),
             .result = MR_TYPE_ANY},
    .prepare = extreme_prepare,
    .add = max_add,
    .merge = max_merge,
    .result = extreme_result};

/* ---- first and last ---- */

static enum mr_status timed_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    aggregate->head_bytes =
        TIMED_CELL_OFFSET +
        mr_aggregate_cell_bytes(aggregate->call, 0, text_bytes(aggregate->call));
    return MR_OK;
}

/* Whether a value of time_ms, which came later, takes the place of the head's. */
static bool timed_is_better(const uint8_t *head, int64_t time_ms, bool last)
{
    if (mr_aggregate_cell_is_empty(head + TIMED_CELL_OFFSET))
        return true;
    return last ? time_ms >= time_of(head) : time_ms < time_of(head);
}

static enum mr_status timed_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                const struct mr_aggregate_row *row, bool last,
                                struct mr_error *error)
{
    const struct mr_value *value = &row->arguments[0];
    uint32_t cell_bytes = aggregate->head_bytes - TIMED_CELL_OFFSET;
    if (mr_aggregate_skips(value))
        return MR_OK;
    enum mr_status status = mr_aggregate_kept_check(aggregate, cell_bytes, value, error);
    if (status != MR_OK || !timed_is_better(head, row->event_time_ms, last))
        return status;
    memcpy(head, &row->event_time_ms, sizeof(row->event_time_ms));
    mr_aggregate_kept_put(head + TIMED_CELL_OFFSET, cell_bytes, value);
    return MR_OK;
}

static enum mr_status timed_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                  const uint8_t *other_head, bool last)
{
    if (!mr_aggregate_cell_is_empty(other_head + TIMED_CELL_OFFSET) &&
        timed_is_better(head, time_of(other_head), last))
        memcpy(head, other_head, aggregate->head_bytes);
    return MR_OK;
}

static enum mr_status timed_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                   struct mr_sketch_body *body,
                                   const struct mr_aggregate_span *span, struct mr_arena *arena,
                                   struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    return mr_aggregate_kept_read(head + TIMED_CELL_OFFSET, arena, result, error);
}

static enum mr_status first_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                struct mr_error *error)
{
    MR_UNUSED(body);
    return timed_add(aggregate, head, row, false, error);
}

static enum mr_status first_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                  struct mr_sketch_body *body, const uint8_t *other_head,
                                  struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    return timed_merge(aggregate, head, other_head, false);
}

static enum mr_status last_add(const struct mr_aggregate *aggregate, uint8_t *head,
                               struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                               struct mr_error *error)
{
    MR_UNUSED(body);
    return timed_add(aggregate, head, row, true, error);
}

static enum mr_status last_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                 struct mr_sketch_body *body, const uint8_t *other_head,
                                 struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    return timed_merge(aggregate, head, other_head, true);
}

static const struct mr_aggregate_parameter timed_parameters[] = {
    {.name = "bytes",
     .minimum = 8,
     .maximum = MR_AGGREGATE_HEAD_BYTES_MAX - TIMED_CELL_OFFSET - MR_AGGREGATE_CELL_HEAD_BYTES,
     .is_integer = true,
     .default_number = 128,
     .help = "The longest text that is kept, and the most bytes of a list or map, which take "
             "about as much as their JSON text; a row with a longer one fails."}};

const struct mr_aggregate_function mr_aggregate_first = {
    .spec = {.name = "first",
             .help = "The value of the row with the earliest event time; of several, of the one "
                     "that came first. Rows where x is null or absent do not count. Null without "
                     "values.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = timed_parameters,
             .parameters_count = MR_ARRAY_COUNT(timed_parameters),
             .result = MR_TYPE_ANY},
    .prepare = timed_prepare,
    .add = first_add,
    .merge = first_merge,
    .result = timed_result};

const struct mr_aggregate_function mr_aggregate_last = {
    .spec = {.name = "last",
             .help = "The value of the row with the latest event time; of several, of the one that "
                     "came last. Rows where x is null or absent do not count. Null without values.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = timed_parameters,
             .parameters_count = MR_ARRAY_COUNT(timed_parameters),
             .result = MR_TYPE_ANY},
    .prepare = timed_prepare,
    .add = last_add,
    .merge = last_merge,
    .result = timed_result};

/* ---- argmin and argmax ---- */

static enum mr_status arg_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    aggregate->head_bytes =
        WHAT_OFFSET + mr_aggregate_cell_bytes(aggregate->call, 0, text_bytes(aggregate->call));
    return MR_OK;
}

/* Whether a row with `by` at time_ms, which came later, takes the place of the head's. */
static bool arg_is_better(const uint8_t *head, const struct mr_value *by, int64_t time_ms, int sign)
{
    struct mr_value best = mr_aggregate_cell_view(head + BY_OFFSET);
    if (best.kind == MR_KIND_ABSENT)
        return true;
    int order = sign * mr_aggregate_compare(by, &best);
    return order > 0 || (order == 0 && time_ms < time_of(head));
}

static enum mr_status arg_add(const struct mr_aggregate *aggregate, uint8_t *head,
                              const struct mr_aggregate_row *row, int sign, struct mr_error *error)
{
    const struct mr_value *what = &row->arguments[0];
    const struct mr_value *by = &row->arguments[1];
    uint32_t cell_bytes = aggregate->head_bytes - WHAT_OFFSET;
    if (mr_aggregate_skips(what) || mr_aggregate_skips(by))
        return MR_OK;
    if (mr_aggregate_kind_has_text(by->kind))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s: its second argument is a number or a time; this value is of type %s",
                       aggregate->call->text, mr_kind_name(by->kind));
    enum mr_status status =
        mr_aggregate_cell_check(aggregate, MR_AGGREGATE_CELL_SCALAR_BYTES, by, error);
    if (status == MR_OK)
        status = mr_aggregate_kept_check(aggregate, cell_bytes, what, error);
    if (status != MR_OK || !arg_is_better(head, by, row->event_time_ms, sign))
        return status;
    memcpy(head, &row->event_time_ms, sizeof(row->event_time_ms));
    mr_aggregate_cell_put(head + BY_OFFSET, MR_AGGREGATE_CELL_SCALAR_BYTES, by);
    mr_aggregate_kept_put(head + WHAT_OFFSET, cell_bytes, what);
    return MR_OK;
}

static enum mr_status arg_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                const uint8_t *other_head, int sign)
{
    struct mr_value by = mr_aggregate_cell_view(other_head + BY_OFFSET);
    if (by.kind != MR_KIND_ABSENT && arg_is_better(head, &by, time_of(other_head), sign))
        memcpy(head, other_head, aggregate->head_bytes);
    return MR_OK;
}

static enum mr_status arg_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                 struct mr_sketch_body *body, const struct mr_aggregate_span *span,
                                 struct mr_arena *arena, struct mr_value *result,
                                 struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    return mr_aggregate_kept_read(head + WHAT_OFFSET, arena, result, error);
}

static enum mr_status argmin_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                 struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                 struct mr_error *error)
{
    MR_UNUSED(body);
    return arg_add(aggregate, head, row, -1, error);
}

static enum mr_status argmin_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                   struct mr_sketch_body *body, const uint8_t *other_head,
                                   struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    return arg_merge(aggregate, head, other_head, -1);
}

static enum mr_status argmax_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                 struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                 struct mr_error *error)
{
    MR_UNUSED(body);
    return arg_add(aggregate, head, row, 1, error);
}

static enum mr_status argmax_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                   struct mr_sketch_body *body, const uint8_t *other_head,
                                   struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    return arg_merge(aggregate, head, other_head, 1);
}

static const struct mr_aggregate_parameter arg_parameters[] = {
    {.name = "bytes",
     .minimum = 8,
     .maximum = MR_AGGREGATE_HEAD_BYTES_MAX - WHAT_OFFSET - MR_AGGREGATE_CELL_HEAD_BYTES,
     .is_integer = true,
     .default_number = 128,
     .help = "The longest text that is kept of `what`, and the most bytes of a list or map; a row "
             "with a longer one fails."}};

const struct mr_aggregate_function mr_aggregate_argmin = {
    .spec = {.name = "argmin",
             .help =
                 "`what` of the row where `by`, a number or a time, is smallest; of several, of "
                 "the one with the earliest event time. Rows where one is null or absent do "
                 "not count. Null without rows.",
             .arguments = {MR_AGGREGATE_ANY, MR_AGGREGATE_ANY},
             .argument_names = {"what", "by"},
             .arguments_min = 2,
             .arguments_max = 2,
             .parameters = arg_parameters,
             .parameters_count = MR_ARRAY_COUNT(arg_parameters),
             .result = MR_TYPE_ANY},
    .prepare = arg_prepare,
    .add = argmin_add,
    .merge = argmin_merge,
    .result = arg_result};

const struct mr_aggregate_function mr_aggregate_argmax = {
    .spec = {.name = "argmax",
             .help = "`what` of the row where `by`, a number or a time, is largest; of several, of "
                     "the one with the earliest event time. Rows where one is null or absent do "
                     "not count. Null without rows.",
             .arguments = {MR_AGGREGATE_ANY, MR_AGGREGATE_ANY},
             .argument_names = {"what", "by"},
             .arguments_min = 2,
             .arguments_max = 2,
             .parameters = arg_parameters,
             .parameters_count = MR_ARRAY_COUNT(arg_parameters),
             .result = MR_TYPE_ANY},
    .prepare = arg_prepare,
    .add = argmax_add,
    .merge = argmax_merge,
    .result = arg_result};
