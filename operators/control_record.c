/* operators/control_record.c — see control_record.h. */
#include "operators/control_record.h"

#include <math.h>

#include "base/clock.h"

static const char *const actions[MR_CONTROL_ACTIONS_COUNT] = {"freeze", "unfreeze", "reset", "mute",
                                                              "unmute"};

static struct mr_value cell_of(const struct mr_plan_node *node, struct mr_batch *batch,
                               enum mr_control_field field, uint32_t row)
{
    uint32_t slot = node->control->slots[field];
    return slot == MR_SLOT_NONE ? mr_value_null() : mr_batch_column(batch, slot)[row];
}

static bool is_nothing(struct mr_value cell)
{
    return cell.kind == MR_KIND_ABSENT || cell.kind == MR_KIND_NULL;
}

/* An action of this operator; false: of another one, or reported. */
static bool read_action(const struct mr_plan_node *node, struct mr_operator_context *context,
                        struct mr_batch *batch, uint32_t row, enum mr_control_action *action)
{
    struct mr_value name = cell_of(node, batch, MR_CONTROL_OPERATOR, row);
    struct mr_value cell = cell_of(node, batch, MR_CONTROL_ACTION, row);
    if (!is_nothing(name) && name.kind != MR_KIND_STRING) {
        mr_operator_row_error(context, batch, row, "the control record's operator is no text");
        return false;
    }
    if (!is_nothing(name) && !mr_slice_equal(mr_value_text(name), mr_slice_text(node->name)))
        return false;
    for (uint32_t index = 0; cell.kind == MR_KIND_STRING && index < MR_CONTROL_ACTIONS_COUNT;
         index++)
        if (mr_slice_equal(mr_value_text(cell), mr_slice_text(actions[index]))) {
            *action = (enum mr_control_action)index;
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
static bool read_until(const struct mr_plan_node *node, struct mr_operator_context *context,
                       struct mr_batch *batch, uint32_t row, int64_t *until_ms)
{
    struct mr_value cell = cell_of(node, batch, MR_CONTROL_UNTIL, row);
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

bool mr_control_read(const struct mr_plan_node *node, struct mr_operator_context *context,
                     struct mr_batch *batch, uint32_t row, struct mr_control_order *order)
{
    return read_action(node, context, batch, row, &order->action) &&
           read_until(node, context, batch, row, &order->until_ms);
}

void mr_control_apply(struct mr_detector_stage *stage, const struct mr_control_order *order)
{
    bool freezes = order->action == MR_CONTROL_FREEZE || order->action == MR_CONTROL_UNFREEZE;
    uint8_t flag = freezes ? MR_STAGE_FROZEN : MR_STAGE_MUTED;
    if (order->action == MR_CONTROL_UNFREEZE || order->action == MR_CONTROL_UNMUTE) {
        stage->flags &= (uint8_t)~flag;
        return;
    }
    stage->flags |= flag;
    if (freezes)
        stage->frozen_until_ms = order->until_ms;
    else
        stage->muted_until_ms = order->until_ms;
}
