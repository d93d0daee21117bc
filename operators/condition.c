/* operators/condition.c — see condition.h.
 * Design: the program fills a result column in one pass; the rows are divided in a second, which
 * keeps the program's loop free of this file's choices. A failing row is reported here, once. */
#include "operators/condition.h"

static void report(struct mr_operator_context *context, struct mr_view view, uint32_t row,
                   const char *option, struct mr_value result)
{
    if (result.kind == MR_KIND_ERROR)
        mr_operator_row_error(context, view.batch, row, "%s: %.*s", option, (int)result.size,
                              (const char *)result.text);
    else
        mr_operator_row_error(context, view.batch, row, "%s: the result is %s, not a boolean",
                              option, mr_kind_name((enum mr_kind)result.kind));
}

void mr_condition_split(struct mr_operator_context *context, const struct mr_program *program,
                        const char *option, struct mr_view view, struct mr_view *matched,
                        struct mr_view *others)
{
    struct mr_batch *batch = view.batch;
    struct mr_value *results =
        mr_arena_take(context->arena, batch->rows_capacity * sizeof(*results));
    mr_program_run(program, context->evaluator, view, context->now_ms, results);
    uint16_t *matched_rows = mr_arena_take(context->arena, view.rows_count * sizeof(uint16_t));
    uint16_t *other_rows = mr_arena_take(context->arena, view.rows_count * sizeof(uint16_t));
    uint32_t matched_count = 0;
    uint32_t others_count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint16_t row = view.rows[index];
        struct mr_value result = results[row];
        if (result.kind != MR_KIND_BOOL)
            report(context, view, row, option, result);
        else if (result.boolean)
            matched_rows[matched_count++] = row;
        else
            other_rows[others_count++] = row;
    }
    *matched = (struct mr_view){batch, matched_rows, matched_count};
    *others = (struct mr_view){batch, other_rows, others_count};
}

struct mr_view mr_condition_compute(struct mr_operator_context *context,
                                    const struct mr_program *program, const char *option,
                                    struct mr_view view, struct mr_value *result)
{
    mr_program_run(program, context->evaluator, view, context->now_ms, result);
    uint16_t *rows = mr_arena_take(context->arena, view.rows_count * sizeof(uint16_t));
    uint32_t rows_count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint16_t row = view.rows[index];
        if (result[row].kind == MR_KIND_ERROR)
            report(context, view, row, option, result[row]);
        else
            rows[rows_count++] = row;
    }
    return (struct mr_view){view.batch, rows, rows_count};
}
