/* operators/event_order.h — what comes leaves in the order of its event times: what `sort` and
 * detectors with `order: event_time` share.
 * Model: a row waits at its place, which is its event time, until the watermark has passed it. Rows
 * leave by place, of one place in the order in which they came. What the caller keeps besides rows
 * (notes) leaves in front of the rows of its place. More than records_max do not wait: the earliest
 * leaves before its time. What comes behind the watermark, or behind what has left before its
 * time, is late; a caller that does not send it elsewhere lets it wait at the first place that is
 * still to come. A caller that needs no rows lets bytes of its own wait in their place, behind the
 * notes. Whether a row is late, or pushes another one out, does not depend on how rows are
 * cut into batches: those whose time has come by the row's own watermark are pushed out first, and
 * count as due.
 * Limits: records_max rows and notes of at most MR_LIMIT_ROW_BYTES. Threads: the operator's.
 *
 * Stored, version 1 (little-endian). The table of rows: waiting_rows.h, by the group's key, due at
 * the place; with notes, the sequence of a row has its highest bit set. The task's table, one
 * object with an empty key
 *   0  uint64  next sequence
 *   8  int64   event time in ms of the last row that left before its time; INT64_MIN: none */
#ifndef MR_OPERATORS_EVENT_ORDER_H
#define MR_OPERATORS_EVENT_ORDER_H

#include "operators/waiting_rows.h"

struct mr_event_order {
    struct mr_kept_row kept;
    struct mr_waiting_rows rows;
    struct mr_table *task;
    int64_t records_max;
    bool has_notes;
};

/* What the task knows: loaded at the start of a call of `process`, stored at its end. */
struct mr_event_order_task {
    uint64_t next_sequence;
    int64_t released_ms;
};

struct mr_event_order_spec {
    const char *rows_table;
    const char *task_table;
    int64_t records_max;
    bool has_notes;
    bool is_without_rows; /* has_notes: nothing but the caller's bytes is put */
};

/* Rows of the node's input 0, for its main output. The names are static. */
enum mr_status mr_event_order_open(struct mr_event_order *order,
                                   const struct mr_operator_open *open,
                                   const struct mr_event_order_spec *spec,
                                   struct mr_error *error) MR_NODISCARD;
void mr_event_order_close(struct mr_event_order *order); /* also of a zeroed one */
/* Add what a row costs that waits and leaves; without the task's object. */
void mr_event_order_estimate(struct mr_state_estimate *estimate);

enum mr_status mr_event_order_load(struct mr_event_order *order, struct mr_event_order_task *task,
                                   struct mr_error *error) MR_NODISCARD;
enum mr_status mr_event_order_store(struct mr_event_order *order,
                                    const struct mr_event_order_task *task,
                                    struct mr_error *error) MR_NODISCARD;

/* Where in the order something belongs: at its event time, or, *late, behind all that has left. */
int64_t mr_event_order_place(const struct mr_event_order_task *task, int64_t event_time_ms,
                             int64_t watermark_ms, bool *late);

/* Keep a row. *taken is false: it was too large and is reported. */
enum mr_status mr_event_order_put(struct mr_event_order *order, struct mr_operator_context *context,
                                  struct mr_event_order_task *task, const struct mr_batch *batch,
                                  uint32_t row, struct mr_slice key, int64_t place_ms, bool *taken,
                                  struct mr_error *error) MR_NODISCARD;
/* Keep bytes of the caller's own. Pre: has_notes. */
enum mr_status mr_event_order_put_note(struct mr_event_order *order, struct mr_arena *arena,
                                       struct mr_event_order_task *task, struct mr_slice note,
                                       struct mr_slice key, int64_t place_ms,
                                       struct mr_error *error) MR_NODISCARD;
/* The same where rows are: behind the notes of their place, and no note when they are taken. */
enum mr_status mr_event_order_put_last(struct mr_event_order *order, struct mr_arena *arena,
                                       struct mr_event_order_task *task, struct mr_slice bytes,
                                       struct mr_slice key, int64_t place_ms,
                                       struct mr_error *error) MR_NODISCARD;

/* More wait than may: the earliest leaves. */
bool mr_event_order_is_full(const struct mr_event_order *order);
/* It has left, with this event time, because of a row that knew this watermark. */
void mr_event_order_pushed_out(struct mr_event_order_task *task, int64_t event_time_ms,
                               int64_t watermark_ms);
/* Take out the first with a place up to until_ms; *found: there is one. It is a note: its bytes are
 * in waiting->row. Owner: arena. */
enum mr_status mr_event_order_take(struct mr_event_order *order, int64_t until_ms,
                                   struct mr_arena *arena, struct mr_waiting_row *waiting,
                                   bool *is_note, bool *found, struct mr_error *error) MR_NODISCARD;

#endif
