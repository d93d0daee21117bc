/* operators/detector.h — what all detectors share: reading the field, the object that is added to
 * each record, alerts. Model: a detector reads one number per row and gives it a score before it
 * learns it. The object `anomaly` has the members of enum mr_detector_member first, then the
 * detector's own, each a column from the plan. is_anomaly is score > threshold. `reason` is a
 * sentence with the numbers for anomalies and "" for all others, so that normal records cost no
 * text. Severity: info while there is no anomaly, warning above the threshold, critical from
 * `critical_ratio` times the threshold on. Use: mr_detector_open; per view mr_detector_begin, then
 * for each of its rows mr_detector_score and the own columns, then mr_detector_finish, which fills
 * the rest, writes alerts and emits. Invariants: no NaN or infinity is emitted; a row without a
 * finite number is reported and is neither scored nor learned; -0.0 reads as 0.0. */
#ifndef MR_OPERATORS_DETECTOR_H
#define MR_OPERATORS_DETECTOR_H

#include <float.h>

#include "operators/operator.h"

/* Members of the added object that every detector has, in this order. */
enum mr_detector_member {
    MR_DETECTOR_SCORE,
    MR_DETECTOR_THRESHOLD,
    MR_DETECTOR_IS_ANOMALY,
    MR_DETECTOR_SEVERITY,
    MR_DETECTOR_REASON,
    MR_DETECTOR_NAME,
    MR_DETECTOR_MEMBERS_COUNT /* the detector's own follow */
};

enum {
    MR_DETECTOR_OUTPUTS_COUNT = 2,
    MR_DETECTOR_OUTPUT_ALERTS = 1,
    MR_DETECTOR_REASON_BYTES = 384
};

/* Larger numbers are scored but not learned: the sum of the squares of 2^53 numbers up to this one
 * is still a double, so that no mean or variance overflows. */
#define MR_DETECTOR_LEARNED_MAX 1e140

extern const struct mr_output_spec mr_detector_outputs[MR_DETECTOR_OUTPUTS_COUNT];

struct mr_detector {
    const struct mr_plan *plan;
    const struct mr_plan_node *node;
    struct mr_table *table;                /* NULL: stateless */
    const struct mr_layout *record_layout; /* of the input: for the alert's `record` */
    const char *field_text;
    uint32_t field_slot;
    bool alerts_are_read;
    double threshold;
    double critical_score; /* from here on an anomaly is critical */
};

/* The accepted rows of one view. Arrays with "by row" are indexed by the batch's row number. */
struct mr_detector_rows {
    struct mr_view view;
    const struct mr_slice *keys;                         /* by row; NULL: a detector without key */
    const uint64_t *hashes;                              /* by position in the view */
    const double *values;                                /* by position in the view */
    struct mr_value *columns[MR_DETECTOR_MEMBERS_COUNT]; /* by row */
    uint16_t *anomalies;                                 /* rows, ascending */
    uint32_t anomalies_count;
};

/* What a detector says of one anomaly. */
struct mr_detector_finding {
    char reason[MR_DETECTOR_REASON_BYTES]; /* a sentence, ended by NUL */
    const char *severity;                  /* NULL: by the bands above */
    double metric_value;                   /* of the alert; set to the score before the call */
    double threshold;                      /* of the alert; set to the detector's before the call */
};

typedef void mr_detector_describe(const void *self, const struct mr_detector_rows *rows,
                                  uint32_t row, double value, struct mr_detector_finding *finding);

/* Bind the options `field`, and `threshold` and `critical_ratio` where the type has them; open the
 * table when spec is not NULL (its name, ttl and bounds are filled from the node). */
enum mr_status mr_detector_open(struct mr_detector *detector, const struct mr_operator_open *open,
                                struct mr_table_spec *spec, struct mr_error *error) MR_NODISCARD;

/* Keys, hashes, numbers and columns of a view. Rows without a key or a finite number are reported.
 */
void mr_detector_begin(const struct mr_detector *detector, struct mr_operator_context *context,
                       struct mr_view view, struct mr_detector_rows *rows);

/* The column of the detector's own member `own` (0 is the first behind the shared ones). */
struct mr_value *mr_detector_column(const struct mr_detector *detector,
                                    const struct mr_detector_rows *rows, uint32_t own);

/* Ask for the state of rows that come soon; before the state of the row at index is got. */
static inline void mr_detector_prefetch(const struct mr_detector *detector,
                                        const struct mr_detector_rows *rows, uint32_t index)
{
    mr_table_prefetch(detector->table, rows->hashes, rows->view.rows_count, index);
}

/* Note the score of a row. Rows must come in the view's order. An overflow is clamped to the
 * largest double; score must not be NaN. */
static inline void mr_detector_score(const struct mr_detector *detector,
                                     struct mr_detector_rows *rows, uint32_t row, double score)
{
    score = score <= DBL_MAX ? score : DBL_MAX;
    bool is_anomaly = score > detector->threshold;
    rows->columns[MR_DETECTOR_SCORE][row] = mr_value_double(score);
    rows->columns[MR_DETECTOR_IS_ANOMALY][row] = mr_value_bool(is_anomaly);
    rows->anomalies[rows->anomalies_count] = (uint16_t)row;
    rows->anomalies_count += is_anomaly;
}

/* Write finding->reason; a text that does not fit is cut at a character. */
void mr_detector_reason(struct mr_detector_finding *finding, const char *format, ...)
    MR_PRINTF(2, 3);

/* Fill the remaining columns, ask describe about each anomaly, emit alerts and the rows. */
void mr_detector_finish(const struct mr_detector *detector, struct mr_operator_context *context,
                        struct mr_detector_rows *rows, const void *self,
                        mr_detector_describe *describe);

/* Expiry of the detector's table; for on_watermark. */
enum mr_status mr_detector_expire(const struct mr_detector *detector,
                                  const struct mr_operator_context *context,
                                  struct mr_error *error) MR_NODISCARD;

#endif
