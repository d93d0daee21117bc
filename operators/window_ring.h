/* operators/window_ring.h — the group of a key with tumbling or hopping windows; for
 * operators/window_*.c only.
 * Model: a list of the key's live panes, ascending. Small cells lie in the list itself (*inline*);
 * else the list has pages of 64 panes with a bit for each live one, whose cells are objects of
 * their own (window_pane.h). A list that is full keeps its lowest panes; the others spill. Object,
 * in this machine's order: head (group_object.h); int64 due, ms; int64 window to be closed next;
 * int64 time of the next periodic result, INT64_MAX: nothing changed; then entries: int64 pane,
 * cell; or int64 page, uint64 bits. */
#ifndef MR_OPERATORS_WINDOW_RING_H
#define MR_OPERATORS_WINDOW_RING_H

#include "operators/window_pane.h"

struct mr_window_ring {
    struct mr_group_object head;
    int64_t due_ms;
    int64_t window;
    int64_t tick_ms;
    uint8_t entries[];
};

/* Decide where cells lie, from the window and the aggregates; the bytes of a group's object. */
size_t mr_window_ring_layout(struct mr_windowing *windowing);
/* Of bytes that were stored: it has whole entries. */
bool mr_window_ring_is_whole(const struct mr_windowing *windowing,
                             const struct mr_window_ring *ring);
/* The same; opens both tables. */
enum mr_status mr_window_ring_open(struct mr_windowing *windowing,
                                   const struct mr_operator_open *open,
                                   struct mr_error *error) MR_NODISCARD;

/* The group of a key. */
enum mr_status mr_window_ring_get(struct mr_windowing *windowing, struct mr_slice key,
                                  uint64_t hash, struct mr_window_ring **ring, bool *created,
                                  struct mr_error *error) MR_NODISCARD;

/* Live panes. */
uint32_t mr_window_ring_entries(const struct mr_windowing *windowing,
                                const struct mr_window_ring *ring);
/* The lowest pane from `pane` on; false: there is none. *cell: NULL when it is not inline. */
bool mr_window_ring_next(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                         int64_t pane, int64_t *found, uint8_t **cell);
/* Forget all panes below `pane`. */
void mr_window_ring_drop(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                         int64_t pane);

enum mr_window_room {
    MR_ROOM_FOUND,  /* the pane was live before */
    MR_ROOM_MADE,   /* it is live now; its inline cell is zero */
    MR_ROOM_BEHIND, /* the list is full and the pane is behind its last entry: it spills */
    MR_ROOM_FULL    /* the list is full, but for a lower pane its last entry must spill first */
};
enum mr_window_room mr_window_ring_room(const struct mr_windowing *windowing,
                                        struct mr_window_ring *ring, int64_t pane, uint8_t **cell);
/* Take back what ROOM_MADE made. */
void mr_window_ring_undo(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                         int64_t pane);
/* After MR_ROOM_FULL: move the panes of the last entry into objects of their own. The ring is not
 * valid any more. */
enum mr_status mr_window_ring_spill(struct mr_windowing *windowing,
                                    struct mr_operator_context *context,
                                    struct mr_window_ring *ring, struct mr_slice key,
                                    struct mr_error *error) MR_NODISCARD;

/* cell = other's rows behind cell's. Where a function refuses that (a sum beyond its type), the
 * first window of the pane is reported and other's rows are left out. */
enum mr_status mr_window_ring_join(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   int64_t pane, uint8_t *cell, const uint8_t *other,
                                   struct mr_error *error) MR_NODISCARD;

#endif
