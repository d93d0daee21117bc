/* cli/report_synthetic_load.h — the second reading of the tables' files: their cells as
 * operators/synthetic_tables.h has them.
 * Of a file with more than rows_max rows that many are drawn, each as likely as any other, without
 * replacement, the same ones in every run (Philox4x32-10); the rest is not kept.
 * A cell that is not of its column's kind is an error with its place; but for datetimes with a
 * declared format, which are counted: they make the score DatetimeFormatAdherence, and count as
 * missing. Of an id with a declared pattern those that do not match as a whole make
 * RegexFormatAdherence (RE2's syntax).
 * Memory: 8 bytes a cell of rows_max rows, and at most MR_SYNTHETIC_TEXT_BYTES of different texts.
 */
#ifndef MR_CLI_REPORT_SYNTHETIC_LOAD_H
#define MR_CLI_REPORT_SYNTHETIC_LOAD_H

#include "cli/report_synthetic_kinds.h"

enum { MR_SYNTHETIC_FILES_MAX = 3 /* real, synthetic, held out */ };
enum { MR_SYNTHETIC_TEXT_BYTES = 256 << 20 };

struct mr_synthetic_dictionary;

struct mr_synthetic_load {
    struct mr_arena *arena;
    const struct mr_synthetic_kinds *kinds;
    uint32_t rows_max;
    uint32_t files_count;
    const struct mr_synthetic_scan *scans; /* [file] */
    struct mr_synthetic_column *columns;   /* with their codes */
    struct mr_synthetic_table tables[MR_SYNTHETIC_FILES_MAX];
    struct mr_synthetic_score *formats;           /* [column], of the synthetic table */
    struct mr_synthetic_dictionary *dictionaries; /* [column] */
};

/* Fill the rest from the first five members. MR_INVALID, MR_IO, MR_LIMIT: a sentence. */
enum mr_status mr_synthetic_load(struct mr_synthetic_load *load,
                                 struct mr_error *error) MR_NODISCARD;
/* The text of a code; "" of missing ones. */
const char *mr_synthetic_load_label(const struct mr_synthetic_load *load, uint32_t column,
                                    uint32_t code);

#endif
