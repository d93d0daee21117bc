/* worker/egress.h — from rows to records of the open transaction: sinks, repartitions, dead
 * letters. Model: a writer belongs to a lane and points at its open transaction. Each sink of a
 * task has an encoder; a row's key and payload bytes are copied into the transaction's arena, so
 * that the batch can be released at once. Rules: a record larger than the target takes is that
 * input's error (on_error); a dead letter is cut to fit. Event times of outputs are at most 50
 * minutes ahead of the wall clock (Kafka refuses more). Threads: the task thread. */
#ifndef MR_WORKER_EGRESS_H
#define MR_WORKER_EGRESS_H

#include "connectors/connector.h"
#include "formats/format.h"
#include "topology/deployment.h"
#include "worker/transaction.h"
#include "worker/watermark.h"

/* A topic that topic_from named and that was not there: not asked for again for a moment. */
enum { MR_MISSING_TOPICS_MAX = 16 };
struct mr_missing_topic {
    char name[256];
    uint64_t until_ms; /* monotonic */
};

struct mr_writer {
    struct mr_log *log;
    const struct mr_deployment *deployment;
    struct mr_targets targets; /* of the deployment: frozen after init, read by the keeper */
    struct mr_targets dynamic_targets;  /* named by topic_from: task thread only */
    struct mr_transaction *transaction; /* the open one */
    struct mr_target *dead_letters;
    uint64_t batch_bytes_max; /* the smallest max.message.bytes of the targets */
    struct mr_evaluator *evaluator;
    int64_t now_wall_ms; /* of the current batch */
    struct mr_missing_topic missing[MR_MISSING_TOPICS_MAX];
    uint32_t missing_next;    /* where the next one goes: the oldest */
    uint64_t clamped_count;   /* event times that were too far ahead */
    uint64_t truncated_count; /* dead letters that were cut */
};

/* Why a row goes to the dead letters. */
struct mr_dead_letter {
    const char *node; /* the operator, source or sink that refused it */
    struct mr_slice cause;
};

/* Set the writer up: targets of the deployment's literal topics. */
enum mr_status mr_writer_init(struct mr_writer *writer, struct mr_log *log,
                              const struct mr_deployment *deployment,
                              struct mr_evaluator *evaluator, struct mr_error *error) MR_NODISCARD;
void mr_writer_deinit(struct mr_writer *writer);

/* Append the row's original payload with its cause, position and operator in headers. */
void mr_writer_dead_letter(struct mr_writer *writer, const struct mr_batch *batch, uint32_t row,
                           const struct mr_dead_letter *letter);

/* One sink of one task. */
struct mr_egress;

enum mr_status mr_egress_create(struct mr_writer *writer, const struct mr_plan_node *node,
                                const struct mr_connector_open *open,
                                struct mr_sink_position position, struct mr_egress **egress,
                                struct mr_error *error) MR_NODISCARD;
void mr_egress_destroy(struct mr_egress *egress); /* accepts NULL */

struct mr_row_fault {
    void *argument;
    void (*report)(void *argument, uint32_t node, const struct mr_batch *batch, uint32_t row,
                   struct mr_slice message);
};

/* Write the rows of view. Rows that cannot be written are reported. Returns the rows written in
 * *written; fails only for reasons that stop the task. */
enum mr_status mr_egress_write(struct mr_egress *egress, struct mr_view view,
                               const struct mr_row_fault *fault, uint32_t *written_count,
                               struct mr_error *error) MR_NODISCARD;
/* Connector sinks: the transaction is sealed / committed. A log sink has nothing to do. */
bool mr_egress_has_position(const struct mr_egress *egress);
enum mr_status mr_egress_prepare(struct mr_egress *egress, struct mr_sink_position *position,
                                 struct mr_error *error) MR_NODISCARD;
enum mr_status mr_egress_committed(struct mr_egress *egress, struct mr_error *error) MR_NODISCARD;
const struct mr_plan_node *mr_egress_node(const struct mr_egress *egress);

/* One repartition that a task writes: JSON behind a small header, and marks that tell how far the
 * task's event time has come where no record does. The readers keep the watermark of each task that
 * writes (worker/watermark.h), so records and marks say which it is.
 *
 * Bytes, little-endian:
 *   record:  u8 2 | i64 event_time_ms | u32 upstream | i64 watermark_ms just before it | JSON
 * object mark:    u8 3 | u8 rest (0 none, 1 idle, 2 ended) | u32 upstream | i64 watermark_ms;
 * without a key record of older builds, read only: u8 1 | i64 event_time_ms | JSON object */
struct mr_exchange;
enum {
    MR_EXCHANGE_RECORD_OLD = 1,
    MR_EXCHANGE_RECORD = 2,
    MR_EXCHANGE_MARK = 3,
    MR_EXCHANGE_OLD_HEADER_BYTES = 9,
    MR_EXCHANGE_HEADER_BYTES = 21,
    MR_EXCHANGE_MARK_BYTES = 14
};

/* upstream: the number of the task that writes. */
enum mr_status mr_exchange_create(struct mr_writer *writer, uint32_t repartition, uint32_t upstream,
                                  struct mr_exchange **exchange,
                                  struct mr_error *error) MR_NODISCARD;
void mr_exchange_destroy(struct mr_exchange *exchange);
/* watermark_ms: of rows that do not carry their own. */
enum mr_status mr_exchange_write(struct mr_exchange *exchange, struct mr_view view,
                                 int64_t watermark_ms, const struct mr_row_fault *fault,
                                 struct mr_error *error) MR_NODISCARD;
/* Marks are wanted although there are no records: the task became idle, or is no more, has ended,
 * or its watermark advanced and the last round of marks is a second old. */
bool mr_exchange_marks_due(const struct mr_exchange *exchange, int64_t watermark_ms,
                           enum mr_upstream_rest rest, uint64_t now_ms);
/* Marks that wait for the second to pass are due now. */
void mr_exchange_hurry(struct mr_exchange *exchange, int64_t watermark_ms);
/* At the end of a transaction: a mark for each partition that got records of this task in it and
 * does not know its watermark yet; for all partitions where marks are due. now_ms: monotonic. */
void mr_exchange_mark(struct mr_exchange *exchange, int64_t watermark_ms,
                      enum mr_upstream_rest rest, uint64_t now_ms);

#endif
