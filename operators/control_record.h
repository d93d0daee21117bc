/* operators/control_record.h — what a control record says (DESIGN 2.1 rule 13): reading one of an
 * operator's second input, and the part of it that all operators keep in their stage (those
 * without one: operators/control_hold.h). What the actions mean is said where they are obeyed. */
#ifndef MR_OPERATORS_CONTROL_RECORD_H
#define MR_OPERATORS_CONTROL_RECORD_H

#include "operators/detector_stage.h"
#include "operators/operator.h"

enum mr_control_action {
    MR_CONTROL_FREEZE,
    MR_CONTROL_UNFREEZE,
    MR_CONTROL_RESET,
    MR_CONTROL_MUTE,
    MR_CONTROL_UNMUTE,
    MR_CONTROL_ACTIONS_COUNT
};

struct mr_control_order {
    enum mr_control_action action;
    int64_t until_ms; /* event time; INT64_MAX: until told otherwise */
};

/* The order of a row of the node's input `control`. False: it is for another operator, or was
 * reported as a row error. */
bool mr_control_read(const struct mr_plan_node *node, struct mr_operator_context *context,
                     struct mr_batch *batch, uint32_t row, struct mr_control_order *order);

/* Freeze, unfreeze, mute or unmute; not reset. The caller makes the object dirty. */
void mr_control_apply(struct mr_detector_stage *stage, const struct mr_control_order *order);

#endif
