/* operators/chart_rows.h — the rows that control charts write during one call: points and alerts.
 * Model: of a chart of single records a point is columns of the input's row; of subgroups it is a
 * row of a new batch, with the key's fields first. Alerts are gathered and written before the rows
 * that they are about leave. Emission runs the operators behind, which use the same state: what was
 * got from it before is not valid after mr_chart_rows_room and _end. Memory: the context's arena,
 * and text in the rows' batch. Internal to control_chart.c. */
#ifndef MR_OPERATORS_CHART_ROWS_H
#define MR_OPERATORS_CHART_ROWS_H

#include "operators/chart_object.h"

/* An alert about a row of the current batch. */
struct mr_chart_alert {
    uint64_t id;
    uint32_t row;
    struct mr_slice key;
    struct mr_value severity;
    struct mr_value message;
    double metric_value;
    double threshold;
};

struct mr_chart_rows {
    const struct mr_chart *chart;
    struct mr_operator_context *context;
    struct mr_batch *batch; /* the input's, or of subgroups; NULL: none yet */
    uint16_t *accepted;     /* of the input's rows: those that leave */
    uint32_t accepted_count;
    uint32_t rows_next; /* capacity of the next batch of subgroups */
    struct mr_chart_alert *alerts;
    uint32_t alerts_count;
    uint32_t alerts_capacity;
    uint32_t judged_counts[MR_DETECTOR_STATES_COUNT];
};

/* What a row says besides the point. */
struct mr_chart_row {
    struct mr_slice key;
    uint64_t number; /* of the point; 0: none (starved) */
    enum mr_detector_state state;
    uint32_t broken; /* rules, by enum mr_run_rule; of the limits also for the spread alone */
    const struct mr_run_history *history;
    struct mr_chart_sample sample; /* of subgroups: first_ms to last_ms is the window */
    struct mr_slice group;         /* the value of subgroup.field as a key; data NULL: none */
};

/* batch: the input's rows, of which the caller adds to accepted; NULL: subgroups. */
void mr_chart_rows_begin(struct mr_chart_rows *rows, const struct mr_chart *chart,
                         struct mr_operator_context *context, struct mr_view view);
/* Room for one more row; emits when the batch is full. Call between two rows of the input, when
 * nothing of the state is held. */
void mr_chart_rows_room(struct mr_chart_rows *rows);
/* Write a point at the input's row input_row (charts of subgroups: at a new row). point NULL:
 * measure alone, in phase 1; measure NULL too: a subgroup without a point. */
void mr_chart_rows_point(struct mr_chart_rows *rows, uint32_t input_row,
                         const struct mr_chart_row *row, const struct mr_chart_measure *measure,
                         const struct mr_chart_point *point);
/* Emit what is left. */
void mr_chart_rows_end(struct mr_chart_rows *rows);

#endif
