/* operators/detector_order.c — see detector_order.h.
 * Design: what leaves is gathered into batches of the main output and judged there by the same code
 * as rows that never waited; an order that leaves ends the batch before it. */
#include "operators/detector_order.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/detector_control.h"
#include "operators/estimate.h"

enum { ORDER_BYTES = 17, TASK_BYTES = 16 };

enum mr_status mr_detector_order_open(struct mr_detector *detector,
                                      const struct mr_operator_open *open, struct mr_error *error)
{
    if (!detector->waits)
        return MR_OK;
    const struct mr_event_order_spec spec = {
        .rows_table = "waiting",
        .task_table = "order",
        .records_max = mr_options_integer(&open->node->options, "max_waiting"),
        .has_notes = true};
    return mr_event_order_open(&detector->order, open, &spec, error);
}

void mr_detector_order_estimate(struct mr_state_estimate *estimate)
{
    struct mr_state_estimate task = {0};
    mr_event_order_estimate(estimate);
    mr_estimate_object(sizeof(struct mr_event_order_task), TASK_BYTES, &task);
    estimate->changelog_bytes_per_record += task.changelog_bytes_per_record;
}

/* ---- Out ---- */

/* What has left and is not judged yet. */
struct leaving {
    struct mr_detector *detector;
    struct mr_operator_context *context;
    const struct mr_batch *cause; /* NULL: the watermark */
    struct mr_batch *batch;       /* NULL: nothing */
    struct mr_slice *keys;        /* by row */
};

static enum mr_status judge_leaving(struct leaving *leaving, struct mr_error *error)
{
    struct mr_batch *batch = leaving->batch;
    if (batch == NULL)
        return MR_OK;
    leaving->batch = NULL;
    return mr_detector_judge(leaving->detector, leaving->context, mr_batch_view(batch),
                             leaving->keys, error);
}

static enum mr_status leave_row(struct leaving *leaving, const struct mr_waiting_row *waiting,
                                int64_t *time_ms, struct mr_error *error)
{
    struct mr_detector *detector = leaving->detector;
    struct mr_operator_context *context = leaving->context;
    if (leaving->batch == NULL) {
        leaving->batch = mr_operator_batch_new(context, 0, leaving->cause, MR_LIMIT_BATCH_ROWS);
        /* Whoever causes it: alerts' ids are the same in a replay. */
        leaving->batch->origin = (struct mr_origin){detector->node->name, detector->partition};
        leaving->keys =
            mr_arena_take(context->arena, leaving->batch->rows_capacity * sizeof(struct mr_slice));
    }
    struct mr_batch *batch = leaving->batch;
    enum mr_status status = mr_kept_row_append(&detector->order.kept, waiting->row, batch, error);
    if (status != MR_OK)
        return status;
    uint32_t row = batch->rows_count - 1;
    leaving->keys[row] = waiting->key;
    *time_ms = batch->event_times_ms[row];
    return batch->rows_count == batch->rows_capacity ? judge_leaving(leaving, error) : MR_OK;
}

static enum mr_status leave_order(struct leaving *leaving, const struct mr_waiting_row *waiting,
                                  int64_t *time_ms, struct mr_error *error)
{
    const uint8_t *bytes = waiting->row.data;
    if (waiting->row.size != ORDER_BYTES || bytes[0] >= MR_CONTROL_ACTIONS_COUNT)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "the bytes of a control record that waits are not what was written");
    const struct mr_control_order order = {.action = (enum mr_control_action)bytes[0],
                                           .until_ms = (int64_t)mr_get_u64le(bytes + 1)};
    *time_ms = (int64_t)mr_get_u64le(bytes + 9);
    enum mr_status status = judge_leaving(leaving, error);
    if (status != MR_OK)
        return status;
    return mr_detector_obey(leaving->detector, waiting->key, *time_ms, &order, error);
}

/* Take out the first with a place up to until_ms, if there is one; *time_ms is its event time. */
static enum mr_status leave(struct leaving *leaving, int64_t until_ms, int64_t *time_ms,
                            bool *found, struct mr_error *error)
{
    struct mr_waiting_row waiting;
    bool is_order;
    enum mr_status status =
        mr_event_order_take(&leaving->detector->order, until_ms, leaving->context->arena, &waiting,
                            &is_order, found, error);
    if (status != MR_OK || !*found)
        return status;
    return is_order ? leave_order(leaving, &waiting, time_ms, error)
                    : leave_row(leaving, &waiting, time_ms, error);
}

