/* coordinator/generator_request.h — what a WebSocket client asks of a generator: JSON text in,
 * checked fields out.
 *   {"action": "generate", "n_samples": N, "conditions": {...}}          one message with all rows
 *   {"action": "stream", "n_batches": B, "batch_size": M, ...}           B messages of M rows
 *   {"action": "generate", "count": N, "batch_size": M, ...}             messages of M rows
 *   {"action": "stats"}   {"action": "stop"}
 * Dialects: who says `count` is answered in the second, all others in the first
 * (coordinator/generator_session.h shows both). `n_samples` with `batch_size` comes in batches as
 * well; `stream` without a number goes on until `stop`. All take `rate` (rows a second), `delay`
 * (seconds between batches), `seed` (the same rows again), `include_metadata` (default true) and
 * `request_id` (a text that the replies repeat). What is not known is refused by name.
 * Pure. Limits: MR_GENERATOR_MESSAGE_ROWS_MAX rows in one message, MR_GENERATOR_ROWS_MAX in all. */
#ifndef MR_COORDINATOR_GENERATOR_REQUEST_H
#define MR_COORDINATOR_GENERATOR_REQUEST_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

enum {
    MR_GENERATOR_BATCH_ROWS = 100, /* batch_size, when it is not said */
    MR_GENERATOR_MESSAGE_ROWS_MAX = 1000000,
    MR_GENERATOR_REQUEST_ID_BYTES_MAX = 256
};

static const uint64_t MR_GENERATOR_ROWS_MAX = 1000000000000;
static const uint64_t MR_GENERATOR_ENDLESS = UINT64_MAX;

enum mr_generator_action {
    MR_GENERATOR_GENERATE,
    MR_GENERATOR_STREAM,
    MR_GENERATOR_STATS,
    MR_GENERATOR_STOP
};

struct mr_generator_request {
    enum mr_generator_action action;
    bool second;         /* the dialect */
    bool in_batches;     /* messages of batch_rows and a `complete`, not one message */
    uint64_t rows;       /* or MR_GENERATOR_ENDLESS */
    uint32_t batch_rows; /* of each message; of one message: all */
    double rate;         /* rows a second; 0: as fast as they are read */
    double delay_s;      /* between batches */
    bool metadata;
    bool seeded;
    uint64_t seed;
    struct mr_slice conditions; /* JSON, empty: none */
    const char *id;             /* NULL: none */
};

/* Texts of *request live in arena. On MR_INVALID, with a sentence, `second` and `id` are still
 * filled as far as they were understood, for the reply. */
enum mr_status mr_generator_request_read(struct mr_slice text, struct mr_arena *arena,
                                         struct mr_generator_request *request,
                                         struct mr_error *error) MR_NODISCARD;

#endif
