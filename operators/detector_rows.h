/* operators/detector_rows.h — the rows of one view in front of a detector: their keys and numbers,
 * the columns of the added object, and the alerts. Internal to detector.c, and for detectors that
 * judge by other means than a model. Use: mr_detector_rows_begin, then per row the columns and
 * mr_detector_rows_found for what is an anomaly, then mr_detector_rows_finish, which writes the
 * alerts and emits. Memory: the context's arena. */
#ifndef MR_OPERATORS_DETECTOR_ROWS_H
#define MR_OPERATORS_DETECTOR_ROWS_H

#include "operators/detector.h"

/* Of a row's numbers, by position in the view. */
enum mr_detector_mark {
    MR_MARK_UNLEARNED = 1u << 0, /* beyond what is learned */
    MR_MARK_MISSING = 1u << 1    /* there is none (on_missing); the values are 0 */
};

/* One alert to be written. */
struct mr_detector_alert {
    uint64_t id; /* 0: made of the row */
    uint32_t row;
    uint32_t position; /* in the view */
    const char *state;
    struct mr_value severity;
    struct mr_value message;
    double metric_value;
    double threshold;
};

/* Arrays with "by row" are indexed by the batch's row number. */
struct mr_detector_rows {
    const struct mr_detector *detector;
    struct mr_operator_context *context;
    struct mr_view view;          /* the accepted rows */
    struct mr_view present;       /* those of them that leave; set before the end */
    const struct mr_slice *keys;  /* by row; NULL: a detector without key */
    const uint64_t *hashes;       /* by position in the view */
    const double *values;         /* fields_count for each position */
    const uint8_t *marks;         /* by position */
    const struct mr_slice *texts; /* by position; NULL: no detector of texts */
    struct mr_value *columns[MR_DETECTOR_MEMBERS_COUNT]; /* by row */
    struct mr_value *own[MR_MODEL_OWN_MAX];              /* by row */
    struct mr_value *contributions;                      /* by row; NULL: none */
    uint16_t *anomalies;                                 /* rows, ascending: with an alert */
    uint32_t anomalies_count;
    uint32_t judged_counts[MR_DETECTOR_STATES_COUNT]; /* rows by state */
    struct mr_detector_alert *alerts;                 /* where they are read */
    uint32_t alerts_count;
    uint32_t alerts_capacity;
};

/* Keys, hashes, numbers and columns of a view. Rows without a key or a finite number are reported.
 * threshold, is_anomaly, severity, reason, detector and state are filled for a normal record. keys:
 * by row, of rows that have waited; NULL: the view's own. */
void mr_detector_rows_begin(const struct mr_detector *detector, struct mr_operator_context *context,
                            struct mr_view view, const struct mr_slice *keys,
                            struct mr_detector_rows *rows);

/* The p_value of a row; the column is taken when there is one. */
void mr_detector_rows_p_value(struct mr_detector_rows *rows, uint32_t row, double p_value);

/* The row at position is an anomaly, as told by finding (whose severity is set): its columns, and
 * an alert. Rows must come in the view's order. id 0: the row's own. */
void mr_detector_rows_found(struct mr_detector_rows *rows, uint32_t position,
                            const struct mr_detector_finding *finding, const char *state,
                            uint64_t id);
/* An alert alone, about the same row or a later one than the last. */
void mr_detector_rows_alert(struct mr_detector_rows *rows, uint32_t position,
                            const struct mr_detector_finding *finding, const char *state,
                            uint64_t id);
/* What makes an alert about the row unique; the same in a replay. */
uint64_t mr_detector_rows_id(const struct mr_detector_rows *rows, uint32_t position);

/* The cell of the detector's own member. */
struct mr_value mr_detector_rows_own(const struct mr_detector *detector, uint32_t own,
                                     double number);

/* Write the alerts and emit everything. */
void mr_detector_rows_finish(struct mr_detector_rows *rows);

#endif
