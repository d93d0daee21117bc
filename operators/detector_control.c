/* operators/detector_control.c — see detector_control.h. */
#include "operators/detector_control.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"

enum action { FREEZE, UNFREEZE, RESET, MUTE, UNMUTE, ACTIONS_COUNT };

static const char *const actions[ACTIONS_COUNT] = {"freeze", "unfreeze", "reset", "mute", "unmute"};

struct order {
    enum action action;
    int64_t until_ms; /* INT64_MAX: until told otherwise */
};

static struct mr_value cell_of(const struct mr_detector *detector, struct mr_batch *batch,
                               enum mr_control_field field, uint32_t row)
{
    uint32_t slot = detector->node->control->slots[field];
    return slot == MR_SLOT_NONE ? mr_value_null() : mr_batch_column(batch, slot)[row];
}

static bool is_nothing(struct mr_value cell)
{
    return cell.kind == MR_KIND_ABSENT || cell.kind == MR_KIND_NULL;
}

/* An action of this operator; false: of another one, or reported. */
static bool read_action(const struct mr_detector *detector, struct mr_operator_context *context,
                        struct mr_batch *batch, uint32_t row, enum action *action)
{
    struct mr_value name = cell_of(detector, batch, MR_CONTROL_OPERATOR, row);
    struct mr_value cell = cell_of(detector, batch, MR_CONTROL_ACTION, row);
    if (!is_nothing(name) && name.kind != MR_KIND_STRING) {
        mr_operator_row_error(context, batch, row, "the control record's operator is no text");
        return false;
    }
    if (!is_nothing(name) &&
        !mr_slice_equal(mr_value_text(name), mr_slice_text(detector->node->name)))
        return false;
    for (uint32_t index = 0; cell.kind == MR_KIND_STRING && index < ACTIONS_COUNT; index++)
        if (mr_slice_equal(mr_value_text(cell), mr_slice_text(actions[index]))) {
            *action = (enum action)index;
            return true;
        }
    int size = cell.kind == MR_KIND_STRING ? (int)(cell.size < 64 ? cell.size : 64) : 0;
    mr_operator_row_error(context, batch, row,
                          "the control record's action %s%.*s%s is none of freeze, unfreeze, "
                          "reset, mute and unmute",
                          size > 0 ? "'" : "is missing or no text and", size,
                          size > 0 ? (const char *)cell.text : "", size > 0 ? "'" : "");
    return false;
}

/* A time in ms since the epoch, RFC 3339 text, or none; false: reported. */
static bool read_until(const struct mr_detector *detector, struct mr_operator_context *context,
                       struct mr_batch *batch, uint32_t row, int64_t *until_ms)
{
    struct mr_value cell = cell_of(detector, batch, MR_CONTROL_UNTIL, row);
    double number;
    int64_t seconds;
    int32_t nanoseconds;
    *until_ms = INT64_MAX;
    if (is_nothing(cell))
        return true;
    if (cell.kind == MR_KIND_TIMESTAMP) {
        *until_ms = cell.integer / 1000000;
        return true;
    }
    if (cell.kind == MR_KIND_STRING &&
        mr_clock_parse_rfc3339(mr_value_text(cell), &seconds, &nanoseconds)) {
        *until_ms = seconds * 1000 + nanoseconds / 1000000;
        return true;
    }
    if (mr_value_as_double(cell, &number) && fabs(number) < 9e15) {
        *until_ms = (int64_t)number;
        return true;
    }
    mr_operator_row_error(context, batch, row,
                          "the control record's until is no time: give ms since the epoch or RFC "
                          "3339 text");
    return false;
}

static enum mr_status reset(struct mr_detector *detector, struct mr_slice key, uint64_t hash,
                            struct mr_error *error)
{
    enum mr_status status = mr_table_remove(detector->table, key, hash, error);
    if (status == MR_OK && detector->calibration.kind != MR_CALIBRATION_NONE)
        status = mr_calibration_reset(&detector->calibration, key, hash, error);
    return status;
}

static void apply(struct mr_detector_stage *stage, const struct order *order)
{
    uint8_t flag =
        order->action == FREEZE || order->action == UNFREEZE ? MR_STAGE_FROZEN : MR_STAGE_MUTED;
    if (order->action == UNFREEZE || order->action == UNMUTE) {
        stage->flags &= (uint8_t)~flag;
        return;
    }
    stage->flags |= flag;
    if (order->action == FREEZE)
        stage->frozen_until_ms = order->until_ms;
    else
        stage->muted_until_ms = order->until_ms;
}

/* A key that has no record yet may be frozen or muted as well. */
static enum mr_status obey(struct mr_detector *detector, struct mr_slice key, int64_t event_time_ms,
                           const struct order *order, struct mr_error *error)
{
    const struct mr_model_type *model = detector->type->model;
    uint64_t hash = mr_hash64(key);
    if (order->action == RESET)
        return reset(detector, key, hash, error);
    void *entry;
    bool created;
    enum mr_status status =
        mr_table_get(detector->table, key, hash, event_time_ms, &entry, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_model_row row = {.table = detector->table,
                               .entry = entry,
                               .object = mr_stage_model(entry, MR_STAGE_WHOLE),
                               .fields_count = detector->fields_count,
                               .event_time_ms = event_time_ms,
                               .seed = detector->seed ^ hash};
    if (created && model->begin != NULL)
        model->begin(detector, &row, row.object);
    apply(entry, order);
    mr_table_dirty(detector->table, entry);
    return MR_OK;
}

enum mr_status mr_detector_control(struct mr_detector *detector,
                                   struct mr_operator_context *context, struct mr_view view,
                                   struct mr_error *error)
{
    const struct mr_plan_control *control = detector->node->control;
    const struct mr_slice *keys = mr_operator_keys_of(context, &control->key, view, &view);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        struct order order;
        if (!read_action(detector, context, view.batch, row, &order.action) ||
            !read_until(detector, context, view.batch, row, &order.until_ms))
            continue;
        enum mr_status status =
            obey(detector, keys[row], view.batch->event_times_ms[row], &order, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}
