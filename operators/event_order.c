/* operators/event_order.c — see event_order.h. */
#include "operators/event_order.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"

enum { TASK_VERSION = 1, TASK_BYTES = 16 };

static const uint64_t row_bit = UINT64_C(1) << 63;

/* ---- Stored objects ---- */

static size_t task_encode(const void *object, uint8_t *output)
{
    const struct mr_event_order_task *task = object;
    mr_put_u64le(output, task->next_sequence);
    mr_put_u64le(output + 8, (uint64_t)task->released_ms);
    return TASK_BYTES;
}

static bool task_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_event_order_task *task = object;
    if (version != TASK_VERSION || stored.size != TASK_BYTES)
        return false;
    task->next_sequence = mr_get_u64le(stored.data);
    task->released_ms = (int64_t)mr_get_u64le(stored.data + 8);
    return true;
}

enum mr_status mr_event_order_open(struct mr_event_order *order,
                                   const struct mr_operator_open *open,
                                   const struct mr_event_order_spec *spec, struct mr_error *error)
{
    order->records_max = spec->records_max;
    order->has_notes = spec->has_notes;
    MR_ASSERT(!spec->is_without_rows || spec->has_notes);
    if (!spec->is_without_rows)
        mr_kept_row_open(&order->kept, open, true);
    const struct mr_table_spec task = {.operator_name = open->node->name,
                                       .name = spec->task_table,
                                       .version = TASK_VERSION,
                                       .object_size = sizeof(struct mr_event_order_task),
                                       .encode = task_encode,
                                       .encoded_size_max = TASK_BYTES,
                                       .decode = task_decode};
    enum mr_status status =
        mr_waiting_rows_open(&order->rows, &order->kept, open, spec->rows_table, error);
    return status != MR_OK ? status : mr_table_open(open->state, &task, &order->task, error);
}

void mr_event_order_close(struct mr_event_order *order)
{
    mr_kept_row_close(&order->kept);
}

void mr_event_order_estimate(struct mr_state_estimate *estimate)
{
    struct mr_state_estimate row = {0};
    mr_waiting_rows_estimate(&row);
    estimate->object_bytes += row.object_bytes;
    estimate->stored_bytes += row.stored_bytes;
    /* A row, and what takes it away again. */
    estimate->changelog_bytes_per_record +=
        row.changelog_bytes_per_record + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
}

enum mr_status mr_event_order_load(struct mr_event_order *order, struct mr_event_order_task *task,
                                   struct mr_error *error)
{
    void *object;
    const struct mr_slice none = {0};
    *task = (struct mr_event_order_task){.released_ms = INT64_MIN};
    enum mr_status status = mr_table_find(order->task, none, mr_hash64(none), &object, error);
    if (status == MR_OK)
        *task = *(struct mr_event_order_task *)object;
    return status == MR_NOT_FOUND ? MR_OK : status;
}

enum mr_status mr_event_order_store(struct mr_event_order *order,
                                    const struct mr_event_order_task *task, struct mr_error *error)
{
    void *object;
    bool created;
    const struct mr_slice none = {0};
    enum mr_status status =
        mr_table_get(order->task, none, mr_hash64(none), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    *(struct mr_event_order_task *)object = *task;
    mr_table_dirty(order->task, object);
    return MR_OK;
}

/* ---- In ---- */

int64_t mr_event_order_place(const struct mr_event_order_task *task, int64_t event_time_ms,
                             int64_t watermark_ms, bool *late)
{
    int64_t place_ms = event_time_ms;
    *late = event_time_ms < watermark_ms || event_time_ms < task->released_ms;
    /* The last place that the watermark has passed: it leaves as soon as may be. */
    if (place_ms < watermark_ms)
        place_ms = watermark_ms - 1;
    return place_ms < task->released_ms ? task->released_ms : place_ms;
}

enum mr_status mr_event_order_put(struct mr_event_order *order, struct mr_operator_context *context,
                                  struct mr_event_order_task *task, const struct mr_batch *batch,
                                  uint32_t row, struct mr_slice key, int64_t place_ms, bool *taken,
                                  struct mr_error *error)
{
    size_t size;
    enum mr_status status = mr_row_size(&order->kept.input, batch, row, &size, error);
    *taken = status == MR_OK;
    if (status == MR_LIMIT) {
        mr_operator_row_error(context, batch, row, "%s", error->message);
        return MR_OK;
    }
    if (status != MR_OK)
        return status;
    uint64_t sequence = task->next_sequence++ | (order->has_notes ? row_bit : 0);
    return mr_waiting_rows_put(&order->rows, batch, row, size, key, sequence, place_ms,
                               context->arena, error);
}

enum mr_status mr_event_order_put_note(struct mr_event_order *order, struct mr_arena *arena,
                                       struct mr_event_order_task *task, struct mr_slice note,
                                       struct mr_slice key, int64_t place_ms,
                                       struct mr_error *error)
{
    MR_ASSERT(order->has_notes);
    return mr_waiting_rows_put_bytes(&order->rows, note, key, task->next_sequence++, place_ms,
                                     arena, error);
}

enum mr_status mr_event_order_put_last(struct mr_event_order *order, struct mr_arena *arena,
                                       struct mr_event_order_task *task, struct mr_slice bytes,
                                       struct mr_slice key, int64_t place_ms,
                                       struct mr_error *error)
{
    MR_ASSERT(order->has_notes);
    return mr_waiting_rows_put_bytes(&order->rows, bytes, key, task->next_sequence++ | row_bit,
                                     place_ms, arena, error);
}

/* ---- Out ---- */

bool mr_event_order_is_full(const struct mr_event_order *order)
{
    return mr_waiting_rows_count(&order->rows) > order->records_max;
}

void mr_event_order_pushed_out(struct mr_event_order_task *task, int64_t event_time_ms,
                               int64_t watermark_ms)
{
    if (event_time_ms >= watermark_ms && event_time_ms > task->released_ms)
        task->released_ms = event_time_ms; /* else it was due */
}

enum mr_status mr_event_order_take(struct mr_event_order *order, int64_t until_ms,
                                   struct mr_arena *arena, struct mr_waiting_row *waiting,
                                   bool *is_note, bool *found, struct mr_error *error)
{
    enum mr_status status =
        mr_waiting_rows_take(&order->rows, until_ms, arena, waiting, found, error);
    *is_note = status == MR_OK && *found && order->has_notes && (waiting->sequence & row_bit) == 0;
    return status;
}
