/* operators/window_totals.h — totals of neighbouring panes, so that a long window with a short step
 * needs few merges per result; for operators/window_*.c only.
 * Why: an hour every second has 3,600 panes; looking up each of them per result costs more than
 * adding the records does.
 * Model: a *block* has 8, 64, 512 or 4,096 panes and begins at a multiple of that. Its total is
 * merged from its eight parts, in order. A window is cut into the largest blocks that fit, from its
 * first pane on: which cells are merged in which order follows from the numbers of panes alone, so
 * that sums of doubles have the same last digits whenever they are made.
 * Totals are derived data: kept in memory, never stored, made again when they are missing. A pane
 * that changes forgets those that it is part of. They are for light aggregates (aggregate.h) whose
 * panes have objects of their own, and windows of at least 8 panes.
 * Bounds: MR_WINDOW_TOTALS_BYTES per operator and task, taken at open; each key has as much as one
 * window's blocks take, the key of eight that was not used for longest gives way. */
#ifndef MR_OPERATORS_WINDOW_TOTALS_H
#define MR_OPERATORS_WINDOW_TOTALS_H

#include "operators/window_ring.h"

enum { MR_WINDOW_TOTALS_BYTES = 8 << 20 };

/* Set windowing->totals where they are of use: NULL where not. Pre: mr_window_ring_open. Owner:
 * windowing, one piece of memory. */
void mr_window_totals_open(struct mr_windowing *windowing);

/* The rest of these do nothing without totals. A pane of the key has changed. */
void mr_window_totals_changed(struct mr_windowing *windowing, struct mr_slice key, uint64_t hash,
                              int64_t pane);
/* Panes of the key went without being told one by one. */
void mr_window_totals_forget(struct mr_windowing *windowing, struct mr_slice key, uint64_t hash);
/* The same for any key. */
void mr_window_totals_forget_all(struct mr_windowing *windowing);

/* Merge the live panes from `first` up to before `end`, which are at most a window's, into
 * windowing->merged. ring: a copy, since objects of panes take its place. Pre: there are totals.
 * MR_INVALID, MR_LIMIT: a function refuses. */
enum mr_status mr_window_totals_merge(struct mr_windowing *windowing, struct mr_window_ring *ring,
                                      struct mr_slice key, int64_t first, int64_t end,
                                      struct mr_error *error) MR_NODISCARD;

#endif
