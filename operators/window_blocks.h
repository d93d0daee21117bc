/* operators/window_blocks.h — the closed cells of a key's sliding windows, in the order of their
 * times, and totals of neighbouring ones; for operators/window_sliding.c only.
 * Why: each record has a window of its own. Merging all cells of a window per record costs as much
 * as the window is long; here it costs a few merges, however long it is.
 * Model: cells are numbered as they are appended, which happens in the order of their times, once
 * and for all: a closed cell never changes. A *page* has a row of `fan` (4, 8 or 16) of them.
 *   level 0  entry i is cell i; page p has the entries p * fan up to before (p + 1) * fan
 *   level n  entry i is the total of page i of level n - 1, once that is full
 * Each page also has the total of its entries so far. A window is the cells first .. end - 1. On
 * every level its first entries are the end of a full page and its last ones are all that the page
 * that is being filled has; what lies between is whole pages, and so entries of the next level. The
 * first need of a page's end turns its cells into *suffixes*: the total of each cell and of those
 * behind it in the page. Cells leave at the front only, so that nobody asks for single ones again.
 * A window is then: one suffix per level upwards, one total per level downwards. While both ends
 * are in one page its entries are merged one by one, fewer than `fan`.
 * Cost per cell: one merge for its page's total, one for its suffix, at most 2 per level for its
 * window (of n cells: log n to the base `fan`, rounded up) and fan - 1. No record costs more.
 * Which cells are merged in which order follows from their numbers alone: a replay and a restart
 * give the same last digits of sums of doubles. The numbers begin at 0 when all earlier cells have
 * left the window.
 * Stored: an object per page in the timed table `blocks`, by [level, 1 byte][page, 7 bytes
 * big-endian][key], in this machine's order: head (group_object.h); int64 due, ms; int64 time of
 * the key's cell 0; int64 time of the last cell; uint32 entries that are *refused*, a bit each;
 * uint32 1: suffixes; the total; then entries: int64 time of the last cell, the cell. A page is due
 * when no open window reaches it any more. One that was forgotten (the bounds of `state:`), or is
 * another life's of the key, counts as empty.
 * Bodies of heavy aggregates are slots of the page: piece i of the h-th heavy one of the total is
 * slot (i * heavy + h) * (fan + 1), of entry e that + 1 + e. They are merged in place. Refused:
 * merging gave a sum beyond its type, or more than a body holds (aggregate.h); so are all totals
 * with such an entry, and all windows that need one. Bounds: MR_WINDOW_BLOCKS_CELL_BYTES for a
 * cell, for bodies fan + 1 times those of a group, LEVELS_MAX levels (2^56 cells). Threads: those
 * of the operator. */
#ifndef MR_OPERATORS_WINDOW_BLOCKS_H
#define MR_OPERATORS_WINDOW_BLOCKS_H

#include "operators/windowing.h"

/* Cells are at most so large: four of them and a total are a page. */
#define MR_WINDOW_BLOCKS_CELL_BYTES 768

/* What the group of a key knows of its cells; part of a stored object. */
struct mr_window_span {
    int64_t born_ms; /* time of cell 0 */
    int64_t last_ms; /* of the newest cell */
    uint64_t first;  /* number of the oldest cell that the next window may have */
    uint64_t end;    /* behind the newest cell; 0: none yet */
};

/* Cells of a set of aggregates that fit a page; for estimates too. */
uint32_t mr_window_blocks_fan(uint32_t cell_bytes);
/* Bytes of a full page as it is stored. */
size_t mr_window_blocks_page_bytes(uint32_t cell_bytes);

/* Bodies of each heavy aggregate that a page has room for. */
uint32_t mr_window_blocks_page_bodies(uint32_t cell_bytes);

/* Open the table. Pre: heads of at most MR_WINDOW_BLOCKS_CELL_BYTES together. */
enum mr_status mr_window_blocks_open(struct mr_windowing *windowing,
                                     const struct mr_operator_open *open,
                                     struct mr_error *error) MR_NODISCARD;

/* Append the cell of time_ms, which is behind all others of the key and is in windowing->merged;
 * that is changed. Objects handed out before are not valid any more; span is the caller's copy. */
enum mr_status mr_window_blocks_append(struct mr_windowing *windowing, struct mr_slice key,
                                       struct mr_window_span *span, int64_t time_ms,
                                       struct mr_error *error) MR_NODISCARD;
/* Move span->first on to the first cell behind time_ms. Objects as above. */
enum mr_status mr_window_blocks_leave(struct mr_windowing *windowing, struct mr_slice key,
                                      struct mr_window_span *span, int64_t time_ms,
                                      struct mr_error *error) MR_NODISCARD;
/* Merge the span's cells into windowing->merged. MR_INVALID: a function refuses. Objects as above.
 */
enum mr_status mr_window_blocks_merge(struct mr_windowing *windowing, struct mr_slice key,
                                      const struct mr_window_span *span,
                                      struct mr_error *error) MR_NODISCARD;
/* Drop the pages that no window needs: those whose last cell is at size + lateness before now_ms.
 * Pre: every cell that is due by now_ms was appended. MR_AGAIN: as of `advance`. */
enum mr_status mr_window_blocks_expire(struct mr_windowing *windowing,
                                       struct mr_operator_context *context, int64_t now_ms,
                                       struct mr_error *error) MR_NODISCARD;

#endif
