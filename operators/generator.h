/* operators/generator.h — what all generators share: which records a partition makes, when they are
 * due, and their event time.
 * Model: a partition's position counts its own records from 0. Record p of partition q is number
 * p * partitions + q of the whole stream; its event time and content are functions of that number,
 * so that a generator continues from its position after a restart as if nothing had happened. The
 * rate is kept by the wall clock and never shows in the records. */
#ifndef MR_OPERATORS_GENERATOR_H
#define MR_OPERATORS_GENERATOR_H

#include "operators/operator.h"

struct mr_generator {
    const struct mr_plan_node *node;
    const uint32_t *field_slots; /* of the main output's domain, in field order */
    int64_t partition;
    int64_t partitions_count;
    int64_t end_position; /* behind the partition's last record; INT64_MAX: no end */
    int64_t start_ms;
    int64_t step_ms; /* event time between records; 0: by the rate */
    double rate;     /* records per second of all partitions; 0: unbounded */
    bool paced;      /* the pace below is set */
    int64_t pace_ms; /* wall time of pace_position */
    int64_t pace_position;
};

/* Bind the options rate, count and start. */
void mr_generator_bind(struct mr_generator *generator, const struct mr_operator_open *open);
/* The same with the option step: event times as mr_generator_time_ms says. */
void mr_generator_open(struct mr_generator *generator, const struct mr_operator_open *open);

/* The whole stream has records_count records: end where this partition's part of them ends. */
void mr_generator_end(struct mr_generator *generator, int64_t records_count);

/* How many records, 1..rows_max, may be made now from position on. MR_END: none ever again.
 * MR_AGAIN: none before *due_ms (wall time). */
enum mr_status mr_generator_due(struct mr_generator *generator, int64_t position, int64_t now_ms,
                                uint32_t rows_max, uint32_t *rows_count,
                                int64_t *due_ms) MR_NODISCARD;

/* Number of the stream's record at the partition's position. */
static inline int64_t mr_generator_index(const struct mr_generator *generator, int64_t position)
{
    return position * generator->partitions_count + generator->partition;
}

/* Event time in ms of a record of the stream. */
int64_t mr_generator_time_ms(const struct mr_generator *generator, int64_t index);

/* Append rows_count rows from position on to an empty batch: everything but the fields and, in
 * _rows_untimed, the times. */
void mr_generator_rows_untimed(const struct mr_generator *generator, struct mr_batch *batch,
                               int64_t position, uint32_t rows_count);
void mr_generator_rows(const struct mr_generator *generator, struct mr_batch *batch,
                       int64_t position, uint32_t rows_count);
/* Append one row of that event time: everything but the fields. Pre: there is room. */
void mr_generator_row(const struct mr_generator *generator, struct mr_batch *batch,
                      int64_t position, int64_t time_ms);

#endif
