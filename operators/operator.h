/* operators/operator.h — the interface of operators, and the one table each of them fills.
 * Contract: called by one thread; never blocks; no clock, random, I/O or globals: time, randomness,
 * state and emission come in the context. Same rows + same state + same context = same output, so a
 * replay is exact. `open`, `close` and `process` (a generator: `generate` instead) are mandatory;
 * `close` is safe after a failed open.
 * Model: rows come as views of batches. An operator may narrow the view (filter), write its own
 * columns (map, detect: slots from the plan) and emit the same batch, or take a new batch for an
 * output with rows of its own (flat_map, alerts). A row that fails is reported with
 * mr_operator_row_error and not emitted. Only operators/operator.c calls the pointers; it checks
 * flags, order and bounds once for all.
 * Time: an operator sees the rows of a batch, then the watermark that they led to. Rows that it
 * emits in on_watermark go out before that watermark: its consumers take them at the watermark from
 * before. A row is late for something that ends at `end` when its own watermark
 * (mr_operator_row_watermark) is at `end` or behind it, whether or not on_watermark has been called
 * for that watermark yet.
 * More is due: what one watermark makes due may be far more than a transaction should hold. So
 * on_watermark (and on_wall) asks mr_operator_is_enough after each thing that it has done, and when
 * told so ends its batch and returns MR_AGAIN. The pipeline commits what there is and calls it
 * again with the same watermark; until it has returned MR_OK no row reaches the task, no other
 * operator behind it knows the watermark, and consumers of its outputs know the one from before. A
 * task that starts anew in between is called for that watermark first. So an operator takes what is
 * due from its state in an order of its own, forgets each thing with the rows that it emits for it,
 * and needs no memory of where it stopped. What an operator closes in `process`, because of rows'
 * own watermarks, cannot stop: it says by `horizon` up to which watermark that is little, and the
 * task calls on_watermark before it feeds a row that is beyond. */
#ifndef MR_OPERATORS_OPERATOR_H
#define MR_OPERATORS_OPERATOR_H

#include "base/buffer.h"
#include "base/random.h"
#include "operators/state_description.h"
#include "record/batch.h"
#include "state/state.h"
#include "topology/plan.h"

struct mr_operator;
struct mr_operator_context;

/* What an operator says of the state that it keeps; a metric of its task each, which shows the
 * highest of the last minute or two with records. */
enum mr_operator_gauge {
    MR_GAUGE_UTILISATION, /* share of a key's room that is in use, 0 to 1 */
    MR_GAUGE_KEPT_AGE,    /* ms of event time from a key's oldest record to its latest */
    MR_GAUGES_COUNT
};

/* What the pipeline (worker/) gives an operator. */
struct mr_operator_runtime {
    void *argument;
    /* Count the view's rows and hand it to the consumers of an output; returns when they are done
     * with it. Rows of an output without consumers are only counted (its batch may be the input's).
     */
    void (*emit)(void *argument, uint32_t node, uint32_t output, struct mr_view view);
    /* Report a failed row: counted and treated by the node's on_error. message is copied. */
    void (*row_error)(void *argument, uint32_t node, const struct mr_batch *batch, uint32_t row,
                      struct mr_slice message);
    /* A new batch of an output's own domain, from the pipeline's pool; valid until the source batch
     * is released. */
    struct mr_batch *(*batch_new)(void *argument, uint32_t node, uint32_t output,
                                  const struct mr_batch *cause, uint32_t rows_capacity);
    /* The record of a row of an input of a join as JSON text (mr_operator_record_text). */
    enum mr_status (*record_text)(void *argument, uint32_t node, uint32_t port,
                                  const struct mr_batch *batch, uint32_t row, struct mr_slice *text,
                                  struct mr_error *error);
    /* Count rows that came too late for the node. */
    void (*late)(void *argument, uint32_t node, uint32_t rows_count);
    /* Count rows that the node, a detector, has judged, by its state (enum mr_detector_state). */
    void (*judged)(void *argument, uint32_t node, const uint32_t *rows_counts);
    /* A gauge of the node, whose type names it in `gauges`. */
    void (*gauge)(void *argument, uint32_t node, enum mr_operator_gauge gauge, double value);
    /* The transaction holds as much as it should, or the step has taken as long as it may. */
    bool (*is_full)(void *argument);
};

struct mr_operator_context {
    const struct mr_operator_runtime *runtime;
    uint32_t node;
    struct mr_arena *arena; /* of the current batch */
    struct mr_evaluator *evaluator;
    int64_t now_ms;       /* the batch's wall time: the only clock */
    int64_t watermark_ms; /* as of the last on_watermark, now: this one; INT64_MIN: none */
    int64_t wall_due_ms;  /* of on_wall; kept by operators/operator.c */
    /* Bit p: nothing more comes to the input port p, because all bounded sources in front of it
     * have ended. Then on_wall is due; after each start anew, and over repartitions, too. Not known
     * of ports from 64 on, and behind operators that may hold something (on_watermark, on_wall). */
    uint64_t ended_ports;
    uint32_t taken_count;         /* of mr_operator_is_enough; kept by operators/operator.c */
    uint64_t seed;                /* of (topology generation, subtopology, partition, operator) */
    struct mr_operator *instance; /* set by operators/operator.c while it calls an operator */
};

