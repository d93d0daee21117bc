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

/* Rows of the tables of options that generators share; one whose option means more says it itself.
 * MR_GENERATOR_OPTIONS: all but the seed, in the order of the reference. */
#define MR_GENERATOR_OPTION_SEED                                                                   \
    {                                                                                              \
        .name = "seed", .type = MR_OPTION_INTEGER, .default_text = "1", .minimum = 0,              \
        .maximum = 9007199254740992.0, .help = "The same seed makes the same records."             \
    }
#define MR_GENERATOR_OPTION_RATE                                                                   \
    {                                                                                              \
        .name = "rate", .type = MR_OPTION_RATE, .minimum = 1e-3, .maximum = 1e9,                   \
        .help = "Records per second over all partitions, for instance 1000/s. Default: as fast "   \
                "as they are taken."                                                               \
    }
#define MR_GENERATOR_OPTION_COUNT                                                                  \
    {                                                                                              \
        .name = "count", .type = MR_OPTION_INTEGER, .minimum = 0, .maximum = 1e15,                 \
        .help = "How many records over all partitions; then the source ends. Default: no end."     \
    }
#define MR_GENERATOR_OPTION_PARTITIONS                                                             \
    {                                                                                              \
        .name = "partitions", .type = MR_OPTION_INTEGER, .flags = MR_OPTION_STATE_BOUND,           \
        .default_text = "1", .minimum = 1, .maximum = MR_LIMIT_PARTITIONS,                         \
        .help = "Partitions, each made by a task of its own; 1 to 4,096."                          \
    }
#define MR_GENERATOR_OPTION_START                                                                  \
    {                                                                                              \
        .name = "start", .type = MR_OPTION_INSTANT, .default_text = "2024-01-01T00:00:00Z",        \
        .help = "Event time of the first record."                                                  \
    }
#define MR_GENERATOR_OPTION_STEP                                                                   \
    {                                                                                              \
        .name = "step", .type = MR_OPTION_DURATION, .minimum = 1, .maximum = 366.0 * 86400e3,      \
        .help = "Event time from one record to the next. Default: what `rate` says, or 1ms "       \
                "without a rate."                                                                  \
    }
#define MR_GENERATOR_OPTIONS                                                                       \
    MR_GENERATOR_OPTION_RATE, MR_GENERATOR_OPTION_COUNT, MR_GENERATOR_OPTION_PARTITIONS,           \
        MR_GENERATOR_OPTION_START, MR_GENERATOR_OPTION_STEP

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
