/* operators/detector_order.h — `order: event_time`: what comes to a detector waits until the
 * watermark has passed it, and is judged in the order of event times. Internal to detector.c.
 * Model: records and what control records order wait together (event_order.h); of one time the
 * orders are first, so that a freeze at t holds from t on. What is late is judged as well, behind
 * all that has been judged or is due: one record in, one out. A record is read, and reported where
 * it has no number, when it is judged; one without a key, and a control record that says nothing
 * that can be done, when it comes.
 *
 * Stored, version 1. Tables "waiting" and "order": event_order.h; of an order
 *   0  uint8   enum mr_control_action
 *   1  int64   until, event time in ms; INT64_MAX: until told otherwise
 *   9  int64   its own event time in ms */
#ifndef MR_OPERATORS_DETECTOR_ORDER_H
#define MR_OPERATORS_DETECTOR_ORDER_H

#include "operators/detector.h"

/* Of a detector without `order: event_time` nothing is opened. */
enum mr_status mr_detector_order_open(struct mr_detector *detector,
                                      const struct mr_operator_open *open,
                                      struct mr_error *error) MR_NODISCARD;
/* Add what a record that waits costs. */
void mr_detector_order_estimate(struct mr_state_estimate *estimate);

/* For process: let a view's rows wait. Judges what is late and what too many wait with. */
enum mr_status mr_detector_order_take(struct mr_detector *detector,
                                      struct mr_operator_context *context, uint32_t port,
                                      struct mr_view view, struct mr_error *error) MR_NODISCARD;
/* For on_watermark: judge what is due; MR_AGAIN: more is. */
enum mr_status mr_detector_order_watermark(struct mr_detector *detector,
                                           struct mr_operator_context *context,
                                           struct mr_error *error) MR_NODISCARD;

/* Of detector.c: judge the rows of a view, and emit them. keys: by row; NULL: the view's own. */
enum mr_status mr_detector_judge(struct mr_detector *detector, struct mr_operator_context *context,
                                 struct mr_view view, const struct mr_slice *keys,
                                 struct mr_error *error) MR_NODISCARD;

#endif
