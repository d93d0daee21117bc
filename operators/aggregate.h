/* operators/aggregate.h — aggregate functions: what is kept of the rows of one group, and what it
 * says. Used by windows, and by whatever else sums up.
 * Model: an aggregate's state is a *head* of fixed size and, for the large ones, a *body* of pieces
 * of equal size that are touched one by one, so that a record dirties one piece and not the whole.
 * States are bytes without pointers, in this machine's order, as the pieces of a table are stored:
 * a stored state is read by the same layout version only. An all-zero head is an empty state. What
 * a head does not use, mostly its end, is zero: it need not be stored.
 * Contract: add and merge are deterministic functions of states and rows in order; merge(a, b) says
 * of a what adding b's rows behind a's rows would (exactly, or within the function's stated error).
 * Where a number is asked for and a row has none, or one that is not finite, add fails the row with
 * MR_INVALID and leaves the state as it was. NULL and absent arguments are skipped, as in SQL,
 * where the function says so.
 * Threads: those of the operator; nothing is shared. */
#ifndef MR_OPERATORS_AGGREGATE_H
#define MR_OPERATORS_AGGREGATE_H

#include "base/arena.h"
#include "base/sketch.h"
#include "record/value.h"
#include "topology/aggregate_call.h"

enum {
    MR_AGGREGATE_VERSION = 1, /* of all heads and bodies together */
    MR_AGGREGATE_HEAD_BYTES_MAX = 512
};

/* A row as an aggregate sees it. */
struct mr_aggregate_row {
    struct mr_value arguments[MR_AGGREGATE_ARGUMENTS_MAX];
    int64_t event_time_ms;
};

struct mr_aggregate_function;

/* One aggregate of an operator. */
struct mr_aggregate {
    const struct mr_aggregate_function *function;
    const struct mr_aggregate_call *call;
    uint32_t head_bytes;  /* a multiple of 8 */
    uint32_t pieces_max;  /* 0: no body */
    uint32_t piece_bytes; /* 0 without a body: the size that pieces_max was computed for */
};

/* The window that a result is about, for rate(). */
struct mr_aggregate_span {
    int64_t start_ms;
    int64_t end_ms;
};

/* All functions, sorted by name: for the catalogue, docs and the parser. */
const struct mr_aggregate_spec *const *mr_aggregates(uint32_t *count);

/* Sizes from the call's parameters. piece_bytes: of the bodies that the caller will offer.
 * MR_LIMIT: the parameters ask for more than a body may be (4,096 pieces). */
enum mr_status mr_aggregate_prepare(const struct mr_aggregate_call *call, uint32_t piece_bytes,
                                    struct mr_aggregate *aggregate,
                                    struct mr_error *error) MR_NODISCARD;

/* MR_INVALID: the row's argument is not usable, the state is unchanged. MR_LIMIT: the group holds
 * more than the function's bound; unchanged too. body is NULL without pieces. */
enum mr_status mr_aggregate_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                struct mr_error *error) MR_NODISCARD;
/* What add would say of the row, without changing anything: MR_OK, MR_INVALID or MR_LIMIT. For
 * callers with several aggregates, none of which may take a row that another one refuses: light
 * ones can be undone by copying heads back, a head without its body cannot. So: add to the light
 * ones, check the heavy ones, then add to these. */
enum mr_status mr_aggregate_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                  struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                  struct mr_error *error) MR_NODISCARD;
/* other's rows come behind those of the state. other is not changed. The two bodies are different
 * ones, and only the piece that either was asked for last is in use. MR_INVALID: a sum of ints or
 * doubles is beyond its type: unchanged, and the sentence is for the result (no row is to blame).
 * MR_LIMIT as in add; the state then holds some of other's rows. */
enum mr_status mr_aggregate_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                  struct mr_sketch_body *body, const uint8_t *other_head,
                                  struct mr_sketch_body *other_body,
                                  struct mr_error *error) MR_NODISCARD;
/* The result; text and lists live in arena. Without rows: as SQL (count 0, sum NULL, ...). */
enum mr_status mr_aggregate_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                   struct mr_sketch_body *body,
                                   const struct mr_aggregate_span *span, struct mr_arena *arena,
                                   struct mr_value *result, struct mr_error *error) MR_NODISCARD;
/* True where merging is cheap and exact in any grouping (of doubles: but for the last digits), and
 * a head alone holds everything: such states may be kept as running totals of neighbouring panes.
 */
bool mr_aggregate_is_light(const struct mr_aggregate *aggregate);

#endif
