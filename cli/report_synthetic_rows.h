/* cli/report_synthetic_rows.h — the rows of a table in a file: CSV with a header line, or a JSON
 * object a line; for `millrace report --real A --synthetic B`.
 * Model: a row is a cell for each column seen so far; columns of CSV are those of the header, those
 * of JSON lines the members in the order in which they first come. A cell is missing, a boolean, a
 * number or a text. In CSV it is a text; one that is empty or says nan, null, none, NA and the like
 * (the words that pandas reads so) is missing. JSON's lists and objects are texts, flagged nested.
 * Which one it is: JSON lines when the first byte that is no space is '{'.
 * Limits: MR_SYNTHETIC_COLUMNS_MAX columns; a row of 1 MiB. Threads: one. */
#ifndef MR_CLI_REPORT_SYNTHETIC_ROWS_H
#define MR_CLI_REPORT_SYNTHETIC_ROWS_H

#include "cli/line_reader.h"
#include "operators/synthetic_tables.h"

enum mr_synthetic_cell_kind {
    MR_SYNTHETIC_CELL_MISSING,
    MR_SYNTHETIC_CELL_TEXT,
    MR_SYNTHETIC_CELL_NUMBER, /* of JSON */
    MR_SYNTHETIC_CELL_BOOL    /* of JSON */
};

struct mr_synthetic_cell {
    enum mr_synthetic_cell_kind kind;
    bool is_whole;  /* a number without fraction and exponent */
    bool is_nested; /* a list or object */
    double number;  /* 0 or 1 of BOOL */
    struct mr_slice text;
};

struct mr_synthetic_rows {
    const char *path;
    int descriptor;
    bool is_csv;
    struct mr_line_reader reader;
    struct mr_buffer joined; /* a row of CSV whose quoted cells hold line ends */
    struct mr_arena arena;   /* of the row at hand */
    struct mr_arena names_arena;
    const char *names[MR_SYNTHETIC_COLUMNS_MAX];
    uint32_t names_count;
    struct mr_synthetic_cell cells[MR_SYNTHETIC_COLUMNS_MAX];
    uint64_t line; /* where the row at hand begins */
};

/* Open a file; CSV: its header is read. Errors: MR_IO, the file; MR_INVALID, its contents: a
 * sentence with the file's name. To be closed in any case. */
enum mr_status mr_synthetic_rows_open(struct mr_synthetic_rows *rows, const char *path,
                                      struct mr_error *error) MR_NODISCARD;
/* The next row into cells, valid until the next call. MR_END behind the last one. */
enum mr_status mr_synthetic_rows_next(struct mr_synthetic_rows *rows,
                                      struct mr_error *error) MR_NODISCARD;
void mr_synthetic_rows_close(struct mr_synthetic_rows *rows);

/* A text as a number, as pandas reads cells: JSON's numbers, also with a leading + or zeros and
 * without a digit before or behind the point; finite. */
bool mr_synthetic_text_number(struct mr_slice text, double *number, bool *is_whole);
/* True, TRUE, true, False, FALSE, false. */
bool mr_synthetic_text_bool(struct mr_slice text, bool *value);

#endif
