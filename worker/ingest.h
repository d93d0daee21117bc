/* worker/ingest.h — from messages of one source partition to a batch of good rows.
 * Model: an ingest belongs to (task, source or repartition); it decodes the fields that the
 * topology reads, checks the key, finds event times and reports rows that cannot be used. Threads:
 * the task thread. */
#ifndef MR_WORKER_INGEST_H
#define MR_WORKER_INGEST_H

#include "connectors/log.h"
#include "formats/format.h"
#include "topology/plan.h"
#include "worker/egress.h"
#include "worker/watermark.h"

struct mr_ingest;

struct mr_ingest_open {
    const struct mr_plan *plan;
    uint32_t node; /* the source; or the consumer of the repartition */
    bool repartition;
    uint32_t repartition_index;
    struct mr_log *log; /* for headers */
};

enum mr_status mr_ingest_create(const struct mr_ingest_open *open, struct mr_ingest **ingest,
                                struct mr_error *error) MR_NODISCARD;
void mr_ingest_destroy(struct mr_ingest *ingest); /* accepts NULL */

struct mr_ingest_run {
    const struct mr_log_message *messages; /* of one partition, ascending */
    uint32_t messages_count;               /* <= MR_LIMIT_BATCH_ROWS */
    struct mr_origin origin;
    uint64_t sequence_first;
    int64_t now_wall_ms;
    struct mr_evaluator *evaluator; /* for the source's condition; NULL where it has none */
    int64_t highest_event_ms;       /* in and out */
    int64_t carried_ms; /* in and out: the highest watermark that a record has carried */
    /* Out, of sources whose records carry it: what each row says, INT64_MIN: nothing; else NULL. */
    int64_t *says_ms;
    /* Out, of repartitions: what each message says of its writer, in order; marks are no rows of
     * the view. Lives in the arena. */
    struct mr_carried *carried;
    uint32_t marks_count;
};

/* Fill batch (uninitialised; its arrays come from arena) and the rows that are good, in rows (room
 * for messages_count). */
struct mr_view mr_ingest_run(struct mr_ingest *ingest, struct mr_ingest_run *run,
                             struct mr_arena *arena, struct mr_batch *batch, uint16_t *rows,
                             const struct mr_row_fault *fault);
/* The same for rows that a generator has written into batch. Of run: now_wall_ms, times. */
struct mr_view mr_ingest_generated(struct mr_ingest *ingest, struct mr_ingest_run *run,
                                   struct mr_batch *batch, uint16_t *rows,
                                   const struct mr_row_fault *fault);
/* A batch of the source's domain. */
void mr_ingest_batch_init(const struct mr_ingest *ingest, struct mr_arena *arena,
                          uint32_t rows_capacity, struct mr_batch *batch);

#endif
