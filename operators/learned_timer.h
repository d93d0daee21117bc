/* operators/learned_timer.h — records that a generator that learns makes by the clock, on its main
 * output, and the end of its fit (learned_pace.h).
 * A batch is drawn with the model as it is when the batch is made; with `fit.max_records` the model
 * does not change any more. While the conditions are impossible the timer waits until the model has
 * learned more. A fit that has too few records at its time-out stops the topology. When what it
 * learns from has ended (a bounded source: mr_operator_context.ended_ports) a fit is judged at
 * once; with keys and a timer besides at the latest when its time-out comes. */
#ifndef MR_OPERATORS_LEARNED_TIMER_H
#define MR_OPERATORS_LEARNED_TIMER_H

#include "operators/learned_pace.h"
#include "operators/learned_publish.h"
#include "operators/learned_rows.h"

/* Fields of timed records besides the model's. */
enum mr_timed_field { MR_TIMED_BATCH_ID, MR_TIMED_GENERATED_AT, MR_TIMED_FIELDS_COUNT };

extern const struct mr_output_field mr_timed_fields[MR_TIMED_FIELDS_COUNT];
/* With these options the main output's records have them. */
bool mr_timed_has_metadata(const struct mr_options *options);

struct mr_learned_timer {
    const struct mr_plan_node *node;
    struct mr_learned_models *models;
    struct mr_learned_pace *pace;
    struct mr_learned_rows rows;
    double min_records;
    bool has_metadata;
    struct mr_learned_publisher
        *publisher;          /* NULL: what the end of a fit learns is not published */
    bool is_begun;           /* a key for the whole stream has its entry */
    struct mr_batch *output; /* being filled; NULL: none */
};

/* All is open and lives as long. */
void mr_learned_timer_open(struct mr_learned_timer *timer, const struct mr_operator_open *open,
                           struct mr_learned_models *models, struct mr_learned_pace *pace);
/* Records of the key were learned, or its first one came: what was waiting for that goes on. */
enum mr_status mr_learned_timer_touch(struct mr_learned_timer *timer,
                                      struct mr_operator_context *context, struct mr_slice key,
                                      uint64_t hash, struct mr_error *error) MR_NODISCARD;
/* Do what is due. *due_ms: when next. MR_AGAIN: the transaction is full. */
enum mr_status mr_learned_timer_go_on(struct mr_learned_timer *timer,
                                      struct mr_operator_context *context, int64_t *due_ms,
                                      struct mr_error *error) MR_NODISCARD;

/* Text of a batch's number: 1 is "batch-001". In arena. */
struct mr_value mr_timed_batch_id(struct mr_arena *arena, uint64_t number);
/* Text of a time, in arena. */
struct mr_value mr_timed_text(struct mr_arena *arena, int64_t time_ms);

#endif
