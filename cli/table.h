/* cli/table.h — aligned columns of text, as wide as their widest cell: nothing is cut.
 * Limits: MR_TABLE_COLUMNS_MAX columns; as many rows as memory holds. */
#ifndef MR_CLI_TABLE_H
#define MR_CLI_TABLE_H

#include "cli/text.h"

enum { MR_TABLE_COLUMNS_MAX = 16 };

struct mr_table_column {
    const char *heading;
    bool right; /* numbers */
};

struct mr_table {
    struct mr_arena *arena; /* of the cells' texts */
    const struct mr_table_column *columns;
    uint32_t columns_count;
    const char **cells; /* row by row */
    uint32_t cells_count;
    uint32_t cells_capacity;
};

/* columns are ended by a NULL heading, at most MR_TABLE_COLUMNS_MAX, and borrowed. */
void mr_table_init(struct mr_table *table, struct mr_arena *arena,
                   const struct mr_table_column *columns);
void mr_table_deinit(struct mr_table *table);
/* The next cell; rows fill from left to right. Text is copied and escaped; NULL or empty: "-". */
void mr_table_text(struct mr_table *table, const char *text);
void mr_table_slice(struct mr_table *table, struct mr_slice text);
/* Thousands are separated. */
void mr_table_count(struct mr_table *table, int64_t count);
/* Heading and rows. A table without rows prints nothing. */
void mr_table_print(const struct mr_table *table, FILE *output);

#endif
