/* cli/report_synthetic_scan.h — the first reading of a table's file: its columns, its rows, and
 * what the cells of each column could be read as. Keeps nothing of the rows.
 * Limits: those of report_synthetic_rows.h; MR_SYNTHETIC_FIRST_ROWS rows are looked at for values
 * that come twice. */
#ifndef MR_CLI_REPORT_SYNTHETIC_SCAN_H
#define MR_CLI_REPORT_SYNTHETIC_SCAN_H

#include "cli/report_synthetic_rows.h"

enum { MR_SYNTHETIC_FIRST_ROWS = 1000 };

/* Cells of a column; a whole number is a number too. */
struct mr_synthetic_tally {
    uint64_t present;
    uint64_t bools;
    uint64_t numbers;
    uint64_t wholes;
    uint64_t times; /* of the usual forms */
    uint64_t nested;
    bool repeats; /* a value came twice among the first rows */
};

struct mr_synthetic_scan {
    const char *path;
    uint64_t rows;
    uint32_t columns_count;
    const char **names;
    struct mr_synthetic_tally *tallies;
};

/* Read a file. A file without rows is MR_INVALID too. Owner: the result is in arena. */
enum mr_status mr_synthetic_scan(const char *path, struct mr_arena *arena,
                                 struct mr_synthetic_scan *scan,
                                 struct mr_error *error) MR_NODISCARD;
/* The column of a name; columns_count when there is none. */
uint32_t mr_synthetic_scan_find(const struct mr_synthetic_scan *scan, const char *name);
/* What the column would be stored as. */
enum mr_synthetic_type mr_synthetic_scan_type(const struct mr_synthetic_scan *scan,
                                              uint32_t column);

#endif
