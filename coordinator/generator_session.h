/* coordinator/generator_session.h — one WebSocket client of a generator: its requests, in order,
 * and the replies.
 *   first dialect     {"action":"data","data":[...],"n_samples":N}
 *                     {"action":"batch","data":[...],"n_samples":M} ...
 * {"action":"complete","n_samples":N} second (`count`)  {"records":[...],"status":"batch"} ...
 * {"status":"complete","n_samples":N} both {"action":"stats","total_samples":..,"total_batches":..,
 *                      "samples_per_second":..,"elapsed_time":..,"model":{...}}
 *                     {"action":"error","status":"error","code":"...","message":"..."}
 * Order: requests are answered one after the other; `stats` and `stop` at once. `stop` ends the
 * running one, whose last reply says how many rows were sent, and drops those that wait.
 * Rows are drawn by portions of at most PORTION_ROWS, each a fragment of its message, so that a
 * message of a million rows needs the memory of one portion.
 * Statistics are the connection's: rows and messages of rows since it was opened.
 * Limits: MR_GENERATOR_WAITING_MAX requests wait; MR_GENERATOR_PORTION_BYTES_MAX of a portion.
 * Threads: the listener's. */
#ifndef MR_COORDINATOR_GENERATOR_SESSION_H
#define MR_COORDINATOR_GENERATOR_SESSION_H

#include "coordinator/generators.h"
#include "http/websocket.h"

enum {
    MR_GENERATOR_WAITING_MAX = 16,
    MR_GENERATOR_PORTION_ROWS = 100,
    MR_GENERATOR_PORTION_BYTES_MAX = 4 << 20,
    MR_GENERATOR_MODEL_MS_MAX = 15000 /* that a request waits for the model */
};

/* A session for mr_websocket_upgrade, whose `end` frees it and says mr_generator_leave. */
void *mr_generator_session_create(struct mr_generator *generator, uint64_t now_ms);
extern const struct mr_websocket_handler mr_generator_session_handler;

#endif
