/* operators/pending_rows.h — rows that wait until there are enough of them to learn, as bytes.
 * Model: a row is its cells in order. Layout of a cell (little-endian): uint8 tag, then what it
 * says: 0 missing; 1 false; 2 true; 3 double; 4 int64 ns of a timestamp; 5 uint8 size and the bytes
 * of a text, of which the first MR_PENDING_TEXT_BYTES are kept: a longer one is only known to be
 * too long. Pure. */
#ifndef MR_OPERATORS_PENDING_ROWS_H
#define MR_OPERATORS_PENDING_ROWS_H

#include "base/slice.h"
#include "record/value.h"

enum {
    MR_PENDING_TEXT_BYTES = 65,
    MR_PENDING_CELL_BYTES = 2 + MR_PENDING_TEXT_BYTES /* at most */
};

/* Write a cell: at most MR_PENDING_CELL_BYTES. Kinds other than booleans, numbers, timestamps and
 * strings are written as missing. Returns the bytes written. */
size_t mr_pending_write(struct mr_value cell, uint8_t *output);
/* Read cells_count cells, whose texts borrow bytes; false: these are not the bytes of so many. */
bool mr_pending_read(struct mr_slice bytes, struct mr_value *cells, size_t cells_count);

#endif