struct mr_operator_open {
    const struct mr_plan *plan;
    const struct mr_plan_node *node;
    struct mr_state *state; /* of the task; NULL when the type has no state */
    int32_t partition;
    int32_t partitions_count;
    /* Wall time at which the task first began, over all its starts; INT64_MIN: not known. */
    int64_t began_ms;
};

/* How an operator stretches event time, by its options, ms. */
struct mr_operator_reach {
    /* The watermark must pass the event time of the last row by this until nothing of the row is
     * open any more: a window's length and lateness, a session's gap, a join's interval. When all
     * inputs are silent the watermark rises so far, that the last results leave. */
    int64_t open_ms;
    /* A row that leaves with event time t may leave as late as when the watermark reaches
     * t + 1 + held_ms: the lateness of a window that emits when it is closed, the interval of an
     * outer join. What lies behind the operator sees a watermark that is lower by this. */
    int64_t held_ms;
};

struct mr_operator_type {
    struct mr_type_spec spec;
    size_t instance_size; /* the framework allocates and zeroes */
    enum mr_status (*open)(void *self, const struct mr_operator_open *open, struct mr_error *error);
    /* Rows of one input port. Fails only for reasons that stop the task (state I/O, MR_LIMIT). */
    enum mr_status (*process)(void *self, struct mr_operator_context *context, uint32_t port,
                              struct mr_view view, struct mr_error *error);
    /* The task's watermark advanced to context->watermark_ms. MR_AGAIN: more is due at it; only
     * after mr_operator_is_enough said so. May be called again with a watermark that it knows. May
     * be NULL. */
    enum mr_status (*on_watermark)(void *self, struct mr_operator_context *context,
                                   struct mr_error *error);
    /* Rows with watermarks up to *watermark_ms make at most some thousand things due in `process`,
     * besides those that the transactions in flight have changed; INT64_MAX: any rows. wanted_ms:
     * an answer at or above it is as good as INT64_MAX. NULL: what `process` closes is bounded by
     * its rows. */
    enum mr_status (*horizon)(void *self, int64_t wanted_ms, int64_t *watermark_ms,
                              struct mr_error *error);
    /* The wall time context->now_ms has reached *due_ms (in), which the last call returned or
     * mr_operator_wake asked for; the first call comes soon after open. *due_ms (out): when next;
     * INT64_MAX: never, unless woken. MR_AGAIN: as of on_watermark, more is due now. Called only
     * where mr_plan_is_woken. May be NULL. */
    enum mr_status (*on_wall)(void *self, struct mr_operator_context *context, int64_t *due_ms,
                              struct mr_error *error);
    /* What on_wall does later is about what does not come: when all input has been read nobody
     * waits for it. */
    bool watches_for_silence;
    /* NULL: nothing stays open and nothing leaves late. */
    struct mr_operator_reach (*reach)(const struct mr_plan_node *node);
    /* Generators (MR_TYPE_GENERATOR): write up to batch->rows_capacity rows from position on;
     * *next_position is behind the last. MR_END when there are no more; MR_AGAIN when none is due
     * before *due_ms (wall time). */
    enum mr_status (*generate)(void *self, struct mr_operator_context *context, int64_t position,
                               struct mr_batch *batch, int64_t *next_position, int64_t *due_ms,
                               struct mr_error *error);
    void (*close)(void *self);
    /* For queries, of types with state, any thread: the table whose objects are shown, and what a
     * stored object says; memory from arena. MR_CORRUPT when it is not this type's. */
    const char *state_table;
    uint32_t gauges; /* that it sets: a bit per enum mr_operator_gauge */
    enum mr_status (*describe_state)(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error);
    /* Of types whose state_table holds models (sample_model.h), any thread: append the stored
     * object's model as a document that is called name. MR_INVALID with a sentence: it has learned
     * nothing yet; MR_CORRUPT; MR_LIMIT. NULL: the type has no models. */
    enum mr_status (*write_model)(const struct mr_state_object *object,
                                  const struct mr_plan_node *node, const char *name,
                                  struct mr_buffer *output, struct mr_error *error);
};

/* Registry: const, sorted by name, then by role: a name may stand for a source and an operator. */
const struct mr_operator_type *const *mr_operators(uint32_t *count);
const struct mr_operator_type *mr_operator_find(enum mr_role role, const char *name);
/* Names unique within their role and sorted, mandatory members set, defaults within bounds, every
 * option documented.
 */
enum mr_status mr_operator_registry_check(struct mr_error *error) MR_NODISCARD;

/* ---- Running an instance: used by worker/ and the conformance suite ----
 * After a call has failed the instance takes no further call but mr_operator_destroy. */

