/* operators/windowing.h — what the kinds of windows share; for operators/window_*.c only.
 * Model: window_aggregate.c is the type: options, keys, arguments, late rows, the clock. A *kind*
 * (struct mr_windowing_kind) keeps the groups of a key and says what a row changes and what a due
 * object emits. Groups are objects of the timed table `groups`, by the node's key; they are due
 * when their next window is to be closed, at end + lateness. */
#ifndef MR_OPERATORS_WINDOWING_H
#define MR_OPERATORS_WINDOWING_H

#include "operators/aggregate_set.h"
#include "operators/group_object.h"
#include "operators/group_output.h"
#include "operators/window_time.h"

enum mr_windowing_emit { MR_EMIT_CLOSE, MR_EMIT_UPDATE, MR_EMIT_PERIODIC };

struct mr_windowing;
struct mr_window_totals;

/* One row to be grouped. */
struct mr_windowing_row {
    uint32_t row;
    struct mr_slice key;
    uint64_t hash;
    int64_t time_ms; /* event time, or the clock's */
    const struct mr_aggregate_columns *columns;
};

enum mr_windowing_fate {
    MR_ROW_TAKEN,
    MR_ROW_LATE,  /* every window that it belongs to is closed */
    MR_ROW_FAILED /* error has the sentence */
};

/* What the objects of all kinds begin with. */
struct mr_windowing_group {
    struct mr_group_object head;
    int64_t due_ms;
};

/* What a type computes of its windows, where that is not the option `aggregates`. */
struct mr_windowing_use {
    /* Fill windowing->set; its calls live as long as windowing. */
    enum mr_status (*read)(struct mr_windowing *windowing, const struct mr_plan_node *node,
                           struct mr_error *error);
    /* The arguments of all rows of the view. */
    void (*evaluate)(struct mr_windowing *windowing, struct mr_operator_context *context,
                     struct mr_view view, struct mr_aggregate_columns *columns);
    /* Make of the aggregates' results those of the output, in the same array of
     * MR_AGGREGATE_SET_MAX; memory from arena. key: the window's, in arena. */
    void (*finish)(struct mr_windowing *windowing, struct mr_operator_context *context,
                   struct mr_slice key, const struct mr_aggregate_span *span,
                   struct mr_arena *arena, struct mr_value *results);
};

struct mr_windowing_kind {
    /* Tables and sizes; the shared members are set. */
    enum mr_status (*open)(struct mr_windowing *windowing, const struct mr_operator_open *open,
                           struct mr_error *error);
    enum mr_status (*row)(struct mr_windowing *windowing, struct mr_operator_context *context,
                          const struct mr_windowing_row *row, enum mr_windowing_fate *fate,
                          struct mr_error *error);
    /* Emit and drop what is due at now_ms, in the order of (due time, key). MR_AGAIN: there is
     * more; only where mr_windowing_stops says so. */
    enum mr_status (*advance)(struct mr_windowing *windowing, struct mr_operator_context *context,
                              int64_t now_ms, struct mr_error *error);
};

extern const struct mr_windowing_kind mr_windowing_aligned;
extern const struct mr_windowing_kind mr_windowing_count;
extern const struct mr_windowing_kind mr_windowing_running;
extern const struct mr_windowing_kind mr_windowing_session;
extern const struct mr_windowing_kind mr_windowing_sliding;

struct mr_windowing {
    const struct mr_plan_node *node;
    const struct mr_windowing_kind *kind;
    const struct mr_windowing_use *use; /* set by the type before open; NULL: `aggregates` */
    uint32_t port;                      /* that the rows at hand came by */
    bool has_no_late; /* the type has no output `late`: such rows are counted only */
    struct mr_window window;
    struct mr_window_grid grid; /* TUMBLING, HOPPING */
    enum mr_windowing_emit emit;
    int64_t emit_every_ms;
    int64_t lateness_ms;
    bool wall; /* time: processing */
    struct mr_aggregate_set set;
    struct mr_group_output output;
    struct mr_aggregate_merged *merged;
    struct mr_arena scratch; /* bodies of what is merged; emptied per result */
    struct mr_arena keys;    /* of the group that is being taken */
    uint32_t fingerprint;    /* of the options that stored groups depend on */
    struct mr_table *groups;
    /* Time as far as groups were closed; rows are judged by it. */
    int64_t now_ms;
    int64_t next_ms; /* nothing is due before; no later than the next object's due time */
    bool retracts;   /* the results at hand are those of a window that is no more */
    bool may_stop;   /* in a call that may be made again */
    bool more;       /* something is still due at now_ms: the last advance stopped */
    /* TUMBLING, HOPPING (window_ring.c). */
    struct mr_table *panes;
    uint32_t capacity;               /* entries of a group's list */
    bool ring_inline;                /* cells lie in the list */
    int64_t first_open;              /* window */
    struct mr_window_totals *totals; /* window_totals.h; NULL: none */
    /* SLIDING (window_sliding.c, window_blocks.c). */
    struct mr_table *waiting;
    struct mr_table *blocks;
    uint32_t fan; /* entries of a page */
};

