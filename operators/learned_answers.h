/* operators/learned_answers.h — requests answered by a generator that learns, on its output
 * `replies`.
 * Model: a request that is accepted is kept in state (learned_queue.h) with the numbers of the rows
 * of its key's model that are its own, and made by and by, in turns of at most TURN_ROWS records,
 * as transactions have room. Its records have request_id, and with metadata _batch_id,
 * _generated_at (the time of the request record) and model_version (batches learned); behind them
 * comes one with status complete. What is not served is answered by one with status error, in the
 * transaction that read it. So each request is answered once, whatever is killed.
 * A record is drawn with the model as it is in the record's turn.
 * Limits: `max_open_requests`, and those of learned_request.h; above them: an error. Samplers of
 * SAMPLERS requests with conditions are kept made. */
#ifndef MR_OPERATORS_LEARNED_ANSWERS_H
#define MR_OPERATORS_LEARNED_ANSWERS_H

#include "operators/learned_pace.h"
#include "operators/learned_queue.h"
#include "operators/learned_rows.h"

enum { MR_LEARNED_SAMPLERS = 4, MR_LEARNED_TURN_ROWS = 4096 };

/* Fields of replies besides the model's. */
enum mr_reply_field {
    MR_REPLY_ACTION,
    MR_REPLY_STATUS,
    MR_REPLY_CODE,
    MR_REPLY_MESSAGE,
    MR_REPLY_REQUEST_ID,
    MR_REPLY_N_SAMPLES,
    MR_REPLY_N_BATCHES,
    MR_REPLY_PROBABILITY,
    MR_REPLY_N_REFUSED,
    MR_REPLY_N_REDRAWN,
    MR_REPLY_TOTAL_SAMPLES,
    MR_REPLY_TOTAL_BATCHES,
    MR_REPLY_SAMPLES_PER_SECOND,
    MR_REPLY_ELAPSED_TIME,
    MR_REPLY_CONDITION_SAMPLES,
    MR_REPLY_CONDITION_HIT_RATE,
    MR_REPLY_MODEL,
    MR_REPLY_MODEL_VERSION,
    MR_REPLY_BATCH_ID,
    MR_REPLY_GENERATED_AT,
    MR_REPLY_REPLY_TOPIC,
    MR_REPLY_FIELDS_COUNT
};

extern const struct mr_output_field mr_reply_fields[MR_REPLY_FIELDS_COUNT];

/* A sampler made for one open request. */
struct mr_answer_sampler {
    uint64_t sequence;
    uint64_t blocks; /* of the model that it follows */
    uint64_t used;   /* when, in turns */
    bool is_made;
    void *sampler;
    struct mr_arena arena; /* of the conditions */
};

struct mr_learned_answers {
    const struct mr_plan_node *node;
    struct mr_learned_models *models;
    struct mr_learned_pace *pace;
    struct mr_learned_rows rows;
    struct mr_request_queue queue;
    uint32_t open_max;
    double min_records;
    struct mr_answer_sampler samplers[MR_LEARNED_SAMPLERS];
    uint64_t turns;
    struct mr_queued_request request; /* of the current turn */
    struct mr_batch *output;          /* being filled; NULL: none */
};

/* models and pace are open and live as long. */
enum mr_status mr_learned_answers_open(struct mr_learned_answers *answers,
                                       const struct mr_operator_open *open,
                                       struct mr_learned_models *models,
                                       struct mr_learned_pace *pace,
                                       struct mr_error *error) MR_NODISCARD;
void mr_learned_answers_close(struct mr_learned_answers *answers); /* also when never opened */
/* Rows of the input `requests`. */
enum mr_status mr_learned_answers_take(struct mr_learned_answers *answers,
                                       struct mr_operator_context *context, struct mr_view view,
                                       struct mr_error *error) MR_NODISCARD;
/* A model was replaced: samplers that follow one are made anew. */
void mr_learned_answers_forget(struct mr_learned_answers *answers);
/* Go on with what is open. MR_AGAIN: the transaction is full. */
enum mr_status mr_learned_answers_go_on(struct mr_learned_answers *answers,
                                        struct mr_operator_context *context,
                                        struct mr_error *error) MR_NODISCARD;

/* Whether the topic matches one of the patterns of `reply_topics`. */
bool mr_learned_answers_may_name(const struct mr_options *options, struct mr_slice topic);

#endif