enum mr_status mr_operator_create(const struct mr_operator_type *type,
                                  const struct mr_operator_open *open,
                                  struct mr_operator **instance,
                                  struct mr_error *error) MR_NODISCARD;
enum mr_status mr_operator_process(struct mr_operator *instance,
                                   struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error) MR_NODISCARD;
/* MR_AGAIN: more is due; to be called with the same watermark before anything else. */
enum mr_status mr_operator_watermark(struct mr_operator *instance,
                                     struct mr_operator_context *context,
                                     struct mr_error *error) MR_NODISCARD;
/* See `horizon`. */
enum mr_status mr_operator_horizon(struct mr_operator *instance, int64_t wanted_ms,
                                   int64_t *watermark_ms, struct mr_error *error) MR_NODISCARD;
/* Calls on_wall when context->wall_due_ms has come; *called says whether. MR_AGAIN: as above. */
enum mr_status mr_operator_wall(struct mr_operator *instance, struct mr_operator_context *context,
                                bool *called, struct mr_error *error) MR_NODISCARD;
/* on_wall will be called at some time: something is open until then. */
bool mr_operator_waits(const struct mr_operator *instance,
                       const struct mr_operator_context *context);
enum mr_status mr_operator_generate(struct mr_operator *instance,
                                    struct mr_operator_context *context, int64_t position,
                                    struct mr_batch *batch, int64_t *next_position, int64_t *due_ms,
                                    struct mr_error *error) MR_NODISCARD;
void mr_operator_destroy(struct mr_operator *instance);

/* ---- For operators ---- */

void mr_operator_emit(struct mr_operator_context *context, uint32_t output, struct mr_view view);
/* The task's watermark just before a row. Pre: the type has MR_TYPE_ROW_WATERMARKS, or the node's
 * rows wait (mr_plan_waits). */
static inline int64_t mr_operator_row_watermark(const struct mr_batch *batch, uint32_t row)
{
    return batch->watermarks_ms[row];
}
/* Count rows that came too late: millrace_operator_late_records_total. */
void mr_operator_late(struct mr_operator_context *context, uint32_t rows_count);
/* Count judged rows by state: millrace_detector_records_total. */
void mr_operator_judged(struct mr_operator_context *context, const uint32_t *rows_counts);
/* Of a batch: the highest value of its keys. */
void mr_operator_gauge(struct mr_operator_context *context, enum mr_operator_gauge gauge,
                       double value);
/* Something that was due has been done: time to stop and return MR_AGAIN? Little is asked of the
 * runtime, and only after some things: an operator may do a few more than it should. */
bool mr_operator_is_enough(struct mr_operator_context *context);
/* on_wall is wanted at this wall time at the latest. */
void mr_operator_wake(struct mr_operator_context *context, int64_t due_ms);
/* The failure of describe_state: the bytes are not this type's. */
enum mr_status mr_operator_not_described(struct mr_error *error) MR_NODISCARD;
void mr_operator_row_error(struct mr_operator_context *context, const struct mr_batch *batch,
                           uint32_t row, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Somebody reads this output of the node, directly or through a repartition. */
bool mr_operator_output_is_read(const struct mr_plan *plan, const struct mr_plan_node *node,
                                uint32_t output);
/* A batch for rows of the output's own; without a cause they come from the node. Where rows carry
 * watermarks, those of the new batch are filled with one that holds for all its rows: the one that
 * consumers were told last. An operator that makes rows of single rows copies theirs
 * (operators/derive.h does). */
struct mr_batch *mr_operator_batch_new(struct mr_operator_context *context, uint32_t output,
                                       const struct mr_batch *cause, uint32_t rows_capacity);
/* Key bytes of the node's `key` for every row of the view, in batch->group_keys[key_id], indexed by
 * row; rows without a key, or with one above MR_LIMIT_KEY_BYTES, are reported and left out of
 * *keyed (rows from the context's arena). Keys that another operator with the same key_id made are
 * taken as they are. A node with `key: []`, or without a key, has the empty key for every row. */
const struct mr_slice *mr_operator_keys(struct mr_operator_context *context,
                                        const struct mr_plan_node *node, struct mr_view view,
                                        struct mr_view *keyed);
/* The same for a key of one of several inputs. */
const struct mr_slice *mr_operator_keys_of(struct mr_operator_context *context,
                                           const struct mr_plan_key *plan_key, struct mr_view view,
                                           struct mr_view *keyed);
/* A row's record as JSON text, as it arrives at an input whose layout is drawn for writing (joins);
 * data NULL: a tombstone. Owner: the batch's arena, or the payload itself. Errors: MR_INVALID with
 * a sentence about the row. */
enum mr_status mr_operator_record_text(struct mr_operator_context *context, uint32_t port,
                                       const struct mr_batch *batch, uint32_t row,
                                       struct mr_slice *text, struct mr_error *error) MR_NODISCARD;

#endif