/* The bounds of `state:` and the names, for tables of the node. */
void mr_windowing_table_spec(const struct mr_windowing *windowing, const char *name,
                             struct mr_table_spec *spec);
/* Write one result. span: the window; results come from the cell, or from windowing->merged when
 * cell is NULL. A result that a function cannot say (a sum beyond the type double) is reported. */
enum mr_status mr_windowing_result(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   const struct mr_aggregate_span *span, const uint8_t *cell,
                                   const struct mr_aggregate_place *place,
                                   struct mr_error *error) MR_NODISCARD;

/* Report a result that cannot be said, when merging its cells failed; message ends with NUL. */
void mr_windowing_failed(struct mr_windowing *windowing, struct mr_operator_context *context,
                         struct mr_slice key, const struct mr_aggregate_span *span,
                         const char *message);
/* A function refused a row, a merge or a result: it is about that, not about the state. */
static inline bool mr_windowing_is_refused(enum mr_status status)
{
    return status == MR_INVALID || status == MR_LIMIT;
}

/* A group or pane that was due is done: must `advance` return MR_AGAIN? */
static inline bool mr_windowing_stops(const struct mr_windowing *windowing,
                                      struct mr_operator_context *context)
{
    return windowing->may_stop && mr_operator_is_enough(context);
}

/* Set node, kind, window, set and fingerprint, and what they come from: all that stored objects
 * depend on. */
enum mr_status mr_windowing_read(struct mr_windowing *windowing, const struct mr_plan_node *node,
                                 struct mr_error *error) MR_NODISCARD;

/* Members of struct mr_operator_type; the instance is a struct mr_windowing. */
enum mr_status mr_windowing_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error);
enum mr_status mr_windowing_process(void *self, struct mr_operator_context *context, uint32_t port,
                                    struct mr_view view, struct mr_error *error);
enum mr_status mr_windowing_watermark(void *self, struct mr_operator_context *context,
                                      struct mr_error *error);
enum mr_status mr_windowing_horizon(void *self, int64_t wanted_ms, int64_t *watermark_ms,
                                    struct mr_error *error);
enum mr_status mr_windowing_wall(void *self, struct mr_operator_context *context, int64_t *due_ms,
                                 struct mr_error *error);
void mr_windowing_close(void *self);
struct mr_operator_reach mr_windowing_reach(const struct mr_plan_node *node);
/* window_describe.c */
enum mr_status mr_windowing_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error);
/* The same for a windowing of which nothing but `use` is set. */
enum mr_status mr_windowing_describe_as(struct mr_windowing *windowing,
                                        const struct mr_state_object *object,
                                        struct mr_arena *arena,
                                        struct mr_state_description *description,
                                        struct mr_error *error) MR_NODISCARD;

/* Of any window. */
void mr_windowing_estimate(const struct mr_window *window, int64_t lateness_ms,
                           const struct mr_aggregate_set *set, struct mr_state_estimate *estimate);
/* Of windows that are lists (window_list.h), and of running sums: window NULL. */
void mr_windowing_list_estimate(const struct mr_window *window, const struct mr_aggregate_set *set,
                                struct mr_state_estimate *estimate);
/* Of tumbling and hopping windows, from the options and the aggregates alone. */
void mr_windowing_aligned_estimate(const struct mr_window *window, int64_t lateness_ms,
                                   const struct mr_aggregate_set *set,
                                   struct mr_state_estimate *estimate);
/* Of sliding windows, of 64 records each. */
void mr_windowing_sliding_estimate(const struct mr_aggregate_set *set,
                                   struct mr_state_estimate *estimate);
/* What the group of a key with sliding windows says; false: it is none. */
bool mr_windowing_sliding_describe(const struct mr_group_object *object,
                                   struct mr_state_description *description);
/* What sliding windows do not take of what the other ones do. MR_INVALID, MR_LIMIT. */
enum mr_status mr_windowing_sliding_check(const struct mr_aggregate_set *set,
                                          struct mr_error *error) MR_NODISCARD;

#endif