/* All that the watermark has passed; parts: as many as one call of on_watermark may do. */
static enum mr_status leave_due(struct leaving *leaving, bool parts, struct mr_error *error)
{
    struct mr_operator_context *context = leaving->context;
    enum mr_status status = MR_OK;
    bool found = context->watermark_ms > INT64_MIN;
    bool again = false;
    while (status == MR_OK && found && !again) {
        int64_t time_ms;
        status = leave(leaving, context->watermark_ms - 1, &time_ms, &found, error);
        again = status == MR_OK && found && parts && mr_operator_is_enough(context);
    }
    if (status == MR_OK)
        status = judge_leaving(leaving, error);
    return status == MR_OK && again ? MR_AGAIN : status;
}

enum mr_status mr_detector_order_watermark(struct mr_detector *detector,
                                           struct mr_operator_context *context,
                                           struct mr_error *error)
{
    struct leaving leaving = {.detector = detector, .context = context};
    return leave_due(&leaving, true, error);
}

/* ---- In ---- */

struct coming {
    struct leaving leaving;
    struct mr_event_order_task task;
    struct mr_batch *batch;
    uint32_t late_count;
};

static enum mr_status put_row(struct coming *coming, uint32_t row, struct mr_slice key,
                              int64_t place_ms, bool *taken, struct mr_error *error)
{
    return mr_event_order_put(&coming->leaving.detector->order, coming->leaving.context,
                              &coming->task, coming->batch, row, key, place_ms, taken, error);
}

static enum mr_status put_order(struct coming *coming, uint32_t row, struct mr_slice key,
                                int64_t place_ms, bool *taken, struct mr_error *error)
{
    struct mr_detector *detector = coming->leaving.detector;
    struct mr_operator_context *context = coming->leaving.context;
    struct mr_control_order order;
    uint8_t bytes[ORDER_BYTES];
    *taken = mr_control_read(detector->node, context, coming->batch, row, &order);
    if (!*taken)
        return MR_OK;
    bytes[0] = (uint8_t)order.action;
    mr_put_u64le(bytes + 1, (uint64_t)order.until_ms);
    mr_put_u64le(bytes + 9, (uint64_t)coming->batch->event_times_ms[row]);
    return mr_event_order_put_note(&detector->order, context->arena, &coming->task,
                                   mr_slice_from(bytes, sizeof(bytes)), key, place_ms, error);
}

/* One row of the input port, which has a key. */
static enum mr_status put(struct coming *coming, uint32_t port, uint32_t row, struct mr_slice key,
                          struct mr_error *error)
{
    bool late;
    bool taken;
    struct mr_event_order *order = &coming->leaving.detector->order;
    int64_t watermark_ms = mr_operator_row_watermark(coming->batch, row);
    int64_t place_ms = mr_event_order_place(&coming->task, coming->batch->event_times_ms[row],
                                            watermark_ms, &late);
    enum mr_status status = port == 0 ? put_row(coming, row, key, place_ms, &taken, error)
                                      : put_order(coming, row, key, place_ms, &taken, error);
    if (status == MR_OK && taken && late)
        coming->late_count++;
    while (status == MR_OK && mr_event_order_is_full(order)) {
        bool found;
        int64_t time_ms = INT64_MIN;
        status = leave(&coming->leaving, INT64_MAX, &time_ms, &found, error);
        MR_ASSERT(status != MR_OK || found);
        mr_event_order_pushed_out(&coming->task, time_ms, watermark_ms);
    }
    return status;
}

enum mr_status mr_detector_order_take(struct mr_detector *detector,
                                      struct mr_operator_context *context, uint32_t port,
                                      struct mr_view view, struct mr_error *error)
{
    const struct mr_plan_key *plan_key =
        port == 0 ? &detector->node->key : &detector->node->control->key;
    struct coming coming = {
        .leaving = {.detector = detector, .context = context, .cause = view.batch},
        .batch = view.batch};
    const struct mr_slice *keys = mr_operator_keys_of(context, plan_key, view, &view);
    enum mr_status status = mr_event_order_load(&detector->order, &coming.task, error);
    uint64_t first_sequence = coming.task.next_sequence;
    for (uint32_t index = 0; index < view.rows_count && status == MR_OK; index++) {
        uint32_t row = view.rows[index];
        status = put(&coming, port, row, keys[row], error);
    }
    if (status == MR_OK && coming.task.next_sequence != first_sequence)
        status = mr_event_order_store(&detector->order, &coming.task, error);
    if (status != MR_OK)
        return status;
    if (coming.late_count > 0)
        mr_operator_late(context, coming.late_count);
    return leave_due(&coming.leaving, false, error);
}
