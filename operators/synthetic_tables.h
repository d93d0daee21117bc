/* operators/synthetic_tables.h — a real and a synthetic table, column by column, as the scores of
 * synthetic data are made of them: by quality.synthetic over windows, and by `millrace report`.
 * Model: a column has a kind. Numbers and datetimes (nanoseconds since the epoch) are doubles, NaN
 * where there is none; of the other kinds a cell is a code, 0 where there is none, and the same
 * value has the same code in both tables. What a column was stored as (its type) tells whether the
 * structures of two tables are alike, and how whole numbers are compared.
 * Definitions: those of sdmetrics 0.32.0 (MIT); the functions of synthetic_*.h say which.
 * Owner: the caller, of all that is pointed to. Threads: read-only while it is scored. */
#ifndef MR_OPERATORS_SYNTHETIC_TABLES_H
#define MR_OPERATORS_SYNTHETIC_TABLES_H

#include "base/arena.h"

enum {
    MR_SYNTHETIC_COLUMNS_MAX = 256,
    MR_SYNTHETIC_ROWS_MAX = 10000000 /* of a table */
};

enum mr_synthetic_kind {
    MR_SYNTHETIC_NUMERICAL,
    MR_SYNTHETIC_DATETIME,
    MR_SYNTHETIC_CATEGORICAL,
    MR_SYNTHETIC_BOOLEAN,
    MR_SYNTHETIC_ORDINAL, /* a category; distances between rows leave it out */
    MR_SYNTHETIC_ID,
    MR_SYNTHETIC_OTHER, /* not scored */
    MR_SYNTHETIC_KINDS_COUNT
};
extern const char *const mr_synthetic_kind_names[];

enum mr_synthetic_type {
    MR_SYNTHETIC_TYPE_INT,
    MR_SYNTHETIC_TYPE_DOUBLE,
    MR_SYNTHETIC_TYPE_BOOL,
    MR_SYNTHETIC_TYPE_TEXT,
    MR_SYNTHETIC_TYPE_DATETIME
};

/* What is known of a column besides its cells. */
struct mr_synthetic_column {
    const char *name;
    enum mr_synthetic_kind kind;
    uint32_t codes_count; /* codes are below it; 0 of numbers */
    bool is_key;          /* the primary key, or another one */
    bool is_left_out;     /* keys are no part of a row that may be copied */
    /* Declared instead of taken from the real table: NaN, NULL and -1 where they are not. */
    double minimum;
    double maximum;
    const bool *allowed; /* by code */
    int nullable;
};

struct mr_synthetic_table {
    uint32_t rows_count;
    const double *const *numbers;        /* [column][row]; NULL of columns with codes */
    const uint32_t *const *codes;        /* [column][row]; NULL of columns with numbers */
    const enum mr_synthetic_type *types; /* [column] */
};

struct mr_synthetic_pair_of_tables {
    uint32_t columns_count;
    const struct mr_synthetic_column *columns;
    struct mr_synthetic_table real;
    struct mr_synthetic_table synthetic;
};

/* A score, 0 to 1, the more alike the higher. metric NULL: there is none for such a column. Not a
 * number: it cannot be computed, and why says the reason. */
struct mr_synthetic_score {
    const char *metric;
    const char *why;
    double score;
};

static inline bool mr_synthetic_is_number(enum mr_synthetic_kind kind)
{
    return kind == MR_SYNTHETIC_NUMERICAL || kind == MR_SYNTHETIC_DATETIME;
}
/* Columns that have a shape. */
static inline bool mr_synthetic_is_scored(enum mr_synthetic_kind kind)
{
    return kind <= MR_SYNTHETIC_ORDINAL;
}

#endif
