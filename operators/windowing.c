/* operators/windowing.c — see windowing.h. */
#include "operators/windowing.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"

void mr_windowing_table_spec(const struct mr_windowing *windowing, const char *name,
                             struct mr_table_spec *spec)
{
    const struct mr_plan_node *node = windowing->node;
    *spec = (struct mr_table_spec){
        .operator_name = node->name,
        .name = name,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
        .timed = true,
    };
}

enum mr_status mr_windowing_result(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   const struct mr_aggregate_span *span, const uint8_t *cell,
                                   const struct mr_aggregate_place *place, struct mr_error *error)
{
    struct mr_value results[MR_AGGREGATE_SET_MAX];
    struct mr_arena *arena = mr_group_output_arena(&windowing->output, context);
    enum mr_status status =
        cell == NULL
            ? mr_aggregate_set_merged_results(&windowing->set, windowing->merged, span, arena,
                                              results, error)
            : mr_aggregate_set_results(&windowing->set, cell, place, span, arena, results, error);
    if (mr_windowing_is_refused(status)) {
        mr_windowing_failed(windowing, context, key, span, error->message);
        return MR_OK;
    }
    if (status != MR_OK)
        return status;
    struct mr_group_row row = {.key = key,
                               .event_time_ms = span->end_ms - 1,
                               .fields = {span->start_ms, span->end_ms},
                               .results = results};
    mr_group_output_row(&windowing->output, context, &row);
    return MR_OK;
}

void mr_windowing_failed(struct mr_windowing *windowing, struct mr_operator_context *context,
                         struct mr_slice key, const struct mr_aggregate_span *span,
                         const char *message)
{
    struct mr_value results[MR_AGGREGATE_SET_MAX] = {0};
    struct mr_group_row row = {.key = key,
                               .event_time_ms = span->end_ms - 1,
                               .fields = {span->start_ms, span->end_ms},
                               .results = results};
    char text[MR_ERROR_MESSAGE_SIZE];
    int size = snprintf(text, sizeof(text), "the window from %" PRId64 " to %" PRId64 ": %s",
                        span->start_ms, span->end_ms, message);
    MR_ASSERT(size > 0);
    (void)mr_group_output_arena(&windowing->output, context);
    mr_group_output_failed(&windowing->output, context, &row, text);
}
