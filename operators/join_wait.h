/* operators/join_wait.h — records of a stream that wait until a table knows what was so at their
 * time.
 * Model: a record of time t waits until one of three comes: the table's own time has passed t (the
 * latest event time of its rows, less its `max_delay`), the stream's watermark has reached t +
 * join_wait, or more than max_waiting records wait and it is the earliest. All by event time and by
 * the order of calls, nothing by the clock. They leave in the order of their times, of one time in
 * the order in which they came.
 * Limits: max_waiting records of at most MR_LIMIT_ROW_BYTES. Threads: the task's.
 *
 * Stored, version 1 (little-endian). Table "waiting": waiting_rows.h, by join key, due at the event
 * time plus join_wait. Table "wait", one object with an empty key
 *   0  uint64  next sequence
 *   8  int64   latest event time in ms of the table's rows; INT64_MIN: none */
#ifndef MR_OPERATORS_JOIN_WAIT_H
#define MR_OPERATORS_JOIN_WAIT_H

#include "operators/waiting_rows.h"

struct mr_join_wait {
    int64_t wait_ms; /* 0: nothing waits, nothing else is used */
    int64_t delay_ms;
    int64_t records_max;
    struct mr_kept_row kept;
    struct mr_waiting_rows waiting;
    struct mr_table *task;
};

/* Of a node with the options `join_wait` and `max_waiting`; delay_ms: the table's `max_delay`. */
enum mr_status mr_join_wait_open(struct mr_join_wait *wait, const struct mr_operator_open *open,
                                 int64_t delay_ms, struct mr_error *error) MR_NODISCARD;
/* Add what a record that waits costs. */
void mr_join_wait_estimate(struct mr_state_estimate *estimate);
void mr_join_wait_close(struct mr_join_wait *wait); /* also of a zeroed one */

/* For describe_state of a type that waits: how far the table's own time has come, by the committed
 * state that object is of; nothing where the node does not wait, or the table has no rows. */
enum mr_status mr_join_wait_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error) MR_NODISCARD;

/* Keep a row of the stream. *taken is false: it was too large and is reported. */
enum mr_status mr_join_wait_add(struct mr_join_wait *wait, struct mr_operator_context *context,
                                const struct mr_batch *batch, uint32_t row, struct mr_slice key,
                                bool *taken, struct mr_error *error) MR_NODISCARD;
/* More wait than may: the next one leaves. */
bool mr_join_wait_is_full(const struct mr_join_wait *wait);
/* The table has a row of this time. */
enum mr_status mr_join_wait_note(struct mr_join_wait *wait, int64_t time_ms,
                                 struct mr_error *error) MR_NODISCARD;
/* Take out the next record that waits no longer; *any is false: there is none. */
enum mr_status mr_join_wait_next(struct mr_join_wait *wait, int64_t watermark_ms,
                                 struct mr_arena *arena, struct mr_waiting_row *waited, bool *any,
                                 struct mr_error *error) MR_NODISCARD;

#endif
