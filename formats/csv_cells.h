/* formats/csv_cells.h — one cell of a row of comma-separated values (RFC 4180): for the format csv,
 * and for tables that `millrace report` compares.
 * Rules: a quoted cell may hold delimiters, line ends and doubled quotes; a quote or a line end
 * inside an unquoted cell is an error. */
#ifndef MR_FORMATS_CSV_CELLS_H
#define MR_FORMATS_CSV_CELLS_H

#include "base/arena.h"

/* A row. start, end and arena are set by the caller; arena holds cells with doubled quotes. */
struct mr_csv_line {
    struct mr_arena *arena;
    const uint8_t *start;
    const uint8_t *end;
    const char *error; /* static text, with the place */
    const uint8_t *error_at;
};

/* The cell at `at`: borrowed from the row, or in its arena. Returns the place of the delimiter or
 * the end behind it; NULL: error and error_at are set. */
const uint8_t *mr_csv_read_cell(struct mr_csv_line *line, const uint8_t *at, uint8_t delimiter,
                                struct mr_slice *text, bool *quoted);
/* Fail the row with a static text. Returns NULL. */
const uint8_t *mr_csv_fail(struct mr_csv_line *line, const uint8_t *at, const char *error);

#endif
