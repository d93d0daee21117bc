/* operators/evaluation_rows.h — the rows that evaluate.detection tells: results of a window, the
 * same by kind, and episodes. Model: an output of group_output.h each. What was got from the state
 * before is not valid any more after any call here. Internal to evaluate_detection.c. */
#ifndef MR_OPERATORS_EVALUATION_ROWS_H
#define MR_OPERATORS_EVALUATION_ROWS_H

#include "operators/evaluation.h"
#include "operators/group_output.h"

enum mr_evaluation_output {
    MR_EVALUATION_OUTPUT_MAIN,
    MR_EVALUATION_OUTPUT_KINDS,
    MR_EVALUATION_OUTPUT_EPISODES,
    MR_EVALUATION_OUTPUT_LATE, /* rows of the input */
    MR_EVALUATION_OWN_OUTPUTS = MR_EVALUATION_OUTPUT_LATE
};

enum { MR_EVALUATION_OUTPUTS_COUNT = MR_EVALUATION_OUTPUT_LATE + 1 };

extern const struct mr_output_spec mr_evaluation_outputs[MR_EVALUATION_OUTPUTS_COUNT];

struct mr_evaluation_rows {
    struct mr_group_output outputs[MR_EVALUATION_OWN_OUTPUTS];
    bool has_series; /* the option `series` */
};

/* When and where something happens. */
struct mr_evaluation_moment {
    struct mr_slice key;    /* of the group */
    struct mr_slice series; /* its text */
    int64_t time_ms;
};

void mr_evaluation_rows_open(struct mr_evaluation_rows *rows, const struct mr_operator_open *open);
/* The results of a window that is over. */
void mr_evaluation_rows_group(struct mr_evaluation_rows *rows, struct mr_operator_context *context,
                              struct mr_slice key, const struct mr_evaluation_group *group);
/* The episodes that were over at this moment. */
void mr_evaluation_rows_episodes(struct mr_evaluation_rows *rows,
                                 struct mr_operator_context *context,
                                 const struct mr_evaluation_moment *moment,
                                 const struct mr_evaluation_delta *delta);
/* Emit what is left: at the end of each call of the operator. */
void mr_evaluation_rows_end(struct mr_evaluation_rows *rows, struct mr_operator_context *context);

#endif
