/* operators/operator.h — the interface of operators, and the one table each of them fills.
 * Contract: called by one thread; never blocks; no clock, random, I/O or globals: time, randomness,
 * state and emission come in the context. Same rows + same state + same context = same output, so a
 * replay is exact. `open`, `close` and `process` (a generator: `generate` instead) are mandatory;
 * `close` is safe after a failed open.
 * Model: rows come as views of batches. An operator may narrow the view (filter), write its own
 * columns (map, detect: slots from the plan) and emit the same batch, or take a new batch for an
 * output with rows of its own (flat_map, alerts). A row that fails is reported with
 * mr_operator_row_error and not emitted. Only operators/operator.c calls the pointers; it checks
 * flags, order and bounds once for all. */
#ifndef MR_OPERATORS_OPERATOR_H
#define MR_OPERATORS_OPERATOR_H

#include "base/random.h"
#include "operators/state_description.h"
#include "record/batch.h"
#include "state/state.h"
#include "topology/plan.h"

struct mr_operator;
struct mr_operator_context;

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
};

struct mr_operator_context {
    const struct mr_operator_runtime *runtime;
    uint32_t node;
    struct mr_arena *arena; /* of the current batch */
    struct mr_evaluator *evaluator;
    int64_t now_ms;               /* the batch's wall time: the only clock */
    int64_t watermark_ms;         /* of the task; INT64_MIN before the first */
    uint64_t seed;                /* of (topology generation, subtopology, partition, operator) */
    struct mr_operator *instance; /* set by operators/operator.c while it calls an operator */
};

struct mr_operator_open {
    const struct mr_plan *plan;
    const struct mr_plan_node *node;
    struct mr_state *state; /* of the task; NULL when the type has no state */
    int32_t partition;
    int32_t partitions_count;
};

struct mr_operator_type {
    struct mr_type_spec spec;
    size_t instance_size; /* the framework allocates and zeroes */
    enum mr_status (*open)(void *self, const struct mr_operator_open *open, struct mr_error *error);
    /* Rows of one input port. Fails only for reasons that stop the task (state I/O, MR_LIMIT). */
    enum mr_status (*process)(void *self, struct mr_operator_context *context, uint32_t port,
                              struct mr_view view, struct mr_error *error);
    /* The task's watermark advanced to context->watermark_ms. May be NULL. */
    enum mr_status (*on_watermark)(void *self, struct mr_operator_context *context,
                                   struct mr_error *error);
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
    enum mr_status (*describe_state)(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error);
};

/* Registry: const, sorted by name. */
const struct mr_operator_type *const *mr_operators(uint32_t *count);
const struct mr_operator_type *mr_operator_find(const char *name);
/* Names unique and sorted, mandatory members set, defaults within bounds, every option documented.
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
enum mr_status mr_operator_watermark(struct mr_operator *instance,
                                     struct mr_operator_context *context,
                                     struct mr_error *error) MR_NODISCARD;
enum mr_status mr_operator_generate(struct mr_operator *instance,
                                    struct mr_operator_context *context, int64_t position,
                                    struct mr_batch *batch, int64_t *next_position, int64_t *due_ms,
                                    struct mr_error *error) MR_NODISCARD;
void mr_operator_destroy(struct mr_operator *instance);

/* ---- For operators ---- */

void mr_operator_emit(struct mr_operator_context *context, uint32_t output, struct mr_view view);
/* The failure of describe_state: the bytes are not this type's. */
enum mr_status mr_operator_not_described(struct mr_error *error) MR_NODISCARD;
void mr_operator_row_error(struct mr_operator_context *context, const struct mr_batch *batch,
                           uint32_t row, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Somebody reads this output of the node, directly or through a repartition. */
bool mr_operator_output_is_read(const struct mr_plan *plan, const struct mr_plan_node *node,
                                uint32_t output);
struct mr_batch *mr_operator_batch_new(struct mr_operator_context *context, uint32_t output,
                                       const struct mr_batch *cause, uint32_t rows_capacity);
/* Key bytes of the node's `key` for every row of the view, in batch->group_keys[key_id], indexed by
 * row; rows without a key, or with one above MR_LIMIT_KEY_BYTES, are reported and left out of
 * *keyed (rows from the context's arena). Keys that another operator with the same key_id made are
 * taken as they are. A node with `key: []`, or without a key, has the empty key for every row. */
const struct mr_slice *mr_operator_keys(struct mr_operator_context *context,
                                        const struct mr_plan_node *node, struct mr_view view,
                                        struct mr_view *keyed);

#endif
