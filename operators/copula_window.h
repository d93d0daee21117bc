/* operators/copula_window.h — a copula of the newest records alone: what has left the window is
 * forgotten, by panes.
 * Model: a window is MR_COPULA_PANES panes in a row, told apart by their numbers. Each has learned
 * its own rows: distributions, moments, and its part of the reservoir, as a struct mr_copula.
 * The whole is a copula, too, and derived from them at every block: bins and texts are merged,
 * moments added, rows put together. Scores mean the same in all panes, because new rows are scored
 * by the whole; when it has moved (copula.h), the moments of every pane are made anew from its
 * rows. A pane that leaves takes all it has learned with it. What a new pane inherits: the kinds of
 * columns, and the order of the texts that the others know. A column that had nothing but missing
 * values in the pane before, of at least MR_COPULA_RETELL_ROWS rows, is told anew.
 * Bytes, version 1 (little-endian): 0 uint8 1, uint8 1 when a pane was opened, 6 zeros; 8 int64
 * newest; 16 uint32 size of each place's pane, 0: not open; then each place's copula (copula.h),
 * in as many bytes as a pane can have at most, the rest of them 0: so a pane that learns no more
 * keeps its bytes.
 * Memory: that of MR_COPULA_PANES copulas whose reservoirs have an eighth of the rows. Threads:
 * none of its own. Plain arithmetic in a fixed order: the same bits everywhere. */
#ifndef MR_OPERATORS_COPULA_WINDOW_H
#define MR_OPERATORS_COPULA_WINDOW_H

#include "operators/copula.h"

enum { MR_COPULA_PANES = 8, MR_COPULA_RETELL_ROWS = 20 };

struct mr_copula_window {
    uint32_t columns_count;
    bool is_any;                   /* a pane was opened */
    int64_t newest;                /* number of the newest pane */
    bool is_open[MR_COPULA_PANES]; /* by place: the number modulo MR_COPULA_PANES */
    struct mr_copula *panes;       /* by place */
};

/* The shape of a pane of a window of this shape; place: 0 to MR_COPULA_PANES - 1. */
struct mr_copula_shape mr_copula_pane_shape(const struct mr_copula_shape *shape, uint32_t place);
/* Owner: the caller, until _destroy, which accepts a zeroed one. */
void mr_copula_window_create(struct mr_copula_window *window, const struct mr_copula_shape *shape);
void mr_copula_window_destroy(struct mr_copula_window *window);
/* Forget everything; the panes' seeds follow from the shape's. */
void mr_copula_window_clear(struct mr_copula_window *window, const struct mr_copula_shape *shape);

uint32_t mr_copula_pane_place(int64_t number);
/* Open the pane of a number above the newest one's; panes that are MR_COPULA_PANES or more before
 * it leave. whole: of the window's shape; it follows. */
void mr_copula_window_open(struct mr_copula_window *window, struct mr_copula *whole,
                           struct mr_copula_work *work, int64_t number);
/* Learn a block, as mr_copula_learn, into the newest pane; whole follows. True: it had moved, or
 * the moments were made anew for another reason. */
bool mr_copula_window_learn(struct mr_copula_window *window, struct mr_copula *whole,
                            struct mr_copula_work *work, const struct mr_value *cells,
                            uint32_t rows_count);
/* What new rows are learned into; NULL: no pane is open. */
const struct mr_copula *mr_copula_window_pane(const struct mr_copula_window *window);

/* Bytes of a window of this shape. */
size_t mr_copula_window_bytes(const struct mr_copula_shape *shape);
void mr_copula_window_encode(const struct mr_copula_window *window, uint8_t *output);
/* False: not the bytes of a window of this shape; window and whole are then empty. */
bool mr_copula_window_decode(struct mr_copula_window *window, struct mr_copula *whole,
                             struct mr_copula_work *work, struct mr_slice bytes);

#endif
