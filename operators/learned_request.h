/* operators/learned_request.h — what a request record says: one row of the input `requests` of a
 * generator.
 *   {"action": "generate", "n_samples": 100, "conditions": {"age": {"gte": 21}}, "request_id": "7",
 *    "batch_size": 100, "include_metadata": true, "reply_topic": "answers-a"}
 * `count` is another name of n_samples; {"action": "stream", "n_batches": 10, "batch_size": 100}
 * asks for their product; {"action": "stats"} asks for numbers. Without an action a record that
 * says how many asks to generate. Fields that are not listed here are ignored, but for the key's.
 * Pure. */
#ifndef MR_OPERATORS_LEARNED_REQUEST_H
#define MR_OPERATORS_LEARNED_REQUEST_H

#include "operators/operator.h"

enum {
    MR_REQUEST_BATCH_DEFAULT = 100, /* when it says none */
    MR_REQUEST_BATCH_MOST = 100000,
    MR_REQUEST_TOPIC_BYTES_MAX = 249,
    MR_REQUEST_ID_BYTES_MAX = 256,
    MR_REQUEST_TEXTS_BYTES_MAX = 3584 /* of key, id, topic and conditions together */
};

#define MR_REQUEST_SAMPLES_MAX 1000000000ULL

enum mr_request_action { MR_REQUEST_GENERATE, MR_REQUEST_STATS };

struct mr_request {
    enum mr_request_action action;
    uint64_t samples; /* 1 to MR_REQUEST_SAMPLES_MAX */
    uint32_t batch_size;
    bool has_metadata;
    struct mr_value id;          /* STRING or DOUBLE; ABSENT: none */
    struct mr_slice reply_topic; /* data NULL: none */
    struct mr_slice conditions;  /* JSON text of an object; size 0: none */
};

/* What a reply says of a request that is not served: its `code`. */
extern const char mr_request_bad[];

/* Read a row of the node's input `requests`; texts live in the batch or in arena. MR_INVALID with a
 * sentence: what it says is wrong; then `id` and `reply_topic` are as far as they could be read. */
enum mr_status mr_request_read(const struct mr_plan_node *node, struct mr_batch *batch,
                               uint32_t row, struct mr_arena *arena, struct mr_request *request,
                               struct mr_error *error) MR_NODISCARD;

#endif
