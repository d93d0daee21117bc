/* worker/pipeline.h — the fused operators of one task: a subtopology's nodes, wired as the plan
 * says. Model: a batch enters at a source (or a repartition's consumers) and is pushed through;
 * every consumer of an output gets the same view, one after the other. Sinks write into the lane's
 * open transaction. A row that fails is treated by its node's on_error; other rows go on. Time: the
 * watermark reaches the nodes in topological order, so that what a node emits because of it is in
 * front of it for the nodes behind; behind an operator that holds rows it is lower by that much.
 * Where more is due at a watermark than a transaction should hold it stays in progress over several
 * transactions: the nodes behind, and readers of repartitions, know the one from before until the
 * operator is done. Failure: the first failure that stops the task is kept; after it nothing more
 * is pushed. Threads: the task thread. */
#ifndef MR_WORKER_PIPELINE_H
#define MR_WORKER_PIPELINE_H

#include "operators/operator.h"
#include "worker/egress.h"
#include "worker/engine_series.h"

#include "worker/progress.h"
#include "worker/tap.h"
#include "worker/watermark.h"
#include <stdatomic.h>

struct mr_pipeline;

struct mr_pipeline_open {
    const struct mr_deployment *deployment;
    uint32_t subtopology;
    int32_t partition;
    int32_t partitions_count;
    int64_t began_ms;       /* as in progress */
    struct mr_state *state; /* NULL: stateless */
    struct mr_writer *writer;
    struct mr_evaluator *evaluator;
    struct mr_metrics *metrics;
    struct mr_series *series;                   /* by node index, of the lane */
    struct mr_detector_series *detector_series; /* the same */
    const struct mr_progress *progress;         /* sink positions and watermarks, may be NULL */
    _Atomic uint64_t *output_records;           /* of the task: written by sinks */
    const uint64_t *part_end_ns;                /* of the lane: its step should end then */
    _Atomic uint64_t *anomalies;                /* of the lane: rows that detectors flag */
    struct mr_tap *taps;                        /* by node; NULL: nobody can look */
    const struct mr_tap_outlet *outlet;         /* of the taps */
};

enum mr_status mr_pipeline_create(const struct mr_pipeline_open *open,
                                  struct mr_pipeline **pipeline,
                                  struct mr_error *error) MR_NODISCARD;
void mr_pipeline_destroy(struct mr_pipeline *pipeline); /* accepts NULL */

/* Push rows of a source's output, or of a repartition (node is then its consumer side). Pre: no
 * watermark is in progress. rows_count: those that view is of, with the ones that failed. */
enum mr_status mr_pipeline_source(struct mr_pipeline *pipeline, uint32_t node, struct mr_view view,
                                  uint32_t rows_count, struct mr_error *error) MR_NODISCARD;
enum mr_status mr_pipeline_repartition(struct mr_pipeline *pipeline, uint32_t repartition,
                                       struct mr_view view, struct mr_error *error) MR_NODISCARD;
/* The task's watermark advanced. MR_AGAIN: it is in progress; the same call is due again when the
 * transaction has been committed, or a new arena can be given. */
enum mr_status mr_pipeline_watermark(struct mr_pipeline *pipeline, int64_t watermark_ms,
                                     struct mr_arena *arena, struct mr_error *error) MR_NODISCARD;
/* The watermark that all operators and readers know; the one in progress is higher. */
int64_t mr_pipeline_told(const struct mr_pipeline *pipeline);
/* Up to which watermark rows may be pushed before the operators are told theirs: beyond it a row
 * could make more due than one transaction should hold (operators/operator.h, horizon). Not below
 * what they were told. wanted_ms: the highest of the rows in question. */
enum mr_status mr_pipeline_horizon(struct mr_pipeline *pipeline, int64_t wanted_ms,
                                   int64_t *watermark_ms, struct mr_error *error) MR_NODISCARD;
/* Call the operators whose wall time has come by the writer's; *called: there were some. MR_AGAIN:
 * as above. */
enum mr_status mr_pipeline_wall(struct mr_pipeline *pipeline, struct mr_arena *arena, bool *called,
                                struct mr_error *error) MR_NODISCARD;
/* A source of the task, or of a task's part of it, has ended, or goes on: its operators are told in
 * the next mr_pipeline_wall (operators/operator.h, ended_ports). */
void mr_pipeline_source_ended(struct mr_pipeline *pipeline, uint32_t node, bool is_ended);
/* The same of all tasks that write a repartition. */
void mr_pipeline_repartition_ended(struct mr_pipeline *pipeline, uint32_t repartition,
                                   bool is_ended);
/* An operator holds something that leaves at a wall time. */
bool mr_pipeline_waits(const struct mr_pipeline *pipeline);
/* How far the task's event time has come, for those who read its repartitions: whether it is to be
 * told although the task has no records (then a transaction is opened for it), and telling it at
 * the end of a transaction. idle: the task is. now_ms: monotonic. hurry: what waits for others to
 * be told with is due now. */
bool mr_pipeline_marks_due(const struct mr_pipeline *pipeline, bool idle, uint64_t now_ms);
void mr_pipeline_hurry_marks(struct mr_pipeline *pipeline);
void mr_pipeline_mark(struct mr_pipeline *pipeline, bool idle, uint64_t now_ms);
/* Generator sources. */
enum mr_status mr_pipeline_generate(struct mr_pipeline *pipeline, uint32_t node, int64_t position,
                                    struct mr_batch *batch, int64_t *next_position, int64_t *due_ms,
                                    struct mr_error *error) MR_NODISCARD;
/* How rows that fail before they enter are reported: by the source's on_error. */
const struct mr_row_fault *mr_pipeline_fault(struct mr_pipeline *pipeline);
/* A row fault with on_error fail was reported: the status to stop with. */
enum mr_status mr_pipeline_status(const struct mr_pipeline *pipeline,
                                  struct mr_error *error) MR_NODISCARD;
/* Sinks with positions: seal and after the commit. positions has room for sinks_count. */
uint32_t mr_pipeline_sinks_count(const struct mr_pipeline *pipeline);
enum mr_status mr_pipeline_prepare(struct mr_pipeline *pipeline, struct mr_progress_sink *positions,
                                   struct mr_error *error) MR_NODISCARD;
enum mr_status mr_pipeline_committed(struct mr_pipeline *pipeline,
                                     struct mr_error *error) MR_NODISCARD;

#endif
