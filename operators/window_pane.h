/* operators/window_pane.h — panes of tumbling and hopping windows that are kept outside of their
 * group's object; for operators/window_*.c only.
 * Why: a group's object holds a few panes with small cells. Aggregates with bodies, windows of many
 * panes, and panes further ahead of the watermark than the group has room for get an object each.
 * Model: an object of the timed table `panes`, by [pane, 8 bytes big-endian][key]. A *held* pane is
 * named by its group and used when windows close; it is due when its last window is closed, in case
 * that the group was forgotten. A *spilled* one is not; it is due with its first window and then
 * handed to the group.
 * Object, in this machine's order: head (group_object.h); int64 due, ms; uint32 spilled; uint32 0;
 * the cell. Slots: pieces of bodies (aggregate_set.h). */
#ifndef MR_OPERATORS_WINDOW_PANE_H
#define MR_OPERATORS_WINDOW_PANE_H

#include "operators/group_object.h"
#include "operators/windowing.h"

struct mr_window_pane {
    struct mr_group_object head;
    int64_t due_ms;
    uint32_t spilled;
    uint32_t zero;
    uint8_t cell[];
};

/* A pane's key, and where it is: valid while the operator's call lasts. */
struct mr_window_pane_key {
    int64_t pane;
    struct mr_slice key;  /* of the group */
    struct mr_slice full; /* of the pane's object */
    uint64_t hash;
};

enum mr_status mr_window_panes_open(struct mr_windowing *windowing,
                                    const struct mr_operator_open *open,
                                    struct mr_error *error) MR_NODISCARD;
struct mr_window_pane_key mr_window_pane_key(struct mr_arena *arena, struct mr_slice key,
                                             int64_t pane);
/* Out of the bytes of an object's key, which must outlive the result. */
struct mr_window_pane_key mr_window_pane_key_read(struct mr_slice full, uint64_t hash);

/* The pane's object; *pane is NULL when it was forgotten (state.max_keys). The key that is looked
 * up lives in windowing->scratch. */
enum mr_status mr_window_pane_find(struct mr_windowing *windowing, struct mr_slice key,
                                   int64_t number, struct mr_window_pane **pane,
                                   struct mr_error *error) MR_NODISCARD;
/* The pane's object; a new one is neither held nor spilled yet (mr_window_pane_settle). */
enum mr_status mr_window_pane_get(struct mr_windowing *windowing,
                                  const struct mr_window_pane_key *key,
                                  struct mr_window_pane **pane, bool *created,
                                  struct mr_error *error) MR_NODISCARD;
/* Say which of both it is; makes it dirty. pane is the last object handed out. */
void mr_window_pane_settle(struct mr_windowing *windowing, const struct mr_window_pane_key *key,
                           struct mr_window_pane *pane, bool spilled);
/* Add a row to a pane. */
enum mr_status mr_window_pane_add(struct mr_windowing *windowing,
                                  const struct mr_window_pane_key *key,
                                  const struct mr_windowing_row *row, bool spilled,
                                  enum mr_windowing_fate *fate,
                                  struct mr_error *error) MR_NODISCARD;
/* Where the bodies of an object are. */
struct mr_aggregate_place mr_window_pane_place(const struct mr_windowing *windowing,
                                               struct mr_window_pane *pane);

#endif
