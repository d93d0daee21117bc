/* operators/alert_batch.c — see alert_batch.h. */
#include "operators/alert_batch.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"

void mr_alert_teller_open(struct mr_alert_teller *teller, const struct mr_operator_open *open,
                          uint32_t output)
{
    *teller = (struct mr_alert_teller){
        .plan = open->plan,
        .node = open->node,
        .record_layout = open->node->inputs[0].layout,
        .output = output,
        .partition = open->partition,
        .is_read = mr_operator_output_is_read(open->plan, open->node, output),
    };
}

uint64_t mr_alert_teller_id(const struct mr_alert_teller *teller, struct mr_slice key,
                            int64_t number)
{
    uint8_t bytes[8];
    mr_put_u64le(bytes, (uint64_t)number);
    uint64_t hash = mr_hash64(mr_slice_text(teller->plan->name));
    hash = mr_hash64_seeded(mr_slice_text(teller->node->name), hash);
    hash = mr_hash64_seeded(mr_slice_from(bytes, sizeof(bytes)), hash);
    return mr_hash64_seeded(key, hash);
}

void mr_alert_batch_end(struct mr_alert_batch *alerts)
{
    if (alerts->batch == NULL)
        return;
    struct mr_view view = mr_batch_view(alerts->batch);
    alerts->batch = NULL;
    mr_operator_emit(alerts->context, alerts->teller->output, view);
}

static struct mr_batch *batch_of(struct mr_alert_batch *alerts, const struct mr_alert_notice *first)
{
    const struct mr_alert_teller *teller = alerts->teller;
    if (alerts->batch != NULL)
        return alerts->batch;
    alerts->batch =
        mr_operator_batch_new(alerts->context, teller->output, alerts->cause, MR_LIMIT_BATCH_ROWS);
    if (alerts->cause == NULL) {
        alerts->batch->origin = (struct mr_origin){teller->node->name, teller->partition};
        alerts->batch->sequence_first = first->id; /* names the rows */
    }
    return alerts->batch;
}

void mr_alert_batch_add(struct mr_alert_batch *alerts, const struct mr_alert_notice *notice)
{
    const struct mr_alert_teller *teller = alerts->teller;
    const struct mr_plan_node *node = teller->node;
    if (!teller->is_read)
        return;
    struct mr_batch *batch = batch_of(alerts, notice);
    struct mr_arena *arena = batch->arena;
    const struct mr_alert alert = {
        .id = mr_value_string(mr_slice_text(mr_arena_format(arena, "%016" PRIx64, notice->id))),
        .topology = teller->plan->name,
        .operator_name = node->name,
        .detector = node->type->name,
        .key = node->key.slots_count == 0 ? mr_value_null()
                                          : mr_value_string(mr_arena_copy(arena, notice->key)),
        .state = notice->state,
        .severity = mr_value_string(mr_slice_text(notice->severity)),
        .message = mr_value_string(mr_slice_text(mr_arena_copy_text(arena, notice->message))),
        .metric_value = notice->metric_value,
        .threshold = notice->threshold,
    };
    const uint32_t *slots = teller->plan->domains[node->outputs[teller->output].domain].field_slots;
    if (notice->about_row)
        mr_alert_write(batch, slots, &alert, alerts->cause, notice->row, teller->record_layout);
    else
        mr_alert_write_alone(batch, slots, &alert, notice->event_time_ms, notice->place);
    if (batch->rows_count == batch->rows_capacity)
        mr_alert_batch_end(alerts);
}
