/* operators/aggregate_set.h — all aggregates of one operator, and one row for all of them.
 * Model: the heads of the aggregates lie side by side in a *cell* of cell_bytes; an all-zero cell
 * has seen no rows. The bodies of heavy aggregates share the slots of one state object: piece i of
 * the h-th heavy one is slot i * heavy_count + h, so that small bodies need low slots only.
 * Arguments are evaluated per view, not per row.
 * Use: init at open; per view evaluate; per row add; merge and results when a group is emitted. */
#ifndef MR_OPERATORS_AGGREGATE_SET_H
#define MR_OPERATORS_AGGREGATE_SET_H

#include "operators/aggregate.h"
#include "operators/operator.h"

enum {
    MR_AGGREGATE_SET_MAX = 32,          /* aggregates of one operator */
    MR_AGGREGATE_SET_CELL_BYTES = 2048, /* a cell with what surrounds it fits a stored object */
    MR_AGGREGATE_SET_PIECE_BYTES = 1024
};

struct mr_aggregate_set {
    uint32_t count;
    uint32_t cell_bytes;
    uint32_t heavy_count;
    uint32_t slots_max; /* of the bodies of one cell */
    struct mr_aggregate items[MR_AGGREGATE_SET_MAX];
    uint32_t offsets[MR_AGGREGATE_SET_MAX]; /* of the heads in a cell */
    uint32_t heavy[MR_AGGREGATE_SET_MAX];   /* which heavy one it is */
    uint64_t fingerprint; /* changes when stored cells would mean something else */
};

/* Argument columns of one view, by row. */
struct mr_aggregate_columns {
    const struct mr_value *arguments[MR_AGGREGATE_SET_MAX][MR_AGGREGATE_ARGUMENTS_MAX];
};

/* Where the bodies of a cell are. Owner: the caller; object and table as mr_table_slot wants them.
 */
struct mr_aggregate_place {
    struct mr_table *table; /* NULL: no heavy aggregates */
    void *object;
    /* Of an object with the bodies of several cells: which one, and how many there are room for.
     * The object has so many times the slots. 0, 0: one. */
    uint32_t entry;
    uint32_t entries;
};

/* From the bound option `aggregates`. MR_LIMIT with recovery FAIL_TOPOLOGY: the heads do not fit.
 */
enum mr_status mr_aggregate_set_init(struct mr_aggregate_set *set,
                                     const struct mr_option_value *aggregates,
                                     struct mr_error *error) MR_NODISCARD;

/* Member check_bound of types with the option `aggregates`: what init would refuse. */
enum mr_status mr_aggregate_set_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error) MR_NODISCARD;

/* Evaluate all arguments; rows whose evaluation fails are reported and left out of *fine, whose
 * rows are from the context's arena. */
void mr_aggregate_set_evaluate(const struct mr_aggregate_set *set,
                               struct mr_operator_context *context, struct mr_view view,
                               struct mr_aggregate_columns *columns, struct mr_view *fine);

/* Add a row. *failed: a function refuses the row with the sentence in error; the cell and all
 * bodies are as they were. Other statuses are failures of the state. */
enum mr_status mr_aggregate_set_add(const struct mr_aggregate_set *set,
                                    const struct mr_aggregate_columns *columns, uint32_t row,
                                    int64_t event_time_ms, uint8_t *cell,
                                    const struct mr_aggregate_place *place, bool *failed,
                                    struct mr_error *error) MR_NODISCARD;

/* A cell that is merged in memory: init, then merge in the order of the rows, then results. */
struct mr_aggregate_merged {
    uint8_t cell[MR_AGGREGATE_SET_CELL_BYTES];
    struct mr_sketch_scratch bodies[MR_AGGREGATE_SET_MAX];
};
void mr_aggregate_set_begin(const struct mr_aggregate_set *set, struct mr_arena *arena,
                            struct mr_aggregate_merged *merged);
enum mr_status mr_aggregate_set_merge(const struct mr_aggregate_set *set,
                                      struct mr_aggregate_merged *merged, const uint8_t *cell,
                                      const struct mr_aggregate_place *place,
                                      struct mr_error *error) MR_NODISCARD;
/* Put the bodies of a merged cell into place, over what is there; its heads are merged->cell. */
enum mr_status mr_aggregate_set_store(const struct mr_aggregate_set *set,
                                      const struct mr_aggregate_merged *merged,
                                      const struct mr_aggregate_place *place,
                                      struct mr_error *error) MR_NODISCARD;
/* A copy of a stored cell; begins as mr_aggregate_set_begin does. */
enum mr_status mr_aggregate_set_load(const struct mr_aggregate_set *set, struct mr_arena *arena,
                                     struct mr_aggregate_merged *merged, const uint8_t *cell,
                                     const struct mr_aggregate_place *place,
                                     struct mr_error *error) MR_NODISCARD;
/* Merge cells in place: other's rows come behind. With heavy aggregates both are of one object. */
enum mr_status mr_aggregate_set_join(const struct mr_aggregate_set *set, uint8_t *cell,
                                     const struct mr_aggregate_place *place, const uint8_t *other,
                                     const struct mr_aggregate_place *other_place,
                                     struct mr_error *error) MR_NODISCARD;
/* Results of a stored cell, or of a merged one; results[count], memory from arena. */
enum mr_status mr_aggregate_set_results(const struct mr_aggregate_set *set, const uint8_t *cell,
                                        const struct mr_aggregate_place *place,
                                        const struct mr_aggregate_span *span,
                                        struct mr_arena *arena, struct mr_value *results,
                                        struct mr_error *error) MR_NODISCARD;
enum mr_status mr_aggregate_set_merged_results(const struct mr_aggregate_set *set,
                                               struct mr_aggregate_merged *merged,
                                               const struct mr_aggregate_span *span,
                                               struct mr_arena *arena, struct mr_value *results,
                                               struct mr_error *error) MR_NODISCARD;

#endif
