/* operators/group_output.h — rows that stand for groups: collecting and emitting them.
 * Model: a row has the key's fields, the type's own fields (window_start, window_end, retracted),
 * the results of the aggregates, in the order of the plan's fields. Of a type without the option
 * `aggregates` the type's own fields behind the two times are results. Rows are gathered in a batch
 * of at most MR_LIMIT_BATCH_ROWS; a full batch, and the last one, pass `having` and are emitted.
 * Emission runs the operators behind, which use the same state: what was got from it before is not
 * valid any more after mr_group_output_row and _end. */
#ifndef MR_OPERATORS_GROUP_OUTPUT_H
#define MR_OPERATORS_GROUP_OUTPUT_H

#include "operators/aggregate_set.h"

enum {
    MR_GROUP_TIMES_MAX = 2,
    MR_GROUP_FIELDS_MAX = MR_GROUP_TIMES_MAX + 1,
    MR_GROUP_KEY_FIELDS_MAX = 32
};

struct mr_group_output {
    const struct mr_plan_node *node;
    uint32_t index;        /* of the output */
    const uint32_t *slots; /* of the output's fields */
    uint32_t key_count;
    uint32_t fields_count; /* the type's own */
    uint32_t aggregates_count;
    enum mr_type_code key_types[MR_GROUP_KEY_FIELDS_MAX];
    struct mr_program *having; /* NULL: all rows */
    int32_t partition;
    uint32_t rows_next;     /* capacity of the next batch of this call */
    struct mr_batch *batch; /* being filled; NULL: none */
};

/* One row. key is borrowed during the call. */
struct mr_group_row {
    struct mr_slice key;
    int64_t event_time_ms;
    int64_t times[MR_GROUP_TIMES_MAX]; /* the type's own */
    bool retracted;                    /* the field behind them: absent or true */
    const struct mr_value *results;    /* strings and lists in the batch's arena */
};

/* The main output. */
void mr_group_output_init(struct mr_group_output *output, const struct mr_operator_open *open);
/* Another one, whose rows have the key, two times and further fields, all of which are results.
 * Pre: it has `has_key`. */
void mr_group_output_init_of(struct mr_group_output *output, const struct mr_operator_open *open,
                             uint32_t index);
/* The arena that the next row's results live in; makes a batch where there is none. */
struct mr_arena *mr_group_output_arena(struct mr_group_output *output,
                                       struct mr_operator_context *context);
/* Add the row whose results are in that arena. */
void mr_group_output_row(struct mr_group_output *output, struct mr_operator_context *context,
                         const struct mr_group_row *row);
/* The same for a row that cannot be emitted: it is reported with the sentence. */
void mr_group_output_failed(struct mr_group_output *output, struct mr_operator_context *context,
                            const struct mr_group_row *row, const char *message);
/* Emit what is left: at the end of each call of the operator. */
void mr_group_output_end(struct mr_group_output *output, struct mr_operator_context *context);

#endif
