/* operators/detector_control.h — control records (DESIGN 2.1 rule 13): {operator, key, action,
 * until}. They are rows of the detector's second input, in the same task and transaction as the
 * data of their key: freeze stops its learning, mute its alerts, until the event time `until` of
 * its records (without one: until told otherwise); reset forgets everything of it, its
 * calibration too. A record that names another operator is passed by; an unknown action, key or
 * time is a row error. Internal to detector.c. */
#ifndef MR_OPERATORS_DETECTOR_CONTROL_H
#define MR_OPERATORS_DETECTOR_CONTROL_H

#include "operators/control_record.h"
#include "operators/detector.h"

enum mr_status mr_detector_control(struct mr_detector *detector,
                                   struct mr_operator_context *context, struct mr_view view,
                                   struct mr_error *error) MR_NODISCARD;

/* What one record ordered, about a key and as of its event time. */
enum mr_status mr_detector_obey(struct mr_detector *detector, struct mr_slice key,
                                int64_t event_time_ms, const struct mr_control_order *order,
                                struct mr_error *error) MR_NODISCARD;

#endif
