/* cli/report_synthetic_kinds.h — what the columns of two tables are: as sdmetrics' metadata says,
 * as
 * --types says, or as the real table's cells show.
 * Shown: booleans where all cells are; numerical where all are numbers; datetime where all are
 * times of the usual forms; an id where the texts, or whole numbers of a column whose name is or
 * ends with "id", never repeat among the first MR_SYNTHETIC_FIRST_ROWS rows, at least
 * MR_SYNTHETIC_ID_ROWS of them; other where cells are lists or objects, or nothing is there; else
 * categorical. */
#ifndef MR_CLI_REPORT_SYNTHETIC_KINDS_H
#define MR_CLI_REPORT_SYNTHETIC_KINDS_H

#include "cli/report_synthetic_scan.h"

#include <jansson.h>

enum { MR_SYNTHETIC_ID_ROWS = 20 };

struct mr_synthetic_declared {
    struct mr_synthetic_column column; /* codes_count and allowed are not set */
    const char *datetime_format;       /* NULL: the usual forms */
    const char *regex_format;          /* NULL: none */
    const json_t *values;              /* `range_values`; NULL: none */
    bool is_shown;                     /* by the cells: nobody has said it */
};

struct mr_synthetic_kinds {
    uint32_t columns_count;
    struct mr_synthetic_declared *columns;
    json_t *metadata; /* what values borrow from; NULL: none */
};

/* metadata: a file or NULL; types: `NAME=KIND` or `NAME=datetime:FORMAT`, separated by commas, of
 * types_count arguments. Both scans must have the same columns, which metadata must all name.
 * MR_INVALID, MR_IO: a sentence. Owner: arena, and mr_synthetic_kinds_close in any case. */
enum mr_status mr_synthetic_kinds_open(struct mr_synthetic_kinds *kinds,
                                       const struct mr_synthetic_scan *real,
                                       const struct mr_synthetic_scan *synthetic,
                                       const char *metadata, const char *const *types,
                                       uint32_t types_count, struct mr_arena *arena,
                                       struct mr_error *error) MR_NODISCARD;
void mr_synthetic_kinds_close(struct mr_synthetic_kinds *kinds);

#endif
